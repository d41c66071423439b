"""Duplicates: inside a document, and across all documents and sources.

    duplicate.within         image      earlier images of the document with the same bytes
    duplicate.near_within    image      bits in which its hash differs from the nearest earlier image
    duplicate.text           document   better remaining documents with the same normalized text
    duplicate.near_text      document   better remaining documents of its group of near-duplicate texts
    duplicate.images         document   share of its images that a better remaining document has too
    duplicate.near_images    document   share of its images of which a better remaining document has a near
                                        one of other bytes, or the mirror image
    duplicate.copied_images  document   share of its images of which a better remaining document has a copy of
                                        other bytes: mirrored, scaled or recompressed

Translations of a page share the bytes of its images, and are no copies; who takes images from another page
scales or compresses them. So the two shares of images are separate.

"Remaining" means not dropped up to alignment and coherence: a copy is not dropped in favor of an original
that was itself dropped. "Better" is one order for all of them (index/corpus.py). Duplicates across documents
need a global step: keys per part, one reduction over the keys (index/reduce.py), results per part.

Consecutive steps of one lesson often look alike: in real lessons, a quarter of them are as near as copies. So
no recipe has a rule on `duplicate.near_within` by default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from leafinstruct.filter.index.text import bands_of, runs_of
from leafinstruct.filter.scores.cell import cell
from leafinstruct.images import near
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import DuplicateRow, KeyRow
from leafinstruct.records.text.words import count_words, identity_of


def within(document: Document) -> list[Cell]:
    """One cell per image: how many earlier images of this document have the same bytes (materialized images
    only)."""
    seen: dict[str | None, int] = {}
    cells = []
    for image in document.images:
        cells.append(cell("duplicate.within", float(seen.get(image.sha256, 0)), image.position))
        seen[image.sha256] = seen.get(image.sha256, 0) + 1
    return cells


def near_within(document: Document, hashes: Mapping[int, str | None]) -> list[Cell]:
    """One cell per image: different bits of its hash and that of the nearest earlier image of this document;
    all 256 if there is no such image, or no hash. hashes: by position."""
    name, cells = "duplicate.near_within", []
    numbers = near.hashes_of([hashes.get(image.position) for image in document.images])
    has_hash = np.any(numbers, axis=1)
    for at, image in enumerate(document.images):
        before = numbers[:at][has_hash[:at]]
        is_hashed = has_hash[at] and len(before)
        nearest = near.distances(before, numbers[at]).min() if is_hashed else near.BITS
        cells.append(cell(name, float(nearest), image.position))
    return cells


def text_digest(document: Document, words: str) -> str:
    """Digest of the text without its typesetting. words: records.words.identity_of its texts, empty for a
    document without words, which is a copy of no other."""
    return hashlib.sha256((words or f"\0{document.id}").encode()).hexdigest()[:24]


def key_row(document: Document, hashes: Mapping[int, str | None]) -> KeyRow:
    """What the global step needs to know of one remaining document. hashes: of its images, by position."""
    words = identity_of(text.text for text in document.texts)
    runs = runs_of(words)
    return KeyRow(
        document_id=document.id,
        text=text_digest(document, words),
        words=count_words([text.text for text in document.texts]),
        images=[(image.sha256 or "")[:24] for image in document.images],
        bands=bands_of(runs),
        runs=runs,
        hashes=near.hashes_of([hashes.get(image.position) for image in document.images]).ravel(),
    )


def cells_of(row: DuplicateRow) -> list[Cell]:
    """The document's cells, also those of contamination if there is a reference."""
    checked = (("contamination.text", row.reference_text), ("contamination.images", row.reference_images))
    return [
        *(cell(name, value) for name, value in checked if value is not None),
        cell("duplicate.text", float(row.text)),
        cell("duplicate.near_text", float(row.near_text)),
        cell("duplicate.images", row.images),
        cell("duplicate.near_images", row.near_images),
        cell("duplicate.copied_images", row.copied_images),
    ]
