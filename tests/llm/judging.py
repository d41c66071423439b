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
    question = text_of(body).rpartition("\nEnd of the document.\n")[2]
    line = re.search(r"^Images to score: ((?:\[\d+\](?:, )?)+)\.", question, re.MULTILINE)
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
