"""Detect texts that quote removed records: shingles of WIDTH letters and digits, without case, spaces and
punctuation.

Answers and exchanges of an earlier recipe refer to no document, so their texts are compared. Escapes are
resolved first, since prompts quote pages as JSON in JSON. A shingle that a remaining document also contains
does not count. Shingles are compared by a 64-bit polynomial hash, computed with numpy at about 20 MB of text
a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 16
"""Letters per shingle: three or four words. Shorter quotations are not detected."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[nrtbf/\"\\])")
_OTHER = re.compile(r"[\W_]+")


class Quotes:
    """The shingles of removed records."""

    def __init__(self) -> None:
        self._found: list[NDArray[np.uint64]] = []
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def add(self, texts: Iterable[str]) -> None:
        """Add texts of removed records; call `close` after the last."""
        self._found += [hashes for text in texts if len(hashes := _hashes(text))]

    def close(self) -> None:
        self._hashes = np.unique(np.concatenate([self._hashes, *self._found]))
        self._found = []

    def without(self, texts: Iterable[str]) -> None:
        """Discard the shingles that a remaining document also contains."""
        for text in texts if len(self._hashes) else ():
            common = np.isin(self._hashes, _hashes(text))
            if common.any():
                self._hashes = self._hashes[~common]

    def hit(self, text: str) -> bool:
        """Whether a text quotes a removed record."""
        return bool(len(self._hashes)) and bool(np.isin(_hashes(text), self._hashes).any())

    def within(self, value: Any) -> bool:
        """Whether a string anywhere in a JSON value quotes a removed record."""
        return any(map(self.hit, strings(value)))


def strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def _hashes(text: str) -> NDArray[np.uint64]:
    """A hash of each shingle of a text."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)
    letters = np.frombuffer(_OTHER.sub("", plain).lower().encode("utf-32-le", "surrogatepass"), "<u4").astype(
        np.uint64
    )
    count = len(letters) - WIDTH + 1
    hashes = np.zeros(max(count, 0), np.uint64)
    for at in range(WIDTH if count > 0 else 0):
        hashes = hashes * _FACTOR + letters[at : at + count]
    return hashes
