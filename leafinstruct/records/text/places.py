"""Where an image is in its document: its section, its captions, and the two texts that it may belong to.
Pure.

No text beyond a heading belongs to an image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text import signs

_LABEL_WORDS = 3
"""Maximum words of a text before an image that is a label ("Facet:" and a status icon). Labels are no sign of
the direction of the document."""


@dataclass(frozen=True, slots=True)
class Place:
    """An image and its surroundings.

    at: its index among the segments. captions: positions of those directly after it. before, behind: its
    candidates. starts, ends: whether no text of its section is before (after) it, apart from other images and
    captions. section: number of its section. in_row: whether it is in a row of images that is followed by as
    many short lines, which may be their names.
    """

    at: int
    image: ImageRef
    captions: tuple[int, ...]
    before: Text | None
    behind: Text | None
    starts: bool
    ends: bool
    section: int
    in_row: bool

    @property
    def both(self) -> bool:
        return self.before is not None and self.behind is not None

    def pointing(self) -> Iterator[Text]:
        """The texts beside it that refer to it, or introduce it with a colon."""
        if self.before is not None and (
            signs.introduces(self.before) or signs.POINTS_ON.search(self.before.text[-300:])
        ):
            yield self.before
        if self.behind is not None and signs.POINTS_BACK.search(self.behind.text[:300]):
            yield self.behind

    @property
    def sign(self) -> float:
        """Sign for the text before (positive) or after (negative), from the image alone."""
        if self.before is None or self.behind is None:
            return 0.0
        if (
            self.image.owner is not None
            and self.image.owner_found != "unknown"
            and self.image.owner not in self.captions
        ):
            return 2.0 if self.image.owner < self.image.position else -2.0
        if not self.captions and signs.is_caption_of(self.image, self.behind, self.before):
            return -2.0
        found = sum(2.0 if text is self.before else -2.0 for text in self.pointing())
        if found > 0 and signs.opens(self.behind.text):
            return 0.0  # an introduction refers to the image of the first step
        return found or signs.of_alt(self.image, self.before, self.behind)

    @property
    def vote(self) -> float:
        """This image's sign of the direction of its document."""
        if self.before is not None and len(self.before.text.split(maxsplit=_LABEL_WORDS)) <= _LABEL_WORDS:
            return 0.0
        if self.both:
            return self.sign
        return (
            1.0
            if self.before is not None and self.ends
            else -0.5
            if self.behind is not None and self.at > 1
            else 0.0
        )


def places_of(segments: Sequence[Segment]) -> Iterator[Place]:
    """The places of all images, in order. Images side by side share their candidates, so the cost is
    linear."""
    section, at = 0, 0
    while at < len(segments):
        segment = segments[at]
        if isinstance(segment, Text):
            section += segment.kind == "heading"
            at += 1
            continue
        first, last = at, _last_of_run(segments, at)
        before, behind = neighbor(segments, first, -1), neighbor(segments, last, 1)
        starts = first == 0 or is_heading(segments[first - 1])
        ends = last + 1 == len(segments) or is_heading(segments[last + 1])
        in_row = _is_row(segments, first, last)
        while at <= last:
            image, end = segments[at], captions(segments, at)
            if isinstance(image, ImageRef):
                own = tuple(segment.position for segment in segments[at + 1 : end])
                yield Place(at, image, own, before, behind, starts, ends, section, in_row)
            at = end


def with_headings(document: Document) -> tuple[Segment, ...]:
    """Return the segments with texts marked as headings that are headings in a source that marks none: the
    title, and lines like "Step 2: Fold the middle".

    Only for inference of the structure; the document keeps its kinds.
    """
    segments = document.segments
    marked = any(text.kind == "heading" and text.text != document.title for text in document.texts)
    found = list(segments)
    lines = [] if marked else [at for at, segment in enumerate(segments) if _names_a_step(segment)]
    over_images = all(_has_own_text(segments, at) for at in lines[:-1] or lines)
    for at in lines:
        if over_images or any(isinstance(segment, Text) for segment in segments[at + 1 : at + 2]):
            found[at] = _as_heading(segments[at])
    if (
        segments
        and isinstance(first := segments[0], Text)
        and first.kind == "prose"
        and first.text == document.title
    ):
        found[0] = _as_heading(first)
    return tuple(found)


def _as_heading(segment: Segment) -> Segment:
    return replace(segment, kind="heading") if isinstance(segment, Text) else segment


def _names_a_step(segment: Segment) -> bool:
    """Whether a segment is a line like "Step 2: Fold the middle"."""
    if not isinstance(segment, Text) or not signs.is_line(segment):
        return False
    number = signs.STEP.match(segment.text)
    return number is not None and number[1] is not None


def _has_own_text(segments: Sequence[Segment], at: int) -> bool:
    """Whether a text that names no step follows a line, with at most images and captions between."""
    following = (segments[index] for index in range(at + 1, len(segments)))
    text = next(
        (segment for segment in following if isinstance(segment, Text) and segment.kind != "caption"), None
    )
    return text is not None and not _names_a_step(text)


def neighbor(segments: Sequence[Segment], at: int, step: int) -> Text | None:
    """The nearest text in one direction that can be an owner, up to a heading. Images and captions are
    skipped, code and tables only up to the next image."""
    other: Text | None = None
    index = at + step
    while 0 <= index < len(segments):
        segment = segments[index]
        if isinstance(segment, ImageRef):
            if other is not None:
                break
        elif segment.kind == "heading":
            break
        elif segment.kind in ("code", "table"):
            other = other or segment
        elif segment.kind != "caption":
            return segment
        index += step
    return other


def grouped(segments: Sequence[Segment], at: int, step: int) -> Text | None:
    """The text of an image on the side on which the page's markup groups it with one: a row of a table beside
    it, a text after the heading of a card (image, heading, text), else the nearest that can be an owner."""
    index = at + step
    while 0 <= index < len(segments):
        segment = segments[index]
        if isinstance(segment, Text):
            if segment.kind == "table":
                return segment
            if segment.kind != "caption" and (segment.kind != "heading" or step < 0):
                break
        index += step
    return neighbor(segments, index - step, step)


def captions(segments: Sequence[Segment], at: int) -> int:
    """Index after the captions that directly follow the image at index `at`."""
    end = at + 1
    while end < len(segments) and isinstance(segment := segments[end], Text) and segment.kind == "caption":
        end += 1
    return end


def _last_of_run(segments: Sequence[Segment], at: int) -> int:
    """Index of the last image or caption that follows the image with no other text between."""
    while at + 1 < len(segments) and (
        isinstance(segment := segments[at + 1], ImageRef) or segment.kind == "caption"
    ):
        at += 1
    return at


def is_heading(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"


def _is_row(segments: Sequence[Segment], first: int, last: int) -> bool:
    """Whether the images from first to last are followed by as many short lines: a table of images above
    their names, or something else."""
    count = last - first + 1
    if count < 2 or not all(isinstance(segment, ImageRef) for segment in segments[first : last + 1]):
        return False
    lines = segments[last + 1 : last + 1 + count]
    return len(lines) == count and all(
        isinstance(segment, Text) and signs.is_line(segment) for segment in lines
    )
