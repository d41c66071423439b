"""A tiny Chameleon in a folder, and shards as `leaf build` writes them."""

from __future__ import annotations

import io
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from backbones.tiny_backbones import checkpoint, interleaved, tokenizer
from making import messages
from PIL import Image

from leafinstruct.records import public
from leafinstruct.train import checkpoints

torch.set_num_threads(1)  # tiny models are fastest on one, and several wait for each other on a busy machine

COLORS = ((200, 30, 30), (30, 160, 60), (40, 60, 190), (230, 200, 40))


def image_bytes(color: tuple[int, int, int]) -> bytes:
    """4 x 6 pixels: 3 x 2 patches of the tiny Emu3."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 6), color).save(buffer, "PNG")
    return buffer.getvalue()


def row(number: int, answer: list[str | bytes], question: list[str | bytes] | None = None) -> dict[str, Any]:
    """A published row; bytes are images."""
    said, images = messages(("user", question or ["draw a red house"]), ("assistant", answer))
    return {
        **dict.fromkeys(("url", "license")),
        "id": f"row{number:04}",
        "document_id": f"d{number}",
        "source": "s",
        "task": "guide",
        "messages": said,
        "images": [{"bytes": data, "path": None} for data in images],
        "image_info": [],
        "scores": [],
        "provenance": None,
    }


def shard(path: Path, rows: list[dict[str, Any]], **metadata: str) -> Path:
    schema = public.schema()
    schema = schema.with_metadata(
        {
            **schema.metadata,
            **{key.replace("_", ".").encode(): value.encode() for key, value in metadata.items()},
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def lessons(count: int) -> list[dict[str, Any]]:
    return [
        row(number, ["now", image_bytes(COLORS[number % 4]), "then it is done"]) for number in range(count)
    ]


def killed(command: list[str], said: str, folder: Path) -> int:
    """Start it, kill it with all that it started once it has said so, and return the step of the last whole
    checkpoint in its folder.

    A busy machine lets it run on for a while before it is read and killed, so where it stands is looked up
    and never assumed. The processes that torchrun starts have sessions of their own, and a kill of the group
    would leave them training.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        if said in line:
            started = [process, *psutil.Process(process.pid).children(recursive=True)]
            for one in started:
                one.kill()
            psutil.wait_procs(started[1:])
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL, "".join(heard)
    assert not (folder / "record.json").exists(), "it had ended before the kill"
    return checkpoints.step(checkpoints.last(folder))


@pytest.fixture(scope="session")
def chameleon_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("chameleon")
    model = interleaved()
    model.config.max_position_embeddings = 4096  # long rows are tried, too
    model.save_pretrained(folder)
    tokenizer({"<racm3:break>": 197, "<eoss>": 196, "<image>": 190}).save_pretrained(folder)
    checkpoint(folder)
    return folder


@pytest.fixture
def recipe(tmp_path, chameleon_folder):
    """Writes a recipe over the shards of runs/demo and returns its path."""
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", lessons(12))
    shard(tmp_path / "runs/demo/shard/guide.test-00000-of-00001.parquet", [row(999, ["done"])])

    def write(**changes: Any) -> Path:
        section = {
            "data": "run:demo",
            "backbone": {
                "name": "chameleon",
                "weights": str(chameleon_folder),
                "decoder": str(chameleon_folder / "vqgan.ckpt"),
                "base": "tiny",
            },
            "adapter": {"r_text": 2, "r_image": 2, "alpha_text": 4, "alpha_image": 4},
            "context": 80,
            "steps": 6,
            "batch": 2,
            "accumulate": 2,
            "learning_rate": 0.01,
            "save_every": 2,
            "log_every": 1,
            **changes,
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({"name": "trained", "workdir": str(tmp_path), "train": section}))
        return path

    return write
