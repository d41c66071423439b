"""Group near-duplicate texts: connected components over verified pairs.

    candidates   pairs that share a band (index/text.py)
    verified     pairs whose runs have a Jaccard similarity of at least SIMILAR, computed exactly
    group        documents that a chain of verified pairs connects

Two documents of one component need no comparison, since it could not change the components. So ten thousand
copies of one page are compared with one of them, not with each other, and the result depends neither on the
order of the documents nor on their parts.

Memory: one band of all documents at a time twice, and once more in order; of the documents that share a
value with another, one bucket; the runs of one chunk of pairs. Bands and runs lie in two files
without a name until the step ends, from which the runs of a pair are read when they are needed.

Chosen for components and intersections: scipy.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from leafinstruct.filter.index.hamming import Indices, spread
from leafinstruct.filter.index.text import BANDS, RUN_LIMIT, Numbers, Runs

SIMILAR = 0.45
"""Jaccard similarity of the runs of 3 words from which two texts are near-duplicates. A tenth of the words
changed leaves 0.57, a page in the frame of another site half as long as itself 0.6. Pages that share a stock
of sentences, as clean drawn pages do in each of ten groups of scripts, have at most 0.45, and two pairs of
180 pages of a group have more than 0.44. No bound separates copies from pages of one template: the same
instructions for two browsers are at 0.36 to 0.85."""
_RUNS_AT_ONCE = 1 << 18
"""Runs that are compared together."""
_BUCKET = 1 << 17
"""Documents of equal values that are paired together."""


class Components:
    """Nodes 0, 1, ... joined step by step. label: (nodes,), equal for nodes of one component."""

    def __init__(self, count: int) -> None:
        self.label: NDArray[np.int32] = np.arange(count, dtype=np.int32)

    def join(self, left: Indices, right: Indices) -> None:
        """Join the nodes of each pair, (k,) each."""
        if len(left):
            roots, edges = np.unique(self.label[np.stack([left, right])], return_inverse=True)
            one, other = edges.reshape(2, -1)
            links = coo_array((np.ones(len(one), np.int8), (one, other)), (len(roots), len(roots)))
            component = connected_components(links, directed=False)[1]
            _, first = np.unique(component, return_index=True)
            # a label is the index of a node that has it
            self.label[roots] = roots[first][component]
            self.label = self.label[self.label]


class Texts:
    """Bands and runs of all documents, in files.

    Fill it with `add` in the order of the documents, then call `components`. A context manager: the files
    have no name, and their space is free when it ends, also after a kill.
    """

    def __init__(self, count: int, folder: Path) -> None:
        """count: of the documents. folder: where the files may lie."""
        self._count, self._filled = count, 0
        self._bands = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._runs = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._ends = np.zeros(count + 1, np.int64)

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *_: object) -> None:
        self._bands.close()
        self._runs.close()

    def add(self, bands: Numbers, lengths: Indices, runs: Runs) -> None:
        """Add documents. bands: (n, BANDS), zeros for a document without words. lengths: (n,), their numbers
        of runs. runs: of all of them, one after the other."""
        for band in range(BANDS):
            self._bands.seek((band * self._count + self._filled) * 8)
            self._bands.write(bands[:, band].tobytes())
        self._runs.write(runs.astype(np.uint32, copy=False).tobytes())
        start, self._filled = self._filled, self._filled + len(bands)
        self._ends[start + 1 : self._filled + 1] = self._ends[start] + np.cumsum(lengths)

    def components(self, same: Numbers) -> NDArray[np.int32]:
        """The component of each document, (count,). same: (count,), equal for documents of the same text."""
        assert self._filled == self._count, "every document was added"
        self._bands.flush()
        self._runs.flush()
        found = Components(self._count)
        for some in self._repeated(same):
            for left, right in _with_first(same[some], found.label[some]):
                found.join(some[left], some[right])
        for band in range(BANDS):
            read = os.pread(self._bands.fileno(), 8 * self._count, 8 * self._count * band)
            values = np.frombuffer(read, np.uint64)
            for some in self._repeated(values):
                chosen = values[some]
                for pairs in (_with_first, _with_all):
                    for left, right in pairs(chosen, found.label[some]):
                        self._join_similar(found, some[left], some[right])
        return found.label

    def _repeated(self, values: Numbers) -> Iterator[Indices]:
        """Yield the documents with words whose value another one has too, about _BUCKET of them at a time;
        those of one value together. values: (count,)."""
        ordered = np.sort(values)
        again = ordered[1:][ordered[1:] == ordered[:-1]]  # k - 1 times the value of k documents
        del ordered
        start = 0
        while start < len(again):
            last = again[min(start + _BUCKET, len(again)) - 1]
            stop = int(np.searchsorted(again, last, side="right"))
            bucket = np.unique(again[start:stop])
            some = [
                at + np.flatnonzero(_among(values[at : at + _BUCKET], bucket) & (self._sizes(at) > 0))
                for at in range(0, self._count, _BUCKET)
            ]
            yield np.concatenate(some)
            start = stop

    def _sizes(self, start: int) -> Indices:
        """Numbers of runs of the documents from one on, at most _BUCKET of them."""
        return np.diff(self._ends[start : start + _BUCKET + 1])

    def _join_similar(self, found: Components, left: Indices, right: Indices) -> None:
        one, other = self._size(left), self._size(right)
        possible = np.minimum(one, other) >= SIMILAR * np.maximum(one, other)
        left, right = left[possible], right[possible]
        total = np.cumsum((one + other)[possible])
        start = 0
        while start < len(left):
            before = int(total[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(total, before + _RUNS_AT_ONCE, side="right")))
            one, other = left[start:stop], right[start:stop]
            apart = found.label[one] != found.label[other]  # earlier chunks may have joined them
            one, other = one[apart], other[apart]
            if len(one):
                common = self._common(one, other)
                similar = common >= SIMILAR * (self._size(one) + self._size(other) - common)
                found.join(one[similar], other[similar])
            start = stop

    def _size(self, documents: Indices) -> Indices:
        return self._ends[documents + 1] - self._ends[documents]

    def _common(self, left: Indices, right: Indices) -> Indices:
        """The number of runs that the documents of each pair share, (k,)."""
        shared = self._matrix(left).multiply(self._matrix(right)).tocsr()
        counts: Indices = np.diff(shared.indptr).astype(np.int64)
        return counts

    def _matrix(self, documents: Indices) -> csr_array:
        """Ones at the runs of the documents, (k, RUN_LIMIT)."""
        ends, file = self._ends, self._runs.fileno()
        data = b"".join(
            os.pread(file, int(4 * (ends[one + 1] - ends[one])), int(4 * ends[one]))
            for one in documents.tolist()
        )
        indices = np.frombuffer(data, np.int32)
        starts = np.zeros(len(documents) + 1, np.int32)
        np.cumsum(ends[documents + 1] - ends[documents], out=starts[1:])
        found = csr_array((np.ones(len(indices), np.int8), indices, starts), (len(documents), RUN_LIMIT))
        found.has_canonical_format = True  # runs are sorted and different
        return found


def _among(values: Numbers, bucket: Numbers) -> NDArray[np.bool_]:
    """Whether each value is one of the bucket, which is sorted and not empty, (n,)."""
    place = np.minimum(np.searchsorted(bucket, values), len(bucket) - 1)
    found: NDArray[np.bool_] = bucket[place] == values
    return found


def _with_first(values: Numbers, label: NDArray[np.int32]) -> Iterable[tuple[Indices, Indices]]:
    """Pairs of equal values: the first of them with each other one, if their labels differ."""
    order, begins, _ = _sorted(values, label)
    (others,) = np.nonzero(label[order] != label[order[begins]])
    yield order[begins[others]], order[others]


def _with_all(values: Numbers, label: NDArray[np.int32]) -> Iterator[tuple[Indices, Indices]]:
    """All pairs of equal values whose labels differ."""
    order, begins, of_label = _sorted(values, label)
    for at, back in spread(of_label - begins):
        yield order[begins[at] + back], order[at]


def _sorted(values: Numbers, label: NDArray[np.int32]) -> tuple[Indices, Indices, Indices]:
    """The order by value, then by label; at each place in it, the first place of the same value, and of the
    same value and label; (n,) each."""
    order = np.lexsort((label, values))
    value, own = values[order], label[order]
    new = np.ones(len(order), bool)
    new[1:] = value[1:] != value[:-1]
    places = np.arange(len(order))
    begins = np.maximum.accumulate(np.where(new, places, 0))
    new[1:] |= own[1:] != own[:-1]
    return order, begins, np.maximum.accumulate(np.where(new, places, 0))
