"""Scores of lines: which of them end like sentences, are bullets, are cut, or occur again.

A line is a line of a text segment: a paragraph, a heading, an item of a list. Captions do not count, since
they often repeat the step beside them; code does not, since its lines repeat.

    Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): bullets at most 0.9, lines that end with an ellipsis
        at most 0.3, characters in repeated lines and paragraphs at most 0.2
    C4 (Raffel et al. 2020, section 2.2): lines that do not end with a terminal are dropped
    FineWeb (Penedo et al. 2024, arXiv 2406.17557, section 3.6): share of lines that end with a terminal at
        least 0.12, short lines (30 characters) at most 0.67

    copies of lines and steps, and broken ends: of our own

Deviations: shares of bullets count words, not lines, because a list of ten items beside ten long paragraphs
is not half of a page; terminals are those of all scripts; headings are no short lines, and need no terminal.
"""

# ruff: noqa: RUF001 - signs of other scripts are intended

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

import regex

from leafinstruct.filter.scores.prose import stop_words
from leafinstruct.records.document import Document, Text
from leafinstruct.records.text.words import (
    UNITS,
    count_words,
    ends_sentence,
    ends_with_colon,
    identity,
    is_unmarked,
    without_markers,
    word_units,
    words_of,
)

_SHORT = 30
"""Maximum characters of a short line (FineWeb)."""
_MARKER = regex.compile(r"[ \t]*(?:[-*•‣◦·▪–]|\p{N}{1,3}[.)])[ \t]+\S")
_CUT = regex.compile(r"""(?:…|\.\.\.|\[(?:…|\.\.\.)\]|。。。)["'»”’)\]]*\s*$""")
_MORE = regex.compile(
    r"(?:…|\.\.\.)?\s*[\[(«]?\b(?:read|see|learn|show|view)\s+more\b\s*(?:…|\.\.\.|[»›>→\])]+)?\s*$"
    r"|\b(?:continue reading|weiterlesen|mehr lesen|lire la suite|leer más|leia mais|continua a leggere"
    r"|lees meer|читать далее|подробнее)\b\W*$",
    regex.IGNORECASE,
)
"""How a teaser ends that is continued on another page."""
_END = 40
"""Characters of a line that show how it ends."""
_SENTENCE, _MOSTLY = 8, 0.8
"""Words of a line that should end like a sentence; share of such lines that do where the last one should."""
_NEARLY_ALL = 0.9
"""Share of such lines that end like sentences where any other end is a sign."""
_CUT_SENTENCE = 4
"""Words of a line without a terminal that is more than a heading or the name of a link."""
_ENDS = {
    language: frozenset(words.split())
    for language, words in {
        "de": "ab an auf aus bei durch ein hier ihr ihnen mit nach sie so um uns vor wieder zu",
        "en": "again all down here him in it me more off on out over so them there too under up us you",
        "nl": "aan af door hier in mee na om op over toe uit voor zo",
    }.items()
}
"""Function words with which a line may end, such as particles: "Now you can turn it on"."""
_COPIED = 3
"""Words of a line whose copies count. Shorter ones are names, keys and cells of tables."""
_PLURALS = ("s", "es")
"""Endings after which the shorter word is a word, too."""
_LAST = 1_000
"""Characters of the last line that are looked at."""
_LEAST = 20
"""Characters from which a repeated line counts: `Step 1` and `Note:` belong to a page's form."""


def scores(document: Document) -> dict[str, float]:
    """Name -> value. NaN if no line counts."""
    texts = [text for text in document.texts if text.kind not in ("caption", "code")]
    lines = [line for text in texts for line in _lines_of(text)]
    body = [line for text in texts if text.kind != "heading" for line in _lines_of(text)]
    # in Thai and Lao no line ends with a terminal
    marked = [line for line in body if not is_unmarked(line)]
    return {
        "text.ended_lines": _share(marked, _is_ended),
        "text.short_lines": _share(body, lambda line: len(without_markers(line).strip()) <= _SHORT),
        "text.cut_lines": _share(body, is_cut),
        "text.broken_end": float(_is_broken(texts, document.language)),
        "text.bullets": _listed(texts),
        "text.repeated_lines": repeated(lines),
        "text.repeated_paragraphs": repeated([text.text for text in texts]),
        "text.line_copies": float(copies(lines)),
        "text.step_copies": float(_step_copies(document)),
    }


def is_cut(line: str) -> bool:
    """Whether a line ends with an ellipsis, or with the link of a teaser to its page."""
    end = line.rstrip()[-_END:]
    return _CUT.search(end) is not None or _MORE.search(end) is not None


def _is_broken(texts: Sequence[Text], language: str | None) -> bool:
    """Whether the last line of prose ends within a word or a sentence: without a terminal, which other lines
    have, and

    with the beginning of a word of the document that it has nowhere else, and no particle
    if hardly any other line is without a terminal: with another function word, or in 4 words or more with a
        word that it has nowhere else, in no number: half of a word is mostly no word of the document. A
        line of less than 8 words may be a name or a tag ("Photo by Jane Miller"), so that word has no
        capital letter, and half of the others, without function words, are words of the document
    """
    prose = [line for text in texts if text.kind == "prose" for line in _lines_of(text)]
    if len(prose) < 3 or is_unmarked(prose[-1]) or _is_ended(prose[-1]):
        return False
    others = [line for line in prose[:-1] if count_words([line]) >= _SENTENCE]
    shown = words_of(prose[-1][-_LAST:])
    last = [word.casefold() for word in shown]
    ended = sum(map(_is_ended, others))
    if len(others) < 2 or len(last) < 2 or ended < _MOSTLY * len(others):
        return False
    *before, end = last
    language = stop_words.base_of(language) or ""
    if end in _ENDS.get(language, ()):
        return False
    function_words = stop_words.WORDS.get(language, frozenset())
    words = {word.casefold() for text in texts for word in words_of(text.text.removesuffix(prose[-1]))}
    known = words.union(before)
    other_number = any(end + plural in known or end.removesuffix(plural) in known for plural in _PLURALS)
    longer = (word for word in known if word.startswith(end) and word.removeprefix(end) not in _PLURALS)
    if end not in known and any(longer):
        return True
    if ended < _NEARLY_ALL * len(others) or not prose[-1].rstrip()[-1:].isalpha():
        return False
    if end in function_words:
        return True
    if len(last) < _CUT_SENTENCE or end in known or other_number:
        return False
    return len(last) >= _SENTENCE or (
        shown[-1].islower()
        and _share([word for word in before if word not in function_words], words.__contains__) >= 0.5
    )


def _is_ended(line: str) -> bool:
    end = line.rstrip()[-_END:]
    return ends_sentence(end) or ends_with_colon(end)


def repeated(lines: Sequence[str]) -> float:
    """Share of characters in lines that occurred before, [0, 1]; lines are equal if their words are. 0 for no
    lines."""
    seen: Counter[str] = Counter()
    twice = total = 0
    for line in lines:
        words = identity(line)
        total += len(words)
        if len(words) >= _LEAST:
            twice += len(words) if seen[words] else 0
            seen[words] += 1
    return twice / total if total else 0.0


def copies(lines: Sequence[str]) -> int:
    """Occurrences of lines of _COPIED words or more after the second of each; lines are equal if their words
    are."""
    counts = Counter(identity(line) for line in lines if word_units(line) >= _COPIED * UNITS)
    return sum(max(0, count - 2) for count in counts.values())


def _step_copies(document: Document) -> int:
    """How many times in a row the same texts, of any length, occur between images. 0 without text. A heading
    before the first text is the title of the page, and in no step."""
    steps: list[list[str]] = [[]]
    for segment in document.segments:
        if not isinstance(segment, Text):
            steps.append([])
        elif segment.kind != "caption" and (segment.kind != "heading" or any(steps)):
            steps[-1].append(identity(segment.text))
    runs = (len(list(run)) for words, run in groupby(steps) if any(words))
    return max(runs, default=0)


def _lines_of(text: Text) -> list[str]:
    return [line for line in text.text.splitlines() if line.strip()]


def _share(lines: Sequence[str], fits: Callable[[str], bool]) -> float:
    return sum(map(fits, lines)) / len(lines) if lines else math.nan


def _listed(texts: Sequence[Text]) -> float:
    """Share of words in items of lists."""
    listed = total = 0
    for text in texts:
        units = word_units(text.text)
        total += units
        if text.kind == "list":
            listed += units
        else:
            listed += sum(word_units(line) for line in text.text.splitlines() if _MARKER.match(line))
    return listed / total if total else math.nan
