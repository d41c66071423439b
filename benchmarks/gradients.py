"""Compare gradients of one step split in different ways: cosine with, and norm relative to, the gradient of
one pass over the same rows.

    python benchmarks/gradients.py [--source FOLDER]

`leaf train` on leaf:tiny-1 with unpacked rows of different lengths: text only, one image, two. Each split
uses the same 16 rows in its first step. The gradient of both losses and of each alone is read from the
checkpoint after it (AdamW's first moment), the norm before clipping from the log. torchrun starts two
processes over gloo. source: another version of leafinstruct to measure.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image
from torch import Tensor

from leafinstruct.records import public

CUTS = {(16, 1, 1): "16 rows", (8, 2, 1): "8 rows x 2 passes", (4, 4, 1): "4 rows x 4 passes", (1, 16, 1): "1 row x 16 passes",  # noqa: E501
        (8, 1, 2): "8 rows x 2 processes", (4, 2, 2): "4 rows x 2 passes x 2 processes"}  # fmt: skip
LOSSES = {"both": (1.0, 1.0), "text": (1.0, 0.0), "image": (0.0, 1.0)}
WORDS = ["a", "red", "house", "with", "a", "blue", "door", "stands", "beside", "a", "tall", "green", "tree"]


def row(number: int) -> dict[str, Any]:
    """A row with no, one or two images in the answer, and more words the fewer images it has."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), ((number * 40) % 256, (number * 90) % 256, 120)).save(buffer, "PNG")
    count = (0, 1, 2, 0)[number % 4]
    text = " ".join(WORDS[(number + at) % len(WORDS)] for at in range((40, 6, 2, 12)[number % 4]))
    answer = [{"type": "text", "text": text}, *[{"type": "image", "text": None}] * count]
    question = [{"type": "text", "text": "Draw a red house."}]
    return {
        **dict.fromkeys(public.schema().names),
        "id": f"row{number:04}",
        "document_id": f"d{number}",
        "source": "s",
        "task": "guide",
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        "images": [{"bytes": buffer.getvalue(), "path": None}] * count,
        "image_info": [],
        "scores": [],
    }


def gradient(
    folder: Path, source: Path, cut: tuple[int, int, int], weights: tuple[float, float]
) -> tuple[Tensor, float]:
    """Direction of the first step's gradient, and its norm before clipping."""
    batch, accumulate, processes = cut
    name = f"{batch}-{accumulate}-{processes}-{weights[0]}-{weights[1]}"
    section = {
        "data": str(folder), "backbone": {"name": "chameleon", "weights": "leaf:tiny-1"},
        "adapter": {"r_text": 4, "r_image": 4}, "context": 512, "packing": False, "steps": 1, "warmup": 0, "schedule": "constant",  # noqa: E501
        "batch": batch, "accumulate": accumulate, "text_loss": weights[0], "image_loss": weights[1], "save_every": 1, "evaluate_every": 0,  # noqa: E501
        "precision": "float32",
    }  # fmt: skip
    recipe = folder / f"{name}.yaml"
    recipe.write_text(
        yaml.safe_dump({"name": name, "workdir": str(folder), "train": section}), encoding="utf-8"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = (
        ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", str(port)]
        if processes > 1
        else []
    )
    command = [sys.executable, "-W", "ignore", *launcher, "-m", "leafinstruct.cli", "train", str(recipe)]
    environment = {**os.environ, "PYTHONPATH": str(source)}  # python -m looks in the working directory first
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    out = folder / "runs" / name / "train"
    state = torch.load(out / "checkpoint-1" / "optimizer.pt", weights_only=True)["state"]
    log = json.loads((out / "log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    return torch.cat([state[at]["exp_avg"].flatten() for at in sorted(state)]).double(), float(
        log["grad_norm"]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--source",
        type=Path,
        default=Path(__file__).parent.parent,
        help="folder that holds the package leafinstruct",
    )
    source = parser.parse_args().source.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        table = pa.Table.from_pylist([row(number) for number in range(32)], schema=public.schema())
        pq.write_table(table, folder / "guide.train-00000-of-00001.parquet")
        whole = {name: gradient(folder, source, (16, 1, 1), weights) for name, weights in LOSSES.items()}
        for cut, label in CUTS.items():
            figures = []
            for name, weights in LOSSES.items():
                vector, norm = gradient(folder, source, cut, weights) if cut != (16, 1, 1) else whole[name]
                wanted, length = whole[name]
                cosine = float(torch.dot(vector, wanted) / (vector.norm() * wanted.norm()))
                figures.append(f"{name} cosine {cosine:.6f}, norm x {norm / length:.5f}")
            print(f"{label:<32} {'; '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
