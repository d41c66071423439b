"""Whether a model's answer is in the document's language. Pure.

Only a clear contradiction is a fault: enough letters, and an identifier that is sure of a language that is no
close neighbor of the document's. A page may quote other languages, so a response may also be in the language
that the document's own texts have in its place. A reason is sent back to the model, so it says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leafinstruct.records.text.language import identify
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.words import count_letters

LETTERS, CONFIDENCE = 30, 0.9
"""Letters below which a text is too short to tell its language, and the confidence from which the identifier
is believed. Cut at 30 letters, 7 of 285 sentences in 66 languages are taken for another language with this
confidence, all of them for one of NEIGHBORS."""

NEIGHBORS = (
    frozenset({"da", "no"}),
    frozenset({"id", "ms"}),
    frozenset({"bg", "bs", "hr", "mk", "sl", "sr"}),
)
"""Languages that the identifier takes for each other in a sentence or two."""

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def fault(value: dict[str, Any], language: str | None, own: Mapping[str, str]) -> str | None:
    """None for an answer that does not contradict the document's language; else what to correct.

    language: the document's, None where it is not known, which nothing contradicts.
    own: the document's texts in the place of `context` and of `response`.
    """
    if language is None:
        return None
    written = {
        place: "\n".join(item["text"] for item in value[place] if item["type"] == "text") for place in own
    }
    for place, text in {"instruction": value["instruction"], **written}.items():
        other = _language_of(text)
        if other is not None and other != _language_of(own.get(place, "")) and not _alike(other, language):
            return (
                f"write all texts in {named(language)}: the {place} is in {named(other)}, but the "
                f"document is in {named(language)}"
            )
    return None


def _alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in NEIGHBORS)


def _language_of(text: str) -> str | None:
    """The language of a text that is long enough and clear enough; code is none."""
    plain = _CODE.sub(" ", text)
    if count_letters(plain) < LETTERS:
        return None
    language, confidence = identify((plain,))
    return language if confidence is not None and confidence >= CONFIDENCE else None
