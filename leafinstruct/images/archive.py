"""One WARC response or resource record, given as the bytes of its range in the file -> what the server
answered, decoded.

The ingest room reads pages with it and `read` reads images, so a record is taken apart in one place. FastWARC
undoes chunks and brotli while reading; gzip and deflate are undone here, because FastWARC gives what it has
of a cut stream and says nothing. Either way a bomb stops at the limit and is never held. Crawlers often store
a body decoded and keep the server's headers, so a body that does not decode as announced is taken as it lies
there; but one that decodes up to its end and lacks that end is cut, and so is one that is shorter than its
Content-Length.

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
"""Whether chunks, and content encodings, are undone: as announced; chunks undone by the crawler; the content;
both."""
_GZIP = b"\x1f\x8b"
_ZLIB = frozenset({"gzip", "x-gzip", "deflate"})
_FIRST_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\r\n]*)?\r\n")
_LAST_CHUNK = re.compile(rb"(?:\A|\r\n)0+[ \t]*(?:;[^\r\n]*)?(?:\r\n(?:[^\r\n]+\r\n)*\s*)?\Z")
MAX_MEMBERS = 100
"""Of a body in gzip; servers send one. What follows a member is copied for each."""
_TRAILERS = 8192
"""Bytes at a chunked body's end in which its last chunk is looked for."""


@dataclass(frozen=True, slots=True)
class Response:
    """url: the record's target address. status: None of a resource. media: lower case, without parameters,
    empty when not given.
    charset: of the HTTP header. withheld: what of it withholds the body from training (optout), empty where
    nothing does."""

    url: str
    status: int | None
    media: str
    charset: str | None
    body: bytes
    withheld: str = ""


class RecordError(Exception):
    """The range holds no usable response. reason: broken_record, not_a_response, truncated_record, too_large.
    Callers turn it into data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def response(data: bytes, limit: int) -> Response:
    """The response in a record's bytes. limit: of the decoded body, in bytes. Raises RecordError."""
    problem = ""
    for transfer, content in _TRIES:
        try:
            return _response(data, limit, transfer, content)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            problem = problem or str(error)
    raise RecordError("broken_record", f"the record cannot be decoded: {problem}")


def beginning(data: bytes, size: int) -> bytes:
    """The first bytes of a decoded body; of the record only a first part need be given. Raises RecordError
    when it cannot be decoded."""
    decodings: tuple[_Decoding, ...] = ("all", "content", "transfer", "none")
    for decoding in decodings:
        try:
            body = _opened(data, decoding).reader.read(size)
            return zlib.decompressobj(wbits=31).decompress(body, size) if body.startswith(_GZIP) else body
        except (OSError, ValueError, EOFError, zlib.error):
            continue
    raise RecordError("broken_record", "the record cannot be decoded")


def _opened(data: bytes, decoding: _Decoding) -> WarcRecord:
    """The record, its reader at the body. Raises RecordError when it is none that holds a body."""
    record = next(ArchiveIterator(io.BytesIO(data), auto_decode=decoding), None)
    if record is None:
        raise RecordError("broken_record", "there is no record at this place")
    if record.record_type == WarcRecordType.resource:
        return record
    if record.record_type != WarcRecordType.response or not record.is_http:
        raise RecordError("not_a_response", "the record at this place is not an HTTP response")
    # FastWARC 2.0 wants the decoding here and in the iterator
    record.parse_http(auto_decode=decoding, quirks_mode=True)
    return record


def _response(data: bytes, limit: int, transfer: _Decoding, content: bool) -> Response:
    record = _opened(data, transfer)
    if why := record.headers.get("WARC-Truncated"):
        raise RecordError("truncated_record", f"the crawler cut this record ({why[:40]})")
    if record.headers.get("WARC-Segment-Number"):
        raise RecordError("truncated_record", "the rest of the body lies in another record (a continuation)")
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
    """The body of an HTTP response opened with `transfer`, its content encoding undone or not. Raises
    RecordError when it is cut."""
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
    """Raise RecordError when a body lies there in chunks and lacks the last; FastWARC takes a stream that
    ends between two chunks for whole."""
    if _FIRST_CHUNK.match(body) and not _LAST_CHUNK.search(body[-_TRAILERS:]):
        raise RecordError("truncated_record", "the body ends before its last chunk")


def _inflated(packed: bytes, limit: int) -> bytes:
    """A body out of gzip (of one member or more) or zlib. Raises zlib.error for what is neither, RecordError
    when it is cut or too large."""
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
    """The encodings that a header names."""
    return [
        token.strip().lower()
        for token in (value or "").split(",")
        if token.strip() and token.strip().lower() != "identity"
    ]


def target(record: WarcRecord) -> str:
    """The record's address; some writers put it in angle brackets."""
    return (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")


def media(record: WarcRecord) -> str:
    """The media type of a record whose HTTP header is parsed: `text/html`, or empty."""
    return media_type(record.http_content_type)


def media_type(value: str | None) -> str:
    """The media type that a Content-Type header names, lower case, without parameters; the first of
    several."""
    return (value or "").partition(";")[0].partition(",")[0].strip().lower()


def _charset(value: str) -> str | None:
    found = re.search(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", value, re.IGNORECASE)
    return found[1] if found else None
