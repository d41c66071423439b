"""CPU time a document of OBELICS tables that are one row group each, read part by part, and peak memory.

    python benchmarks/parquet.py [--rows 2000 8000 32000 100000] [--part 500] [--slow 32000]

One run measures, each in its own process: every part decoded from the group's start (as before 0.1.0), the
parts of one process, and every second part, as one of two workers gets them. The first is quadratic in the
rows, so it is left out above --slow.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.ingest.config import ObelicsSource
from leafinstruct.ingest.readers import obelics
from leafinstruct.ingest.tables import parquet
from leafinstruct.records.document import Document

WORDS = (
    "stir",
    "the",
    "pot",
    "and",
    "add",
    "salt",
    "then",
    "wait",
    "until",
    "brown",
    "garden",
    "tool",
    "paint",
    "wall",
    "step",
    "light",
    "fold",
)
KINDS = {"from the start": (1, True), "one process": (1, False), "one of two": (2, False)}
"""Step between the parts that are read, and whether each is decoded from the group's start."""


def make(path: Path, rows: int) -> None:
    """Write documents of 5 texts of 120 words and 5 images, 500 kinds of them, in one row group."""
    chosen = random.Random(7)
    bases = [[" ".join(chosen.choices(WORDS, k=120)) for _ in range(5)] for _ in range(500)]
    texts = [
        [item for at, text in enumerate(bases[row % 500]) for item in (f"{row} {at} {text}", None)]
        for row in range(rows)
    ]
    images = [
        [item for at in range(5) for item in (None, f"https://example.org/{row}/{at}.jpg")]
        for row in range(rows)
    ]
    pq.write_table(
        pa.table({"texts": texts, "images": images, "metadata": ["[]"] * rows}), path, row_group_size=rows
    )


def peak() -> float:
    """Peak memory of this process so far, MB; Linux's getrusage also counts that of the parent before
    exec."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def measure(path: Path, part: int, step: int, from_start: bool) -> None:
    """Print CPU microseconds a document, and peak memory in MB above that of the imports."""
    source = ObelicsSource(kind="obelics", name="o", path=str(path), license="CC0-1.0")
    before = peak()
    documents, started = 0, time.process_time()
    with tempfile.TemporaryDirectory() as cache:
        for span in obelics.plan(source, part, Path(cache))[::step]:
            if from_start:
                parquet._KEPT.clear()
            documents += sum(isinstance(item, Document) for item in obelics.read(source, span, Path(cache)))
    used = time.process_time() - started
    print(f"{used / documents * 1e6:,.0f} {peak() - before:.0f}")


def main() -> None:
    """Make tables, measure each in a process, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 8000, 32000, 100_000])
    parser.add_argument("--part", type=int, default=500)
    parser.add_argument("--slow", type=int, default=32000)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        path, step, from_start = arguments.measure
        measure(Path(path), arguments.part, int(step), from_start == "True")
        return
    print(f"{'rows':>8}" + "".join(f"{kind:>28}" for kind in KINDS))
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            path = Path(folder) / f"{rows}.parquet"
            make(path, rows)
            line = f"{rows:>8,}"
            for step, from_start in KINDS.values():
                if from_start and rows > arguments.slow:
                    line += f"{'-':>28}"
                    continue
                command = [
                    sys.executable,
                    __file__,
                    "--part",
                    str(arguments.part),
                    "--measure",
                    str(path),
                    str(step),
                    str(from_start),
                ]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                used, peak = done.stdout.split()
                line += f"{used + ' us/document, ' + peak + ' MB':>28}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
