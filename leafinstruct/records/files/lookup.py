"""Rows of a Parquet table by the value of one column, for whoever looks for one record among many.

Only that column's leaf is read of the whole file (`segments.url` of documents-*: the addresses of images, no
text), then those row groups that hold a hit. Ids and sha256 are hashes, so statistics of row groups rule
nothing out, and a table sorted by them would cost every build for the sake of a question seldom asked. DuckDB
does the same behind SQL and was refused as a second engine for one scan.
Cost: see report/explain/find.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leafinstruct.records.files.checked import Wanted, opened
from leafinstruct.records.table import Row
from leafinstruct.records.url import normal, spellings

Test = Callable[[pa.Array], pa.Array]
"""Values of a column -> which of them are meant."""


def one_of(wanted: Collection[str]) -> Test:
    values = pa.array(sorted(wanted), pa.string())
    return lambda column: pc.is_in(column, value_set=values)


def same_url(wanted: Collection[str]) -> Test:
    """Texts that are one of some URLs in their normal form (records/url.py). Only those that hold the host of
    one are taken apart."""
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
    return lambda column: pc.starts_with(column, pattern=prefix)


def rows_where(
    path: Path, column: str, test: Test, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, Row]]:
    """(number, row) of every row in which a value of the column is meant; none where the file is not there.

    column: dotted, through lists and structs (`provenance.file`, `segments.ref.url`); of a list one value is
    enough. columns: what is read of the rows, dotted too; by default all but bytes of images. Raises
    DamagedError.
    """
    if not path.exists():
        return
    with opened(path, _read_of(path, [column], columns)) as file:
        hits = numbers(file, column, test)
        if hits:
            yield from _rows(file, hits, columns)


def _read_of(path: Path, *columns: Sequence[str] | None) -> Wanted:
    """The leaves under some dotted columns, which are those that are compared."""
    with opened(path, lambda _: False) as file:
        leaves = {leaf for names in columns for leaf in _leaves(file, names)}
    return lambda leaf: leaf in leaves


def numbers(file: pq.ParquetFile, column: str, test: Test) -> list[int]:
    """Numbers of the rows, ascending and each once."""
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
    """Paths of the file's leaves under the dotted columns, without the levels that Parquet puts into
    lists."""
    schema = file.schema
    leaves = [schema.column(index) for index in range(len(schema))]
    if columns is None:
        return [
            leaf.path
            for leaf in leaves
            if leaf.logical_type.type == "STRING" or leaf.physical_type != "BYTE_ARRAY"
        ]
    plain = {leaf.path: leaf.path.replace(".list.element", "").replace(".list.item", "") for leaf in leaves}
    return [
        path
        for path, name in plain.items()
        if any(name == column or name.startswith(f"{column}.") for column in columns)
    ]
