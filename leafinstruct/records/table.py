"""Parquet tables of documents, decisions, scores, images and examples. Column names are known here, in
rows.py, asked.py and frames.py; those of published rows in public.py and published_row.py.

Other packages read records (document.py, example.py, rows.py), not dictionaries. Arrow tables are built with
explicit schemas, so that a misspelt or mistyped field is an error where it is written. Segments are one list
of structs instead of parallel lists: an image and its text cannot get out of step (the usual defect of
interleaved formats). Compressed with zstd; image bytes have no dictionary and no statistics. The bytes of a
file depend only on its rows. Each file is sealed when it is written and verified when it is read
(checked.py). Memory is bounded by one part (writers) or one row group (readers).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import SchemaError
from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Segment, Text
from leafinstruct.records.edits import EDIT, Edit
from leafinstruct.records.example import Cell, Example, Turn
from leafinstruct.records.files import checked
from leafinstruct.records.rows import Drop

Row = checked.Row
read, columns, records = checked.read, checked.columns, checked.records
whole_records, batches, records_where = checked.whole_records, checked.batches, checked.records_where
images, key_of, count = checked.images, checked.key_of, checked.count
with_failures, without_failures = checked.with_failures, checked.without_failures
image_sizes, unpacked_images = checked.image_sizes, checked.unpacked_images

BYTES_A_GROUP = 32_000_000
"""A row group ends at ROWS_A_GROUP rows or at this size, whichever comes first. It counts image bytes and
texts of segments."""

_OF_PAGE = ("url", "license", "title", "page_url", "language")
"""Fields that documents and their examples share."""
_OF_IMAGE = tuple(field.name for field in fields(ImageRef) if field.name not in ("ref", "role"))

_REF = pa.struct(
    [
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("url", pa.string()),
        ("time", pa.float64()),
        ("member", pa.string()),
    ]
)
_IMAGE_FIELDS: list[tuple[str, pa.DataType]] = [
    ("ref", _REF),
    ("alt", pa.string()),
    ("url", pa.string()),
    ("license", pa.string()),
    ("state", pa.string()),
    ("sha256", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("format", pa.string()),
    ("owner", pa.int32()),
    ("owner_found", pa.string()),
]
_SEGMENT = pa.struct(
    [
        ("position", pa.int32()),
        ("type", pa.string()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("role", pa.string()),
        ("time", pa.float64()),
        *_IMAGE_FIELDS,
    ]
)
_ORIGIN = pa.struct([("file", pa.string()), ("locator", pa.string())])
_DOCUMENT: list[tuple[str, pa.DataType]] = [
    *((name, pa.string()) for name in ("id", "source", *_OF_PAGE)),
    ("language_confidence", pa.float64()),
    ("segments", pa.list_(_SEGMENT)),
    ("provenance", _ORIGIN),
    ("lost", pa.int32()),
]
_DOCUMENT_FIELDS = [name for name, _ in _DOCUMENT if name not in ("segments", "provenance")]
_DROP = pa.struct(
    [
        ("rule", pa.string()),
        ("position", pa.int32()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("state", pa.string()),
        ("detail", pa.string()),
    ]
)
_CELL: list[tuple[str, pa.DataType]] = [
    ("name", pa.string()),
    ("position", pa.int32()),
    ("value", pa.float64()),
    ("state", pa.string()),
    ("model", pa.string()),
    ("detail", pa.string()),
]
_NAMED = pa.list_(pa.struct([("name", pa.string()), ("identity", pa.string())]))
_PART = pa.struct(
    [
        ("type", pa.string()),
        ("text", pa.string()),
        ("position", pa.int32()),
        ("time", pa.float64()),
        *_IMAGE_FIELDS,
    ]
)

DOCUMENTS = pa.schema(_DOCUMENT)
"""ingest/documents-*: what a reader found."""

DECISIONS = pa.schema([*_DOCUMENT, ("drops", pa.list_(_DROP)), ("edits", pa.list_(EDIT))])
"""filter/documents-* and filter/dropped-*, rewrite/dropped-*: a document, every rule that it or one of its
images failed, and every change of its texts."""

DROPS = pa.schema([*((name, pa.string()) for name in ("stage", "document_id", "scope")), *_DROP])
"""Drops as report/tables.py lists them: one row per drop. scope: what was dropped."""

SCORES = pa.schema([("document_id", pa.string()), *_CELL])
"""filter/scores-*: one row per cell."""

JUDGED = pa.schema([("document_id", pa.string()), ("judge", pa.string()), ("sample", pa.int32()), *_CELL])
"""filter/judged-*: the cells of the verdict (judge: null), and of every single answer if there are
several."""

IMAGES = pa.schema(
    [
        *((name, pa.string()) for name in ("ref", "file", "stamp", "state", "reason", "sha256")),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("scores", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))),
        ("hash", pa.string()),
        ("thumbnail", pa.binary()),
        ("bytes", pa.binary()),
    ]
)
"""filter/images-*: one row per reference, with size and sha256 of its file (for a URL: what was fetched) when
it was read, and the measurements and the hash of the decoded image."""

FETCHES = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("url", "state", "reason", "detail", "final_url", "media", "sha256", "segment", "at")
        ),
        *((name, pa.int64()) for name in ("status", "size", "offset", "attempts")),
        ("seconds", pa.float64()),
    ]
)
"""filter/fetches-*: the outcome for each image URL of the part's remaining documents. It depends on the
moment, so no row of the dataset and no fingerprint contains it."""

OUTCOMES = pa.schema([*FETCHES, ("part", pa.string())])
"""What a share of a divided build fetched: rows of FETCHES with the part that listed the URL."""

URLS = pa.schema([("url", pa.string())])
"""filter/urls-*: the image URLs of the part's remaining documents, in a divided build."""

EMBEDDINGS = pa.schema(
    [
        ("document_id", pa.string()),
        ("position", pa.int32()),
        ("sha256", pa.string()),
        ("texts", pa.string()),
        ("vector", pa.list_(pa.float32())),
        ("text_positions", pa.list_(pa.int32())),
        ("cosines", pa.list_(pa.float32())),
        ("unknown_words", pa.list_(pa.float32())),
        ("fault", pa.string()),
    ]
)
"""filter/embeddings-*: one row per image: its unit vector, its row of the document's image x segment matrix
of cosines, for each of those texts the share of tokens that were not in the model's training data, the digest
of the document's texts, and why the model failed on it (empty: it did not)."""

EXTENSIONS = pa.schema([*((name, pa.string()) for name in ("document_id", "seen", "of")), *_CELL])
"""filter/extensions-*, one row per score of an installed package, and filter/predictions-*, per score of a
recipe's model: with a digest of what it was computed from (texts, its image or all), and of the score."""

KEYS = pa.schema(
    [
        ("document_id", pa.string()),
        ("text", pa.string()),
        ("words", pa.int32()),
        ("images", pa.list_(pa.string())),
        ("bands", pa.list_(pa.uint64())),
        ("runs", pa.list_(pa.uint32())),
        ("hashes", pa.list_(pa.uint64())),
    ]
)
"""filter/keys-*: for each document that remains after alignment, digests of its normalized text and of its
images, and their sketches for the index (rows.KeyRow)."""

DUPLICATES = pa.schema(
    [
        ("document_id", pa.string()),
        ("text", pa.int64()),
        ("images", pa.float64()),
        ("near_text", pa.int64()),
        *((name, pa.float64()) for name in ("near_images", "copied_images")),
        ("group", pa.string()),
        ("reference_text", pa.float64()),
        ("reference_images", pa.float64()),
    ]
)
"""filter/duplicates-*: what the global step found out about each remaining document (rows.DuplicateRow)."""

EXAMPLES = pa.schema(
    [
        ("id", pa.string()),
        ("document_id", pa.string()),
        ("source", pa.string()),
        ("task", pa.string()),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("parts", pa.list_(_PART))]))),
        ("scores", pa.list_(pa.struct(_CELL))),
        *((name, pa.string()) for name in _OF_PAGE),
        ("provenance", _ORIGIN),
        ("models", _NAMED),
        ("prompts", _NAMED),
    ]
)
"""rewrite/examples-*, and rejected-* of worse rounds: images by sha256, their bytes in filter/images-*."""


def write(path: Path, rows: Iterable[Any], schema: pa.Schema, key: str = "") -> None:
    """Write rows to a Parquet file at `path` (the caller makes it atomic). `key` is stored in the file's
    metadata for `key_of`.

    rows: dictionaries, or records whose fields are columns.

    Streams: at most one row group (512 rows, or 32 MB of image bytes and texts) is in memory. Raises
    SchemaError if a row does not fit.
    """
    schema = schema.with_metadata({"leafinstruct.key": key})
    binary = [field.name for field in schema if pa.types.is_binary(field.type)]
    plain = [field.name for field in schema if field.name not in binary]
    try:
        with pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=plain, write_statistics=plain
        ) as file:
            for group in _groups(rows, binary):
                file.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(f"{path.name}: a row does not fit its table: {error}") from error
    checked.put_seal(path)


def _groups(rows: Iterable[Any], binary: Sequence[str]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for given in rows:
        row: Row = given if isinstance(given, dict) else _fields(given)
        group.append(row)
        size += sum(len(row.get(name) or b"") for name in binary) + sum(
            len(item.get("text") or "") for item in row.get("segments") or ()
        )
        if len(group) == checked.ROWS_A_GROUP or size >= BYTES_A_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def document_row(document: Document, drops: Sequence[Drop] | None = None, edits: Sequence[Edit] = ()) -> Row:
    """Row of DOCUMENTS, or of DECISIONS if `drops` is given."""
    row = {
        **{name: getattr(document, name) for name in _DOCUMENT_FIELDS},
        "segments": [_segment_row(segment) for segment in document.segments],
        "provenance": asdict(document.provenance),
    }
    if drops is None:
        return row
    return {**row, "drops": [_fields(drop) for drop in drops], "edits": [_fields(edit) for edit in edits]}


def document_of(row: Row) -> Document:
    """The document of a row of DOCUMENTS or DECISIONS."""
    return Document(
        **{name: row[name] for name in _DOCUMENT_FIELDS},
        segments=tuple(_segment_of(segment) for segment in row["segments"]),
        provenance=Provenance(**row["provenance"]),
    )


def documents(path: Path) -> Iterator[Document]:
    """Stream the documents of a file. Raises DamagedError."""
    return map(document_of, read(path))


def decisions(path: Path) -> Iterator[tuple[Document, tuple[Drop, ...]]]:
    """Stream the rows of DECISIONS. Raises DamagedError."""
    return ((document_of(row), tuple(Drop(**drop) for drop in row["drops"])) for row in read(path))


def scores(path: Path) -> Iterator[tuple[str, Cell]]:
    """Stream the rows of SCORES: id of the document, and a cell. Raises DamagedError."""
    for document, *values in columns(path, "document_id", *Cell.__slots__):
        yield document, Cell(*values)


def verdicts(path: Path) -> Iterator[tuple[str, Cell]]:
    """Stream the verdicts of JUDGED: id of the document, and a cell. Raises DamagedError."""
    for document, judge, *values in columns(path, "document_id", "judge", *Cell.__slots__):
        if judge is None:
            yield document, Cell(*values)


def single_answers(path: Path) -> Iterator[tuple[str, str, int, Cell]]:
    """Stream the answers of several judges: id of the document, judge, sample (from 1), and a cell. Raises
    DamagedError."""
    for document, judge, sample, *values in columns(path, "document_id", "judge", "sample", *Cell.__slots__):
        if judge is not None:
            yield document, judge, sample, Cell(*values)


def examples(path: Path, with_scores: bool = True) -> Iterator[Example]:
    """Stream the examples of a file. with_scores: their scores are most of the time. Raises DamagedError."""
    names = [name for name in EXAMPLES.names if with_scores or name != "scores"]
    return (example_of(dict(zip(names, values, strict=True))) for values in columns(path, *names))


def _segment_row(segment: Segment) -> Row:
    return (
        {"type": "text", **_fields(segment)}
        if isinstance(segment, Text)
        else {"type": "image", **_fields(segment), "ref": _fields(segment.ref)}
    )


def _fields(item: Any) -> Row:
    """A dataclass as a dictionary, not recursively: `dataclasses.asdict` copies every string and took a tenth
    of a build."""
    return {name: getattr(item, name) for name in item.__slots__}


def _segment_of(row: Row) -> Segment:
    if row["type"] == "text":
        return Text(row["position"], row["text"], row["kind"], row["role"], row["time"])
    return _image_of(row)


def _image_of(row: Row) -> ImageRef:
    # an example's images have their turn's role
    return ImageRef(ref=Ref(**row["ref"]), role=row.get("role"), **{name: row[name] for name in _OF_IMAGE})


def score_row(document: str, cell: Cell) -> Row:
    """Row of SCORES. document: its id."""
    return {"document_id": document, **_fields(cell)}


def judged_row(document: str, cell: Cell, judge: str | None = None, sample: int | None = None) -> Row:
    """Row of JUDGED."""
    return {"document_id": document, "judge": judge, "sample": sample, **_fields(cell)}


def example_row(example: Example) -> Row:
    """Row of EXAMPLES."""
    return {
        **{name: getattr(example, name) for name in ("id", "document_id", "source", "task", *_OF_PAGE)},
        "turns": [
            {
                "role": turn.role,
                "parts": [
                    {"type": "text", "text": part} if isinstance(part, str) else _segment_row(part)
                    for part in turn.parts
                ],
            }
            for turn in example.turns
        ],
        "scores": [_fields(cell) for cell in example.scores],
        "provenance": asdict(example.provenance),
        "models": [{"name": name, "identity": identity} for name, identity in example.models],
        "prompts": [{"name": name, "identity": identity} for name, identity in example.prompts],
    }


def example_of(row: Row) -> Example:
    return Example(
        **{name: row[name] for name in ("id", "document_id", "source", "task", *_OF_PAGE)},
        turns=tuple(
            Turn(
                turn["role"],
                tuple(part["text"] if part["type"] == "text" else _image_of(part) for part in turn["parts"]),
            )
            for turn in row["turns"]
        ),
        scores=tuple(Cell(**cell) for cell in row.get("scores", ())),
        provenance=Provenance(**row["provenance"]),
        models=tuple((item["name"], item["identity"]) for item in row["models"]),
        prompts=tuple((item["name"], item["identity"]) for item in row["prompts"]),
    )
