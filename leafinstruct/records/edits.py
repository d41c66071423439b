"""Changes of texts by filter, and the tables that hold them and what they are made from.

    edits of table.DECISIONS   what was changed in a document
    filter/findings-*          places that a detector found, whether the recipe changes them or not
    filter/paragraphs-*        digests of the paragraphs of a page, for the step over all pages of a host
    filter/repeats-*           paragraphs that many pages of a host have

Places are characters of the texts as ingest wrote them. No table holds the characters themselves: personal
data is in the documents of ingest and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from leafinstruct.records.files.checked import Row, columns

Field = Literal["text", "alt", "title"]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one text of a document, an entry of `edits` in table.DECISIONS and a row of FINDINGS.

    reason: a short stable name by which reports count (`personal.emails`, `plea`, `boilerplate.host`). field:
    what was changed: `text` of the segment at `position`, `alt` of the image at `position`, or `title` of the
    document (position None). start, end: characters of the text as ingest wrote it. replacement: the mask;
    empty if the characters were removed. detail: why, for people, without the characters themselves.
    """

    reason: str
    field: Field
    position: int | None
    start: int
    end: int
    replacement: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ParagraphRow:
    """Row of PARAGRAPHS. text: digest of all texts. keys, positions, starts, ends: parallel, one entry per
    paragraph: a digest of 8 bytes, the position of its text, and its characters there."""

    document_id: str
    host: str
    text: str
    keys: Sequence[int]
    positions: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """Row of REPEATS. pages: pages of the host with this paragraph. of: all pages of the host."""

    document_id: str
    position: int
    start: int
    end: int
    pages: int
    of: int
    host: str


_EDIT: list[tuple[str, pa.DataType]] = [
    ("reason", pa.string()),
    ("field", pa.string()),
    ("position", pa.int32()),
    ("start", pa.int64()),
    ("end", pa.int64()),
    ("replacement", pa.string()),
    ("detail", pa.string()),
]
EDIT = pa.struct(_EDIT)

FINDINGS = pa.schema([("document_id", pa.string()), *_EDIT])
"""filter/findings-*: one row per place."""

PARAGRAPHS = pa.schema(
    [
        *((name, pa.string()) for name in ("document_id", "host", "text")),
        ("keys", pa.list_(pa.int64())),
        *((name, pa.list_(pa.int64())) for name in ("positions", "starts", "ends")),
    ]
)
"""filter/paragraphs-*: one row per document with a host."""

REPEATS = pa.schema(
    [
        ("document_id", pa.string()),
        *((name, pa.int64()) for name in ("position", "start", "end", "pages", "of")),
        ("host", pa.string()),
    ]
)
"""filter/repeats-*: one row per repeated paragraph of a document."""


def edits(path: Path) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Stream the changes of texts in a file of table.DECISIONS: id of the document, and its edits. Raises
    DamagedError."""
    return ((name, tuple(Edit(**edit) for edit in found)) for name, found in columns(path, "id", "edits"))


def finding_row(document: str, edit: Edit) -> Row:
    """Row of FINDINGS. document: its id."""
    return {"document_id": document, **{name: getattr(edit, name) for name in Edit.__slots__}}


def findings(path: Path) -> Iterator[tuple[str, Edit]]:
    """Stream the rows of FINDINGS: id of the document, and what was found. Raises DamagedError."""
    for document, *values in columns(path, "document_id", *Edit.__slots__):
        yield document, Edit(*values)
