"""Join the texts of a turn that follow one another, where a model or a format reads them as one text.

A row's texts keep their bytes; only what goes between two of them is decided here, once for training, exports
and cards. A line break separates them, and a blank line does where one of them has a list marker at the
beginning of a line: without it, CommonMark reads the text behind a list as part of its last item, and a list
that does not begin with 1 as part of the paragraph before it.
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
    """What goes between two texts that follow one another: a line break, or a blank line beside a list."""
    return "\n\n" if _MARKER.search(before) or _MARKER.search(after) else "\n"


def after_placeholder(before: str | None, after: str) -> str:
    """What goes between an image mark, on the line below the text `before`, and the text behind it; before:
    None where the turn begins with the mark.

    The mark stands in the last item of a list before it, and what continues the list follows on the next
    line. A blank line goes before any other text behind a list, which would be read as part of its last item,
    and before a list behind other text, which would be read as part of that.
    """
    inside = before is not None and _IN_LIST.match(before.rpartition("\n")[2]) is not None
    return "\n" if inside == (_IN_LIST.match(after) is not None) else "\n\n"


def joined(texts: Sequence[str]) -> str:
    """Texts that follow one another as one text; empty ones are left out."""
    return "".join(paragraphs(texts))


def paragraphs(segments: Sequence[str | T]) -> list[str | T]:
    """The segments of a turn, with the separator at the beginning of each text that follows a text; empty
    texts are left out."""
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
