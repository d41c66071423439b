"""Bounds on how many and how wide: each is a reason with its place, and what is beside it is kept."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import tarfile
import time
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import leaf
from ingest.reading import archive, documents, outline, read_all, record, rejected
from making import build, recipe
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.filter.scores.text import repetition
from leafinstruct.images import read as reading
from leafinstruct.ingest.archive import archive_index
from leafinstruct.ingest.config import HtmlSource, HubSource, Mmc4Source, ObelicsSource, WarcSource
from leafinstruct.ingest.losses import LISTED
from leafinstruct.ingest.page import sources
from leafinstruct.ingest.page.attributes import too_wide
from leafinstruct.ingest.page.nesting import too_expensive
from leafinstruct.ingest.page.page import PageError, parse
from leafinstruct.ingest.page.srcset import candidates
from leafinstruct.ingest.readers import html, hub, mmc4, obelics, warc
from leafinstruct.ingest.tables import lines, parquet, tar
from leafinstruct.records.document import Rejected
from leafinstruct.records.text.words import identity

SECONDS = 10.0
"""Of CPU: the law for a page, an image, a table, an archive."""


@pytest.fixture(autouse=True)
def within_seconds():
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


# --- pages
# ----------------------------------------------------------------------------------------------------

NAMED = " ".join(f"a{number}=1" for number in range(100_000))


@pytest.mark.parametrize(
    "body",
    [
        f"<p {NAMED}>x",
        f"<p>x</p {NAMED}>",
        f"<p a=b\"c'd {NAMED}>x",
        f"<!-- x --!><p {NAMED}>x",
        f"<p {NAMED.replace('=1 ', '/')}>x",
        f"<p {NAMED.replace('=1 ', '=' + chr(39) * 2)}>x",
        f"<svg><font><script><p {NAMED}>x",
        f"<title></title\xa0><!--</title><p {NAMED}>x",
        f'<p a=\xa0"><p {NAMED}>x',
        "".join(f"<html a{number}=1>" for number in range(30_000)),
        "".join(f"<BODY a{number}=1 b{number}>" for number in range(20_000)),
    ],
    ids=[
        "tag",
        "end",
        "quotes",
        "comment",
        "slashes",
        "together",
        "drawing",
        "title",
        "no-break",
        "html",
        "body",
    ],
)
def test_a_tag_of_too_many_attributes_costs_its_page(body):
    with pytest.raises(PageError) as error:
        parse(f"<html><body><h1>T</h1>{body}".encode())
    assert error.value.reason == "too_wide"
    assert "attributes" in error.value.detail


def test_a_wide_page_is_a_reason_and_its_neighbor_is_kept(tmp_path):
    (tmp_path / "a.html").write_text(f"<p {NAMED}>x")
    (tmp_path / "b.html").write_text("<p>One sentence.")
    items = read_all(html, HtmlSource(kind="html", name="s", path=str(tmp_path)), tmp_path / "cache")
    assert [item.provenance.file for item in documents(items)] == ["b.html"]
    assert [(item.file, item.reason) for item in items if isinstance(item, Rejected)] == [
        ("a.html", "too_wide")
    ]


def test_pages_with_many_attributes_and_scripts_are_read():
    wide = " ".join(f"data-a{number}='x > y'" for number in range(2_000))
    script = "<script>" + "for(var i=0;i<n;i++){if(a<b){c='" + "x/y " * 200 + "'}}" * 100 + "</script>"
    assert too_wide(f"<p {wide}>text</p>{script}" + "<div class=a id=b style='c: d'>x</div>" * 20_000) == ""


def test_no_tag_of_the_parser_has_more_attributes_than_are_counted(monkeypatch):
    """Random tags of every sign that decides where an attribute ends, behind random marks that change the
    state of the parser."""
    monkeypatch.setattr("leafinstruct.ingest.page.attributes.EFFORT", 200 * 200)
    monkeypatch.setattr("leafinstruct.ingest.page.nesting.EFFORT", 200 * 200)
    monkeypatch.setattr("leafinstruct.ingest.page.nesting._SMALL", 0)
    chosen = random.Random(3)
    signs = [
        "a",
        "b",
        " ",
        "/",
        "=",
        '"',
        "'",
        "<",
        ">",
        "\n",
        "\xa0",
        "\0",
        "<!--",
        "-->",
        "<title>",
        "</title>",
        "<svg>",
        "<script>",
        "</script>",
    ]
    wide = 0
    for _ in range(150):
        before = "".join(chosen.choices(signs, k=12))
        between = [
            chosen.choice(["/", " ", "\n", "=b ", "='x'", '=">" ', "=< ", '=b<c="d ', "=b<' ", "=b'< "])
            for _ in range(3_000)
        ]
        text = f"{before}<p " + "".join(f"a{number}{sign}" for number, sign in enumerate(between)) + "><p>x"
        found = max(len(node.attributes) for node in LexborHTMLParser(text).root.traverse())
        wide += found > 800
        if found > 800:
            assert too_wide(text) or too_expensive(text) == "too_wide"
    assert wide > 20


def test_data_urls_that_the_page_writes_with_escapes_cost_no_search_each(tmp_path):
    pixels = base64.b64encode(bytes(range(256)) * 300).decode()
    plain = [f"data:image/png;base64,{letter}{pixels}" for letter in "ab"]
    escaped = f"<img src='data:image/png;base64,&#65;{pixels}'>" * 195
    body = f"<p>text{escaped}<img src='{plain[0]}'><img src='{plain[1]}'><img src='{plain[0]}'>".encode()
    (tmp_path / "a.html").write_bytes(body)
    items = read_all(html, HtmlSource(kind="html", name="s", path=str(tmp_path)), tmp_path / "cache")
    (document,) = documents(items)
    places = [(image.ref.offset, image.ref.length) for image in document.images]
    assert places == [
        *((body.index(url.encode()), len(url)) for url in plain),
        (body.rindex(plain[0].encode()), len(plain[0])),
    ]
    assert Counter(reason for _, reason, _ in rejected(items)) == {"data_uri": 195}


def test_an_image_of_too_many_candidates_is_lost_and_its_neighbor_is_not():
    many = ", ".join(f"a{number}.png {number}w" for number in range(100_000))
    sets = f"<picture>{'<source srcset=b.png>' * 100_000}<img src=c.png></picture>"
    page = parse(
        f"<p>text<img src=x.png srcset='{many}'><p>more<img srcset='s.png 1x, l.png 2x'>{sets}".encode()
    )
    images = [piece for piece in page.pieces if isinstance(piece, sources.PageImage)]
    assert [(item.problem, item.sources[:2]) for item in images[:2]] == [
        ("too_many_sources", ()),
        ("", ("l.png", "s.png")),
    ]


@pytest.mark.parametrize(
    "srcset",
    [
        "," * 4_000_000,
        "a" * 4_000_000,
        "a" + " " * 4_000_000 + "x",
        "a 1.1.1 " * 400_000,
        "a " + "9" * 4_000_000,
    ],
)
def test_a_srcset_of_one_sign_takes_no_time(srcset):
    assert parse(f"<p>text<img src=x.png srcset='{srcset}'>".encode()).pieces


def test_candidates_are_read_as_browsers_read_them():
    found = list(
        candidates(" a.png 100w 50h, b,c.png 300w,data:image/png;base64,AA 2x, d.png, e 1.1.1x, f.png")
    )
    assert found == [
        (100, "a.png"),
        (300, "b,c.png"),
        (2000, "data:image/png;base64,AA"),
        (1000, "d.png"),
        (1000, "f.png"),
    ]


# --- reports
# ----------------------------------------------------------------------------------------------------


def test_a_part_lists_few_losses_and_counts_all(tmp_path):
    sound = json.dumps(
        {"text_list": ["A sentence of some words that is kept.", "And another one."], "image_info": []}
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text(
        "\n".join([sound, *["x"] * 400, *['{"text_list": 1}'] * 3, sound]) + "\n"
    )
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"min_words": 1, "min_images": 0},
    )
    build(path, engine=None, until="ingest")
    (status, *_) = json.loads(leaf("status", path, "--json").stdout)["stages"]
    assert status["counts"]["documents"] == 2
    assert status["reasons"] == {"broken_json": 400, "no_text_list": 3}
    assert status["unlisted"] == {"broken_json": 400 - LISTED}
    listed = [item["locator"] for item in status["rejected"] if item["reason"] == "broken_json"]
    assert listed == [f"line={number}" for number in range(2, 2 + LISTED)]
    assert [item["locator"] for item in status["rejected"] if item["reason"] == "no_text_list"] == [
        "line=402",
        "line=403",
        "line=404",
    ]
    explained = json.loads(leaf("explain", "a.jsonl line=2", path, "--json").stdout)
    gone = leaf("explain", "a.jsonl line=300", path)
    assert [item["reason"] for item in explained["rejected"]] == ["broken_json"]
    assert gone.returncode == 1
    assert "300 losses" in gone.stderr


# --- archives
# ----------------------------------------------------------------------------------------------------


def crawl(tmp_path: Path, name: str, *records: bytes) -> list:
    archive(tmp_path / name, *records)
    return read_all(warc, WarcSource(kind="warc", name="s", path=str(tmp_path)), tmp_path / "cache")


def page(number: int) -> bytes:
    return record(f"http://a.org/{number}", b"<html><body><p>A page of words</p></body></html>")


def lying(length: str) -> bytes:
    head, _, body = page(9).partition(b"Content-Length: ")
    return head + b"Content-Length: " + length.encode() + body[body.index(b"\r\n") :]


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize(
    "length",
    ["1" + "0" * 18, "9" * 30, "9" * 5_000, "-5", "five", "", str(2**63), str(2**64 + 100), "1000000", "7"],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_length_that_no_record_has_costs_its_record(tmp_path, suffix, length, last):
    records = [page(1), page(2), lying(length)] if last else [page(1), lying(length), page(2)]
    items = crawl(tmp_path, f"a{suffix}", *records)
    assert [item.url for item in documents(items)] == ["http://a.org/1", "http://a.org/2"]
    (lost,) = rejected(items)
    cut = last and length == "1000000" and suffix == ".warc"
    assert lost[1] == ("truncated" if cut else "damaged_record")


def test_a_damaged_record_is_not_the_end_of_the_build(tmp_path):
    (tmp_path / "data").mkdir()
    archive(tmp_path / "data/a.warc", page(1), lying("1" + "0" * 18), page(2))
    path = recipe(tmp_path, ingest={"sources": [{"kind": "warc", "name": "own", "path": "data"}]})
    (outcome,) = build(path, until="ingest")
    assert outcome.record["counts"]["documents"] == 2
    assert outcome.record["reasons"] == {"damaged_record": 1}


def test_an_archive_of_damaged_records_reports_where_reading_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_index, "MAX_DAMAGES", 3)
    items = crawl(tmp_path, "a.warc", page(1), *[lying("7")] * 5, page(2))
    assert [reason for _, reason, _ in rejected(items)] == ["damaged_record"] * 3 + ["too_damaged"]


def test_a_record_that_is_longer_than_any_page_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(warc, "MAX_RECORD", 5_000)
    items = crawl(tmp_path, "a.warc", record("http://a.org/1", b"<p>" + b"x" * 6_000), page(2))
    assert [item.url for item in documents(items)] == ["http://a.org/2"]
    assert rejected(items) == [("offset=0", "too_large", True)]


def test_a_record_is_decoded_once_for_all_images_in_it(tmp_path, monkeypatch):
    images = "".join(
        f"<p>text {number}<img src='data:image/png;base64,{'ABCD' * (300 + number)}'>" for number in range(20)
    )
    (document,) = documents(
        crawl(tmp_path, "a.warc.gz", record("http://a.org/1", f"<html><body>{images}".encode()))
    )
    decoded = []
    monkeypatch.setattr(
        reading, "response", lambda data, limit, real=reading.response: decoded.append(1) or real(data, limit)
    )
    found = [reading.fetch(image.ref, tmp_path) for image in document.images]
    assert [len(data) for data in found] == [3 * (300 + number) for number in range(20)]
    assert len(decoded) == 1


def test_a_body_of_empty_gzip_members_costs_itself(tmp_path):
    packed = record(
        "http://a.org/1",
        gzip.compress(b"") * 300_000,
        headers="Content-Type: text/html\r\nContent-Encoding: gzip",
    )
    items = crawl(tmp_path, "a.warc", packed, page(2))
    assert [item.url for item in documents(items)] == ["http://a.org/2"]
    assert rejected(items) == [("offset=0", "too_large", True)]


# --- tables
# ----------------------------------------------------------------------------------------------------

SOUND = b'{"text_list": ["One sentence.", "Another."], "image_info": []}\n'


def read_mmc4(tmp_path: Path) -> list:
    return read_all(
        mmc4, Mmc4Source(kind="mmc4", name="s", path=str(tmp_path)), tmp_path / "cache", part_size=1_000
    )


def test_members_of_a_zip_share_one_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "FREE", 3_000)
    monkeypatch.setattr(lines, "EXPANSION", 1)
    with zipfile.ZipFile(tmp_path / "a.jsonl.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.jsonl", SOUND * 3)
        for number in range(5):
            out.writestr(f"b{number}.jsonl", b" " * 2_000 + b"\n")
        out.writestr("z.jsonl", SOUND)
    items = read_mmc4(tmp_path)
    assert len(documents(items)) == 3
    assert [(reason, place) for place, reason, _ in rejected(items)][-1] == ("too_large", "b1.jsonl:offset=0")


def test_a_compressed_file_has_no_more_records_than_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "FREE_ITEMS", 1_000)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(SOUND + b"x\n" * 50_000, mtime=0))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(SOUND * 1_000, mtime=0))
    items = read_mmc4(tmp_path)
    assert len(documents(items)) == 1_001
    reasons = [reason for _, reason, _ in rejected(items)]
    assert reasons == ["broken_json"] * 999 + ["too_large"]


def test_a_zip_with_a_directory_without_end_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_DIRECTORY", 5_000)
    with zipfile.ZipFile(tmp_path / "a.jsonl.zip", "w") as out:
        for number in range(200):
            out.writestr(f"{number}.jsonl", SOUND)
    (tmp_path / "b.jsonl").write_bytes(SOUND)
    items = read_mmc4(tmp_path)
    assert len(documents(items)) == 1
    assert rejected(items) == [("offset=0", "too_large", True)]


def test_a_bomb_is_not_the_end_of_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "FREE_ITEMS", 100)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl.gz").write_bytes(gzip.compress(SOUND + b"x\n" * 50_000, mtime=0))
    path = recipe(tmp_path, ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]})
    (outcome,) = build(path, until="ingest")
    assert outcome.record["counts"]["documents"] == 1
    assert outcome.record["reasons"]["too_large"] == 1


def lists(*texts: list[str | None]) -> pa.Table:
    of_texts = pa.array(texts, pa.list_(pa.string()))
    return pa.table(
        {"texts": of_texts, "images": pa.array([[None] * len(row) for row in texts], pa.list_(pa.string()))}
    )


def read_obelics(tmp_path: Path) -> list:
    return read_all(obelics, ObelicsSource(kind="obelics", name="s", path=str(tmp_path)), tmp_path / "cache")


def test_a_row_of_a_list_without_end_costs_itself(tmp_path):
    pq.write_table(lists(["One."], ["a"] * 2_000_000, [None] * 2_000_000, ["Two."]), tmp_path / "a.parquet")
    items = read_obelics(tmp_path)
    assert [outline(item) for item in documents(items)] == [["prose: One."], ["prose: Two."]]
    assert [(place, reason) for place, reason, _ in rejected(items)] == [
        ("row=1", "too_many_values"),
        ("row=2", "too_many_values"),
    ]


@pytest.mark.parametrize(("name", "bound"), [("FREE_VALUES", 1_000), ("FREE_FILE", 30_000)])
def test_a_parquet_file_that_unpacks_to_too_much_as_a_whole_is_a_reason(tmp_path, monkeypatch, name, bound):
    monkeypatch.setattr(parquet, name, bound)
    monkeypatch.setattr(parquet, "VALUES_A_BYTE", 1)
    monkeypatch.setattr(parquet, "EXPANSION", 2)
    wide = (
        lists(*[["a" * 1_000 + str(number)] for number in range(100)])
        if name == "FREE_FILE"
        else lists(*[["a"] * 3_000] * 9)
    )
    pq.write_table(wide, tmp_path / "a.parquet", row_group_size=10, use_dictionary=False)
    pq.write_table(lists(["Kept."]), tmp_path / "b.parquet")
    items = read_obelics(tmp_path)
    assert [outline(item) for item in documents(items)] == [["prose: Kept."]]
    assert [(item.file, item.reason) for item in items if isinstance(item, Rejected)] == [
        ("a.parquet", "too_large")
    ]


def member(name: str, data: bytes, **pax: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), pax
    return info.tobuf(tarfile.PAX_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0")


def header(kind: bytes, data: bytes) -> bytes:
    info = tarfile.TarInfo("././@x")
    info.type, info.size = kind, len(data)
    return info.tobuf(tarfile.GNU_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0")


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (member("b.txt", b"b", **{f"k{number}": "v" for number in range(20_000)}), "long_header"),
        (member("b.txt", b"b", comment="v" * 9_000_000), "long_header"),
        (header(tarfile.GNUTYPE_LONGNAME, b"n" * 9_000_000) + member("b.txt", b"b"), "long_header"),
        (header(tarfile.GNUTYPE_LONGNAME, b"name\0") * 20_000 + member("b.txt", b"b"), "long_header"),
        (header(tarfile.XHDTYPE, b"9 a=b\n\0\0\0") * 20_000 + member("b.txt", b"b"), "long_header"),
        (header(tarfile.GNUTYPE_LONGNAME, b"n" * 2_000 + b".txt\0") + member("b.txt", b"b"), "long_header"),
        (member("b.txt", b"b", **{"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}), "sparse_member"),
    ],
    ids=["records", "value", "name", "names", "headers", "path", "sparse"],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_member_with_headers_without_end_is_lost_alone(tmp_path, lost, reason, first):
    before, behind = member("a.txt", b"First text."), member("z.txt", b"Last text.")
    (tmp_path / "a.tar").write_bytes((lost + before if first else before + lost) + behind + bytes(1024))
    items = read_all(
        hub,
        HubSource(kind="hub", name="s", path=str(tmp_path), segments=({"text": "txt"},)),
        tmp_path / "cache",
    )
    assert [outline(item) for item in documents(items)] == [["prose: First text."], ["prose: Last text."]]
    assert rejected(items) == [(f"offset={0 if first else len(before)}", reason, True)]


def test_the_parts_of_a_tar_do_not_read_its_index_each(tmp_path):
    (tmp_path / "a.tar").write_bytes(
        b"".join(member(f"{number}.txt", b"One text.") for number in range(20_000)) + bytes(1024)
    )
    items = read_all(
        hub,
        HubSource(kind="hub", name="s", path=str(tmp_path), segments=({"text": "txt"},)),
        tmp_path / "cache",
        50,
    )
    assert len(documents(items)) == 20_000


@pytest.mark.parametrize("size", ["-512", "-1000000", "9" * 30])
def test_a_tar_that_leads_backwards_ends(tmp_path, size):
    (tmp_path / "a.tar").write_bytes(
        member("a.txt", b"First text.") + member("b.txt", b"b", size=size) + bytes(1024)
    )
    found = tar.index(tmp_path / "a.tar", tmp_path / "cache")
    assert [sample.key for sample in found.samples] == ["a"]
    assert [reason for _, reason, _ in found.losses] == ["truncated"]


def test_global_headers_do_not_add_up(tmp_path):
    """A copy of all of them would be made for each member."""
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as out:
        for number in range(2_000):
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = 1
            out.addfile(info, io.BytesIO(b"x"))
    wide = b"".join(
        header(tarfile.XGLTYPE, b"".join(f"14 k{n:03d}={m:05d}\n".encode() for n in range(999)))
        for m in range(3)
    )
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(wide + data)
    assert len(tar.index(tmp_path / "a.tar", tmp_path / "cache").samples) == 2_000


# --- texts
# ----------------------------------------------------------------------------------------------------


def test_marks_by_the_million_are_normalized_in_linear_time():
    """Sorting them would be quadratic; runs of 30 marks and fewer, which texts have, are what they were."""
    assert len(identity("a" + "\u0345\u0301\u0323\u0327" * 500_000)) > 1_000_000
    text = "Cafe\u0301 " * 300 + "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d" * 100
    assert identity(text) == identity(unicodedata.normalize("NFKC", text))


def test_repetition_of_a_word_without_end_is_looked_for_at_its_beginning():
    assert repetition(["a" * 3_000_000]) > 0.99
    assert repetition([str(number) for number in range(150_000)] + ["all new words here now"] * 2) == 0.0
