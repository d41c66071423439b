"""Find references of a text to images that are not there: a stated number, "the image below", "Figure 3".

    count      "in 6 images", "Step 2 of 5", but the document shows another number of images
    below      "as shown below", "the following photo" without an image after the text
    above      "the screenshot above" without an image before the text
    number     "Figure 3", but there is no third image or caption

Documents and finished examples share this definition. Precision comes first: a reference counts only if it
names an image (or is "as shown below"), and a statement that may be about some of the images ("two of the
images", "another 3 photos") is no total.

Totals. A number is compared exactly if the opening (before the first image, headings anywhere) or the closing
(after the last image) states it of the whole ("in 6 images", "it has 6 images", "follow the 6 images").
Elsewhere ("these two photos", "both images") it is wrong only if there are fewer images. A number of steps,
layers, stops and the like is a number of images only if the text states that ("look at the image of each
layer"), or if the images follow each other like those of steps: at least two, a short text between any two.
Then fewer images than steps are a reference to lost images; in a text of another form, a step without an
image is not.

Reach. Below reaches over two texts, above over five. Either ends at a heading, unless the image is directly
after it, and at a text with the same reference, since the image belongs to that text. An image whose `owner`
is the text matches in both directions, because formats exist that place an image before its sentence (MMC4).
Code, tables and lists match "as shown below" too, but not "the image below"; "as shown above" reaches back
over all sections.

The patterns of ten languages are in reference_patterns.py. Cost: 0.3 to 0.6 ms for 100 words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from leafinstruct.records.document import ImageRef, Text
from leafinstruct.records.text import reference_patterns as wordings
from leafinstruct.records.text.words import count_words

Kind = Literal["count", "below", "above", "number"]


@dataclass(frozen=True, slots=True)
class Dangling:
    """One reference that matches no image. words: as in the text. part: index of the text. reason: what is
    there instead."""

    words: str
    kind: Kind
    part: int
    reason: str

    def __str__(self) -> str:
        """One sentence: `"in 6 images", but 5 images are left`."""
        return f'"{self.words}", but {self.reason}'


SERIES_WORDS = 80
"""Maximum words between two images of a series of steps."""
REACH = {1: 2, -1: 5}
"""Texts, other than headings and captions, that may be between a reference and its image: below and above. On
93 real pages there are 0 below and at most 4 above."""
BEFORE, PARTS = 200, 400
"""Characters before a reference, and parts in its direction, that are searched. A hostile text has a million
references, and a hostile document ten thousand parts. The longest real pages have about 300 parts."""
LOOKED_AT = 1_000_000
"""Characters of all texts together that are searched for references. The text of a long novel has three times
as many, a page a hundredth."""
CELL_WORDS = 2
"""Texts of at most this many words that follow each other are cells of a table or a diagram in a format
without tables (OBELICS)."""

Part = Text | ImageRef | str | None


def dangling(parts: Sequence[Part]) -> list[Dangling]:
    """The references that match no image, in the order of the texts.

    parts: segments of a document, or parts of an example's turns; a string is prose, None an image. Text.kind
    and Image.owner are used if given.
    """
    return list(_Sequence(parts).faults())


class _Sequence:
    """The parts, and what a reference in one of them needs to know of the others."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.images = [at for at, part in enumerate(parts) if _is_image(part)]
        self.texts = [(at, *_text(part)) for at, part in enumerate(parts) if not _is_image(part)]
        self.owners = {part.owner for part in self.parts if isinstance(part, ImageRef)}
        self.is_series = self._is_series()
        labels = (wordings.LABEL.match(text) for _, kind, text in self.texts if kind in ("caption", "prose"))
        self._answers: dict[tuple[int, int, bool], bool] = {}
        self._shown: dict[int, bool] = {}
        self.labels = {int(label[1]) for label in labels if label}

    def faults(self) -> Iterator[Dangling]:
        left = LOOKED_AT
        for at, kind, whole in self.texts:
            if kind in ("code", "table"):
                continue
            text, left = whole[:left], max(0, left - len(whole))
            lower = text.lower()
            is_about_images = _has(lower, wordings.IMAGE_STEMS)
            found: list[tuple[int, Dangling]] = []
            if (is_about_images or _has(lower, wordings.STEP_STEMS)) and wordings.SOME_NUMBER.search(lower):
                found += self._counts(at, kind, text)
            if is_about_images or _has(lower, wordings.SHOWN_STEMS):
                if _has(lower, wordings.DIRECTION_STEMS):
                    found += self._directions(at, text)
                found += self._figures(at, text)
            yield from (fault for _, fault in sorted(found, key=lambda item: item[0]))

    def _is_series(self) -> bool:
        """Whether the images follow each other like those of steps: texts between any two, short and of
        similar length."""
        gaps = [
            count_words([_text(part)[1] for part in self.parts[before + 1 : after]])
            for before, after in zip(self.images, self.images[1:], strict=False)
        ]
        return (
            bool(gaps)
            and min(gaps) > 0
            and max(gaps) <= min(SERIES_WORDS, 4 * sorted(gaps)[len(gaps) // 2] + 20)
        )

    def _counts(self, at: int, kind: str, text: str) -> Iterator[tuple[int, Dangling]]:
        """Stated numbers that are wrong, each with its place in the text."""
        have, taken = len(self.images), bytearray(len(text))
        is_outside = kind == "heading" or not self.images or at < self.images[0] or at > self.images[-1]
        is_illustrated = is_outside and wordings.ILLUSTRATED.search(text) is not None
        for patterns in (wordings.TOTALS, wordings.SOME, wordings.STEPS, wordings.STEP_OF):
            for match, number in _numbered(patterns, text):
                if not _take(match, taken):
                    continue
                if patterns is wordings.STEPS:
                    is_wrong = 0 < have < number and (is_illustrated or (is_outside and self.is_series))
                elif patterns is wordings.STEP_OF:
                    is_wrong = 0 < have < number and (is_illustrated or self.is_series)
                else:
                    is_whole = (
                        patterns is wordings.TOTALS
                        and is_outside
                        and not wordings.LOCAL.match(text, match.end())
                    )
                    is_wrong = have < number or (is_whole and have > number)
                if is_wrong:
                    yield match.start(), Dangling(match[0], "count", at, _left(have))

    def _directions(self, at: int, text: str) -> Iterator[tuple[int, Dangling]]:
        taken = bytearray(len(text))
        for patterns, step, any_kind in (
            (wordings.BELOW, 1, False),
            (wordings.ABOVE, -1, False),
            (wordings.SHOWN_BELOW, 1, True),
            (wordings.SHOWN_ABOVE, -1, True),
        ):
            for match in _matches(patterns, text):
                if not _take(match, taken):
                    continue
                if any_kind and wordings.OTHERS_SHOWN.search(
                    text, max(0, match.start() - BEFORE), match.start()
                ):
                    continue
                if not self._is_answered(at, step, any_kind):
                    kind: Kind = "below" if step > 0 else "above"
                    yield (
                        match.start(),
                        Dangling(match[0], kind, at, f"no image {'follows' if step > 0 else 'precedes'} it"),
                    )
        for match in _matches(wordings.BESIDE, text):
            if not self._is_answered(at, 1, False) and not self._is_answered(at, -1, False):
                yield match.start(), Dangling(match[0], "below", at, "no image is beside it")
        unfinished = wordings.UNFINISHED.search(text)
        if (
            unfinished
            and (at + 1 == len(self.parts) or _text(self.parts[at + 1])[0] == "heading")
            and not self._owns_image(at)
        ):
            yield unfinished.start(), Dangling(unfinished[0], "below", at, "nothing follows it")

    def _owns_image(self, at: int) -> bool:
        own = self.parts[at]
        return isinstance(own, Text) and own.position in self.owners

    def _is_answered(self, at: int, step: int, any_kind: bool) -> bool:
        """Whether an image in the direction matches. any_kind: code, a table or a list does too, and "above"
        in any section."""
        if (at, step, any_kind) not in self._answers:
            self._answers[at, step, any_kind] = self._looked(at, step, any_kind)
        return self._answers[at, step, any_kind]

    def _looked(self, at: int, step: int, any_kind: bool) -> bool:
        if self._owns_image(at):
            return True
        same = wordings.BELOW + wordings.SHOWN_BELOW if step > 0 else wordings.ABOVE + wordings.SHOWN_ABOVE
        is_unbounded = any_kind and step < 0
        # outside the section; number of texts between; whether all of them are cells
        is_outside, passed, are_cells = False, 0, step > 0
        for place in islice(range(at + 1, len(self.parts)) if step > 0 else range(at - 1, -1, -1), PARTS):
            part = self.parts[place]
            if _is_image(part) or (any_kind and self._is_shown(place)):
                return True
            kind, text = _text(part)
            if kind == "heading":
                is_outside = not is_unbounded
            elif kind != "caption" and not is_unbounded:
                passed += 1
                are_cells = are_cells and count_words([text]) <= CELL_WORDS
                if is_outside or any(_matches(same, text)):
                    return False
                if passed > REACH[step]:
                    return are_cells
        return False

    def _is_shown(self, at: int) -> bool:
        """Whether a part is code, a table or a list."""
        if at not in self._shown:
            kind, text = _text(self.parts[at])
            self._shown[at] = kind in ("code", "table", "list") or wordings.CODE.search(text) is not None
        return self._shown[at]

    def _figures(self, at: int, text: str) -> Iterator[tuple[int, Dangling]]:
        have, label = len(self.images), wordings.LABEL.match(text)
        for match in _matches(wordings.FIGURES, text):
            number = int(match["k"])
            if (label and match.start() < label.end()) or number == 0 or number in self.labels:
                continue
            if number > have or (self.labels and have <= len(self.labels)):
                numbers = ", ".join(map(str, sorted(self.labels)))
                yield (
                    match.start(),
                    Dangling(
                        match[0], "number", at, f"the captions have {numbers}" if numbers else _left(have)
                    ),
                )


def _has(lower: str, stems: Sequence[str]) -> bool:
    return any(stem in lower for stem in stems)


def _matches(patterns: wordings.Patterns, text: str) -> Iterator[re.Match[str]]:
    """The matches of all patterns, without those that overlap an earlier one."""
    taken = bytearray(len(text))
    for pattern in patterns:
        for match in pattern.finditer(text):
            if _take(match, taken):
                yield match


def _numbered(patterns: wordings.Patterns, text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Matches with the number that they state ("both": 2), without one ("in one image") and numbers of some
    ("another 3 images")."""
    for match in _matches(patterns, text):
        word = match.groupdict().get("n")
        number = 2 if word is None else int(word) if word.isdecimal() else wordings.NUMBERS[word.lower()]
        begins = word is None or match.start("n") == match.start()
        if number > 1 and not (
            begins and wordings.NOT_ALL.search(text, max(0, match.start() - BEFORE), match.start())
        ):
            yield match, number


def _take(match: re.Match[str], taken: bytearray) -> bool:
    """Mark the characters of a match as taken. False if one of them is taken already. One byte per character:
    a long text may have a million matches."""
    start, end = match.span()
    if taken.find(1, start, end) >= 0:
        return False
    taken[start:end] = b"\1" * (end - start)
    return True


def _left(have: int) -> str:
    return {0: "no image is left", 1: "1 image is left"}.get(have, f"{have} images are left")


def _is_image(part: Part) -> bool:
    return part is None or isinstance(part, ImageRef)


def _text(part: Part) -> tuple[str, str]:
    """Kind and text of a part; no text for an image."""
    if isinstance(part, Text):
        return part.kind, part.text
    return ("prose", part) if isinstance(part, str) else ("image", "")
