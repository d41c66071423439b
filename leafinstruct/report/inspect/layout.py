"""Which text belongs to which image of a record, for replaying rules with `drop: step` in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leafinstruct.filter.steps import without_item
from leafinstruct.records import table
from leafinstruct.records.document import Text
from leafinstruct.records.table import Row
from leafinstruct.records.text import owners
from leafinstruct.records.text.words import word_units


def layout(row: Row, now: Mapping[int, int | None]) -> dict[str, Any]:
    """`steps`: one entry per segment, for replaying `drop: step`; only if an image has an owner.

    An image is ["image", index of its owner or null]. A text is [kind, words]; for a list of several items
    the words of its last and of its first item follow (filter/steps.py). Words are in units of words.UNITS.
    now: position of an image -> its owner after filter. `realigned` is set if the alignment matrix changed an
    owner.
    """
    segments: Sequence[Row] = row["segments"]
    places = {segment["position"]: index for index, segment in enumerate(segments)}
    given = {
        segment["position"]: segment["owner"]
        for segment in segments
        if segment["type"] == "image" and segment["owner"] in places
    }
    moved = (
        {"realigned": True} if any(owner != given.get(position) for position, owner in now.items()) else {}
    )
    if not given:
        return moved
    given |= owners.steps_of_figures(table.document_of(row))
    steps = [
        ["image", places.get(given.get(one["position"]))] if one["type"] == "image" else _text_of_step(one)
        for one in segments
    ]
    return {"steps": steps, **moved}


def _text_of_step(segment: Row) -> list[Any]:
    words = word_units(segment["text"])
    text = Text(segment["position"], segment["text"], segment["kind"])
    shorter = [without_item(text, last) for last in (True, False)] if text.kind == "list" else []
    items = [words - word_units(other.text) for other in shorter if other is not None]
    return [text.kind, words, *(items if len(items) == 2 else ())]
