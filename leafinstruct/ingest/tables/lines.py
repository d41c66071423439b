"""Lines of a JSONL file, plain, gzipped or zipped, read one at a time.

Items are numbered over the whole file, from 0; in a zip over all members, in order of their names. Where a
stream ends early, a `Damage` takes one number too, so that it belongs to exactly one span and everything
before it is kept. A run of blank lines is one item, its first line: twenty million newlines, which are 20 kB
of gzip, are not twenty million records to plan and report.

Cost. Reading a plain file starts at the nearest indexed offset. A compressed stream has no entry points, so a
process keeps the one that it read last open: parts come in the order of their records, and each process
unpacks a file once, not once per part (1 GB in 1,030 parts: 7 s per process, compared with an hour).
Rejected: an unpacked copy, which doubles the corpus on disk, and an index of gzip's inner states.
Memory: one line, at most MAX_LINE bytes. Longer lines are skipped without being stored: a bomb of zeros is
one line.
Reading stops with a `Damage` (too_large) at what only a decompression bomb contains: a line of more than
ENDLESS times MAX_LINE; blank lines of more than MAX_LINE together; a compressed file that unpacks to more
than FREE bytes and EXPANSION times its size (JSON packs about 4 to 20 times), or to more than FREE_ITEMS
items and one per byte, all members of a zip together; a zip whose directory is longer than MAX_DIRECTORY.
Such a limit does not stop the build; it is one loss.
"""

from __future__ import annotations

import gzip
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict

from leafinstruct.errors import SourceError
from leafinstruct.ingest import files
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.index import cached_index
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.records.document import Document, Rejected
from leafinstruct.runtime.store.path import openable

MAX_LINE = 32 << 20
"""Maximum bytes of a line. The longest record of the published MMC4 shards is below 1 MiB."""
VERSION = 3
"""Increase when the index of the same file changes."""
ENDLESS = 64
EXPANSION = 200
FREE = 64 << 20
FREE_ITEMS = 100_000
"""Items of a compressed file that are always allowed; above it, one item per byte: a record of 50 bytes that
packs 50 times takes one byte."""
MAX_DIRECTORY = 8 << 20
"""Maximum bytes of a zip's directory, about 100,000 members; published zips of JSONL have between one and
some hundred."""
MAX_NAME = 1_000
"""Maximum characters of a member's name, which is part of each locator."""
STEP = 1000
"""Lines between two indexed offsets of a plain file: at most this many are read in vain."""
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""Errors of gzip and zipfile on damaged data; the last two on unknown compression methods and encrypted
members."""


class BombError(Exception):
    """A stream unpacks to more than any real file does. It becomes a `Damage`."""


class _Lines(Protocol):
    """The common interface of a plain file, a gzip stream and a member of a zip."""

    def readline(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(slots=True)
class _Budget:
    """How much a file may still unpack to. size: bytes; items: records."""

    size: int = sys.maxsize
    items: int = sys.maxsize

    def take(self, size: int) -> None:
        """Count bytes. Raises BombError when the file unpacks to too many."""
        self.size -= size
        if self.size < 0:
            raise BombError(f"the file unpacks to more than {EXPANSION} times its size")

    def take_item(self) -> None:
        """Count one item. Raises BombError when the file contains too many."""
        self.items -= 1
        if self.items < 0:
            raise BombError("the file unpacks to more records than it has bytes")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    number: of the item, from 0 over the whole file. line: in its stream, from 0. locator: for reports, from
    1. offset: in bytes, in its stream. data: None when longer than MAX_LINE, blank for a run of blank lines.
    """

    number: int
    line: int
    locator: str
    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Damage:
    """The place where reading stops.

    locator: `offset=N`, bytes after decompression up to the last complete line. reason: `truncated` when the
    stream ends early, `too_large` when the rest is not read.
    """

    number: int
    locator: str
    detail: str
    reason: str = "truncated"


class _Index(TypedDict):
    """Number of items; (offset, line) of every STEP-th one of a plain file."""

    items: int
    entries: list[tuple[int, int]]


def count(file: Path, cache: Path) -> int:
    """Return the number of items of a file. Raises SourceError when it cannot be opened."""
    return cached_index(cache, file, _index, VERSION)["items"]


def spans(
    path: str,
    root: Path,
    suffixes: tuple[str, ...],
    part_size: int,
    cache: Path,
    lines_of: Callable[[Path, Path], Path] = lambda file, _: file,
    empty: str = "the files contain no records",
) -> list[Span]:
    """Return ranges of at most part_size items, each within one file of a source.

    lines_of: (file, cache) -> the file of its lines, where it must be unrolled first. Raises SourceError when
    a file cannot be opened, and with the message `empty` when no file has an item.
    """
    found = [
        span
        for name in files.listing(path, root, suffixes)
        for span in ranges(name, count(lines_of(root / name, cache), cache), part_size)
    ]
    if not found:
        raise SourceError(f"{path}: {empty}")
    return found


def read(file: Path, start: int, stop: int, cache: Path) -> Iterator[Line | Damage]:
    """Yield the items numbered start to stop - 1. Raises SourceError when the file cannot be opened."""
    entries = cached_index(cache, file, _index, VERSION)["entries"]
    if entries:
        nearest = start // STEP
        yield from _between(_Cursor(_items(file, nearest * STEP, *entries[nearest])), start, stop)
        return
    stat = file.stat()
    key = (file, stat.st_size, stat.st_mtime_ns)
    cursor = _kept.pop(key, None)
    _kept.clear()
    if cursor is None or cursor.number > start:
        cursor = _Cursor(_items(file))
    yield from _between(cursor, start, stop)
    _kept[key] = cursor


def each(
    file: str, items: Iterable[Line | Damage], records: Callable[[Line], Iterable[Document | Rejected]]
) -> Iterator[Document | Rejected]:
    """Yield what `records` makes of each line; a whole loss for a `Damage`, and where it raises LostError."""
    for item in items:
        if isinstance(item, Damage):
            yield Rejected(file, item.locator, item.reason, item.detail)
            continue
        try:
            yield from records(item)
        except LostError as lost:
            yield Rejected(file, item.locator, lost.reason, lost.detail)


@dataclass(slots=True)
class _Cursor:
    """An open stream: the items that follow, and the number of the first of them."""

    items: Iterator[Line | Damage]
    number: int = 0


_kept: dict[tuple[Path, int, int], _Cursor] = {}
"""The compressed file that this process read last (path, size, modification time), where it stopped. A reader
removes it first, so that no two read from one cursor; a reader that stops half way leaves nothing."""


def _between(cursor: _Cursor, start: int, stop: int) -> Iterator[Line | Damage]:
    while cursor.number < stop and (item := next(cursor.items, None)) is not None:
        cursor.number = item.number + 1
        if item.number >= start:
            yield item


def _index(file: Path) -> _Index:
    """Count the items and, for a plain file, record offset and line (from 0) of every STEP-th item."""
    items, entries = 0, list[tuple[int, int]]()
    for item in _items(file):
        items = item.number + 1
        if isinstance(item, Line) and item.number % STEP == 0 and not _compressed(file):
            entries.append((item.offset, item.line))
    return {"items": items, "entries": entries}


def _items(file: Path, number: int = 0, offset: int = 0, line: int = 0) -> Iterator[Line | Damage]:
    """Yield all items from an entry point on: item `number` is a plain file's line `line` at `offset`.
    Compressed files start at 0."""
    packed, budget = file.stat().st_size, _Budget()
    if _compressed(file):
        budget = _Budget(max(FREE, EXPANSION * packed), max(FREE_ITEMS, packed))
    if not file.name.lower().endswith(".zip"):
        with gzip.open(openable(file)) if _compressed(file) else file.open("rb") as stream:
            stream.seek(offset)
            yield from _stream(stream, number, line, "", budget)
        return
    try:
        with zip_of(file) as archive:
            yield from _members(archive, budget)
    except zipfile.BadZipFile:  # its directory is at the end, so a broken download lacks it
        yield Damage(number, "offset=0", "the zip file ends early: it has no directory")
    except BombError as error:
        yield Damage(number, "offset=0", f"{error}; no member is read", "too_large")


def zip_of(file: Path) -> zipfile.ZipFile:
    """Open a zip. Raises zipfile.BadZipFile when it is none, BombError when its directory is too long."""
    with file.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]  # ZipFile reads the whole directory before its size can be checked
    size = end[zipfile._ECD_SIZE] if end is not None else 0  # type: ignore[attr-defined]
    if size > MAX_DIRECTORY:
        raise BombError(f"the zip's directory has {size:,} bytes; at most {MAX_DIRECTORY:,} are read")
    return zipfile.ZipFile(openable(file))


def _members(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[Line | Damage]:
    """Yield all items of all members, in the order of their names."""
    names = sorted(
        name
        for name in archive.namelist()
        if name.lower().endswith((".jsonl", ".json")) and not name.startswith("__MACOSX/")
    )
    number = 0
    for index, name in enumerate(names):
        if len(name) > MAX_NAME:
            found: Iterator[Line | Damage] = iter(
                [Damage(number, f"member={index + 1}", f"a name of {len(name):,} characters", "too_large")]
            )
        else:
            found = _member(archive, name, number, f"{name}:" if len(names) > 1 else "", budget)
        for item in found:
            number = item.number + 1
            yield item
        if budget.size < 0 or budget.items < 0:
            return


def _stream(stream: _Lines, number: int, line: int, prefix: str, budget: _Budget) -> Iterator[Line | Damage]:
    """Yield the items of one open stream within the budget. line: number of the first line within its member,
    from 0."""
    offset, blank = stream.tell(), 0
    while True:
        try:
            data, size = _line(stream, budget)
            blank = blank + size if size <= MAX_LINE and not data.strip() else 0
            if blank > MAX_LINE:
                raise BombError(f"more than {MAX_LINE:,} bytes of blank lines")
            if size and blank in (0, size):
                budget.take_item()
        except BROKEN as error:
            yield Damage(number, f"{prefix}offset={offset}", f"the stream ends early ({error})")
            return
        except BombError as error:
            yield Damage(number, f"{prefix}offset={offset}", f"{error}; the rest is not read", "too_large")
            return
        if not size:
            return
        if blank in (0, size):  # a record, or the first blank line of a run
            yield Line(number, line, f"{prefix}line={line + 1}", offset, None if size > MAX_LINE else data)
            number += 1
        offset, line = offset + size, line + 1


def _line(stream: _Lines, budget: _Budget) -> tuple[bytes, int]:
    """The next line, or the end of a line longer than MAX_LINE; and its size in bytes. Raises
    BombError at an endless line or stream."""
    data = stream.readline(MAX_LINE + 1)
    size = len(data)
    budget.take(size)
    long = size > MAX_LINE
    while long and not data.endswith(b"\n") and (data := stream.readline(MAX_LINE + 1)):
        size += len(data)
        if size > ENDLESS * MAX_LINE:
            raise BombError(f"a line of more than {ENDLESS * MAX_LINE:,} bytes")
        budget.take(len(data))
    return data, size


def _member(
    archive: zipfile.ZipFile, member: str, number: int, prefix: str, budget: _Budget
) -> Iterator[Line | Damage]:
    try:
        stream = archive.open(member)
    except BROKEN as error:
        yield Damage(number, f"{prefix}offset=0", f"the member cannot be read ({error})")
        return
    with stream:
        yield from _stream(stream, number, 0, prefix, budget)


def _compressed(file: Path) -> bool:
    return file.name.lower().endswith((".gz", ".zip"))
