"""What planning needs of every row: `keys-<part>.arrow`, written beside the rows of a part and read by
column.

Arrow and memory-mapped, not JSON: a plan over a million rows touches one column after the other, whose pages
the system may drop again, and makes no Python object of a row. Not named `.parquet`, because readers of the
dataset take every such file for a shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from leafinstruct.records.files import checked, seal
from leafinstruct.runtime.artifact import Artifact, writing

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("document", pa.string()),
        ("host", pa.string()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),
        ("text", pa.uint64()),
        ("near_text", pa.list_(pa.uint64())),
        ("images", pa.list_(pa.uint64())),
    ]
)
"""One row a published row, in the order of rows-<part>.arrow. bytes: of its images and texts; digest: of all
that the row says; the last three are the group keys of its document (group_keys.py)."""

_KEY = b"leafinstruct.key"


def file_of(out: Artifact, part: str) -> Path:
    """Where a part's keys lie."""
    return out.file("keys", part, ".arrow")


def write(path: Path, key: str, rows: Iterable[dict[str, Any]]) -> None:
    """A part's keys, under the key of what shaped them."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    with writing(path) as temporary:
        with (
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, SCHEMA.with_metadata({_KEY: key})) as file,
        ):
            file.write_table(table)
        seal.put(temporary, [])


def key_of(path: Path) -> str | None:
    """The key that `write` was given; None while there is no file, or its bytes are not those that were
    written."""
    if checked.fault(path) is not None:
        return None
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        return str((file.schema.metadata or {}).get(_KEY, b"").decode())


def read(out: Artifact, parts: Sequence[str]) -> dict[str, pa.Table]:
    """Part -> its keys, mapped and not yet read. One mapping a part: Linux allows a process 65,530."""
    found = {}
    for part in parts:
        with pa.memory_map(str(file_of(out, part))) as mapped, pa.ipc.open_file(mapped) as file:
            found[part] = file.read_all()
    return found
