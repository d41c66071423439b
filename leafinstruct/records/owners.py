"""Which text an image belongs to: its owner, and how it was found.

    stated      the source says so: MMC4's matched sentence, a figure's caption, a video's step, a mark inside a text. Set by the reader.
    inferred    decided here from the page's structure, or in filter from the alignment matrix as well
    unknown     nothing decides it

An image has up to two candidates: the nearest text before it and the nearest text behind it in its own section. A heading is a border that no owner
lies behind. Where only one candidate exists, it is the owner. Where both exist, these decide, in this order:

    1. the image's own evidence: the text before ends with a colon or points on ("as shown below"), the text behind points back ("the image
       above") or is a short line made of the words of the alt text, or the page groups the image with one of them (a list item, a table row)
    2. its section: an image directly below the heading speaks for images first, one directly before the next heading for texts first
    3. the direction of the document: the alignment matrix where one exists, else the sum of the evidence of all images, of where the first
       numbered step stands, and of how much text stands before the first and behind the last image

A document whose evidence is below `CLEAR` leaves the image unknown: a wrong owner tears an image from its text, an unknown one only costs a task.

Chosen over a decision for each image by the larger of two cosines: two swapped images then each still find some text that fits.
Pure, no model. Cost: about 0.1 ms for a page of 50 segments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from leafinstruct.records.document import Document, Image, Segment, Text

CLEAR = 1.0
"""Sum of evidence from which the direction of a document is decided; one image that stands directly before a heading has 1."""

Cosines = Mapping[int, Mapping[int, float]]
"""Position of an image -> position of a text -> cosine: the alignment matrix."""

SURE_T, SURE_GAP = 2.0, 0.02
"""From which t-value and which mean difference of cosines (text before minus text behind) the alignment matrix decides the direction: twice the
standard error, and more than re-encoding an image moves. Set on the packaged CLIP; no published weights were tried."""

CAPTION_WORDS = 15
"""Words up to which a line that is no sentence can be a caption or, where the source marks none, a heading."""

ALT_WORDS, ALT_SENTENCE = 0.6, 0.8
"""Share of the alt text's words that a line, or a short sentence, holds which says the same."""

STEP = re.compile(
    r"[\W_]*(?:(?:step|part|stage|schritt|étape|etapa|paso|passo|stap|шаг|krok|ステップ|步骤|步驟)\s*|第)(\d{1,3})(?!\d)|[\W_]{0,2}(\d{1,3})[.):、]\s",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\W*(?:(?:first(?:ly)?,?|to (?:start|begin)|(?:start|begin) (?:by|with)|the first \w+|once upon|at first)\b|before\s*:)", re.IGNORECASE
)
_NOUN = (
    r"(?:pictures?|images?|photo(?:graph)?s?|figures?|fig\.|diagrams?|screenshots?|screen shots?|illustrations?|drawings?|charts?|graphs?"
    r"|bild|abbildung|foto|imagen|imagem|figura|schéma|afbeelding|рисун\w*|изображени\w*)"
)
_POINTS_ON = re.compile(
    rf"\b(?:shown|seen|pictured|illustrated|displayed|see|looks?|appears?)\s+(?:\w+\s+){{0,4}}?(?:below|here|like this)\b"
    rf"|\b(?:below|following|next)\s+(?:\w+\s+)?{_NOUN}|\b{_NOUN}\s+(?:\w+\s+)?below\b|\bhere(?:'s| is| are)\s+(?:\w+\s+){{0,3}}?{_NOUN}\b"
    rf"|\bin (?:this|the) (?:\w+\s+)?{_NOUN}\b|如下|下图|下圖|次の図|siguiente imagen|imagem abaixo|ci-dessous"
    r"|(?:folgende|nächste)\w* (?:bild|abbildung)",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    rf"\b(?:shown|seen|pictured|illustrated)\s+above\b|\babove\s+(?:\w+\s+)?{_NOUN}|\b{_NOUN}\s+(?:\w+\s+)?above\b|^\W*above\s*:"
    rf"|^\W*(?:figure|fig\.|abb\.|abbildung|figura)\s*\d|^\W*(?:this|these)\s+{_NOUN}\b|如上|上图|上圖|上の図|ci-dessus",
    re.IGNORECASE,
)
_FEWEST_GAPS, _ENDS_TEXTS = 2, 2
"""Gaps between images that make a page regular, and texts that an introduction or a closing word has."""
_LABEL_WORDS = 3
"""Words up to which a text before an image is a label ("Facet:" and a status icon); labels say nothing about the direction of the document."""
_INTRODUCES = (":", "：")  # noqa: RUF001 - the full-width colon is meant
_ENDS = tuple(".!?;,…。！？।॥؟۔") + _INTRODUCES  # noqa: RUF001 - the sentence ends of other scripts are meant
_WORD = re.compile(r"\w{2,}")


def infer(document: Document) -> Document:
    """The document with an owner for each image whose source states none. A conversation is returned as it is: who speaks is its structure."""
    if document.is_conversation or not document.images:
        return document
    return _with_owners(document, _Sides(document))


def align(document: Document, cosines: Cosines) -> Document:
    """The document with its inferred and unknown owners decided anew, where the alignment matrix is sure of the direction; else as it is.

    cosines: of a model that knows these images. What is stated stays, and so does what an image's own evidence decides.
    """
    if document.is_conversation or not document.images:
        return document
    sides = _Sides(document)
    direction = sides.by_matrix(cosines)
    if direction == 0:
        return document
    plain = replace(document, segments=tuple(map(_forgotten, document.segments)))
    return _with_owners(plain, _Sides(plain, direction))


def _forgotten(segment: Segment) -> Segment:
    if isinstance(segment, Image) and segment.owner_found == "inferred":
        return replace(segment, owner=None, owner_found="unknown")
    return segment


def _with_owners(document: Document, sides: _Sides) -> Document:
    segments = list(document.segments)
    for place in sides.places:
        image = place.image
        if image.owner_found == "stated":
            continue
        if place.captions:
            segments[place.at] = replace(image, owner=place.captions[0], owner_found="stated")
        elif (owner := sides.owner(place)) is not None:
            segments[place.at] = replace(image, owner=owner.position, owner_found="inferred")
        else:
            segments[place.at] = replace(image, owner=None, owner_found="unknown")
    return replace(document, segments=tuple(segments))


def bound(document: Document) -> dict[int, frozenset[int]] | None:
    """Position of each image -> positions of the texts that no border may separate it from: owner, captions, the step that a captioned figure
    belongs to, a text before it that points on and one behind it that points back. None where an image's step is not known.
    """
    sides = _Sides(document)
    kept = {text.position: text for text in document.texts}
    found: dict[int, frozenset[int]] = {}
    for place in sides.places:
        image = place.image
        owner = kept.get(image.owner) if image.owner is not None else None
        if image.owner_found == "unknown":
            return None
        texts = {*place.captions, *([] if owner is None else [owner.position])}
        if owner is None or owner.kind == "caption":
            step = sides.owner(place)
            if step is None and place.both:
                return None
            texts |= set() if step is None else {step.position}
        texts |= {text.position for text in place.pointing()}
        found[image.position] = frozenset(texts)
    return found


def neighbor(segments: Sequence[Segment], at: int, step: int) -> Text | None:
    """The nearest text in one direction that can be an owner, up to a heading; images and captions are passed over, code and tables only up to the
    next image."""
    other: Text | None = None
    index = at + step
    while 0 <= index < len(segments):
        segment = segments[index]
        if isinstance(segment, Image):
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


@dataclass(frozen=True, slots=True)
class _Place:
    """An image and what stands round it.

    at: its index among the segments; captions: positions of those directly behind it; before, behind: its candidates; starts, ends: whether no
    text of its section stands before (behind) it, other images and captions aside; section: number of its section; in_row: whether it stands in
    a row of images that is followed by as many short lines, which may be their names.
    """

    at: int
    image: Image
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
        """The texts beside it that point at it, or introduce it with a colon."""
        if self.before is not None and (_introduces(self.before) or _POINTS_ON.search(self.before.text[-300:])):
            yield self.before
        if self.behind is not None and _POINTS_BACK.search(self.behind.text[:300]):
            yield self.behind

    @property
    def evidence(self) -> float:
        """For the text before (positive) or behind (negative), from the image alone."""
        if self.before is None or self.behind is None:
            return 0.0
        if self.image.owner is not None and self.image.owner_found != "unknown" and self.image.owner not in self.captions:
            return 2.0 if self.image.owner < self.image.position else -2.0
        if _is_caption_of(self.image, self.behind, self.before):
            return -2.0
        found = sum(2.0 if text is self.before else -2.0 for text in self.pointing())
        if found > 0 and _opens(self.behind.text):
            return 0.0  # an introduction points at the image of the first step
        return found or _of_alt(self.image, self.before, self.behind)

    @property
    def vote(self) -> float:
        """What this image says about the direction of its document."""
        if self.before is not None and len(self.before.text.split()) <= _LABEL_WORDS:
            return 0.0
        if self.both:
            return self.evidence
        return 1.0 if self.before is not None and self.ends else -0.5 if self.behind is not None and self.at > 1 else 0.0


class _Sides:
    """Which text of its two candidates each image of a document belongs to."""

    def __init__(self, document: Document, direction: int | None = None) -> None:
        """direction: 1 (images behind their texts) or -1 (before them) where it is known, None to take it from the structure."""
        self._segments = with_headings(document)
        self.places = list(_places(self._segments))
        self._direction = self._of_structure() if direction is None else direction
        groups = groupby(self.places, key=lambda place: place.section)
        self._sections = {number: self._of_section(list(places)) if direction is None else 0 for number, places in groups}

    def owner(self, place: _Place) -> Text | None:
        if place.in_row:
            return None
        if not place.both:
            return place.before or place.behind
        evidence = place.evidence
        side = evidence if abs(evidence) >= CLEAR else self._sections[place.section] or self._direction
        return None if side == 0 else place.before if side > 0 else place.behind

    def _of_section(self, places: Sequence[_Place]) -> int:
        """By whether its first image opens it and its last one ends it; 0 where both or neither does, and for images at the top of the page."""
        first, last = places[0], places[-1]
        opens = first.starts and first.behind is not None and first.at > 1
        closes = last.ends and last.before is not None
        return int(closes) - int(opens) if len(places) > 1 else 0

    def by_matrix(self, cosines: Cosines) -> int:
        """The direction that the alignment matrix is sure of; 0 where it is not."""
        return _sure(
            [
                row[place.before.position] - row[place.behind.position]
                for place in self.places
                if place.before is not None
                and place.behind is not None
                and (row := cosines.get(place.image.position)) is not None
                and place.before.position in row
                and place.behind.position in row
            ]
        )

    def _of_structure(self) -> int:
        """1: images stand behind their texts, -1: before them, 0: not known."""
        votes = {(str(place.image.ref), place.image.alt): place.vote for place in self.places}  # an icon that is repeated votes once
        total = sum(votes.values()) + _of_steps(self._segments) + _of_ends(self._segments)
        return 0 if abs(total) < CLEAR else 1 if total > 0 else -1


def _places(segments: Sequence[Segment]) -> Iterator[_Place]:
    section = 0
    run: list[int] = []  # indices of the images since the last text that is no caption
    for at, segment in enumerate(segments):
        if isinstance(segment, Text):
            section += segment.kind == "heading"
            if segment.kind != "caption":
                run = []
            continue
        run.append(at)
        end = captions(segments, at)
        first, last = run[0], _last_of_run(segments, at)
        yield _Place(
            at=at,
            image=segment,
            captions=tuple(text.position for text in segments[at + 1 : end]),
            before=neighbor(segments, at, -1),
            behind=neighbor(segments, end - 1, 1),
            starts=first == 0 or _is_heading(segments[first - 1]),
            ends=last + 1 == len(segments) or _is_heading(segments[last + 1]),
            section=section,
            in_row=_is_row(segments, first, last),
        )


def with_headings(document: Document) -> tuple[Segment, ...]:
    """The segments with those texts as headings that are headings in a source that marks none: the title, and lines like "Step 2: Fold the middle".

    Only for reasoning about the structure; the document keeps its kinds.
    """
    segments = document.segments
    marked = any(_is_heading(segment) for segment in segments)
    found = list(segments)
    for at, segment in enumerate(segments):
        if not isinstance(segment, Text) or segment.kind != "prose":
            continue
        following = segments[at + 1] if at + 1 < len(segments) else None
        step = not marked and isinstance(following, Text) and _is_line(segment) and (number := STEP.match(segment.text)) and number[1]
        if step or (at == 0 and segment.text == document.title):
            found[at] = replace(segment, kind="heading")
    return tuple(found)


def is_line(segment: Segment) -> bool:
    """A short line of prose that is no sentence: a heading, a label or a caption where the source marks none."""
    return isinstance(segment, Text) and _is_line(segment)


def captions(segments: Sequence[Segment], at: int) -> int:
    """Index behind the captions that directly follow the image at index `at`."""
    end = at + 1
    while end < len(segments) and isinstance(segment := segments[end], Text) and segment.kind == "caption":
        end += 1
    return end


def _last_of_run(segments: Sequence[Segment], at: int) -> int:
    """Index of the last image or caption that follows the image with no other text between."""
    while at + 1 < len(segments) and (isinstance(segment := segments[at + 1], Image) or segment.kind == "caption"):
        at += 1
    return at


def _is_heading(segment: Segment) -> bool:
    return isinstance(segment, Text) and segment.kind == "heading"


def _is_row(segments: Sequence[Segment], first: int, last: int) -> bool:
    """Whether the images from first to last are followed by as many short lines: a table of images above their names, or something else."""
    count = last - first + 1
    if count < 2 or not all(isinstance(segment, Image) for segment in segments[first : last + 1]):
        return False
    lines = segments[last + 1 : last + 1 + count]
    return len(lines) == count and all(isinstance(segment, Text) and _is_line(segment) for segment in lines)


def _sure(gaps: Sequence[float]) -> int:
    """The direction that differences of cosines (before minus behind) agree on; 0 where they do not."""
    if not gaps:
        return 0
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    error = max(spread, SURE_GAP) / math.sqrt(len(gaps))
    return 0 if abs(mean) < max(SURE_GAP, SURE_T * error) else 1 if mean > 0 else -1


def _of_steps(segments: Sequence[Segment]) -> float:
    """Where the first numbered step stands: before the first image speaks for texts first, right behind it for images first."""
    first = next((at for at, segment in enumerate(segments) if isinstance(segment, Image)), 0)
    for at, segment in enumerate(segments[1:], start=1):
        if isinstance(segment, Text) and segment.kind in ("prose", "list") and _opens(segment.text):
            return 2.0 if at == first - 1 else -2.0 if at == first + 1 else 0.0
    return 0.0


def _of_ends(segments: Sequence[Segment]) -> float:
    """Text before the first and behind the last image of a page where one text stands in every gap between two images.

    A page of the form text, image, text, image has a text before the first image and needs none behind the last. An introduction or a closing
    word may hide that; where both or the wrong one of them is there, nothing is known.
    """
    runs = [0]
    for segment in segments:
        if isinstance(segment, Image):
            runs.append(0)
        elif segment.kind not in ("caption", "heading"):
            runs[-1] += 1
    lead, *gaps, trail = runs if len(runs) > 2 else (0, 0, 0)
    if set(gaps) != {1} or max(lead, trail) > _ENDS_TEXTS:
        return 0.0
    if not lead or not trail:
        return 2.0 if lead else -2.0 if trail else 0.0
    return float(lead - trail) if len(gaps) >= _FEWEST_GAPS else 0.0


def _of_alt(image: Image, before: Text, behind: Text) -> float:
    """A weak sign: one of the two texts holds most words of the alt text, the other does not."""
    words = set(_WORD.findall(image.alt.lower()))
    if len(words) < 2:
        return 0.0
    shares = [len(words & set(_WORD.findall(text.text.lower()))) / len(words) for text in (before, behind)]
    if max(shares) < ALT_WORDS or min(shares) > ALT_WORDS / 2:
        return 0.0
    return 0.5 if shares[0] > shares[1] else -0.5


def _is_caption_of(image: Image, text: Text, before: Text) -> bool:
    """Whether a short line behind the image says what its alt text says: two words and three fifths of them (four fifths for a sentence), and more
    than the text before."""
    words = set(_WORD.findall(image.alt.lower()))
    held, other = (len(words & set(_WORD.findall(item.text.lower()))) for item in (text, before))
    least = ALT_WORDS if _is_line(text) else ALT_SENTENCE if _is_line(text, ".") else math.inf
    return held >= max(2, least * len(words)) and held > other


def _is_line(text: Text, but: str = "") -> bool:
    """A short line that is no sentence."""
    line = text.text.strip()
    ended = line.endswith(_ENDS) and not (but and line.endswith(but))
    return text.kind == "prose" and "\n" not in line and len(line) <= 120 and len(line.split()) <= CAPTION_WORDS and not ended


def _introduces(text: Text) -> bool:
    return text.text.rstrip().endswith(_INTRODUCES)


def _opens(text: str) -> bool:
    """Whether a text begins the first step: `Step 1`, `1.`, `First`."""
    numbered = STEP.match(text)
    return int(numbered[1] or numbered[2]) == 1 if numbered else _FIRST.match(text) is not None
