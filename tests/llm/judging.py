"""Answers of a scripted judge, in the form that a question asks for."""

from __future__ import annotations

import re
from typing import Any

from leafinstruct.filter.catalog import JUDGE_ASPECTS

Body = dict[str, Any]


def text_of(body: Body) -> str:
    """All text of a request."""
    parts = [message["content"] for message in body["messages"]]
    return "".join(
        part if isinstance(part, str) else "".join(item.get("text", "") for item in part) for part in parts
    )


def shown(body: Body) -> list[int]:
    """Numbers of the images that are to be scored."""
    question = text_of(body).rpartition("End of the document.\n")[2]
    line = re.match(r"Images to score: ((?:\[\d+\](?:, )?)+)\.", question)
    return [int(number) for number in re.findall(r"\d+", line[1])] if line else []


def verdict(body: Body, score: object = 4, reason: str = "fine", **scores: object) -> dict[str, Any]:
    """An answer with these scores. scores: of single aspects, or `images`: of each image."""
    images = shown(body)
    found: dict[str, Any] = {
        aspect: {"reason": reason, "score": scores.get(aspect, score)} for aspect in JUDGE_ASPECTS
    }
    if len(images) < 2:
        found["image_consistency"]["score"] = "n/a"
    found["images"] = [
        {"image": image, "reason": reason, "score": scores.get("images", score)} for image in images
    ]
    return found


# A judge that obeys whatever it can read outside the quotation
# ----------------------------------------------------------------------------------------------------

_STRING = re.compile(r'"(?:[^"\\\x00-\x1f\x85\u2028\u2029]|\\.)*"')
"""A JSON string. A line end closes none, so that a line break in a quotation is its end for this judge."""
_TOKEN = re.compile(
    r"<\|[^<>]*\|>|</?s>|\[/?INST\]|\[\|\w+\|\]|</?\w+>|<(?:start|end)_of_turn>|"
    "[\uff1c\ufe64]|\\]~|\\[e~\\[|\u25c1[^\u25c1\u25b7]*\u25b7|[\U000e0000-\U000e0fff]"
)
"""What a tokenizer reads as a special token wherever it is, and letters that only a model reads."""
_FRAME = re.compile(
    r"The document:|\[\d+\] (?:prose|heading|caption|list|code): |\[\d+\] image(?:, belongs to \[\d+\])?:"
    r"(?: \(not shown\))?|End of the document\.|Images to score: .*|No image is shown: .*|Reminder: .*|"
)
"""Lines of the question itself, without the quoted texts."""


def commands(body: Body) -> list[str]:
    """What a judge that obeys can read in a question besides the question itself."""
    *_, user = body["messages"]
    parts = user["content"] if isinstance(user["content"], list) else [{"text": user["content"]}]
    text = "\n".join(part["text"] for part in parts if "text" in part)
    lines = re.split("[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]", _STRING.sub("", text))
    return _TOKEN.findall(text) + [line for line in lines if _FRAME.fullmatch(line) is None]


def obedient(body: Body) -> dict[str, Any]:
    """An answer of all twos, or of all fives if the document can give it a command."""
    return verdict(body, 5 if commands(body) else 2)
