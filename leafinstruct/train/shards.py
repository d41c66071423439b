"""Shards -> rows: which files a recipe's `data` names, and their rows, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records.public import SCHEMA_VERSION

COLUMNS = ["id", "messages", "images"]
ROWS = 16
"""Read at a time: a row holds its pictures."""


def files(data: str, runs: Path, split: str = "train") -> list[Path]:
    """The shards of a split, in the order of their names; a glob is of the split `train` and of no other. runs: the folder of runs.

    Raises SourceError where there is none.
    """
    glob = f"*.{split}-*.parquet"
    if data.startswith("hub:"):
        folder, pattern = _of_hub(data.removeprefix("hub:"), glob), glob
    elif data.startswith("run:"):
        folder, pattern = runs / data.removeprefix("run:") / "shard", glob
    elif any(sign in data for sign in "*?["):
        folder, pattern = Path(data).parent, Path(data).name
    else:
        folder, pattern = Path(data), glob
    found = sorted(folder.glob(pattern)) if split == "train" or pattern == glob else []
    if not found:
        cure = (
            f"`leaf build` of the recipe {data.removeprefix('run:')} makes them"
            if data.startswith("run:")
            else "give a folder that leaf build wrote"
        )
        raise SourceError(f"train.data {data}: no shard {folder / pattern}; {cure}")
    return found


def _of_hub(repo: str, glob: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(repo, repo_type="dataset", allow_patterns=glob))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise SourceError(f"train.data hub:{repo}: cannot be had from the Hub: {_first_line(error)}") from error


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a shard: id, messages, images (`bytes`). Raises SchemaError for another schema, SourceError for a file that cannot be read."""
    try:
        shard = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from error
    version = (shard.schema_arrow.metadata or {}).get(b"leafinstruct.schema", b"").decode(errors="replace")
    if version != SCHEMA_VERSION:
        raise SchemaError(
            f"{path}: rows of schema {version or 'unknown'}, and this version reads {SCHEMA_VERSION}; build the dataset with this version"
        )
    if missing := [name for name in COLUMNS if name not in shard.schema_arrow.names]:
        raise SchemaError(f"{path}: no column {missing[0]}, which rows of schema {SCHEMA_VERSION} have; build the dataset again")
    given = 0
    try:
        for batch in shard.iter_batches(ROWS, columns=COLUMNS):
            for row in batch.to_pylist():
                yield row
                given += 1
    except (OSError, pa.ArrowException) as error:
        whole = shard.metadata.num_rows
        raise SourceError(f"{path}: is damaged behind row {given:,} of {whole:,}: {_first_line(error)}; fetch or build it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
