"""Parquet whose dictionaries repeat one value many times: what it may cost, and that reading them packed
loses and moves nothing of ordinary files."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest.reading import documents, read_all, rejected

from leafinstruct.images.containers import cell, member
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.ingest.config import HubSource
from leafinstruct.ingest.readers import hub

VALUE, TIMES = 20_000_000, 1_000
MEGABYTES = 300
"""Allowed at the peak above what the process has before: ten copies of the value and the rest are never
made."""
SCRIPT = """
import resource, sys
from pathlib import Path
from leafinstruct.ingest.readers import hub
from leafinstruct.ingest.config import HubSource
from leafinstruct.images.containers import cell, member
path, column = Path(sys.argv[1]), sys.argv[2]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = HubSource(name="h", path=str(path), segments=[{"text": "title"}, {"text": column}])
before = peak()
if column == "texts":
    found = [item for span in hub.plan(source, 5, path.parent) for item in hub.read(source, span, path.parent)]
else:
    found = [cell(path, member(row, column, 0)) for row in range(2)]
print([getattr(item, "reason", "") for item in found], (peak() - before) // 1024, sep=";")
"""  # noqa: E501


def repeated(value: Any, rows: list[int]) -> pa.Array:
    """Lists of so many times the same value, which is in the file once."""
    starts = [sum(rows[:row]) for row in range(len(rows) + 1)]
    values = pa.DictionaryArray.from_arrays(pa.array([0] * starts[-1], pa.int32()), pa.array([value]))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), values)


@pytest.mark.parametrize(
    ("column", "value", "reason"), [("texts", "x" * VALUE, "too_long"), ("images", b"x" * VALUE, "too_large")]
)
def test_a_row_that_repeats_one_value_a_thousand_times_costs_the_value_once(tmp_path, column, value, reason):
    """20 GB in 1 kB; in a process of its own, so that its peak is the bomb's."""
    path = tmp_path / "a.parquet"
    table = pa.table({"title": ["a bomb", "Fold it."], column: repeated(value, [TIMES, 0])})
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 10_000
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, path, column],
        capture_output=True,
        text=True,
        check=True,
    )
    reasons, megabytes = found.stdout.strip().split(";")
    assert reasons == str([reason, "" if column == "texts" else "missing_cell"])
    assert int(megabytes) < MEGABYTES


@pytest.mark.parametrize("limit", [1, 2_000, 1 << 20])
def test_a_dictionary_that_ends_in_the_middle_of_a_column_loses_and_moves_nothing(tmp_path, limit):
    """Arrow's writer gives a dictionary up when it grows too large; the rest is in the file unchanged."""
    texts = [
        [f"row {row} text {number} {'x' * 900}" if row > 60 else "early" for number in range(row % 4)]
        + ["the same"]
        for row in range(300)
    ]
    titles = [
        None if row % 50 == 9 else f"title {row % 3}" if row < 150 else f"title {row}" for row in range(300)
    ]
    table = pa.table({"title": titles, "texts": texts, "large": pa.array(titles, pa.large_string())})
    path = tmp_path / "a.parquet"
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=130,
        data_page_size=500,
        dictionary_pagesize_limit=limit,
    )
    source = HubSource(
        name="h", path=str(path), segments=[{"text": "title"}, {"text": "large"}, {"text": "texts"}]
    )
    items = read_all(hub, source, tmp_path / "cache", part_size=37)
    found = [[item.text for item in document.texts] for document in documents(items)]
    assert found == [
        [*[title] * (2 if title else 0), *several] for title, several in zip(titles, texts, strict=True)
    ]
    assert all(not whole for _, _, whole in rejected(items))


@pytest.mark.parametrize("limit", [1, 3_000, 1 << 20])
def test_so_do_its_images(tmp_path, limit):
    images = [
        [
            {"bytes": f"image {row if row > 60 else 0}".encode() + bytes(900), "path": None}
            for number in range(row % 3)
        ]
        for row in range(300)
    ]
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"p": images}),
        path,
        compression="zstd",
        row_group_size=130,
        data_page_size=500,
        dictionary_pagesize_limit=limit,
    )
    for row in (*range(300), 5, 299):
        found = [cell(path, member(row, "p", number)) for number in range(len(images[row]))]
        assert found == [item["bytes"] for item in images[row]]
    assert isinstance(cell(path, member(0, "p", 0)), Unreadable)
