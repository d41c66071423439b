"""The interleaved document: an ordered tuple of text and image segments.

ORDER IS THE DATA. The reader assigns each segment's `position` once. Dropping a neighbor never renumbers, so
a position names the same segment in the source, in every report and in the published row. A caption follows
its image; alt text is an attribute of the image and never prose. There is no metadata dictionary: what a
later stage needs has a field here.

Chosen: dataclasses over pydantic models, because only our own readers make documents, half a million per
minute; and frozen for the type checker only (`record`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, TypeVar, dataclass_transform

TextKind = Literal["prose", "heading", "caption", "list", "table", "code"]
Role = Literal["user", "assistant"]
State = Literal[
    "ok",
    "failed",
    "refused",
    "unparsed",
    "too_large",
    "declined",
    "suspicious",
    "not_shown",
    "not_scored",
    "not_applicable",
]
UNDECIDED = frozenset({"failed", "declined"})
"""States of an item that gave no result. Its stage tries it again whenever it runs."""
OwnerFound = Literal["stated", "inferred", "matched", "unknown"]
"""How the owner of an image was found: the source states it (MMC4's matched sentence, a figure's caption, a
video's step), it was inferred from the page's structure or by CLIP, the alignment matrix of the document gave
it another one (filter.alignment.reassign), or it is not known."""

_LINE = re.compile(
    (
        r"(?P<file>.*?)(?:#bytes=(?P<offset>\d{1,15}),(?P<length>\d{1,15})|"
        r"#t=(?P<time>\d{1,9}\.?\d{0,9}(?:e-\d{1,2})?))?(?:!(?P<member>(?:row|bytes|frame)=.*))?"
    ),
    re.DOTALL,
)


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def record(cls: type[_Class]) -> type[_Class]:
    """A dataclass with slots and a hash, whose fields only the type checker keeps from being assigned.

    `frozen=True` checks at run time, too, at the price of one call for each field of a new instance: 0.6
    microseconds for a Text instead of 0.15, which were a quarter of the time of reading MMC4.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@record
class Ref:
    """Where an image's bytes are: exactly one of file, file + offset + length, url, file + time. `member` may
    be combined with the first two.

    `file` is relative to the root of the document's source, with forward slashes. `offset` and `length` are
    bytes of the file on disk (for WARC: of the whole, possibly compressed, record). `time` is seconds from
    the start of a video. `member` names a piece inside that has no range of its own on disk:
    `row=17,column=images,item=2` of a Parquet file, `bytes=120,4711` of the decoded body of a WARC record or
    of a line of a compressed file, `frame=3` of a TIFF with several images.
    """

    file: str | None = None
    offset: int | None = None
    length: int | None = None
    url: str | None = None
    time: float | None = None
    member: str | None = None

    def __str__(self) -> str:
        """One line for people and rows: `a.png`, `a.warc.gz#bytes=17,204`, `https://...`, `a.mp4#t=2.5`,
        `a.parquet!row=3,column=image`."""
        if self.file is None:
            return self.url or ""
        place = self.file
        if self.offset is not None:
            place += f"#bytes={self.offset},{self.length}"
        elif self.time is not None:
            place += f"#t={round(self.time, 6)!r}"
        return place if self.member is None else f"{place}!{self.member}"

    @classmethod
    def of(cls, line: str) -> Ref:
        """Parse the line that `str` writes. A file name that itself ends like a place inside a file is
        misread; pages contain no such names."""
        if line.startswith(("http://", "https://")):
            return cls(url=line)
        found = _LINE.fullmatch(line)
        assert found is not None, "the pattern matches any file name"
        offset, length = (int(found[name]) if found[name] else None for name in ("offset", "length"))
        return cls(
            found["file"],
            offset,
            length,
            None,
            float(found["time"]) if found["time"] else None,
            found["member"],
        )


@record
class Text:
    """A run of text. `time` is in seconds, for subtitles; `role` is only for conversation sources."""

    position: int
    text: str
    kind: TextKind = "prose"
    role: Role | None = None
    time: float | None = None


@record
class ImageRef:
    """An image by reference. `role` is only for conversation sources. sha256, width, height (pixels, after
    EXIF rotation) and format are known after the image is materialized.

    owner: position of the text segment that the image belongs to (its sentence, caption or step), None if
    `owner_found` is unknown.
    """

    position: int
    ref: Ref
    alt: str = ""
    url: str | None = None
    license: str | None = None
    role: Role | None = None
    time: float | None = None
    state: State = "not_scored"
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    owner: int | None = None
    owner_found: OwnerFound = "unknown"


Segment = Text | ImageRef


@record
class Provenance:
    """The file (relative to the source's root) and the record in it (`line=17`, `offset=4711`, empty for a
    whole file)."""

    file: str
    locator: str = ""


@record
class Document:
    """One page, record or video, as a reader found it.

    url: the canonical URL of the page if it is of the same domain, else the page's own. page_url: the URL at
    which the page was found, None for a local file. title: the title that the source states (the page's h1,
    else its title element), or None. lost: number of pieces of the record that the reader could not use
    (images without a usable reference, broken entries). language, language_confidence: see
    records/text/language.py, None if undetermined.
    """

    id: str
    source: str
    segments: tuple[Segment, ...]
    provenance: Provenance
    url: str | None = None
    license: str | None = None
    title: str | None = None
    page_url: str | None = None
    lost: int = 0
    language: str | None = None
    language_confidence: float | None = None

    @property
    def texts(self) -> tuple[Text, ...]:
        return tuple(segment for segment in self.segments if isinstance(segment, Text))

    @property
    def is_conversation(self) -> bool:
        """Whether its source states who speaks, so that it is already an example."""
        return any(segment.role is not None for segment in self.segments)

    @property
    def images(self) -> tuple[ImageRef, ...]:
        return tuple(segment for segment in self.segments if isinstance(segment, ImageRef))


@dataclass(frozen=True, slots=True)
class Frame:
    """A video frame as JPEG, which a reader decoded to choose it. It is valid while the video has this
    `stamp` (images.read.stamp)."""

    ref: Ref
    stamp: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record, or a piece of one, that a reader could not turn into a segment. It is data for the report,
    never an exception.

    reason: a short stable name (`broken_json`, `truncated`, ...) by which reports count. detail: one sentence
    for people. whole: whether the whole record is lost, or only a piece of it (one image entry).
    """

    file: str
    locator: str
    reason: str
    detail: str = ""
    whole: bool = True


def document_id(source: str, file: str, locator: str) -> str:
    """First 16 hex digits of the sha256 of source name, file relative to its root, and record locator."""
    return hashlib.sha256("\0".join((source, file, locator)).encode()).hexdigest()[:16]
