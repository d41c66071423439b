"""Read one WARC response or resource record, given as the bytes of its range in the file, and decode its
body.

Both ingest (pages) and `read` (images) use it. FastWARC joins chunks (those with extensions or bare line
feeds are joined here), and `encodings` decodes the content encoding, because FastWARC knows few of them and
returns what it has of a cut stream without an error. In both cases
decoding stops at the size limit, so a decompression bomb is never in memory. Crawlers often store a decoded
body and keep the server's headers, so a body that is plainly not encoded is taken as stored. But a body that
decodes and lacks its end is cut, and so is one that is shorter than its Content-Length.

Chosen: FastWARC: native code, reads .warc and .warc.gz alike, gives offsets on disk and decodes HTTP bodies;
warcio is pure Python.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Literal

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from leafinstruct.images import encodings
from leafinstruct.images.encodings import EncodingError, encodings_of
from leafinstruct.images.http_head import WINDOW, with_clean_head
from leafinstruct.images.optout import withheld

_Chunks = Literal["transfer", "none"]
_TRIES: tuple[_Chunks, ...] = ("transfer", "none")
"""Whether chunks are joined, in turn: as announced; not, because the crawler already did."""
_GZIP = b"\x1f\x8b"
_REASONS = {"broken_encoding": "broken_record", "cut_encoding": "truncated_record"}
_PACKED = 16 << 10
"""Bytes of a body from which its first bytes are decoded."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LAST_CHUNK = re.compile(rb"(?:\A|\n)0+[ \t]*(?:;[^\r\n]*)?(?:\r?\n(?:[^\r\n]+\r?\n)*\s*)?\Z")
MAX_CHUNKS = 1_000_000
"""Maximum chunks of a body that are joined here; servers send some kB in each."""
_IGNORED = re.compile(r"[\t\n\r]")
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_TRAILERS = 2048
"""Bytes at the end of a chunked body in which its last chunk is searched: 40 ms for the worst ones, four
times that for twice as many."""


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
    too_large, unknown_encoding. Callers turn it into data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def response(data: bytes, limit: int) -> Response:
    """Return the response in a record's bytes. limit: maximum bytes of the decoded body. Raises
    RecordError."""
    data = with_clean_head(data, 2 * limit + WINDOW)
    problem: Exception | None = None
    for chunks in _TRIES:
        try:
            return _response(data, limit, chunks)
        except (OSError, ValueError) as error:
            problem = problem or error
        except EncodingError as error:
            problem = error
            if error.reason in ("cut_encoding", "too_large"):
                break
    if isinstance(problem, EncodingError):
        raise RecordError(_REASONS.get(problem.reason, problem.reason), problem.detail) from problem
    raise RecordError("broken_record", f"the record cannot be decoded: {problem}")


def beginning(data: bytes, size: int) -> bytes:
    """Return the first bytes of a decoded body, from the first part of a record. Raises RecordError if it
    cannot be decoded."""
    data = with_clean_head(data, len(data))
    for chunks in _TRIES:
        try:
            record = _opened(data, chunks)
            body = _joined(record, record.reader.read(max(size, _PACKED)), is_part=True)
            stated = _encodings(record) or (["gzip"] if body.startswith(_GZIP) else [])
            return encodings.beginning(body, stated, size)
        except (OSError, ValueError, EncodingError):
            continue
    raise RecordError("broken_record", "the record cannot be decoded")


def _opened(data: bytes, chunks: _Chunks) -> WarcRecord:
    """Return the record, its reader at the body. Raises RecordError for a record without one."""
    record = next(ArchiveIterator(io.BytesIO(data), auto_decode=chunks), None)
    if record is None:
        raise RecordError("broken_record", "there is no record at this offset")
    if record.record_type == WarcRecordType.resource:
        return record
    if record.record_type != WarcRecordType.response or not record.is_http:
        raise RecordError("not_a_response", "the record at this offset is not an HTTP response")
    # FastWARC 2.0 needs the decoding here and in the iterator
    record.parse_http(auto_decode=chunks, quirks_mode=True)
    return record


def _encodings(record: WarcRecord) -> list[str]:
    """Return the encodings of a response's body but for chunks, in the order in which they were applied."""
    if record.record_type == WarcRecordType.resource:
        return []
    transfer = _stated(record, "Transfer-Encoding")
    return [*_stated(record, "Content-Encoding"), *(name for name in transfer if name != "chunked")]


def _stated(record: WarcRecord, header: str) -> list[str]:
    """Return the encodings that a header names; it may be repeated."""
    return encodings_of(",".join(record.http_headers.get_multiple(header)))


def _response(data: bytes, limit: int, chunks: _Chunks) -> Response:
    record = _opened(data, chunks)
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
    body = _body(data, record, limit, chunks)
    head = record.http_headers
    return Response(
        target(record), head.status_code, media(record), record.http_charset, body, withheld(head.items())
    )


def _body(data: bytes, record: WarcRecord, limit: int, chunks: _Chunks) -> bytes:
    """Return the decoded body of an HTTP response opened with `chunks`. Raises RecordError if the body is
    cut, EncodingError if it cannot be decoded."""
    stated = _encodings(record)
    chunked = _is_chunked(record)
    if chunked and chunks == "transfer":
        _check_chunks(_opened(data, "none").reader.read(2 * limit))
    body = _joined(record, _limited(record.reader.read(limit + 1), limit))
    if stated:
        return encodings.decoded(body, stated, limit)
    announced = (record.http_headers.get("Content-Length") or "").strip()
    if not chunked and announced.isdecimal() and len(body) < int(announced[:18]):
        raise RecordError(
            "truncated_record",
            f"the body has {len(body):,} of the {int(announced[:18]):,} bytes that the server announced",
        )
    return body


def _check_chunks(body: bytes) -> None:
    """Raise RecordError if a body is stored in chunks and lacks the last one. FastWARC accepts a stream
    that ends between two chunks."""
    if _CHUNK.match(body) and not _LAST_CHUNK.search(body[-_TRAILERS:]):
        raise RecordError("truncated_record", "the body ends before its last chunk")


def _is_chunked(record: WarcRecord) -> bool:
    return record.record_type != WarcRecordType.resource and "chunked" in _stated(record, "Transfer-Encoding")


def _joined(record: WarcRecord, body: bytes, is_part: bool = False) -> bytes:
    """Join the chunks of a body that FastWARC left; it stays as it is if it is not exactly in chunks.

    is_part: whether the body is a first part, whose last chunk may be cut. Raises RecordError for too many
    chunks.
    """
    pieces, at, left = [], 0, MAX_CHUNKS
    if not _is_chunked(record):
        return body
    while left and (chunk := _CHUNK.match(body, at)):
        size, left = int(chunk[1], 16), left - 1
        pieces.append(body[chunk.end() : chunk.end() + size])
        at = chunk.end() + size
        if not size or (is_part and at >= len(body)):
            return b"".join(pieces)
        end = b"\r\n" if body.startswith(b"\r\n", at) else b"\n"
        if not body.startswith(end, at):
            return body
        at += len(end)
    if not left:
        raise RecordError("too_large", f"the body has more than {MAX_CHUNKS:,} chunks")
    return body


def _limited(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise RecordError("too_large", f"the body is longer than {limit:,} bytes")
    return body


def target(record: WarcRecord) -> str:
    """Return the record's target URI; some writers put it in angle brackets."""
    url = record.headers.get("WARC-Target-URI") or ""
    if "\ufffd" in url:
        url = url_text(record.headers.get_bytes(b"WARC-Target-URI") or b"")
    if url.isprintable() and "<" not in url and ">" not in url and " " not in url:  # most URLs
        return url
    return _IGNORED.sub("", url).strip().removeprefix("<").removesuffix(">")


def url_text(header: bytes) -> str:
    """Decode a header that holds a URL; bytes that are no UTF-8 become percent-escapes, as browsers send
    them."""
    return _NO_UTF8.sub(lambda byte: f"%{ord(byte[0]) & 0xFF:02X}", header.decode(errors="surrogateescape"))


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
