"""ingest/frames-*: video frames that ingest decoded to choose them, so that filter need not decode them
again. Only this module knows the columns of this table.

An intermediate file: filter decodes frames that are missing here from the video, and gets the same bytes. A
damaged file is ignored. One row group per frame, because frames are written and read one by one, and memory
holds one: 0.5 kB more per frame than in large groups. JPEG is not compressed again.
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
from leafinstruct.records.files.checked import columns, opened, put_seal

SCHEMA = pa.schema([("ref", pa.string()), ("stamp", pa.string()), ("bytes", pa.binary())])


@contextmanager
def frame_writer(path: Path) -> Iterator[Callable[[Frame], None]]:
    """Yield a function that adds a frame to the file at `path` (the caller makes the file atomic)."""
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


def contains_any(path: Path, images: frozenset[str]) -> bool:
    """Whether a file of frames contains an image with one of these sha256. True for a damaged file, which
    may."""
    try:
        return any(hashlib.sha256(data).hexdigest() in images for (data,) in columns(path, "bytes"))
    except DamagedError:
        return True


class KeptFrames:
    """The frames of a part.

    path: may be missing. damaged: whether the file exists and is damaged; then no frame is used.
    """

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
        """The frame of a reference, or None if there is none of a video with this stamp."""
        place = self._places.get((ref, stamp))
        if place is None:
            return None
        with pq.ParquetFile(self._path, metadata=self._footer) as file:
            return bytes(file.read_row_group(place, ["bytes"])["bytes"][0].as_py())
