"""Append-only JSON lines under a key, for many concurrent writers: the format of the answer cache and the
journal.

    <folder>/<stem>-<random>.jsonl   one file per writer, one line per entry:
        {"key": 64 hex digits, ..., "digest": see leafinstruct/runtime/sealed.py}

Each writer appends whole lines to its own file, so any number of processes can share a folder without a lock,
on any file system. A line is written in one call, so a killed process loses at most its last one. A line
without its newline is ignored. A line whose digest does not match counts as missing, and its question is
asked again.

Chosen over SQLite (locks on network file systems, one writer at a time) and over one file per entry (a
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
from leafinstruct.runtime.files import Damage

_LINE = re.compile(rb'\{"key":"([0-9a-f]{64})",.*\}\n', re.DOTALL)


class Appender:
    """This writer's file in a folder; created with its first line."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem
        self._file: FileIO | None = None
        self.path: Path | None = None
        """None until the first line."""

    def append(self, key: str, entry: Mapping[str, Any]) -> int:
        """Write one line and return its offset in `path`; it is then in the kernel's hands. Raises
        SourceError if it cannot be written to disk."""
        line = sealed.seal({"key": key, **entry})
        try:
            file = self._file = self._file or self._open()
            offset = file.tell()
            # unbuffered: a full disk accepts a part of the line first and raises for the rest
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
    """Return all writers' files, sorted by name. Anything that is not a regular file is ignored."""
    return sorted(path for path in folder.glob(f"{stem}-*.jsonl") if path.is_file())


def mend(folder: Path, stem: str) -> int:
    """Drop the damaged lines of all writers' files and return how many. Raises OSError."""
    return sum(sealed.mend(path) for path in files(folder, stem))


def scan(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield (key, offset) of each whole line from the offset `start` on, 300,000 lines a second. Digests
    are checked only when an entry is read."""
    for (offset, _), line in sealed.lines(path, start=start):
        if line is not None and (match := _LINE.fullmatch(line)):
            yield bytes.fromhex(match[1].decode("ascii")), offset


def at(path: Path, offset: int) -> dict[str, object] | None:
    """Return the entry of the line at an offset, None if it is damaged. Raises OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        return sealed.opened(file.readline(sealed.LONGEST))


def verify(folder: Path, stem: str, repair: str) -> Iterator[Damage]:
    """Find and drop the damaged lines of all writers' files. repair: what replaces the content of such a
    line."""
    for path in sorted(folder.glob(f"{stem}-*.jsonl")):
        yield from sealed.drop(path, repair)


def find(folder: Path, stem: str, key: str) -> Iterator[dict[str, object]]:
    """Yield every intact entry under one key, without an index: a search through mapped bytes, about 1 GB
    a second. Raises SourceError."""
    needle = b'{"key":"%s",' % key.encode("ascii")
    for path in files(folder, stem):
        try:
            with path.open("rb") as file:
                if path.stat().st_size:  # an empty file cannot be mapped
                    yield from _find(file, needle)
        except OSError as error:
            raise SourceError(f"{path}: stored answers cannot be read: {error.strerror}.") from error


def _find(file: BinaryIO, needle: bytes) -> Iterator[dict[str, object]]:
    """Damaged lines are skipped: the journal becomes smaller, not unreadable."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        end = 0
        while (start := mapped.find(needle, end)) >= 0 and (end := mapped.find(b"\n", start)) >= 0:
            # a quotation of such a line is escaped, so it never begins a line
            begins = start == 0 or mapped[start - 1 : start] == b"\n"
            if (
                begins
                and end - start < sealed.LONGEST
                and (entry := sealed.unsealed_or_opened(mapped[start : end + 1])) is not None
            ):
                yield entry
