"""A span: the records of a source that one part reads.

Part names are hashes of files and range, never running numbers: a new file adds part names and leaves every
other name as it was. Planning does not depend on the workers: the same input and `part_size` always give the
same spans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leafinstruct.ingest.config import FileSource
from leafinstruct.runtime.store.base import Head


@dataclass(frozen=True, slots=True)
class Span:
    """A range of records in some files.

    files: relative to the source's root, with forward slashes. start, stop: half open, in lines (mmc4), files
    (html) or pages (warc).
    """

    files: tuple[str, ...]
    start: int
    stop: int

    def __len__(self) -> int:
        """Number of records; a part may have fewer documents, never more."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """12 hex digits of the sha256 of files and range; among ten million spans two share a name with
        probability 0.2."""
        text = "\0".join((*self.files, str(self.start), str(self.stop)))
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


@dataclass(frozen=True)
class Unit:
    """The payload of a part: what to read, the maximum number of documents (None for all), the files whose
    sha256 this part records, the links that it reports, which are not followed, and the states of the files
    of a store when they were planned."""

    source: FileSource
    span: Span
    key: str
    cap: int | None = None
    hashes: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    states: tuple[tuple[str, Head], ...] = ()


def ranges(file: str, total: int, part_size: int) -> list[Span]:
    """Split one file of `total` records into spans of at most part_size records."""
    return [Span((file,), start, min(start + part_size, total)) for start in range(0, total, part_size)]


def grouped(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Split names into sets of at most `size`: the leaves of a binary tree over their hashes. A name that is
    added changes one set, or splits it."""
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
