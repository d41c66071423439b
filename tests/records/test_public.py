"""The published row is read in the shape of the current schema, whichever schema a shard was written in."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.golden import FOLDERS, SHARDS, earlier_and_later
from records.regenerate import edit, guide

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.records import public, shards
from leafinstruct.records.published_row import row_of

NEW = ("page_url", "title", "language")


def read(path: Path, columns: list[str] | None = None, **how: Any) -> list[dict[str, Any]]:
    return [row for batch in public.open_shard(path).batches(columns, **how) for row in batch.to_pylist()]


def test_rows_of_schema_1_have_the_columns_of_schema_3():
    for path in SHARDS["1"]:
        stored = pq.read_table(path).to_pylist()
        assert not set(NEW) & set(stored[0])
        unknown = {"owner": None, "owner_found": "unknown"}
        assert read(path) == [
            {**row, **dict.fromkeys(NEW), "image_info": [info | unknown for info in row["image_info"]]}
            for row in stored
        ]
        assert public.open_shard(path).version == "1"


@pytest.mark.parametrize(("version", "without"), [("2", {"language": None}), ("3", {})])
def test_rows_are_as_they_were_made(version, without):
    """Those of schema 2 lack the language and nothing else."""
    for path, (example, images) in zip(SHARDS[version], (edit(), guide()), strict=True):
        data = {image.sha256: image_data for image, image_data in zip(example.images, images, strict=True)}
        assert read(path) == [row_of(example, data, "golden@dev") | without]
        assert public.open_shard(path).version == version


def test_rows_of_schema_3_have_the_language_of_their_document():
    assert [read(path, ["language"]) for path in SHARDS["3"]] == [[{"language": "en"}], [{"language": None}]]
    assert not any("language" in pq.read_schema(path).names for version in "12" for path in SHARDS[version])


def test_owners_are_read_from_schema_2():
    owners = [
        [(info["owner"], info["owner_found"]) for info in read(path)[0]["image_info"]] for path in SHARDS["2"]
    ]
    assert owners == [[(1, "stated"), (3, "stated")], [(1, "inferred"), (3, "inferred"), (None, "unknown")]]


@pytest.mark.parametrize("version", FOLDERS)
def test_every_batch_has_the_current_schema(version):
    for path in SHARDS[version]:
        for batch in public.open_shard(path).batches():
            assert batch.schema.equals(public.schema())
            batch.validate(full=True)


def test_a_shard_without_a_later_column_is_filled_and_an_unknown_column_is_left_out(tmp_path):
    (row,) = read(earlier_and_later(tmp_path))
    (whole,) = read(SHARDS["2"][0])
    assert row == {
        **whole,
        "title": None,
        "image_info": [{**info, "owner": None} for info in whole["image_info"]],
    }
    assert [info["owner_found"] for info in row["image_info"]] == ["stated", "stated"]


@pytest.mark.parametrize("version", FOLDERS)
@pytest.mark.parametrize(
    "columns",
    [
        ["title"],
        ["page_url", "title"],
        ["id", "title"],
        ["language", "id"],
        ["image_info.list.element.owner"],
        ["image_info.owner_found"],
        ["image_info.list.element.license", "image_info.list.element.owner"],
        ["messages.list.element.role", "messages.list.element.content.list.element.type"],
        ["provenance.models.name", "image_info"],
        ["images.list.element.path"],
        ["scores", "task"],
    ],
)
def test_projected_columns_are_those_of_whole_rows(version, columns):
    for path in SHARDS[version]:
        assert read(path, columns) == [only(row, columns) for row in read(path)]


def only(value: Any, columns: list[str], path: str = "") -> Any:
    """What is left of a row, or of something in it, when only some dotted columns are read."""
    short = [name.replace(".list.element", "") for name in columns]
    if path in short:
        return value
    if isinstance(value, list):
        return [only(item, columns, path) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: f"{path}.{name}".lstrip(".") for name in value}
    return {
        name: only(value[name], columns, own)
        for name, own in inner.items()
        if any(
            own == wanted or own.startswith(f"{wanted}.") or wanted.startswith(f"{own}.") for wanted in short
        )
    }


infos = st.none() | st.lists(
    st.none()
    | st.fixed_dictionaries(
        {"sha256": st.none() | st.text(max_size=3), "width": st.none() | st.integers(1, 9)}
    )
)


@given(st.lists(infos, min_size=1, max_size=40), st.integers(1, 7), st.integers(1, 20))
def test_nulls_and_batch_borders_change_nothing(found, size, group):
    """A file that lacks most fields of image_info, whose lists and entries may be null, read in batches that
    cut row groups anywhere."""
    kind = pa.list_(pa.struct([("sha256", pa.string()), ("width", pa.int32())]))
    given = [{"id": str(number), "image_info": info} for number, info in enumerate(found)]
    schema = pa.schema([("id", pa.string()), ("image_info", kind)], {b"leafinstruct.schema": b"2"})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(given, schema=schema), buffer, row_group_size=group)
    buffer.seek(0)
    shard = public.PublishedShard(Path("x"), pq.ParquetFile(buffer))
    rows = [
        row
        for batch in shard.batches(["id", "image_info.width", "image_info.owner_found"], size)
        for row in batch.to_pylist()
    ]
    assert [row["id"] for row in rows] == [row["id"] for row in given]
    for row, info in zip(rows, found, strict=True):
        expected = info and [item and {"width": item["width"], "owner_found": "unknown"} for item in info]
        assert row["image_info"] == expected
    batches = list(shard.batches(["image_info.owner", "title"], size))
    assert all(batch.validate(full=True) is None for batch in batches)
    assert sum(batch.num_rows for batch in batches) == len(found)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (
            {b"leafinstruct.schema": b"4"},
            "rows of schema 4, and this version reads 1, 2 and 3; update leafinstruct, or build",
        ),
        (
            {b"leafinstruct.schema": b"0"},
            "rows of schema 0, and this version reads 1, 2 and 3; build the dataset with this version",
        ),
        (
            {b"leafinstruct.schema": b""},
            "rows of schema '', and this version reads 1, 2 and 3; build the dataset with this version",
        ),
        ({b"leafinstruct.schema": b"2\n\xff\x1b[31m" + b"x" * 99}, "rows of schema '2\\n\\ufffd\\x1b[31mxxx"),
        ({b"leafinstruct.schema": "²".encode()}, "rows of schema '\\xb2', and"),
        ({b"leafinstruct.schema": b"9" * 5000}, "rows of schema '99999"),
        ({}, "states no schema of its rows, so leaf did not write it; give a shard that `leaf build` wrote"),
    ],
)
def test_an_unknown_schema_is_refused_in_one_line(tmp_path, metadata, sentence):
    path = tmp_path / "guide.train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(SHARDS["2"][0]).replace_schema_metadata(metadata), path)
    with pytest.raises(SchemaError) as caught:
        next(shards.rows(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert sentence in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 200


def test_a_missing_column_of_schema_1_and_a_column_of_another_type_are_refused(tmp_path):
    table = pq.read_table(SHARDS["2"][0])
    path = tmp_path / "a.train-00000-of-00001.parquet"
    pq.write_table(table.drop_columns(["license"]), path)
    with pytest.raises(SchemaError, match="no column license, which rows of every schema have"):
        read(path, ["license"])
    assert read(path, ["id", "title"]) == [{"id": "2ed1700000000001", "title": "A ball in the snow"}]
    at = table.schema.names.index("title")
    pq.write_table(table.set_column(at, "title", pa.array([[1, 2]] * len(table))), path)
    with pytest.raises(SchemaError, match=r"column title is list<.*>, and rows of schema 3 have string"):
        read(path, ["title"])
    with pytest.raises(ValueError, match="the published row has no column titel"):
        read(path, ["titel"])


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"none\.parquet: cannot be read as Parquet"):
        public.open_shard(tmp_path / "none.parquet")
    assert list(shards.values(tmp_path / "none.parquet", "id")) == []


@pytest.mark.parametrize("version", FOLDERS)
def test_rows_are_found_by_a_value(version, tmp_path):
    ids = {path: read(path, ["id"])[0]["id"] for path in SHARDS[version]}
    for path, own in ids.items():
        assert list(shards.numbers(path, "id", set(ids.values()))) == [(0, own)]
        assert list(shards.numbers(path, "id", {"other"})) == []


def test_reading_holds_one_batch_whatever_the_row_group(tmp_path):
    """One row group of 32 rows with 1 MB of images each, of schema 1: batches of two rows are read, not the
    group."""
    path = tmp_path / "guide.train-00000-of-00001.parquet"
    table = pq.read_table(SHARDS["1"][1])
    (row,) = table.to_pylist()
    noise = random.Random(0)
    given = [{**row, "images": [{"bytes": noise.randbytes(1 << 20), "path": None}]} for _ in range(32)]
    with pq.ParquetWriter(path, table.schema, **public.WRITER) as file:
        file.write_table(pa.Table.from_pylist(given, schema=table.schema))
    del given
    assert public.open_shard(path).row_groups == 1
    before, most = pa.total_allocated_bytes(), 0
    for batch in public.open_shard(path).batches(size=2):
        most = max(most, pa.total_allocated_bytes() - before)
        assert batch.num_rows <= 2
    assert most < 12 << 20
