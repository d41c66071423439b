"""Group keys of a document. Documents with an equal number in one column are in the same split.

    text        one number      the text without its typesetting (records.words.identity)
    near_text   BANDS numbers   bands of a MinHash of runs of 5 words (records.words.spelled_alike); similar
                                texts share at least one
    images      one per image   sha256 of the bytes

The keys are computed from the source document as filter kept it, not from the example: a language model may
word one page in two ways, but the page would still leak into both splits.

14 bands of 8 hashes over runs of 5 words, as in FineWeb (arXiv 2406.17557): a pair with a Jaccard similarity
of 0.8 shares a band with probability 1 - (1 - 0.8^8)^14 = 0.92, of 0.9 with 0.9996, of 0.75 with 0.77, of 0.5
with 0.05. Candidates are not verified: a pair grouped by chance is in the same split, which does no harm, and
verifying would need all signatures in the one process that sees the whole corpus.

Chosen: datasketch. rensa is faster, but a signature takes only 0.5 to 0.7 of the 1.8 CPU-ms of a document of
375 words (a busy core), and datasketch documents its hash (SHA-1) and permutations (`scheme`), so signatures
are the same everywhere.
Numbers have 64 bits: among ten million different keys, the probability of any collision is 3 in a million.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash

from leafinstruct.records.document import Document
from leafinstruct.records.text.words import identity_of, spelled_alike, words_of

BANDS, ROWS, RUN = 14, 8, 5
"""Number of bands, hashes per band, words per run."""


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """The keys of a document, unsigned 64 bits each. text is None and near_text empty for a document without
    words, so that such documents are not grouped as copies."""

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
