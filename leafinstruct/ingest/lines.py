"""Lines of a JSONL file, plain, gzipped or zipped, one at a time.

Numbers run over the whole file, from 0; over all members of a zip, in order of their names. What cannot be read as lines takes one number
too and is given as a `Damage`, so that the record of a broken stream belongs to exactly one span and what was before it stays.

Cost. A plain file is entered at the nearest remembered offset. A compressed stream is read from its start for every part (gzip has no entry
points): a shard of 10,000 records at 500 a part is decompressed about ten times, seconds in all. For one gzip file of millions of records
unpack it or split it; an own random-access gzip index was refused as more code than the case is worth.
Memory: one line, at most MAX_LINE bytes; longer ones are skipped without being held.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from leafinstruct.ingest.index import Index, remembered

MAX_LINE = 32 << 20
"""Bytes. The longest record of the published MMC4 shards is below 1 MiB."""
STEP = 1000
"""Lines between two remembered offsets of a plain file: at most this many are read in vain."""
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What gzip and zipfile raise on damaged data; the last two for compression methods they do not know and for encrypted members."""


@dataclass(frozen=True, slots=True)
class Line:
    """number: from 0 over the whole file. locator: as a report shows it, from 1. data: None when the line is longer than MAX_LINE."""

    number: int
    locator: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Damage:
    """The stream breaks off; `locator` is `offset=N`, bytes of the file (or of the member's data) that could still be read."""

    number: int
    locator: str
    detail: str


def count(file: Path, cache: Path) -> int:
    """Lines and damages of the file. Raises SourceError when it cannot be opened."""
    return int(remembered(cache, file, _index)["lines"])


def read(file: Path, start: int, stop: int, cache: Path) -> Iterator[Line | Damage]:
    """The items numbered start to stop. Raises SourceError when the file cannot be opened."""
    offsets = remembered(cache, file, _index)["offsets"]
    nearest = min(start // STEP, len(offsets) - 1) if offsets else 0
    for item in _items(file, nearest * STEP, offsets[nearest] if offsets else 0):
        if item.number >= stop:
            return
        if item.number >= start:
            yield item


def _index(file: Path) -> Index:
    """Number of items; for a plain file the offset of every STEP-th line."""
    offsets: list[int] = []
    lines = 0
    with file.open("rb") as stream:
        plain = _opener(file) is None
        for item in _lines(stream, 0, "", offsets) if plain else _items(file, 0, 0):
            lines = item.number + 1
    return {"lines": lines, "offsets": offsets}


def _items(file: Path, number: int, offset: int) -> Iterator[Line | Damage]:
    opener = _opener(file)
    if opener is not None:
        yield from opener(file)
        return
    with file.open("rb") as stream:
        stream.seek(offset)
        yield from _lines(stream, number, "", [])


def _opener(file: Path) -> partial[Iterator[Line | Damage]] | None:
    name = file.name.lower()
    if name.endswith(".gz"):
        return partial(_gzip)
    return partial(_zip) if name.endswith(".zip") else None
