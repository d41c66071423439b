"""Two parallel lists of a record: each index holds an image or a text, and their order is the page's."""

from __future__ import annotations

from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.fields.reference import LostError, shown


def parallel(images: object, texts: object) -> tuple[list[object], list[object]]:
    """Return both, checked as they are, before anything is built from them. Raises LostError: no_lists,
    unequal_lists, too_many_pieces, too_long."""
    if not isinstance(images, list) or not isinstance(texts, list):
        raise LostError("no_lists", f"images is {shown(images)}, texts is {shown(texts)}")
    if len(images) != len(texts):
        raise LostError(
            "unequal_lists", f"{len(images)} images and {len(texts)} texts, so their order is unknown"
        )
    if problem := excess(
        len(texts),
        sum(item is not None for item in images),
        sum(len(item) for item in texts if isinstance(item, str)),
    ):
        raise LostError(*problem)
    return images, texts
