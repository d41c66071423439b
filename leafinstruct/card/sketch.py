"""Sketches over the hashes of any number of texts, in bounded memory: number of distinct texts, and frequency
of the most frequent text.

Texts are given as 64-bit hashes. Both sketches are exact up to a size. Above it they keep the smallest
hashes, or merge hashes with a common prefix, so the result depends neither on the order of the texts nor on
the order of merges: the same dataset gives the same numbers for any number of workers.

Chosen for `Distinct`: the k smallest hashes (Bar-Yossef et al. 2002; Beyer et al. 2007), because one
structure is exact for small sets and estimates large ones. HyperLogLog is smaller (a few kB) but never exact.
Chosen for `Frequencies`: counts by a prefix of the hash. Space-saving and Misra-Gries name the most frequent
text, but their counts depend on the order of the merges.
Cost: sorting, about 0.1 microseconds a hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

SIZE = 1 << 17
"""Number of hashes in one sketch: 1 MB for `Distinct`, 2 MB for `Frequencies`. Above it the standard error of
an estimate is 1/sqrt(SIZE) = 0.28%."""


def _no_hashes() -> Hashes:
    return np.zeros(0, np.uint64)


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass
class Distinct:
    """Number of distinct hashes.

    total: number of added hashes. kept: the smallest distinct ones, ascending. is_estimate: whether some
    distinct hashes are not kept.
    """

    total: int = 0
    kept: Hashes = field(default_factory=_no_hashes)
    is_estimate: bool = False

    def add(self, hashes: Hashes) -> None:
        self.total += len(hashes)
        self._keep(np.unique(hashes))

    def merge(self, other: Distinct) -> None:
        """Add what was counted elsewhere."""
        self.total += other.total
        self.is_estimate |= other.is_estimate
        self._keep(other.kept)

    @property
    def count(self) -> int:
        """Number of distinct hashes. If `is_estimate`: (k - 1) / (the k-th smallest hash / 2^64)."""
        if not self.is_estimate:
            return len(self.kept)
        return ((len(self.kept) - 1) << 64) // (int(self.kept[-1]) + 1)

    @property
    def share(self) -> float | None:
        """Distinct hashes as a share of all; None if there are none."""
        return min(1.0, self.count / self.total) if self.total else None

    def _keep(self, hashes: Hashes) -> None:
        if self.is_estimate and len(self.kept) == SIZE:
            hashes = hashes[hashes < self.kept[-1]]
        whole = np.union1d(self.kept, hashes)
        self.is_estimate |= len(whole) > SIZE
        self.kept = whole[:SIZE]


@dataclass
class Frequencies:
    """Frequency of the most frequent hash.

    keys: hashes without their `shift` lowest bits, ascending. counts: count of each key.
    While there are more than SIZE distinct keys, the lowest bit of all keys is removed. Hashes with the same
    key are then counted together, so the largest count is an upper bound, too high by about total / SIZE.
    """

    total: int = 0
    shift: int = 0
    keys: Hashes = field(default_factory=_no_hashes)
    counts: NDArray[np.int64] = field(default_factory=_no_counts)

    def add(self, hashes: Hashes) -> None:
        self.total += len(hashes)
        self._count(hashes >> np.uint64(self.shift), np.ones(len(hashes), np.int64))

    def merge(self, other: Frequencies) -> None:
        """Add what was counted elsewhere."""
        self.total += other.total
        shift = max(self.shift, other.shift)
        keys, self.keys = (
            other.keys >> np.uint64(shift - other.shift),
            self.keys >> np.uint64(shift - self.shift),
        )
        self.shift = shift
        self._count(keys, other.counts)

    @property
    def is_estimate(self) -> bool:
        return self.shift > 0

    @property
    def share(self) -> float | None:
        """Largest count as a share of all; an upper bound if `is_estimate`; None if there are no hashes."""
        return int(self.counts.max()) / self.total if self.total else None

    def _count(self, keys: Hashes, counts: NDArray[np.int64]) -> None:
        keys, counts = np.concatenate([self.keys, keys]), np.concatenate([self.counts, counts])
        while True:
            self.keys, places = np.unique(keys, return_inverse=True)
            found = np.zeros(len(self.keys), np.int64)
            np.add.at(found, places, counts)
            self.counts = found
            if len(self.keys) <= SIZE:
                return
            self.shift += 1
            keys, counts = self.keys >> np.uint64(1), self.counts
