"""Contamination: what of a reference, such as a benchmark, is in a document.

    contamination.text     document   largest share of a reference text's runs of 3 words that are in the
                                      document; of the document's runs, if those are fewer
    contamination.images   document   share of its images that are images of the reference, or near to one or
                                      to its mirror image

Containment, not similarity: a question of 20 words inside a page of 2,000 has a similarity of 0.01 and a
containment of 1. Every run of the reference is looked up, so nothing is missed as by a sketch. Texts of fewer
than SHORTEST runs, such as "make the sky red", occur in pages by chance and are not compared; their images
are.

Memory: 12 bytes per run of the reference. Documents are read one batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.index.corpus import UNREAD, Corpus, Images, texts
from leafinstruct.filter.index.hamming import Indices, has_better, spread
from leafinstruct.filter.index.text import Runs

SHORTEST = 8
"""Fewest runs of a text that is compared: 10 words."""

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """The texts and images of a reference.

    runs: (r,) of all texts, sorted, with repetitions. item: (r,) the text of each run. sizes: (t,) runs of
    each text, 0 if it is too short to be compared. images: those of all.
    """

    runs: Runs
    item: NDArray[np.int32]
    sizes: Indices
    images: Images

    @classmethod
    def read(cls, files: Mapping[str, Path]) -> Reference:
        """Read the keys of a reference. files: part -> its file of table.KEYS. Raises DamagedError."""
        lengths, found = [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)]
        for path in files.values():
            for _, of_each, runs in texts(path):
                enough = of_each >= SHORTEST
                found.append(runs[np.repeat(enough, of_each)])
                lengths.append(np.where(enough, of_each, 0))
        sizes, whole = np.concatenate(lengths), np.concatenate(found)
        item = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        order = np.argsort(whole, kind="stable")
        return cls(whole[order], item[order], sizes, Images.read(files, Corpus.read(files).shown))

    @property
    def facts(self) -> tuple[int, int, int, int]:
        """Documents, those whose text is too short to be compared, images, those that could not be read."""
        unread = np.count_nonzero(self.images.digest[self.images.image] == UNREAD)
        short = np.count_nonzero(self.sizes == 0)
        return len(self.sizes), int(short), len(self.images.owner), int(unread)

    def text_shares(self, files: Iterable[Path]) -> Shares:
        """contamination.text of all documents, (n,). files: their keys. Raises DamagedError."""
        found = [np.zeros(0)]
        for path in files:
            found += [self._contained(lengths, runs) for _, lengths, runs in texts(path)]
        return np.concatenate(found)

    def _contained(self, lengths: Indices, runs: Runs) -> Shares:
        """The largest containment of each document of a batch, (n,). lengths, runs: of `texts`."""
        first = np.searchsorted(self.runs, runs, side="left")
        counts = np.searchsorted(self.runs, runs, side="right") - first
        document = np.repeat(np.arange(len(lengths)), lengths)
        largest = np.zeros(len(lengths))
        pairs = [np.zeros(0, np.int64)]
        for run, at in spread(counts):
            pairs.append(document[run] * len(self.sizes) + self.item[first[run] + at])
        pair, common = np.unique(np.concatenate(pairs), return_counts=True)
        of, item = np.divmod(pair, max(1, len(self.sizes)))
        smaller = np.minimum(lengths[of], self.sizes[item])
        np.maximum.at(largest, of, np.where(smaller >= SHORTEST, common / np.maximum(smaller, 1), 0))
        return largest

    def image_shares(self, images: Images, shown: NDArray[np.int32]) -> Shares:
        """contamination.images of all documents, (n,). shown: (n,) their numbers of images."""
        found = np.isin(images.digest, self.images.digest) & (images.digest != UNREAD)
        own, rank = (np.full(len(some.digest), at, np.int32) for at, some in ((1, images), (0, self.images)))
        found |= has_better(images.hashes, own, self.images.hashes, rank)
        counts = np.bincount(images.owner[found[images.image]], minlength=len(shown))
        shares: Shares = counts / np.maximum(shown, 1)
        return shares
