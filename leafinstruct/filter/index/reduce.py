"""The global step: duplicates among all remaining documents.

It reads keys- of all parts and gives each part its rows of table.DUPLICATES. The result is the same for any
number of parts and any order of documents. Exact copies of a text are in one group, so they need no rule of
their own beside one on near-duplicates; of both, the better document (corpus.py) stays.

Cost (benchmarks/duplicates.py): 0.12 CPU-ms per document with 2 images for 5,000 documents and for 50,000;
170 bytes of memory per document and per image, and 40 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.index.corpus import Corpus, texts
from leafinstruct.filter.index.groups import Texts
from leafinstruct.filter.index.hamming import Indices, near_pairs
from leafinstruct.filter.index.image import Hashes
from leafinstruct.filter.index.reference import Reference
from leafinstruct.records.rows import DuplicateRow

Ranks = NDArray[np.int32]


def reduce(
    files: Mapping[str, Path], scratch: Path, reference: Reference | None = None
) -> Iterator[tuple[str, list[DuplicateRow]]]:
    """Yield each part and the rows of its documents, in the order of its keys.

    files: part -> its keys- file. scratch: folder for temporary files. reference: what the
    documents are checked for. Raises DamagedError.
    """
    corpus = Corpus.read(files)
    rank = corpus.rank
    copies, _ = _better(corpus.text, rank)
    label = _components(corpus, files, scratch)
    near, best = _better(label, rank)
    same_images, near_images = _shares(corpus, rank)
    texts_in = None if reference is None else reference.text_shares(files.values())
    images_in = None if reference is None else reference.image_shares(corpus)
    alone = np.bincount(label, minlength=1)[label] < 2
    for part in files:
        yield (
            part,
            [
                DuplicateRow(
                    document_id=corpus.ids[at].decode(),
                    text=int(copies[at]),
                    images=round(float(same_images[at]), 4),
                    near_text=int(near[at]),
                    near_images=round(float(near_images[at]), 4),
                    group=None if alone[at] else corpus.ids[best[at]].decode(),
                    reference_text=None if texts_in is None else round(float(texts_in[at]), 4),
                    reference_images=None if images_in is None else round(float(images_in[at]), 4),
                )
                for at in corpus.of(part)
            ],
        )


def _components(corpus: Corpus, files: Mapping[str, Path], scratch: Path) -> NDArray[np.int32]:
    """The group of near-duplicate texts of each document, (n,)."""
    with Texts(len(corpus.ids), scratch) as index:
        for path in files.values():
            for bands, lengths, runs in texts(path):
                index.add(bands, lengths, runs)
        return index.components(corpus.text)


def _better(values: NDArray[np.generic], rank: Ranks) -> tuple[Ranks, Ranks]:
    """For each document the number of better ones with an equal value, and the index of the best; (n,)
    each."""
    order = np.lexsort((rank, values))
    new = np.ones(len(order), bool)
    new[1:] = values[order[1:]] != values[order[:-1]]
    places = np.arange(len(order), dtype=np.int32)
    begins = np.maximum.accumulate(np.where(new, places, 0))
    number, best = np.empty_like(rank), np.empty_like(rank)
    number[order] = places - begins
    best[order] = order[begins]
    return number, best


def _shares(corpus: Corpus, rank: Ranks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each document the share of its images that a better document has too: the same bytes, and the same
    bytes or a near image; (n,) each."""
    own = rank[corpus.owner]
    values, first, image = np.unique(corpus.digest, return_index=True, return_inverse=True)
    exact = np.full(len(values), len(rank), np.int32)  # the best rank that shows each image
    np.minimum.at(exact, image, own)
    near = _nearest(corpus.hashes, first, exact)
    shown = np.maximum(corpus.shown, 1)
    found = (
        np.bincount(corpus.owner, weights=best[image] < own, minlength=len(rank)) / shown
        for best in (exact, near)
    )
    return next(found), next(found)


def _nearest(hashes: Hashes, first: Indices, rank: Ranks) -> Ranks:
    """The best rank among each different image and those near to it or to its mirror image, (d,). hashes: of
    all images, (n, 4). first: (d,) index of the different ones. rank: (d,)."""
    best = rank.copy()
    (hashed,) = np.nonzero(np.any(hashes, axis=1)[first])
    some = hashes[first[hashed]]
    for left, right in near_pairs(some, some):
        np.minimum.at(best, hashed[left], rank[hashed[right]])
    return best
