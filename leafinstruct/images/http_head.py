"""Repair the line ends of the HTTP head in a WARC record.

HTTP demands CRLF (RFC 9112 section 2.2) and lets a recipient accept a bare LF, as browsers do. FastWARC
splits at CRLF only: a head of bare line feeds then reaches into the body, up to the first empty line with
CRLF, and its headers are lost. Few records need it, so the bytes of a record are rewritten before FastWARC
reads them.
"""

from __future__ import annotations

import re
import zlib

WINDOW = 32 << 10
"""Bytes of a record in which both heads must end; FastWARC reads no longer ones."""
_SHORT = 4 << 10
"""Bytes in which both heads of most records end; few need to be unpacked twice."""
_CLEAN = re.compile(rb"(?:[^\r\n<][^\r\n]*\r\n)+\r\n")
_END = re.compile(rb"\n[ \t]*\r*\n|\n(?=<)")
"""The empty line after a head; or markup, where a server forgot that line."""
_LENGTH = re.compile(rb"(?mi)^(content-length:[ \t]*)(\d{1,18})(?=[ \t]*\r?$)")
_GZIP, _BREAK, _HTTP = b"\x1f\x8b", b"\r\n\r\n", b"application/http"


def with_clean_head(record: bytes, limit: int) -> bytes:
    """Return a record whose HTTP head has CRLF at the end of each line: unchanged if it has, or is none; else
    unpacked, at most `limit` bytes of it.

    record: from its first byte, plain or as a gzip member; may be cut.
    """
    if _is_clean(_unpacked(record, _SHORT)):
        return record
    begin = _unpacked(record, WINDOW)
    start = begin.find(_BREAK) + len(_BREAK)
    if start < len(_BREAK) or _is_clean(begin) or _HTTP not in begin[:start].lower():
        return record
    block = begin[start:]
    skipped = len(block) - len(block.lstrip(b"\r\n"))
    if not block.startswith(b"HTTP/", skipped):
        return record
    head = _head_of(block[skipped:])
    if head is None:
        return record
    length = skipped + len(head)
    lines = [line.rstrip(b"\r") for line in head.strip().split(b"\n" if b"\n" in head else b"\r")]
    clean = b"\r\n".join(line.replace(b"\r", b" ") for line in lines) + _BREAK
    declared = _LENGTH.sub(
        lambda found: found[1] + b"%d" % max(0, int(found[2]) + len(clean) - length), begin[:start], count=1
    )
    return declared + clean + _unpacked(record, limit)[start + length :]


def _is_clean(begin: bytes) -> bool:
    """Whether a record begins with two heads, each with CRLF at the end of its lines."""
    end = begin.find(_BREAK)
    return end >= 0 and _CLEAN.match(begin, end + len(_BREAK)) is not None


def _head_of(block: bytes) -> bytes | None:
    """The head at the beginning of a block, with the empty line after it; None if it does not end."""
    if (end := block.find(b"\r\r")) >= 0 and b"\n" not in block[: end + 3]:
        return block[: end + 2]  # lines end in a bare CR
    found = _END.search(block)
    return None if found is None else block[: found.end()]


def _unpacked(record: bytes, limit: int) -> bytes:
    """The first bytes of a record; empty if it is damaged."""
    if not record.startswith(_GZIP):
        return record[:limit]
    try:
        return zlib.decompressobj(wbits=31).decompress(record, limit)
    except zlib.error:
        return b""
