"""Answers whose type or encoding is inexact: the bytes decide, and what is refused names what was sent."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pyarrow as pa
import pytest
from images.test_web import fetch, one
from images.web_server import IMAGE, answer
from making import png

from leafinstruct.images.formats.signature import is_image
from leafinstruct.images.web.answer import of_headers
from leafinstruct.images.web.store import stored

LARGE = IMAGE + bytes(2 << 20)
"""More bytes than are read at a time; decoders ignore what follows an image."""


def raw_deflate(data: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(data) + pack.flush()


def bytes_of(tmp_path, found) -> bytes:
    assert (found.state, found.reason) == ("ok", "")
    return stored(tmp_path, found.segment, found.offset, found.size, found.sha256)


def headed(body: bytes, *headers: str) -> bytes:
    """An answer with these headers only."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Type: application/jpg",),
        ("Content-Type: image/jpg",),
        ("Content-Type: image/pjpeg",),
        ("Content-Type: image/unheard-of",),
        ("Content-Type: IMAGE/PNG; charset=binary",),
        ("Content-Type: binary/octet-stream",),
        ("Content-Type: application/octet-stream",),
        ("Content-Type: application/x-download",),
        ("Content-Type: text/plain; charset=utf-8",),
        ("Content-Type: text/html",),
        ("Content-Type: jpg",),
        ("Content-Type:",),
        (),
    ],
)
def test_an_image_is_an_image_whatever_its_type(server, tmp_path, headers):
    server.scripts = {"/a.png": [headed(LARGE, *headers)]}
    assert bytes_of(tmp_path, one(server, tmp_path, "/a.png")) == LARGE


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("Content-Type: text/html; charset=utf-8", "text/html"),
        ("Content-Type: application/jpg", "application/jpg"),
        ("Content-Type: application/octet-stream", "application/octet-stream"),
        ("X-No: type", "a body without a type"),
    ],
)
@pytest.mark.parametrize("body", [b"<html>gone</html>", b"", b"BM is no bitmap", b"x" * 3_000_000])
def test_what_is_no_image_is_refused_with_its_type(server, tmp_path, header, named, body):
    server.scripts = {"/a.png": [headed(body, header)]}
    found = one(server, tmp_path, "/a.png")
    assert (found.state, found.reason, found.sha256) == ("ok", "not_an_image", None)
    assert named in found.detail


def test_a_body_that_is_no_image_is_not_read_to_its_end(server, tmp_path):
    """It is announced and never comes: only a reader that stops at its beginning does not wait for it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999999999999\r\n\r\n"
    server.scripts = {"/a": [head + b"<" * 999]}
    assert one(server, tmp_path, "/a", timeout=20).reason == "not_an_image"


@pytest.mark.parametrize("media", ["image/png", ""])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("none", bytes),
        ("identity", bytes),
        ("", bytes),
        ("None, identity", bytes),
        ("utf-8", bytes),
        ("binary", bytes),
        ("gzip", bytes),
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("br", brotli.compress),
        ("zstd", lambda data: pa.compress(data, codec="zstd", asbytes=True)),
        ("gzip, deflate", lambda data: raw_deflate(gzip.compress(data))),
        ("gzip, deflate", gzip.compress),
        ("br\r\nContent-Encoding: gzip", lambda data: gzip.compress(brotli.compress(data))),
    ],
)
def test_encodings_are_undone_and_those_that_mean_nothing_ignored(server, tmp_path, encoding, pack, media):
    server.scripts = {
        "/a.png": [headed(pack(IMAGE), f"Content-Type: {media}", f"Content-Encoding: {encoding}")]
    }
    assert bytes_of(tmp_path, one(server, tmp_path, "/a.png")) == IMAGE


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("compress", b"\x1f\x9d\x90aaaa", "unknown_encoding"),
        ("secret-1", b"no image", "unknown_encoding"),
        ("gzip, secret-1", gzip.compress(IMAGE, mtime=0)[2:], "unknown_encoding"),
        ("none", gzip.compress(IMAGE, mtime=0), "unknown_encoding"),
        ("gzip", b"<html>", "broken_encoding"),
        ("br", b"<html>", "broken_encoding"),
        ("zstd", pa.compress(IMAGE, codec="zstd", asbytes=True)[:-9], "broken_encoding"),
        ("deflate", raw_deflate(IMAGE)[:-9], "broken_encoding"),
    ],
)
def test_an_encoding_that_cannot_be_undone_is_named(server, tmp_path, encoding, body, reason):
    server.scripts = {"/a.png": [answer(body, 200, "image/png", f"Content-Encoding: {encoding}")]}
    found = one(server, tmp_path, "/a.png")
    assert (found.state, found.reason, found.sha256) == ("ok", reason, None)
    assert encoding in found.detail


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate"])
def test_a_bomb_is_too_large(server, tmp_path, encoding):
    zeros = IMAGE + bytes(30_000_000)
    body = {
        "br": lambda: brotli.compress(zeros, quality=1),
        "zstd": lambda: pa.compress(zeros, codec="zstd", asbytes=True),
        "deflate": lambda: raw_deflate(zeros),
    }[encoding]()
    server.scripts = {"/a.png": [answer(body, 200, "image/png", f"Content-Encoding: {encoding}")]}
    assert one(server, tmp_path, "/a.png").reason == "too_large"


def test_a_refusal_of_an_earlier_version_is_tried_again_and_images_are_kept(server, tmp_path, monkeypatch):
    server.scripts = {"/a.png": [answer(b"?", 200, "image/png", "Content-Encoding: x-own")]}
    urls = [server.url("/a.png"), server.url("/b.png")]
    assert [item.reason for item in fetch(tmp_path, urls, allow_hosts=[server.name])] == [
        "unknown_encoding",
        "",
    ]
    assert [item.reason for item in fetch(tmp_path, urls, allow_hosts=[server.name])] == [
        "unknown_encoding",
        "",
    ]
    assert server.images == {"/a.png": 1, "/b.png": 1}
    monkeypatch.setattr("leafinstruct.images.web.client._RULES", 99)
    assert [item.reason for item in fetch(tmp_path, urls, allow_hosts=[server.name])] == ["", ""]
    assert server.images == {"/a.png": 2, "/b.png": 1}


@pytest.mark.parametrize("encoding", ["none", "identity", "", "NONE", "br", "zstd", "gzip, deflate", "utf-8"])
def test_headers_that_are_no_reason_to_refuse(encoding):
    assert of_headers({"Content-Type": "image/png", "Content-Encoding": encoding}, True, 10**7) is None


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (png(), True),
        (b"\xff\xd8\xff\xe0", True),
        (b"GIF89a", True),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", True),
        (b"BM\x3a\0\0\0\0\0\0\0", True),
        (b"II*\0", True),
        (b"\0\0\0\x20ftypavif\0\0\0\0", True),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif", True),
        (b"RIFF\x01\x02\x03\x04WAVE", False),
        (b"\0\0\0\x20ftypisom\0\0\0\0", False),
        (b"<svg", False),
        (b"BM and more text", False),
        (b" \xff\xd8\xff", False),
        (b"", False),
    ],
)
def test_the_first_bytes_of_images(data, wanted):
    assert is_image(data) == wanted
