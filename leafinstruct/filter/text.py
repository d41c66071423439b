"""Scores of a document's text: plain counting, no model, no I/O.

Definitions follow Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) and C4 (Raffel et al. 2020) where those have one; each is a share or a
rate, so that one bound fits short and long documents. Code segments are counted as words but not judged for symbols or capitals: a page
about programming is not spam. List markers at the beginnings of lines (`- `, `1. `) and indentation are neither words nor characters: they are
markup that readers write. Captions are not judged for repetition: to repeat the step beside them is their trade.
Cost: about 40 microseconds for 100 words, dominated by the 5-word runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.words import count_words, without_markers

_LINK = re.compile(r"https?://|www\.|(?<!\w)@\w{2,}|\b[\w-]+\.(?:com|net|org|shop|biz|info|xyz)\b", re.IGNORECASE)
_COMMON_PUNCTUATION = frozenset(".,;:!?'\"()[]-–—‘’“”…/&%°")  # noqa: RUF001 - typographic quotes and dashes are the point
_RUN = 5


def scores(document: Document) -> list[Cell]:
    """All `text.*` cells of a document; rates are per word, NaN (stored as null) for a document without words."""
    texts = [text.text for text in document.texts]
    prose = " ".join(without_markers(text.text) for text in document.texts if text.kind != "code")
    words = count_words(texts)
    tokens = [token for text in texts for token in without_markers(text).split()]
    values = {
        "text.words": float(words),
        "text.images": float(len(document.images)),
        "text.mean_word_length": sum(map(len, tokens)) / len(tokens) if tokens else math.nan,
        "text.symbols": symbol_share(prose),
        "text.capitals": capital_share(prose),
        "text.links": 100 * len(_LINK.findall(prose)) / words if words else math.nan,
        "text.repetition": repetition(
            [word for text in document.texts if text.kind != "caption" for word in without_markers(text.text).lower().split()]
        ),
        "text.exclamations": 100 * prose.count("!") / words if words else math.nan,
    }
    return [cell(name, value) for name, value in values.items()]


def cell(name: str, value: float, position: int | None = None, model: str | None = None) -> Cell:
    """A computed cell: rounded to 1e-4, NaN as null with state `not_scored`."""
    if math.isnan(value):
        return Cell(name, None, "not_scored", position, model, "cannot be computed for this document")
    return Cell(name, round(value, 4), "ok", position, model)


def symbol_share(text: str) -> float:
    """Share of characters that are neither letters, marks, digits, white space nor common punctuation; NaN for empty text."""
    if not text:
        return math.nan
    odd = sum(1 for character in text if not (character.isalnum() or character.isspace() or character in _COMMON_PUNCTUATION))
    return odd / len(text)


def capital_share(text: str) -> float:
    """Share of capitals among cased letters; 0 for scripts without case."""
    upper = sum(map(str.isupper, text))
    cased = upper + sum(map(str.islower, text))
    return upper / cased if cased else 0.0


def repetition(words: Sequence[str]) -> float:
    """Share of words covered by a run of 5 words that stood earlier in the document; 0 for fewer than 5 words."""
    seen: set[tuple[str, ...]] = set()
    covered = [False] * len(words)
    for start in range(len(words) - _RUN + 1):
        run = tuple(words[start : start + _RUN])
        if run in seen:
            covered[start : start + _RUN] = [True] * _RUN
        seen.add(run)
    return sum(covered) / len(words) if words else 0.0
