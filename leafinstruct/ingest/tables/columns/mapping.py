"""Map a row of any table to segments, by the columns that the recipe names. Pure but for `refer`.

Columns come in reading order: texts, images, parallel lists read index by index, or a conversation with
placeholders. A column with a list gives several segments; null gives none; any other value that is no text or
image is a loss, and the document is kept. Dots lead into structs, and into each item of a list of structs.
Facts about an image (alt, url, license, time) are in columns parallel to its own. A text is split at blank
lines into paragraphs, as in obelics; a text with a role stays whole. A text read `as: list` gets a bullet for
each item, unless its source wrote markers: an entry of a list column is one item, and each line of a column
without a list is one (lists). Where the recipe declares placeholders of a text column, the text is split at
each placeholder and the image that it names is placed there (placeholders), wherever else its column is
mapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from leafinstruct.ingest.caps import MAX_PIECES, excess
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.tables.columns.cells import Refer, images, value_of
from leafinstruct.ingest.tables.columns.config import (
    ConversationColumns,
    ImageColumn,
    InterleavedColumns,
    TextColumn,
)
from leafinstruct.ingest.tables.columns.placed import PlacedImages, conversation, texts_of
from leafinstruct.records.document import ImageRef, Segment, Text

WIDE = 5 * MAX_PIECES
"""Maximum entries of a list that is read index by index; most of them may be null."""


def segments(
    source: HubSource, row: Mapping[str, Any], refer: Refer, license_: str | None, lost: list[LostError]
) -> tuple[Segment, ...]:
    """Return the row's segments in reading order; lost pieces are appended to `lost`.

    Raises LostError when the whole row is lost: empty, placeholder_without_image, too_many_pieces, too_long,
    and those of turns.
    """
    found: list[Segment] = []
    placed = PlacedImages(source, row, refer, lost)
    for entry in source.segments:
        if isinstance(entry, ConversationColumns):
            found += placed.read(entry)[0] if entry.placeholders else conversation(entry, row, refer, None)
        elif isinstance(entry, InterleavedColumns):
            read = [
                list(islice(_column(inner, row, refer, lost, placed, flat=False), WIDE + 1))
                for inner in entry.interleave
            ]
            if any(len(column) > WIDE for column in read):
                raise LostError("too_many_pieces", f"a list of more than {WIDE:,} entries")
            for index in range(max((len(column) for column in read), default=0)):
                found += _as_step(
                    [item for column in read if index < len(column) for item in column[index]], placed
                )
        else:
            groups = _column(entry, row, refer, lost, placed, flat=True)
            while len(found) <= MAX_PIECES and (group := next(groups, None)) is not None:
                found += group
    lost += placed.unnamed()
    texts = [item for item in found if isinstance(item, Text)]
    if problem := excess(len(found), len(found) - len(texts), sum(len(item.text) for item in texts)):
        raise LostError(*problem)
    if not found:
        raise LostError("empty", "the mapped columns contain no text and no image")
    final = {
        item.position: position for position, item in enumerate(found)
    }  # numbers of segments with placeholders -> final positions
    return tuple(
        replace(
            item,
            position=position,
            license=item.license or license_,
            owner=None if item.owner is None else final[item.owner],
        )
        if isinstance(item, ImageRef)
        else replace(item, position=position)
        for position, item in enumerate(found)
    )


def _as_step(group: Sequence[Segment], placed: PlacedImages) -> list[Segment]:
    """Assign owners within one index of parallel lists. Its images belong to its text: the nearest one before
    each, else the first; this order is stated."""
    items = [
        replace(item, position=placed.number()) if isinstance(item, Text) and item.position == 0 else item
        for item in group
    ]
    owner = next((item.position for item in items if isinstance(item, Text)), None)
    if owner is None or any(item.role is not None for item in items):
        return items
    for at, item in enumerate(items):
        if isinstance(item, Text):
            owner = item.position
        elif item.owner is None:
            items[at] = replace(item, owner=owner, owner_found="stated")
    return items


def _column(
    entry: TextColumn | ImageColumn,
    row: Mapping[str, Any],
    refer: Refer,
    lost: list[LostError],
    placed: PlacedImages,
    flat: bool,
) -> Iterator[Sequence[Segment]]:
    """Yield the segments of each item of a column. flat: false where an item's index matters, so that null is
    an item without segments."""
    if isinstance(entry, ImageColumn):
        for column, index, image in images(entry, row, refer, lost):
            yield [] if image is None or placed.takes(column, index) else [image]
        return
    if entry.placeholders:
        yield from placed.read(entry)
        return
    value = value_of(row, entry.text)
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if item is None:
            if not flat:
                yield []
        elif isinstance(item, str):
            yield list(texts_of(entry, item, one_item=isinstance(value, (list, tuple))))
        else:
            lost.append(LostError("not_text", f"{entry.text} contains {shown(item)}"))
            yield []
