"""A row of any table -> a document, by the columns that the recipe names. Pure but for what `refer` does.

Columns come in reading order: texts, pictures, parallel lists read index by index, or a conversation with marks. A column that holds a list gives
several segments; null gives none; anything else that is no text or picture is a reason, and the document goes on. Dots lead into structs, and
into each one of a list of structs. What else is known of a picture (alt, url, license, time) stands in columns parallel to its own.
A text is cut at blank lines into paragraphs, as in obelics, unless somebody says it: what is said stays whole. A text read
`as: list` gets a bullet for each item, unless its source wrote markers: an entry of a list column is one item, and each line of
a column without a list is one (lists).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from leafinstruct.ingest.address import web
from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import ConversationColumns, HubSource, ImageColumn, InterleavedColumns, TextColumn
from leafinstruct.ingest.licence import named
from leafinstruct.ingest.lists import marked
from leafinstruct.ingest.reference import LostError, shown
from leafinstruct.ingest.text import lines, one_line
from leafinstruct.ingest.turns import segments_of
from leafinstruct.records.document import Image, Ref, Segment, Text

Refer = Callable[[object, str, int | None], tuple[Ref, str | None]]
"""(value, column, index in its list) -> reference and web address of a picture. Raises LostError."""


def columns_of(source: HubSource) -> list[str]:
    """The top-level columns that a source's mapping needs, each once."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names_of(source)))


def names_of(source: HubSource) -> list[str]:
    """The columns of a source's mapping as the recipe writes them, with dots, each once."""
    inner = [name for entry in source.segments for name in _names(entry)]
    return list(dict.fromkeys([*inner, *(name for name in (source.url_column, source.license_column) if name)]))


def image_columns(source: HubSource) -> list[str]:
    """Those of them that hold pictures, as the recipe writes them."""
    return list(dict.fromkeys(name for entry in source.segments for name in _image_names(entry)))


def _names(entry: TextColumn | ImageColumn | InterleavedColumns | ConversationColumns) -> Iterator[str]:
    if isinstance(entry, TextColumn):
        yield entry.text
    elif isinstance(entry, ImageColumn):
        yield from filter(None, (entry.image, entry.alt, entry.url, entry.license, entry.time))
    elif isinstance(entry, ConversationColumns):
        yield from filter(None, (entry.conversation, entry.images, entry.alt, entry.url, entry.license, entry.time))
    else:
        for inner in entry.interleave:
            yield from _names(inner)


def _image_names(entry: TextColumn | ImageColumn | InterleavedColumns | ConversationColumns) -> Iterator[str]:
    if isinstance(entry, ImageColumn):
        yield entry.image
    elif isinstance(entry, ConversationColumns) and entry.images:
        yield entry.images
    elif isinstance(entry, InterleavedColumns):
        for inner in entry.interleave:
            yield from _image_names(inner)


def segments(source: HubSource, row: Mapping[str, Any], refer: Refer, license_: str | None, lost: list[LostError]) -> tuple[Segment, ...]:
    """The row's segments in reading order; pieces that are lost are added to `lost`.

    Raises LostError when the whole row is: empty, too_many_pieces, too_long, and those of turns.
    """
    found: list[Segment] = []
    for entry in source.segments:
        if isinstance(entry, ConversationColumns):
            found += _conversation(entry, row, refer)
        elif isinstance(entry, InterleavedColumns):
            read = [list(_column(inner, row, refer, lost, flat=False)) for inner in entry.interleave]
            for index in range(max((len(column) for column in read), default=0)):
                found += [item for column in read if index < len(column) for item in column[index]]
        else:
            found += [item for group in _column(entry, row, refer, lost, flat=True) for item in group]
    texts = [item for item in found if isinstance(item, Text)]
    if problem := excess(len(found), len(found) - len(texts), sum(len(item.text) for item in texts)):
        raise LostError(*problem)
    if not found:
        raise LostError("empty", "the mapped columns hold no text and no picture")
    return tuple(
        replace(item, position=position, license=item.license or license_) if isinstance(item, Image) else replace(item, position=position)
        for position, item in enumerate(found)
    )


def value_of(row: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name, a list of them where a step leads through a list; None where a step is missing."""
    value: Any = row
    for step in name.split("."):
        value = _step(value, step)
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [item.get(step) if isinstance(item, Mapping) else None for item in value]
    return value.get(step) if isinstance(value, Mapping) else None


def _conversation(entry: ConversationColumns, row: Mapping[str, Any], refer: Refer) -> tuple[Segment, ...]:
    """Segments of a column of turns, which may be written as JSON. Raises LostError."""
    turns = value_of(row, entry.conversation)
    if isinstance(turns, str):
        try:
            turns = json.loads(turns)
        except (ValueError, RecursionError) as error:
            raise LostError("bad_turns", f"the turns are a text that is no JSON: {str(error)[:100]}") from error
    pictures: list[Image] = []
    if entry.images is not None:
        column = ImageColumn(image=entry.images, alt=entry.alt, url=entry.url, license=entry.license, time=entry.time)
        pictures = [item for item in _pictures(column, row, refer, []) if item]

    def own(name: str) -> Image:
        ref, url = refer(name, entry.conversation, None)
        return Image(0, ref, url=url)

    return segments_of(turns, pictures, own)


def _column(
    entry: TextColumn | ImageColumn, row: Mapping[str, Any], refer: Refer, lost: list[LostError], flat: bool
) -> Iterator[Sequence[Segment]]:
    """Segments of each item of a column; `flat` is false where an item's index matters, and null is an item without segments."""
    if isinstance(entry, ImageColumn):
        yield from ([] if item is None else [item] for item in _pictures(entry, row, refer, lost))
        return
    value = value_of(row, entry.text)
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if item is None:
            if not flat:
                yield []
        elif isinstance(item, str):
            whole = entry.role is not None or entry.as_ != "prose"
            pieces = [lines(piece) for piece in ([item] if whole else item.split("\n\n"))]
            if entry.as_ == "list":
                pieces = [marked(piece, one_item=isinstance(value, (list, tuple))) for piece in pieces if piece]
            yield [Text(0, piece, entry.as_, entry.role) for piece in pieces if piece]
        else:
            lost.append(LostError("not_text", f"{entry.text} holds {shown(item)}"))
            yield []


def _pictures(entry: ImageColumn, row: Mapping[str, Any], refer: Refer, lost: list[LostError]) -> Iterator[Image | None]:
    """Pictures of a column, None where there is none at an index. A conversation passes a list that nobody reads: its marks are counted."""
    value = value_of(row, entry.image)
    many = isinstance(value, (list, tuple))
    for index, item in enumerate(value if many else [value]):
        if item is None:
            yield None
            continue
        alt, address, license_ = (_text_beside(row, name, index if many else None) for name in (entry.alt, entry.url, entry.license))
        time = _beside(row, entry.time, index if many else None)
        try:
            ref, url = refer(item, entry.image, index if many else None)
        except LostError as piece:
            lost.append(LostError(piece.reason, f"{entry.image}: {piece.detail}"))
            yield None
        else:
            yield Image(0, ref, alt, web(address) or url, named(license_) or None, time=_seconds(time))


def _beside(row: Mapping[str, Any], name: str | None, index: int | None) -> Any:
    """What a column tells of a picture: index is its place in a list, None where it stands alone."""
    value = value_of(row, name) if name else None
    if isinstance(value, (list, tuple)):
        return value[index] if index is not None and index < len(value) else None
    return value if index is None else None


def _text_beside(row: Mapping[str, Any], name: str | None, index: int | None) -> str:
    value = _beside(row, name, index)
    return one_line(value) if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return float(value) if known else None  # type: ignore[arg-type]  # known is a number
