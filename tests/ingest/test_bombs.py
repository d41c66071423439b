"""Archives that unpack to far more than their size: planning reads no more of them than a bound, and what
is beside a bomb is kept."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest.reading import archive, documents, read_all, record, rejected

from leafinstruct.errors import SourceError
from leafinstruct.ingest.archive import archive_budget, archive_index
from leafinstruct.ingest.config import HubSource, ObelicsSource, WarcSource
from leafinstruct.ingest.readers import hub, obelics, warc
from leafinstruct.ingest.tables import parquet
from leafinstruct.ingest.tables.columns import placeholders
from leafinstruct.records.document import Rejected

SECONDS = 10.0
"""Of CPU: the law for an archive."""


@pytest.fixture(autouse=True)
def within_seconds():
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def page(number: int) -> bytes:
    return record(f"http://a.org/{number}", f"<p>Sentence number {number}.</p>".encode())


def bomb(gigabytes: int, declared: int | None = None, sign: bytes = b"\0") -> bytes:
    """A gzip member with a record of so many GB of one sign. declared: the length in its header instead."""
    head = record("http://a.org/bomb", b"")
    size = (gigabytes << 30) if declared is None else declared
    before, _, rest = head.partition(b"Content-Length: ")
    head = before + b"Content-Length: %d" % size + rest[rest.index(b"\r\n") :].removesuffix(b"\r\n\r\n")
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    whole = pack.compress(head) + pack.flush(zlib.Z_FULL_FLUSH)
    unit = zlib.compressobj(9, zlib.DEFLATED, -15)
    step = unit.compress(sign * (1 << 26)) + unit.flush(zlib.Z_FULL_FLUSH)
    return whole + step * (gigabytes << 4) + zlib.compressobj(9, zlib.DEFLATED, -15).flush() + bytes(8)


def crawl(tmp_path, *members: bytes):
    (tmp_path / "a.warc.gz").write_bytes(b"".join(members))
    return read_all(warc, WarcSource(kind="warc", name="own", path=str(tmp_path)), tmp_path / "index")


def urls(items) -> list[str | None]:
    return [item.url for item in documents(items)]


def test_a_record_of_many_gigabytes_of_zeros_is_not_unpacked(tmp_path):
    first, last = gzip.compress(page(1)), gzip.compress(page(2))
    items = crawl(tmp_path, first, bomb(64), last)
    assert urls(items) == ["http://a.org/1", "http://a.org/2"]
    assert rejected(items) == [(f"offset={len(first)}", "too_large", True)]


def test_a_record_that_holds_more_than_it_declares_is_not_unpacked(tmp_path):
    first, last = gzip.compress(page(1)), gzip.compress(page(2))
    items = crawl(tmp_path, first, bomb(64, declared=100), last)
    assert urls(items) == ["http://a.org/1", "http://a.org/2"]
    assert rejected(items) == [(f"offset={len(first)}", "damaged_record", True)]


def test_an_endless_record_of_line_breaks_ends_the_reading_of_its_file(tmp_path):
    first = gzip.compress(page(1))
    items = crawl(tmp_path, first, *[bomb(1, declared=100, sign=b"\n")] * 40, gzip.compress(page(2)))
    assert urls(items) == ["http://a.org/1"]
    assert [reason for _, reason, _ in rejected(items)] == ["damaged_record", "too_damaged"]


def test_a_member_of_a_million_records_costs_itself(tmp_path):
    first = gzip.compress(page(1))
    items = crawl(tmp_path, first, gzip.compress(b"WARC/1.0\r\n\r\n" * 1_000_000), gzip.compress(page(2)))
    assert urls(items) == ["http://a.org/1", "http://a.org/2"]
    assert rejected(items) == [(f"offset={len(first)}", "not_by_record", True)]


def test_records_that_pack_well_count_together_and_others_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_budget, "FREE", 3 << 20)
    expansive = [
        gzip.compress(record(f"http://a.org/{number}", b"<p>x</p>" + b" " * (1 << 20))) for number in range(5)
    ]
    items = crawl(tmp_path, *expansive, *[gzip.compress(page(number)) for number in range(5, 9)])
    assert urls(items) == [f"http://a.org/{number}" for number in (0, 1, 5, 6, 7, 8)]
    assert [reason for _, reason, _ in rejected(items)] == ["too_large"] * 3


@pytest.mark.parametrize("seed", range(4))
def test_sound_records_of_all_sizes_are_read_whatever_is_read_ahead(tmp_path, seed):
    random = Random(seed)
    sizes = random.choices([0, 10, 500, 5_000, 40_000, 300_000, 1_500_000], k=30)
    bodies = [
        random.randbytes(size) if random.random() < 0.5 else b"word %d " % size * (size // 8)
        for size in sizes
    ]
    members = [
        gzip.compress(record(f"http://a.org/{number}", b"<p>x</p>" + body))
        for number, body in enumerate(bodies)
    ]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(members))
    index = archive_index.index(tmp_path / "a.warc.gz", tmp_path / "index")
    assert [length for _, length in index.pages] == list(map(len, members))
    assert index.damages == ()


def test_a_page_of_millions_of_chunks_is_not_joined(tmp_path):
    headers = "Content-Type: text/html\r\nTransfer-Encoding: chunked"
    chunks = record("http://a.org/chunks", b"1;\na\n" * 5_000_000 + b"0\n\n", headers=headers)
    items = crawl(tmp_path, gzip.compress(page(1)), gzip.compress(chunks, 1), gzip.compress(page(2)))
    assert urls(items) == ["http://a.org/1", "http://a.org/2"]
    assert [reason for _, reason, _ in rejected(items)] == ["too_large"]


def test_a_plain_archive_has_no_such_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_budget, "FREE", 1 << 10)
    archive(tmp_path / "a.warc", record("http://a.org/0", b"<p>x</p>" + b" " * (1 << 20)), page(1))
    items = read_all(warc, WarcSource(kind="warc", name="own", path=str(tmp_path)), tmp_path / "index")
    assert urls(items) == ["http://a.org/0", "http://a.org/1"]
    assert rejected(items) == []


def test_a_crawl_index_that_unpacks_to_gigabytes_is_refused(tmp_path):
    archive(tmp_path / "a.warc", page(1))
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    (tmp_path / "i.cdxj.gz").write_bytes(
        b"".join(pack.compress(bytes(1 << 26)) for _ in range(3)) + pack.flush()
    )
    source = WarcSource(
        kind="warc", name="own", path=str(tmp_path / "a.warc"), crawl=True, cdxj=str(tmp_path / "i.cdxj.gz")
    )
    with pytest.raises(SourceError, match="unpacks to more than 200 times its size"):
        read_all(warc, source, tmp_path / "index")


def test_a_table_of_a_million_empty_rows_is_one_reason(tmp_path):
    columns = {
        "texts": pa.nulls(1_000_000, pa.list_(pa.string())),
        "images": pa.nulls(1_000_000, pa.list_(pa.string())),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    items = read_all(
        obelics, ObelicsSource(kind="obelics", name="own", path=str(tmp_path)), tmp_path / "index"
    )
    assert [(item.reason, item.detail) for item in items] == [("too_large", items[0].detail)]
    assert "1,000,000 rows" in items[0].detail


def test_a_table_of_a_row_group_for_each_row_is_one_reason(tmp_path):
    table = pa.table(
        {"texts": [["One sentence."]] * 5_000, "images": pa.array([[None]] * 5_000, pa.list_(pa.string()))}
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    items = read_all(
        obelics, ObelicsSource(kind="obelics", name="own", path=str(tmp_path)), tmp_path / "index"
    )
    assert [item.reason for item in items] == ["too_large"]
    assert "5,000 row groups" in items[0].detail


@pytest.mark.parametrize("segments", [[{"text": "t"}], [{"interleave": [{"text": "t"}, {"image": "i"}]}]])
def test_a_row_of_a_list_longer_than_any_document_costs_itself(tmp_path, segments):
    rows = [{"t": ["a"] * 60_000, "i": [None] * 60_000}, {"t": ["One sentence."], "i": [None]}] * 3
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = read_all(
        hub, HubSource(kind="hub", name="own", path=str(tmp_path), segments=segments), tmp_path / "index"
    )
    assert len(documents(items)) == 3
    assert [reason for _, reason, _ in rejected(items)] == ["too_many_pieces"] * 3


def test_a_text_of_a_million_near_placeholders_is_kept_and_some_are_reported(tmp_path):
    text = " ".join(f"[a{number}_image 1]" for number in range(300_000))
    (tmp_path / "a.jsonl").write_text(json.dumps({"t": text}) + "\n")
    items = read_all(
        hub,
        HubSource(kind="hub", name="own", path=str(tmp_path), segments=[{"text": "t"}]),
        tmp_path / "index",
    )
    assert [len(document.texts[0].text) for document in documents(items)] == [len(text)]
    assert len(rejected(items)) == placeholders.MANY


def test_a_part_of_rows_that_repeat_one_long_text_is_read_up_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "FREE_PART", 80 << 20)
    table = pa.table(
        {
            "texts": pa.array([["a" * (1 << 20)]] * 400),
            "images": pa.array([[None]] * 400, pa.list_(pa.string())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    items = read_all(
        obelics,
        ObelicsSource(kind="obelics", name="own", path=str(tmp_path)),
        tmp_path / "index",
        part_size=400,
    )
    assert 0 < len(documents(items)) <= 80
    assert [reason for _, reason, _ in rejected(items)] == ["too_large"]
    assert (
        sum(
            "the rows of this part unpack to more than" in item.detail
            for item in items
            if isinstance(item, Rejected)
        )
        == 1
    )
