"""Whether a hash has a near one of a better rank: one that differs in at most RADIUS of 256 bits, exactly.

By the pigeonhole principle: 25 different bits in 13 pieces leave a piece with at most one (multi-index
hashing, Norouzi et al. 2012). So each piece of a query is looked up as it is and with each of its bits
flipped, in a table of all values of the piece, and what is found is compared with all bits. Bits are dealt to
the pieces in turn, so that no piece has only the low frequencies, in which unlike images agree.

One near hash of a better rank is enough. Hashes with the same value of a piece are in the order of their
ranks; a query is compared with the first of them, then with the next 4, the next 16 and so on, until one is
near or none is left that is better. So nearly equal hashes, such as those of one image in a million files,
are compared a few times each, not all with all. Hashes that agree in a piece and are a little beyond the
radius are compared with each other: their number is not bounded.

Cost: 2 x 13 x 21 look-ups a hash, and 0.0003 comparisons a pair of random hashes. Memory: 40 bytes a hash
beside the hashes, and 6 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafinstruct.images.near import BITS, MIRROR, RADIUS, Hashes, distances

_AT_ONCE = 1 << 15
"""Look-ups, or comparisons, that are made together."""
_WORDS = (1, 2)
"""The words of 64 bits that are compared first. Of pairs of unlike images that agree in a piece, 1 in 10 has
so few different bits in one of them, 1 in 100,000 in both."""
_GROWTH = 4
"""Times as many hashes of one value are compared with a query in each step."""
_UNTURNED = np.zeros(4, np.uint64)
_LONGEST = 20
"""Bits of a piece, 255 / 13 for RADIUS: 5 MB for the table of one."""

Indices = NDArray[np.int64]
Places = NDArray[np.signedinteger[Any]]
Ranks = NDArray[np.int32]
Words = NDArray[np.uint64]


def has_better(
    queries: Hashes, own: Ranks, hashes: Hashes, rank: Ranks, radius: int = RADIUS
) -> NDArray[np.bool_]:
    """Whether a hash of a smaller rank is within a radius of each query or of its mirror image, (q,).

    queries: (q, 4), own: (q,) their ranks. hashes: (n, 4), rank: (n,) theirs. radius: bits. Zeros are no
    hash, and near to nothing.
    """
    found = np.zeros(len(queries), bool)
    rows = _hashed(hashes)
    if not len(rows):
        return found
    rows = rows[np.argsort(rank[rows], kind="stable")]
    # how many hashes are better than each query, which are the first ones of rows
    better = np.searchsorted(rank[rows], own).astype(np.int32)
    asking = rows if queries is hashes else _hashed(queries)
    # few hashes need no long pieces: a table of two to four places for each
    length = min(len(rows).bit_length() + 1, _LONGEST)
    pieces = (radius + 2) // 2
    for piece in range(pieces):
        bits = np.arange(1 + piece, BITS, pieces)[:length]  # without bit 0, which is always set
        table = _Table.of(hashes, rows, bits, radius)
        # queries in the order of their values look up neighboring places of the table
        keys = table.keys if queries is hashes else _sorted(queries, asking, bits)
        flips = np.append(0, 1 << np.arange(len(bits)))[:, None]
        turned = flips ^ _values(MIRROR[None], bits)
        step = max(1, _AT_ONCE // len(flips))
        for at in range(0, len(keys), step):
            key = keys[at : at + step]
            query = asking[key.astype(np.uint32)]
            is_open = np.flatnonzero(~found[query] & (better[query] > 0))
            query, value = query[is_open], (key[is_open] >> np.uint64(32)).astype(np.int64)
            if queries is hashes:
                words = [own[at : at + step][is_open] for own in table.words]
            else:
                words = [queries[query, word] for word in _WORDS]
            asked = _Asked(queries, query, words, better[query], np.zeros(len(query), bool), _UNTURNED)
            table.search(value ^ flips, asked)
            words = [own ^ MIRROR[word] for own, word in zip(words, _WORDS, strict=True)]
            table.search(value ^ turned, replace(asked, words=words, turn=MIRROR))
            found[query[asked.found]] = True
        del table, keys  # before the next ones are made
    return found


@dataclass(frozen=True)
class _Asked:
    """Some queries.

    hashes: (q, 4) of all queries. index: (k,) of these. words: _WORDS of them, turned, (k,) each. better:
    (k,) how many hashes of the table are better. found: (k,) whether one of them is near, set by the search.
    turn: (4,) what turns a hash.
    """

    hashes: Hashes
    index: NDArray[np.uint32] | NDArray[np.int32]
    words: Sequence[Words]
    better: Ranks
    found: NDArray[np.bool_]
    turn: Hashes


@dataclass(frozen=True)
class _Table:
    """Hashes by the value of one piece, those of one value from the best.

    hashes: (n, 4). rows: (m,) indices of hashes from the best. keys: (m,) value of the piece and place in
    rows, as one number, ascending. words: _WORDS of the hashes in this order, (m,) each. starts: where
    each value begins. counts: how many hashes have it, 2 if more. radius: bits in which near hashes differ.

    Which of two hashes is better is seen from their places in rows, so most comparisons read only keys and
    words, which lie in the order in which they are asked for.
    """

    hashes: Hashes
    rows: NDArray[np.int32]
    keys: Words
    words: Sequence[Words]
    starts: NDArray[np.int32]
    counts: NDArray[np.uint8]
    radius: int

    @classmethod
    def of(cls, hashes: Hashes, rows: NDArray[np.int32], bits: Indices, radius: int) -> _Table:
        keys = _sorted(hashes, rows, bits)
        starts = np.zeros((1 << len(bits)) + 1, np.int32)
        words = [np.empty(len(keys), np.uint64) for _ in _WORDS]
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            value = (some >> np.uint64(32)).astype(np.int64)
            each = np.bincount(value - value[0])
            starts[value[0] + 1 : value[0] + 1 + len(each)] += each.astype(np.int32)
            members = rows[some.astype(np.uint32)]
            for own, word in zip(words, _WORDS, strict=True):
                own[at : at + _AT_ONCE] = hashes[members, word]
        counts = np.empty(len(starts) - 1, np.uint8)
        np.minimum(starts[1:], 2, out=counts, casting="unsafe")
        np.cumsum(starts, out=starts)
        return cls(hashes, rows, keys, words, starts, counts, radius)

    def search(self, values: Indices, asked: _Asked) -> None:
        """Find near hashes that are better. values: (flips, k), of the pieces of each query."""
        wanted = values.ravel()
        counts = self.counts.take(wanted)
        hits = np.flatnonzero(counts > 0)
        counts, wanted, query = counts[hits], wanted[hits], hits % max(1, values.shape[1])
        self._compare(query, self.starts.take(wanted), asked)
        several = np.flatnonzero(counts > 1)
        query, wanted = query[several], wanted[several]
        place, end, more = self.starts.take(wanted) + 1, self.starts.take(wanted + 1), _GROWTH
        while len(query):
            # from the best on: where one is not better, none after it is
            is_better = self._places(place) < asked.better.take(query)
            is_open = np.flatnonzero(is_better & ~asked.found.take(query))
            query, place, end = query[is_open], place[is_open], end[is_open]
            for some, beyond in spread(np.minimum(end - place, more)):
                self._compare(query[some], place[some] + beyond, asked)
            place += more
            is_longer = np.flatnonzero(place < end)
            query, place, end = query[is_longer], place[is_longer], end[is_longer]
            more *= _GROWTH

    def _compare(self, query: Indices, place: Places, asked: _Asked) -> None:
        """Compare queries with the hashes at these places of the table, (pairs,) each."""
        bits = np.uint8(0)
        for asking, own in zip(asked.words, self.words, strict=True):
            bits = bits + np.bitwise_count(asking.take(query) ^ own.take(place))
            close = np.flatnonzero(bits <= self.radius)
            query, place, bits = query[close], place[close], bits[close]
        other = self._places(place)
        better = np.flatnonzero(other < asked.better.take(query))
        query, row = query[better], self.rows[other[better]]
        turned = asked.hashes[asked.index[query]] ^ asked.turn
        near = distances(turned, self.hashes[row]) <= self.radius
        asked.found[query[near]] = True

    def _places(self, place: Places) -> NDArray[np.uint32]:
        """Places in rows of the hashes at these places of the table, (k,)."""
        return self.keys.take(place).astype(np.uint32)


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


def _hashed(hashes: Hashes) -> NDArray[np.int32]:
    """Indices of the hashes that are not zero, (m,). The first bit of a hash is always set."""
    return np.flatnonzero(hashes[:, 0]).astype(np.int32)


def _sorted(hashes: Hashes, rows: NDArray[np.int32], bits: Indices) -> Words:
    """The value of a piece and the place in rows, as one number, ascending, (m,)."""
    keys = np.empty(len(rows), np.uint64)
    for at in range(0, len(rows), _AT_ONCE):
        keys[at : at + _AT_ONCE] = _values(hashes[rows[at : at + _AT_ONCE]], bits)
    keys <<= np.uint64(32)
    keys |= np.arange(len(rows), dtype=np.uint32)
    keys.sort()
    return keys


def _values(hashes: Hashes, bits: Indices) -> NDArray[np.uint32]:
    """The bits at these places as one number, (n,)."""
    found = np.zeros(len(hashes), np.uint32)
    for bit in bits.tolist():
        word = hashes[:, bit // 64] >> np.uint64(63 - bit % 64)
        found = (found << np.uint32(1)) | (word & np.uint64(1)).astype(np.uint32)
    return found
