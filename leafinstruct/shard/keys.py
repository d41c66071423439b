"""The keys of a part's rows for planning, `keys-<part>.arrow`, written beside the rows and read by column.

Chosen: Arrow over JSON, because a plan over a million rows reads one column after the other, and creates no
Python object per row. Not mapped, because a process may have 65,530 mappings and a corpus more parts; nearly
all bytes are read anyway, so memory is the same (benchmarks/planning.py). Not named `.parquet`, because
readers of the dataset take every such file as a shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

from leafinstruct.records.files import checked, seal
from leafinstruct.records.table import columns
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("document", pa.string()),
        ("host", pa.string()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),
        ("text", pa.uint64()),
        ("images", pa.list_(pa.uint64())),
    ]
)
"""One row per published row, in the order of rows-<part>.arrow. bytes: of its images and texts; digest: of
its whole content; the last two columns are the group keys of its document (group_keys.py)."""

NEAR = pa.schema([("document", pa.string()), ("group", pa.string())])
"""Documents that filter found to be in a group of near-duplicate texts, and the name of the group."""


class KeyRow(TypedDict):
    """A row of SCHEMA."""

    id: str
    task: str
    document: str
    host: str | None
    bytes: int
    digest: str
    text: int | None
    images: Sequence[int]


_KEY = b"leafinstruct.key"


def file_of(out: Artifact, part: str) -> Path:
    """The path of a part's keys."""
    return out.file("keys", part, ".arrow")


def write(path: Path, key: str, rows: Iterable[Mapping[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    """Write a part's keys, or another table for planning. key: digest of everything they depend on."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with writing(path) as temporary:
        with (
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, schema.with_metadata({_KEY: key})) as file,
        ):
            file.write_table(table)
        seal.put(temporary, [])


def key_of(path: Path) -> str | None:
    """The `key` that `write` got; None if there is no file or it is damaged."""
    if checked.fault(path) is not None:
        return None
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        return str((file.schema.metadata or {}).get(_KEY, b"").decode())


def near_groups(filtered: Artifact, parts: Sequence[str]) -> pa.Table:
    """The groups of near-duplicate texts, a table of NEAR. filtered: the artifact of filter. Raises
    DamagedError."""
    found: dict[str, list[str]] = {name: [] for name in NEAR.names}
    for part in parts:
        for document, group in columns(filtered.file("duplicates", part), "document_id", "group"):
            if group is not None:
                found["document"].append(document)
                found["group"].append(group)
    return pa.table(found, schema=NEAR)


def read(out: Artifact, parts: Sequence[str], kind: str = "keys") -> dict[str, pa.Table]:
    """The keys of each part, in memory, or another kind of table that `write` wrote."""
    found = {}
    for part in parts:
        with pa.OSFile(str(out.file(kind, part, ".arrow"))) as source:
            data = source.read_buffer()
        with pa.ipc.open_file(data) as file:
            found[part] = file.read_all()
    return found
