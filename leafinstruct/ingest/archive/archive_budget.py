"""Limit what the records of a compressed WARC file may unpack to during planning. FastWARC unpacks every
record to find the next one."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from leafinstruct.ingest.archive.archive_ends import HEADER, next_start, unpacks_to_more

FREE, EXPANSION = 512 << 20, 200
"""Bytes that the records of a compressed file may unpack to together, counting only records that unpack to
more than EXPANSION times their size. Pages pack 4 to 20 times; gzip packs zeros 1,000 times, and 4 GB of them
take 9 s to unpack."""
TAIL, WASTE = 16 << 20, 8
"""Bytes that a record may contain beyond its declared length before reading of its file stops; and how many
times these count against FREE."""

AHEAD = 2 * HEADER
"""Bytes behind a record that are read before the next one is returned: FastWARC fills a buffer of packed
bytes and one of unpacked bytes."""


class UnpackingBudget:
    """The remaining budget of a compressed file: each record may unpack to EXPANSION times its size, and
    those that unpack to more, to FREE bytes together.

    left: of FREE; negative after records that are longer than they declare. FastWARC skips line breaks
    between records WASTE times more slowly than a record.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._size = file, file.stat().st_size
        self._packed: BinaryIO | None = None
        self.left = FREE
        self.begin(0)

    def begin(self, offset: int) -> None:
        """Start reading at an offset."""
        self._offset, self._declared, self._is_sound = offset, 0, True

    def take(self, offset: int, declared: int) -> bool:
        """Return whether to unpack the record at an offset, which declares so many bytes."""
        if self._packed is None:
            return True
        if offset > self._offset:
            if self._declared > EXPANSION * (offset - self._offset):
                self.left -= self._declared
            self._packed.seek(offset - 4)
            # a gzip member ends with its size
            excess = int.from_bytes(self._packed.read(4), "little") - self._declared
            self.left -= WASTE * excess if excess > 2 * HEADER else 0
        if self.left < 0:
            return False
        if declared > self.left:
            packed = (next_start(self._file, offset + 1) or self._size) - offset
            if declared > EXPANSION * packed:
                return False
        self._offset, self._declared, self._is_sound = offset, declared, False
        return True

    def reader(self, stream: BinaryIO) -> BinaryIO:
        """Wrap the stream: read raises OSError after a record that is far longer than it declares, since
        FastWARC would unpack all of it."""
        begin = stream.tell()
        stream.seek(0)
        self._packed = self._file.open("rb", buffering=0) if stream.read(2) == b"\x1f\x8b" else None
        stream.seek(begin)
        return cast(BinaryIO, _Reader(stream, self))

    def close(self) -> None:
        """Close what `reader` opened."""
        if self._packed is not None:
            self._packed.close()

    def reaches(self, position: int) -> bool:
        """Return whether reading may continue at a position in the file."""
        if self._packed is None or self._is_sound or position <= self._offset + self._declared + AHEAD:
            return True
        self._is_sound = not unpacks_to_more(self._packed, self._offset, self._declared + TAIL)
        if not self._is_sound:
            self.left = -1
        return self._is_sound


class _Reader:
    """A file that is read forward as far as a budget allows."""

    def __init__(self, stream: BinaryIO, budget: UnpackingBudget) -> None:
        self._stream, self._budget, self.tell = stream, budget, stream.tell

    def read(self, size: int) -> bytes:
        """Read like a file. Raises OSError where the budget ends."""
        if not self._budget.reaches(self._stream.tell()):
            raise OSError("the record is longer than its declared length")
        return self._stream.read(size)
