"""WARC files and CDXJ indexes."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Any

from hostile.base import CASES, SOUND, Files, giant, numbered, png


def response(
    url: str, body: bytes, headers: str = "Content-Type: text/html", more: str = "", length: str | None = None
) -> bytes:
    block = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: "
        f"2024-05-06T10:00:00Z\r\n{more}"
    )
    declared = (
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {length or len(block)}\r\n\r\n"
    )
    return (head + declared).encode() + block + b"\r\n\r\n"


def sound_page(name: str = "z") -> bytes:
    return response(f"http://a.org/{name}", f"<html><body><p>{SOUND} {name}</p></body></html>".encode())


def warc(
    name: str, records: Callable[[], list[bytes]], packed: bool = False, more: Mapping[str, Any] | None = None
) -> None:
    def files() -> Files:
        found = [sound_page("first"), *records(), sound_page("last")]
        return (
            {"a.warc.gz": b"".join(gzip.compress(item) for item in found)}
            if packed
            else {"a.warc": b"".join(found)}
        )

    CASES[f"warc {name}"] = ("warc", files, more or {})


PAGE = b"<html><body><p>" + SOUND.encode() + b"</p>"
warc("Content-Length 10^18", lambda: [response("http://a.org/x", PAGE, length=str(10**18))])
warc(
    "Content-Length 10^18, gzip", lambda: [response("http://a.org/x", PAGE, length=str(10**18))], packed=True
)
warc("Content-Length 10^30", lambda: [response("http://a.org/x", PAGE, length="9" * 30)])
warc("Content-Length of 100,000 digits", lambda: [response("http://a.org/x", PAGE, length="9" * 30_000)])
warc("Content-Length negative", lambda: [response("http://a.org/x", PAGE, length="-5")])
warc("Content-Length negative, gzip", lambda: [response("http://a.org/x", PAGE, length="-5")], packed=True)
warc("Content-Length no number", lambda: [response("http://a.org/x", PAGE, length="five")])
warc("Content-Length 2^63", lambda: [response("http://a.org/x", PAGE, length=str(2**63))])
warc("Content-Length 2^64+10", lambda: [response("http://a.org/x", PAGE, length=str(2**64 + 10))])
warc("Content-Length twice", lambda: [response("http://a.org/x", PAGE, more="Content-Length: 999999999\r\n")])
warc("Content-Length 0", lambda: [response("http://a.org/x", PAGE, length="0")])
warc(
    "Content-Length of HTTP 10^18",
    lambda: [response("http://a.org/x", PAGE, f"Content-Type: text/html\r\nContent-Length: {10**18}")],
)
warc(
    "100 Content-Lengths of 10^18",
    lambda: [response(f"http://a.org/{n}", PAGE, length=str(10**18)) for n in range(100)],
)
warc(
    "900 damaged records of 100 kB",
    lambda: [response(f"http://a.org/{n}", PAGE + b"x" * 100_000, length="77") for n in range(900)],
)
warc("5,000 damaged records", lambda: [response(f"http://a.org/{n}", PAGE, length="7") for n in range(5_000)])
warc("1,000,000 WARC header lines", lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" * 1_000_000)])
warc(
    "1,000,000 WARC header lines, gzip",
    lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" * 1_000_000)],
    packed=True,
)
warc("WARC header line of 8 MB", lambda: [response("http://a.org/x", PAGE, more=f"A: {'b' * 8_000_000}\r\n")])
warc("WARC header folded", lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" + " c\r\n" * 1_000_000)])
warc(
    "1,000,000 HTTP header lines",
    lambda: [
        response("http://a.org/x", PAGE, "Content-Type: text/html\r\n" + "A: b\r\n" * 1_000_000 + "B: c")
    ],
)
warc(
    "1,000,000 X-Robots-Tag",
    lambda: [
        response(
            "http://a.org/x", PAGE, "Content-Type: text/html\r\n" + "X-Robots-Tag: b\r\n" * 500_000 + "B: c"
        )
    ],
)
warc(
    "HTTP header folded",
    lambda: [
        response(
            "http://a.org/x", PAGE, "Content-Type: text/html\r\nA: b\r\n" + " c\r\n" * 1_000_000 + "B: c"
        )
    ],
)
warc("header without end", lambda: [b"WARC/1.0\r\n" + b"A: b\r\n" * 1_000_000])
warc("10,000 tiny records", lambda: [response(f"http://a.org/{n}", b"x") for n in range(10_000)], packed=True)
warc(
    "100,000 not_http",
    lambda: [response(f"http://a.org/{n}", b"").replace(b"HTTP/1.1", b"FTPP/1.1") for n in range(60_000)],
)
warc(
    "chunks of one byte",
    lambda: [
        response(
            "http://a.org/x",
            b"1\r\nx\r\n" * 1_500_000 + b"0\r\n\r\n",
            "Content-Type: text/html\r\nTransfer-Encoding: chunked",
        )
    ],
)
warc(
    "chunk of 10^15",
    lambda: [
        response(
            "http://a.org/x", b"FFFFFFFFFFFF\r\nx", "Content-Type: text/html\r\nTransfer-Encoding: chunked"
        )
    ],
)
warc(
    "zeros in chunks' trailer",
    lambda: [
        response(
            "http://a.org/x",
            b"1\r\nx\r\n" + b"0" * 8_000_000,
            "Content-Type: text/html\r\nTransfer-Encoding: chunked",
        )
    ],
)
warc(
    "chunked 300 times",
    lambda: [
        response(
            "http://a.org/x",
            b"0" * 8_000_000,
            "Content-Type: text/html\r\nTransfer-Encoding: " + "chunked," * 100_000,
        )
    ],
)
warc(
    "gzip of gzip",
    lambda: [
        response(
            "http://a.org/x",
            gzip.compress(gzip.compress(bytes(1 << 30))),
            "Content-Type: text/html\r\nContent-Encoding: gzip, gzip",
        )
    ],
)
warc(
    "gzip bomb",
    lambda: [
        response(
            "http://a.org/x",
            gzip.compress(bytes(1 << 30)),
            "Content-Type: text/html\r\nContent-Encoding: gzip",
        )
    ],
)
warc(
    "200 gzip bombs",
    lambda: [
        response(f"http://a.org/{n}", _bomb(), "Content-Type: text/html\r\nContent-Encoding: gzip")
        for n in range(100)
    ],
)
warc(
    "gzip of 500,000 empty members",
    lambda: [
        response(
            "http://a.org/x",
            gzip.compress(b"") * 500_000,
            "Content-Type: text/html\r\nContent-Encoding: gzip",
        )
    ],
)
warc(
    "gzip of members of a byte",
    lambda: [
        response(
            "http://a.org/x",
            gzip.compress(b"x") * 300_000,
            "Content-Type: text/html\r\nContent-Encoding: gzip",
        )
    ],
)
warc("500,000 empty gzip members between", lambda: [b""] * 200_000, packed=True)
warc("record that unpacks to 2 GB", lambda: [response("http://a.org/x", bytes(1 << 30))], packed=True)
warc(
    "image record of 1 GB of zeros",
    lambda: [response("http://a.org/x.png", bytes(1 << 30), "Content-Type: image/png")],
    packed=True,
)
warc(
    "50 pages, 30 MB each packed",
    lambda: [response(f"http://a.org/{n}", PAGE + b" " * 30_000_000) for n in range(12)],
    packed=True,
)
warc(
    "page with 200 data images in 30 MB",
    lambda: [
        response(
            "http://a.org/x", PAGE + (b"<img src='data:image/png;base64," + b"A" * 140_000 + b"'>") * 200
        )
    ],
    packed=True,
)
warc(
    "1,900 images in one 25 MB record",
    lambda: [
        response("http://a.org/x", PAGE + b"<img src=p.png>" * 1_900),
        response("http://a.org/p.png", png() + bytes(18_000_000), "Content-Type: image/png"),
    ],
    packed=True,
)
warc("revisit loop", lambda: _loop(50_000))
warc(
    "one record id",
    lambda: [
        response(f"http://a.org/{n}", PAGE, more="WARC-Record-ID: <urn:uuid:0>\r\n") for n in range(3_000)
    ],
)
warc(
    "10,000 captures of a URL",
    lambda: [response("http://a.org/x.png", png(), "Content-Type: image/png")] * 30_000,
)
warc("URL of 8 MB", lambda: [response(f"http://a.org/{'a' * 8_000_000}", PAGE)])
warc("URL of percent signs", lambda: [response(f"http://a.org/{'%' * 4_000_000}", PAGE)])
warc(
    "Content-Type of 4 MB",
    lambda: [response("http://a.org/x", PAGE, "Content-Type: text/html;" + " charset" * 500_000)],
)
warc(
    "resource with charset bomb",
    lambda: [
        response("http://a.org/x", PAGE)
        .replace(b"response", b"resource")
        .replace(b"application/http;", b"text/html; " + b"charset " * 500_000 + b";")
    ],
)
warc(
    "without media type, prolog of spaces",
    lambda: [response("http://a.org/x", b" " * 900 + b"<?xml" + b" " * 1000, "A: b")] * 1000,
)
warc("plain file of WARC/1. signs", lambda: [b"\r\n\r\nWARC/1." * 400_000])
warc("file of gzip signs", lambda: [b"\x1f\x8b\x08\0" * 1_000_000], packed=False)


def _bomb() -> bytes:
    return gzip.compress(bytes(64 << 20))


def _loop(count: int) -> list[bytes]:
    found = []
    for n in range(count):
        head = f"WARC/1.0\r\nWARC-Type: revisit\r\nWARC-Target-URI: http://a.org/{n}.png\r\n"
        head += f"WARC-Refers-To-Target-URI: http://a.org/{(n + 1) % count}.png\r\n"
        found.append((head + "WARC-Date: 2024-05-06T10:00:00Z\r\nContent-Length: 0\r\n\r\n\r\n\r\n").encode())
    return [*found, response("http://a.org/p", PAGE + numbered("<img src=#.png>", 1_900).encode())]


def _gzip_signs() -> Files:
    return {
        "a.warc.gz": gzip.compress(sound_page("first"))
        + b"\x1f\x8b\x08\0" * 2_000_000
        + gzip.compress(sound_page("last"))
    }


CASES["warc.gz file of gzip signs"] = ("warc", _gzip_signs, {})
CASES["warc.gz one bomb of 4 GB"] = (
    "warc",
    lambda: {
        "a.warc.gz": gzip.compress(sound_page())
        + giant(4 << 30, response("http://a.org/x", b"", length=str(4 << 30))[:-4])
    },
    {},
)


CASES["cdxj of gzip zeros"] = (
    "warc",
    lambda: {"a.warc": sound_page(), "x/i.cdxj.gz": giant(8 << 30)},
    {"path": "a.warc", "crawl": True, "cdxj": "x/i.cdxj.gz"},
)
CASES["cdxj of 1,000,000 lines"] = (
    "warc",
    lambda: {
        "a.warc": sound_page(),
        "x/i.cdxj.gz": gzip.compress(
            b'a {"url": "http://a.org/b.png", "filename": "a.warc", "offset": 1, "length": 5}\n' * 800_000
        ),
    },
    {"path": "a.warc", "crawl": True, "cdxj": "x/i.cdxj.gz"},
)
