"""The title of a page or a record: which lines can be one, and how to remove the name of the site. Pure; no
tree, no I/O.

    without_site("Apple strudel | My Kitchen", sites={"My Kitchen"}) -> "Apple strudel"
    of_prose(segments) -> the title of a record without markup, or None

A wrong title is worse than none, because the title becomes the question. If these rules are in doubt, there
is no title.
"""

# ruff: noqa: RUF001 - marks of other scripts

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from leafinstruct.ingest.fields.marginal import (
    STRICT_PATH,
    WEB_OR_MAIL,
    is_generic,
    is_home,
    is_marginal,
    is_sentence,
)
from leafinstruct.ingest.fields.text import word_set
from leafinstruct.records.document import Segment, Text
from leafinstruct.records.text.words import count_words, folded, is_unmarked

MAX_TITLE = 200
"""Maximum characters; a longer heading or <title> is a paragraph or a list of keywords."""
MAX_PROSE = 100
"""Maximum characters of a title that has no markup (of_prose)."""
MAX_WORDS = 20
"""Maximum words of the same."""
BROKEN = 6
"""Words from which a line before a text in lower case may be the first half of a sentence."""
_SEPARATOR = re.compile(
    r"\s+(?:[|¦｜·•∙⋅‹›«»<>～~/\\→▸]|::|[-–—―−]{1,3})\s+|\s*[|｜]\s*|\s*::\s+|\s*[_＿]\s*|\s*[－—]\s*|: +|："
)
_BAR = re.compile(r"\s*[|¦｜]\s*|\s*::\s+")
"""Separators that occur between a title and a site's name and hardly anywhere else."""
_CJK_SEPARATOR = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])\s*[-–]\s*|"
    r"\s*[-–]\s*(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
)
_SECTIONS = word_set(
    """introduction overview contents summary abstract ingredients materials equipment method methods
    instructions directions steps preparation description details notes conclusion references about
    contact faq advertisement requirements prerequisites supplies tools background einleitung zutaten
    zubereitung inhalt introducción ingredientes preparación introduction ingrédients préparation введение
    ингредиенты 简介 介绍 材料 做法 目录 用料 はじめに 材料 作り方 目次"""
)
"""Headings of sections. They are no title without markup, nor as the h1 of a page whose head does not state
it."""
_STEP = re.compile(
    (
        r"(?:step|schritt|étape|etape|paso|passo|stap|steg|krok|шаг|part|teil|chapter|"
        r"kapitel)\s*\d{1,3}\b|第\s*\d{1,3}\s*[步章部]"
    ),
    re.IGNORECASE,
)
_ITEM = re.compile(r"(?:[-*•‣◦▪–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+", re.IGNORECASE)
_FIRST_PERSON = re.compile(
    (
        r"(?:i|i['’](?:m|ve|d|ll)|we|we['’](?:re|ve|ll)|click|tap|log in|sign up|subscribe|copyright|©|"
        r"advert\w*|photo|image|credit|source)\b"
    ),
    re.IGNORECASE,
)


@lru_cache(maxsize=64)
def can_be_title(text: str) -> bool:
    """Whether a line that is marked as a title can be one: not too long, and neither marginal nor generic.
    Cached, since a page states its title several times."""
    return 0 < len(text) <= MAX_TITLE and not is_generic(text) and not is_marginal(text)


def is_section(text: str) -> bool:
    """Whether a heading is the name of a part of a document: `Ingredients`, `Step 1: Peel`."""
    return folded(text) in _SECTIONS or _STEP.match(text) is not None


def without_site(title: str, sites: Iterable[str], known: Iterable[str] = (), slug: str = "") -> str:
    """Remove the name of its site from a title, before or after a separator; empty if nothing else is left.

    sites: names that the page states for its site. known: titles that it states for itself (its h1,
    og:title). slug: last step of its URL.

        1. If the parts on one side of a separator are a known title, they are the title.
        2. Parts at either end that are a name of the site are removed.
        3. `|` and `::` separate titles from sites by convention: one part is the title, the last one if a
           site's name was removed before it or if only it agrees with the URL, else the first.

    Other separators are part of the title if no site's name is beside them.
    """
    names = {_tight(name) for name in sites} - {""}
    titles = {folded(name) for name in known} - {""}
    sides = [side.strip() for start, end in _cuts(title) for side in (title[:start], title[end:])]
    if folded(title) not in titles and (
        found := next((side for side in sides if folded(side) in titles and _tight(side) not in names), None)
    ):
        return found
    title, led = _without_names(title, names)
    parts = [part for part in _BAR.split(title) if part]
    if len(parts) > 1:
        matching = [part for part in parts if slug and _tight(part) == _tight(slug)]
        title = matching[0] if len(matching) == 1 else parts[-1] if led else parts[0]
    elif len(path := [part for part in STRICT_PATH.split(title) if part]) > 1 and (led or is_home(path[0])):
        title = path[-1]
    return title.strip()


@lru_cache(maxsize=64)
def _cuts(title: str) -> tuple[tuple[int, int], ...]:
    """Start and end of each separator in a title. Cached, since a page states its title several times."""
    patterns = (_SEPARATOR, _CJK_SEPARATOR)
    return tuple(sorted({found.span() for pattern in patterns for found in pattern.finditer(title)}))


def _without_names(title: str, names: set[str]) -> tuple[str, bool]:
    """The title without names (see `_tight`) at its ends, and whether one was removed before it."""
    led = False
    while _tight(title) not in names:
        cuts = _cuts(title)
        behind = (start for start, end in reversed(cuts) if _tight(title[end:]) in names)
        before = (end for start, end in cuts if _tight(title[:start]) in names)
        if (end := next((at for at in behind if title[:at].strip()), None)) is not None:
            title = title[:end].strip()
        elif (start := next((at for at in before if title[at:].strip()), None)) is not None:
            title, led = title[start:].strip(), True
        else:
            return title, led
    return "", led


def _tight(text: str) -> str:
    """Folded, without spaces: `My Kitchen` equals the `mykitchen` of a host."""
    return folded(text).replace(" ", "")


def of_prose(segments: Sequence[Segment]) -> str | None:
    """The title of a record without markup (MMC4, OBELICS): its first text, if that is one line and not a
    sentence.

    It must be the first segment, before any image, and not the last; at most MAX_WORDS words and MAX_PROSE
    characters; no sentence, byline, date, breadcrumb, list item, share line, heading of a section or word of
    navigation; and the next text must not continue in lower case as if the line had been broken. Thai and Lao
    have no sentence terminals, so their lines are no titles here.
    """
    first = segments[0] if segments else None
    if not isinstance(first, Text) or len(segments) < 2 or first.role is not None:
        return None
    line = first.text
    if (
        "\n" in line
        or len(line) > MAX_PROSE
        or count_words([line]) > MAX_WORDS
        or is_sentence(line)
        or is_unmarked(line)
    ):
        return None
    if (
        not can_be_title(line)
        or _ITEM.match(line)
        or WEB_OR_MAIL.search(line)
        or _FIRST_PERSON.match(line)
        or is_section(line)
    ):
        return None
    following = segments[1]
    broken = isinstance(following, Text) and following.text[:1].islower() and count_words([line]) >= BROKEN
    return None if broken else line


def of_heading(segments: Sequence[Segment]) -> str | None:
    """The title of a record whose recipe maps a column to headings: its first segment, if that is a heading
    of one line."""
    first = segments[0] if segments else None
    if not isinstance(first, Text) or first.kind != "heading" or "\n" in first.text:
        return None
    return first.text if can_be_title(first.text) else None
