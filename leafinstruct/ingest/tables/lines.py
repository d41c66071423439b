"""Lines of a JSONL file, plain, gzipped or zipped, one at a time.

Numbers run over the whole file, from 0; over all members of a zip, in order of their names. Where a stream
breaks off, a `Damage` takes one number too, so that the break belongs to exactly one span and everything
before it stays. A run of blank lines is one item, the first of them: twenty million newlines, which are 20 kB
of gzip, are no twenty million records to plan, read and report.

Cost. A plain file is entered at the nearest remembered offset. A compressed stream has no entry points, so a
process keeps the one that it read last open where it stopped: parts come in the order of their records, and
each process unpacks a file once, not once a part (1 GB in 1,030 parts: 7 s a process, against an hour).
Refused: an unpacked copy, which is the corpus once more on the disk, and an index of gzip's inner states.
Memory: one line, at most MAX_LINE bytes; longer ones are skipped without being held, as a bomb of zeros is
one line. Reading stops with a `Damage` (too_large) at what only a bomb holds: a line of more than ENDLESS
times MAX_LINE, blank lines of more than MAX_LINE together, a compressed file that unpacks to more than
EXPANSION times its size and FREE bytes (JSON packs about 4 to 20 times) or to more than FREE_ITEMS items and
one for each of its bytes, all members of a zip together; a zip whose directory is longer than MAX_DIRECTORY.
Such a bound ends no build: it is one reason.
"""

from __future__ import annotations

import gzip
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leafinstruct.ingest.index import Index, remembered
from leafinstruct.ingest.span import Span, ranges

MAX_LINE = 32 << 20
"""Bytes. The longest record of the published MMC4 shards is below 1 MiB."""
VERSION = 3
"""Raised when an index says something else about the same file."""
ENDLESS = 64
EXPANSION = 200
FREE = 64 << 20
FREE_ITEMS = 100_000
"""Items of a compressed file, or as many as it has bytes: a record of 50 bytes that packs 50 times takes
one."""
MAX_DIRECTORY = 8 << 20
"""Bytes of a zip's directory, about 100,000 members: published zips of JSONL have one to some hundred."""
MAX_NAME = 1_000
"""Characters of a member's name, which is part of each locator."""
STEP = 1000
"""Lines between two remembered offsets of a plain file: at most this many are read in vain."""
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What gzip and zipfile raise on damaged data; the last two on compression methods they do not know and on
encrypted members."""


class BombError(Exception):
    """A stream holds more than anybody wrote. It becomes a `Damage`."""


class _Lines(Protocol):
    """What a plain file, a gzip stream and a member of a zip have in common."""

    def readline(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(slots=True)
class _Budget:
    """What a file may still unpack to. size: bytes; items: records."""

    size: int = sys.maxsize
    items: int = sys.maxsize

    def take(self, size: int) -> None:
        """Raises BombError where the file unpacks to more bytes."""
        self.size -= size
        if self.size < 0:
            raise BombError(f"the file unpacks to more than {EXPANSION} times its size")

    def take_item(self) -> None:
        """Raises BombError where the file holds more items."""
        self.items -= 1
        if self.items < 0:
            raise BombError("the file unpacks to more records than it has bytes")


@dataclass(frozen=True, slots=True)
class Line:
    """number: of the item, from 0 over the whole file. line: in its stream, from 0. locator: for reports,
    from 1. offset: in its stream.
    data: None when longer than MAX_LINE, blank for a run of blank lines."""

    number: int
    line: int
    locator: str
    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Damage:
    """Where reading stops; `locator` is `offset=N`: bytes, after decompression, up to the last whole line.
    reason: `truncated` when the stream breaks off, `too_large` when it goes on and is not read."""

    number: int
    locator: str
    detail: str
    reason: str = "truncated"


def count(file: Path, cache: Path) -> int:
    """Items of the file. Raises SourceError when it cannot be opened."""
    return int(remembered(cache, file, _index, VERSION)["items"])


def spans(
    root: Path,
    names: Iterable[str],
    part_size: int,
    cache: Path,
    lines_of: Callable[[Path, Path], Path] = lambda file, _: file,
) -> list[Span]:
    """Ranges of at most part_size items within one file. lines_of: (file, cache) -> its lines, for a file
    that must be unrolled first. Raises SourceError when one cannot be opened."""
    return [
        span for name in names for span in ranges(name, count(lines_of(root / name, cache), cache), part_size)
    ]


def read(file: Path, start: int, stop: int, cache: Path) -> Iterator[Line | Damage]:
    """The items numbered start to stop - 1. Raises SourceError when the file cannot be opened."""
    entries = remembered(cache, file, _index, VERSION)["entries"]
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


@dataclass(slots=True)
class _Cursor:
    """A stream that is read on: the items that follow, and the number of the first of them."""

    items: Iterator[Line | Damage]
    number: int = 0


_kept: dict[tuple[Path, int, int], _Cursor] = {}
"""The compressed file that this process read last (path, size, time of change), where it stopped. Whoever
reads takes it out, so that no two read from one cursor; who stops half way leaves nothing."""


def _between(cursor: _Cursor, start: int, stop: int) -> Iterator[Line | Damage]:
    while cursor.number < stop and (item := next(cursor.items, None)) is not None:
        cursor.number = item.number + 1
        if item.number >= start:
            yield item


def _index(file: Path) -> Index:
    """How many items there are and, for a plain file, offset and line (from 0) of every STEP-th of them."""
    items, entries = 0, []
    for item in _items(file):
        items = item.number + 1
        if isinstance(item, Line) and item.number % STEP == 0 and not _compressed(file):
            entries.append((item.offset, item.line))
    return {"items": items, "entries": entries}


def _items(file: Path, number: int = 0, offset: int = 0, line: int = 0) -> Iterator[Line | Damage]:
    """All items from an entry point on: item `number` is a plain file's line `line` at `offset`; compressed
    ones are entered at 0."""
    budget = _budget(file.stat().st_size) if _compressed(file) else _Budget()
    if not file.name.lower().endswith(".zip"):
        with gzip.open(file) if _compressed(file) else file.open("rb") as stream:
            stream.seek(offset)
            yield from _stream(stream, number, line, "", budget)
        return
    try:
        with zip_of(file) as archive:
            yield from _members(archive, budget)
    except zipfile.BadZipFile:  # its directory stands at the end, and is what a broken download lacks
        yield Damage(number, "offset=0", "the zip file ends early: it has no directory")
    except BombError as error:
        yield Damage(number, "offset=0", f"{error}; no member is read", "too_large")


def zip_of(file: Path) -> zipfile.ZipFile:
    """The archive, to be closed. Raises zipfile.BadZipFile where there is none, BombError where its directory
    is too long to be read."""
    with file.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]  # ZipFile reads all of the directory before anybody can look
    size = end[zipfile._ECD_SIZE] if end is not None else 0  # type: ignore[attr-defined]
    if size > MAX_DIRECTORY:
        raise BombError(f"the zip's directory has {size:,} bytes; at most {MAX_DIRECTORY:,} are read")
    return zipfile.ZipFile(file)


def _members(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[Line | Damage]:
    """All items of all members, in the order of their names."""
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
    """Items of one open stream, as far as there is room; `line` is the first one's number within its member,
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
            yield Damage(
                number, f"{prefix}offset={offset}", f"{error}; what follows is not read", "too_large"
            )
            return
        if not size:
            return
        if blank in (0, size):  # a record, or the first blank line of a run
            yield Line(number, line, f"{prefix}line={line + 1}", offset, None if size > MAX_LINE else data)
            number += 1
        offset, line = offset + size, line + 1


def _line(stream: _Lines, budget: _Budget) -> tuple[bytes, int]:
    """The next line, or the end of a longer one than MAX_LINE; and its size in bytes. Raises BombError at a
    line or stream without end."""
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


def _budget(packed: int) -> _Budget:
    """What a file of `packed` compressed bytes may hold."""
    return _Budget(max(FREE, EXPANSION * packed), max(FREE_ITEMS, packed))


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
