"""A document cut into steps: one or more images with the texts that belong to them. Pure.

A step ends where a border is right: no image is separated from a text that it is bound to
(records.owners.bound: its owner, its captions, a text that introduces it or points at it), and no heading
from what it heads. Two images that share a text make one step. Where a border could be in several places, it
is the first heading between the two images, else directly behind the first image where that follows its
texts, else directly before the second image; in the middle where a source states matches alone (MMC4, whose
images may have stood on either side of their sentence).

A long document is cut into pieces at section borders (`pieces`), each whole by itself: headings first,
borders between steps where a section alone is above the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate

from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.records.text import owners, places, signs
from leafinstruct.records.text.words import UNITS, word_units


@dataclass(frozen=True, slots=True)
class Steps:
    """The segments of a document, its title's aside, in steps: concatenated they are all of them, in order.

    known: whether every image's step is known. If not there is one step, which holds everything.
    """

    steps: tuple[tuple[Segment, ...], ...]
    known: bool

    def split(self, at: int) -> tuple[list[Segment], list[Segment]]:
        """The segments of the first `at` steps, and the rest; a negative `at` counts from the end."""
        return [item for step in self.steps[:at] for item in step], [
            item for step in self.steps[at:] for item in step
        ]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a long document that is an example of its own. number: from 0; title: what it is about, None
    where nothing says it; of: how many pieces the document has, 1 for a whole one."""

    number: int
    document: Document
    title: str | None
    of: int = 1


def body_of(document: Document) -> tuple[Segment, ...]:
    """The segments without the one that is the title: a question states the title, so the answer does not
    repeat it."""
    shown = False
    for at, segment in enumerate(document.segments):
        if isinstance(segment, Image):
            shown = True
        elif segment.text == document.title and (
            segment.kind == "heading" or not shown
        ):  # behind an image only a heading is sure to be the title
            return document.segments[:at] + document.segments[at + 1 :]
    return document.segments


def steps_of(document: Document) -> Steps:
    """Cut a document into steps."""
    body = body_of(document)
    bound = owners.bound(document)
    if bound is None:
        return Steps((body,), False)
    heads = {segment.position for segment in places.with_headings(document) if _heads(segment)}
    borders = list(_borders(body, bound, heads, any(map(_heads, document.segments))))
    starts = [0, *borders]
    return Steps(
        tuple(body[start:end] for start, end in zip(starts, [*borders, len(body)], strict=True)), True
    )


def _borders(
    body: Sequence[Segment], bound: Mapping[int, frozenset[int]], heads: Set[int], marked: bool
) -> Iterator[int]:
    """Indices before which a step begins, the first step's aside. heads: positions of headings; marked:
    whether the source marks them."""
    index = {segment.position: at for at, segment in enumerate(body)}
    images = [(at, segment) for at, segment in enumerate(body) if isinstance(segment, Image)]
    reach = [(at, *(index[text] for text in bound[image.position] if text in index)) for at, image in images]
    lasts = list(accumulate(map(max, reach), max))  # of the images up to each one
    firsts = list(accumulate(map(min, reversed(reach)), min))[::-1]  # of the images from each one on
    for number in range(1, len(images)):
        low, high = lasts[number - 1] + 1, firsts[number]
        allowed = [at for at in range(low, high + 1) if not _goes_on(body[at - 1], body[at], heads, marked)]
        headings = [at for at in allowed if body[at].position in heads]
        before, image = images[number - 1]
        if headings:
            yield headings[0]
        elif allowed and max(reach[number - 1]) == before:
            yield allowed[0]
        elif allowed:
            yield allowed[len(allowed) // 2] if image.owner_found == "stated" else allowed[-1]


def _heads(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"


def _goes_on(before: Segment, segment: Segment, heads: Set[int], marked: bool) -> bool:
    """Whether no border may stand between two neighbors: behind a heading, or inside an item of a list.

    marked: whether the source marks headings; in others a short line that is no sentence may be one.
    """
    if before.position in heads or (not marked and signs.is_line(before)):
        return True
    return isinstance(segment, Text) and segment.kind == "list" and segment.text[:1] == " "


def pieces(document: Document, max_words: int | None, max_images: int | None) -> list[Piece]:
    """The document in pieces that keep the bounds, cut at headings where that is enough and between steps
    where it is not.

    A single step above a bound stays whole, in a piece of its own: whoever calls refuses it. Pieces without
    an image are returned as well.
    """
    whole = [Piece(0, document, document.title)]
    if fits(document.segments, max_words, max_images):
        return whole
    sections = _tied(list(_sections(document)), document)
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
    marked = any(map(_heads, document.segments))
    if len(groups) == 1:
        return whole
    return [_piece(document, number, len(groups), group, marked) for number, group in enumerate(groups)]


def _tied(sections: Sequence[Sequence[Segment]], document: Document) -> list[list[Segment]]:
    """The sections, joined where a border would separate an image from a text that it is bound to, or stand
    beside an image whose step is not known."""
    bonds = owners.bonds(document)
    last: dict[int, int] = {}  # position of the first of an image and its texts -> of the last of them
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
    """Whether one of the images stands at the border of two units, captions and headings aside."""
    last = next(
        (
            item
            for item in reversed(before)
            if not (isinstance(item, Text) and item.kind in ("caption", "heading"))
        ),
        None,
    )
    first = next((item for item in behind if not _heads(item)), None)
    return any(item is not None and item.position in images for item in (last, first))


def _piece(document: Document, number: int, of: int, group: Sequence[Segment], marked: bool) -> Piece:
    """The first piece has the document's title, a later one its heading behind that title, or none where it
    begins with no heading."""
    first, title = group[0], document.title
    if number:
        heading = (
            first.text
            if isinstance(first, Text) and (_heads(first) or (not marked and signs.is_line(first)))
            else None
        )
        title = None if heading is None else f"{title}: {heading}" if title else heading
        group = group if heading is None else group[1:]
    return Piece(number, replace(document, segments=tuple(group), title=title), title, of)


def _sections(document: Document) -> Iterator[list[Segment]]:
    """Runs of segments that begin with a heading, headings without anything under them kept with the next
    one; the title with the first."""
    section: list[Segment] = []
    for segment in document.segments:
        if _heads(segment) and section and not _heads(section[-1]):
            yield section
            section = []
        section.append(segment)
    if section:
        yield section


def _units(
    document: Document, section: list[Segment], max_words: int | None, max_images: int | None
) -> Iterator[Sequence[Segment]]:
    """The section, or its steps where it is above the bounds alone."""
    if fits(section, max_words, max_images):
        yield section
        return
    part = replace(document, segments=tuple(section), title=None)
    yield from steps_of(part).steps


def fits(segments: Sequence[Segment], max_words: int | None, max_images: int | None) -> bool:
    """Whether some segments keep the bounds."""
    return _Size.of(segments).keeps(max_words, max_images)


@dataclass(frozen=True, slots=True)
class _Size:
    """Words, in the units of words.UNITS, and images of some segments; both add up, which rounded words do
    not."""

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
