"""Sketch a text for the index: the numbers of its runs of 3 words, and bands of a MinHash of them.

    runs    sorted numbers of 30 bits, one for each different run. Jaccard similarity and containment of two
            texts are computed from these: exactly, but for collisions (1 pair of different runs in a billion)
    bands   60 numbers of 64 bits. Two texts that share one are candidates, to be verified with their runs

Words are those of `records.text.words.identity`, so case, typesetting and list markers make no difference. In
scripts without spaces a run is the fewest ideographs or clusters that make 3 words. A text of fewer than 3
words has one run: all its words.

A pair of similarity s shares a band of 4 hashes with probability 1 - (1 - s^4)^60: 0.79 at 0.4, 0.98 at 0.5,
0.999 at 0.57 (a tenth of the words changed), 0.00009 at 0.035. With 40 bands a text of 100 words was missed
in 2 of 100 cases after a tenth of its words changed; 20 more cost 10 microseconds. Runs of 3 words survive a
changed word in every ten better than runs of 5 (similarity 0.57 against 0.42).

Chosen: a rolling hash and MinHash in numpy, over datasketch (SHA-1 per run in Python) and rensa (MIT, wheels
for 3.11 to 3.13). rensa's signature is faster, but it takes runs as Python strings, of which the verification
would need the numbers all the same, and another version of it may give others. benchmarks/duplicates.py
compares them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from leafinstruct.records.text.words import UNITS, weight

Runs = NDArray[np.uint32]
"""(n,) numbers of different runs, sorted, below RUN_LIMIT."""
Numbers = NDArray[np.uint64]

RUN_LIMIT = 1 << 30
WORDS_A_RUN = 3
BANDS, ROWS = 60, 4
"""Number of bands, hashes per band."""

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_BLOCK = 1 << 16
"""Words that are hashed together."""
_RUNS_A_STEP = 1024
"""Runs that are hashed together, so that intermediate values stay in the processor's cache."""


def runs_of(words: str) -> Runs:
    """The runs of a text. words: as `identity_of` gives them, separated by single spaces."""
    if not words:
        return np.zeros(0, np.uint32)
    letters = _letters(words)
    spaces = np.flatnonzero(letters == 32)
    starts, ends = np.append(0, spaces + 1), np.append(spaces, len(letters))
    last = _last_words(words, len(starts))  # of the run that begins at each word but the last ones
    found = []
    for first in range(0, len(last), _BLOCK):
        final = last[first : first + _BLOCK]
        offset = starts[first]
        block = letters[offset : ends[final[-1]]]
        begin, stop = starts[first : first + len(final)] - offset, ends[final] - offset
        powers, inverses = _powers(1 << len(block).bit_length())
        sums = np.zeros(len(block) + 1, np.uint64)
        np.cumsum(block * powers[: len(block)], out=sums[1:])
        # the polynomial of the letters from begin to stop, whatever precedes them
        found.append(mixed((sums[stop] - sums[begin]) * inverses[begin]))
    # np.unique of numpy 2.4 takes ten times as long for a few hundred numbers
    numbers = np.sort((np.concatenate(found) >> np.uint64(34)).astype(np.uint32))
    is_new = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=is_new[1:])
    return numbers[is_new]


def bands_of(runs: Runs) -> Numbers:
    """The bands of a text, (BANDS,); (0,) for a text without runs."""
    if not len(runs):
        return np.zeros(0, np.uint64)
    factors, offsets = _permutations()
    least = np.full(BANDS * ROWS, np.iinfo(np.uint32).max, np.uint32)
    for at in range(0, len(runs), _RUNS_A_STEP):
        values = np.multiply.outer(factors, runs[at : at + _RUNS_A_STEP])  # (hashes, runs), modulo 2^32
        values += offsets[:, None]
        np.minimum(least, values.min(axis=1), out=least)
    pairs = least.reshape(BANDS, ROWS // 2, 2).astype(np.uint64)
    halves = mixed((pairs[..., 0] << np.uint64(32)) | pairs[..., 1])
    return mixed(halves[:, 0] ^ (halves[:, 1] << np.uint64(1)) ^ np.arange(BANDS, dtype=np.uint64))


def mixed(values: Numbers) -> Numbers:
    """Values with every bit spread over all bits: the finalizer of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _letters(words: str) -> NDArray[np.unsignedinteger]:
    """Code points of a text, (characters,)."""
    if words.isascii():
        return np.frombuffer(words.encode(), np.uint8)
    return np.frombuffer(words.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


def _last_words(words: str, count: int) -> NDArray[np.int64]:
    """Index of the last word of each run, (runs,). count: of the words."""
    if words.isascii():
        return np.arange(min(WORDS_A_RUN, count) - 1, count)
    units = np.fromiter(map(weight, words.split(" ")), np.int64, count)
    reached = np.cumsum(units)
    last = np.searchsorted(reached, reached - units + WORDS_A_RUN * UNITS)
    return last[last < count] if last[0] < count else np.array([count - 1])


@cache
def _powers(count: int) -> tuple[Numbers, Numbers]:
    """Powers of the base and of its inverse modulo 2^64, (count,) each. count: a power of two, so that few
    tables exist."""
    tables = []
    for base in (_BASE, _INVERSE):
        table = np.full(count, base, np.uint64)
        table[0] = 1
        tables.append(np.multiply.accumulate(table))
    return tables[0], tables[1]


@cache
def _permutations() -> tuple[Runs, Runs]:
    """Odd factors and offsets of the permutations of 32-bit numbers, (BANDS * ROWS,) each."""
    values = mixed(np.arange(1, 2 * BANDS * ROWS + 1, dtype=np.uint64) * np.uint64(_BASE))
    high = (values >> np.uint64(32)).astype(np.uint32)
    return high[::2] | np.uint32(1), high[1::2]
