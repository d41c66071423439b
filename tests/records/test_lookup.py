"""Rows by the value of one column: against a plain reading of the whole table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafinstruct.errors import DamagedError
from leafinstruct.records.files import checked
from leafinstruct.records.files.lookup import begins, one_of, rows_where

NAME = st.none() | st.sampled_from(["aa", "ab", "b", ""])
ITEM = st.none() | st.fixed_dictionaries(
    {"url": NAME, "ref": st.none() | st.fixed_dictionaries({"url": NAME})}
)
ROWS = st.lists(
    st.fixed_dictionaries({"id": NAME, "segments": st.none() | st.lists(ITEM, max_size=4)}), max_size=30
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("number", pa.int64()),
        ("bytes", pa.binary()),
        ("segments", pa.list_(pa.struct([("url", pa.string()), ("ref", pa.struct([("url", pa.string())]))]))),
    ]
)


def values(row: dict, column: str) -> set:
    items = [item or {} for item in row["segments"] or ()]
    return {
        "id": {row["id"]},
        "segments.url": {item.get("url") for item in items},
        "segments.ref.url": {(item.get("ref") or {}).get("url") for item in items},
    }[column]


@settings(max_examples=60)
@given(ROWS, st.sampled_from(["id", "segments.url", "segments.ref.url"]), st.integers(1, 7))
def test_it_finds_what_reading_everything_finds_whatever_the_row_groups(
    tmp_path_factory, found, column, group
):
    path = tmp_path_factory.mktemp("lookup") / "a.parquet"
    whole = [{**row, "number": number, "bytes": b"x"} for number, row in enumerate(found)]
    pq.write_table(pa.Table.from_pylist(whole, SCHEMA), path, row_group_size=group)
    checked.put_seal(path)
    for test, meant in (
        (one_of({"aa", "b"}), lambda value: value in ("aa", "b")),
        (begins("a"), lambda value: (value or "").startswith("a")),
    ):
        expected = [row["number"] for row in whole if any(map(meant, values(row, column)))]
        assert [number for number, _ in rows_where(path, column, test)] == expected
        assert [row["number"] for _, row in rows_where(path, column, test)] == expected


def test_no_bytes_are_read_and_columns_can_be_chosen(tmp_path):
    path = tmp_path / "a.parquet"
    row = {"id": "aa", "number": 7, "bytes": b"x", "segments": [{"url": "u", "ref": None}]}
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), path)
    checked.put_seal(path)
    assert [set(found) for _, found in rows_where(path, "id", one_of({"aa"}))] == [
        {"id", "number", "segments"}
    ]
    assert list(rows_where(path, "id", one_of({"aa"}), ["segments.url"])) == [
        (0, {"segments": [{"url": "u"}]})
    ]


def test_a_missing_file_holds_nothing_and_a_cut_one_is_named(tmp_path: Path):
    path = tmp_path / "a.parquet"
    assert list(rows_where(path, "id", one_of({"aa"}))) == []
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DamagedError, match=r"a\.parquet: it is cut or damaged; `leaf verify` lists"):
        list(rows_where(path, "id", one_of({"aa"})))
