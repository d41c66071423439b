"""Read one WARC response or resource record, given as the bytes of its range in the file, and decode its
body.

Both ingest (pages) and `read` (images) use it. FastWARC decodes chunks and brotli while reading. gzip and
deflate are decoded here, because FastWARC returns what it has of a cut stream without an error. In both cases
decoding stops at the size limit, so a decompression bomb is never in memory. Crawlers often store a decoded
body and keep the server's headers, so a body that does not decode as announced is taken as stored. But a body
that decodes and lacks its end is cut, and so is one that is shorter than its Content-Length.

Chosen: FastWARC: native code, reads .warc and .warc.gz alike, gives offsets on disk and decodes HTTP bodies;
warcio is pure Python.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from typing import Literal

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from leafinstruct.images.optout import withheld

_Decoding = Literal["all", "content", "transfer", "none"]
_TRIES: tuple[tuple[_Decoding, bool], ...] = (
    ("transfer", True),
    ("none", True),
    ("transfer", False),
    ("none", False),
)
"""Which decoding is tried, in turn: (chunks, content encoding). As announced; chunks already decoded by
the crawler; content already decoded; both."""
_GZIP = b"\x1f\x8b"
_ZLIB = frozenset({"gzip", "x-gzip", "deflate"})
_FIRST_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\r\n]*)?\r\n")
_LAST_CHUNK = re.compile(rb"(?:\A|\r\n)0+[ \t]*(?:;[^\r\n]*)?(?:\r\n(?:[^\r\n]+\r\n)*\s*)?\Z")
MAX_MEMBERS = 100
"""Maximum gzip members of a body; servers send one. The bytes after a member are copied for each."""
_TRAILERS = 8192
"""Bytes at the end of a chunked body in which its last chunk is searched."""


@dataclass(frozen=True, slots=True)
class Response:
    """The decoded response of a record. url: the record's target URI; status: None for a resource record;
    media: lower case, without parameters, empty if not given; charset: of the HTTP header; withheld: the
    opt-out in its headers (optout), empty if there is none."""

    url: str
    status: int | None
    media: str
    charset: str | None
    body: bytes
    withheld: str = ""


class RecordError(Exception):
    """The range holds no usable response. reason: broken_record, not_a_response, truncated_record,
    too_large. Callers turn it into data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def response(data: bytes, limit: int) -> Response:
    """Return the response in a record's bytes. limit: maximum bytes of the decoded body. Raises
    RecordError."""
    problem = ""
    for transfer, content in _TRIES:
        try:
            return _response(data, limit, transfer, content)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            problem = problem or str(error)
    raise RecordError("broken_record", f"the record cannot be decoded: {problem}")


def beginning(data: bytes, size: int) -> bytes:
    """Return the first bytes of a decoded body, from the first part of a record. Raises RecordError if it
    cannot be decoded."""
    decodings: tuple[_Decoding, ...] = ("all", "content", "transfer", "none")
    for decoding in decodings:
        try:
            body = _opened(data, decoding).reader.read(size)
            return zlib.decompressobj(wbits=31).decompress(body, size) if body.startswith(_GZIP) else body
        except (OSError, ValueError, EOFError, zlib.error):
            continue
    raise RecordError("broken_record", "the record cannot be decoded")


def _opened(data: bytes, decoding: _Decoding) -> WarcRecord:
    """Return the record, its reader at the body. Raises RecordError for a record without one."""
    record = next(ArchiveIterator(io.BytesIO(data), auto_decode=decoding), None)
    if record is None:
        raise RecordError("broken_record", "there is no record at this offset")
    if record.record_type == WarcRecordType.resource:
        return record
    if record.record_type != WarcRecordType.response or not record.is_http:
        raise RecordError("not_a_response", "the record at this offset is not an HTTP response")
    # FastWARC 2.0 needs the decoding here and in the iterator
    record.parse_http(auto_decode=decoding, quirks_mode=True)
    return record


def _response(data: bytes, limit: int, transfer: _Decoding, content: bool) -> Response:
    record = _opened(data, transfer)
    if why := record.headers.get("WARC-Truncated"):
        raise RecordError("truncated_record", f"the crawler cut this record ({why[:40]})")
    if record.headers.get("WARC-Segment-Number"):
        raise RecordError("truncated_record", "the rest of the body is in another record (a continuation)")
    if record.record_type == WarcRecordType.resource:
        kind = record.headers.get("Content-Type") or ""
        return Response(
            target(record),
            None,
            media_type(kind),
            _charset(kind),
            _limited(record.reader.read(limit + 1), limit),
        )
    body = _body(data, record, limit, transfer, content)
    head = record.http_headers
    return Response(
        target(record), head.status_code, media(record), record.http_charset, body, withheld(head.items())
    )


def _body(data: bytes, record: WarcRecord, limit: int, transfer: _Decoding, content: bool) -> bytes:
    """Return the body of an HTTP response opened with `transfer`. content: whether to decode the content
    encoding. Raises RecordError if the body is cut."""
    head = record.http_headers
    chunked, encodings = (
        "chunked" in _tokens(head.get("Transfer-Encoding")),
        _tokens(head.get("Content-Encoding")),
    )
    if chunked and transfer == "transfer":
        _check_chunks(_opened(data, "none").reader.read(2 * limit))
    if content and encodings == ["br"]:
        record = _opened(data, "all" if transfer == "transfer" else "content")
    body = _limited(record.reader.read(limit + 1), limit)
    if content and len(encodings) == 1 and encodings[0] in _ZLIB:
        return _inflated(body, limit)
    if encodings and body.startswith(_GZIP):
        raise RecordError("broken_record", "the body is damaged gzip")
    announced = (head.get("Content-Length") or "").strip()
    if not chunked and not encodings and announced.isdecimal() and len(body) < int(announced[:18]):
        raise RecordError(
            "truncated_record",
            f"the body has {len(body):,} of the {int(announced[:18]):,} bytes that the server announced",
        )
    return body


def _check_chunks(body: bytes) -> None:
    """Raise RecordError if a body is stored in chunks and lacks the last one. FastWARC accepts a stream
    that ends between two chunks."""
    if _FIRST_CHUNK.match(body) and not _LAST_CHUNK.search(body[-_TRAILERS:]):
        raise RecordError("truncated_record", "the body ends before its last chunk")


def _inflated(packed: bytes, limit: int) -> bytes:
    """Decompress a body from gzip (one or more members) or zlib. Raises zlib.error for anything else,
    RecordError if it is cut or too large."""
    body, members = b"", 0
    while packed and len(body) <= limit:
        members += 1
        if members > MAX_MEMBERS:
            raise RecordError("too_large", f"the body has more than {MAX_MEMBERS} gzip members")
        stream = zlib.decompressobj(wbits=47)
        body += stream.decompress(packed, limit + 1 - len(body))
        if not stream.eof and len(body) <= limit:
            raise RecordError("truncated_record", "the body ends before its compression does")
        packed = stream.unused_data if stream.unused_data.startswith(_GZIP) else b""
    return _limited(body, limit)


def _limited(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise RecordError("too_large", f"the body is longer than {limit:,} bytes")
    return body


def _tokens(value: str | None) -> list[str]:
    """Return the encodings that a header names."""
    return [
        token.strip().lower()
        for token in (value or "").split(",")
        if token.strip() and token.strip().lower() != "identity"
    ]


def target(record: WarcRecord) -> str:
    """Return the record's target URI; some writers put it in angle brackets."""
    return (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")


def media(record: WarcRecord) -> str:
    """Return the media type of a record whose HTTP header is parsed: `text/html`, or empty."""
    return media_type(record.http_content_type)


def media_type(value: str | None) -> str:
    """Return the media type of a Content-Type header, in lower case, without parameters; the first of
    several."""
    return (value or "").partition(";")[0].partition(",")[0].strip().lower()


def _charset(value: str) -> str | None:
    found = re.search(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", value, re.IGNORECASE)
    return found[1] if found else None
