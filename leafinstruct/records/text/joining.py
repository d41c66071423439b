"""Join texts of a turn that follow each other, where a model or a format reads them as one text.

A row's texts keep their bytes; only the separators are decided here, once for training, exports and cards.
The separator is a line break, or a blank line if one of the texts has a list marker at the beginning of a
line: without it, CommonMark reads the text after a list as part of its last item, and a list that does not
begin with 1 as part of the paragraph before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MARKER = re.compile(r"^ *(?:-|\d{1,9}\.)(?: |$)", re.MULTILINE)
_IN_LIST = re.compile(r"(?: *(?:-|\d{1,9}\.)(?: |$)|  )")
"""The beginning of a line of a list: a marker, or the indentation of an item's other lines."""


def separator(before: str, after: str) -> str:
    """The separator of two texts that follow each other: a line break, or a blank line beside a list."""
    return "\n\n" if _MARKER.search(before) or _MARKER.search(after) else "\n"


def after_placeholder(before: str | None, after: str) -> str:
    """The separator of an image placeholder, on the line below the text `before`, and the text after it.
    before: None if the turn begins with the placeholder.

    The placeholder belongs to the last item of a list before it, and a continuation of the list follows on
    the next line. A blank line separates any other text after a list, which would be read as part of its last
    item, and a list after other text, which would be read as part of that text.
    """
    inside = before is not None and _IN_LIST.match(before.rpartition("\n")[2]) is not None
    return "\n" if inside == (_IN_LIST.match(after) is not None) else "\n\n"


def joined(texts: Sequence[str]) -> str:
    """Join texts that follow each other; empty ones are left out."""
    return "".join(paragraphs(texts))


def paragraphs(segments: Sequence[str | T]) -> list[str | T]:
    """The segments of a turn. Each text that follows a text starts with the separator; empty texts are left
    out."""
    found: list[str | T] = []
    before: str | None = None
    for segment in segments:
        if not isinstance(segment, str):
            found.append(segment)
            before = None
        elif segment:
            found.append(segment if before is None else separator(before, segment) + segment)
            before = segment
    return found
