"""Signs in texts of which image they belong to: a colon, "as shown below", "the image above", the words of an
alt text, a step's number. Pure.

The patterns are English and, for the most common phrases, German, French, Spanish, Portuguese, Russian,
Chinese and Japanese. An unknown sign only means that no owner is decided (records/text/owners.py), so only
unambiguous signs are included.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from leafinstruct.records.document import ImageRef, Segment, Text
from leafinstruct.records.text.words import (
    UNITS,
    count_letters,
    count_marks,
    count_words,
    ends_clause,
    ends_with_colon,
    is_unmarked,
    weight,
    words_of,
)

CAPTION_WORDS = 15
"""Maximum words of a line that is not a sentence and can be a caption or, if the source marks none, a
heading."""

ALT_WORDS, ALT_SENTENCE = 0.6, 0.8
"""Share of the alt text's words that a line, or a short sentence, must contain to be its repetition."""

_STEP = (
    "step|part|stage|schritt|étape|etapa|paso|passo|pasul|stap|steg|trin|vaihe|lépés|korak|krok|крок|шаг|стъпка|βήμα|bước|langkah"
    "|adım|(?:ال)?خطوة|گام|مرحله|שלב|चरण|ধাপ|ขั้นตอนที่|ขั้นที่|ステップ|手順|步骤|步驟"  # noqa: RUF001 - the dotless i is intended
)
_STEP_BEHIND = r"\s*단계|\.\s?adım|\.\s?lépés"  # noqa: RUF001
STEP = re.compile(
    rf"[\W_]*+(?:(?:{_STEP})\s*|第|(?=\d{{1,3}}(?:{_STEP_BEHIND})))(\d{{1,3}}(?!\d)|"
    r"[一二三四五六七八九十]{1,3}(?=步|\W|$))"
    r"|[\W_]{0,2}(\d{1,3})(?:[.):]\s|[、．।။]\s*(?!\d))",  # noqa: RUF001 - marks of other scripts are intended
    re.IGNORECASE,
)
"""The number of a step at the beginning of a text, in any script's digits: group 1 if it has a word for step,
group 2 if it is only a number."""
_FIRST = re.compile(
    r"\W*+(?:(?:first(?:ly)?,?|to (?:start|begin)|(?:start|begin) (?:by|with)|the first (?:step|"
    r"thing|stage|task|part)|once upon|at first)\b"
    r"|before\s*:)",
    re.IGNORECASE,
)
_NOUN = (
    r"(?:pictures?|images?|photo(?:graph)?s?|figures?|fig\.|diagrams?|screenshots?|screen shots?|"
    r"illustrations?|drawings?|charts?|graphs?"
    r"|bild|abbildung|foto|imagen|imagem|figura|schéma|afbeelding|рисун\w*|изображени\w*)"
)
POINTS_ON = re.compile(
    r"\b(?:shown|seen|pictured|illustrated|displayed|see|looks?|"
    r"appears?)\s+(?:\w+\s+){0,4}?(?:below|here|like this)\b"
    rf"|\b(?:below|following|next)\s+(?:\w+\s+)?{_NOUN}|\b{_NOUN}\s+(?:\w+\s+)?below\b|\bhere(?:'s| "
    rf"is| are)\s+(?:\w+\s+){{0,3}}?{_NOUN}\b"
    rf"|\bin (?:this|the) (?:\w+\s+)?{_NOUN}\b|如下|下图|下圖|次の図|siguiente imagen|imagem abaixo|ci-dessous"  # noqa: E501
    r"|(?:folgende|nächste)\w* (?:bild|abbildung)",
    re.IGNORECASE,
)
POINTS_BACK = re.compile(
    rf"\b(?:shown|seen|pictured|illustrated)\s+above\b|\babove\s+(?:\w+\s+)?{_NOUN}|"
    rf"\b{_NOUN}\s+(?:\w+\s+)?above\b|^\W*+above\s*:"
    rf"|^\W*+(?:figure|fig\.|abb\.|abbildung|figura)\s*\d|^\W*+(?:this|these)\s+{_NOUN}\b|如上|上图|上圖|"
    r"上の図|ci-dessus",
    re.IGNORECASE,
)
_STEM = 5
"""Letters at the start of a word that represent it and its inflections."""
_LEAST = 4
"""Minimum letters and marks of a word that can be a term; shorter ones are mostly articles and prepositions.
"""
_MOST = 4_000
"""Characters of a text that are compared with an alt text. Two thousand images may share one long text."""


def is_line(segment: Segment) -> bool:
    """Whether a segment is a short line of prose that is not a sentence: a heading, a label or a caption if
    the source marks none."""
    return isinstance(segment, Text) and _is_line(segment)


def _is_line(text: Text, but: str = "") -> bool:
    """Whether a text is a short line that is not a sentence. but: an ending that is still accepted."""
    if len(text.text) > _MOST:
        return False
    line = text.text.strip()
    if (
        text.kind != "prose"
        or "\n" in line
        or len(line) > 120
        or count_words([line]) > CAPTION_WORDS
        or is_unmarked(line)
    ):
        return False
    return not ends_clause(line) or bool(but and line.endswith(but))


def introduces(text: Text) -> bool:
    """Whether a text ends with a colon."""
    return ends_with_colon(text.text[-_MOST:])


def opens(text: str) -> bool:
    """Whether a text begins the first step: `Step 1`, `1.`, `First`."""
    numbered = STEP.match(text)
    if numbered is None:
        return _FIRST.match(text) is not None
    number = numbered[1] or numbered[2]
    return number == "一" or (number.isdecimal() and int(number) == 1)


def of_alt(image: ImageRef, before: Text, behind: Text) -> float:
    """A weak sign: one of the two texts contains most words of the alt text, the other does not."""
    words = _words(image.alt)
    if len(words) < 2:
        return 0.0
    shares = [len(words & _words(text.text)) / len(words) for text in (before, behind)]
    if max(shares) < ALT_WORDS or min(shares) > ALT_WORDS / 2:
        return 0.0
    return 0.5 if shares[0] > shares[1] else -0.5


def lead_of(description: str, before: Text, behind: Text) -> float | None:
    """The share of an alt text's or a caption's terms in the text before, minus that in the text after, in
    [-1, 1]; None without a term.

    Terms: stems of words of four letters or more; in scripts without spaces pairs of ideographs or clusters.
    Much weaker than `of_alt`, so it is used for many images together.
    """
    terms = _terms(description)
    if not terms:
        return None
    return (len(terms & _terms(before.text)) - len(terms & _terms(behind.text))) / len(terms)


@lru_cache(maxsize=256)
def _words(text: str) -> frozenset[str]:
    """Words of two letters or more, and ideographs and clusters of scripts without spaces."""
    return frozenset(
        word for word in words_of(text[:_MOST].lower()) if len(word) > 1 or weight(word) != UNITS
    )


@lru_cache(maxsize=256)
def _terms(text: str) -> frozenset[str]:
    found: set[str] = set()
    before = ""
    for word in words_of(text[:_MOST].lower()):
        if weight(word) == UNITS:
            if count_letters(word) + count_marks(word) >= _LEAST:
                found.add(word[:_STEM])
            before = ""
        else:
            if before:
                found.add(before + word)
            before = word
    return frozenset(found)


def is_caption_of(image: ImageRef, text: Text, before: Text) -> bool:
    """Whether a short line after the image repeats its alt text: two words and three fifths of them (four
    fifths for a sentence), and more than the text before."""
    words = _words(image.alt)
    shared, other = (len(words & _words(item.text)) for item in (text, before))
    least = ALT_WORDS if _is_line(text) else ALT_SENTENCE if _is_line(text, ".") else math.inf
    return shared >= max(2, least * len(words)) and shared > other and not STEP.match(text.text)
