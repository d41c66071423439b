"""Rows a CPU second of the readers of MMC4 and OBELICS, beside `datasets`, which streams the same files
(`load_dataset("json")` and `("parquet")`) and iterates over them: one run, alternating, best of --rounds.

    python benchmarks/reading.py [--mmc4 FILE.jsonl] [--obelics FILE.parquet] [--rows 5000] [--rounds 3]

The rows of each file are repeated up to --rows with URLs of their own. A reader makes documents: it cleans
texts, checks names, finds titles and assigns images; `datasets` makes dictionaries. CPU seconds count all
threads of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import cycle, islice
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # both builders are part of `datasets`

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import load_dataset

from leafinstruct.ingest.config import Mmc4Source, ObelicsSource
from leafinstruct.ingest.readers import mmc4, obelics
from leafinstruct.records.document import Document


def repeat_lines(given: Path, folder: Path, rows: int) -> Path:
    """Write `rows` records of MMC4, each with a URL of its own."""
    records, made = [json.loads(line) for line in given.open("rb") if line.strip()], folder / "mmc4.jsonl"
    with made.open("w", encoding="utf-8") as out:
        for number, record in enumerate(islice(cycle(records), rows)):
            out.write(json.dumps({**record, "url": f"{record['url']}?{number}"}) + "\n")
    return made


def repeat_rows(given: Path, folder: Path, rows: int) -> Path:
    """Write `rows` rows of OBELICS in groups of 1,000."""
    table, made = pq.read_table(given), folder / "obelics.parquet"
    repeated = pa.concat_tables([table] * -(-rows // table.num_rows)).slice(0, rows)
    pq.write_table(repeated.combine_chunks(), made, row_group_size=1000)
    return made


def ours(kind: str, file: Path, cache: Path) -> Iterable[object]:
    """All documents of a file, part by part."""
    if kind == "mmc4":
        lines = Mmc4Source(kind="mmc4", name="m", path=str(file), license="CC0-1.0")
        for span in mmc4.plan(lines, 500, cache):
            yield from (item for item in mmc4.read(lines, span, cache) if isinstance(item, Document))
    else:
        table = ObelicsSource(kind="obelics", name="o", path=str(file), license="CC0-1.0")
        for span in obelics.plan(table, 500, cache):
            yield from (item for item in obelics.read(table, span, cache) if isinstance(item, Document))


def theirs(builder: str, file: Path, cache: Path) -> Iterable[object]:
    """All rows of a file as `datasets` streams them."""
    yield from load_dataset(
        builder, data_files=str(file), split="train", streaming=True, cache_dir=str(cache)
    )


def used(read: Callable[[], Iterable[object]], rows: int) -> float:
    """CPU seconds of one iteration. Exits when it yields another number of rows."""
    started = time.process_time()
    found = sum(1 for _ in read())
    if found != rows:
        raise SystemExit(f"{found:,} of {rows:,} rows were read, so the times cannot be compared")
    return time.process_time() - started


def main() -> None:
    """Make the files, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mmc4", type=Path)
    parser.add_argument("--obelics", type=Path)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = arguments.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, given, repeat, builder in (
            ("mmc4", arguments.mmc4, repeat_lines, "json"),
            ("obelics", arguments.obelics, repeat_rows, "parquet"),
        ):
            if given is None:
                print(f"{kind}: not given (--{kind})")
                continue
            file = repeat(given, folder, rows)
            best = [float("inf"), float("inf")]
            for _ in range(arguments.rounds):
                best[0] = min(best[0], used(lambda: ours(kind, file, folder), rows))  # noqa: B023
                best[1] = min(best[1], used(lambda: theirs(builder, file, folder), rows))  # noqa: B023
            mine, other = (rows / seconds for seconds in best)
            print(
                f"{kind:8} leafinstruct {mine:7,.0f} documents/CPU-s, datasets {other:7,.0f} rows/CPU-s, "
                f"ratio {mine / other:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
