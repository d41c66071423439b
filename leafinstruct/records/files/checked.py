"""Read our own Parquet tables, verified against their seal (records/files/seal.py).

Everything is verified before it is used: the frame, and every chunk of the requested columns. So no reader
gets a changed value, and no decoder a damaged page.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import starmap
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import DamagedError
from leafinstruct.records.files import seal

Row = dict[str, Any]
T = TypeVar("T")

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


def read(path: Path) -> Iterator[Row]:
    """Stream the rows of a Parquet file, one row group in memory at a time.

    Raises DamagedError if the file is missing, or its bytes are not those that `table.write` wrote.
    """
    for batch in batches(path):
        yield from batch.to_pylist()


def batches(path: Path, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Stream the rows as Arrow batches of at most ROWS_A_GROUP rows. names: columns of the top level, None
    for all; others are neither read nor verified. Raises DamagedError."""
    with opened(path, lambda leaf: names is None or leaf.partition(".")[0] in names) as file:
        yield from _batches(file, names)


def columns(path: Path, *names: str) -> Iterator[tuple[Any, ...]]:
    """Stream the values of some columns of the top level, a tuple per row. Other columns are neither read nor
    verified. Raises DamagedError."""
    with opened(path, lambda leaf: leaf.partition(".")[0] in names) as file:
        yield from _values(file, names)


def records(path: Path, kind: type[T], without: Collection[str] = ()) -> Iterator[T]:
    """Stream the rows of a table as a dataclass with a field for each column. without: the last fields, which
    are not read and have defaults. Raises DamagedError."""
    return starmap(kind, columns(path, *_names(kind, without)))


def records_where(
    path: Path, column: str, wanted: Sequence[str], kind: type[T], without: Collection[str] = ()
) -> Iterator[tuple[str, T]]:
    """Stream the rows with one of some values in a column of texts: the value, and the row as `records` has
    it. Only row groups that can contain one are read and verified, so rows should be near others with their
    value. Raises DamagedError."""
    values, names = sorted(set(wanted)), [column, *_names(kind, without)]
    with opened(path, lambda _: False) as file:
        at = file.schema_arrow.names.index(column)
        groups = [
            number
            for number in range(file.num_row_groups)
            if _can_hold(file.metadata.row_group(number).column(at).statistics, values)
        ]
        leaves = _numbers(file.metadata, lambda leaf: leaf.partition(".")[0] in names)
        columns, chosen, among = file.metadata.num_columns, frozenset(groups), frozenset(values)
        seal.opened(path).check([number for number in leaves if number // columns in chosen])
        for value, *fields_of in _values(file, names, groups):
            if value in among:
                yield value, kind(*fields_of)


def _can_hold(statistics: pq.Statistics | None, values: Sequence[str]) -> bool:
    """Whether a chunk can hold one of some sorted values."""
    if statistics is None or not statistics.has_min_max:
        return True
    return bisect_left(values, statistics.min) < bisect_right(values, statistics.max)


def whole_records(path: Path, kind: type[T]) -> Iterator[T]:
    """Records of the intact row groups only; none if the file is missing or its frame is damaged."""
    try:
        with opened(path, lambda _: False) as file:
            yield from starmap(kind, _values(file, _names(kind), list(whole_groups(file, path))))
    except DamagedError:
        return


def _names(kind: type, without: Collection[str] = ()) -> list[str]:
    names = [each.name for each in fields(kind)]
    read = [name for name in names if name not in without]
    assert read == names[: len(read)], "values are given by their order"
    return read


def _values(
    file: pq.ParquetFile, names: Sequence[str], groups: Sequence[int] | None = None
) -> Iterator[tuple[Any, ...]]:
    for batch in _batches(file, names, groups):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def _batches(
    file: pq.ParquetFile, names: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    fields_read = (field for field in file.schema_arrow if names is None or field.name in names)
    size = 64 if any(pa.types.is_binary(field.type) for field in fields_read) else ROWS_A_GROUP
    yield from file.iter_batches(
        batch_size=size, row_groups=groups, columns=None if names is None else list(names)
    )


def images(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """sha256 -> bytes of the wanted images of an images-* file, each verified. Raises DamagedError if one is
    missing."""
    found = (
        {sha256: data for sha256, data in columns(path, "sha256", "bytes") if sha256 in wanted}
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
        sha256: len(data) for sha256, data in columns(path, "sha256", "bytes") if sha256 in wanted and data
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


def key_of(path: Path) -> str | None:
    """The key that `write` stored; None if the file does not exist or its frame is damaged (columns are
    verified when they are read)."""
    try:
        with opened(path, lambda _: False) as file:
            return str((file.schema_arrow.metadata or {}).get(b"leafinstruct.key", b"").decode())
    except DamagedError:
        return None


_FAILED = "failed "


def with_failures(key: str, failed: int) -> str:
    """The key of a file with some failed items: no other key, so that the next run repeats them."""
    return f"{_FAILED}{key}" if failed else key


def without_failures(key: str | None) -> str:
    """The key of a file whose failed items are accepted."""
    return (key or "").removeprefix(_FAILED)


def count(path: Path) -> int:
    """Number of rows, from the footer alone. Raises DamagedError."""
    with opened(path, lambda _: False) as file:
        return int(file.metadata.num_rows)
