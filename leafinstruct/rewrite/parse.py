"""Check a rewriter's answer: schema, and every image once or left out with a reason. Pure.

Images are separate parts, `{"type": "image", "image": 3}` with the number they were shown under, instead of
placeholders in strings, so a literal `<image>` in a page never counts as one. The model may clean the text.
Context and response together must show every image once and in order, and the context exactly the images that
the task gives, because the border between them separates no image from its text. A fault is sent back to the
model, so it says what to do.

The model may answer that the document makes no example (`fit`), and leave out images, each with a reason. It
may not leave out all of them: that is the same verdict. Numbers of images do not change. A plain answer
without these fields fits its document and leaves out nothing (ABSENT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from leafinstruct.records.document import ImageRef
from leafinstruct.records.example import Part, Turn
from leafinstruct.records.text.invisible import visible

MAX_INSTRUCTION = 2000
"""Maximum characters of an instruction."""

MAX_BECAUSE = 500
"""Maximum characters of a reason."""

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


class LeftOut(TypedDict):
    """An image that the answer leaves out, by its number."""

    image: int
    because: str


class Verdict(TypedDict):
    """The part of an answer that says whether the document makes an example. because: why it does not fit,
    else empty."""

    fit: NotRequired[bool]
    because: NotRequired[str]
    leave_out: NotRequired[list[LeftOut]]


class RewriteAnswer(Verdict):
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

VERDICT: dict[str, object] = {
    "fit": {"type": "boolean"},
    "because": {"type": "string", "maxLength": MAX_BECAUSE},
    "leave_out": {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["image", "because"],
            "properties": {
                "image": {"type": "integer", "minimum": 1},
                "because": {"type": "string", "maxLength": MAX_BECAUSE},
            },
        },
    },
}
"""The properties of a Verdict."""

SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": [*VERDICT, "instruction", "context", "response"],
    "properties": {
        **VERDICT,
        "instruction": {"type": "string", "maxLength": MAX_INSTRUCTION},
        "context": {"type": "array", "items": PART},
        "response": {"type": "array", "items": PART},
    },
}
"""Strict servers require every property, also those that a verdict leaves empty; `fault` checks the rest."""

FITS: dict[str, object] = {"fit": True, "because": "", "leave_out": []}
"""The verdict of an answer that states none."""

ABSENT: dict[str, object] = {**FITS, "instruction": "", "context": [], "response": []}
"""Values of properties that an answer may omit."""


def unfit(value: Verdict, images: int) -> str | None:
    """Why the model says that the document makes no example; None if it makes one."""
    if not value.get("fit", True):
        return value.get("because", "").strip()
    left = left_out(value)
    if images and len(left) == images:
        return "it leaves out all images: " + "; ".join(left.values())
    return None


def left_out(value: Verdict) -> dict[int, str]:
    """The images that an answer leaves out, by number, each with the reason."""
    return {item["image"]: item["because"].strip() for item in value.get("leave_out", ())}


def verdict_fault(value: Verdict, images: int) -> str | None:
    """What to correct in a verdict; None if nothing. images: of the document."""
    if unfit(value, images) == "":
        return "if fit is false, `because` must say why"
    left = left_out(value)
    for number, because in left.items():
        if number > images or not because:
            return f"leave_out: image {number} {'is not there' if number > images else 'needs a reason'}"
    if len(left) < len(value.get("leave_out", ())):
        return "leave_out must list each image once"
    return None


def fault(value: RewriteAnswer, given: int, images: int) -> str | None:
    """What to correct; None if the answer shows images 1 to `images` once and in order, except those that it
    leaves out with a reason, and of the first `given` of them all in its context; or if it is a verdict."""
    problem = verdict_fault(value, images)
    if problem is not None or unfit(value, images) is not None:
        return problem
    left = left_out(value)
    wanted = [number for number in range(1, images + 1) if number not in left]
    context, response = numbers_of(value["context"]), numbers_of(value["response"])
    shown = context + response
    if shown != wanted:
        but = f" without {listed(sorted(left))}, which you leave out," if left else ""
        return (
            f"over context and response together show images {_run(1, images)}{but} once each and in this "
            f"order; you showed {listed(shown)}"
        )
    if len(context) != sum(number <= given for number in wanted):
        where = (
            f"the context must show images {_run(1, given)} and no other"
            if given
            else "the context must show no image"
        )
        return f"{where}; the response must show images {_run(given + 1, images)}"
    if not visible(value["instruction"]).strip():
        return "the instruction must say something; it is empty"
    parts = (*value["context"], *value["response"])
    if any(item["type"] == "text" and not visible(item["text"]).strip() for item in parts):
        return "no text may be empty"
    return None


def turns(value: RewriteAnswer, images: Sequence[ImageRef]) -> tuple[Turn, Turn]:
    """The turns of a checked answer: user (instruction, then context) and assistant (response)."""
    return (
        Turn("user", (visible(value["instruction"]).strip(), *parts_of(value["context"], images))),
        Turn("assistant", parts_of(value["response"], images)),
    )


def parts_of(items: Sequence[AnswerPart], images: Sequence[ImageRef]) -> tuple[Part, ...]:
    """The parts of a turn, without invisible characters: they would be published, and nobody would see them.
    images: of the document, in order."""
    return tuple(
        visible(item["text"]) if item["type"] == "text" else images[item["image"] - 1] for item in items
    )


def numbers_of(items: Sequence[AnswerPart]) -> list[int]:
    """The numbers of the images of some parts."""
    return [item["image"] for item in items if item["type"] == "image"]


def listed(shown: Sequence[int]) -> str:
    """Numbers of images for a fault."""
    return str(shown or "none") if len(shown) <= _LISTED else f"{str(shown[:_LISTED])[:-1]}, ...]"


def _run(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
