"""How well the longer words of a document fit its language; no model of our own.

    text.language_fit    strength of CLD2 for words of 4 letters and more that are no function words, divided
                         by what prose of the language has: 0.6 to 1.4 in prose, 0.1 to 0.5 if letters are
                         shuffled

`document.language_confidence` is a share: function words alone decide it, so a text whose other words are
damaged keeps 0.99. The strength counts how probable the groups of four letters are in a language. It sees
letters in another order, and letters that a scan misread; words that exist, in whatever order, fit.

Not applicable: fewer than 12 such words; languages without a typical strength, such as those whose script
decides alone (Greek, Thai, Korean) or that are written without spaces. The typical strengths are medians over
pages of the test data and clean drawn pages. Cost: 0.2 ms for 500 words.
"""

from __future__ import annotations

from collections.abc import Sequence

from leafinstruct.filter.scores.cell import cell
from leafinstruct.filter.scores.prose import stop_words
from leafinstruct.records.example import Cell
from leafinstruct.records.text.language import strength

NAME = "text.language_fit"
LONG, FEWEST, MOST = 4, 12, 2_000
"""Letters of a word that counts; fewest words; most words, spread over the text."""
_TYPICAL = {
    "ar": 680, "bg": 670, "de": 980, "en": 870, "es": 620, "fa": 700, "fr": 850, "he": 660, "id": 900,
    "it": 600, "nl": 660, "pl": 1200, "pt": 840, "ru": 590, "sr": 680, "sv": 700, "tr": 1070, "uk": 630,
    "ur": 690, "vi": 1370,
}  # fmt: skip


def fit(language: str | None, words: Sequence[str]) -> Cell:
    """The cell of a document. words: of its prose, in lower case."""
    typical = _TYPICAL.get(language or "")
    if language is None or typical is None:
        return Cell(NAME, None, "not_applicable", detail=f"no strength of the language {language} is known")
    known = stop_words.WORDS.get(stop_words.base_of(language) or "", frozenset())
    long = [word for word in words if len(word) >= LONG and word.isalpha() and word not in known]
    if len(long) < FEWEST:
        return Cell(NAME, None, "not_applicable", detail=f"fewer than {FEWEST} longer words")
    step = -(-len(long) // MOST)
    return cell(NAME, strength(" ".join(long[::step]), language) / typical)
