"""What a WARC file holds and where: its pages, its pictures by address, its redirects, and where it breaks off.

One pass over the file (about 400 MB on disk a second), remembered, so that parts can be planned by pages and a picture is found
without reading the file again. A record's length is the distance to the next one: bytes on disk, compressed or not.

FastWARC ends quietly when a stream is cut off, so the last record is checked: a gzip member must reach its end mark, a plain record its
declared length. Behind a record that cannot be read the next one is looked for, by the first bytes of a gzip member that holds one, or of a plain
record (in a plain file the text of a damaged page can pass for one). Records of a .warc.gz must be gzip members of their own, as the format
demands; a file compressed in one piece has no ranges.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from leafinstruct.errors import SourceError
from leafinstruct.ingest.address import join, key
from leafinstruct.ingest.index import Index, remembered
from leafinstruct.pictures.archive import media, target

VERSION = 4
"""Raised when an index says something else about the same file."""
PAGES = frozenset({"text/html", "application/xhtml+xml"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 5
"""Redirects that are followed for one picture; browsers stop at 20, honest sites need 2."""
TRUNCATED, DAMAGED = "truncated", "damaged"
_SENTENCES = {
    TRUNCATED: "the file ends before this record does",
    DAMAGED: "a record cannot be read",
}
MAX_DAMAGES = 1_000
"""Damaged records of a file behind which the next one is looked for; a file with more is no archive."""
_START = {True: re.compile(rb"\x1f\x8b\x08[\x00-\x1f]"), False: re.compile(rb"(?<=\r\n\r\n)WARC/1\.")}
"""How a record begins in a compressed file, and in a plain one."""
_HEADER = 64 << 10
"""Bytes within which a record's header must end."""
_LOOK = 1024
"""Bytes of a gzip member that tell whether it holds a record."""


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """pages: (offset, length), in the order of the file. pictures: address key -> (offset, length). redirects: address key -> address.
    damages: (offset, reason, sentence) of what cannot be read: `truncated` where the file ends early, else `damaged`."""

    pages: tuple[tuple[int, int], ...]
    pictures: dict[str, tuple[int, int]]
    redirects: dict[str, str]
    damages: tuple[tuple[int, str, str], ...]

    @property
    def items(self) -> int:
        """Pages, then damages, so that the report of each belongs to exactly one part."""
        return len(self.pages) + len(self.damages)

    def find(self, address: str) -> tuple[int, int] | None:
        """Range of the picture at an absolute address, through the file's own redirects. Raises ValueError for a malformed address."""
        for _ in range(_HOPS):
            place = key(address)
            if place in self.pictures:
                return self.pictures[place]
            if place not in self.redirects:
                return None
            address = self.redirects[place]
        return None


def index(file: Path, cache: Path) -> ArchiveIndex:
    """The file's index, built or remembered. Raises SourceError when it cannot be read or is not compressed record by record."""
    found = remembered(cache, file, _build, VERSION)
    pictures = {address: (place[0], place[1]) for address, place in found["pictures"].items()}
    damages = tuple((offset, reason, _SENTENCES[reason]) for offset, reason in found["damages"])
    return ArchiveIndex(tuple(map(tuple, found["pages"])), pictures, found["redirects"], damages)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record's start, and what it is to us: a page, a picture, a redirect (`location`), or nothing."""

    offset: int
    address: str = ""
    page: bool = False
    picture: bool = False
    location: str = ""


def _build(file: Path) -> Index:
    """One pass, in stretches from one damaged record to the next. Of several captures of one address the first counts."""
    found: Index = {"pages": [], "pictures": {}, "redirects": {}, "damages": []}
    start: int | None = 0
    while start is not None:
        records, end, reason = _stretch(file, start)
        _gather(found, records, end)
        if reason:
            found["damages"].append([end, reason])
        start = _next_start(file, end + 1) if reason and len(found["damages"]) < MAX_DAMAGES else None
    return found


def _stretch(file: Path, start: int) -> tuple[list[_Record], int, str]:
    """The records from an offset on, where they end, and why there: the reason is empty at the file's end.

    Where reading stops before it, the last record stays only if it is whole.
    """
    records: list[_Record] = []
    reason = ""
    with file.open("rb") as stream:
        stream.seek(start)
        try:
            for record in ArchiveIterator(stream):
                records.append(_described(record))
        except (OSError, ValueError):
            reason = DAMAGED
    _refuse_one_piece(file, records)
    end = _end(file, records[-1].offset) if records else start
    if isinstance(end, str):
        return records[:-1], records[-1].offset, end
    if not records or _more(file, end):
        following = _end(file, end)
        reason = following if isinstance(following, str) else DAMAGED
    return records, end, reason


def _next_start(file: Path, offset: int) -> int | None:
    """Where the first record at or after an offset begins; None when there is none."""
    with file.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
        base = max(0, offset - 4)
        stream.seek(base)
        window = stream.read(_HEADER)
        while window:
            following = stream.read(_HEADER)
            for match in _START[compressed].finditer(window):
                begin = match.start()
                if begin > len(window) - _LOOK and following:
                    break  # it is looked at whole in the next window
                if base + begin >= offset and (not compressed or _holds_record(window[begin : begin + _LOOK])):
                    return base + begin
            kept = window[1 - _LOOK :] if following else b""
            base += len(window) - len(kept)
            window = kept + following
    return None


def _holds_record(data: bytes) -> bool:
    """Whether a gzip member begins with these bytes and, in it, a record."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, 5) == b"WARC/"
    except zlib.error:
        return False


def _gather(found: Index, records: list[_Record], end: int) -> None:
    """Put a stretch of records, which ends at `end`, into the index as JSON holds it."""
    stops = [*(record.offset for record in records[1:]), end]
    for record, stop in zip(records, stops, strict=bool(records)):
        place = (record.offset, stop - record.offset)
        if record.page:
            found["pages"].append(place)
        elif record.picture:
            found["pictures"].setdefault(record.address, place)
        elif record.location:
            found["redirects"].setdefault(record.address, record.location)


def _described(record: WarcRecord) -> _Record:
    offset = record.stream_pos
    if record.record_type == WarcRecordType.revisit:
        return _revisit(offset, record)
    if record.record_type != WarcRecordType.response or not record.is_http:
        return _Record(offset)
    record.parse_http(quirks_mode=True)
    address, status, kind = target(record), record.http_headers.status_code, media(record)
    try:
        if status == 200:
            return _Record(offset, key(address), page=kind in PAGES, picture=not kind.startswith("text/") and kind not in PAGES)
        if status in _REDIRECTS:
            return _Record(offset, key(address), location=join(address, record.http_headers.get("Location") or ""))
    except ValueError:  # a malformed address can be neither found nor followed
        return _Record(offset, page=status == 200 and kind in PAGES)
    return _Record(offset)


def _revisit(offset: int, record: WarcRecord) -> _Record:
    """A capture that says "as at that address": a redirect there. One of the same address adds nothing to the capture it repeats."""
    try:
        address, other = key(target(record)), record.headers.get("WARC-Refers-To-Target-URI") or ""
        return _Record(offset, address, location=other) if other and key(other) != address else _Record(offset)
    except ValueError:
        return _Record(offset)


def _refuse_one_piece(file: Path, records: list[_Record]) -> None:
    """Raise SourceError when records share an offset, which is how a file compressed in one piece shows."""
    if any(following.offset <= record.offset for record, following in pairwise(records)):
        raise SourceError(
            f"{file}: compressed in one piece, so its records cannot be read one by one; run `fastwarc recompress` on it and use the result"
        )


def _end(file: Path, offset: int) -> int | str:
    """Where the record at an offset ends; else why that cannot be said: TRUNCATED when the file ends before it does, or DAMAGED."""
    with file.open("rb") as stream:
        stream.seek(offset)
        head = stream.read(_HEADER)
        if b"\x1f\x8b".startswith(head[:2]):
            return _end_of_member(stream, offset, head)
        header, separator, _ = head.partition(b"\r\n\r\n")
        declared = re.search(rb"(?mi)^content-length:\s*(\d{1,18})\s*$", header)
        size = file.stat().st_size
    if not separator:
        return TRUNCATED if b"WARC/".startswith(head[:5]) and len(head) < _HEADER else DAMAGED
    if declared is None:
        return DAMAGED
    end = offset + len(header) + len(separator) + int(declared.group(1))
    return TRUNCATED if end > size else min(end + len(separator), size)


def _more(file: Path, end: int) -> bool:
    """Whether anything but padding follows; FastWARC takes the first bytes of a record for the end of the file."""
    with file.open("rb") as stream:
        stream.seek(end)
        return bool(stream.read(_HEADER).strip(b"\r\n\0 "))


def _end_of_member(stream: BinaryIO, offset: int, chunk: bytes) -> int | str:
    """The end of the gzip member that begins with `chunk`; its contents pass through and are not kept."""
    member = zlib.decompressobj(wbits=31)
    end = offset
    try:
        while chunk and not member.eof:
            member.decompress(chunk, _HEADER)
            while member.unconsumed_tail and not member.eof:
                member.decompress(member.unconsumed_tail, _HEADER)
            end += len(chunk) - len(member.unused_data)
            chunk = b"" if member.eof else stream.read(_HEADER)
    except zlib.error:
        return DAMAGED
    return end if member.eof else TRUNCATED
