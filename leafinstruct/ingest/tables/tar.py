"""WebDataset: a tar whose members share a key, the name up to the first dot of its base name -> records of
offsets. Nothing is unpacked.

    0001.jpg  0001.txt  0001.json      one record with the columns jpg, txt, json

Planning lists the members once and remembers where they lie; an image is then a range of the tar, as it is
stored. Links, devices and anything else that is no regular file are passed over: they hold nothing.
Compressed tars have no ranges and are refused.

A header that goes before a member's own (a pax header, a long name) is read whole into memory, and may be
followed by others without end. A member with more than MAX_HEADERS of them, or a longer one than MAX_HEADER,
is lost (long_header) and reading goes on behind it; so is a sparse member, whose bytes do not lie in one
piece (sparse_member).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from leafinstruct.errors import SourceError
from leafinstruct.ingest.index import Index, remembered

SUFFIXES = (".tar",)
VERSION = 2
MAX_HEADER, MAX_HEADERS = 64 << 10, 4
"""Bytes of a header before a member's own, and how many a member has: writers make one or two of some hundred
bytes."""
MAX_NAME = 1_000
"""Characters of a member's name; file systems take 255 a step."""
_BEFORE = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


@dataclass(frozen=True, slots=True)
class Sample:
    """key: shared by the members; members: column -> (offset, length) in the tar."""

    key: str
    members: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TarIndex:
    """samples: in the order of the tar. losses: (locator, reason, sentence) of members that are lost, and of
    the place where reading stops."""

    samples: tuple[Sample, ...]
    losses: tuple[tuple[str, str, str], ...]

    @property
    def items(self) -> int:
        """Samples and losses, so that the report of each belongs to exactly one part."""
        return len(self.samples) + len(self.losses)


def index(file: Path, cache: Path) -> TarIndex:
    """The tar's index, built or remembered. Raises SourceError when the disk refuses it."""
    try:
        stat = file.stat()
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error
    key = (file, cache, stat.st_size, stat.st_mtime_ns)
    if key not in _last:
        found = remembered(cache, file, _build, VERSION)
        samples = tuple(
            Sample(name, {column: (place[0], place[1]) for column, place in members.items()})
            for name, members in found["samples"]
        )
        _last.clear()
        _last[key] = TarIndex(
            samples, tuple((where, reason, sentence) for where, reason, sentence in found["losses"])
        )
    return _last[key]


_last: dict[tuple[Path, Path, int, int], TarIndex] = {}
"""The index that this process read last: each part of a tar needs it, and one of 150,000 samples takes a
second to read."""


def _build(file: Path) -> Index:
    samples: list[tuple[str, dict[str, tuple[int, int]]]] = []
    losses: list[tuple[str, str, str]] = []
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            for member in _members(stream, losses):
                name = PurePosixPath(member.name)
                stem, _, column = name.name.partition(".")
                key, column = (name.parent / stem).as_posix(), column.lower()
                if not (member.isreg() and stem and column):
                    continue
                if member.offset_data + member.size > size:
                    losses.append(
                        (f"item={len(samples)}", "truncated", f"the tar ends within {key}.{column}")
                    )
                    break
                if not samples or samples[-1][0] != key or column in samples[-1][1]:
                    samples.append((key, {}))
                samples[-1][1][column] = (member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        reason = "truncated" if samples else "not_a_tar"
        losses.append((f"item={len(samples)}", reason, f"the tar cannot be read on: {str(error)[:100]}"))
    return {"samples": samples, "losses": losses}


def _members(stream: BinaryIO, losses: list[tuple[str, str, str]]) -> Iterator[tarfile.TarInfo]:
    """Members in the order of the tar; those that are lost are added to `losses`. Raises what tarfile raises
    on damage."""
    start = _sound(stream, 0, losses)
    stream.seek(start)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while (member := archive.next()) is not None:
            following = archive.offset  # where tarfile reads the next header
            archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw; a tar of millions would fill the memory
            archive.pax_headers = {}  # a copy of those of the whole file is made for each member
            if member.size < 0 or following <= start:
                raise tarfile.ReadError(f"the member at offset {start} has a size below zero")
            if len(member.name) > MAX_NAME:
                losses.append(
                    (
                        f"offset={start}",
                        "long_header",
                        f"its name has {len(member.name):,} characters; at most {MAX_NAME:,} are read",
                    )
                )
            elif member.issparse():
                losses.append(
                    (
                        f"offset={start}",
                        "sparse_member",
                        f"{member.name[:100]} is sparse: its bytes do not lie in one piece",
                    )
                )
            else:
                yield member
            start = archive.offset = _sound(stream, following, losses)


def _sound(stream: BinaryIO, start: int, losses: list[tuple[str, str, str]]) -> int:
    """Where the next member begins that has no long header; those before it are lost."""
    while (behind := _behind_long_header(stream, start)) is not None:
        sentence = (
            f"it has more than {MAX_HEADERS} headers before its own, or one of more than {MAX_HEADER:,} bytes"
        )
        losses.append((f"offset={start}", "long_header", sentence))
        start = behind
    # elsewhere: tarfile tells a cut file by a byte before the next header, and looks for it where it has to
    # seek
    stream.seek(0)
    return start


def _behind_long_header(stream: BinaryIO, start: int) -> int | None:
    """Where the member behind headers ends that are too long or too many; None where they are not."""
    at, count, wide = start, 0, False
    while True:
        stream.seek(at)
        block = stream.read(tarfile.BLOCKSIZE)
        if block[156:157] not in _BEFORE:
            break
        try:
            size = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size
        except tarfile.TarError:
            return None  # not a header; tarfile says so
        count, wide = count + 1, wide or not 0 <= size <= MAX_HEADER
        if size < 0:
            return None
        at += tarfile.BLOCKSIZE * (1 - (-size // tarfile.BLOCKSIZE))
    if count <= MAX_HEADERS and not wide:
        return None
    try:
        own = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return at
    return at + tarfile.BLOCKSIZE * (
        1 + (-(-own.size // tarfile.BLOCKSIZE) if own.isreg() and own.size > 0 else 0)
    )
