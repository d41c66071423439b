"""ingest/frames-*: frames of videos that ingest decoded to choose them, so that filter need not. The only
file that knows the columns of this table.

Evidence: filter takes from the video what is not here, and gets the same bytes; a file that is damaged counts
as none. One row group a frame, since frames come one by one while a video is decoded and are wanted one by
one, and memory holds one: 0.5 kB more a frame than in large groups. JPEG is not compressed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import DamagedError
from leafinstruct.records.document import Frame
from leafinstruct.records.files.checked import opened, put_seal, read

SCHEMA = pa.schema([("ref", pa.string()), ("stamp", pa.string()), ("bytes", pa.binary())])


@contextmanager
def adding(path: Path) -> Iterator[Callable[[Frame], None]]:
    """What the block is given adds a frame to the file at `path` (the caller makes it atomic)."""
    with pq.ParquetWriter(
        path, SCHEMA, compression="none", use_dictionary=False, write_statistics=False
    ) as file:

        def add(frame: Frame) -> None:
            file.write_table(
                pa.Table.from_pylist(
                    [{"ref": str(frame.ref), "stamp": frame.stamp, "bytes": frame.data}], schema=SCHEMA
                )
            )

        yield add
    put_seal(path)


def shows(path: Path, images: frozenset[str]) -> bool:
    """Whether a file of frames holds bytes of one of these sha256; a damaged one may."""
    try:
        return any(hashlib.sha256(row["bytes"]).hexdigest() in images for row in read(path, ["bytes"]))
    except DamagedError:
        return True


class Kept:
    """The frames of a part. path: may be missing. damaged: whether there is a file that is not what was
    written, of which nothing is taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[tuple[str, str], int] = {}
        self._footer: pq.FileMetaData | None = None
        self.damaged = False
        try:
            if path.exists():
                with opened(path) as file:
                    rows, self._footer = file.read(["ref", "stamp"]).to_pylist(), file.metadata
                self._places = {(row["ref"], row["stamp"]): place for place, row in enumerate(rows)}
        except DamagedError:
            self.damaged = True

    def get(self, ref: str, stamp: str) -> bytes | None:
        """The frame that a reference means, None where it was not kept from a video of this stamp."""
        place = self._places.get((ref, stamp))
        if place is None:
            return None
        with pq.ParquetFile(self._path, metadata=self._footer) as file:
            return bytes(file.read_row_group(place, ["bytes"])["bytes"][0].as_py())
