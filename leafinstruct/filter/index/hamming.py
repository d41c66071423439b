"""All pairs of hashes that differ in at most RADIUS of 256 bits, exactly.

By the pigeonhole principle: 25 different bits in 13 pieces leave a piece with at most one (multi-index
hashing, Norouzi et al. 2012). So each piece of a query is looked up as it is and with each of its 20 bits
flipped, in a table of all values of the piece, and what is found is verified with all bits. Bits are dealt to
the pieces in turn, so that no piece has only the low frequencies, in which unlike images agree.

Cost: 2 x 13 x 21 look-ups a hash and 0.0005 verifications a pair of random hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.index.image import BITS, MIRROR, Hashes, distances

RADIUS = BITS // 10
"""Most different bits of two near images, 25. Over all pairs of different images of real pages the smallest
distance is 49 bits, but for diagrams drawn from one template."""
_PIECES = (RADIUS + 2) // 2
_AT_ONCE = 1 << 16
"""Pairs that are verified together."""

Indices = NDArray[np.int64]


def near_pairs(queries: Hashes, hashes: Hashes) -> Iterator[tuple[Indices, Indices]]:
    """Yield (indices of queries, indices of hashes), (k,) each, of all pairs within RADIUS, of a query or its
    mirror image; a pair may come several times. queries: (q, 4), hashes: (n, 4), none of them zero."""
    yield from _pairs(queries, hashes, np.zeros_like(MIRROR))
    yield from _pairs(queries, hashes, MIRROR)


def _pairs(queries: Hashes, hashes: Hashes, flipped: Hashes) -> Iterator[tuple[Indices, Indices]]:
    """As `near_pairs`, of queries with some bits flipped. flipped: (4,); no flipped copy of all is made."""
    for piece in range(_PIECES):
        bits = np.arange(1 + piece, BITS, _PIECES)  # without bit 0, which is always set
        asked, kept = _values(queries, bits) ^ _values(flipped[None], bits), _values(hashes, bits)
        order = np.argsort(kept, kind="stable").astype(np.int32)
        starts = np.zeros((1 << len(bits)) + 1, np.int32)
        np.cumsum(np.bincount(kept, minlength=1 << len(bits)), out=starts[1:])
        for flip in (0, *(1 << at for at in range(len(bits)))):
            wanted = asked ^ np.uint32(flip)
            first = starts[wanted]
            for query, at in spread(starts[wanted + np.uint32(1)] - first):
                found = order[first[query] + at]
                near = distances(queries[query] ^ flipped, hashes[found]) <= RADIUS
                if near.any():
                    yield query[near], found[near].astype(np.int64)


def spread(counts: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yield (i, 0 ... counts[i] - 1) for each i, about _AT_ONCE at a time, as two arrays."""
    (nonzero,) = np.nonzero(counts)
    ends = np.cumsum(counts[nonzero])
    start = 0
    while start < len(nonzero):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        own = counts[nonzero[start:stop]]
        begins = np.repeat(ends[start:stop] - own - before, own)
        yield np.repeat(nonzero[start:stop], own), np.arange(len(begins)) - begins
        start = stop


def _values(hashes: Hashes, bits: Indices) -> NDArray[np.uint32]:
    """The bits at these places as one number, (n,)."""
    found = np.zeros(len(hashes), np.uint32)
    for bit in bits.tolist():
        word = hashes[:, bit // 64] >> np.uint64(63 - bit % 64)
        found = (found << np.uint32(1)) | (word & np.uint64(1)).astype(np.uint32)
    return found
