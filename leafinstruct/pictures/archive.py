"""One WARC response record, given as the bytes of its range in the file -> what the server answered, decoded.

The ingest room reads pages with it and `read` reads pictures, so a record is taken apart in one place. Transfer and content encodings
(chunked; gzip, deflate, br) are undone by FastWARC while reading, so a bomb stops at the limit and is never held. Crawlers often store
a body decoded and keep the server's headers, so a body that does not decode as announced is taken as it lies there.

Chosen: FastWARC: native code, reads .warc and .warc.gz alike, gives offsets on disk and decodes HTTP bodies; warcio is pure Python.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

_Decoding = Literal["all", "content", "none"]
_DECODINGS: tuple[_Decoding, ...] = ("all", "content", "none")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Response:
    """url: the record's target address. media: lower case, without parameters, empty when not given. charset: of the HTTP header."""

    url: str
    status: int | None
    media: str
    charset: str | None
    body: bytes


class RecordError(Exception):
    """The range holds no usable response. reason: broken_record, not_a_response, truncated_record, too_large. Callers turn it into data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def response(data: bytes, limit: int) -> Response:
    """The response in a record's bytes. limit: of the decoded body, in bytes. Raises RecordError."""
    problem = ""
    for decoding in _DECODINGS:
        try:
            return _response(data, limit, decoding)
        except (OSError, ValueError, EOFError) as error:
            problem = problem or str(error)
    raise RecordError("broken_record", f"the record cannot be decoded: {problem}")


def _response(data: bytes, limit: int, decoding: _Decoding) -> Response:
    record = next(ArchiveIterator(io.BytesIO(data), auto_decode=decoding), None)
    if record is None:
        raise RecordError("broken_record", "there is no record at this place")
    if record.record_type != WarcRecordType.response or not record.is_http:
        raise RecordError("not_a_response", "the record at this place is not an HTTP response")
    if why := record.headers.get("WARC-Truncated"):
        raise RecordError("truncated_record", f"the crawler cut this record ({why[:40]})")
    record.parse_http(auto_decode=decoding, quirks_mode=True)  # FastWARC 2.0 wants the decoding here and in the iterator
    body = record.reader.read(limit + 1)
    if len(body) > limit:
        raise RecordError("too_large", f"the body is longer than {limit:,} bytes")
    if decoding == "none" and body.startswith(_GZIP):
        raise RecordError("broken_record", "the body is damaged gzip")
    return Response(target(record), record.http_headers.status_code, media(record), record.http_charset, body)


def target(record: WarcRecord) -> str:
    """The record's address; some writers put it in angle brackets."""
    return (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")


def media(record: WarcRecord) -> str:
    """The media type of a record whose HTTP header is parsed: `text/html`, or empty."""
    return (record.http_content_type or "").partition(";")[0].strip().lower()
