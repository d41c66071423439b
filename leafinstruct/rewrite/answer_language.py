"""Check that a model's answer is in the document's language. Pure.

Only a clear contradiction is a fault: enough letters, and an identifier that is sure of another language, not
a close neighbor of the document's. A page may quote other languages, so an answer may also be in the language
of the document's own texts in that place. A fault is sent back to the model, so it says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leafinstruct.records.text.language import identify
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.words import count_letters
from leafinstruct.rewrite.parse import Place

LETTERS, CONFIDENCE = 30, 0.9
"""Minimum letters of a text to identify its language, and minimum confidence of the identifier. Of 285
sentences in 66 languages cut at 30 letters, 7 are identified wrongly with this confidence, all as one of
NEIGHBORS."""

NEIGHBORS = (
    frozenset({"da", "no"}),
    frozenset({"id", "ms"}),
    frozenset({"bg", "bs", "hr", "mk", "sl", "sr"}),
)
"""Languages that the identifier confuses within a sentence or two."""

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def fault(written: Mapping[str, str], language: str | None, own: Mapping[Place, str]) -> str | None:
    """What to correct; None if the answer does not contradict the document's language.

    written: the texts of the answer, by place: `instruction`, `context`, `response`.
    language: the document's; None if unknown, which nothing contradicts.
    own: the document's own texts in place of `context` and of `response`.
    """
    if language is None:
        return None
    for place, text in written.items():
        other = _language_of(text)
        before = next((text for side, text in own.items() if side == place), "")
        if other is not None and other != _language_of(before) and not _alike(other, language):
            return (
                f"write all texts in {named(language)}: the {place} is in {named(other)}, but the "
                f"document is in {named(language)}"
            )
    return None


def _alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in NEIGHBORS)


def _language_of(text: str) -> str | None:
    """The language of a text, None if it is too short or unclear. Code is ignored."""
    plain = _CODE.sub(" ", text)
    if count_letters(plain) < LETTERS:
        return None
    language, confidence = identify((plain,))
    return language if confidence is not None and confidence >= CONFIDENCE else None
