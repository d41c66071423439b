"""The published row, schema 3: what a shard contains, `datasets` decodes and training reads. It has a module
of its own because users depend on it; the tables of table.py are internal.

`open_shard` reads shards of every schema since the first as rows of the current one: a column or a field that
a shard lacks is filled with null, or with the value in FILLED. What is filled follows from `features` alone,
so a column that is added later needs no entry here, and older shards stay readable.

A shard of preference rows (preference/) has a `Layout` of its own; everything here applies to both.

`messages` has one `{"type": "image"}` part for each image, in order over all turns; `images` and `image_info`
are parallel to those parts. A row contains nothing that depends on the moment (fetch time, cost).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records.files.conforming import conformed, leaves_of, plain_path, projected
from leafinstruct.records.published_row import PublishedRow, rows_in

SCHEMA_VERSION = "3"
"""Version of the published row, stored under `leafinstruct.schema` in the Parquet metadata."""

READABLE = ("1", "2", SCHEMA_VERSION)
"""Schema versions that this version reads. Schema 2 lacks language; schema 1 also lacks page_url, title and
the owners of images."""

REQUIRED = frozenset(
    (
        "id",
        "document_id",
        "source",
        "task",
        "messages",
        "images",
        "image_info",
        "scores",
        "url",
        "license",
        "provenance",
    )
)
"""Columns of schema 1, which every shard has. A missing one is an error and is not filled."""

FILLED: Mapping[str, Any] = {"image_info.owner_found": "unknown"}
"""Values of missing columns and fields other than null."""

BATCH = 16
"""Default number of rows read at a time, since a row contains its images."""

PAGE = 1 << 20
"""Bytes of each column that Arrow reads at a time. Without this limit it reads whole columns of a row group,
100 MB of images and more."""

WRITER: Mapping[str, Any] = {
    "compression": "zstd",
    "write_page_index": True,
    "use_content_defined_chunking": True,
}
"""How shards are written: the same rows in the same row groups give the same bytes, in shard and after `leaf
hydrate`."""

IMAGES, _IMAGES_BEFORE = b"leafinstruct.images", b"leafinstruct.pictures"
"""Key of the Parquet metadata, `reference` in a shard whose images are references: each of `images` is null,
and `image_info` describes them. The second name is that of shards published before 0.1.0."""


def with_images(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a shard with image bytes, made from that of its references."""
    kept = {name: value for name, value in schema.metadata.items() if name not in (IMAGES, _IMAGES_BEFORE)}
    return schema.with_metadata(kept)


def features() -> Any:
    """`datasets.Features` of the published row, schema 3; the one definition of its columns."""
    from datasets import Features, List, Value
    from datasets import Image as ImageFeature

    text, number = Value("string"), Value("float64")
    named = List({"name": text, "identity": text})
    return Features(
        {
            "id": text,
            "document_id": text,
            "source": text,
            "task": text,
            "messages": List({"role": text, "content": List({"type": text, "text": text})}),
            "images": List(ImageFeature()),
            "image_info": List(_image_info()),
            "scores": List({"name": text, "image": Value("int32"), "value": number, "state": text}),
            "url": text,
            "page_url": text,
            "title": text,
            "language": text,
            "license": text,
            "provenance": {"recipe": text, "file": text, "locator": text, "models": named, "prompts": named},
        }
    )


def preference_features() -> Any:
    """`datasets.Features` of the preference row, schema 1; the one definition of its columns (their meaning:
    preference/row.py)."""
    from datasets import Features, List, Value

    text, number, whole = Value("string"), Value("float64"), Value("int32")
    rows = features()
    turns = List({"role": text, "content": List({"type": text, "text": text, "image": whole})})
    lender = ("example_id", "document_id", "source", "url", "page_url", "title", "license", "file", "locator")
    return Features(
        {
            "id": text,
            "example_id": text,
            **dict.fromkeys(("document_id", "source", "task", "kind"), text),
            **dict.fromkeys(("prompt", "chosen", "rejected"), turns),
            "images": rows["images"],
            "image_info": List({**_image_info(), "document_id": text, "source": text}),
            "changed": {"order": List(whole), "image": whole, "round": whole},
            "lender": dict.fromkeys(lender, text),
            "scores": List({"side": text, "name": text, "value": number, "state": text}),
            **dict.fromkeys(("url", "page_url", "title", "language", "license"), text),
            "provenance": rows["provenance"],
        }
    )


def _image_info() -> dict[str, Any]:
    from datasets import Value

    texts, numbers = ("sha256", "ref", "url", "license"), ("width", "height", "owner")
    return {
        **{name: Value("string") for name in texts},
        "source_position": Value("int32"),
        "frame_time": Value("float64"),
        **{name: Value("int32") for name in numbers},
        "owner_found": Value("string"),
    }


def card_features(of: Callable[[], Any] = features) -> list[dict[str, Any]]:
    """The columns as in `dataset_info` of a dataset card."""
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    data = DatasetCardData()
    DatasetInfosDict({"default": DatasetInfo(features=of())}).to_dataset_card_data(data)
    found: list[dict[str, Any]] = data["dataset_info"]["features"]
    return found


@cache
def schema() -> pa.Schema:
    """Arrow schema of the published row, with the metadata from which `datasets` reads its features, and our
    version."""
    schema = features().arrow_schema
    return schema.with_metadata({**(schema.metadata or {}), b"leafinstruct.schema": SCHEMA_VERSION.encode()})


@cache
def preference_schema() -> pa.Schema:
    """Arrow schema of the preference row, with its version."""
    schema = preference_features().arrow_schema
    version = PREFERENCE.versions[-1].encode()
    return schema.with_metadata({**(schema.metadata or {}), PREFERENCE.key: version})


@dataclass(frozen=True)
class Layout:
    """What the rows of a shard are. what: for messages. key: of the Parquet metadata with the version of the
    schema. versions: those that are readable, the written one last. required: columns that rows of every
    version have. schema: the written one."""

    what: str
    key: bytes
    versions: Sequence[str]
    required: frozenset[str]
    schema: Callable[[], pa.Schema]


ROWS = Layout("rows", b"leafinstruct.schema", READABLE, REQUIRED, schema)
PREFERENCE = Layout(
    "preference rows",
    b"leafinstruct.preference",
    ("1",),
    frozenset(("id", "example_id", "document_id", "source", "kind", "prompt", "chosen", "rejected"))
    | {"images", "image_info", "lender", "url", "license"},
    preference_schema,
)


class PublishedShard:
    """One shard of any readable schema; `batches` gives its rows in the current schema. Open it with
    `open_shard`.

    version: of its schema. rows, row_groups: counts. is_reference: whether its images are references without
    bytes. plain_bytes: size of its columns before compression. stored_schema: Arrow schema of the file.
    """

    def __init__(self, path: Path, file: pq.ParquetFile, layout: Layout = ROWS) -> None:
        self.path = path
        self._layout = layout
        self.version = (file.schema_arrow.metadata or {}).get(layout.key, b"").decode(errors="replace")
        self._file = file
        self.rows: int = file.metadata.num_rows
        self.row_groups: int = file.num_row_groups
        self.stored_schema = _stored_schema(file)
        self.is_reference = not {IMAGES, _IMAGES_BEFORE}.isdisjoint(file.schema_arrow.metadata or {})

    @property
    def plain_bytes(self) -> int:
        return sum(self._file.metadata.row_group(number).total_byte_size for number in range(self.row_groups))

    def require(self, columns: Sequence[str]) -> None:
        """Raise SchemaError if the file lacks a column of `columns` that every schema has."""
        asked = {plain_path(name).partition(".")[0] for name in columns} & self._layout.required
        if missing := sorted(asked - set(self.stored_schema.names)):
            raise SchemaError(
                f"{self.path}: no column {missing[0]}, which rows of every schema have; build the "
                "dataset again"
            )

    def batches(
        self, columns: Sequence[str] | None = None, size: int = BATCH, groups: Sequence[int] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Rows in the current schema, at most `size` at a time. Only one batch is in memory.

        columns: names, dotted through lists and structs, as in Parquet (`image_info.list.element.license`) or
        short (`image_info.license`); None for all. groups: numbers of row groups, None for all. Columns come
        in the order of the schema. Raises SchemaError for a missing column or one of another type,
        SourceError if the file is damaged.
        """
        current = self._layout.schema()
        wanted = current.names if columns is None else [plain_path(name) for name in columns]
        self.require(wanted)
        target = projected(current, wanted)
        stored = {
            plain_path(column.path): column.path
            for column in map(self._file.schema.column, range(len(self._file.schema)))
        }
        leaves = [leaf for field in target for leaf in leaves_of(field.type, field.name, stored)]
        if not leaves:  # only columns that the file lacks: any leaf gives the number of rows
            leaves = [stored["id"]]
        given = 0
        try:
            for batch in self._file.iter_batches(size, row_groups=groups, columns=leaves):
                yield self._current(batch, target)
                given += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{self.path}: is damaged after row {given:,} of {self.rows:,}: "
                f"{_first_line(error)}; fetch or build it again"
            ) from error

    def read(
        self, columns: Sequence[str] | None = None, size: int = BATCH, groups: Sequence[int] | None = None
    ) -> Iterator[PublishedRow]:
        """Rows, see published_row.py. Arguments and errors as of `batches`."""
        for batch in self.batches(columns, size, groups):
            yield from rows_in(batch)

    def stored_group(self, number: int, without: Collection[str] = ()) -> pa.Table:
        """One row group in the file's own schema, to write the same rows again. without: columns that are not
        read."""
        columns = [name for name in self.stored_schema.names if name not in without]
        try:
            return self._file.read_row_group(number, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{self.path}: row group {number} is damaged: {_first_line(error)}; fetch or build it again"
            ) from error

    def _current(self, batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
        columns = []
        for field in target:
            found = batch.column(field.name) if field.name in batch.schema.names else None
            try:
                columns.append(conformed(found, field.type, field.name, batch.num_rows, FILLED))
            except (pa.ArrowException, TypeError) as error:
                raise SchemaError(
                    f"{self.path}: column {field.name} is "
                    f"{self.stored_schema.field(field.name).type}, and rows of schema "
                    f"{self._layout.versions[-1]} "
                    f"have {field.type}; build the dataset again"
                ) from error
        return pa.RecordBatch.from_arrays(columns, schema=target)


def open_shard(path: Path, layout: Layout = ROWS) -> PublishedShard:
    """Read a shard's footer. Raises SourceError for a file that cannot be read, SchemaError if its rows
    are of another layout, or of a version that this one does not read."""
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=PAGE)
        shard = PublishedShard(path, file, layout)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from error
    stated = shard.stored_schema.metadata or {}
    if layout.key not in stated:
        other = next((one.what for one in (ROWS, PREFERENCE) if one.key in stated), None)
        if other is not None:
            raise SchemaError(f"{path}: has {other}, not {layout.what}; give a shard of {layout.what}")
        raise SchemaError(
            f"{path}: states no schema of its rows, so leaf did not write it; give a shard that `leaf "
            "build` wrote"
        )
    version = shard.version
    if version not in layout.versions:
        shown = version if version.isdecimal() and len(version) < 10 else ascii(version)[:40]
        newer = version.isdecimal() and int(version[:10]) > int(layout.versions[-1])
        hint = (
            "update leafinstruct, or build the dataset with this version"
            if newer
            else "build the dataset with this version"
        )
        readable = " and ".join(filter(None, (", ".join(layout.versions[:-1]), layout.versions[-1])))
        raise SchemaError(
            f"{path}: {layout.what} of schema {shown}, and this version reads {readable}; {hint}"
        )
    return shard


def _stored_schema(file: pq.ParquetFile) -> pa.Schema:
    """The Arrow schema that the file was written with, whose lists have fields called `item`. Arrow reads
    them as `element`, Parquet's name, and a schema with that name gives other bytes."""
    found: pa.Schema = file.schema_arrow
    encoded = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if encoded is None:
        return found
    written = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(encoded)))
    return written.with_metadata(found.metadata) if written.equals(found) else found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
