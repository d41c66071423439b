"""The cells of this package's scores, family `text`. Cost: 0.7 ms for a page of 28 texts and 600 words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from leafinstruct.filter.scores.cell import cell
from leafinstruct.filter.scores.prose import gibberish, lines, page_talk, stop_words
from leafinstruct.filter.scores.prose.fit import fit
from leafinstruct.records.document import Document, Segment, Text
from leafinstruct.records.example import Cell
from leafinstruct.records.text.words import (
    UNITS,
    count_alphanumeric,
    count_punctuation,
    units_of,
    weight,
    without_markers,
    words_of,
)

Divided = list[tuple[Text, list[str]]]
"""Each text with its words in lower case."""


_PAIR = 2
_LOOKED_AT = 500_000
"""Characters of a document that are examined. A novel has as many, a page a hundredth."""


def scores(document: Document) -> list[Cell]:
    """The cells of a document. Rates are NaN, stored as null, for a document without words."""
    document = _beginning(document)
    texts = [text for text in document.texts if text.kind != "code"]
    divided = [(text, [word.casefold() for word in words_of(text.text)]) for text in texts]
    words = [word for _, own in divided for word in own]
    count = units_of(words) / UNITS
    values = {
        **_ratios(words, "\n".join(without_markers(text.text) for text in texts)),
        **lines.scores(document),
        **gibberish.scores(document, count),
        **page_talk.scores(document),
        "text.top_pair": top_pair([word for text, own in divided if text.kind != "caption" for word in own]),
        "text.image_rate": 100 * len(document.images) / count if count else math.nan,
    }
    ended = values.pop("text.ended_lines")
    cells = [cell(name, value) for name, value in values.items()]
    of_language = [fit(document.language, words), *_stop_words(document, divided)]
    return [*cells, _ended_lines(ended), *of_language]


def top_pair(words: Sequence[str]) -> float:
    """Share of a text, in words, in its most frequent pair of words: 0.1 in prose, 0.25 in text written for
    search terms. Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) keeps 0.2. 0 if no pair occurs twice.

    words: in lower case. Pairs of numbers do not count. In scripts without spaces a pair is the fewest
    ideographs or clusters that make 2 words.
    """
    counts, units = Counter[tuple[str, ...]](), dict[tuple[str, ...], int]()
    end = size = 0
    for start in range(len(words)):
        while end < len(words) and size < _PAIR * UNITS:
            size += weight(words[end])
            end += 1
        if size < _PAIR * UNITS:
            break
        pair = tuple(words[start:end])
        if not all(word[0].isnumeric() for word in pair):
            counts[pair] += 1
            units[pair] = size
        size -= weight(words[start])
    largest = max((count * units[pair] for pair, count in counts.items() if count > 1), default=0)
    return min(1.0, largest / units_of(words)) if words else math.nan


def _ended_lines(share: float) -> Cell:
    """Not applicable if no line could end with a terminal: in Thai and Lao, and without paragraphs."""
    name = "text.ended_lines"
    if math.isnan(share):
        return Cell(name, None, "not_applicable", detail="no line of it could end like a sentence")
    return cell(name, share)


def _beginning(document: Document) -> Document:
    """The document with at most _LOOKED_AT characters of text."""
    if sum(len(text.text) for text in document.texts) <= _LOOKED_AT:
        return document
    left, segments = _LOOKED_AT, list[Segment]()
    for segment in document.segments:
        if isinstance(segment, Text):
            segments.append(replace(segment, text=segment.text[:left]))
            left = max(0, left - len(segment.text))
        else:
            segments.append(segment)
    return replace(document, segments=tuple(segments))


def _ratios(words: list[str], prose: str) -> dict[str, float]:
    if not words:
        return dict.fromkeys(("text.alphabetic_words", "text.alphanumeric", "text.punctuation"), math.nan)
    signs = len("".join(prose.split()))
    alphabetic = sum(weight(word) for word in words if any(map(str.isalpha, word)))
    return {
        "text.alphabetic_words": alphabetic / units_of(words),
        "text.alphanumeric": count_alphanumeric(prose) / signs,
        "text.punctuation": count_punctuation(prose) / signs,
    }


def _stop_words(document: Document, divided: Divided) -> list[Cell]:
    """The two cells of stop words; not applicable if those of the document's language are not known."""
    names = ("text.stop_words", "text.without_stop_words")
    language = stop_words.base_of(document.language)
    if language is None:
        detail = f"no stop words are known of the language {document.language or 'undetermined'}"
        return [Cell(name, None, "not_applicable", detail=detail) for name in names]
    body = [words for text, words in divided if text.kind not in ("heading", "table")]
    total = sum(map(units_of, body))
    poor = sum(units_of(words) for words in body if stop_words.is_poor(words, language))
    found = stop_words.share([word for words in body for word in words], language) if total else math.nan
    return [cell(names[0], found), cell(names[1], poor / total if total else math.nan)]
