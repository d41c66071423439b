"""OBELICS: one row of a Parquet file -> one document.

    images: [URL | null, ...]              texts: [text | null, ...]
    metadata: JSON [object | null, ...]    general_metadata: JSON object

The lists are parallel: each index holds either an image or a text, and their order is the page's. A text
contains the paragraphs between two images; each becomes a segment of its own, so that an image is compared
with the paragraph beside it and not with a whole chapter. The image's `metadata` gives its alternative text
and original URL (`src`); `general_metadata` gives the page's URL. The WARC that it may name is where the page
came from, not a file to read, and is ignored.

An image is its URL on the web, or a file relative to the Parquet file. Locator: `row=N`, from 0. Rows are
streamed (parquet); the JSON is limited to MAX_JSON and read by the standard library.

Whole record lost: not_parquet, truncated, missing_columns (once per file), those of parquet, no_lists,
unequal_lists, empty, too_many_pieces, too_long.
Piece lost, the document is kept: both_given, not_text, bad_reference, unsafe_path, bad_metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from leafinstruct.images.containers import member
from leafinstruct.ingest import files
from leafinstruct.ingest.config import ObelicsSource
from leafinstruct.ingest.fields.reference import Inside, LostError, image_ref, shown
from leafinstruct.ingest.fields.text import lines, one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.losses import with_losses
from leafinstruct.ingest.span import Span
from leafinstruct.ingest.tables import parquet
from leafinstruct.ingest.tables.parallel import document_of, parallel
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Segment, Text

SUFFIXES = parquet.SUFFIXES
LIBRARIES: tuple[str, ...] = ("pyarrow",)
_NEEDED = ("images", "texts")
_OPTIONAL = ("metadata", "general_metadata")
MAX_JSON = 8 << 20
"""Maximum characters of one metadata cell."""


def root_of(source: ObelicsSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(source.path)


def plan(source: ObelicsSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size rows, each within one file. Raises SourceError when the path is
    missing or all files are empty."""
    return parquet.spans(source.path, root_of(source), part_size, cache)


def read(source: ObelicsSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a span, each followed by the pieces it lost; rows and files that could not be
    read."""
    return files.each(root_of(source), span.files, partial(_file, source, span, cache))


def _file(
    source: ObelicsSource, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    footer = parquet.footer(path, cache)
    if footer.problem is not None:
        yield Rejected(file, "", *footer.problem)
        return
    if missing := [name for name in _NEEDED if name not in footer.columns]:
        if span.start == 0:
            yield parquet.without_columns(file, missing, footer.columns)
        return
    columns = [name for name in (*_NEEDED, *_OPTIONAL) if name in footer.columns]
    for number, row in parquet.rows(path, span.start, span.stop, columns):
        if isinstance(row, LostError):
            yield Rejected(file, f"row={number}", row.reason, row.detail)
        else:
            locator = f"row={number}"
            yield from with_losses(file, locator, partial(_document, source, file, locator, row))


def _document(
    source: ObelicsSource, file: str, locator: str, record: dict[str, object], lost: list[LostError]
) -> Iterator[Document]:
    """Yield the record's document. Raises LostError when there is none; lost pieces are appended to
    `lost`."""
    images, texts = parallel(record["images"], record["texts"])
    about = _parsed(record.get("metadata"), list, lost)
    page = _parsed(record.get("general_metadata"), dict, lost)
    segments: list[Segment] = []
    for place, (image, text) in enumerate(zip(images, texts, strict=True)):
        try:
            segments += _place(
                source,
                file,
                image,
                text,
                about[place] if place < len(about) else None,
                len(segments),
                partial(_cell, file, locator, place),
            )
        except LostError as piece:
            lost.append(LostError(piece.reason, f"place {place}: {piece.detail}"))
    yield document_of(segments, source, file, locator, page.get("url"))


def _place(
    source: ObelicsSource,
    file: str,
    image: object,
    text: object,
    about: object,
    position: int,
    inside: Inside,
) -> list[Segment]:
    """The segments at one index of the lists. Raises LostError."""
    if image is not None and text is not None:
        raise LostError("both_given", "an image and a text have the same index, so their order is unknown")
    if text is not None:
        if not isinstance(text, str):
            raise LostError("not_text", f"the text is {shown(text)}")
        paragraphs = [kept for paragraph in text.split("\n\n") if (kept := lines(paragraph))]
        return [Text(position + index, paragraph) for index, paragraph in enumerate(paragraphs)]
    if image is None:
        return []
    facts = about if isinstance(about, dict) else {}
    alt, original = facts.get("alt_text"), facts.get("src")
    ref = image_ref(image, PurePosixPath(file).parent, inside)
    url = ref.url or web(original)
    return [ImageRef(position, ref, one_line(alt) if isinstance(alt, str) else "", url, source.license)]


def _cell(file: str, locator: str, place: int, value: str) -> Ref:  # noqa: ARG001 - see Inside
    return Ref(file=file, member=member(int(locator.removeprefix("row=")), "images", place))


def _parsed(value: object, kind: type[Any], lost: list[LostError]) -> Any:
    """Return a metadata cell, JSON or already a value; empty, with the reason in `lost`, when it cannot be
    used."""
    try:
        if isinstance(value, str):
            if len(value) > MAX_JSON:
                raise ValueError(f"longer than {MAX_JSON:,} characters")
            value = json.loads(value)
        if value is None:
            return kind()
        if isinstance(value, kind):
            return value
        raise ValueError(f"it is {shown(value)}")
    except (ValueError, RecursionError) as error:
        lost.append(LostError("bad_metadata", f"metadata cannot be read: {parquet.message_of(error)}"))
        return kind()
