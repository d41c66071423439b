"""Find where a record of a WARC file begins and ends, without FastWARC, which does not report that a file is
cut or damaged."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import BinaryIO

TRUNCATED, DAMAGED = "truncated", "damaged_record"
MAX_DECLARED = 1 << 40
"""Maximum bytes that a record may declare: 1 TiB. No archive is that long, so a record that declares more is
damaged; the file is not cut."""
_START = {True: re.compile(rb"\x1f\x8b\x08[\x00-\x1f]"), False: re.compile(rb"(?<=\r\n\r\n)WARC/1\.")}
"""How a record begins in a compressed file, and in a plain one."""
HEADER = 64 << 10
"""Bytes within which a record's header must end."""
LOOK = 1024
"""Bytes of a gzip member that show whether it contains a record, and of a body that show whether it is
HTML."""
_BREAK, _PADDING = b"\r\n\r\n", 64
"""What ends a header, and a record; and the maximum bytes of line breaks after it in its gzip member."""


def end_of(file: Path, offset: int) -> int | str:
    """Return where the record at an offset ends; TRUNCATED when the file ends before the record does, DAMAGED
    when the end cannot be determined.

    A record ends with two line breaks after its declared length; if something else is there, the declared
    length is wrong.
    """
    with file.open("rb") as stream:
        stream.seek(offset)
        head = stream.read(HEADER)
        if b"\x1f\x8b".startswith(head[:2]):
            return _end_of_member(stream, offset, head)
        length = _declared(head)
        size = file.stat().st_size
        if length is None:
            return (
                TRUNCATED
                if b"WARC/".startswith(head[:5]) and len(head) < HEADER and _BREAK not in head
                else DAMAGED
            )
        end = offset + length
        stream.seek(end)
        following = stream.read(len(_BREAK))
    if end > size:
        return DAMAGED if length > MAX_DECLARED else TRUNCATED
    return DAMAGED if following.strip(_BREAK) else end + len(following)


def _declared(head: bytes) -> int | None:
    """The bytes of a record by its own header, which is the first part of `head`; None when it has no
    valid length."""
    header, separator, _ = head.partition(_BREAK)
    declared = re.search(rb"(?mi)^content-length:\s*(\d{1,18})\s*$", header)
    return (
        None if declared is None or not separator else len(header) + len(separator) + int(declared.group(1))
    )


def more_after(file: Path, end: int) -> bool:
    """Whether anything but padding follows; FastWARC takes the first bytes of a record for the end of the
    file."""
    with file.open("rb") as stream:
        stream.seek(end)
        return bool(stream.read(HEADER).strip(b"\r\n\0 "))


def _end_of_member(stream: BinaryIO, offset: int, chunk: bytes) -> int | str:
    """The end of the gzip member that begins with `chunk`, if it contains what its record declares.
    Its content is unpacked only to the declared length and not kept."""
    member = zlib.decompressobj(wbits=31)
    end, size, head, tail = offset, 0, b"", b""
    declared: int | None = None
    try:
        while chunk and not member.eof:
            data = member.decompress(chunk, HEADER)
            while data:
                if not head:
                    head, declared = data, _declared(data)
                size, tail = size + len(data), (tail + data)[-_PADDING:]
                if size > (declared or 0) + HEADER:
                    return DAMAGED
                data = b"" if member.eof else member.decompress(member.unconsumed_tail, HEADER)
            end += len(chunk) - len(member.unused_data)
            chunk = b"" if member.eof else stream.read(HEADER)
    except zlib.error:
        return DAMAGED
    if not member.eof:
        return TRUNCATED
    if declared is None:
        return DAMAGED
    excess = size - declared
    return end if excess == 0 or (0 < excess <= _PADDING and not tail[-excess:].strip(_BREAK)) else DAMAGED


def unpacks_to_more(stream: BinaryIO, offset: int, size: int) -> bool:
    """Whether the gzip member at an offset unpacks to more than `size` bytes; unpacking stops at damage."""
    member, count = zlib.decompressobj(wbits=31), 0
    stream.seek(offset)
    try:
        while not member.eof and (chunk := member.unconsumed_tail or stream.read(HEADER)):
            count += len(member.decompress(chunk, 16 * HEADER))
            if count > size:
                return True
    except zlib.error:
        pass
    return False


def next_start(file: Path, offset: int) -> int | None:
    """Return where the first record at or after an offset begins; None when there is none."""
    with file.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
        base = max(0, offset - 4)
        stream.seek(base)
        window = stream.read(HEADER)
        while window:
            following = stream.read(HEADER)
            for match in _START[compressed].finditer(window):
                begin = match.start()
                if begin > len(window) - LOOK and following:
                    break  # the next window contains it completely
                if base + begin >= offset and (not compressed or _holds_record(window[begin : begin + LOOK])):
                    return base + begin
            kept = window[1 - LOOK :] if following else b""
            base += len(window) - len(kept)
            window = kept + following
    return None


def _holds_record(data: bytes) -> bool:
    """Whether a gzip member that contains a record begins with these bytes."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, 5) == b"WARC/"
    except zlib.error:
        return False
