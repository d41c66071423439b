"""How an example covers its document: text around the images, share of the words kept, length, and how much
of the answer the question already contains. Pure.

Words are compared without case and by their first STEM letters, so that inflections match; in scripts without
spaces the units are ideographs and grapheme clusters (records/text/words.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.example import Turn
from leafinstruct.records.text.genre import first_sentence
from leafinstruct.records.text.words import UNITS, count_words, spelled_alike, weight, words_of
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.rewrite.steps import body_of
from leafinstruct.rewrite.tasks import parts_of

STEM = 5
"""Letters at the beginning of a word that stand for it and its inflections."""
SILENT = 2
"""Words that a text of the document must have to be required between two images; a shorter one is a label."""
SHORT = 20
"""Words below which a document counts as this long, because a cleaned sentence may easily double."""
RUN = 6
"""Words of a run that is a copy. Shorter ones recur in any text about one topic."""

Result = tuple[float | None, str]
"""Value, None if the check does not apply, and detail."""


def texts_of(turns: Sequence[Turn], role: str | None = None) -> list[str]:
    """The texts of an example, or of one side."""
    return [
        part for turn in turns if role in (None, turn.role) for part in turn.parts if isinstance(part, str)
    ]


def spread(document: Document, family: TaskFamily, turns: Sequence[Turn]) -> Result:
    """Share of the places that have a text where the document has one. A place is between two consecutive
    images of a turn, or the whole of an answer that has images."""
    wanted = [
        (where, texts)
        for turn in turns
        for where, texts in _places(turn, document, family, single=len(turns) == 2)
    ]
    if not wanted:
        return None, "the document has no text that belongs between the images"
    silent = [where for where, texts in wanted if not count_words(texts)]
    detail = f"write the texts that the document has around the images; there is none {', '.join(silent[:5])}"
    return (len(wanted) - len(silent)) / len(wanted), detail if silent else ""


def _places(
    turn: Turn, document: Document, family: TaskFamily, *, single: bool
) -> Iterator[tuple[str, list[str]]]:
    """Yield the places of a turn at which the document has text, each with the turn's texts there."""
    images = [(at, part) for at, part in enumerate(turn.parts) if isinstance(part, ImageRef)]
    order = {image.position: number for number, image in enumerate(document.images, start=1)}
    for (at, one), (end, other) in pairwise(images):
        between = [text for text in document.texts if one.position < text.position < other.position]
        if any(_is_text(text) for text in between):
            where = f"between image {order[one.position]} and image {order[other.position]}"
            yield where, [part for part in turn.parts[at:end] if isinstance(part, str)]
    if not images or turn.role != "assistant":
        return
    own = (
        [item for item in parts_of(document, family).response if isinstance(item, Text)]
        if single
        else [item for item in body_of(document) if isinstance(item, Text)]
    )
    if any(map(_is_text, own)):
        yield "in the response", [part for part in turn.parts if isinstance(part, str)]


def _is_text(text: Text) -> bool:
    return count_words([text.text]) >= SILENT


def kept(document: Document, turns: Sequence[Turn]) -> Result:
    """Share of the document's words that the example has, too, each as often; without the title."""
    source = _counted(item.text for item in body_of(document) if isinstance(item, Text))
    total = sum(weight(word) * count for word, count in source.items())
    if not total:
        return None, "the document has no words"
    both = source & _counted(texts_of(turns))
    value = sum(weight(word) * count for word, count in both.items()) / total
    return value, (
        f"keep more of the document: the example has {value:.0%} of its words; shorten less, and write no "
        "text of your own instead"
    )


def length(document: Document, turns: Sequence[Turn]) -> Result:
    """Words of context and response for each word of the document."""
    written = count_words(list(_answered(turns)))
    source = max(SHORT, count_words([item.text for item in document.texts]))
    return written / source, (
        f"write less: {written:,} words about a document of {source:,}; it has no more to say than that"
    )


def leak(document: Document, turns: Sequence[Turn]) -> Result:
    """Share of the responses' words in runs of RUN words that the user's turns before contain, too. A shorter
    response is one run.

    Runs that the document itself repeats (code, lines of a song) do not count, and neither does its first
    sentence in a question that asks for a text that begins with it, if more follows.
    """
    source, opening = _words("\n".join(item.text for item in document.texts)), first_sentence(document)
    before: list[str] = []
    total = copied = 0
    for turn in turns:
        text = "\n".join(texts_of([turn]))
        if turn.role == "user":
            before += _words(text)
            continue
        words = _words(text)
        if len(words) > len(_words(opening)):
            before = _without(before, _words(opening))
        total += sum(map(weight, words))
        size = min(_run(words), len(words))
        if size < 2:
            continue
        own = {run for run, count in Counter(_runs(source, size)).items() if count > 1}
        known = set(_runs(before, size)) - own
        taken = bytearray(len(words))
        for at, run in enumerate(_runs(words, size)):
            if run in known:
                taken[at : at + size] = b"\1" * size
        copied += sum(weight(word) for word, flag in zip(words, taken, strict=True) if flag)
    if not total:
        return None, "the response has no words"
    return copied / total, (
        f"do not give the answer away: {copied / total:.0%} of the response is word for word in "
        "instruction or context"
    )


def _without(words: list[str], run: Sequence[str]) -> list[str]:
    """The words without the first occurrence of a run."""
    at = next((at for at, found in enumerate(_runs(words, len(run))) if found == tuple(run)), None)
    return words if at is None or not run else [*words[:at], "\n", *words[at + len(run) :]]


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _answered(turns: Sequence[Turn]) -> Iterator[str]:
    """The texts of all turns without the instructions."""
    for turn in turns:
        for at, part in enumerate(turn.parts):
            if isinstance(part, str) and (at or turn.role == "assistant"):
                yield part


def _run(words: Sequence[str]) -> int:
    """Words of a run; in scripts without spaces as many units as RUN words have."""
    units = sum(map(weight, words)) / len(words) if words else UNITS
    return round(RUN * UNITS / units)


def _counted(texts: Iterator[str] | Sequence[str]) -> Counter[str]:
    return Counter(word if weight(word) != UNITS else word[:STEM] for text in texts for word in _words(text))


def _words(text: str) -> list[str]:
    return words_of(spelled_alike(text))
