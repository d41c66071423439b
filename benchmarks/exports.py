"""Measure leaf export: rows a CPU second and peak memory of each format, on how-to documents drawn by
Sketchbook (128 px, four to five images a row).

    python benchmarks/exports.py --rows 5000

Each format runs in its own process, as a user would run it; startup (imports, 1 to 2 s of CPU) is included.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public
from leafinstruct.sketchbook.documents.blocks import DrawnImage
from leafinstruct.sketchbook.documents.page import Page, page
from leafinstruct.sketchbook.documents.plan import Settings

FORMATS = ("conversations", "webdataset", "llama-factory", "ms-swift")


def row(document: Page) -> dict[str, Any]:
    """A row: the title is the question, the rest the answer."""
    title, *blocks = document.blocks
    return {
        "id": hashlib.sha256(document.url.encode()).hexdigest()[:16],
        "document_id": hashlib.sha256(document.slug.encode()).hexdigest()[:16],
        "source": "sketchbook",
        "task": "guide",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": getattr(title, "text", "?")}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "image", "text": None}
                    if isinstance(block, DrawnImage)
                    else {"type": "text", "text": block.text}
                    for block in blocks
                ],
            },
        ],
        "images": [{"bytes": image.data, "path": None} for image in document.images],
        "image_info": [
            {
                "sha256": hashlib.sha256(image.data).hexdigest(),
                "ref": image.name,
                "url": document.image_url(image),
                "license": "CC0-1.0",
            }
            for image in document.images
        ],
        "scores": [],
        "url": document.url,
        "license": "CC0-1.0",
        "provenance": {"recipe": "bench@1", "file": "a", "locator": "", "models": [], "prompts": []},
    }


def write(folder: Path, rows: int) -> None:
    """Write shards of at most 2,500 rows in row groups of 500."""
    settings = Settings(seed=1, documents=rows)
    generated: Iterator[dict[str, Any]] = (row(page(settings, index, "html")) for index in range(rows))
    pieces = [range(start, min(start + 2500, rows)) for start in range(0, rows, 2500)]
    for number, piece in enumerate(pieces):
        path = folder / f"guide.train-{number:05}-of-{len(pieces):05}.parquet"
        with pq.ParquetWriter(path, public.schema(), compression="zstd") as file:
            for part in (piece[start : start + 500] for start in range(0, len(piece), 500)):
                file.write_table(
                    pa.Table.from_pylist([next(generated) for _ in part], schema=public.schema())
                )


def measure(folder: Path, name: str, rows: int) -> str:
    """Peak memory is read from the child itself, since the parent's figure covers all children so far."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    script = (
        "import sys, resource; from leafinstruct.cli import app; sys.argv[0] = 'leaf'; "
        "app(standalone_mode=False);"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "export",
        str(folder),
        "--to",
        name,
        "--out",
        str(folder.parent / name),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = int(done.stderr.rsplit("peak", 1)[1]) / 1024
    return (
        f"{name:<14} {rows / cpu:>7,.0f} rows/CPU-s  {cpu:>6.1f} s CPU  {wall:>6.1f} s  {peak:>5,.0f} MB "
        f"peak   {done.stdout.strip()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "shards"
        shards.mkdir()
        write(shards, rows)
        print(
            f"{rows:,} rows, {sum(path.stat().st_size for path in shards.iterdir()) / 1e6:,.0f} MB of shards"
        )
        for name in FORMATS:
            print(measure(shards, name, rows), flush=True)


if __name__ == "__main__":
    main()
