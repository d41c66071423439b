"""Web archives: pages and images of one file, by address and by range; files that break off."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zlib
from pathlib import Path

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import archive, bare, documents, outline, read_all, record, rejected
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.errors import SourceError
from leafinstruct.images.archive import response
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc
from leafinstruct.records.document import Ref, Rejected

COUNTS = json.loads((Path(__file__).parent / "real_counts.json").read_text(encoding="utf-8"))["warc"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
IMAGE = "Content-Type: image/png"


def source(path: Path, **settings: str) -> WarcSource:
    return WarcSource(name="w", path=str(path), **settings)


def page(inner: str) -> bytes:
    return f"<html><body><main><p>text</p>{inner}</main></body></html>".encode()


def lines(path: Path) -> list[str]:
    """The outline of an archive's only page."""
    (document,) = documents(read_all(warc, source(path), path.parent / "cache"))
    return outline(document)


def test_real_pages_have_the_images_that_were_counted_by_hand(real, tmp_path):
    items = read_all(warc, source(real / "web.warc.gz"), tmp_path)
    assert rejected(items) == []
    found = {document.provenance.locator: document for document in documents(items)}
    assert {key: len(document.images) for key, document in found.items()} == {
        key: row["images"] for key, row in COUNTS.items()
    }
    assert len({item.ref for document in found.values() for item in document.images}) == 83


def test_real_pages_keep_every_character_of_the_document(real, tmp_path):
    data = (real / "web.warc.gz").read_bytes()
    for document in documents(read_all(warc, source(real / "web.warc.gz"), tmp_path)):
        raw = response(data[int(document.provenance.locator.removeprefix("offset=")) :], 1 << 20).body
        original = LexborHTMLParser(raw.decode()).css_first("main, article, div.content").text()
        text = "".join(bare(item.text, placeholders=item.kind == "list") for item in document.texts)
        assert text == bare(original), document.url
        assert text.startswith(bare(COUNTS[document.provenance.locator]["first"]))


def test_every_real_image_is_a_range_of_the_same_file_that_holds_an_image(real, tmp_path):
    images = {
        item.ref
        for document in documents(read_all(warc, source(real / "web.warc.gz"), tmp_path))
        for item in document.images
    }
    starts = {bytes(fetch(ref, real)[:3]) for ref in images}
    assert {ref.file for ref in images} == {"web.warc.gz"}
    assert starts == {b"\x89PN", b"\xff\xd8\xff", b"GIF"}


def test_a_real_archive_cut_off_keeps_what_was_before(real, tmp_path):
    items = read_all(warc, source(real / "messy" / "truncated.warc.gz"), tmp_path)
    assert [document.provenance.locator for document in documents(items)] == ["offset=691", "offset=192485"]
    assert rejected(items) == [("offset=195642", "truncated", True)]
    kept = [item.ref.file is not None for item in documents(items)[0].images]
    assert kept == [True] * 5
    # their records are behind the cut
    assert {item.ref.url is not None for item in documents(items)[1].images} == {True}


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_an_image_of_the_file_is_its_record_s_range_on_disk(tmp_path, suffix):
    records = [
        record("http://a.example/p", page("<img src=/x.png>")),
        record("http://a.example/x.png", PNG, headers=IMAGE),
    ]
    path = archive(tmp_path / f"a{suffix}", *records)
    (document,) = documents(read_all(warc, source(path), tmp_path / "cache"))
    ref = document.images[0].ref
    assert ref.file == path.name
    assert ref.offset + ref.length == path.stat().st_size
    assert fetch(ref, tmp_path) == PNG
    assert (document.url, document.images[0].url) == ("http://a.example/p", "http://a.example/x.png")


@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("x.png", True),
        ("/d/x.png", True),
        ("https://a.example/d/x.png", True),
        ("//A.EXAMPLE:80/d/x.png#fragment", True),
        ("my%20pic.png", True),
        ("my pic.png", True),
        ("moved.png", True),
        ("x.png?v=2", False),
        ("loop.png", False),
        ("http://other.example/d/x.png", False),
        ("script.js", False),
    ],
)
def test_which_addresses_find_a_record(tmp_path, url, held):
    path = archive(
        tmp_path / "a.warc.gz",
        record("http://a.example/d/x.png", PNG, headers=IMAGE),
        record("http://a.example/d/my%20pic.png", PNG, headers=IMAGE),
        record("http://a.example/d/moved.png", b"", "301 Moved", "Location: ../d/step.png"),
        record("http://a.example/d/step.png", b"", "302 Found", "Location: https://a.example/d/x.png"),
        record("http://a.example/d/loop.png", b"", "302 Found", "Location: loop.png"),
        record("http://a.example/d/script.js", b"x", headers="Content-Type: text/javascript"),
        record("http://a.example/d/", page(f'<img src="{url}">')),
    )
    (line,) = lines(path)[1:]
    assert line.startswith("<a.warc.gz#bytes=") == held
    assert line.startswith("<http") != held


def test_of_several_sizes_the_one_that_the_file_holds_is_taken(tmp_path):
    path = archive(
        tmp_path / "a.warc",
        record("http://a.example/", page('<img src="s.png" srcset="l.png 2000w">')),
        record("http://a.example/s.png", PNG, headers=IMAGE),
    )
    assert lines(path)[1].startswith("<a.warc#bytes=")


def test_base_shifts_the_addresses(tmp_path):
    html = page("<img src=x.png>").replace(b"<body>", b"<head><base href='/m/'></head><body>")
    assert (
        lines(archive(tmp_path / "a.warc", record("http://a.example/p/1", html)))[1]
        == "<http://a.example/m/x.png>"
    )


def test_only_html_with_status_200_is_a_page_and_the_rest_is_no_bad_record(tmp_path):
    path = archive(
        tmp_path / "a.warc.gz",
        record("http://a.example/robots.txt", b"User-agent: *", headers="Content-Type: text/plain"),
        record("http://a.example/gone", page(""), "404 Not Found"),
        record("http://a.example/moved", page(""), "301 Moved", "Content-Type: text/html\r\nLocation: /"),
        record("http://a.example/", page(""), kind="request"),
        record("http://a.example/1", page(""), headers="Content-Type: TEXT/HTML; charset=utf-8"),
        record("http://a.example/2", page(""), headers="Content-Type: application/xhtml+xml"),
    )
    items = read_all(warc, source(path), tmp_path / "cache")
    assert [document.url for document in documents(items)] == ["http://a.example/1", "http://a.example/2"]
    assert rejected(items) == []


def raw_deflate(data: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(data) + pack.flush()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def chunked(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "encode"),
    [
        ("Content-Encoding: gzip", gzip.compress),
        ("Content-Encoding: deflate", zlib.compress),
        ("Content-Encoding: deflate", raw_deflate),
        ("Content-Encoding: br", brotli.compress),
        ("Content-Encoding: zstd", zstd),
        ("Content-Encoding: gzip, deflate", lambda data: raw_deflate(gzip.compress(data))),
        ("Content-Encoding: br\r\nContent-Encoding: gzip", lambda data: gzip.compress(brotli.compress(data))),
        ("Content-Encoding: gzip, deflate, br", gzip.compress),
        ("Transfer-Encoding: chunked", lambda data: chunked(data).replace(b"\r\n", b"\n")),
        ("Transfer-Encoding: chunked", lambda data: chunked(data).replace(b"\r\n", b";a=b\r\n", 1)),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", chunked),
        (
            "Transfer-Encoding: chunked\r\nContent-Encoding: gzip",
            lambda d: b"%x;a\n" % len(gzip.compress(d, mtime=0)) + gzip.compress(d, mtime=0) + b"\n0\n\n",
        ),
        ("Transfer-Encoding: gzip, chunked", lambda data: chunked(gzip.compress(data))),
        ("Content-Encoding: deflate", bytes),
        ("Content-Encoding: br", bytes),
        ("Content-Encoding: zstd", bytes),
        ("Content-Encoding: none", bytes),
        ("Content-Encoding: UTF-8, gzip", gzip.compress),
        ("Transfer-Encoding: chunked", chunked),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", lambda data: chunked(gzip.compress(data))),
        ("Content-Encoding: gzip", bytes),
        ("Transfer-Encoding: chunked", bytes),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", gzip.compress),
        ("Content-Encoding: unheard-of", bytes),
    ],
)
def test_a_body_is_decoded_as_its_header_states_or_read_unchanged(tmp_path, headers, encode):
    path = archive(
        tmp_path / "a.warc.gz",
        record(
            "http://a.example/",
            encode(page("ü".encode().decode())),
            headers=f"Content-Type: text/html\r\n{headers}",
        ),
    )
    assert lines(path) == ["prose: text", "prose: ü"]


def test_the_charset_of_the_header_counts(tmp_path):
    path = archive(
        tmp_path / "a.warc",
        record(
            "http://a.example/",
            "<body>прощай</body>".encode("koi8-r"),
            headers="Content-Type: text/html; charset=KOI8-R",
        ),
    )
    assert lines(path) == ["prose: прощай"]


def test_a_damaged_page_is_one_reason_and_harms_no_other(tmp_path):
    bad = record(
        "http://a.example/bad",
        b"\x1f\x8b" + b"junk" * 20,
        headers="Content-Type: text/html\r\nContent-Encoding: gzip",
    )
    path = archive(
        tmp_path / "a.warc",
        record("http://a.example/1", page("")),
        bad,
        record("http://a.example/2", page("")),
    )
    items = read_all(warc, source(path), tmp_path / "cache")
    assert [document.url[-1] for document in documents(items)] == ["1", "2"]
    assert [reason for _, reason, _ in rejected(items)] == ["broken_record"]


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("zstd", b"\x28\xb5\x2f\xfd" + zlib.compress(page("<p>more of it</p>")), "broken_record"),
        ("deflate", bytes(range(200)), "broken_record"),
        ("br, gzip", gzip.compress(bytes(range(200))), "broken_record"),
        ("compress", b"\x1f\x9d\x90" + bytes(range(200)), "unknown_encoding"),
        ("gzip, Secret-1", zlib.compress(page("<p>more of it</p>"))[3:], "unknown_encoding"),
        ("gzip, gzip, gzip, gzip, gzip", gzip.compress(page("")), "unknown_encoding"),
    ],
)
def test_a_body_in_an_encoding_that_is_not_read_is_a_reason_that_names_it(tmp_path, encoding, body, reason):
    bad = record(
        "http://a.example/bad", body, headers=f"Content-Type: text/html\r\nContent-Encoding: {encoding}"
    )
    items = read_all(
        warc,
        source(archive(tmp_path / "a.warc", bad, record("http://a.example/1", page("")))),
        tmp_path / "cache",
    )
    assert [document.url[-1] for document in documents(items)] == ["1"]
    (lost,) = [item for item in items if isinstance(item, Rejected)]
    assert (lost.locator, lost.reason) == ("offset=0", reason)
    assert f"Content-Encoding: {encoding.lower()}" in lost.detail


@pytest.mark.parametrize("size", [10, 9999])
def test_a_chunk_of_a_wrong_size_costs_no_text(tmp_path, size):
    body = b"%x\r\n" % size + page("end") + b"\r\n0\r\n\r\n"
    path = archive(
        tmp_path / "a.warc.gz",
        record("http://a.example/", body, headers="Content-Type: text/html\r\nTransfer-Encoding: chunked"),
    )
    assert lines(path) == ["prose: text", "prose: end"]


PAGES = [record(f"http://a.example/{n}", page(f"<p>{n} {'x' * 50}</p>")) for n in range(4)]


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@given(st.data())
def test_wherever_a_file_is_cut_the_whole_records_before_are_kept(tmp_path_factory, suffix, data):
    folder = tmp_path_factory.mktemp("law")
    path = archive(folder / f"a{suffix}", *PAGES)
    whole = path.read_bytes()
    sizes = [len(gzip.compress(item, mtime=0)) if suffix.endswith("gz") else len(item) for item in PAGES]
    ends = [sum(sizes[: n + 1]) for n in range(4)]
    cut = data.draw(st.integers(0, len(whole) - 5))
    path.write_bytes(whole[:cut])
    kept = sum(end - (0 if suffix.endswith("gz") else 4) <= cut for end in ends)
    items = read_all(warc, source(path), folder / "cache", part_size=2)
    assert [document.url[-1] for document in documents(items)] == [str(n) for n in range(kept)]
    at_a_border = cut in ends or (suffix == ".warc" and any(end - 4 <= cut <= end for end in ends))
    assert [reason for _, reason, _ in rejected(items)] == ([] if at_a_border else ["truncated"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"\x1f\x8b\x00", "truncated"),
        (b"WARC/1.0\r\nWARC-Ty", "truncated"),
        (b"hello world\n" * 50, "damaged_record"),
        (gzip.compress(b"hello", mtime=0), "damaged_record"),
        (b"WARC/1.0\r\n\r\n", "damaged_record"),
    ],
)
def test_a_file_that_is_no_archive_is_a_loss_at_offset_0(tmp_path, data, reason):
    (tmp_path / "a.warc.gz").write_bytes(data)
    assert rejected(read_all(warc, source(tmp_path / "a.warc.gz"), tmp_path / "cache")) == [
        ("offset=0", reason, True)
    ]


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_a_damaged_header_in_the_middle_is_not_called_an_early_end(tmp_path, suffix):
    path = archive(tmp_path / f"a{suffix}", PAGES[0], b"JUNK" + PAGES[1][4:], *PAGES[2:])
    items = read_all(warc, source(path), tmp_path / "cache")
    assert [document.url[-1] for document in documents(items)] == ["0", "2", "3"]
    (lost,) = [item for item in items if isinstance(item, Rejected)]
    assert (lost.reason, lost.detail) == ("damaged_record", "a record cannot be read")
    assert lost.locator == f"offset={len(archive(tmp_path / f'b{suffix}', PAGES[0]).read_bytes())}"


@given(st.data())
def test_a_damaged_member_costs_itself_only(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    path = archive(folder / "a.warc.gz", *PAGES)
    whole = bytearray(path.read_bytes())
    sizes = [len(gzip.compress(item, mtime=0)) for item in PAGES]
    which = data.draw(st.integers(0, 3))
    start = sum(sizes[:which])
    # behind its header, before its last bits (padding) and its checksum
    place = start + data.draw(st.integers(10, sizes[which] - 10))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    items = read_all(warc, source(path), folder / "cache", part_size=2)
    assert [document.url[-1] for document in documents(items)] == [str(n) for n in range(4) if n != which]
    assert [
        (locator, reason in {"damaged_record", "truncated"}) for locator, reason, _ in rejected(items)
    ] == [(f"offset={start}", True)]


def test_what_lies_far_behind_damage_is_found(tmp_path):
    noise = b"\x1f\x8b\x08\x00" * 50_000  # begins like a member again and again
    members = [gzip.compress(item, mtime=0) for item in PAGES]
    path = tmp_path / "a.warc.gz"
    path.write_bytes(members[0] + noise + b"x" + members[1] + b"JUNK" + members[2])
    items = read_all(warc, source(path), tmp_path / "cache")
    assert [document.url[-1] for document in documents(items)] == ["0", "1", "2"]
    behind = len(members[0]) + len(noise) + 1 + len(members[1])
    assert rejected(items) == [
        (f"offset={len(members[0])}", "damaged_record", True),
        (f"offset={behind}", "damaged_record", True),
    ]


def test_a_file_compressed_in_one_piece_is_refused_with_the_hint(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b"".join(PAGES)))
    with pytest.raises(SourceError, match="fastwarc recompress"):
        warc.plan(source(tmp_path), 5, tmp_path / "cache")


def test_an_archive_without_pages_is_one_line(tmp_path):
    archive(tmp_path / "a.warc", record("http://a.example/x.png", PNG, headers=IMAGE))
    with pytest.raises(SourceError, match="contain no page"):
        warc.plan(source(tmp_path), 5, tmp_path / "cache")


def test_spans_partition_the_pages_and_a_new_file_adds_its_own(tmp_path):
    archive(tmp_path / "b.warc.gz", *PAGES)
    before = warc.plan(source(tmp_path), 3, tmp_path / "cache")
    assert [(span.start, span.stop) for span in before] == [(0, 3), (3, 4)]
    archive(tmp_path / "a.warc.gz", *PAGES[:1])
    assert {span.name for span in before} < {
        span.name for span in warc.plan(source(tmp_path), 3, tmp_path / "cache")
    }


def test_planning_again_reads_the_index_and_not_the_file(tmp_path):
    path = archive(tmp_path / "a.warc.gz", *PAGES * 30)
    first, stat = warc.plan(source(path), 100, tmp_path / "cache"), path.stat()
    (made,) = (tmp_path / "cache").glob("*/*.json")
    (tmp_path / "copy").mkdir()
    shutil.copyfile(path, tmp_path / "copy/a.warc.gz")
    os.utime(path, ns=(1, 1))
    for copied in (path, tmp_path / "copy/a.warc.gz"):
        assert warc.plan(source(copied), 100, tmp_path / "cache") == first
    assert list((tmp_path / "cache").glob("*/*.json")) == [made], "a touched and a copied file is the same"
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(1, 1))
    assert warc.plan(source(path), 100, tmp_path / "cache") != first


def test_a_damaged_index_is_built_again(tmp_path):
    path = archive(tmp_path / "a.warc.gz", *PAGES)
    first = warc.plan(source(path), 2, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob("*/*.json")
    kept.write_text(kept.read_text()[:20])
    assert warc.plan(source(path), 2, tmp_path / "cache") == first


def test_the_archive_s_place_does_not_enter_the_ids(tmp_path):
    found = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = archive(tmp_path / folder / "a.warc.gz", *PAGES)
        found.append(
            [
                (document.id, document.provenance)
                for document in documents(read_all(warc, source(path), tmp_path / "cache"))
            ]
        )
    assert found[0] == found[1]


def test_a_range_without_a_length_is_no_image(tmp_path):
    archive(tmp_path / "a.warc", *PAGES)
    assert fetch(Ref(file="a.warc", offset=0), tmp_path).reason == "not_in_archive"
