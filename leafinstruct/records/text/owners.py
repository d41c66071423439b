"""Decide which text an image belongs to (its owner), and how that was found.

    stated      the source states it: MMC4's matched sentence, a figure's caption, a video's step, a
                placeholder inside a text. Set by the reader.
    inferred    decided here from the page's structure, or in filter also from the alignment matrix
    unknown     undecided

An image has up to two candidates: the nearest text before it and the nearest text after it in its own
section. No candidate is beyond a heading. A single candidate is the owner. Between two, these decide, in this
order:

    1. the image itself: the text before ends with a colon or points forward ("as shown below"), the text
       after points back ("the image above") or is a short line made of the words of the alt text, or the page
       groups the image with one of them (a list item, a table row)
    2. its section: an image directly below the heading indicates images before their texts, one directly
       before the next heading texts before their images
    3. the direction of the document: the alignment matrix if there is one, else the sum of the signs of all
       images, of where the first numbered step is, of how much text is before the first and after the last
       image, and of the side on which the texts share more words with the alt texts, all of them together

If the page's markup groups an image with a text after a heading (a card: image, heading, text), that text is
its owner. If every heading directly follows an image, the images may be above the headings of their sections:
unknown.

If the sum is below `CLEAR`, the owner is unknown: a wrong owner separates an image from its text, an unknown
one only excludes a task.

Chosen over deciding for each image by the larger of two cosines: two swapped images would then each still
find some text that fits. Pure, no model. Cost: about 0.1 ms for a page of 50 segments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text import signs
from leafinstruct.records.text.places import Place, is_heading, places_of, with_headings

CLEAR = 1.0
"""Sum of signs from which the direction of a document is decided. One image directly before a heading has 1.
"""

Cosines = Mapping[int, Mapping[int, float]]
"""Position of an image -> position of a text -> cosine: the alignment matrix."""

SURE_T, SURE_GAP = 2.0, 0.02
"""Minimum t-value and mean difference of cosines (text before minus text after) with which the alignment
matrix decides the direction: twice the standard error, and more than re-encoding an image changes. Set on the
packaged CLIP; no published weights were tried."""

_FEWEST_ALTS, ALT_GAP = 3, 0.15
"""Minimum number of alt texts, and mean lead of one side in their terms, with which they decide the direction
together."""

DESCRIBED = 1.5
"""Weight of that sign: more than a doubtful layout, less than a regular one."""

_FEWEST_HEADINGS = 3
"""Number of headings that all directly follow an image, from which images may be above the headings of their
sections."""

_FEWEST_GAPS, _ENDS_TEXTS = 2, 2
"""Minimum gaps between images of a regular page, and maximum texts of an introduction or a closing word."""


def infer(document: Document) -> Document:
    """Return the document with an owner for each image whose source states none. A conversation is returned
    unchanged: its structure is who speaks."""
    if document.is_conversation or not document.images:
        return document
    return _with_owners(document, _Sides(document))


def align(document: Document, cosines: Cosines) -> Document:
    """Decide inferred and unknown owners again, if the alignment matrix decides the direction; else return
    the document unchanged.

    cosines: of a model that was trained on such images. Stated owners are kept, and so are those decided by
    the image itself.
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
    if isinstance(segment, ImageRef) and segment.owner_found == "inferred":
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
    """Position of each image -> positions of the texts from which it must not be separated: owner, captions,
    the step that a captioned figure belongs to, a text before it that points forward and one after it that
    points back. None if the step of an image is unknown."""
    found = bonds(document)
    known = {position: texts for position, texts in found.items() if texts is not None}
    return known if len(known) == len(found) else None


def bonds(document: Document) -> dict[int, frozenset[int] | None]:
    """`bound` per image: None for an image whose step is unknown."""
    sides = _Sides(document)
    kept = {text.position: text for text in document.texts}
    return {place.image.position: _bond(sides, place, kept) for place in sides.places}


def _bond(sides: _Sides, place: Place, kept: Mapping[int, Text]) -> frozenset[int] | None:
    image = place.image
    if image.owner_found == "unknown":
        return None
    owner = kept.get(image.owner) if image.owner is not None else None
    texts = {
        *place.captions,
        *([] if owner is None else [owner.position]),
        *(text.position for text in place.pointing()),
    }
    if owner is None or owner.kind == "caption":
        step = sides.owner(place)
        if step is None and place.both:
            return None
        texts |= set() if step is None else {step.position}
    return frozenset(texts)


def steps_of_figures(document: Document) -> dict[int, int]:
    """Position of each image whose owner is its caption -> position of the text of its step; without those
    whose step is unknown."""
    if not any(text.kind == "caption" for text in document.texts):
        return {}
    sides = _Sides(document)
    figures = [place for place in sides.places if place.image.owner in place.captions]
    return {
        place.image.position: step.position for place in figures if (step := sides.owner(place)) is not None
    }


class _Sides:
    """Decides which of its two candidates each image of a document belongs to."""

    def __init__(self, document: Document, direction: int | None = None) -> None:
        """direction: 1 (images after their texts) or -1 (before them) if it is known, None to infer it from
        the structure."""
        self._segments = with_headings(document)
        self._texts = {text.position: text for text in document.texts}
        self.places = list(places_of(self._segments))
        self._above_headings = _may_be_above_headings(self._segments, self.places)
        self._direction = self._of_structure() if direction is None else direction
        groups = groupby(self.places, key=lambda place: place.section)
        self._sections = {
            number: self._of_section(list(places)) if direction is None else 0 for number, places in groups
        }

    def owner(self, place: Place) -> Text | None:
        if place.in_row:
            return None
        grouped = self._grouped(place)
        if grouped is not None:
            return grouped
        if not place.both:
            return self._alone(place)
        own = place.sign
        side = own if abs(own) >= CLEAR else self._sections[place.section] or self._direction
        return None if side == 0 else place.before if side > 0 else place.behind

    def _grouped(self, place: Place) -> Text | None:
        """The text that the page's markup groups an image with, if a heading or another text is between the
        two (a card: image, heading, text); else None."""
        image = place.image
        if image.owner is None or image.owner_found != "inferred":
            return None
        if any(text is not None and text.position == image.owner for text in (place.before, place.behind)):
            return None
        return self._texts.get(image.owner)

    def _alone(self, place: Place) -> Text | None:
        """The only candidate; None if images may be above the headings of their sections."""
        return None if self._above_headings and place.ends else place.before or place.behind

    def _of_section(self, places: Sequence[Place]) -> int:
        """The direction of a section: whether its first image opens it and its last one ends it. 0 if both or
        neither does, and for images at the top of the page."""
        first, last = places[0], places[-1]
        opens = first.starts and first.behind is not None and first.at > 1
        closes = last.ends and last.before is not None
        return int(closes) - int(opens) if len(places) > 1 else 0

    def by_matrix(self, cosines: Cosines) -> int:
        """The direction according to the alignment matrix; 0 if it does not decide."""
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
        """1: images are after their texts, -1: before them, 0: unknown."""
        # a repeated icon counts once
        votes = {(str(place.image.ref), place.image.alt): place.vote for place in self.places}
        total = (
            sum(votes.values())
            + _of_steps(self._segments)
            + _of_ends(self._segments)
            + _of_descriptions(self.places, self._texts)
        )
        return 0 if abs(total) < CLEAR else 1 if total > 0 else -1


def _may_be_above_headings(segments: Sequence[Segment], places: Sequence[Place]) -> bool:
    """Whether each heading but the title directly follows an image, and there is no other image: either an
    introduction with an image of its own and a last section without one, or images above the headings of
    their sections."""
    headings = [at for at, segment in enumerate(segments) if at and is_heading(segment)]
    ends = {at - 1 for at in headings}
    return (
        len(headings) >= _FEWEST_HEADINGS
        and {place.at for place in places} == ends
        and not any(place.captions for place in places)
    )


def _sure(gaps: Sequence[float], least: float = SURE_GAP) -> int:
    """The direction on which differences (before minus after) agree; 0 if they do not or their mean is below
    `least`."""
    if not gaps:
        return 0
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    error = max(spread, least) / math.sqrt(len(gaps))
    return 0 if abs(mean) < max(least, SURE_T * error) else 1 if mean > 0 else -1


def _of_descriptions(places: Sequence[Place], texts: Mapping[int, Text]) -> float:
    """The direction on which the alt texts (or captions) of all images agree; 0 if they do not."""
    leads: dict[str, float] = {}  # a repeated alt text counts once
    for place in places:
        description = place.image.alt or " ".join(texts[caption].text for caption in place.captions)
        if place.before is not None and place.behind is not None:
            lead = signs.lead_of(description, place.before, place.behind)
            if lead is not None:
                leads.setdefault(description, lead)
    gaps = list(leads.values())
    return DESCRIBED * _sure(gaps, ALT_GAP) if len(gaps) >= _FEWEST_ALTS else 0.0


def _of_steps(segments: Sequence[Segment]) -> float:
    """The sign of the first numbered step: before the first image it indicates texts first, right after it
    images first."""
    first = next((at for at, segment in enumerate(segments) if isinstance(segment, ImageRef)), 0)
    for at, segment in enumerate(segments[1:], start=1):
        if isinstance(segment, Text) and segment.kind in ("prose", "list") and signs.opens(segment.text):
            return 2.0 if at == first - 1 else -2.0 if at == first + 1 else 0.0
    return 0.0


def _of_ends(segments: Sequence[Segment]) -> float:
    """The sign of the texts before the first and after the last image of a page with one text between any two
    images.

    A page of the form text, image, text, image has a text before the first image and needs none after the
    last. An introduction or a closing word may hide that; if both exist, the sign is weak or missing.
    """
    runs = [0]
    for segment in segments:
        if isinstance(segment, ImageRef):
            runs.append(0)
        elif segment.kind not in ("caption", "heading"):
            runs[-1] += 1
    lead, *between, trail = runs if len(runs) > 2 else (0, 0, 0)
    gaps = [gap for gap in between if gap]  # images side by side count as one
    if set(gaps) != {1} or max(lead, trail) > _ENDS_TEXTS:
        return 0.0
    if not lead or not trail:
        return 2.0 if lead else -2.0 if trail else 0.0
    return math.copysign(0.5, lead - trail) if lead != trail and len(gaps) >= _FEWEST_GAPS else 0.0
