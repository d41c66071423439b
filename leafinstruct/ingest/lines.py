"""Lines of a JSONL file, plain, gzipped or zipped, one at a time.

Numbers run over the whole file, from 0; over all members of a zip, in order of their names. Where a stream breaks off, a `Damage` takes one
number too, so that the break belongs to exactly one span and everything before it stays.

Cost. A plain file is entered at the nearest remembered offset. A compressed stream is read from its start for every part (gzip has no entry
points): a shard of 10,000 records at 500 a part is decompressed about ten times, seconds in all. One gzip file of millions of records is
better unpacked or split; a random-access gzip index of our own was refused as more code than the case is worth.
Memory: one line, at most MAX_LINE bytes; longer ones are skipped without being held, as a bomb of zeros is one line.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leafinstruct.ingest.index import Index, remembered

MAX_LINE = 32 << 20
"""Bytes. The longest record of the published MMC4 shards is below 1 MiB."""
STEP = 1000
"""Lines between two remembered offsets of a plain file: at most this many are read in vain."""
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What gzip and zipfile raise on damaged data; the last two on compression methods they do not know and on encrypted members."""


class _Lines(Protocol):
    """What a plain file, a gzip stream and a member of a zip have in common."""

    def readline(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Line:
    """number: from 0 over the whole file. locator: for reports, from 1. offset: in its stream. data: None when longer than MAX_LINE."""

    number: int
    locator: str
    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Damage:
    """A stream breaks off; `locator` is `offset=N`: bytes, after decompression, up to the last whole line."""

    number: int
    locator: str
    detail: str


def count(file: Path, cache: Path) -> int:
    """Lines and breaks of the file. Raises SourceError when it cannot be opened."""
    return int(remembered(cache, file, _index)["items"])


def read(file: Path, start: int, stop: int, cache: Path) -> Iterator[Line | Damage]:
    """The items numbered start to stop - 1. Raises SourceError when the file cannot be opened."""
    offsets = remembered(cache, file, _index)["offsets"]
    nearest = start // STEP if offsets else 0
    for item in _items(file, nearest * STEP, offsets[nearest] if offsets else 0):
        if item.number >= stop:
            return
        if item.number >= start:
            yield item


def _index(file: Path) -> Index:
    """How many items there are and, for a plain file, where every STEP-th line starts."""
    items, offsets = 0, []
    for item in _items(file):
        items = item.number + 1
        if isinstance(item, Line) and item.number % STEP == 0 and not _compressed(file):
            offsets.append(item.offset)
    return {"items": items, "offsets": offsets}


def _items(file: Path, number: int = 0, offset: int = 0) -> Iterator[Line | Damage]:
    """All items from an entry point on: line `number` starts at `offset` of a plain file; compressed ones are entered at 0."""
    if not file.name.lower().endswith(".zip"):
        with gzip.open(file) if _compressed(file) else file.open("rb") as stream:
            stream.seek(offset)
            yield from _stream(stream, number, number, "")
        return
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:  # its directory stands at the end, and is what a broken download lacks
        yield Damage(number, "offset=0", "the zip file ends early: it has no directory")
        return
    with archive:
        yield from _members(archive)


def _members(archive: zipfile.ZipFile) -> Iterator[Line | Damage]:
    """All items of all members, in the order of their names."""
    names = sorted(name for name in archive.namelist() if name.lower().endswith((".jsonl", ".json")) and not name.startswith("__MACOSX/"))
    number = 0
    for name in names:
        for item in _member(archive, name, number, f"{name}:" if len(names) > 1 else ""):
            number = item.number + 1
            yield item


def _stream(stream: _Lines, number: int, line: int, prefix: str) -> Iterator[Line | Damage]:
    """Lines of one open stream; `line` is the first one's number within its member, from 0."""
    offset = stream.tell()
    while True:
        try:
            data = stream.readline(MAX_LINE + 1)
            size = len(data)
            long = size > MAX_LINE
            while long and not data.endswith(b"\n") and (data := stream.readline(MAX_LINE + 1)):
                size += len(data)
        except _BROKEN as error:
            yield Damage(number, f"{prefix}offset={offset}", f"the stream ends early ({error})")
            return
        if not size:
            return
        yield Line(number, f"{prefix}line={line + 1}", offset, None if long else data)
        offset, number, line = offset + size, number + 1, line + 1


def _member(archive: zipfile.ZipFile, member: str, number: int, prefix: str) -> Iterator[Line | Damage]:
    try:
        stream = archive.open(member)
    except _BROKEN as error:
        yield Damage(number, f"{prefix}offset=0", f"the member cannot be read ({error})")
        return
    with stream:
        yield from _stream(stream, number, 0, prefix)


def _compressed(file: Path) -> bool:
    return file.name.lower().endswith((".gz", ".zip"))
