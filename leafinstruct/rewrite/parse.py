"""What a rewriter must and must not return: schema, and the one-to-one check of pictures. Pure.

Pictures are parts of their own, `{"type": "image", "image": 3}` with the number they were shown under, not placeholders inside strings: a page
that contains a literal `<image>` can then never count as one. The model may clean the text; over context and response together it must show
every picture once, in order. A reason that this file returns is sent back to the model, so it says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leafinstruct.records.document import Image
from leafinstruct.records.example import Part, Turn
from leafinstruct.rewrite.config import Task

_PART: dict[str, Any] = {
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

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["instruction", "context", "response"],
    "properties": {
        "instruction": {"type": "string", "minLength": 1, "maxLength": 2000},
        "context": {"type": "array", "items": _PART},
        "response": {"type": "array", "items": _PART, "minItems": 1},
    },
}


def fault(value: dict[str, Any], task: Task, pictures: int) -> str | None:
    """None for an answer that keeps `pictures` pictures one to one and in order and fits its task, else what to mend."""
    context, response = _numbers(value["context"]), _numbers(value["response"])
    shown = context + response
    if shown != list(range(1, pictures + 1)):
        return (
            f"over context and response together show pictures {_run(pictures)} once each and in this order; you showed {shown or 'none'}"
        )
    if not response:
        return "the response must show at least one picture"
    if task == "guide" and context:
        return "all pictures belong to the response; the context must be empty of pictures"
    if task in ("continuation", "edit") and not context:
        return "the context must show at least the first picture"
    if not value["instruction"].strip():
        return "the instruction is empty"
    return None


def turns(value: dict[str, Any], images: Sequence[Image]) -> tuple[Turn, Turn]:
    """The user's turn (instruction, then context) and the assistant's (response) of a checked answer."""
    return (
        Turn("user", (value["instruction"].strip(), *_parts(value["context"], images))),
        Turn("assistant", _parts(value["response"], images)),
    )


def _parts(items: Sequence[dict[str, Any]], images: Sequence[Image]) -> tuple[Part, ...]:
    return tuple(item["text"] if item["type"] == "text" else images[item["image"] - 1] for item in items)


def _numbers(items: Sequence[dict[str, Any]]) -> list[int]:
    return [item["image"] for item in items if item["type"] == "image"]


def _run(pictures: int) -> str:
    return "1" if pictures == 1 else f"1 to {pictures}"
