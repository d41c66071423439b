"""Shards -> rows: which files `run:NAME`, `hub:ORG/NAME`, a folder or a glob names, and their rows, one at a time. For training and for exports.

A shard is called `<task>.<split>-00000-of-00004.parquet`: its name tells what it holds, so that what is not wanted is never opened.
Memory: a batch of ROWS rows. Arrow reads PAGE bytes of each column at a time; without that it holds whole columns of a row group, 100 MB of
pictures and more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct import hub
from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records.public import PICTURES, READABLE, SCHEMA_VERSION

COLUMNS = ("id", "messages", "images")
"""What training reads."""
ROWS = 16
"""Read at a time: a row holds its pictures."""
PAGE = 1 << 20
_NAME = re.compile(r"(?P<task>.+)\.(?P<split>[^.]+)-\d{5}-of-\d{5}")


def files(data: str, runs: Path, split: str | None = "train", asked: str = "train.data") -> list[Path]:
    """The shards of a split, in the order of their names; a glob is of the split `train` and of no other. None: of every split, whatever a glob
    matches. runs: the folder of runs; asked: the setting that named the data, for errors.

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
            cure = "give a folder that leaf build wrote"
        elif any(folder.glob("*.parquet")):
            cure = f"by shard.splits of the recipe {data.removeprefix('run:')} it has no row"
        else:
            cure = f"`leaf build` of the recipe {data.removeprefix('run:')} makes them"
        raise SourceError(f"{asked} {data}: no shard {folder / pattern}; {cure}")
    return found


def named(path: Path) -> tuple[str, str] | None:
    """Task and split, as a shard's name tells them; None for another name."""
    found = _NAME.fullmatch(path.stem)
    return (found["task"], found["split"]) if found else None


def _of_hub(data: str, glob: str, asked: str) -> list[Path]:
    """The shards of a repository, in whichever of its folders they lie. What is made of a shard bears its name, so no two may have one name."""
    found = sorted(hub.snapshot(data.removeprefix("hub:"), [glob], f"{asked} {data}", SourceError).rglob(glob))
    if not found:
        raise SourceError(f"{asked} {data}: the repository holds no shard {glob}; give a dataset that leaf pushed")
    name, times = Counter(path.name for path in found).most_common(1)[0]
    if times > 1:
        raise SourceError(f"{asked} {data}: {times} of its folders hold a shard {name}; download one of them and give that folder")
    return found


def opened(path: Path, columns: Sequence[str] = COLUMNS) -> pq.ParquetFile:
    """A shard that holds pictures. Raises SchemaError for one of references, and what `footer` raises."""
    shard = footer(path, columns)
    if PICTURES in (shard.schema_arrow.metadata or {}):
        raise SchemaError(f"{path}: its pictures are references; `leaf hydrate` fetches them and writes shards that hold them")
    return shard


def footer(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    """A shard whose footer was read. Raises SchemaError for another schema or a missing column, SourceError for a file that cannot be read."""
    try:
        shard = pq.ParquetFile(path, pre_buffer=False, buffer_size=PAGE)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from error
    metadata = shard.schema_arrow.metadata or {}
    version = metadata.get(b"leafinstruct.schema", b"").decode(errors="replace")
    if version not in READABLE:
        raise SchemaError(
            f"{path}: rows of schema {version or 'unknown'}, and this version reads {SCHEMA_VERSION}; build the dataset with this version"
        )
    if missing := [name for name in columns if name not in shard.schema_arrow.names]:
        raise SchemaError(f"{path}: no column {missing[0]}, which rows of schema {SCHEMA_VERSION} have; build the dataset again")
    return shard


def rows(path: Path, columns: Sequence[str] = COLUMNS) -> Iterator[dict[str, Any]]:
    """The rows of a shard, pictures as `bytes`. Raises what `opened` raises, and SourceError for a file that is damaged further on."""
    shard = opened(path, columns)
    given = 0
    try:
        for batch in shard.iter_batches(ROWS, columns=list(columns)):
            for row in batch.to_pylist():
                yield row
                given += 1
    except (OSError, pa.ArrowException) as error:
        whole = shard.metadata.num_rows
        raise SourceError(f"{path}: is damaged behind row {given:,} of {whole:,}: {_first_line(error)}; fetch or build it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
