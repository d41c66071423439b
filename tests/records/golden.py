"""The golden shards of all schemas, for every test that opens shards, and shards of schema 2 that lack or add
a column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public

FOLDERS = {version: Path(__file__).parent / f"schema_{version}" for version in public.READABLE}
SHARDS = {version: sorted(folder.glob("*.parquet")) for version, folder in FOLDERS.items()}


def earlier_and_later(folder: Path) -> Path:
    """A shard of schema 2 that was written before `title` and `image_info.owner` were added, and that has a
    column which nobody here knows."""
    source = SHARDS["2"][0]
    table = pq.read_table(source).drop_columns(["title"])
    infos = table["image_info"].to_pylist()
    kept = [field for field in public.schema().field("image_info").type.value_type if field.name != "owner"]
    bare = pa.array(
        [[{name: value for name, value in info.items() if name != "owner"} for info in row] for row in infos],
        pa.list_(pa.struct(kept)),
    )
    at = table.schema.names.index("image_info")
    table = table.set_column(at, "image_info", bare).append_column("mood", pa.array(["calm"] * len(table)))
    table = table.replace_schema_metadata({b"leafinstruct.schema": b"2"})
    path = folder / source.name
    pq.write_table(table, path)
    return path
