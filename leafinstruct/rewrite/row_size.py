"""Limit the bytes of the images of an example, because a row contains them all and is read as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.rewrite.outcome import Refused

MAX_ROW = 512 << 20
"""Maximum bytes of an example's images. Arrow's limit is 2 GiB, and readers load a whole row. An image that a
document shows several times counts each time, because its row contains it each time."""


def sizes(images: Path, documents: Sequence[Document]) -> dict[str, int]:
    """Bytes of the images of these documents by sha256. Empty, without reading images, if no document can
    exceed MAX_ROW.

    images: the part's images-* file. Raises DamagedError.
    """
    shown = [Counter(image.sha256 or "" for image in document.images) for document in documents]
    if (
        max((max(count.values(), default=0) for count in shown), default=0) * table.unpacked_images(images)
        <= MAX_ROW
    ):
        return {}
    return table.image_sizes(images, set().union(*shown) - {""})


def too_large(document: Document, found: Mapping[str, int]) -> Refused | None:
    """The refusal of a document or piece whose images exceed MAX_ROW, else None. found: from `sizes`."""
    total = sum(found.get(image.sha256 or "", 0) for image in document.images)
    if total <= MAX_ROW:
        return None
    return Refused(
        document,
        "too_large",
        "ok",
        (
            f"its {len(document.images):,} images have {total:,} bytes together; the maximum of a row is "
            f"{MAX_ROW:,}"
        ),
    )
