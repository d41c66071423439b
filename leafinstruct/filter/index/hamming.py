"""All pairs of hashes that differ in at most RADIUS of 256 bits, exactly.

By the pigeonhole principle: 25 different bits in 13 pieces leave a piece with at most one (multi-index
hashing, Norouzi et al. 2012). So each piece of a query is looked up as it is and with each of its bits
flipped, in a table of all values of the piece, and what is found is verified with all bits. Bits are dealt to
the pieces in turn, so that no piece has only the low frequencies, in which unlike images agree.

Cost: 2 x 13 x 21 look-ups a hash and 0.0005 verifications a pair of random hashes; for fewer than 200,000
hashes fewer look-ups and up to 90 verifications a hash. Memory: 24 bytes a hash beside the hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from leafinstruct.images.near import BITS, MIRROR, RADIUS, Hashes, distances

_PIECES = (RADIUS + 2) // 2
_AT_ONCE = 1 << 16
"""Pairs that are verified together."""

Indices = NDArray[np.int64]


def near_pairs(queries: Hashes, hashes: Hashes) -> Iterator[tuple[Indices, Indices]]:
    """Yield (indices of queries, indices of hashes), (k,) each, of all pairs within RADIUS, of a query or its
    mirror image; a pair may come several times. queries: (q, 4), hashes: (n, 4); zeros are no hash and near
    to nothing."""
    if not len(queries) or not len(hashes):
        return
    # few hashes need no long pieces: a table of two to four places for each is looked up fewer times
    length = len(hashes).bit_length() + 1
    for piece in range(_PIECES):
        bits = np.arange(1 + piece, BITS, _PIECES)[:length]  # without bit 0, which is always set
        keys = _sorted(hashes, bits)
        values = keys >> np.uint64(32)
        starts = np.zeros((1 << len(bits)) + 1, np.int32)
        np.add.at(starts, values + np.uint64(1), 1)
        np.cumsum(starts, out=starts)
        del values
        order = keys.astype(np.uint32)  # the lower half: indices of hashes by value
        # queries in the order of their values look up neighboring places of the table
        asked = keys if queries is hashes else _sorted(queries, bits)
        del keys
        for flipped in (np.zeros_like(MIRROR), MIRROR):
            turned = _values(flipped[None], bits)
            for at in range(0, len(asked), _AT_ONCE):
                some = asked[at : at + _AT_ONCE]
                query, value = some.astype(np.uint32), (some >> np.uint64(32)).astype(np.uint32) ^ turned
                yield from _found(queries, query, value, flipped, hashes, order, starts, len(bits))


def _found(
    queries: Hashes,
    query: NDArray[np.uint32],
    value: NDArray[np.uint32],
    flipped: Hashes,
    hashes: Hashes,
    order: NDArray[np.uint32],
    starts: NDArray[np.int32],
    bits: int,
) -> Iterator[tuple[Indices, Indices]]:
    """The near pairs of some queries, whose piece differs in at most one bit. query, value: (k,) their
    indices and the values of their pieces. flipped: (4,); no flipped copy of all is made. order: (n,) indices
    of hashes by the value of their piece, of `bits` bits. starts: where each value begins in it."""
    for flip in (0, *(1 << at for at in range(bits))):
        wanted = value ^ np.uint32(flip)
        first = starts[wanted]
        for place, at in spread(starts[wanted + np.uint32(1)] - first):
            left, right = query[place], order[first[place] + at]
            # a word of each first: 1 of 20 pairs of unlike images has so few different bits in one
            close = np.bitwise_count(queries[left, 1] ^ flipped[1] ^ hashes[right, 1]) <= RADIUS
            left, right = left[close], right[close]
            near = distances(queries[left] ^ flipped, hashes[right]) <= RADIUS
            if near.any():
                yield left[near].astype(np.int64), right[near].astype(np.int64)


def _sorted(hashes: Hashes, bits: Indices) -> NDArray[np.uint64]:
    """The value of a piece and the index of each hash, as one number, ascending, (n,); without zeros."""
    keys = np.empty(len(hashes), np.uint64)
    for at in range(0, len(hashes), _AT_ONCE):
        keys[at : at + _AT_ONCE] = _values(hashes[at : at + _AT_ONCE], bits)
    keys <<= np.uint64(32)
    keys |= np.arange(len(hashes), dtype=np.uint32)
    absent = hashes[:, 0] == 0  # the first bit of a hash is always set
    keys = keys[~absent] if absent.any() else keys
    keys.sort()
    return keys


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
