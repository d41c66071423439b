"""From shards to batches with 2 workers: leafinstruct against `datasets` streaming with a stock collator and
against WebDataset tars, with the same samples, one run.

    python benchmarks/loader.py [--samples 800]

Each contestant runs in its own process and is timed from its first batch on; memory is its peak with its
workers, shared pages counted once. `raw` peers decode and tokenize while loading, as their stock pipelines do
(here with a tiny image encoder; a real one makes them slower still). `ready` peers read the same token ids
that leafinstruct has on disk, so that only the loaders are compared. `cold` is the encoding of leafinstruct's
first epoch, measured separately.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

# not this folder, whose moss.py would hide the tests' skeletons
sys.path[0] = str(Path(__file__).parent.parent / "tests")

from backbones.tiny_backbones import WORDS, tiny_chameleon  # noqa: E402

from leafinstruct.records import public  # noqa: E402
from leafinstruct.runtime.artifact import Artifact  # noqa: E402
from leafinstruct.train.data import tokens  # noqa: E402
from leafinstruct.train.data.encode import NAMES  # noqa: E402
from leafinstruct.train.data.images import Images  # noqa: E402
from leafinstruct.train.data.packing import Packed  # noqa: E402

CONTEXT, BATCH, WORKERS, SHARDS, SIDE = 2048, 8, 2, 4, 256
PEERS = ("datasets-raw", "webdataset-raw", "datasets-ready", "webdataset-ready")
OURS = ("ours-packed", "ours", "ours-no-workers")
SECONDS = 5.0
"""Minimum seconds of a run, if the samples last that long; `ready` contestants repeat them."""


def make(folder: Path, samples: int) -> dict[str, float]:
    """Make shards, tars and tokens of random lessons of 1 to 6 images of 256 pixels. Returns the cost of
    encoding."""
    chance = random.Random(0)
    rows = [_lesson(number, chance) for number in range(samples)]
    (folder / "shards").mkdir()
    files = [folder / f"shards/guide.train-{at:05}-of-{SHARDS:05}.parquet" for at in range(SHARDS)]
    for at, file in enumerate(files):
        pq.write_table(pa.Table.from_pylist(rows[at::SHARDS], schema=public.schema()), file)
    backbone, out = tiny_chameleon(), Artifact(folder / "tokens")
    seconds = []
    for context in (CONTEXT, CONTEXT + 1):
        started = time.perf_counter()
        images = Images(backbone, folder=folder / ".codes")
        counts = tokens.make(backbone, "x", files, context, out, lambda *_: None, images)
        seconds.append(time.perf_counter() - started)
    (folder / "ready").mkdir()
    for at in range(SHARDS):
        with (
            tarfile.open(folder / f"raw-{at}.tar", "w") as raw,
            tarfile.open(folder / f"ready-{at}.tar", "w") as ready,
        ):
            for one in rows[at::SHARDS]:
                _add(raw, one["id"], "json", json.dumps(one["messages"]).encode())
                for number, image in enumerate(one["images"]):
                    _add(raw, one["id"], f"{number}.jpg", image["bytes"])
                _add(
                    ready,
                    one["id"],
                    "npy",
                    _npy(np.array(_tokenized(backbone, one["messages"], one["images"])["both"], np.int32)),
                )
    _parquet(folder, tokens.Rows(out))
    return {
        "cold": seconds[0],
        "another context": seconds[1],
        "tokens": counts["tokens"],
        "images": counts["images"],
    }


def _lesson(number: int, chance: random.Random) -> dict[str, Any]:
    """A published row."""
    count = chance.randint(1, 6)
    answer = [
        part
        for _ in range(count)
        for part in (
            {"type": "text", "text": _words(chance, chance.randint(10, 80))},
            {"type": "image", "text": None},
        )
    ]
    question = [{"type": "text", "text": _words(chance, 20)}]
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    images = [{"bytes": _jpeg(chance), "path": None} for _ in range(count)]
    empty: dict[str, Any] = {
        **dict.fromkeys(("url", "license", "provenance")),
        "image_info": [],
        "scores": [],
    }
    return {
        **empty,
        "id": f"row{number:05}",
        "document_id": "d",
        "source": "s",
        "task": "guide",
        "messages": messages,
        "images": images,
    }


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS[:11], k=count))


def _jpeg(chance: random.Random) -> bytes:
    buffer = io.BytesIO()
    noise = np.frombuffer(chance.randbytes(16 * 16 * 3), np.uint8).reshape(16, 16, 3)
    Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, key: str, suffix: str, data: bytes) -> None:
    entry = tarfile.TarInfo(f"{key}.{suffix}")
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _parquet(folder: Path, rows: tokens.Rows) -> None:
    for at in range(SHARDS):
        found = [rows[number] for number in range(at, len(rows), SHARDS)]
        labels = [np.where(item.loss_mask == 1, item.ids, -100) for item in found]
        table = pa.table({"input_ids": [item.ids for item in found], "labels": labels})
        pq.write_table(table, folder / f"ready/{at}.parquet")


def _tokenized(backbone: Any, messages: Any, images: Any) -> dict[str, Any]:
    """What a user of the peers would write: input_ids and labels of one sample; images: PIL, or bytes."""
    ids, labels, waiting = list(backbone.encode([])), [-100], iter(images)
    for turn in messages:
        is_target = turn["role"] == "assistant"
        for part in [{"type": "text", "text": NAMES[turn["role"]]}, *turn["content"]]:
            segment = part["text"] if part["type"] == "text" else _pil(next(waiting))
            found = backbone.encode([segment])[1:]
            ids += found
            labels += found if is_target and part["text"] != NAMES["assistant"] else [-100] * len(found)
        ids += [backbone.end] if is_target else []
        labels += [backbone.end] if is_target else []
    return {"input_ids": ids, "labels": labels, "both": [ids, labels]}


def _pil(image: Any) -> Image.Image:
    return (
        image
        if isinstance(image, Image.Image)
        else Image.open(io.BytesIO(image["bytes"] if isinstance(image, dict) else image))
    )


def loader(name: str, folder: Path) -> Any:
    """The batches of a contestant."""
    if name.startswith("ours"):
        rows = tokens.Rows(Artifact(folder / "tokens"))
        packed = name == "ours-packed"
        run = Packed(rows, 10_000_000, 0, CONTEXT + 1 if packed else None)
        batch = max(1, round(BATCH * float(rows.lengths().mean()) / CONTEXT)) if packed else BATCH
        workers = 0 if name == "ours-no-workers" else WORKERS
        return torch.utils.data.DataLoader(
            run, batch, num_workers=workers, collate_fn=tokens.Collator(1, None)
        )
    from transformers import DataCollatorForSeq2Seq

    backbone = tiny_chameleon()
    collator = DataCollatorForSeq2Seq(backbone._tokenizer)
    kind, state = name.split("-")
    stream = (
        _datasets(folder, state, backbone) if kind == "datasets" else _webdataset(folder, state, backbone)
    )
    return torch.utils.data.DataLoader(
        stream, BATCH, num_workers=WORKERS, collate_fn=lambda batch: collator([_pair(one) for one in batch])
    )


def _datasets(folder: Path, state: str, backbone: Any) -> Any:
    import datasets

    pattern = str(folder / ("ready/*.parquet" if state == "ready" else "shards/*.parquet"))
    stream = datasets.load_dataset("parquet", data_files=pattern, split="train", streaming=True)
    if state == "ready":
        return stream.shuffle(seed=0, buffer_size=1000).repeat(None)
    columns = stream.column_names
    return stream.shuffle(seed=0, buffer_size=100).map(
        lambda one: _pair(_tokenized(backbone, one["messages"], one["images"])), remove_columns=columns
    )


def _webdataset(folder: Path, state: str, backbone: Any) -> Any:
    import webdataset  # type: ignore[import-untyped]  # it has no types

    pattern = str(folder / f"{state}-{{0..{SHARDS - 1}}}.tar")
    stream = webdataset.WebDataset(pattern, shardshuffle=SHARDS, empty_check=False)
    if state == "ready":
        return (
            stream.repeat()
            .shuffle(1000)
            .decode()
            .map(lambda one: {"input_ids": one["npy"][0], "labels": one["npy"][1]})
        )

    def tokenized(one: dict[str, Any]) -> dict[str, list[int]]:
        images = [one[key] for key in sorted(one) if key.endswith(".jpg")]
        return _pair(_tokenized(backbone, one["json"], images))

    return stream.shuffle(100).decode("pil").map(tokenized)


def _pair(found: dict[str, Any]) -> dict[str, list[int]]:
    return {name: found[name] for name in ("input_ids", "labels")}


def run(name: str, folder: Path) -> dict[str, float]:
    """Tokens and batches a second, peak memory, share of padding."""
    torch.set_num_threads(1)
    peak, over = [0], threading.Event()
    # started after the workers, which are forked
    watcher = threading.Thread(target=_watch, args=(peak, over), daemon=True)
    batches = real = samples = places = 0
    started = time.perf_counter()
    for number, batch in enumerate(_timed(loader(name, folder))):
        if number == 0:
            watcher.start()
            started = time.perf_counter()
            continue
        positions, mask = batch.get("position_ids"), batch.get("attention_mask")
        ids = batch["input_ids"]
        real += int((ids != 1).sum()) if mask is None or positions is not None else int(mask.sum())
        samples += int((batch["labels"] == 2).sum())  # one end token a sample
        batches, places = batches + 1, places + ids.numel()
    seconds = time.perf_counter() - started
    over.set()
    watcher.join()
    return {
        "tokens": real / seconds,
        "samples": samples / seconds,
        "batches": batches / seconds,
        "padding": 1 - real / places,
        "memory": peak[0] / 1e6,
    }


def _timed(batches: Any) -> Iterator[Any]:
    end = None
    for batch in batches:
        end = end or time.perf_counter() + SECONDS
        yield batch
        if time.perf_counter() > end:
            return


def _watch(peak: list[int], over: threading.Event) -> None:
    own = psutil.Process()
    while not over.wait(0.5):
        size = 0
        for process in [own, *own.children(recursive=True)]:
            try:
                size += process.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], size)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contestant:
        print(json.dumps(run(given.contestant, given.folder)))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        made = make(Path(name), given.samples)
        print(
            f"{given.samples} samples, {made['tokens'] / given.samples:,.0f} tokens and "
            f"{made['images'] / given.samples:.1f} images each"
        )
        print(
            f"encoding, once: {made['cold']:.1f} s; for another context {made['another context']:.1f} s, "
            "no image encoded"
        )
        print(f"{'':<18}{'tokens/s':>12}{'samples/s':>11}{'batches/s':>11}{'padding':>9}{'MB':>8}")
        for contestant in (*OURS, *PEERS):
            command = [sys.executable, __file__, "--contestant", contestant, "--folder", name]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[
                -1
            ]
            found = json.loads(answer)
            figures = f"{found['tokens']:>12,.0f}{found['samples']:>11,.0f}{found['batches']:>11,.0f}{found['padding']:>9.1%}{found['memory']:>8,.0f}"  # noqa: E501
            print(f"{contestant:<18}{figures}", flush=True)


if __name__ == "__main__":
    main()
