"""A row of a dataset -> what a model reads: items, and which of them it is to say.

    USER: text and pictures ASSISTANT: text and pictures (end)

Loss falls on the assistant's turns, marks of pictures and the end included; everything else is given. The words USER and ASSISTANT are text like any
other, because the backbones here have no chat format in common. Text is tokenised with control strings as letters (vlg.text).

A row longer than the context is cut at a segment's border: whole segments go, from the end, and then the end mark too, since nothing ended there. A
row of which no answer is left is no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leafinstruct.pictures.decode import Undecodable, decode
from leafinstruct.vlg.backbone import Backbone, Item, Segment

NAMES = {"user": "USER:", "assistant": "ASSISTANT:"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """items: of one row. said: which the model is to say. pictures: how many. cut: whether segments were left out."""

    items: list[Item]
    said: list[bool]
    pictures: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Unusable:
    """No row. reason: no_answer (none fits the context), undecodable; detail: for a person."""

    reason: str
    detail: str


def encode(backbone: Backbone, row: Mapping[str, Any], context: int) -> Encoded | Unusable:
    """One published row for a backbone, at most `context` items."""
    parts = _parts(row)
    if isinstance(parts, Unusable):
        return parts
    start = backbone.encode([])
    items, said, pictures, cut = list(start), [False] * len(start), 0, False
    for segment, answer in parts:
        found: Sequence[Item] = [backbone.end] if segment is None else backbone.encode([segment])[len(start) :]
        if len(items) + len(found) > context:
            cut = True
            break
        items += found
        said += [answer] * len(found)
        pictures += segment is not None and not isinstance(segment, str)
    if not any(said):
        return Unusable("no_answer", f"no part of an answer fits the context of {context:,} tokens")
    return Encoded(items, said, pictures, cut)


def framed(prompt: Sequence[Segment]) -> list[Segment]:
    """What a user says, up to where the assistant begins: a prompt as the rows have it, control strings as letters too."""
    return [NAMES["user"], *prompt, NAMES["assistant"]]


def _parts(row: Mapping[str, Any]) -> list[tuple[Segment | None, bool]] | Unusable:
    """Segments in order with whether they are to be said; None for the end of an answer."""
    found: list[tuple[Segment | None, bool]] = []
    images = iter(row["images"])
    for turn in row["messages"]:
        answer = turn["role"] == "assistant"
        found.append((NAMES[turn["role"]], False))
        for part in turn["content"]:
            if part["type"] == "text":
                found.append((part["text"], answer))
                continue
            picture = decode(next(images)["bytes"])
            if isinstance(picture, Undecodable):
                return Unusable("undecodable", f"{picture.reason}: {picture.detail}")
            found.append((picture, answer))
        if answer:
            found.append((None, True))
    return found
