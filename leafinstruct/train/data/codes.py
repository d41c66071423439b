"""A cache of encoded images: append-only files of records, shared by all runs.

    <folder>/<identity>/<writer>.codes      MAGIC, then records: marker, sha256 of the image, grid, size,
                                            sha256 of the record, items

Each writer has its own file and appends a record in one write, so any number of processes may work at the
same time. The digest covers image, grid, size and items and is checked on every read: a damaged record counts
as missing, its image is encoded again, and the record is overwritten with zeros in place. A reader that finds
no record where one should begin continues at the next marker, so damage costs one record. An incomplete
record at the end, of a killed or a running process, is skipped. Files without MAGIC belong to an earlier
version or are damaged; they are deleted, and their images encoded again. The index takes about 200 bytes of
memory per image. Refused, as for answers: SQLite for its locks on network file systems, and one file per
image.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from uuid import uuid4

from leafinstruct.errors import SourceError
from leafinstruct.runtime.files import Damage

Grid = tuple[int, int]
Key = tuple[bytes, Grid | None]
"""sha256 of the image's bytes, and the grid on which it is encoded, None for the backbone's usual one."""

MAGIC = b"leafcodes\x002\r\n"
_MARKER = b"\xfeleaf\x00cd"
_HEAD = struct.Struct("<8s32sIII32sI")
"""Head of a record: marker, image, rows and columns of the grid (0, 0 for None), number of bytes that follow,
sha256 of all but the marker and itself, CRC-32 of the head before it, which shows a changed head without
reading the items."""


@dataclass(frozen=True, slots=True)
class Place:
    """Position of a record: its offset, and the number of bytes of its items."""

    offset: int
    size: int

    @property
    def span(self) -> tuple[int, int]:
        """Offset and length of the whole record in bytes."""
        return self.offset, _HEAD.size + self.size


class Codes:
    """Items by key. Records that other processes write after opening are not visible."""

    def __init__(self, folder: Path) -> None:
        """folder: that of one identity. Raises SourceError when it cannot be read."""
        self._folder = folder
        self.repaired = 0
        """Number of damaged records that were dropped."""
        try:
            self._files = [path for path in _files(folder) if not self._dropped(path)]
            self._places = {
                key: (number, place)
                for number, path in enumerate(self._files)
                for key, place in self._records(path)
            }
        except OSError as error:
            raise SourceError(
                f"{error.filename}: cannot read encoded images: {error.strerror}; delete the file or check "
                "the disk"
            ) from error
        self._own: int | None = None

    def get(self, key: Key) -> bytes | None:
        """Return the stored items; None when they are missing or damaged."""
        if key not in self._places:
            return None
        number, place = self._places[key]
        path = self._files[number]
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                data = _opened(file.read(_HEAD.size + place.size), key)
        except OSError:
            data = None
        if data is None:
            del self._places[key]
            self.repaired += 1
            blank(path, [place.span])
        return data

    def put(self, key: Key, data: bytes) -> None:
        """Store items. Raises SourceError when they cannot be written."""
        record = _record(key, data)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._own is None:
                self._own = len(self._files)
                self._files.append(self._folder / f"{uuid4().hex[:12]}.codes")
                with FileIO(self._files[self._own], "xb") as file:
                    file.write(MAGIC)
            with FileIO(self._files[self._own], "ab") as file:
                offset = file.seek(0, 2)
                if file.write(record) != len(record):
                    raise OSError(28, "No space left on device")
        except OSError as error:
            raise SourceError(
                f"{self._folder}: cannot write: {error.strerror or error}; images encoded so far are kept"
            ) from error
        self._places[key] = (self._own, Place(offset, len(data)))

    def _dropped(self, path: Path) -> bool:
        """Delete a file of an earlier version. Returns whether it was one."""
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
        foreign = head != MAGIC and not MAGIC.startswith(
            head
        )  # a part of MAGIC: another process is writing it
        if foreign:
            path.unlink()
            self.repaired += 1
        return foreign

    def _records(self, path: Path) -> Iterator[tuple[Key, Place]]:
        """Yield the records of a file, and overwrite damaged ranges between them with zeros."""
        damaged = []
        for found in scan(path):
            if isinstance(found, Damaged):
                damaged.append((found.offset, found.length))
            else:
                yield found
        if damaged:
            self.repaired += len(damaged)
            blank(path, damaged)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A range of a file that holds no valid record."""

    offset: int
    length: int


def scan(path: Path) -> Iterator[tuple[Key, Place] | Damaged]:
    """Yield the records of a file by their heads, and the ranges between them that are neither records nor
    zeros. Raises OSError."""
    end = path.stat().st_size
    if end <= len(MAGIC):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        at = len(MAGIC)
        while at + _HEAD.size <= end:
            marker, image, rows, columns, size, _, check = _HEAD.unpack_from(mapped, at)
            key, behind = (image, (rows, columns) if rows or columns else None), at + _HEAD.size + size
            head = marker == _MARKER and check == zlib.crc32(mapped[at : at + _HEAD.size - 4])
            if head and (behind == end or (behind < end and _ends(mapped, at, behind, key))):
                yield key, Place(at, size)
                at = behind
                continue
            following = mapped.find(_MARKER, at + 1)
            if following < 0:
                return
            if any(mapped[at:following]):
                yield Damaged(at, following - at)
            at = following


def blank(path: Path, spans: Iterable[tuple[int, int]]) -> None:
    """Overwrite ranges of a file with zeros, in place. Raises OSError."""
    with path.open("r+b") as file:
        for offset, length in spans:
            file.seek(offset)
            file.write(bytes(length))
        file.flush()
        os.fsync(file.fileno())


def erase(folder: Path, image: Callable[[str], bool], dry_run: bool = False) -> int:
    """Overwrite the records of the images for which `image`, given the sha256 in hex, is true, for every
    identity. Returns their number. Files of an earlier version have no digests and are deleted. Raises
    OSError. No build may run at the same time."""
    count = 0
    for path in _files(folder, "*/*.codes"):
        with path.open("rb") as file:
            known = file.read(len(MAGIC)) == MAGIC
        if not known:
            if not dry_run:
                path.unlink()
            continue
        found = list(scan(path))
        meant = [each[1].span for each in found if not isinstance(each, Damaged) and image(each[0][0].hex())]
        count += len(meant)
        if not dry_run:
            blank(
                path, [*meant, *((each.offset, each.length) for each in found if isinstance(each, Damaged))]
            )
            end = max(
                (
                    each.offset + each.length if isinstance(each, Damaged) else sum(each[1].span)
                    for each in found
                ),
                default=len(MAGIC),
            )
            os.truncate(
                path, min(max(end, len(MAGIC)), path.stat().st_size)
            )  # an incomplete record of a kill
    return count


def verify(folder: Path) -> Iterator[Damage]:
    """Drop the damaged records of every identity in a folder, and yield them. Reads every byte."""
    repair = "dropped; its image is encoded again by the `leaf train` that needs it"
    for path in sorted(folder.glob("*/*.codes")):
        if not path.is_file():
            yield Damage(path, "is not a regular file", "delete it")
            continue
        try:
            with path.open("rb") as file:
                head = file.read(len(MAGIC))
            if not MAGIC.startswith(head):
                path.unlink()
                yield Damage(
                    path,
                    "does not begin as a file of encoded images",
                    repair.replace("its image is", "its images are"),
                )
                continue
            damaged = list(_damaged(path))
            if damaged:
                blank(path, damaged)
        except OSError as error:
            yield Damage(
                path,
                f"cannot be read or repaired: {error.strerror or error}",
                "check its permissions and the disk",
            )
            continue
        for offset, _ in damaged:
            yield Damage(path, f"the record at byte {offset:,} does not match its digest", repair)


def _damaged(path: Path) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the damaged ranges."""
    with path.open("rb") as file:
        for found in scan(path):
            offset, length = (found.offset, found.length) if isinstance(found, Damaged) else found[1].span
            file.seek(offset)
            if isinstance(found, Damaged) or _opened(file.read(length), found[0]) is None:
                yield offset, length


def _files(folder: Path, pattern: str = "*.codes") -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def _ends(mapped: mmap.mmap, at: int, behind: int, key: Key) -> bool:
    """Whether a record ends where its head indicates: a marker, a part of one or zeros follow, or its digest
    matches."""
    here = mapped[behind : behind + len(_MARKER)]
    return (
        here == _MARKER
        or not any(here)
        or _MARKER.startswith(here)
        or _opened(mapped[at:behind], key) is not None
    )


def _record(key: Key, data: bytes) -> bytes:
    image, grid = key
    rows, columns = grid or (0, 0)
    head = _HEAD.pack(_MARKER, image, rows, columns, len(data), _digest(image, rows, columns, data), 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head)) + data


def _opened(record: bytes, key: Key) -> bytes | None:
    """Return the items of a record, or None when it differs from what was written under this key."""
    if len(record) < _HEAD.size:
        return None
    marker, image, rows, columns, size, digest, _ = _HEAD.unpack_from(record)
    data = record[_HEAD.size :]
    whole = (marker, image, (rows, columns), size) == (_MARKER, key[0], key[1] or (0, 0), len(data))
    return data if whole and digest == _digest(image, rows, columns, data) else None


def _digest(image: bytes, rows: int, columns: int, data: bytes) -> bytes:
    return hashlib.sha256(struct.pack("<32sIII", image, rows, columns, len(data)) + data).digest()
