"""Find the invisible characters that a document does not need (records/text/invisible.py), and read it
without them. Pure.

Other detectors search what a reader sees, so that a zero-width character inside an e-mail address or inside a
sentence for a model hides neither: removed later, it would be the address again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from leafinstruct.records.document import Document, ImageRef, Segment
from leafinstruct.records.edits import Edit, Field
from leafinstruct.records.text.invisible import hidden, spelled, visible

INVISIBLE, SPELLED = "invisible", "invisible.text"
"""Reasons of edits: characters without a meaning, and those that spell a text for models."""
REASONS = (INVISIBLE, SPELLED)

Place = tuple[Field, int | None]


def texts_of(document: Document) -> Iterator[tuple[Field, int | None, str]]:
    """All that later stages see: the title, texts, and alternative texts of images."""
    if document.title:
        yield "title", None, document.title
    for segment in document.segments:
        if isinstance(segment, ImageRef):
            yield "alt", segment.position, segment.alt
        else:
            yield "text", segment.position, segment.text


def find(document: Document) -> list[Edit]:
    """The edits that remove the invisible characters of a document."""
    return [
        Edit(SPELLED if spelled(text[start:end]) else INVISIBLE, field, position, start, end)
        for field, position, text in texts_of(document)
        for start, end in hidden(text)
    ]


def as_seen(document: Document) -> Document:
    """The document without the characters that `find` finds."""

    def seen(segment: Segment) -> Segment:
        if isinstance(segment, ImageRef):
            return replace(segment, alt=visible(segment.alt))
        return replace(segment, text=visible(segment.text))

    title = document.title and visible(document.title)
    return replace(document, title=title, segments=tuple(map(seen, document.segments)))


def moved(edits: Iterable[Edit], removed: Sequence[Edit]) -> Iterator[Edit]:
    """Edits of the document as it is seen, at their places in the document as it is. removed: what `find`
    found."""
    gaps: dict[Place, tuple[list[int], list[int]]] = {}
    for gap in removed:
        seen, total = gaps.setdefault((gap.field, gap.position), ([], [0]))
        seen.append(gap.start - total[-1])
        total.append(total[-1] + gap.end - gap.start)
    for edit in edits:
        own = gaps.get((edit.field, edit.position))
        if own is None:
            yield edit
        else:
            yield replace(edit, start=_moved(edit.start, *own), end=_moved(edit.end - 1, *own) + 1)


def _moved(at: int, seen: Sequence[int], total: Sequence[int]) -> int:
    """The place of a character before the gaps were removed. seen: places of the gaps in the text without
    them, in order. total: characters in the first n gaps."""
    return at + total[bisect_right(seen, at)]
