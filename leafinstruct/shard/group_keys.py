"""Group keys of a document: two documents with an equal number in one column are on one side of a split.

    text        one number      the text without its typesetting (records.words.identity)
    near_text   BANDS numbers   MinHash of the runs of five words (records.words.spelled_alike), cut into bands: alike texts share at least one
    images    one an image   sha256 of the bytes

Over the source document as filter left it, not over the example: a language model tells one page in two ways,
and the page is what leaks.

14 bands of 8 hashes over runs of 5 words, as FineWeb has them (arXiv 2406.17557): a pair whose runs overlap
by 0.8 (Jaccard) shares a band with probability 1 - (1 - 0.8^8)^14 = 0.92, at 0.9 with 0.9996, at 0.75 with
0.77, at 0.5 with 0.05. Candidates are not compared again: a pair grouped by chance is only on the same side,
which harms nobody, while comparing would need all signatures beside each other in the one place that sees the
corpus.

Chosen: datasketch. rensa is faster, but a signature takes 0.5 to 0.7 CPU-ms of the 1.8 that a document of 375
words costs here (a busy core), and datasketch's hash (SHA-1) and permutations (named by `scheme`) are written
down, so a signature is the same everywhere.
Numbers have 64 bits: among ten million different keys the chance that any two meet is 3 in a million.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash

from leafinstruct.records.document import Document
from leafinstruct.records.text.words import identity_of, spelled_alike, words_of

BANDS, ROWS, RUN = 14, 8, 5
"""Bands, hashes a band, words a run."""


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """A document's numbers, unsigned 64 bits each. text is None and near_text empty where there is no word:
    such documents are not copies."""

    text: int | None
    near_text: list[int]
    images: list[int]


def group_keys_of(document: Document) -> GroupKeys:
    """The group keys of one document."""
    text = identity_of(text.text for text in document.texts)
    images = sorted({int(image.sha256[:16], 16) for image in document.images if image.sha256})
    if not text:
        return GroupKeys(None, [], images)
    return GroupKeys(
        _number(text.encode()),
        _bands([word for text in document.texts for word in words_of(spelled_alike(text.text))]),
        images,
    )


def _bands(words: list[str]) -> list[int]:
    runs = {" ".join(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}
    signature = MinHash(num_perm=BANDS * ROWS, seed=1, scheme="affine32")
    signature.update_batch([run.encode() for run in sorted(runs)])
    values = np.asarray(signature.hashvalues, dtype="<u4").reshape(BANDS, ROWS)
    return [_number(band.tobytes()) for band in values]


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8])
