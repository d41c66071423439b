"""How many words a text has, in scripts with and without spaces between them. List markers (`- `, `1. `) are not words."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(rf"{_CJK.pattern}|[^\s{_CJK.pattern[1:-1]}]+")

_MARKERS = re.compile(r"^[ \t]*(?:(?:-|\d{1,9}\.)(?:[ \t]+|$))+", re.MULTILINE)

TITLE_ENDS = ".:!。：！।"  # noqa: RUF001 - the sentence ends of other scripts are meant
"""Marks at the end of a title that a question leaves out; who looks for a title in a question leaves them out, too."""


def count_words(texts: Sequence[str]) -> int:
    """White-space words without list markers, plus one for every 1.5 Chinese or Japanese characters, which are written without spaces."""
    counted = [word_parts(text) for text in texts]
    return words_from(sum(spaced for spaced, _ in counted), sum(characters for _, characters in counted))


def words_from(spaced: int, characters: int) -> int:
    """Words, from the sums of what `word_parts` counts."""
    return spaced + int(characters / 1.5)


def word_parts(text: str) -> tuple[int, int]:
    """White-space words and Chinese or Japanese characters of one text; both add up over texts, which their count of words does not."""
    text = without_markers(text)
    characters = len(_CJK.findall(text))
    return len((_CJK.sub(" ", text) if characters else text).split()), characters


def without_markers(text: str) -> str:
    """The text without the list markers and the indentation at the beginnings of its lines."""
    return _MARKERS.sub("", text)


def words_of(text: str) -> list[str]:
    """The words of a text in order, without list markers: runs without white space, and each Chinese or Japanese character by itself."""
    return _WORD.findall(without_markers(text))
