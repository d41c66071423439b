"""A document cut into steps: one or more images with the texts that belong to them. Pure.

A step ends where a border is right: no image is separated from a text that it is bound to (records.owners.bound: its owner, its captions, a text
that introduces it or points at it), and no heading from what it heads. Two images that share a text make one step. Where a border could be in
several places, it is the first heading between the two images, else directly behind the first image where that follows its texts, else directly
before the second image; in the middle where a source states matches alone (MMC4, whose images may have stood on either side of their sentence).

A long document is cut into pieces at section borders (`pieces`), each whole by itself: headings first, borders between steps where a section alone
is above the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from leafinstruct.records import owners, signs
from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.records.words import count_words


@dataclass(frozen=True, slots=True)
class Steps:
    """The segments of a document, its title's aside, in steps: concatenated they are all of them, in order.

    known: whether every image's step is known. If not there is one step, which holds everything.
    """

    steps: tuple[tuple[Segment, ...], ...]
    known: bool

    def split(self, at: int) -> tuple[list[Segment], list[Segment]]:
        """The segments of the first `at` steps, and the rest; a negative `at` counts from the end."""
        return [item for step in self.steps[:at] for item in step], [item for step in self.steps[at:] for item in step]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a long document that is an example of its own. number: from 0; title: what it is about, None where nothing says it; of: how many
    pieces the document has, 1 for a whole one."""

    number: int
    document: Document
    title: str | None
    of: int = 1


def body_of(document: Document) -> tuple[Segment, ...]:
    """The segments without the one that is the title: a question states the title, so the answer does not repeat it."""
    for at, segment in enumerate(document.segments):
        if isinstance(segment, Text) and document.title is not None and segment.text == document.title:
            return document.segments[:at] + document.segments[at + 1 :]
        if isinstance(segment, Image):
            break  # a title stands before the first image
    return document.segments


def steps_of(document: Document) -> Steps:
    """Cut a document into steps."""
    body = body_of(document)
    bound = owners.bound(document)
    if bound is None:
        return Steps((body,), False)
    borders = list(_borders(body, bound, any(map(_heads, document.segments))))
    starts = [0, *borders]
    return Steps(tuple(body[start:end] for start, end in zip(starts, [*borders, len(body)], strict=True)), True)


def _borders(body: Sequence[Segment], bound: Mapping[int, frozenset[int]], marked: bool) -> Iterator[int]:
    """Indices before which a step begins, the first step's aside. marked: whether the source marks headings."""
    index = {segment.position: at for at, segment in enumerate(body)}
    images = [(at, segment) for at, segment in enumerate(body) if isinstance(segment, Image)]
    reach = [(at, *(index[text] for text in bound[image.position] if text in index)) for at, image in images]
    for number in range(1, len(images)):
        low = max(map(max, reach[:number])) + 1
        high = min(map(min, reach[number:]))
        allowed = [at for at in range(low, high + 1) if not _goes_on(body[at - 1], body[at], marked)]
        headings = [at for at in allowed if _heads(body[at])]
        before, image = images[number - 1]
        if headings:
            yield headings[0]
        elif allowed and max(reach[number - 1]) == before:
            yield allowed[0]
        elif allowed:
            yield allowed[len(allowed) // 2] if image.owner_found == "stated" else allowed[-1]


def _heads(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"


def _goes_on(before: Segment, segment: Segment, marked: bool) -> bool:
    """Whether no border may stand between two neighbors: behind a heading, or inside an item of a list.

    marked: whether the source marks headings; in others a short line that is no sentence may be one.
    """
    if _heads(before) or (not marked and signs.is_line(before)):
        return True
    return isinstance(segment, Text) and segment.kind == "list" and segment.text[:1] == " "


def pieces(document: Document, max_words: int | None, max_images: int | None) -> list[Piece]:
    """The document in pieces that keep the bounds, cut at headings where that is enough and between steps where it is not.

    A single step above a bound stays whole, in a piece of its own: whoever calls refuses it. Pieces without an image are returned as well.
    """
    whole = [Piece(0, document, document.title)]
    if fits(document.segments, max_words, max_images):
        return whole
    units = [unit for section in _sections(document) for unit in _units(document, section, max_words, max_images)]
    groups: list[list[Segment]] = []
    for unit in units:
        if groups and fits([*groups[-1], *unit], max_words, max_images):
            groups[-1] += unit
        else:
            groups.append(list(unit))
    return [_piece(document, number, len(groups), group) for number, group in enumerate(groups)] if len(groups) > 1 else whole


def _piece(document: Document, number: int, of: int, group: Sequence[Segment]) -> Piece:
    """The first piece has the document's title, a later one its heading behind that title, or none where it begins with no heading."""
    first, title = group[0], document.title
    if number:
        marked = any(map(_heads, document.segments))
        heading = first.text if isinstance(first, Text) and (_heads(first) or (not marked and signs.is_line(first))) else None
        title = None if heading is None else f"{title}: {heading}" if title else heading
        group = group if heading is None else group[1:]
    return Piece(number, replace(document, segments=tuple(group), title=title), title, of)


def _sections(document: Document) -> Iterator[list[Segment]]:
    """Runs of segments that begin with a heading, headings without anything under them kept with the next one; the title with the first."""
    section: list[Segment] = []
    for segment in document.segments:
        if _heads(segment) and any(not _heads(item) for item in section):
            yield section
            section = []
        section.append(segment)
    if section:
        yield section


def _units(document: Document, section: list[Segment], max_words: int | None, max_images: int | None) -> Iterator[Sequence[Segment]]:
    """The section, or its steps where it is above the bounds alone."""
    if fits(section, max_words, max_images):
        yield section
        return
    part = replace(document, segments=tuple(section), title=None)
    yield from steps_of(part).steps


def fits(segments: Sequence[Segment], max_words: int | None, max_images: int | None) -> bool:
    """Whether some segments keep the bounds."""
    words = count_words([segment.text for segment in segments if isinstance(segment, Text)])
    images = sum(isinstance(segment, Image) for segment in segments)
    return (max_words is None or words <= max_words) and (max_images is None or images <= max_images)
