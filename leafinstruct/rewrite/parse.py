"""Check a rewriter's answer: schema, and every image once. Pure.

Images are separate parts, `{"type": "image", "image": 3}` with the number they were shown under, instead of
placeholders in strings, so a literal `<image>` in a page never counts as one. The model may clean the text.
Context and response together must show every image once and in order, and the context exactly the images that
the task gives, because the border between them separates no image from its text. A fault is sent back to the
model, so it says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from leafinstruct.records.document import ImageRef
from leafinstruct.records.example import Part, Turn

MAX_INSTRUCTION = 2000
"""Maximum characters of an instruction."""

_LISTED = 50  # maximum image numbers in a fault; an answer with more is wrong anyway


class AnswerText(TypedDict):
    """A text of an answer."""

    type: Literal["text"]
    text: str


class AnswerImage(TypedDict):
    """An image of an answer, by the number it was shown under."""

    type: Literal["image"]
    image: int


AnswerPart = AnswerText | AnswerImage


Place = Literal["context", "response"]


class RewriteAnswer(TypedDict):
    """An answer that fits SCHEMA."""

    instruction: str
    context: list[AnswerPart]
    response: list[AnswerPart]


PART: dict[str, object] = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["type", "text"],
            "properties": {"type": {"const": "text"}, "text": {"type": "string", "minLength": 1}},
        },
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["type", "image"],
            "properties": {"type": {"const": "image"}, "image": {"type": "integer", "minimum": 1}},
        },
    ]
}

SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["instruction", "context", "response"],
    "properties": {
        "instruction": {"type": "string", "minLength": 1, "maxLength": MAX_INSTRUCTION},
        "context": {"type": "array", "items": PART},
        "response": {"type": "array", "items": PART, "minItems": 1},
    },
}


def fault(value: RewriteAnswer, given: int, images: int) -> str | None:
    """What to correct; None if the answer shows images 1 to `images` once and in order, the first `given` of
    them in its context."""
    context, response = numbers_of(value["context"]), numbers_of(value["response"])
    shown = context + response
    if shown != list(range(1, images + 1)):
        return (
            f"over context and response together show images {_run(1, images)} once each and in this "
            f"order; you showed {listed(shown)}"
        )
    if len(context) != given:
        where = (
            f"the context must show images {_run(1, given)} and no other"
            if given
            else "the context must show no image"
        )
        return f"{where}; the response must show images {_run(given + 1, images)}"
    if not value["instruction"].strip():
        return "the instruction must say something; it is empty"
    return None


def turns(value: RewriteAnswer, images: Sequence[ImageRef]) -> tuple[Turn, Turn]:
    """The turns of a checked answer: user (instruction, then context) and assistant (response)."""
    return (
        Turn("user", (value["instruction"].strip(), *parts_of(value["context"], images))),
        Turn("assistant", parts_of(value["response"], images)),
    )


def parts_of(items: Sequence[AnswerPart], images: Sequence[ImageRef]) -> tuple[Part, ...]:
    """The parts of a turn. images: of the document, in order."""
    return tuple(item["text"] if item["type"] == "text" else images[item["image"] - 1] for item in items)


def numbers_of(items: Sequence[AnswerPart]) -> list[int]:
    """The numbers of the images of some parts."""
    return [item["image"] for item in items if item["type"] == "image"]


def listed(shown: Sequence[int]) -> str:
    """Numbers of images for a fault."""
    return str(shown or "none") if len(shown) <= _LISTED else f"{str(shown[:_LISTED])[:-1]}, ...]"


def _run(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
