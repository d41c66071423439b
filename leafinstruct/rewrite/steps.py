"""Cut a document into steps: one or more images with the texts that belong to them. Pure.

A border never separates an image from a text that it is bound to (records.owners.bound: its owner, its
captions, a text that introduces it or refers to it), or a heading from what follows it. Two images that share
a text are one step. Of several possible borders between two images, the first heading is chosen; else the
place directly after the first image, if it follows its texts; else the place directly before the second
image. If a source only states matches (MMC4, whose images may have been on either side of their sentence), it
is the middle one.

A long document is cut into self-contained pieces (`pieces`): at headings, or between steps if a section alone
is above the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate

from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text import owners, places, signs
from leafinstruct.records.text.words import UNITS, word_units


@dataclass(frozen=True, slots=True)
class Steps:
    """The segments of a document without its title, divided into steps, in order.

    known: whether every image's step is known. If not, there is one step with all segments.
    """

    steps: tuple[tuple[Segment, ...], ...]
    known: bool

    def split(self, at: int) -> tuple[list[Segment], list[Segment]]:
        """The segments of the first `at` steps, and the others. A negative `at` counts from the end."""
        return [item for step in self.steps[:at] for item in step], [
            item for step in self.steps[at:] for item in step
        ]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document that becomes one example. number: from 0; title: its topic, None if unknown; of:
    number of pieces of the document, 1 for a whole one."""

    number: int
    document: Document
    title: str | None
    of: int = 1


def body_of(document: Document) -> tuple[Segment, ...]:
    """The segments without the title, because the question states the title and the answer does not repeat
    it."""
    shown = False
    for at, segment in enumerate(document.segments):
        if isinstance(segment, ImageRef):
            shown = True
        elif segment.text == document.title and (
            segment.kind == "heading" or not shown
        ):  # after an image only a heading is surely the title
            return document.segments[:at] + document.segments[at + 1 :]
    return document.segments


def steps_of(document: Document) -> Steps:
    """Cut a document into steps."""
    body = body_of(document)
    bound = owners.bound(document)
    if bound is None:
        return Steps((body,), False)
    headings = {segment.position for segment in places.with_headings(document) if _is_heading(segment)}
    borders = list(_borders(body, bound, headings, any(map(_is_heading, document.segments))))
    starts = [0, *borders]
    return Steps(
        tuple(body[start:end] for start, end in zip(starts, [*borders, len(body)], strict=True)), True
    )


def _borders(
    body: Sequence[Segment], bound: Mapping[int, frozenset[int]], headings: Set[int], has_headings: bool
) -> Iterator[int]:
    """Yield the index of the first segment of each step but the first. headings: positions of headings;
    has_headings: whether the source marks them."""
    index = {segment.position: at for at, segment in enumerate(body)}
    images = [(at, segment) for at, segment in enumerate(body) if isinstance(segment, ImageRef)]
    reach = [(at, *(index[text] for text in bound[image.position] if text in index)) for at, image in images]
    lasts = list(accumulate(map(max, reach), max))  # of the images up to each one
    firsts = list(accumulate(map(min, reversed(reach)), min))[::-1]  # of the images from each one on
    for number in range(1, len(images)):
        low, high = lasts[number - 1] + 1, firsts[number]
        allowed = [
            at
            for at in range(low, high + 1)
            if not _are_inseparable(body[at - 1], body[at], headings, has_headings)
        ]
        at_headings = [at for at in allowed if body[at].position in headings]
        before, image = images[number - 1]
        if at_headings:
            yield at_headings[0]
        elif allowed and max(reach[number - 1]) == before:
            yield allowed[0]
        elif allowed:
            yield allowed[len(allowed) // 2] if image.owner_found == "stated" else allowed[-1]


def _is_heading(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"


def _are_inseparable(before: Segment, segment: Segment, headings: Set[int], has_headings: bool) -> bool:
    """Whether two neighbors must not be separated: a heading and what follows, or segments of one list item.

    has_headings: whether the source marks headings; if not, a short line that is no sentence may be one.
    """
    if before.position in headings or (not has_headings and signs.is_line(before)):
        return True
    return isinstance(segment, Text) and segment.kind == "list" and segment.text[:1] == " "


def pieces(document: Document, max_words: int | None, max_images: int | None) -> list[Piece]:
    """Cut a document into pieces within the bounds, at headings if that is enough, else between steps.

    A single step above a bound becomes a piece of its own, which the caller refuses. Pieces without an image
    are returned too.
    """
    whole = [Piece(0, document, document.title)]
    if fits(document.segments, max_words, max_images):
        return whole
    sections = _joined(list(_sections(document)), document)
    units = [unit for section in sections for unit in _units(document, section, max_words, max_images)]
    groups: list[list[Segment]] = []
    size = _Size()
    for unit in units:
        own = _Size.of(unit)
        size += own
        if groups and size.keeps(max_words, max_images):
            groups[-1] += unit
        else:
            groups.append(list(unit))
            size = own
    has_headings = any(map(_is_heading, document.segments))
    if len(groups) == 1:
        return whole
    return [_piece(document, number, len(groups), group, has_headings) for number, group in enumerate(groups)]


def _joined(sections: Sequence[Sequence[Segment]], document: Document) -> list[list[Segment]]:
    """Join sections whose border separates an image from a text that it is bound to, or is next to an image
    whose step is unknown."""
    bonds = owners.bonds(document)
    last: dict[int, int] = {}  # first position of an image and its texts -> last position
    for image, texts in bonds.items():
        if texts:
            start = min(image, *texts)
            last[start] = max(last.get(start, 0), image, *texts)
    unknown = {image for image, texts in bonds.items() if texts is None}
    joined: list[list[Segment]] = []
    reach = -1
    for unit in sections:
        if joined and (unit[0].position <= reach or _is_beside(joined[-1], unit, unknown)):
            joined[-1] += unit
        else:
            joined.append(list(unit))
        reach = max(reach, *(last.get(segment.position, -1) for segment in unit))
    return joined


def _is_beside(before: Sequence[Segment], behind: Sequence[Segment], images: Set[int]) -> bool:
    """Whether one of the images is at the border of two units, ignoring captions and headings."""
    last = next(
        (
            item
            for item in reversed(before)
            if not (isinstance(item, Text) and item.kind in ("caption", "heading"))
        ),
        None,
    )
    first = next((item for item in behind if not _is_heading(item)), None)
    return any(item is not None and item.position in images for item in (last, first))


def _piece(document: Document, number: int, of: int, group: Sequence[Segment], has_headings: bool) -> Piece:
    """Make a piece. The title of the first is the document's; of later ones that and their heading, or None
    without a heading."""
    first, title = group[0], document.title
    if number:
        heading = (
            first.text
            if isinstance(first, Text) and (_is_heading(first) or (not has_headings and signs.is_line(first)))
            else None
        )
        title = None if heading is None else f"{title}: {heading}" if title else heading
        group = group if heading is None else group[1:]
    return Piece(number, replace(document, segments=tuple(group), title=title), title, of)


def _sections(document: Document) -> Iterator[list[Segment]]:
    """Yield runs of segments that begin with a heading. A heading without content is joined to the next run,
    the title to the first."""
    section: list[Segment] = []
    for segment in document.segments:
        if _is_heading(segment) and section and not _is_heading(section[-1]):
            yield section
            section = []
        section.append(segment)
    if section:
        yield section


def _units(
    document: Document, section: list[Segment], max_words: int | None, max_images: int | None
) -> Iterator[Sequence[Segment]]:
    """Yield the section, or its steps if it is above the bounds."""
    if fits(section, max_words, max_images):
        yield section
        return
    part = replace(document, segments=tuple(section), title=None)
    yield from steps_of(part).steps


def fits(segments: Sequence[Segment], max_words: int | None, max_images: int | None) -> bool:
    """Whether segments are within the bounds."""
    return _Size.of(segments).keeps(max_words, max_images)


@dataclass(frozen=True, slots=True)
class _Size:
    """Words, in units of words.UNITS, and images of segments. Units can be added without rounding errors."""

    units: int = 0
    images: int = 0

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> _Size:
        texts = [segment.text for segment in segments if isinstance(segment, Text)]
        return cls(sum(map(word_units, texts)), len(segments) - len(texts))

    def __add__(self, other: _Size) -> _Size:
        return _Size(self.units + other.units, self.images + other.images)

    def keeps(self, max_words: int | None, max_images: int | None) -> bool:
        words = self.units // UNITS
        return (max_words is None or words <= max_words) and (max_images is None or self.images <= max_images)
