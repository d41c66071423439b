"""The global step: duplicates among all remaining documents.

It reads keys- of all parts and gives each part its rows of table.DUPLICATES. The result is the same for any
number of parts and any order of documents. Exact copies of a text are in one group, so they need no rule of
their own beside one on near-duplicates; of both, the better document (corpus.py) stays.

Documents and images are sorted by their keys, and images are read when the texts are done. Memory: about 90
bytes per document and per image, and 20 MB (tests/filter/test_index_growth.py). Cost
(benchmarks/duplicates.py): 0.04 CPU-ms per document with 2 images; half of it looks up hashes of images,
which searching.py divides among processes if there are more than a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.index.corpus import Corpus, Images, texts
from leafinstruct.filter.index.groups import Texts
from leafinstruct.filter.index.hamming import Ranks
from leafinstruct.filter.index.reference import Reference, Shares
from leafinstruct.filter.index.searching import near_better
from leafinstruct.images.near import COPY
from leafinstruct.records.rows import DuplicateRow
from leafinstruct.runtime.engine.base import Engine


def reduce(
    files: Mapping[str, Path], scratch: Path, engine: Engine, reference: Reference | None = None
) -> Iterator[tuple[str, list[DuplicateRow]]]:
    """Yield each part and the rows of its documents, in the order of its keys.

    files: part -> its keys- file. scratch: folder for temporary files. engine: for the images of a large
    corpus. reference: what the documents are checked for. Raises DamagedError.
    """
    corpus = Corpus.read(files)
    rank = corpus.rank
    copies, _ = _better(corpus.text, rank)
    label = _components(corpus, files, scratch)
    near, best = _better(label, rank)
    alone = np.bincount(label, minlength=len(label))[label] < 2
    del label
    texts_in = None if reference is None else reference.text_shares(files.values())
    images = Images.read(files, corpus.shown)
    same_images, near_images, copied_images = _shares(images, corpus.shown, rank, scratch, engine)
    images_in = None if reference is None else reference.image_shares(images, corpus.shown)
    for part, places in corpus.ranges():
        yield (
            part,
            [
                DuplicateRow(
                    document_id=corpus.ids[at].decode(),
                    text=int(copies[at]),
                    images=round(float(same_images[at]), 4),
                    near_text=int(near[at]),
                    near_images=round(float(near_images[at]), 4),
                    copied_images=round(float(copied_images[at]), 4),
                    group=None if alone[at] else corpus.ids[best[at]].decode(),
                    reference_text=None if texts_in is None else round(float(texts_in[at]), 4),
                    reference_images=None if images_in is None else round(float(images_in[at]), 4),
                )
                for at in places
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
    order = np.lexsort((rank, values)).astype(np.int32)
    ordered = values[order]
    new = np.ones(len(order), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    del ordered
    places = np.arange(len(order), dtype=np.int32)
    begins = np.maximum.accumulate(np.where(new, places, 0))
    number, best = np.empty_like(rank), np.empty_like(rank)
    number[order] = places - begins
    best[order] = order[begins]
    return number, best


def _shares(
    images: Images, shown: Ranks, rank: Ranks, scratch: Path, engine: Engine
) -> tuple[Shares, Shares, Shares]:
    """For each document the share of its images that a better document has too: the same bytes; a near image
    of other bytes, better than all with the same; and a copy of other bytes; (n,) each."""
    own = rank[images.owner]
    exact = np.full(len(images.digest), len(rank), np.int32)  # the best rank that shows each image
    np.minimum.at(exact, images.image, own)
    repeated = exact[images.image] < own
    del own
    search = partial(near_better, engine, scratch)
    near = search(images.hashes, exact, images.hashes, exact)
    copied, asked = np.zeros_like(near), np.flatnonzero(near)
    copied[asked] = search(images.hashes[asked], exact[asked], images.hashes, exact, COPY)

    def share(has_it: NDArray[np.bool_]) -> Shares:
        found = np.bincount(images.owner[has_it], minlength=len(rank))
        shares: Shares = found / np.maximum(shown, 1)
        return shares

    return share(repeated), share(near[images.image]), share(copied[images.image])
