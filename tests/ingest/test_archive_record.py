"""What records of an archive are: resources, records without a type or a head, revisits, cut bodies, lengths
that lie, zstd."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import archive, documents, outline, read_all, record, rejected

from leafinstruct.errors import SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc
from leafinstruct.records.document import Document, Rejected

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
IMAGE = "Content-Type: image/png"
DIGEST = "WARC-Payload-Digest: sha1:BQ3XYLJRUGQ5PRCCO6HBYYQC4HEAKAFF"
SUFFIXES = pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])


def page(inner: str = "") -> bytes:
    return f"<html><body><main><p>text</p>{inner}</main></body></html>".encode()


def resource(url: str, body: bytes, media: str) -> bytes:
    """A record whose block is the body itself."""
    date = "WARC-Date: 2024-05-06T10:00:00Z"
    head = (
        f"WARC/1.1\r\nWARC-Type: resource\r\nWARC-Target-URI: {url}\r\n{date}\r\n{media}Content-Length: "
        f"{len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def extra(item: bytes, *headers: str) -> bytes:
    return item.replace(
        b"WARC-Date:", "".join(f"{header}\r\n" for header in headers).encode() + b"WARC-Date:", 1
    )


def lengthened(item: bytes, by: int) -> bytes:
    """A record whose header lies about its length."""
    return re.sub(rb"(?<=\r\nContent-Length: )\d+", lambda found: b"%d" % (int(found[0]) + by), item, count=1)


def read(path: Path, **settings: object) -> list[Document | Rejected]:
    return read_all(
        warc, WarcSource(name="w", path=str(path), **settings), path.parent / "cache", part_size=2
    )


def urls(items: list[Document | Rejected]) -> list[str | None]:
    return [document.url for document in documents(items)]


# --- resources and records without a type
# -----------------------------------------------------------------------------------------------


@SUFFIXES
def test_resources_are_pages_and_images(tmp_path, suffix):
    path = archive(
        tmp_path / f"a{suffix}",
        resource(
            "http://a.example/",
            "<body><p>прощай<img src=x.png>".encode("koi8-r"),
            "Content-Type: text/html; charset=koi8-r\r\n",
        ),
        resource("http://a.example/x.png", PNG, "Content-Type: image/png\r\n"),
        resource("http://a.example/untyped", page("<p>more"), ""),
        resource("metadata://gnu.org/wget/log", b"<html> in a log", "Content-Type: text/plain\r\n"),
    )
    items = read(path)
    assert rejected(items) == []
    assert [outline(item)[0] for item in documents(items)] == ["prose: прощай", "prose: text"]
    assert urls(items) == ["http://a.example/", "http://a.example/untyped"]
    assert fetch(documents(items)[0].images[0].ref, tmp_path) == PNG


@pytest.mark.parametrize(
    ("body", "is_page"),
    [
        (page("<p>more" * 9_000), True),
        (page(), True),
        (b"\xef\xbb\xbf \n<!DOCTYPE  HTML><p>text", True),
        (b'<?xml version="1.0"?>\n<html><body><p>text', True),
        (b"<!-- a --><p>text", True),
        (b"<P class=a>text", True),
        (b"<pre>text", False),
        (b"<svg><p>text", False),
        (b'{"a": "<html>"}', False),
        (b"body { color: red }", False),
        (PNG, False),
        (b"", False),
    ],
)
@pytest.mark.parametrize(
    ("encoding", "pack"), [("", bytes), ("gzip", gzip.compress), ("br", brotli.compress), ("br", bytes)]
)
def test_a_response_without_a_type_is_a_page_if_it_begins_as_one(tmp_path, body, is_page, encoding, pack):
    headers = "X-Powered-By: none" + (f"\r\nContent-Encoding: {encoding}" if encoding else "")
    untyped = record("http://a.example/1", pack(body), headers=headers)
    items = read(archive(tmp_path / "a.warc.gz", untyped, record("http://a.example/2", page())))
    assert urls(items) == ["http://a.example/1", "http://a.example/2"][0 if is_page else 1 :]
    assert rejected(items) == []


@pytest.mark.parametrize(
    "media", ["html", "*/*", "text/html, text/html", ";charset=utf-8", "TEXT/HTML ;charset=x"]
)
def test_types_as_servers_garble_them(tmp_path, media):
    path = archive(tmp_path / "a.warc", record("http://a.example/", page(), headers=f"Content-Type: {media}"))
    assert (urls(read(path)), rejected(read(path))) == (["http://a.example/"], [])


@pytest.mark.parametrize(
    "line", ["HTTP/1.1 200", "HTTP/2 200", "HTTP/2.0 200 OK", "HTTP/3 200 ", "HTTP/1.1 200 "]
)
def test_status_lines_as_servers_and_crawlers_write_them(tmp_path, line):
    item = record("http://a.example/", page()).replace(b"HTTP/1.1 200 OK", line.encode())
    item = lengthened(item, len(line) - len("HTTP/1.1 200 OK"))
    assert urls(read(archive(tmp_path / "a.warc", item))) == ["http://a.example/"]


def test_an_image_without_a_type_is_found(tmp_path):
    path = archive(
        tmp_path / "a.warc",
        record("http://a.example/", page("<img src=x>")),
        record("http://a.example/x", PNG, headers="Server: a"),
    )
    assert fetch(documents(read(path))[0].images[0].ref, tmp_path) == PNG


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record("http://a.example/", page()).replace(b"HTTP/1.1 200 OK", b"XXXX/1.1 200 OK"), "not_http"),
        (record("http://a.example/", page()).replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 none"), "not_http"),
        (record("http://a.example/", page()).replace(b"HTTP/1.1 200", b"http/1.1 200"), "not_http"),
        (
            record("http://a.example/", b"").replace(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"\n" * 44
            ),
            "not_http",
        ),
        (
            record("http://a.example/", page()).replace(b"application/http; msgtype=response", b"text/html"),
            "not_http",
        ),
        (extra(record("http://a.example/", page()), "WARC-Segment-Number: 1"), "truncated_record"),
    ],
)
def test_a_response_that_is_none_is_a_reason(tmp_path, bad, reason):
    items = read(archive(tmp_path / "a.warc.gz", bad, record("http://a.example/2", page())))
    assert rejected(items) == [("offset=0", reason, True)]
    assert urls(items) == ["http://a.example/2"]


def test_what_is_no_page_by_its_type_is_no_reason(tmp_path):
    others = [
        record(f"http://a.example/{kind}", b"x", headers=f"Content-Type: {kind}")
        for kind in ("text/css", "font/woff2", "text/plain")
    ]
    dns = resource(
        "dns:a.example", b"20240506100000\na.example. 60 IN A 10.0.0.1\n", "Content-Type: text/dns\r\n"
    )
    dns = dns.replace(b"WARC-Type: resource", b"WARC-Type: response")
    items = read(archive(tmp_path / "a.warc.gz", dns, *others, record("http://a.example/", page())))
    assert (urls(items), rejected(items)) == (["http://a.example/"], [])


# --- cut bodies and lengths that lie
# ----------------------------------------------------------------------------------------------------


def chunked(data: bytes) -> bytes:
    return (
        b"".join(
            b"%x\r\n" % len(data[at : at + 40]) + data[at : at + 40] + b"\r\n"
            for at in range(0, len(data), 40)
        )
        + b"0\r\n\r\n"
    )


LONG = page("".join(f"<p>paragraph {number**5} of the page</p>" for number in range(30)))
ENCODINGS = {
    "Content-Encoding: gzip": gzip.compress(LONG, mtime=0),
    "Content-Encoding: deflate": zlib.compress(LONG),
    "Content-Encoding: br": brotli.compress(LONG),
    "Content-Encoding: zstd": pa.compress(LONG, codec="zstd", asbytes=True),
    "Transfer-Encoding: chunked": chunked(LONG),
    "Transfer-Encoding:chunked": chunked(LONG).replace(b"\r\n", b"\n"),
    "Transfer-Encoding: chunked\r\nContent-Encoding: gzip": chunked(gzip.compress(LONG, mtime=0)),
    "Transfer-Encoding: chunked\r\nContent-Encoding: br": chunked(brotli.compress(LONG)),
    f"Content-Length: {len(LONG)}": LONG,
}


@pytest.mark.parametrize("headers", ENCODINGS)
@given(st.data())
def test_a_body_that_is_cut_anywhere_is_never_a_document(tmp_path_factory, headers, data):
    body, folder = ENCODINGS[headers], tmp_path_factory.mktemp("cut")
    cut = data.draw(st.integers(20, len(body) - (5 if "chunked" in headers else 1)))
    bad = record("http://a.example/", body[:cut], headers=f"Content-Type: text/html\r\n{headers}")
    items = read(archive(folder / "a.warc.gz", bad))
    assert documents(items) == []
    ((_, reason, _),) = rejected(items)
    assert reason == "truncated_record"
    whole = read(
        archive(
            folder / "b.warc.gz",
            record("http://a.example/", body, headers=f"Content-Type: text/html\r\n{headers}"),
        )
    )
    assert len(documents(whole)[0].texts) == 31


def test_gzip_of_several_members_and_an_image_that_is_cut(tmp_path):
    packed = gzip.compress(LONG[:300]) + gzip.compress(LONG[300:])
    path = archive(
        tmp_path / "a.warc.gz",
        record(
            "http://a.example/", packed + b"\0\0", headers="Content-Type: text/html\r\nContent-Encoding: gzip"
        ),
        record("http://a.example/2", page("<img src=x.png>")),
        record(
            "http://a.example/x.png", gzip.compress(PNG)[:-9], headers=f"{IMAGE}\r\nContent-Encoding: x-gzip"
        ),
    )
    whole, with_image = documents(read(path))
    assert len(whole.texts) == 31
    found = fetch(with_image.images[0].ref, tmp_path)
    assert (found.reason, "compression" in found.detail) == ("truncated", True), found


@pytest.mark.parametrize("encoding", ["gzip", "unheard-of"])
def test_chunks_are_undone_where_the_content_lies_there_decoded(tmp_path, encoding):
    headers = f"Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {encoding}"
    (found,) = documents(
        read(archive(tmp_path / "a.warc", record("http://a.example/", chunked(LONG), headers=headers)))
    )
    assert [item.text for item in found.texts][1:] == [
        f"paragraph {number**5} of the page" for number in range(30)
    ]


@SUFFIXES
@pytest.mark.parametrize("by", [400, 100, 5, -1, -4, -30, -200])
@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_length_that_lies_costs_its_own_record(tmp_path, suffix, by, which):
    pages = [
        record(f"http://a.example/{number}", page(f"<p>{'word ' * 40}{number}</p>")) for number in range(4)
    ]
    before = archive(tmp_path / f"b{suffix}", *pages[:which]).read_bytes() if which else b""
    path = archive(
        tmp_path / f"a{suffix}",
        *(lengthened(item, by) if number == which else item for number, item in enumerate(pages)),
    )
    items = read(path)
    assert urls(items) == [f"http://a.example/{number}" for number in range(4) if number != which]
    at_the_end = which == 3 and by > 4 and suffix == ".warc"
    assert rejected(items) == [
        (f"offset={len(before)}", "truncated" if at_the_end else "damaged_record", True)
    ]


# --- revisits
# ----------------------------------------------------------------------------------------------------


def revisit(url: str, *headers: str, status: str = "200 OK", kind: str = "Content-Type: text/html") -> bytes:
    return extra(record(url, b"", status, kind, kind="revisit"), *headers)


TO = ("WARC-Refers-To-Target-URI: http://a.example/", "WARC-Refers-To-Date: 2024-05-06T10:00:00Z")


@SUFFIXES
@pytest.mark.parametrize(
    ("original", "item"),
    [
        ((DIGEST,), revisit("http://a.example/other", DIGEST)),
        ((), revisit("http://a.example/other", *TO)),
        (
            (DIGEST,),
            revisit("http://a.example/", *TO, "WARC-Payload-Digest: sha1:OTHER", status="304 Not Modified"),
        ),
    ],
)
def test_a_revisit_of_a_page_of_the_file_adds_nothing_wherever_it_is(tmp_path, suffix, original, item):
    first = extra(record("http://a.example/", page()), *original)
    for order in ([first, item], [item, first]):
        items = read(archive(tmp_path / f"a{suffix}", *order))
        assert (urls(items), rejected(items)) == (["http://a.example/"], [])


@pytest.mark.parametrize(
    "item",
    [
        revisit("http://a.example/gone", DIGEST),
        revisit(
            "http://a.example/",
            TO[0],
            "WARC-Refers-To-Date: 2020-01-01T00:00:00Z",
            "WARC-Payload-Digest: sha1:OLD",
        ),
        revisit("http://a.example/", TO[0]),  # names neither the payload nor the date
    ],
)
def test_a_revisit_of_a_page_that_is_not_there_is_a_reason_once(tmp_path, item):
    pages = [record(f"http://a.example/{name}", page()) for name in ("", "1", "2")]
    items = read(archive(tmp_path / "a.warc", *pages, item))
    assert urls(items) == ["http://a.example/", "http://a.example/1", "http://a.example/2"]
    assert rejected(items) == [(f"offset={sum(map(len, pages))}", "revisit_of_absent_page", True)]


def test_revisits_of_redirects_errors_and_scripts_are_no_pages(tmp_path):
    others = [
        revisit(
            "http://a.example/old.png", status="301 Moved", kind="Content-Type: text/html\r\nLocation: x.png"
        ),
        revisit("http://a.example/none", status="404 Not Found"),
        revisit("http://a.example/s.js", kind="Content-Type: text/javascript"),
    ]
    path = archive(
        tmp_path / "a.warc",
        *others,
        record("http://a.example/", page("<img src=old.png>")),
        record("http://a.example/x.png", PNG, headers=IMAGE),
    )
    items = read(path)
    assert rejected(items) == []
    assert fetch(documents(items)[0].images[0].ref, tmp_path) == PNG


@pytest.mark.parametrize("crawl", [False, True])
def test_a_revisit_of_a_page_in_another_archive_is_looked_for_in_the_crawl(tmp_path, crawl):
    folder = tmp_path / "w"
    folder.mkdir()
    archive(
        folder / "1.warc",
        extra(record("http://a.example/", page()), DIGEST),
        record("http://a.example/2", page()),
    )
    archive(
        folder / "2.warc.gz",
        revisit("http://a.example/", DIGEST),
        revisit("http://a.example/3", "WARC-Payload-Digest: sha1:OTHER"),
    )
    items = read(folder, crawl=crawl)
    assert urls(items) == ["http://a.example/", "http://a.example/2"]
    lost = [item for item in items if isinstance(item, Rejected)]
    assert [item.reason for item in lost] == ["revisit_of_absent_page"] * (1 if crawl else 2)
    assert ("crawl: true" in lost[0].detail) != crawl


@pytest.mark.parametrize(
    "headers", [(), TO[:1], ("WARC-Refers-To: <urn:uuid:00000000-0000-4000-8000-000000000000>",)]
)
def test_a_revisit_of_an_image_is_found_by_its_digest(tmp_path, headers):
    path = archive(
        tmp_path / "a.warc.gz",
        revisit("http://a.example/copy.png", DIGEST, *headers, kind=IMAGE),
        record("http://a.example/", page("<img src=copy.png>")),
        extra(record("http://b.example/x.png", PNG, headers=IMAGE), DIGEST),
    )
    assert fetch(documents(read(path))[0].images[0].ref, tmp_path) == PNG


# --- captures and files
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hops", "held"), [(5, True), (6, False)])
def test_redirects_within_a_file_are_followed_up_to_a_limit(tmp_path, hops, held):
    steps = [
        record(f"http://a.example/{hop}", b"", "302 Found", f"Location: {hop + 1}") for hop in range(hops)
    ]
    path = archive(
        tmp_path / "a.warc",
        record("http://a.example/", page("<img src=0>")),
        *steps,
        record(f"http://a.example/{hops}", PNG, headers=IMAGE),
    )
    assert (documents(read(path))[0].images[0].ref.file is not None) == held


def test_an_address_that_was_captured_twice_is_two_documents(tmp_path):
    path = archive(
        tmp_path / "a.warc", record("http://a.example/", page()), record("http://a.example/", page())
    )
    first, second = documents(read(path))
    assert first.url == second.url
    assert (first.id, first.provenance.locator) != (second.id, second.provenance.locator)


@pytest.mark.parametrize("start", [b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18"])
def test_zstd_is_refused_with_its_hint_whatever_the_file_is_called(tmp_path, start):
    (tmp_path / "a.warc.gz").write_bytes(start + bytes(100))
    with pytest.raises(SourceError, match=r"a\.warc\.gz: compressed with zstd.*`zstd -d`"):
        read(tmp_path / "a.warc.gz")
    archive(tmp_path / "a.warc.gz", record("http://a.example/", page()))
    (tmp_path / "b.warc.zst").write_bytes(start + bytes(100))
    for path in (tmp_path, tmp_path / "b.warc.zst", tmp_path / "*.zst"):
        with pytest.raises(SourceError, match=r"b\.warc\.zst: compressed with zstd.*`zstd -d`"):
            read(path)
