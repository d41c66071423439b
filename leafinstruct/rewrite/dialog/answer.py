"""The answer for an example of several turns: its schema, its check, and its turns. Pure.

    {"fit": true, "because": "", "leave_out": [], "context": [...],
     "turns": [{"ask": "...", "answer": [...]}, ...]}

`context` follows the first question. Verdict and parts are those of rewrite/parse.py. Which images each place
must show is fixed by the document, so that every image that is not left out is shown once, in order, and
beside its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from leafinstruct.records.document import ImageRef
from leafinstruct.records.example import Turn
from leafinstruct.records.text.invisible import visible
from leafinstruct.rewrite import parse
from leafinstruct.rewrite.parse import MAX_INSTRUCTION, AnswerPart


class Exchange(TypedDict):
    """A question and its answer."""

    ask: str
    answer: list[AnswerPart]


class DialogAnswer(parse.Verdict):
    """An answer that fits SCHEMA."""

    context: list[AnswerPart]
    turns: list[Exchange]


_PARTS: dict[str, object] = {"type": "array", "items": parse.PART}

SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": [*parse.VERDICT, "context", "turns"],
    "properties": {
        **parse.VERDICT,
        "context": _PARTS,
        "turns": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["ask", "answer"],
                "properties": {
                    "ask": {"type": "string", "minLength": 1, "maxLength": MAX_INSTRUCTION},
                    "answer": {**_PARTS, "minItems": 1},
                },
            },
        },
    },
}


ABSENT: dict[str, object] = {**parse.FITS, "context": [], "turns": []}
"""Values of properties that an answer may omit."""


def fault(value: DialogAnswer, context: Sequence[int], answers: Sequence[Sequence[int]]) -> str | None:
    """What to correct in an answer that is an example; None if nothing.

    context, answers: numbers of the images that the context, and the answer of each turn, must show.
    """
    found, wanted = value["turns"], len(answers)
    if len(found) != wanted:
        return f"write exactly {wanted} turns; you wrote {len(found)}"
    places = [("the context", value["context"], context)]
    places += [
        (f"the answer of turn {number}", turn["answer"], images)
        for number, (turn, images) in enumerate(zip(found, answers, strict=True), start=1)
    ]
    for place, parts, images in places:
        shown = parse.numbers_of(parts)
        if shown != list(images):
            return f"{place} must show {_listed(images)}, in this order; you showed {_listed(shown)}"
    for number, turn in enumerate(found, start=1):
        if not visible(turn["ask"]).strip():
            return f"the question of turn {number} must say something; it is empty"
        if not any(part["type"] == "text" and visible(part["text"]).strip() for part in turn["answer"]):
            return f"the answer of turn {number} must have a text"
    return None


def turns(value: DialogAnswer, images: Sequence[ImageRef]) -> tuple[Turn, ...]:
    """The turns of a checked answer: user and assistant, alternating. images: of the document, in order."""
    found: list[Turn] = []
    for number, turn in enumerate(value["turns"]):
        given = parse.parts_of(value["context"], images) if number == 0 else ()
        found += [
            Turn("user", (visible(turn["ask"]).strip(), *given)),
            Turn("assistant", parse.parts_of(turn["answer"], images)),
        ]
    return tuple(found)


def _listed(images: Sequence[int]) -> str:
    return f"images {parse.listed(images)}" if images else "no image"
