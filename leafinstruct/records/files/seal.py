"""A Parquet or Arrow file that contains the sha256 of its own bytes, so that a changed bit is detected.

    file: head, chunk, chunk, ..., [seal], footer, length of the footer, magic
    seal: one entry per chunk, sha256 of the frame, number of entries, magic

An entry is offset, size and sha256 of one chunk: of one column of one row group (Parquet), or of one record
batch (Arrow). The frame is the name of the file and all its bytes outside of chunks, including the entries;
so a file under the name of another counts as damaged. Readers of both formats find the footer from the end of
the file and the chunks by absolute offsets, so they ignore the seal. The file appears with one rename, and a
reader of two columns hashes only those two.

Chosen over a sha256 file beside each file (twice the files, and two renames that an interruption can
separate) and over Parquet's page checksums (32 bits, and neither page headers nor the footer are covered: a
changed bit in a header can disable its checksum). Cost: sha256 takes about 0.5 s of CPU per GB (2 GB/s), once
when the file is written and once when it is read; 48 bytes per chunk on disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

_ENTRY = struct.Struct("<QQ32s")
_END = struct.Struct("<32sQ8s")
"""sha256 of the frame, number of entries, magic."""
_MAGIC = b"LEAFSEAL"
_TAILS = {b"PAR1": struct.Struct("<I4s"), b"ARROW1": struct.Struct("<i6s")}
"""The end of a file, by format: length of the footer, magic."""
_ALIGNED = 64
"""Arrow reads footers in place and needs them aligned."""
_BLOCK = 1 << 20
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]+\.tmp")

_ALTERED = "its bytes differ from what was recorded"

Range = tuple[int, int]
"""Offset and size, bytes."""


class BrokenSealError(Exception):
    """The file's bytes are not those that were sealed. The message is a clause, such as "its footer is
    damaged"."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The entries of a file whose frame is intact."""

    path: Path
    entries: bytes
    start: int
    """Offset of the entries in the file."""

    def __len__(self) -> int:
        return len(self.entries) // _ENTRY.size

    def check(self, numbers: Collection[int] | None = None) -> None:
        """Verify the chunks with these numbers, None for all. Raises BrokenSealError."""
        with _reading(self.path) as file:
            for number in range(len(self)) if numbers is None else sorted(numbers):
                start, size, sha256 = _ENTRY.unpack_from(self.entries, number * _ENTRY.size)
                if _sha256(file, [(start, size)]) != sha256:
                    raise BrokenSealError(_ALTERED)

    def mapped(self, data: pa.Buffer) -> Mapped:
        """The same file for reading chunk by chunk. data: all its bytes, such as of a mapping."""
        return Mapped(data, self.start, len(self))


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file whose frame is intact, in memory. Its entries are read there too, so it costs no memory of its
    own. start: offset of the entries; count: their number."""

    data: pa.Buffer
    start: int
    count: int

    def chunk(self, number: int) -> pa.Buffer:
        """One chunk, verified. Raises BrokenSealError."""
        entry = self.data[self.start + number * _ENTRY.size :][: _ENTRY.size]
        if number >= self.count or len(entry) < _ENTRY.size:
            raise BrokenSealError("it has fewer chunks than expected")
        start, size, sha256 = _ENTRY.unpack(entry)
        chunk = self.data[start : start + size]
        if hashlib.sha256(chunk).digest() != sha256:
            raise BrokenSealError(_ALTERED)
        return chunk


def put(path: Path, chunks: Sequence[Range]) -> None:
    """Seal a finished file that nobody reads yet. chunks: in the order in which `Seal.check` numbers them."""
    with path.open("r+b") as file:
        foot, size = _foot(file)
        file.seek(foot)
        footer = file.read(size - foot)
        entries = b"".join(
            _ENTRY.pack(start, length, _sha256(file, [(start, length)])) for start, length in chunks
        )
        padding = bytes(-(foot + len(entries) + _END.size) % _ALIGNED)
        file.seek(foot)
        file.write(padding + entries + _END.pack(bytes(32), len(chunks), _MAGIC) + footer)
        end = foot + len(padding) + len(entries)  # offset of the frame's sha256
        file.flush()
        frame = _sha256(
            file, _frame(chunks, end, size + len(padding) + len(entries) + _END.size), _name(path)
        )
        file.seek(end)
        file.write(frame)


def opened(path: Path) -> Seal:
    """Verify the frame of a file and return its seal. Raises BrokenSealError, also for a file that is missing
    or has no seal."""
    with _reading(path) as file:
        foot, size = _foot(file)
        if foot < _END.size:
            raise BrokenSealError("it is cut or damaged")
        file.seek(foot - _END.size)
        frame, count, magic = _END.unpack(file.read(_END.size))
        start = foot - _END.size - count * _ENTRY.size
        if magic != _MAGIC or start < 0:
            raise BrokenSealError("it has no checksum, or a damaged one")
        file.seek(start)
        entries = file.read(count * _ENTRY.size)
        chunks = [(place, length) for place, length, _ in _ENTRY.iter_unpack(entries)]
        if _sha256(file, _frame(chunks, foot - _END.size, size), _name(path)) != frame:
            raise BrokenSealError(_ALTERED)
    return Seal(path, entries, start)


def _foot(file: BinaryIO) -> Range:
    """Offset of the footer, and size of the file."""
    size = file.seek(0, os.SEEK_END)
    for magic, tail in _TAILS.items():
        if size >= tail.size:
            file.seek(size - tail.size)
            length, found = tail.unpack(file.read(tail.size))
            if found == magic and 0 <= length <= size - tail.size:
                return size - tail.size - length, size
    raise BrokenSealError("it is empty" if not size else "it is cut or damaged")


def _frame(chunks: Sequence[Range], end: int, size: int) -> Iterator[Range]:
    """The ranges between the chunks, without the 32 bytes at `end` that contain their sha256."""
    at = 0
    for start, length in sorted([*chunks, (end, 32)]):
        if start < at or start + length > size:
            raise BrokenSealError("it has no checksum, or a damaged one")
        yield at, start - at
        at = start + length
    yield at, size - at


def _name(path: Path) -> bytes:
    """The file's name; for a temporary file the name that it will get (runtime.files.writing)."""
    temporary = _TEMPORARY.fullmatch(path.name)
    return os.fsencode(temporary[1] if temporary else path.name)


def _sha256(file: BinaryIO, ranges: Iterable[Range], before: bytes = b"") -> bytes:
    found = hashlib.sha256(before)
    for start, length in ranges:
        file.seek(start)
        left = length
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise BrokenSealError("it is cut or damaged")
            found.update(block)
            left -= len(block)
    return found.digest()


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """Open the file. An error of the disk is raised as BrokenSealError."""
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise BrokenSealError("it is missing") from error
    except OSError as error:
        raise BrokenSealError(f"it cannot be read: {error.strerror or error}") from error
