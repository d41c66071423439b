"""Group keys of a document. Documents with an equal number in one column are in the same split.

    text     one number      the text without its typesetting (records.words.identity)
    images   one per image   sha256 of the bytes

Groups of near-duplicate texts are those that filter found (filter/index). The plan reads them from filter's
tables.

The keys are computed from the source document as filter kept it, not from the example: a language model may
word one page in two ways, but the page would still leak into both splits.

Numbers have 64 bits: among ten million different keys, the probability of any collision is 3 in a million.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from leafinstruct.records.document import Document
from leafinstruct.records.text.words import identity_of


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """The keys of a document, unsigned 64 bits each. text is None for a document without words, so that such
    documents are not grouped as copies."""

    text: int | None
    images: list[int]


def group_keys_of(document: Document) -> GroupKeys:
    """The group keys of one document."""
    text = identity_of(text.text for text in document.texts)
    images = sorted({int(image.sha256[:16], 16) for image in document.images if image.sha256})
    return GroupKeys(number(text.encode()) if text else None, images)


def number(data: bytes) -> int:
    """The first 64 bits of the sha256 of some bytes."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8])
