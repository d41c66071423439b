"""Read our own Parquet tables, verified against their seal (records/files/seal.py).

Everything is verified before it is used: the frame, and every chunk of the requested columns. So no reader
gets a changed value, and no decoder a damaged page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import DamagedError
from leafinstruct.records.files import seal

Row = dict[str, Any]

ROWS_A_GROUP = 512
"""Maximum rows of a row group, and of a batch that is read, unless a column contains whole images."""

Wanted = Callable[[str], bool]
"""Path of a leaf column (`segments.list.element.text`) -> whether it is read."""


def put_seal(path: Path) -> None:
    """Seal a Parquet file that was just written. A chunk is a column of a row group, in the order of row
    groups."""
    found = pq.read_metadata(path)
    groups = (found.row_group(number) for number in range(found.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    seal.put(path, [(_start(column), column.total_compressed_size) for column in columns])


@contextmanager
def opened(path: Path, wanted: Wanted = lambda _: True) -> Iterator[pq.ParquetFile]:
    """Open the table after verifying its wanted columns. Raises DamagedError, also for a missing file."""
    try:
        found = seal.opened(path)
        with pq.ParquetFile(path) as file:
            found.check(_numbers(file.metadata, wanted))
            yield file
    except (seal.BrokenSealError, pa.ArrowException, OSError) as error:
        raise DamagedError.of(
            path, str(error) if isinstance(error, seal.BrokenSealError) else "it cannot be read"
        ) from error


def fault(path: Path) -> str | None:
    """What is wrong with a sealed table or Arrow file; None if every byte is what was written."""
    try:
        seal.opened(path).check()
    except seal.BrokenSealError as error:
        return str(error)
    return None


def whole_groups(file: pq.ParquetFile, path: Path) -> Iterator[int]:
    """Numbers of the row groups that are intact. file: opened with no column wanted."""
    found, columns = seal.opened(path), file.metadata.num_columns
    for group in range(file.num_row_groups):
        try:
            found.check(range(group * columns, (group + 1) * columns))
        except seal.BrokenSealError:
            continue
        yield group


def _numbers(metadata: pq.FileMetaData, wanted: Wanted) -> list[int]:
    """Chunks of the wanted columns."""
    columns = [
        number for number in range(metadata.num_columns) if wanted(metadata.schema.column(number).path)
    ]
    return [
        group * metadata.num_columns + number
        for group in range(metadata.num_row_groups)
        for number in columns
    ]


def _start(column: pq.ColumnChunkMetaData) -> int:
    return int(column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset)


def read(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Stream the rows of a Parquet file, one row group in memory at a time. columns: of the top level, None
    for all.

    Raises DamagedError if the file is missing, or the bytes of these columns are not those that `write`
    wrote.
    """
    with opened(path, lambda leaf: not columns or leaf.partition(".")[0] in columns) as file:
        yield from _rows(file, columns)


def _rows(
    file: pq.ParquetFile, columns: Sequence[str] | None, groups: Sequence[int] | None = None
) -> Iterator[Row]:
    whole = any(
        pa.types.is_binary(field.type) for field in file.schema_arrow if not columns or field.name in columns
    )
    size = 64 if whole else ROWS_A_GROUP
    for batch in file.iter_batches(
        batch_size=size, row_groups=groups, columns=list(columns) if columns else None
    ):
        yield from batch.to_pylist()


def read_whole_groups(path: Path) -> Iterator[Row]:
    """Rows of the intact row groups only; none if the file is missing or its frame is damaged."""
    try:
        with opened(path, lambda _: False) as file:
            yield from _rows(file, None, list(whole_groups(file, path)))
    except DamagedError:
        return


def images(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """sha256 -> bytes of the wanted images of an images-* file, each verified. Raises DamagedError if one is
    missing."""
    found = (
        {row["sha256"]: row["bytes"] for row in read(path, ["sha256", "bytes"]) if row["sha256"] in wanted}
        if wanted
        else {}
    )
    for name in sorted(wanted):
        if name not in found:
            raise DamagedError.of(path, f"it does not contain the image {name[:16]}")
        if hashlib.sha256(found[name] or b"").hexdigest() != name:
            raise DamagedError.of(path, f"it contains other bytes than those of the image {name[:16]}")
    return found


def image_sizes(path: Path, wanted: Collection[str]) -> dict[str, int]:
    """sha256 -> bytes of the wanted images of an images-* file, one row group in memory at a time. Raises
    DamagedError."""
    return {
        row["sha256"]: len(row["bytes"])
        for row in read(path, ["sha256", "bytes"])
        if row["sha256"] in wanted and row["bytes"]
    }


def unpacked_images(path: Path) -> int:
    """Upper bound of the bytes of all images of an images-* file, from the footer alone. Raises
    DamagedError."""
    with opened(path, lambda _: False) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        return sum(
            int(group.column(at).total_uncompressed_size)
            for group in groups
            for at in range(group.num_columns)
        )


def read_without_bytes(path: Path) -> Iterator[Row]:
    """Rows with every column but those of whole images."""
    with opened(path, lambda _: False) as file:
        names = [field.name for field in file.schema_arrow if not pa.types.is_binary(field.type)]
    return read(path, names)


def key_of(path: Path) -> str | None:
    """The key that `write` stored; None if the file does not exist or its frame is damaged (columns are
    verified when they are read)."""
    try:
        with opened(path, lambda _: False) as file:
            return str((file.schema_arrow.metadata or {}).get(b"leafinstruct.key", b"").decode())
    except DamagedError:
        return None


def count(path: Path) -> int:
    """Number of rows, from the footer alone. Raises DamagedError."""
    with opened(path, lambda _: False) as file:
        return int(file.metadata.num_rows)
