"""A span: the share of a source that one part reads.

Part names are hashes of files and range, never running numbers: a file that is added names new parts and
leaves every other name as it was. Planning knows nothing of workers; the same input and `part_size` always
give the same spans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """files: relative to the source's root, forward slashes. start, stop: half open; lines (mmc4), files
    (html) or pages (warc)."""

    files: tuple[str, ...]
    start: int
    stop: int

    @property
    def name(self) -> str:
        """12 hex digits of sha256 over files and range; two spans of ten million share a name with
        probability 0.2."""
        text = "\0".join((*self.files, str(self.start), str(self.stop)))
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


def ranges(file: str, total: int, part_size: int) -> list[Span]:
    """One file of `total` records in spans of at most part_size."""
    return [Span((file,), start, min(start + part_size, total)) for start in range(0, total, part_size)]


def grouped(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Names in sets of at most `size`, the leaves of a tree over their hashes: a name that is added changes
    one set, or splits it."""
    yield from _leaves([(hashlib.sha256(name.encode()).digest(), name) for name in names], size, 0)


def _leaves(hashed: list[tuple[bytes, str]], size: int, bit: int) -> Iterator[tuple[str, ...]]:
    if len(hashed) <= size:
        if hashed:
            yield tuple(sorted(name for _, name in hashed))
        return
    for side in (0, 1):
        yield from _leaves(
            [item for item in hashed if item[0][bit // 8] >> (bit % 8) & 1 == side], size, bit + 1
        )
