"""Which text belongs to which image of a record, for replaying rules with `drop: step` in the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leafinstruct.filter.steps import without_item
from leafinstruct.records.document import Document, Text
from leafinstruct.records.text import owners
from leafinstruct.records.text.words import word_units


def layout(document: Document, now: Mapping[int, int | None]) -> dict[str, object]:
    """`steps`: one entry per segment, for replaying `drop: step`; only if an image has an owner.

    An image is ["image", index of its owner or null]. A text is [kind, words]; for a list of several items
    the words of its last and of its first item follow (filter/steps.py). Words are in units of words.UNITS.
    now: position of an image -> its owner after filter. `realigned` is set if the alignment matrix changed an
    owner.
    """
    places = {segment.position: index for index, segment in enumerate(document.segments)}
    given = {image.position: image.owner for image in document.images if image.owner in places}
    moved: dict[str, object] = (
        {"realigned": True} if any(owner != given.get(position) for position, owner in now.items()) else {}
    )
    if not given:
        return moved
    given |= owners.steps_of_figures(document)
    steps = [
        _text_of_step(one) if isinstance(one, Text) else ["image", _place(places, given.get(one.position))]
        for one in document.segments
    ]
    return {"steps": steps, **moved}


def _place(places: Mapping[int, int], owner: int | None) -> int | None:
    return None if owner is None else places.get(owner)


def _text_of_step(text: Text) -> list[Any]:
    words = word_units(text.text)
    shorter = [without_item(text, last) for last in (True, False)] if text.kind == "list" else []
    items = [words - word_units(other.text) for other in shorter if other is not None]
    return [text.kind, words, *(items if len(items) == 2 else ())]
