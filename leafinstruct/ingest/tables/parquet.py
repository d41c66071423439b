"""Rows of Parquet files, for every reader of them: plans from footers, streams of row groups, damage as data.

A part is a range of rows of one file. Reading decodes the row groups that the range touches, BATCH rows at a
time and only the columns asked for. Parquet has no way to begin in the middle of a row group, and writers
make groups of up to a million rows, so each process keeps the group open and goes on with its next part where
it stopped: a group is decoded once a process, however many parts it has (benchmarks/parquet.py). Parts that
come in another order are read all the same, each from the group's start. Memory is bounded by pages and one
batch, not by the row group (one of 400 MB: 93 MB, against 505 MB as Arrow reads by default).

Of an image column of `datasets` (a struct of bytes and path) only the path is read: the bytes are wanted when
the image is (images/containers). Where the footer says that a row group holds no bytes at all, images are
their paths, and a null in their place says so. A file that is no Parquet, or is cut (its footer stands at the
end), is one reason, and so is a row with a value that nothing can hold (text that is no UTF-8, the year
10,000).

Chosen: pyarrow, which datasets and our own tables use already; polars reads faster and would be a second copy
of the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.errors import SourceError
from leafinstruct.images.unpacking import MAX_ROW, PAGE, batches, unpacked
from leafinstruct.ingest import files
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.index import Index, remembered
from leafinstruct.ingest.span import Span, ranges

SUFFIXES = (".parquet",)
BATCH = 32
"""Rows decoded at a time, fewer where a row could be large."""
FREE, EXPANSION = 256 << 20, 200
"""A column of a row group that unpacks to more than FREE bytes and EXPANSION times its size is a bomb: 27 kB
can hold forty values of 20 MB, and a page is unpacked whole."""
FREE_PART = 64 << 20
"""Bytes that the rows of a part may unpack to together, or EXPANSION times the size of the file: 20 kB can
hold four hundred rows of one text of 4 MB, each of them a sound document."""
FREE_FILE = 1 << 30
"""Bytes that all row groups of a file may unpack to together, or EXPANSION times what they are packed to."""
FREE_VALUES, VALUES_A_BYTE = 20_000_000, 100
"""Values of a file, or as many for each of its packed bytes: a list that repeats one value takes no room, and
reading 20 million values takes seconds."""
MAX_VALUES = 100_000
"""Values of a row in all its lists together; a document has at most 10,000 pieces."""
FREE_ROWS = 100_000
"""Rows of a file, or one for each of its packed bytes: 737 bytes can hold a million rows of nulls, each of
them a loss to report."""
FREE_GROUPS = 4_000
"""Row groups of a file, or a tenth as many as rows: beginning one takes a millisecond. Writers make groups of
100 rows and more."""
DAMAGE = (pa.ArrowException, OSError, ValueError)
"""What Arrow raises on damaged data."""
VERSION = 3


@dataclass(frozen=True, slots=True)
class Footer:
    """rows: of the file; columns: their names; names: those and, with dots, of what structs and lists of
    structs hold; problem: (reason, sentence) where it cannot be read, rows is 0 then."""

    rows: int
    columns: tuple[str, ...]
    names: tuple[str, ...]
    problem: tuple[str, str] | None


def footer(file: Path, cache: Path) -> Footer:
    """What a file's footer says, remembered. Raises SourceError when the disk refuses it."""
    found = remembered(cache, file, _footer, VERSION)
    return Footer(
        found["rows"],
        tuple(found["columns"]),
        tuple(found["names"]),
        tuple(found["problem"]) if found["problem"] else None,
    )


def spans(path: str, root: Path, part_size: int, cache: Path) -> list[Span]:
    """Ranges of at most part_size rows of all Parquet files of a source; a file that cannot be read is one
    span, so that its reason belongs to one part. Raises SourceError when the path is missing, or all files
    are empty."""
    footers = ((file, footer(root / file, cache)) for file in files.listing(path, root, SUFFIXES))
    found = [
        span
        for file, told in footers
        for span in ranges(file, told.rows if told.problem is None else 1, part_size)
    ]
    if not found:
        raise SourceError(f"{path}: the files hold no rows")
    return found


def rows(
    file: Path, start: int, stop: int, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any] | LostError]]:
    """(number, row) of a range, or why one row cannot be read: not_utf8, bad_value, too_long,
    too_many_values; too_large for a row group that is not read; damaged, after which there is no more.

    Goes on where this process stopped reading the same columns of the file, if that is not behind `start`.
    """
    following = start
    try:
        stat = file.stat()
        key = (str(file), stat.st_size, stat.st_mtime_ns, tuple(columns))
        # taken out, so that a second one at the same time has its own
        reading = _KEPT.pop(key, None) or _Reading(file, columns)
        try:
            for number, row in reading.rows(start, stop):
                following = number + 1
                yield number, row
        finally:
            _KEPT.clear()
            _KEPT[key] = reading
    except DAMAGE as error:
        yield following, LostError("damaged", f"the rows from here on cannot be read: {said(error)}")


class _Reading:
    """Some columns of a file, read forward: one row group at a time, a batch of it in memory, and the place
    where reading stopped."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self._file, self._columns = file, columns
        self._opened = pq.ParquetFile(file, pre_buffer=False, buffer_size=PAGE)
        sizes = [
            self._opened.metadata.row_group(group).num_rows for group in range(self._opened.num_row_groups)
        ]
        self._starts = list(accumulate(sizes, initial=0))
        self._group, self._at = -1, 0
        self._rest: pa.RecordBatch | None = None
        self._damage: Exception | None = None
        self._bomb = False
        self._room = 0
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def rows(self, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any] | LostError]]:
        """See the function `rows`. Raises what Arrow raises on damage."""
        self._room = max(FREE_PART, EXPANSION * self._file.stat().st_size)
        for group, (first, end) in enumerate(pairwise(self._starts)):
            if wanted := range(max(start, first), min(stop, end)):
                yield from self._of_group(group, wanted)
            if self._room < 0:
                return

    def _of_group(self, group: int, wanted: range) -> Iterator[tuple[int, dict[str, Any] | LostError]]:
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
                # else the row itself is lost
                self._room -= size if (size := sum(map(unpacked, rows.columns))) <= MAX_ROW else 0
                if self._room < 0:
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
        """What follows; None behind the last. Damage is kept and raised again, so that each later span of the
        group need not decode up to it."""
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


def _values(batch: pa.RecordBatch) -> list[dict[str, Any] | LostError]:
    """The rows of a batch; where one of them has no value in Python, or unpacks to too much, that one alone
    is lost."""
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
        lost = LostError("bad_value", f"a value of this row cannot be read: {said(error)}")
    if batch.num_rows == 1:
        return [lost]
    return [row for number in range(batch.num_rows) for row in _values(batch.slice(number, 1))]


def _values_in(array: pa.Array) -> int:
    """How many values an array holds in its innermost lists and structs."""
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
    """The leaf columns below the wanted ones, without the `bytes` of structs that hold something else, too,
    unless the group has none."""
    leaves = {opened.schema.column(index).path: index for index in range(len(opened.schema))}
    below = [path for path in leaves if path.partition(".")[0] in columns]
    beside = {path.rpartition(".")[0] for path in below if not path.endswith(".bytes")}
    chunks = opened.metadata.row_group(group)
    return [
        path
        for path in below
        if not path.endswith(".bytes")
        or path.rpartition(".")[0] not in beside
        # how Parquet calls a column of nulls
        or opened.schema.column(leaves[path]).logical_type.type == "UNKNOWN"
        or _is_null(chunks.column(leaves[path]))
    ]


def _is_null(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether the footer says that a column of a row group holds nothing but nulls."""
    told = chunk.statistics
    return told is not None and told.has_null_count and told.null_count == chunk.num_values


def _footer(file: Path) -> Index:
    try:
        with pq.ParquetFile(file) as opened:
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
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's; Arrow's own carry no number
            raise
        return {"rows": 0, "columns": [], "names": [], "problem": _problem(file, error)}


def _too_large(metadata: pq.FileMetaData) -> str:
    """Why nothing of a file is read; empty where it is read."""
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
        return f"its {packed:,} bytes hold {rows:,} rows"
    if metadata.num_row_groups > max(FREE_GROUPS, rows // 10):
        return f"its {rows:,} rows lie in {metadata.num_row_groups:,} row groups"
    if values > max(FREE_VALUES, VALUES_A_BYTE * packed):
        return f"its {packed:,} bytes hold {values:,} values"
    return ""


def _names(name: str, kind: pa.DataType) -> Iterator[str]:
    """A column's name, and with dots those of what its structs hold, through lists."""
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
        return "truncated", f"the Parquet file ends early, or its footer is damaged: {said(error)}"
    return "not_parquet", f"no Parquet file: {said(error)}"


def said(error: Exception) -> str:
    """Arrow's words in one short line."""
    return " ".join(str(error).split())[:100]
