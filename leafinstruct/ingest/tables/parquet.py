"""Rows of Parquet files, for all readers of them: plans from footers, streams of row groups, damage as
losses.

A part is a range of rows of one file. Reading decodes the row groups that the range touches, BATCH rows at a
time and only the requested columns. Parquet cannot be read from the middle of a row group, and writers create
groups of up to a million rows, so each process keeps the group open and its next part continues where it
stopped: a group is decoded once per process, however many parts it has (benchmarks/parquet.py). Parts in
another order are read from the group's start. Memory is bounded by pages and one batch, not by the row group
(one of 400 MB: 93 MB, compared with 505 MB as Arrow reads by default).

Of an image column of `datasets` (a struct of bytes and path) only the path is read: the bytes are read with
the image (images/containers). Where the footer shows that a row group has no bytes at all, images are their
paths, and a null takes the place of the bytes. A file that is not Parquet, or is cut (its footer is at the
end), is one loss, and so is a row with a value that cannot be represented (text that is no UTF-8, the year
10,000).

Chosen: pyarrow, which datasets and our own tables use already; polars reads faster but would be a second
library for the same task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import SourceError, listed
from leafinstruct.images.unpacking import MAX_ROW, PAGE, batches, unpacked
from leafinstruct.ingest import files
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.index import cached_index
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.records.document import Rejected
from leafinstruct.runtime.store.path import openable

SUFFIXES = (".parquet",)
BATCH = 32
"""Rows decoded at a time, fewer where a row could be large."""
FREE, EXPANSION = 256 << 20, 200
"""A column of a row group that unpacks to more than FREE bytes and more than EXPANSION times its size is a
decompression bomb: 27 kB can contain forty values of 20 MB, and a page is unpacked whole."""
FREE_PART = 64 << 20
"""Bytes that the rows of a part may unpack to together, or EXPANSION times the size of the file: 20 kB can
contain four hundred rows of the same text of 4 MB, each of them a valid document."""
FREE_FILE = 1 << 30
"""Bytes that all row groups of a file may unpack to together, or EXPANSION times their packed size."""
FREE_VALUES, VALUES_A_BYTE = 20_000_000, 100
"""Values of a file, or how many per packed byte: a list that repeats one value takes almost no space, and
reading 20 million values takes seconds."""
MAX_VALUES = 100_000
"""Maximum values of a row in all its lists together; a document has at most 10,000 pieces."""
FREE_ROWS = 100_000
"""Rows of a file, or one per packed byte: 737 bytes can contain a million rows of nulls, each of them a loss
to report."""
FREE_GROUPS = 4_000
"""Row groups of a file, or a tenth of its rows: starting one takes a millisecond. Writers create groups of
100 rows and more."""
DAMAGE = (pa.ArrowException, OSError, ValueError)
"""Errors of Arrow on damaged data."""
VERSION = 3


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer of a file.

    rows: of the file. columns: their names. names: those and, with dots, of what structs and lists of structs
    contain. problem: (reason, detail) when the file cannot be read; rows is 0 then.
    """

    rows: int
    columns: tuple[str, ...]
    names: tuple[str, ...]
    problem: tuple[str, str] | None


class _Footer(TypedDict):
    """A Footer as JSON."""

    rows: int
    columns: list[str]
    names: list[str]
    problem: tuple[str, str] | None


def footer(file: Path, cache: Path) -> Footer:
    """Return a file's footer, cached. Raises SourceError when the disk fails."""
    found = cached_index(cache, file, _footer, VERSION)
    problem = (found["problem"][0], found["problem"][1]) if found["problem"] else None
    return Footer(found["rows"], tuple(found["columns"]), tuple(found["names"]), problem)


def spans(path: str, root: Path, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size rows of all Parquet files of a source. A file that cannot be read is
    one span, so that its reason belongs to one part. Raises SourceError when the path is missing, or all
    files are empty."""
    footers = ((file, footer(root / file, cache)) for file in files.listing(path, root, SUFFIXES))
    found = [
        span
        for file, end in footers
        for span in ranges(file, end.rows if end.problem is None else 1, part_size)
    ]
    if not found:
        raise SourceError(f"{path}: the files contain no rows")
    return found


def without_columns(file: str, missing: Sequence[str], names: Sequence[str]) -> Rejected:
    """Return the loss of a file that lacks columns. names: the columns that it has."""
    detail = f"no column {' and '.join(missing)}; the file has {listed(names)[:200]}"
    return Rejected(file, "", "missing_columns", detail)


def rows(
    file: Path, start: int, stop: int, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, object] | LostError]]:
    """Yield (number, row) of a range, or why a row cannot be read: not_utf8, bad_value, too_long,
    too_many_values; too_large for a row group that is not read; damaged, after which nothing follows.

    Continues where this process stopped reading the same columns of the file, unless that is after `start`.
    """
    following = start
    try:
        stat = file.stat()
        key = (str(file), stat.st_size, stat.st_mtime_ns, tuple(columns))
        # removed meanwhile, so that a second reader at the same time gets its own
        reading = _KEPT.pop(key, None) or _Reading(file, columns)
        try:
            for number, row in reading.rows(start, stop):
                following = number + 1
                yield number, row
        finally:
            _KEPT.clear()
            _KEPT[key] = reading
    except DAMAGE as error:
        yield following, LostError("damaged", f"the rows from here on cannot be read: {message_of(error)}")


class _Reading:
    """Some columns of a file, read forward: one row group at a time, one batch of it in memory, and the
    position."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self._file, self._columns = file, columns
        self._opened = pq.ParquetFile(openable(file), pre_buffer=False, buffer_size=PAGE)
        sizes = [
            self._opened.metadata.row_group(group).num_rows for group in range(self._opened.num_row_groups)
        ]
        self._starts = list(accumulate(sizes, initial=0))
        self._group, self._at = -1, 0
        self._rest: pa.RecordBatch | None = None
        self._damage: Exception | None = None
        self._bomb = False
        self._budget = 0
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def rows(self, start: int, stop: int) -> Iterator[tuple[int, dict[str, object] | LostError]]:
        """See the function `rows`. Raises Arrow's errors on damage."""
        self._budget = max(FREE_PART, EXPANSION * self._file.stat().st_size)
        for group, (first, end) in enumerate(pairwise(self._starts)):
            if wanted := range(max(start, first), min(stop, end)):
                yield from self._of_group(group, wanted)
            if self._budget < 0:
                return

    def _of_group(self, group: int, wanted: range) -> Iterator[tuple[int, dict[str, object] | LostError]]:
        if group != self._group or wanted.start < self._at:
            self._begin(group)
        if self._bomb:
            yield (
                wanted.start,
                LostError(
                    "too_large", f"{len(wanted):,} rows unpack to more than {EXPANSION} times their size"
                ),
            )
            return
        while self._at < wanted.stop and (batch := self._batch()) is not None:
            first, stop = self._at, min(batch.num_rows, wanted.stop - self._at)
            skip = max(0, wanted.start - first)
            self._at, self._rest = first + stop, batch.slice(stop) if stop < batch.num_rows else None
            if skip < stop:
                rows = batch.slice(skip, stop - skip)
                # a larger row is lost by itself
                self._budget -= size if (size := sum(map(unpacked, rows.columns))) <= MAX_ROW else 0
                if self._budget < 0:
                    yield (
                        first + skip,
                        LostError(
                            "too_large",
                            f"the rows of this part unpack to more than {EXPANSION} times the size of "
                            "the file",
                        ),
                    )
                    return
                yield from enumerate(_values(rows), first + skip)

    def _begin(self, group: int) -> None:
        leaves = _leaves(self._opened, group, self._columns)
        self._group, self._at, self._rest, self._damage = group, self._starts[group], None, None
        self._bomb = _is_bomb(self._opened, group, leaves)
        self._batches = batches(self._file, self._opened, group, leaves, BATCH)

    def _batch(self) -> pa.RecordBatch | None:
        """The next batch; None after the last. Damage is kept and raised again, so that later spans of
        the group need not decode up to it."""
        if self._rest is not None:
            return self._rest
        if self._damage is not None:
            raise self._damage.with_traceback(None)
        try:
            return next(self._batches, None)
        except DAMAGE as error:
            self._damage = error
            raise


_KEPT: dict[tuple[str, int, int, tuple[str, ...]], _Reading] = {}
"""The file that this process read last. At most one: parts are read in the order of the plan."""


def _is_bomb(opened: pq.ParquetFile, group: int, leaves: Sequence[str]) -> bool:
    return any(
        chunk.total_uncompressed_size > max(FREE, EXPANSION * chunk.total_compressed_size)
        for chunk in _chunks(opened, group, leaves)
    )


def _chunks(opened: pq.ParquetFile, group: int, leaves: Sequence[str]) -> Iterator[pq.ColumnChunkMetaData]:
    chunks = opened.metadata.row_group(group)
    return (
        chunks.column(index)
        for index in range(chunks.num_columns)
        if chunks.column(index).path_in_schema in leaves
    )


def _values(batch: pa.RecordBatch) -> list[dict[str, object] | LostError]:
    """The rows of a batch. A row that cannot be represented in Python, or unpacks to too much, is lost
    alone."""
    try:
        if (values := sum(map(_values_in, batch.columns))) > MAX_VALUES:
            lost = LostError(
                "too_many_values", f"the row has {values:,} values; at most {MAX_VALUES:,} are read"
            )
        elif (size := sum(map(unpacked, batch.columns))) <= MAX_ROW:
            return list(batch.to_pylist())
        else:
            lost = LostError("too_long", f"the row unpacks to {size:,} bytes; at most {MAX_ROW:,} are read")
    except UnicodeDecodeError as error:
        lost = LostError("not_utf8", f"a text of this row is not UTF-8: {error.reason}")
    except (ValueError, OverflowError) as error:
        lost = LostError("bad_value", f"a value of this row cannot be read: {message_of(error)}")
    if batch.num_rows == 1:
        return [lost]
    return [row for number in range(batch.num_rows) for row in _values(batch.slice(number, 1))]


def _values_in(array: pa.Array) -> int:
    """Count the values of an array in its innermost lists and structs."""
    kind = array.type
    if pa.types.is_struct(kind):
        return sum(map(_values_in, array.flatten()))
    if (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_map(kind)
    ):
        return max(len(array), _values_in(array.flatten()))
    return len(array)


def _leaves(opened: pq.ParquetFile, group: int, columns: Sequence[str]) -> list[str]:
    """The leaf columns below the wanted ones, without the `bytes` of structs that have other fields,
    unless the group has no bytes."""
    leaves = {opened.schema.column(index).path: index for index in range(len(opened.schema))}
    below = [path for path in leaves if any(path == name or path.startswith(f"{name}.") for name in columns)]
    beside = {path.rpartition(".")[0] for path in below if not path.endswith(".bytes")}
    chunks = opened.metadata.row_group(group)
    return [
        path
        for path in below
        if not path.endswith(".bytes")
        or path.rpartition(".")[0] not in beside
        # Parquet's name for a column of nulls
        or opened.schema.column(leaves[path]).logical_type.type == "UNKNOWN"
        or _is_null(chunks.column(leaves[path]))
    ]


def _is_null(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether the footer shows that a column of a row group contains only nulls."""
    found = chunk.statistics
    return found is not None and found.has_null_count and found.null_count == chunk.num_values


def _footer(file: Path) -> _Footer:
    try:
        with pq.ParquetFile(openable(file)) as opened:
            schema = opened.schema_arrow
            names = [name for column in schema for name in _names(column.name, column.type)]
            if bomb := _too_large(opened.metadata):
                return {"rows": 0, "columns": [], "names": [], "problem": ("too_large", bomb)}
            return {
                "rows": opened.metadata.num_rows,
                "columns": schema.names,
                "names": names,
                "problem": None,
            }
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # an error of the disk, not of Arrow
            raise
        return {"rows": 0, "columns": [], "names": [], "problem": _problem(file, error)}


def _too_large(metadata: pq.FileMetaData) -> str:
    """Return why a file is not read at all; empty when it is read."""
    packed = unpacked_ = values = 0
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        for index in range(chunks.num_columns):
            chunk = chunks.column(index)
            packed += chunk.total_compressed_size
            unpacked_ += chunk.total_uncompressed_size
            values += chunk.num_values
    if unpacked_ > max(FREE_FILE, EXPANSION * packed):
        return f"its columns unpack to {unpacked_:,} bytes, more than {EXPANSION} times their size"
    if (rows := metadata.num_rows) > max(FREE_ROWS, packed):
        return f"its {packed:,} bytes contain {rows:,} rows"
    if metadata.num_row_groups > max(FREE_GROUPS, rows // 10):
        return f"its {rows:,} rows are in {metadata.num_row_groups:,} row groups"
    if values > max(FREE_VALUES, VALUES_A_BYTE * packed):
        return f"its {packed:,} bytes contain {values:,} values"
    return ""


def _names(name: str, kind: pa.DataType) -> Iterator[str]:
    """Yield a column's name, and with dots the names of what its structs contain, through lists."""
    yield name
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _names(f"{name}.{field.name}", field.type)


def _problem(file: Path, error: Exception) -> tuple[str, str]:
    with file.open("rb") as stream:
        begins = stream.read(4) == b"PAR1"
    if begins:
        return "truncated", f"the Parquet file ends early, or its footer is damaged: {message_of(error)}"
    return "not_parquet", f"not a Parquet file: {message_of(error)}"


def message_of(error: Exception) -> str:
    """Return Arrow's message in one short line."""
    return " ".join(str(error).split())[:100]
