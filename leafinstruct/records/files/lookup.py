"""Find rows of a Parquet table by the value of one column.

Only that column's leaf is read of the whole file (`segments.url` of documents-*: the URLs of images, no
text), then the row groups with a match. Ids and sha256 are hashes, so statistics of row groups exclude
nothing, and sorting a table by them would cost every build for a rare query. DuckDB does the same behind SQL
and was rejected as a second engine for one scan. Cost: see report/explain/find.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leafinstruct.records.document import Document
from leafinstruct.records.files.checked import Wanted, opened
from leafinstruct.records.files.conforming import plain_path
from leafinstruct.records.table import Row, document_of
from leafinstruct.records.url import normal, spellings

Test = Callable[[pa.Array], pa.Array]
"""Values of a column -> which of them match."""


def one_of(wanted: Collection[str]) -> Test:
    """Match texts that equal one of these."""
    values = pa.array(sorted(wanted), pa.string())
    return lambda column: pc.is_in(column, value_set=values)


def same_url(wanted: Collection[str]) -> Test:
    """Match texts that equal one of some URLs in normal form (records/url.py). Only texts that contain the
    host of one are parsed."""
    forms = {normal(url) for url in wanted}
    names = [spellings(url) for url in wanted]
    hosts = {name for each in names for name in each} if all(names) else set()

    def test(column: pa.Array) -> pa.Array:
        coded = column.dictionary_encode()
        values = coded.dictionary
        near = [pc.match_substring(values, name, ignore_case=True) for name in sorted(hosts)]
        possible = reduce(pc.or_, near) if near else pa.array([True] * len(values))
        found = [
            bool(here) and normal(value) in forms
            for here, value in zip(possible.to_pylist(), values.to_pylist(), strict=True)
        ]
        return pa.array(found, pa.bool_()).take(coded.indices)

    return test


def begins(prefix: str) -> Test:
    """Match texts that begin with the prefix."""
    return lambda column: pc.starts_with(column, pattern=prefix)


def rows_where(
    path: Path, column: str, test: Test, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, Row]]:
    """(number, row) of every row in which a value of the column matches; none if the file does not exist.

    column: dotted, through lists and structs (`provenance.file`, `segments.ref.url`); in a list one value is
    enough. columns: what is read of the rows, dotted too; by default all but bytes of images. Raises
    DamagedError.
    """
    if not path.exists():
        return
    with opened(path, _read_of(path, [column], columns)) as file:
        hits = numbers(file, column, test)
        if hits:
            yield from _rows(file, hits, columns)


def values_where(path: Path, column: str, test: Test, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Values of columns of the top level, of every row in which a value of the column matches; see
    `rows_where`. A dotted column reads only this field inside."""
    names = list(dict.fromkeys(name.partition(".")[0] for name in columns))
    for _, row in rows_where(path, column, test, columns):
        yield tuple(row[name] for name in names)


def documents_where(path: Path, column: str, test: Test) -> Iterator[Document]:
    """Documents of a table of them, in which a value of the column matches; see `rows_where`."""
    return (document_of(row) for _, row in rows_where(path, column, test))


def _read_of(path: Path, *columns: Sequence[str] | None) -> Wanted:
    """Select the leaves under some dotted columns, which are then verified."""
    with opened(path, lambda _: False) as file:
        leaves = {leaf for names in columns for leaf in _leaves(file, names)}
    return lambda leaf: leaf in leaves


def numbers(file: pq.ParquetFile, column: str, test: Test) -> list[int]:
    """Numbers of the matching rows, ascending and each once."""
    (leaf,) = _leaves(file, [column])
    values = file.read(columns=[leaf], use_threads=False).column(0).combine_chunks()
    rows = pa.array(range(len(values)), pa.int64())
    while not pa.types.is_string(values.type):
        if pa.types.is_struct(values.type):
            values = pc.struct_field(values, [0])
        else:
            rows, values = rows.take(pc.list_parent_indices(values)), pc.list_flatten(values)
    return [
        int(number)
        for number in pc.unique(rows.filter(test(values), null_selection_behavior="drop")).to_pylist()
    ]


def _rows(file: pq.ParquetFile, hits: list[int], columns: Sequence[str] | None) -> Iterator[tuple[int, Row]]:
    leaves = _leaves(file, columns)
    first = 0
    for group in range(file.num_row_groups):
        behind = first + file.metadata.row_group(group).num_rows
        here = [number for number in hits if first <= number < behind]
        if here:
            taken = file.read_row_group(group, columns=leaves, use_threads=False).take(
                [number - first for number in here]
            )
            yield from zip(here, taken.to_pylist(), strict=True)
        first = behind


def _leaves(file: pq.ParquetFile, columns: Sequence[str] | None) -> list[str]:
    """Paths of the file's leaves under the dotted columns, given without the levels that Parquet adds to
    lists."""
    schema = file.schema
    leaves = [schema.column(index) for index in range(len(schema))]
    if columns is None:
        return [
            leaf.path
            for leaf in leaves
            if leaf.logical_type.type == "STRING" or leaf.physical_type != "BYTE_ARRAY"
        ]
    plain = {leaf.path: plain_path(leaf.path) for leaf in leaves}
    return [
        path
        for path, name in plain.items()
        if any(name == column or name.startswith(f"{column}.") for column in columns)
    ]
