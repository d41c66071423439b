"""Index a WARC file: its pages, its images by URL, its redirects, and where it is cut or damaged.

One pass over the file (about 400 MB on disk per second), cached, so that parts can be planned by pages and an
image is found without reading the file again. A record's length is the distance to the next one: bytes on
disk, compressed or not.

FastWARC ends without an error when a stream is cut, so the last record is checked: a gzip member must reach
its end marker, a plain record its declared length. When a declared length is wrong, no record begins after
it: then the record that declared it is damaged, not the next one. After an unreadable record the next one is
found by the first bytes of a gzip member that contains one, or of a plain record (in a plain file the text of
a damaged page can look like one). Records of a .warc.gz must be separate gzip members, as the format demands;
a file compressed in one piece has no ranges, and one of zstd is not read.

Rejected: unpacking with libdeflate, isal or zlib-ng. All records of an archive take FastWARC 686 microseconds
a page with their headers, libdeflate 546 and isal 664 without (docs/benchmarks.md). Rejected: finding records
by their signature without unpacking those between, because an image can contain a forged record.

A revisit whose original is a page of the file adds nothing: that page is read at its own place. Other
revisits are kept, and the reader looks for them in the crawl or reports them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from fastwarc.warc import ArchiveIterator

from leafinstruct.errors import SourceError
from leafinstruct.images.archive import RecordError, beginning
from leafinstruct.ingest.archive.archive_budget import UnpackingBudget
from leafinstruct.ingest.archive.archive_ends import (
    DAMAGED,
    HEADER,
    LOOK,
    MAX_DECLARED,
    TRUNCATED,
    end_of,
    more_after,
    next_start,
)
from leafinstruct.ingest.archive.archive_record import (
    NAME,
    NOT_HTTP,
    Record,
    described,
    from_bytes,
    looks_like_html,
)
from leafinstruct.ingest.archive.cdxj import Capture
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.index import cached_index
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import version

VERSION = 9
"""Increase when the index of the same file changes."""
HOPS = 5
"""Maximum redirects for one image; browsers stop at 20, honest sites need 2."""
TOO_DAMAGED, TOO_LARGE, NOT_BY_RECORD = "too_damaged", "too_large", "not_by_record"
_DETAILS = {
    TRUNCATED: "the file ends before this record does",
    DAMAGED: "a record cannot be read",
    NOT_HTTP: "the record of a web URL contains no HTTP response",
    TOO_DAMAGED: "too many records before this one are damaged or unpack to too much; the rest is not read",
    NOT_BY_RECORD: (
        "a gzip member contains several records, which cannot be read one by one; run `fastwarc recompress` "
        "on the file and use the result"
    ),
    TOO_LARGE: (
        "the record unpacks to more than 200 times its size, and such records of the file to more than "
        "512 MiB"
    ),
}
MAX_DAMAGES = 1_000
"""Maximum damaged records after which the next one is searched; a file with more is no archive."""
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
"""How a zstd frame begins, or the skippable frame of a dictionary."""


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """The index of one file.

    pages: (offset, length), in the order of the file.
    images: URL key -> (offset, length).
    redirects: URL key -> URL.
    damages: (offset, reason, detail) of what cannot be read: `truncated` where the file ends early,
    `damaged_record`, `too_damaged`, `too_large`, `not_by_record`, `not_http`.
    revisits: (offset, names) of pages that are not in the file.
    names: of all pages of the file, NAME characters each, in one string.
    withheld: offsets of images whose HTTP headers opt out of training.
    places: for each image, then for each redirect: offset, length, time, status, media type and URL, in lines
    of one string (`captures`).
    """

    pages: tuple[tuple[int, int], ...]
    images: dict[str, tuple[int, int]]
    redirects: dict[str, str]
    damages: tuple[tuple[int, str, str], ...]
    revisits: tuple[tuple[int, tuple[str, ...]], ...]
    names: str
    withheld: frozenset[int]
    places: str = ""

    @property
    def items(self) -> int:
        """Number of pages, damages and revisits, in this order, so that the report of each belongs to exactly
        one part."""
        return len(self.pages) + len(self.damages) + len(self.revisits)

    def captures(self, name: str) -> Iterator[Capture]:
        """Yield the captures of the images, then of the redirects. name: of the file."""
        for line in self.places.split("\n") if self.places else ():
            offset, length, time, status, mime, url = line.split(" ", 5)
            yield Capture(url, time, mime, status, int(offset), int(length), name)

    def find(self, url: str) -> tuple[int, int] | None:
        """Return the range of the image at an absolute URL, through the file's own redirects. Raises
        ValueError for a malformed URL."""
        for _ in range(HOPS + 1):
            place = key(url)
            if place in self.images:
                return self.images[place]
            if place not in self.redirects:
                return None
            url = self.redirects[place]
        return None


class _Index(TypedDict):
    """An ArchiveIndex as JSON. revisits: names in one string; damages without details."""

    pages: list[tuple[int, int]]
    images: dict[str, tuple[int, int]]
    redirects: dict[str, str]
    damages: list[tuple[int, str]]
    revisits: list[tuple[int, str]]
    names: str
    withheld: list[int]
    places: str


def identity() -> str:
    """What the index of a file depends on besides the file: FastWARC finds its records."""
    return f"{VERSION} {version('fastwarc')}"


def index(file: Path, cache: Path) -> ArchiveIndex:
    """Return the file's index, cached. Raises SourceError when it cannot be read or is not compressed record
    by record."""
    return _loaded(file, cache, content.identity(file, cache))


@lru_cache(maxsize=2)
def _loaded(file: Path, cache: Path, _identity: str) -> ArchiveIndex:
    """The index of a file of an identity, kept between its parts: an index of
    60,000 records takes 0.7 s to load."""
    found = cached_index(cache, file, _build, identity())
    images = {url: (place[0], place[1]) for url, place in found["images"].items()}
    damages = tuple((offset, reason, _DETAILS[reason]) for offset, reason in found["damages"])
    revisits = tuple((offset, names_of(names)) for offset, names in found["revisits"])
    pages = tuple((offset, length) for offset, length in found["pages"])
    withheld = frozenset(found["withheld"])
    return ArchiveIndex(
        pages, images, found["redirects"], damages, revisits, found["names"], withheld, found["places"]
    )


def names_of(text: str) -> tuple[str, ...]:
    """Split the string of an index into the names of pages."""
    return tuple(text[start : start + NAME] for start in range(0, len(text), NAME))


def _build(file: Path) -> _Index:
    """Index the file in one pass, in stretches between damaged records. Of several captures of one URL the
    first is used."""
    _refuse_zstd(file)
    found = _Found()
    damages: list[tuple[int, str]] = []
    start: int | None = 0
    budget = UnpackingBudget(file)
    while start is not None:
        records, end, reason = _stretch(file, start, budget)
        found.gather(file, records, end)
        start = next_start(file, end + 1) if reason else None
        if reason:
            damages.append((end, DAMAGED if start is not None and reason == TRUNCATED else reason))
        if start is not None and (len(damages) == MAX_DAMAGES or budget.left < 0):
            damages.append((start, TOO_DAMAGED))
            break
    return found.index(damages)


def _stretch(file: Path, start: int, budget: UnpackingBudget) -> tuple[list[Record], int, str]:
    """The records from an offset on, where they end, and the reason; the reason is empty at the file's
    end.

    Where reading stops earlier, the last record is kept only if it is complete.
    """
    records: list[Record] = []
    reason = ""
    budget.begin(start)
    with file.open("rb") as stream, closing(budget):
        stream.seek(start)
        try:
            for record in ArchiveIterator(budget.reader(stream)):
                if records and record.stream_pos <= records[-1].offset:
                    return _of_one_member(file, records)
                if not budget.take(record.stream_pos, record.content_length):
                    return (
                        records,
                        record.stream_pos,
                        DAMAGED if record.content_length > MAX_DECLARED else TOO_LARGE,
                    )
                records.append(described(record))
        except (OSError, ValueError):
            reason = DAMAGED
    end = end_of(file, records[-1].offset) if records else start
    if isinstance(end, str):
        return records[:-1], records[-1].offset, end
    if not records or more_after(file, end):
        following = end_of(file, end)
        reason = following if isinstance(following, str) else DAMAGED
    return records, end, reason


@dataclass(slots=True)
class _Found:
    """An index under construction. revisits are resolved at the end: the capture that they repeat may come
    after them. captures: (URL key, whether it is a redirect) -> the line of `places`."""

    pages: list[tuple[int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    images: dict[str, tuple[int, int]] = field(default_factory=dict)
    digests: dict[str, tuple[int, int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    losses: list[tuple[int, str]] = field(default_factory=list)
    revisits: list[tuple[Record, tuple[int, int]]] = field(default_factory=list)
    withheld: list[int] = field(default_factory=list)
    captures: dict[tuple[str, bool], str] = field(default_factory=dict)

    def gather(self, file: Path, records: list[Record], end: int) -> None:
        """Add a stretch of records, which ends at `end`."""
        stops = [*(record.offset for record in records[1:]), end]
        for record, stop in zip(records, stops, strict=bool(records)):
            place = (record.offset, stop - record.offset)
            if record.odd_head:
                record = from_bytes(record.offset, _first_bytes(file, place))  # noqa: PLW2901 - the same record, read again
            if record.revisit:
                self.revisits.append((record, place))
            elif record.page or (record.unnamed and _is_page(file, place)):
                self.pages.append(place)
                self.names += record.names
            elif (record.image or record.unnamed) and record.url:
                self._add_image(record, place)
                if record.digest:
                    self.digests.setdefault(record.digest, place)
                if record.withheld:
                    self.withheld.append(record.offset)
            elif record.location:
                self._add_redirect(record, place)
            elif record.loss:
                self.losses.append((record.offset, record.loss))

    def _add_image(self, record: Record, place: tuple[int, int]) -> None:
        self.images.setdefault(record.url, place)
        self.captures.setdefault((record.url, False), _line(place, record))

    def _add_redirect(self, record: Record, place: tuple[int, int]) -> None:
        self.redirects.setdefault(record.url, record.location)
        self.captures.setdefault((record.url, True), _line(place, record))

    def index(self, damages: list[tuple[int, str]]) -> _Index:
        """Return the index as JSON values."""
        absent, known = [], set(self.names) if self.revisits else set()
        for record, place in self.revisits:
            if record.page:
                if known.isdisjoint(record.names):
                    absent.append((record.offset, "".join(record.names)))
            elif record.digest in self.digests:
                self._add_image(record, self.digests[record.digest])
            elif record.location:
                self._add_redirect(record, place)
        lines = [self.captures[url, False] for url in self.images]
        lines += [self.captures[url, True] for url in self.redirects]
        return {
            "pages": self.pages,
            "names": "".join(self.names),
            "images": self.images,
            "redirects": self.redirects,
            "damages": sorted([*damages, *self.losses]),
            "revisits": absent,
            "withheld": self.withheld,
            "places": "\n".join(lines),
        }


def _line(place: tuple[int, int], record: Record) -> str:
    return f"{place[0]} {place[1]} {record.capture}"


def _is_page(file: Path, place: tuple[int, int]) -> bool:
    """Whether a record without a media type is HTML. One that cannot be decoded counts as a page, so that its
    reason is reported."""
    try:
        return looks_like_html(beginning(_first_bytes(file, place), LOOK))
    except RecordError:
        return True


def _first_bytes(file: Path, place: tuple[int, int]) -> bytes:
    with file.open("rb") as stream:
        stream.seek(place[0])
        return stream.read(min(place[1], HEADER))


def _refuse_zstd(file: Path) -> None:
    with file.open("rb") as stream:
        if _ZSTD.match(stream.read(4)):
            raise SourceError(
                f"{file}: compressed with zstd, which is not read; run `zstd -d` on it and use the .warc"
            )


def _of_one_member(file: Path, records: list[Record]) -> tuple[list[Record], int, str]:
    """The result of `_stretch` where a gzip member contains several records, which have no ranges of
    their own. Raises SourceError when it is the only member with records: the file is compressed in one
    piece."""
    if next_start(file, 1) is None:
        raise SourceError(
            f"{file}: compressed in one piece, so its records cannot be read one by one; run "
            "`fastwarc recompress` on it and use the result"
        )
    return records[:-1], records[-1].offset, NOT_BY_RECORD
