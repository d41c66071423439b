"""WebDataset: a tar whose members share a key (their name up to the first dot of its base name) -> records of
offsets. Nothing is unpacked.

    0001.jpg  0001.txt  0001.json      one record with the columns jpg, txt, json

Planning lists the members once and caches their offsets; an image is then a range of the tar, as it is
stored. Links, devices and everything else that is no regular file are skipped: they have no content.
Compressed tars have no ranges and are refused.

A header before a member's own (a pax header, a long name) is read whole into memory, and any number of others
may follow. A member with more than MAX_HEADERS of them, or with one longer than MAX_HEADER, is lost
(long_header) and reading continues after it; so is a sparse member, whose bytes are not in one piece
(sparse_member).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypedDict

from leafinstruct.ingest.files import readable
from leafinstruct.ingest.index import cached_index
from leafinstruct.runtime import content

SUFFIXES = (".tar",)
VERSION = 2
MAX_HEADER, MAX_HEADERS = 64 << 10, 4
"""Maximum bytes of a header before a member's own, and maximum number of them: writers create one or two of
some hundred bytes."""
MAX_NAME = 1_000
"""Maximum characters of a member's name; file systems allow 255 per path component."""
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
    """One record. key: shared by the members; members: column -> (offset, length) in the tar."""

    key: str
    members: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TarIndex:
    """The index of one tar.

    samples: in the order of the tar. losses: (locator, reason, detail) of lost members, and of the place
    where reading stops.
    """

    samples: tuple[Sample, ...]
    losses: tuple[tuple[str, str, str], ...]

    @property
    def items(self) -> int:
        """Number of samples and losses, so that the report of each belongs to exactly one part."""
        return len(self.samples) + len(self.losses)


class _Index(TypedDict):
    """A TarIndex as JSON."""

    samples: list[tuple[str, dict[str, tuple[int, int]]]]
    losses: list[tuple[str, str, str]]


def index(file: Path, cache: Path) -> TarIndex:
    """Return the tar's index, cached. Raises SourceError when the disk fails."""
    with readable(file):
        return _loaded(file, cache, content.identity(file, cache))


@lru_cache(maxsize=1)
def _loaded(file: Path, cache: Path, _identity: str) -> TarIndex:
    """The index of a tar of an identity, kept between its parts: one of 150,000 samples takes a second to
    load."""
    found = cached_index(cache, file, _build, VERSION)
    samples = tuple(
        Sample(name, {column: (place[0], place[1]) for column, place in members.items()})
        for name, members in found["samples"]
    )
    losses = tuple((where, reason, detail) for where, reason, detail in found["losses"])
    return TarIndex(samples, losses)


def _build(file: Path) -> _Index:
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
        losses.append(
            (f"item={len(samples)}", reason, f"the tar cannot be read from here on: {str(error)[:100]}")
        )
    return {"samples": samples, "losses": losses}


def _members(stream: BinaryIO, losses: list[tuple[str, str, str]]) -> Iterator[tarfile.TarInfo]:
    """Yield the members in the order of the tar; lost ones are added to `losses`. Raises tarfile's errors on
    damage."""
    start = _next_start(stream, 0, losses)
    stream.seek(start)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while (member := archive.next()) is not None:
            following = archive.offset  # where tarfile reads the next header
            archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header; a tar of millions would fill the memory
            archive.pax_headers = {}  # tarfile copies those of the whole file for each member
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
                        f"{member.name[:100]} is sparse: its bytes are not in one piece",
                    )
                )
            else:
                yield member
            start = archive.offset = _next_start(stream, following, losses)


def _next_start(stream: BinaryIO, start: int, losses: list[tuple[str, str, str]]) -> int:
    """Return where the next member without a long header begins; those before it are lost."""
    while (after := _after_long_header(stream, start)) is not None:
        detail = (
            f"it has more than {MAX_HEADERS} headers before its own, or one of more than {MAX_HEADER:,} bytes"
        )
        losses.append((f"offset={start}", "long_header", detail))
        start = after
    # tarfile detects a cut file by reading a byte before the next header, but only when it has to seek
    stream.seek(0)
    return start


def _after_long_header(stream: BinaryIO, start: int) -> int | None:
    """The end of a member whose headers are too long or too many; None for other members."""
    at, count, wide = start, 0, False
    while True:
        stream.seek(at)
        block = stream.read(tarfile.BLOCKSIZE)
        if block[156:157] not in _BEFORE:
            break
        try:
            size = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size
        except tarfile.TarError:
            return None  # not a header; tarfile reports it
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
