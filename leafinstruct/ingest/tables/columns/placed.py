"""Place the images that placeholders in a row's texts name, each once. Pure but for `refer`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.fields.lists import marked
from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.fields.text import lines, one_line
from leafinstruct.ingest.tables.columns.cells import (
    Refer,
    columns_named,
    images,
    numbered_entry,
    one_column,
    value_of,
)
from leafinstruct.ingest.tables.columns.columns import flat
from leafinstruct.ingest.tables.columns.config import (
    ConversationColumns,
    ImageColumn,
    PlaceholderImages,
    TextColumn,
)
from leafinstruct.ingest.tables.columns.placeholders import NUMBER, Placeholder, split
from leafinstruct.ingest.tables.columns.turns import Declared, segments_of
from leafinstruct.records.document import ImageRef, Segment, Text


class PlacedImages:
    """The images of one row that placeholders in its texts name. All texts with placeholders are read first,
    in reading order, so that an image column that is mapped as well gives only the images that no placeholder
    names."""

    def __init__(
        self, source: HubSource, row: Mapping[str, Any], refer: Refer, lost: list[LostError]
    ) -> None:
        self._row, self._refer, self._lost = row, refer, lost
        entries = [inner for entry in source.segments for inner in flat(entry)]
        self._mapped = {entry.image: entry for entry in entries if isinstance(entry, ImageColumn)}
        self._with_placeholders = [
            entry for entry in entries if not isinstance(entry, ImageColumn) and entry.placeholders
        ]
        self._images: dict[str, list[ImageRef | None]] = {}
        self._taken: set[tuple[str, int]] = set()
        self._next: dict[str, int] = {}
        self._number = -1
        """Temporary position of the last numbered segment; segments without placeholders have 0."""
        self._read: dict[int, list[list[Segment]]] = {}
        for group in source.segments:
            self._read_group(
                [entry for entry in flat(group) if not isinstance(entry, ImageColumn) and entry.placeholders]
            )

    def read(self, entry: TextColumn | ConversationColumns) -> list[list[Segment]]:
        """Return the segments of each item of a column with placeholders; a conversation is one item."""
        return self._read[id(entry)]

    def takes(self, column: str, index: int) -> bool:
        """Whether a placeholder names an image."""
        return (column, index) in self._taken

    def unnamed(self) -> Iterator[LostError]:
        """Yield a loss for each image that no placeholder names and no other entry maps."""
        targets = {
            target.image: target
            for entry in self._with_placeholders
            for target in entry.placeholders.values()
        }
        for target in targets.values():
            for column in columns_named(self._row, target.image):
                for index, image in enumerate(self._of(target, column)):
                    if (
                        image is not None
                        and not self.takes(column, index)
                        and not {column, target.image} & self._mapped.keys()
                    ):
                        item = f", item {index}" if self._is_list(column) else ""
                        yield LostError(
                            "unnamed_image",
                            f"{column}{item}: no placeholder of the row names it; map the column as "
                            "well to keep it",
                        )

    def _read_group(self, group: Sequence[TextColumn | ConversationColumns]) -> None:
        """Read a column with placeholders, or parallel ones index by index. Raises LostError:
        placeholder_without_image, and those of turns."""
        texts: list[tuple[TextColumn, Sequence[object]]] = []
        for entry in group:
            self._read[id(entry)] = []
            if isinstance(entry, ConversationColumns):
                self._read[id(entry)].append(
                    list(conversation(entry, self._row, self._refer, _InTurns(self, entry)))
                )
            else:
                value = value_of(self._row, entry.text)
                texts.append((entry, value if isinstance(value, (list, tuple)) else [value]))
        for index in range(max((len(items) for _, items in texts), default=0)):
            for entry, items in texts:
                if index < len(items):
                    self._read[id(entry)].append(
                        self._segments(
                            entry, items[index], isinstance(value_of(self._row, entry.text), (list, tuple))
                        )
                    )

    def _segments(self, entry: TextColumn, item: object, one_item: bool) -> list[Segment]:
        """Return one text with its images. one_item: whether it is one item of a list. The owner of an image
        is the text before it, at the beginning the text after it."""
        if not isinstance(item, str):
            if item is not None:
                self._lost.append(LostError("not_text", f"{entry.text} contains {shown(item)}"))
            return []
        found: list[Segment] = []
        pieces = list(self.pieces(entry.placeholders, item))
        for index, piece in enumerate(pieces):
            if isinstance(piece, ImageRef):
                found.append(replace(piece, position=self.number(), role=entry.role))
                continue
            text = piece.lstrip(" \t") if index else piece
            text = text.rstrip() if index + 1 < len(pieces) else text
            begun = any(isinstance(segment, Text) for segment in found)
            found += [
                replace(segment, position=self.number()) for segment in texts_of(entry, text, one_item, begun)
            ]
        owner = next((segment.position for segment in found if isinstance(segment, Text)), None)
        for index, segment in enumerate(found):
            if isinstance(segment, Text):
                owner = segment.position
            elif owner is not None:
                found[index] = replace(segment, owner=owner, owner_found="stated")
        return found

    def number(self) -> int:
        """Return a number that identifies one segment of the row until its position is known."""
        self._number -= 1
        return self._number

    def pieces(self, placeholders: Mapping[str, PlaceholderImages], text: str) -> Iterator[str | ImageRef]:
        """Yield a text's pieces and the images of its placeholders, in order; the placeholder of an already
        placed image stays text. Raises LostError."""
        kept = ""
        for piece in split(text, list(placeholders)):
            image = None if isinstance(piece, str) else self._image(placeholders[piece.pattern], piece)
            if image is None:
                kept += piece if isinstance(piece, str) else piece.words
                continue
            if kept.strip():
                yield kept
            kept = ""
            yield image
        if kept.strip():
            yield kept

    def _image(self, target: PlaceholderImages, placeholder: Placeholder) -> ImageRef | None:
        """The image that a placeholder names, None when it is already placed. Raises LostError:
        placeholder_without_image."""
        column, index = target.image, 0
        if placeholder.number is None:
            index = self._next[column] = self._next.get(column, -1) + 1
        elif NUMBER in column:
            names = [
                column.replace(NUMBER, number)
                for number in (placeholder.number, str(int(placeholder.number)))
            ]
            column = next((name for name in names if value_of(self._row, name) is not None), names[-1])
        else:
            index = int(placeholder.number) - target.from_
        return self._take(target, column, index, placeholder.words)

    def part(self, entry: ConversationColumns, index: int | None) -> ImageRef:
        """Return the image of a part of a message. Raises LostError: too_few_images."""
        column = entry.images
        if column is None:
            raise LostError(
                "too_few_images", "a part of a message is an image, but the recipe names no column of images"
            )
        images = self._of(_beside_images(entry, column), column)
        free = (
            place for place, image in enumerate(images) if image is not None and not self.takes(column, place)
        )
        place = next(free, len(images)) if index is None else index
        image = self._take(_beside_images(entry, column), column, place, "a part of a message")
        if image is None:
            raise LostError("too_few_images", f"two parts refer to image {place} of {column}")
        return image

    def _take(self, target: ImageColumn, column: str, index: int, words: str) -> ImageRef | None:
        images = self._of(target, column)
        image = images[index] if 0 <= index < len(images) else None
        if image is None:
            raise LostError(
                "placeholder_without_image",
                f"{one_line(words)!r} is in the text, but {self._missing(column, index, len(images))}",
            )
        if (column, index) in self._taken:
            return None
        self._taken.add((column, index))
        return image

    def _missing(self, column: str, index: int, count: int) -> str:
        head = column.partition(".")[0]
        if head not in self._row:
            near = get_close_matches(head, list(self._row), n=1)
            return f"the row has no column {head!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        if not self._is_list(column):
            return f"{column} has no image"
        return (
            f"{column}, item {index}, has no image"
            if 0 <= index < count
            else f"{column} has {count} images, none of them is item {index}"
        )

    def _is_list(self, column: str) -> bool:
        return isinstance(value_of(self._row, column), (list, tuple))

    def _of(self, target: ImageColumn, column: str) -> list[ImageRef | None]:
        """The images of a column, read once. The facts about them come from the placeholder's own
        columns, else from where the column is mapped."""
        if column not in self._images:
            own = any((target.alt, target.url, target.license, target.time))
            entry = target if own else self._mapped.get(column) or self._mapped.get(target.image) or target
            problems: list[LostError] = [] if {column, target.image} & self._mapped.keys() else self._lost
            self._images[column] = list(
                one_column(numbered_entry(entry, target.image, column), self._row, self._refer, problems)
            )
        return self._images[column]


class _InTurns:
    """The placeholders of a conversation. See turns.Declared."""

    def __init__(self, placed: PlacedImages, entry: ConversationColumns) -> None:
        self._placed, self._entry = placed, entry
        near = (
            {}
            if entry.images is None
            else {key: getattr(entry, key) for key in ("alt", "url", "license", "time")}
        )
        self._placeholders = {
            pattern: target.model_copy(update=near)
            if target.image == entry.images and not any((target.alt, target.url, target.license, target.time))
            else target
            for pattern, target in entry.placeholders.items()
        }

    def pieces(self, text: str) -> Iterator[str | ImageRef]:
        return self._placed.pieces(self._placeholders, text)

    def part(self, index: int | None) -> ImageRef:
        return self._placed.part(self._entry, index)


def _beside_images(entry: ConversationColumns, images: str) -> ImageColumn:
    return ImageColumn(image=images, alt=entry.alt, url=entry.url, license=entry.license, time=entry.time)


def conversation(
    entry: ConversationColumns, row: Mapping[str, Any], refer: Refer, declared: Declared | None
) -> tuple[Segment, ...]:
    """Return the segments of a column of turns, which may be written as JSON. Raises LostError."""
    turns = value_of(row, entry.conversation)
    if isinstance(turns, str):
        try:
            turns = json.loads(turns)
        except (ValueError, RecursionError) as error:
            raise LostError(
                "bad_turns", f"the turns are a text that is not JSON: {str(error)[:100]}"
            ) from error
    items: list[ImageRef] = []
    if entry.images is not None and declared is None:
        items = [item for _, _, item in images(_beside_images(entry, entry.images), row, refer, []) if item]

    def own(name: str) -> ImageRef:
        ref, url = refer(name, entry.conversation, None)
        return ImageRef(0, ref, url=url)

    return segments_of(turns, items, own, declared)


def texts_of(entry: TextColumn, item: str, one_item: bool, begun: bool = False) -> Iterator[Text]:
    """Yield the paragraphs of a text, or of the text between two of its placeholders; all in one when it has
    a role or is not prose.

    one_item: whether it is one item of a list. begun: whether the item has text before a placeholder.
    """
    whole = entry.role is not None or entry.as_ != "prose"
    pieces = [lines(piece) for piece in ([item] if whole else item.split("\n\n"))]
    kept = (_listed(piece, one_item, begun) if entry.as_ == "list" else piece for piece in pieces if piece)
    yield from (Text(0, piece, entry.as_, entry.role) for piece in kept if piece)


def _listed(text: str, one_item: bool, begun: bool) -> str:
    """The text of a list with its markers (lists). Text after a placeholder inside an item has no
    marker and is indented."""
    if not begun:
        return marked(text, one_item)
    head, line_end, rest = text.partition("\n")
    others = (
        "\n".join(f"  {row}" if row else "" for row in rest.split("\n"))
        if one_item
        else marked(rest, one_item=False)
    )
    return f"  {head}{line_end}{others}" if rest else f"  {head}"
