"""Write pages as a web archive: one response record for the page and one for each image, each record a gzip
member of its own.

FastWARC writes the records, because the readers already depend on it; warcio would be a second library for
one format. Dates and record ids are derived, never taken from the clock. Members are compressed by `gzip`
with time 0, because the library's own compressed stream has changed its name between versions and does not
let us set its header.
"""

from __future__ import annotations

import gzip
import io
import uuid
import zlib
from urllib.parse import urlsplit

from fastwarc.warc import WarcRecord, WarcRecordType

from leafinstruct.sketchbook.documents.page import Page
from leafinstruct.sketchbook.formats.html import html

DATE = "2026-01-01T00:00:00Z"
_STORED = 65_535
"""Maximum size in bytes of an uncompressed block."""


def head(name: str) -> bytes:
    """Return the `warcinfo` member at the beginning of an archive."""
    fields = b"software: leafinstruct sketchbook\r\nformat: WARC File Format 1.1\r\nlicense: CC0-1.0\r\n"
    return _member(
        WarcRecordType.warcinfo, f"urn:sketchbook:{name}", "application/warc-fields", fields, filename=name
    )


def members(page: Page) -> bytes:
    """Return the page's records; the page's own record comes first."""
    body = html(page, lambda image: urlsplit(page.image_url(image)).path)
    records = [_response(page.url, "text/html; charset=utf-8", body)]
    records += [_response(page.image_url(image), _type(image.name), image.data) for image in page.images]
    return b"".join(records)


def filler(length: int) -> bytes:
    """Return a gzip member of `length` bytes with a record of blanks, which readers skip: the records after
    it keep their offsets."""
    # without compression; the last block may be empty
    size = length - 18 - 5 * -(-length // _STORED)
    head = (
        f"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:uuid:{uuid.UUID(int=0)}>\r\nWARC-Date: "
        f"{DATE}\r\nContent-Length: "
    )
    record = f"{head}{(blanks := size - len(head) - 18):010d}\r\n\r\n{' ' * blanks}\r\n\r\n".encode()
    pieces = [record[at : at + _STORED] for at in range(0, _STORED * -(-length // _STORED), _STORED)]
    ends = [number == len(pieces) - 1 for number in range(len(pieces))]
    blocks = [
        bytes([end]) + len(piece).to_bytes(2, "little") + (0xFFFF ^ len(piece)).to_bytes(2, "little") + piece
        for piece, end in zip(pieces, ends, strict=True)
    ]
    trailer = zlib.crc32(record).to_bytes(4, "little") + len(record).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"".join(blocks) + trailer


def _type(name: str) -> str:
    return "image/jpeg" if name.endswith(".jpg") else "image/png"


def _response(url: str, content_type: str, body: bytes) -> bytes:
    headers = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return _member(
        WarcRecordType.response, url, "application/http; msgtype=response", headers.encode() + body
    )


def _member(kind: WarcRecordType, url: str, content_type: str, payload: bytes, filename: str = "") -> bytes:
    record = WarcRecord()
    record.init_headers(record_type=kind, record_urn=f"uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}".encode())
    record.headers["WARC-Date"] = DATE
    if filename:
        record.headers["WARC-Filename"] = filename
    else:
        record.headers["WARC-Target-URI"] = url
    record.headers["Content-Type"] = content_type
    record.set_bytes_content(payload)
    plain, packed = io.BytesIO(), io.BytesIO()
    record.write(plain)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=packed, mtime=0) as member:
        member.write(plain.getvalue())
    return packed.getvalue()
