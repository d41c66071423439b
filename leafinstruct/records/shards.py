"""Shards -> rows: which files `run:NAME`, `hub:ORG/NAME`, a folder or a glob names, and their rows, one at a
time. For training and for exports.

A shard is called `<task>.<split>-00000-of-00004.parquet`: its name tells what it holds, so that what is not
wanted is never opened. How a shard is read, whatever its schema, and how little memory that takes:
`public.open_shard`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records.public import PublishedShard, open_shard
from leafinstruct.runtime import hub

COLUMNS = ("id", "messages", "images")
"""What training reads."""
CHECKSUMS = "SHA256SUMS"
"""What `sha256sum -c` takes: a line a shard. Published with the shards; the card is not in it, as its owner
may edit that on the Hub."""
SCANNED = 1 << 14
"""Rows read at a time of one short column."""
_NAME = re.compile(r"(?P<task>.+)\.(?P<split>[^.]+)-\d{5}-of-\d{5}")


def files(data: str, runs: Path, split: str | None = "train", asked: str = "train.data") -> list[Path]:
    """The shards of a split, in the order of their names; a glob is of the split `train` and of no other.
    None: of every split, whatever a glob matches. runs: the folder of runs; asked: the setting that named the
    data, for errors.

    Raises SourceError where there is none.
    """
    glob = f"*.{split or '*'}-*.parquet"
    if data.startswith("hub:"):
        return _of_hub(data, glob, asked)
    if data.startswith("run:"):
        folder, pattern = runs / data.removeprefix("run:") / "shard", glob
    elif any(sign in data for sign in "*?[") and not Path(data).is_dir():
        folder, pattern = Path(data).parent, Path(data).name
    else:
        folder, pattern = Path(data), glob
    found = sorted(folder.glob(pattern)) if split in ("train", None) or pattern == glob else []
    if not found:
        if not data.startswith("run:"):
            hint = "give a folder that leaf build wrote"
        elif any(folder.glob("*.parquet")):
            hint = f"by shard.splits of the recipe {data.removeprefix('run:')} it has no row"
        else:
            hint = f"`leaf build` of the recipe {data.removeprefix('run:')} makes them"
        raise SourceError(f"{asked} {data}: no shard {folder / pattern}; {hint}")
    return found


def named(path: Path) -> tuple[str, str] | None:
    """Task and split, as a shard's name tells them; None for another name."""
    found = _NAME.fullmatch(path.stem)
    return (found["task"], found["split"]) if found else None


def check(path: Path, sha256: str) -> None:
    """Compare a shard with the SHA256SUMS beside it, where there is one. sha256: of its bytes. Raises
    SourceError where that differs."""
    sums = path.with_name(CHECKSUMS)
    if not sums.is_file():
        return
    lines = (line.split("  ", 1) for line in sums.read_text(encoding="utf-8", errors="replace").splitlines())
    stated = {name: found for found, name in (line for line in lines if len(line) == 2)}
    if stated.get(path.name) != sha256:
        fault = "its sha256 is not the one" if path.name in stated else "is not listed"
        raise SourceError(
            f"{path}: {fault} in {CHECKSUMS} beside it; run `leaf build` if the dataset was built "
            "here, else download it again"
        )


def _of_hub(data: str, glob: str, asked: str) -> list[Path]:
    """The shards of a repository, in whichever of its folders they lie. What is made of a shard bears its
    name, so no two may have one name."""
    found = sorted(
        hub.snapshot(
            data.removeprefix("hub:"), [glob, f"*{CHECKSUMS}"], f"{asked} {data}", SourceError
        ).rglob(glob)
    )
    if not found:
        raise SourceError(
            f"{asked} {data}: the repository holds no shard {glob}; give a dataset that leaf pushed"
        )
    name, times = Counter(path.name for path in found).most_common(1)[0]
    if times > 1:
        raise SourceError(
            f"{asked} {data}: {times} of its folders hold a shard {name}; download one of them and give "
            "that folder"
        )
    return found


def opened(path: Path, columns: Sequence[str] = COLUMNS) -> PublishedShard:
    """A shard that holds images. Raises SchemaError for one of references or without a column, and what
    `open_shard` raises."""
    shard = open_shard(path)
    if shard.is_reference:
        raise SchemaError(
            f"{path}: its images are references; `leaf hydrate` fetches them and writes shards that hold them"
        )
    shard.require(columns)
    return shard


def rows(path: Path, columns: Sequence[str] = COLUMNS) -> Iterator[dict[str, Any]]:
    """The rows of a shard, images as `bytes`. Raises what `opened` and `PublishedShard.batches` raise."""
    for batch in opened(path, columns).batches(columns):
        yield from batch.to_pylist()


def values(path: Path, column: str) -> Iterator[pa.Array]:
    """One short column of a shard, a batch at a time, images or references; nothing where the file does not
    exist (not built yet, or being replaced at this moment). Raises what `open_shard` and
    `PublishedShard.batches` raise."""
    if path.exists():
        for batch in open_shard(path).batches([column], SCANNED):
            yield batch.column(0)


def numbers(path: Path, column: str, wanted: Collection[str]) -> Iterator[tuple[int, str]]:
    """(number, value) of every row whose value in a column of texts (`id`, `document_id`) is in `wanted`.
    Raises what `values` raises."""
    first, meant = 0, pa.array(sorted(wanted), pa.string())
    for found in values(path, column):
        for at in pc.indices_nonzero(pc.is_in(found, value_set=meant)).to_pylist():
            yield first + at, found[at].as_py()
        first += len(found)
