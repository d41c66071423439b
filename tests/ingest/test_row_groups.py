"""A row group is decoded once, however many parts it is read in; any order of the parts gives the same
rows."""

from __future__ import annotations

import gc
import json
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import png

from leafinstruct.images.containers import cell, member
from leafinstruct.ingest.tables import parquet


def made(folder, rows, group):
    path = folder / f"{rows}.parquet"
    table = pa.table(
        {
            "text": [f"row {number} of many" for number in range(rows)],
            "list": [[str(number)] * 3 for number in range(rows)],
        }
    )
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.fixture
def decoded(monkeypatch):
    """Rows that Arrow decodes, counted where it hands out batches."""
    counted = []
    iter_batches = pq.ParquetFile.iter_batches

    def counting(self, *arguments, **options):
        for batch in iter_batches(self, *arguments, **options):
            counted.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    return counted


def read(path, spans):
    return {start: list(parquet.rows(path, start, stop, ["text", "list"])) for start, stop in spans}


def cut(rows, size):
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


@pytest.mark.parametrize("rows", [500, 2000, 8000])
@pytest.mark.parametrize("size", [50, 77])
def test_each_row_of_a_group_is_decoded_once(tmp_path, decoded, rows, size):
    path = made(tmp_path, rows, group=rows)
    found = read(path, cut(rows, size))
    assert sum(decoded) == rows
    assert [number for part in found.values() for number, _ in part] == list(range(rows))
    assert all(
        row == {"text": f"row {number} of many", "list": [str(number)] * 3}
        for part in found.values()
        for number, row in part
    )


def test_two_processes_that_share_the_parts_decode_each_row_once_each(tmp_path, decoded):
    path = made(tmp_path, 2000, group=2000)
    read(path, cut(2000, 100)[::2])
    assert sum(decoded) <= 2000


def test_parts_in_any_order_and_of_many_groups_give_the_same_rows(tmp_path, decoded):
    path = made(tmp_path, 1000, group=300)
    spans = cut(1000, 70)
    straight = read(path, spans)
    assert sum(decoded) == 1000
    shuffled = Random(5).sample(spans, len(spans))
    assert read(path, shuffled) == straight
    assert read(path, reversed(spans)) == straight


def test_two_readers_side_by_side_do_not_take_rows_from_each_other(tmp_path):
    path = made(tmp_path, 300, group=300)
    one, other = (parquet.rows(path, start, start + 100, ["text"]) for start in (0, 100))
    pairs = list(zip(one, other, strict=True))
    assert [(first[0], second[0]) for first, second in pairs] == [
        (number, number + 100) for number in range(100)
    ]


def test_a_reader_that_is_left_early_leaves_the_next_one_whole(tmp_path):
    path = made(tmp_path, 300, group=300)
    left = parquet.rows(path, 0, 100, ["text"])
    assert [next(left)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    left.close()
    assert [number for number, _ in parquet.rows(path, 0, 100, ["text"])] == list(range(100))


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    path = made(tmp_path, 200, group=200)
    assert len(list(parquet.rows(path, 0, 100, ["text"]))) == 100
    pq.write_table(pa.table({"text": [f"new {number}" for number in range(150)]}), path)
    assert next(parquet.rows(path, 100, 150, ["text"])) == (100, {"text": "new 100"})


def test_damage_is_decoded_up_to_once_and_reported_for_every_later_part(tmp_path, decoded):
    path = tmp_path / "cut.parquet"
    texts = [json.dumps(Random(number).random()) * 20 for number in range(4000)]
    table = pa.table({"text": texts})
    pq.write_table(
        table, path, row_group_size=4000, compression="none", use_dictionary=False, data_page_size=2000
    )
    chunk = pq.read_metadata(path).row_group(0).column(0)
    data = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    data[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    found = {start: list(parquet.rows(path, start, stop, ["text"])) for start, stop in cut(4000, 250)}
    lost = {start: part[-1] for start, part in found.items() if isinstance(part[-1][1], parquet.LostError)}
    assert 4 <= len(lost) <= 12
    assert {item[1].reason for item in lost.values()} == {"damaged"}
    later = sorted(lost)[1:]
    assert [lost[start][0] for start in later] == later  # nothing of a later part was read
    assert sum(decoded) <= 4000


def test_images_of_several_columns_are_decoded_once_a_column(tmp_path, decoded):
    path = tmp_path / "two.parquet"
    images = [png(dot=number % 60) for number in range(200)]
    pq.write_table(pa.table({"a": images, "b": images[::-1]}), path, row_group_size=200)
    for row in range(200):
        assert cell(path, member(row, "a", None)) == images[row]
        assert cell(path, member(row, "b", None)) == images[199 - row]
    assert sum(decoded) == 400


@pytest.mark.parametrize("kind", ["list", "struct"])
def test_memory_does_not_grow_with_the_rows_of_a_group_of_alike_urls(tmp_path, kind):
    """URLs shrink as a bomb does, and none of them is long."""

    def most(rows):
        urls = [[f"https://images.example.org/{row:08}/{at}.jpg" for at in range(10)] for row in range(rows)]
        column = urls if kind == "list" else [[{"url": url} for url in row] for row in urls]
        path = tmp_path / f"{kind}-{rows}.parquet"
        pq.write_table(pa.table({"images": column}), path, row_group_size=rows, compression="zstd")
        allocated, found = [], 0
        for start, stop in cut(rows, 500):
            for number, row in parquet.rows(path, start, stop, ["images"]):
                assert row == {"images": column[number]}
                found += 1
            gc.collect()  # what is free, not when the collector comes
            allocated.append(pa.total_allocated_bytes())
        assert found == rows
        return max(allocated)

    gc.freeze()  # else each collection visits all objects of the earlier tests
    try:
        assert most(40_000) < 1.5 * most(10_000)
    finally:
        gc.unfreeze()
