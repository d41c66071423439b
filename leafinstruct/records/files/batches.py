"""An Arrow file of record batches, read one by one in any order, each verified when it is read (seal.py).

For rows that are read again by place: the gathered rows of a part, one a batch, and what a step over the
whole corpus has divided into buckets, one a batch (filter/buckets.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from leafinstruct.errors import DamagedError
from leafinstruct.records.files import seal
from leafinstruct.runtime.files import writing


@contextmanager
def written(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Yield a function that adds a batch to a new file. It appears by one rename when the block succeeds."""
    places = []
    with writing(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as file:

            def add(batch: pa.RecordBatch) -> None:
                start = sink.tell()
                file.write_batch(batch)
                places.append((start, sink.tell() - start))

            yield add
        seal.put(temporary, places)


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a file, mapped. No file stays open, and nothing but mapped pages is in memory."""

    path: Path
    schema: pa.Schema
    file: seal.Mapped

    @classmethod
    def opened(cls, path: Path, schema: pa.Schema) -> Batches:
        """Verify the file's frame. Raises DamagedError if it is damaged or has another schema."""
        try:
            found = seal.opened(path)
        except seal.BrokenSealError as error:
            raise DamagedError.of(path, str(error)) from error
        with pa.memory_map(str(path)) as file:  # the mapping stays valid after the file is closed
            data = file.read_buffer()
        if not pa.ipc.open_file(data).schema.equals(schema):
            raise DamagedError.of(path, "it has the columns of another version")
        return cls(path, schema, found.mapped(data))

    def __getitem__(self, number: int) -> pa.RecordBatch:
        """Raises DamagedError if the batch is damaged."""
        try:
            chunk = self.file.chunk(number)
        except seal.BrokenSealError as error:
            raise DamagedError.of(self.path, str(error)) from error
        reader = pa.BufferReader(chunk)
        if chunk[:6].to_pybytes() == b"ARROW1":  # before the first batch: the magic, and the schema
            reader.seek(8)
            pa.ipc.read_message(reader)
        return pa.ipc.read_record_batch(pa.ipc.read_message(reader), self.schema)
