"""Scores of a document's text by counting; no model, no I/O.

Definitions follow Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) and C4 (Raffel et al. 2020) where
those have one. Each score is a share or a rate, so that one bound fits short and long documents. Letters,
words and symbols are defined for every script (records/text/words.py). Words of code segments are counted,
but their symbols and capitals are not: a page about programming is not spam. List markers at the beginning of
lines (`- `, `1. `) and indentation are markup that readers write, and count neither as words nor as
characters. Captions do not count as repetition, since they often repeat the step beside them. Cost: about 100
microseconds for 100 English words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

import regex

from leafinstruct.filter.scores.cell import cell
from leafinstruct.filter.scores.prose import scores as prose_scores
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.text.language import identify
from leafinstruct.records.text.words import (
    UNITS,
    count_capitals,
    count_letters,
    count_marks,
    count_symbols,
    units_of,
    weight,
    without_markers,
    words_of,
)

_LETTER = r"[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Line_Break=Complex_Context}]]"
"""A letter of an international domain name. Text in a script without spaces follows a URL immediately, so it
ends one."""
_LABELS = "{1,127}"
"""A domain name has at most 127 labels (RFC 1035, section 2.3.4). Without this bound, `a.a.a.` takes
quadratic time."""
_DOMAIN = rf"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.){_LABELS}"
_REST = rf"(?:(?!(?<![/=])https?://)(?:[!-~]|{_LETTER}))*"
"""The rest of a URL. Another URL ends it, unless that is its path or a parameter:
`web.archive.org/web/2020/https://foo.com`."""
_LINK = regex.compile(
    rf"(?:https?|ftp)://(?!https?://)(?:[!-~]|[\p{{L}}\p{{N}}]){_REST}"
    rf"|(?<![a-z0-9@._-])www\.(?!https?://)(?:[!-~]|{_LETTER}){_REST}"
    rf"|(?<![._%+-]|{_LETTER})(?:[._%+-]|{_LETTER})++@(?!\dx\.)(?:{_LETTER}(?:(?:-|"
    rf"{_LETTER})*{_LETTER})?\.){_LABELS}(?:xn--[a-z0-9-]+|{_LETTER}{{2,}})"
    rf"|(?<![a-z0-9@._-])(?!(?:asp|vb|ado|ml|javax?)\.net\b|(?:com|net|org)\.[a-z])"
    rf"{_DOMAIN}(?-i:com|net|org|shop|biz|info|xyz|COM|NET|ORG|SHOP|BIZ|INFO|XYZ)(?![a-z0-9_]|"
    rf"\.[a-z]{{3,}})(?:[/?:#]{_REST})?",
    regex.IGNORECASE | regex.V1,
)
"""Matches each URL or e-mail address: with a scheme, with `www.` or bare. It does not match `@name`, which is
as often a decorator, names of packages (`com.example.app`, `java.net.URL`) and names of high-resolution
images (`logo@2x.png`)."""
_MAY_LINK = re.compile(r"://|www\.|@|\.(?:com|net|org|shop|biz|info|xyz)", re.IGNORECASE)
"""A run of characters without white space and without this match contains no address; most texts have none.
"""
_EXCLAMATION = regex.compile(r"[!！‼⁉՜]")  # noqa: RUF001 - marks of other scripts are intended
_RUN = 5
"""Words of a run that is searched for earlier in the document."""
_LOOKED_AT = 200_000
"""Words (or characters of a phrase without spaces) that are searched for repetition. A novel has twice as
many, a page a hundredth."""
_LONG = 1_000_000
"""Characters from which the scores of a document are cached between passes, and characters of its prose that
are searched for addresses."""
_RUN_LENGTH = 20_000
"""Characters without white space that are searched for addresses at a time: `regex` runs out of memory on a
URL of 7 MB."""
_LONGEST = 50
"""Maximum characters of a word; compounds in German, Finnish and Turkish have up to 45."""


def scores(document: Document) -> list[Cell]:
    """All `text.*` cells of a document. Rates are per word; NaN (stored as null) for a document without
    words."""
    long = sum(len(text.text) for text in document.texts) > _LONG
    return list(_of_long(document) if long else _computed(document))


@lru_cache(maxsize=4)
def _of_long(document: Document) -> list[Cell]:
    """The cells of a long document, cached because several passes need them: 8 MB of text take seconds."""
    return _computed(document)


def _computed(document: Document) -> list[Cell]:
    divided = [(text.kind, words_of(text.text)) for text in document.texts]
    words = units_of(word for _, own in divided for word in own) // UNITS
    prose = "\n".join(without_markers(text.text) for text in document.texts if text.kind != "code")
    values = {
        "text.words": float(words),
        "text.images": float(len(document.images)),
        "text.symbols": count_symbols(prose) / len(prose) if prose else math.nan,
        "text.capitals": capital_share(prose),
        "text.links": 100 * count_links(prose) / words if words else math.nan,
        "text.repetition": repetition(
            [word.casefold() for kind, own in divided if kind != "caption" for word in own]
        ),
        "text.exclamations": 100 * len(_EXCLAMATION.findall(prose)) / words if words else math.nan,
    }
    return [
        *(cell(name, value) for name, value in values.items()),
        _mean_word_length([word for _, own in divided for word in own]),
        *prose_scores.scores(document),
    ]


def languages(document: Document) -> list[Cell]:
    """The cells of the confidence that ingest has in the document's language, and of its headings'."""
    name, share = "document.language_confidence", document.language_confidence
    confidence = (
        Cell(name, share)
        if share is not None
        else Cell(name, None, "not_scored", detail="the language is undetermined")
    )
    return [confidence, _of_headings(document)]


def _of_headings(document: Document) -> Cell:
    """Whether title and headings are in another language than the other texts."""
    name = "document.heading_language"
    headings = [text.text for text in document.texts if text.kind == "heading"]
    body = [text.text for text in document.texts if text.kind not in ("heading", "code")]
    theirs, own = identify([document.title or "", *headings])[0], identify(body)[0]
    if theirs is None or own is None:
        return Cell(name, None, "not_applicable", detail="the language of headings or texts is undetermined")
    return cell(name, float(theirs != own))


def count_links(text: str) -> int:
    """Count URLs and e-mail addresses."""
    if _MAY_LINK.search(text) is None:
        return 0
    runs = (
        run[at : at + _RUN_LENGTH] for run in text[:_LONG].split() for at in range(0, len(run), _RUN_LENGTH)
    )
    return sum(len(_LINK.findall(run)) for run in runs if _MAY_LINK.search(run))


def capital_share(text: str) -> float:
    """Share of capitals among all letters, in [0, 1]; 0 for a text without letters. Scripts without case have
    letters but no capitals."""
    letters = count_letters(text)
    return count_capitals(text) / letters if letters else 0.0


def repetition(words: Sequence[str]) -> float:
    """Share of a text, in words, covered by runs of 5 words that occur earlier in it; 0 for fewer than 5
    words.

    Runs of numbers alone do not count, since tables of measured values repeat them. Only the first _LOOKED_AT
    words are searched.

    words: as `words_of` divides them. In scripts without spaces, a run is the fewest ideographs or clusters
    that make 5 words. More than _LONGEST characters are a phrase without its spaces, of which 6 characters
    count as one word.
    """
    pieces, weights = list[str](), list[int]()
    for word in words:
        is_word = len(word) <= _LONGEST
        pieces.extend((word,) if is_word else word[:_LOOKED_AT])
        weights.extend((weight(word),) if is_word else (1,) * len(word[:_LOOKED_AT]))
        if len(pieces) >= _LOOKED_AT:
            break
    seen: set[tuple[str, ...]] = set()
    covered = [False] * len(pieces)
    end = units = 0
    for start in range(len(pieces)):
        while end < len(pieces) and units < _RUN * UNITS:
            units += weights[end]
            end += 1
        if units < _RUN * UNITS:
            break
        run = tuple(pieces[start:end])
        if run in seen and not all(word[0].isnumeric() for word in run):
            covered[start:end] = [True] * (end - start)
        seen.add(run)
        units -= weights[start]
    return (
        sum(size for size, twice in zip(weights, covered, strict=True) if twice) / sum(weights)
        if words
        else 0.0
    )


def _mean_word_length(words: Sequence[str]) -> Cell:
    """Characters per word without combining marks, over words of scripts with spaces between words."""
    name, spaced = "text.mean_word_length", [word for word in words if weight(word) == UNITS]
    if 2 * UNITS * len(spaced) < units_of(words):
        return Cell(
            name,
            None,
            "not_applicable",
            detail="most of its words are of a script without spaces between words",
        )
    return cell(
        name, (sum(map(len, spaced)) - count_marks("".join(spaced))) / len(spaced) if spaced else math.nan
    )
