"""How many bytes the images of an example have: a row holds them all, and is written and read in one
piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.rewrite.outcome import Refused

MAX_ROW = 512 << 20
"""Bytes of the images of an example together. Arrow ends at 2 GiB, and whoever reads a row holds it whole. An
image that a document shows several times counts each time, as its row holds it each time."""


def sizes(images: Path, documents: Sequence[Document]) -> dict[str, int]:
    """sha256 -> bytes of the images of these documents; nothing while none of them can exceed MAX_ROW, so
    that no image is read for it.

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
    """Why the document, or this piece of one, cannot be a row. found: from `sizes`."""
    total = sum(found.get(image.sha256 or "", 0) for image in document.images)
    if total <= MAX_ROW:
        return None
    return Refused(
        document,
        "too_large",
        "ok",
        f"its {len(document.images):,} images have {total:,} bytes together; a row holds {MAX_ROW:,}",
    )
