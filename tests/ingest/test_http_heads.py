"""HTTP heads whose lines do not end as HTTP demands: pages, images, redirects and opt-outs under them."""

from __future__ import annotations

import gzip
import time

import pytest
from ingest.reading import archive, documents, outline, read_all, record, rejected
from making import png

from leafinstruct.images.http_head import with_clean_head
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc

BODY = "<html><body><main><p>Wörter\r\n\r\nund mehr</p><img src=/old.png></main></body></html>".encode()
ENDS = {
    "lf": lambda head: head.replace(b"\r\n", b"\n"),
    "cr": lambda head: head.replace(b"\r\n", b"\r"),
    "cr cr lf": lambda head: head.replace(b"\r\n", b"\r\r\n"),
    "lf after the first line": lambda head: head.replace(b"\r\n", b"\n", 1),
    "lf after the last line": lambda head: head.replace(b"\r\n\r\n", b"\n\r\n"),
    "empty line of lf": lambda head: head.replace(b"\r\n\r\n", b"\r\n\n"),
    "empty line with a blank": lambda head: head.replace(b"\r\n\r\n", b"\n \n"),
    "empty line before": lambda head: b"\r\n\r\n" + head,
    "bare cr in a value": lambda head: head.replace(b"X-Last: a", b"X-Last: a\rb").replace(b"\r\n", b"\n"),
}


def odd(
    url: str, body: bytes, change, status: str = "200 OK", headers: str = "Content-Type: text/html"
) -> bytes:
    """A record whose HTTP head is changed."""
    whole = record(url, body, status, f"{headers}\r\nX-Last: a")
    warc_head, head, rest = whole.partition(b"HTTP/1.1")[0], *split(whole)
    block = change(head) + rest
    at = warc_head.rindex(b"Content-Length: ")
    return warc_head[:at] + b"Content-Length: %d\r\n\r\n" % (len(block) - 4) + block


def split(whole: bytes) -> tuple[bytes, bytes]:
    block = whole[whole.index(b"HTTP/1.1") :]
    end = block.index(b"\r\n\r\n") + 4
    return block[:end], block[end:]


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize("ends", ENDS)
def test_pages_redirects_and_images_are_read_under_any_line_ends(tmp_path, ends, suffix):
    change = ENDS[ends]
    path = archive(
        tmp_path / f"a{suffix}",
        odd("http://a.org/", BODY, change, headers=f"Content-Length: {len(BODY)}\r\nContent-Type: text/html"),
        odd("http://a.org/old.png", b"", change, "301 Moved", "Location: /new.png"),
        odd("http://a.org/new.png", png(), change, headers="Content-Type: image/png"),
        record("http://a.org/2", b"<p>another"),
    )
    items = read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache")
    assert rejected(items) == []
    first, second = documents(items)
    assert outline(first)[0] == "prose: Wörter und mehr"
    assert outline(second) == ["prose: another"]
    assert fetch(first.images[0].ref, tmp_path) == png()


@pytest.mark.parametrize("ends", ENDS)
def test_an_opt_out_under_such_a_head_counts(tmp_path, ends):
    path = archive(
        tmp_path / "a.warc.gz",
        odd("http://a.org/", BODY, ENDS[ends], headers="X-Robots-Tag: noai\r\nContent-Type: text/html"),
        odd(
            "http://a.org/new.png", png(), ENDS[ends], headers="X-Robots-Tag: noai\r\nContent-Type: image/png"
        ),
        record("http://a.org/2", b"<p>another<img src=new.png>"),
    )
    items = read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache")
    assert [reason for _, reason, _ in rejected(items)] == ["opt_out", "opt_out"]
    assert [document.url for document in documents(items)] == ["http://a.org/2"]


def test_a_body_that_follows_without_an_empty_line_is_whole(tmp_path):
    path = archive(tmp_path / "a.warc", odd("http://a.org/", BODY, lambda head: head.removesuffix(b"\r\n")))
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path / "cache"))
    assert outline(found)[0] == "prose: Wörter und mehr"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_head_that_needs_no_repair_and_what_is_no_head_stay_as_they_are(pack):
    sound = record("http://a.org/", BODY)
    for item in (
        sound,
        sound.replace(b"HTTP/1.1", b"XXXX/1.1"),
        b"",
        b"WARC/1.0",
        sound[:100],
        b"\x1f\x8b\x08x",
    ):
        data = pack(item)
        assert with_clean_head(data, 1 << 20) is data


def test_a_resource_that_begins_like_a_head_stays_as_it_is():
    body = b"HTTP/1.1 200 OK\nnot a head\n\ntext"
    item = record("http://a.org/", b"", kind="resource")
    item = item.replace(b"application/http; msgtype=resource", b"text/plain").partition(b"HTTP/1.1")[0] + body
    assert with_clean_head(item, 1 << 20) is item


def test_a_head_of_many_line_ends_is_repaired_in_little_time():
    """Each carriage return before a line feed is looked at once."""
    head = b"HTTP/1.1 200 OK\nA: " + b"\r" * 15_000 + b"x" + b"\r" * 15_000 + b"\n\n"
    item = odd("http://a.org/", b"body", lambda _: head)
    began = time.process_time()
    for _ in range(200):
        assert with_clean_head(item, 1 << 20).endswith(b"\r\n\r\nbody\r\n\r\n")
    assert time.process_time() - began < 2


def test_a_record_that_unpacks_to_more_is_repaired_up_to_a_limit():
    bomb = gzip.compress(odd("http://a.org/", bytes(50_000_000), ENDS["lf"]))
    assert len(with_clean_head(bomb, 1 << 20)) < (1 << 20) + 99
