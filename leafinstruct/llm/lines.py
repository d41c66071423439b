"""Append-only JSON lines under a key, written by many processes at once: what the answer cache and the
journal are made of.

    <folder>/<stem>-<random>.jsonl       one per writer, one line an entry: {"key": 64 hex digits, ..., "digest": see leafinstruct/runtime/sealed.py}

Each writer appends whole lines to a file of its own, so any number of processes share a folder without a
lock, on any file system. A line goes out in one write, so a killed process loses at most its last one; a line
without its newline is ignored. A line whose digest does not hold is missing: what it answered is asked again.

SQLite was refused (locks on network file systems, one writer at a time), and so was a file per entry (a
million inodes).
"""

from __future__ import annotations

import mmap
import re
import secrets
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from leafinstruct.errors import SourceError
from leafinstruct.runtime import sealed
from leafinstruct.runtime.damage import Damage

_LINE = re.compile(rb'\{"key":"([0-9a-f]{64})",.*\}\n', re.DOTALL)


class Appender:
    """This writer's file of a folder; made with its first line."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem
        self._file: FileIO | None = None
        self.path: Path | None = None
        """None until the first line."""

    def append(self, key: str, entry: Mapping[str, Any]) -> int:
        """Writes one line and returns its offset in `path`; after it returns the kernel has it. Raises
        SourceError when the disk does not take it."""
        line = sealed.seal({"key": key, **entry})
        try:
            file = self._file = self._file or self._open()
            offset = file.tell()
            # unbuffered: a disk that fills up takes a part first and raises for the rest
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise SourceError(
                f"{self._folder}: an answer cannot be stored: {error.strerror}. Free some space and run "
                "again."
            ) from error
        return offset

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> FileIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.path = self._folder / f"{self._stem}-{secrets.token_hex(8)}.jsonl"
        return FileIO(self.path, "xb")


def files(folder: Path, stem: str) -> list[Path]:
    """All writers' files, in order of their names; what is no regular file is passed over."""
    return sorted(path for path in folder.glob(f"{stem}-*.jsonl") if path.is_file())


def mend(folder: Path, stem: str) -> int:
    """Drop the damaged lines of all writers' files; returns how many. Raises OSError."""
    return sum(sealed.mend(path) for path in files(folder, stem))


def scan(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """(key, offset) of each whole line from the offset `start` on, 300,000 of them a second. Digests are
    checked where an entry is read."""
    for (offset, _), line in sealed.lines(path, start=start):
        if line is not None and (match := _LINE.fullmatch(line)):
            yield bytes.fromhex(match[1].decode("ascii")), offset


def at(path: Path, offset: int) -> dict[str, Any] | None:
    """The entry of the line at an offset, None for a damaged one. Raises OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        return sealed.opened(file.readline(sealed.LONGEST))


def verify(folder: Path, stem: str, repair: str) -> Iterator[Damage]:
    """The damaged lines of all writers' files, which are dropped. repair: what becomes of what such a line
    held."""
    for path in sorted(folder.glob(f"{stem}-*.jsonl")):
        yield from sealed.drop(path, repair)


def find(folder: Path, stem: str, key: str) -> Iterator[dict[str, Any]]:
    """Every intact entry under one key, without an index: a search through mapped bytes, about 1 GB a second.
    Raises SourceError."""
    needle = b'{"key":"%s",' % key.encode("ascii")
    for path in files(folder, stem):
        try:
            with path.open("rb") as file:
                if path.stat().st_size:  # an empty file cannot be mapped
                    yield from _find(file, needle)
        except OSError as error:
            raise SourceError(f"{path}: stored answers cannot be read: {error.strerror}.") from error


def _find(file: BinaryIO, needle: bytes) -> Iterator[dict[str, Any]]:
    """A damaged line is passed over: a smaller journal, not a broken one."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        end = 0
        while (start := mapped.find(needle, end)) >= 0 and (end := mapped.find(b"\n", start)) >= 0:
            # a quotation of such a line is escaped, and so begins no line
            begins = start == 0 or mapped[start - 1 : start] == b"\n"
            if (
                begins
                and end - start < sealed.LONGEST
                and (entry := sealed.unsealed_or_opened(mapped[start : end + 1])) is not None
            ):
                yield entry
