"""Turns with `<image>` marks -> segments with roles. Pure.

    [{"from": "human", "value": "... <image> ..."}, {"from": "gpt", "value": "..."}]      InterleavedBench, LeafInstruct, LLaVA
    [{"role": "user", "content": "..." or [{"type": "text", "text": ...}, {"type": "image"}]}]    chat messages

Marks are filled from the record's pictures in order, over all turns. A record with more marks than pictures, or fewer, is lost as a whole: any way
of filling the rest would be a guess. Text is kept as it is written, less white space at the ends of a piece. A system turn is what the user says
first, since our rows know two speakers. Words that are no mark (`<img>`, `<image 1>`) are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from leafinstruct.ingest.reference import LostError, shown
from leafinstruct.ingest.text import lines
from leafinstruct.records.document import Image, Role, Segment, Text

MARK = "<image>"
_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "system": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
_SPLIT = re.compile(f"({re.escape(MARK)})")


def segments_of(turns: object, pictures: Sequence[Image]) -> tuple[Segment, ...]:
    """The segments of a conversation, positions from 0. pictures: in the order of their marks, position and role are set here.

    Raises LostError: bad_turns, unknown_speaker, no_answer, too_few_pictures, too_many_pictures.
    """
    if not isinstance(turns, list) or not turns:
        raise LostError("bad_turns", f"the turns are {shown(turns)}")
    segments: list[Segment] = []
    used = 0
    for role, piece in _pieces(turns):
        if piece is not None:
            segments.append(Text(len(segments), piece, role=role))
            continue
        if used < len(pictures):
            segments.append(replace(pictures[used], position=len(segments), role=role))
        used += 1
    if used > len(pictures):
        raise LostError("too_few_pictures", f"{used} marks, {len(pictures)} pictures")
    if used < len(pictures):
        raise LostError("too_many_pictures", f"{used} marks, {len(pictures)} pictures")
    if not any(segment.role == "assistant" for segment in segments):
        raise LostError("no_answer", "no turn of an assistant says anything")
    return tuple(segments)


def _pieces(turns: Sequence[object]) -> Iterator[tuple[Role, str | None]]:
    """(role, text or None for a picture) in order. Raises LostError."""
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise LostError("bad_turns", f"turn {number} is {shown(turn)}")
        speaker = turn.get("from", turn.get("role"))
        role = _ROLES.get(speaker.strip().lower()) if isinstance(speaker, str) else None
        if role is None:
            raise LostError("unknown_speaker", f"turn {number} is by {shown(speaker)}, none of {', '.join(_ROLES)}")
        for piece in _said(turn.get("value", turn.get("content")), number):
            yield role, piece


def _said(content: object, number: int) -> Iterator[str | None]:
    """Texts and pictures (None) of one turn, in order; text without white space at its ends, nothing for an empty one. Raises LostError."""
    if isinstance(content, list):
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("image", "image_url"):
                yield None
            elif kind == "text" and isinstance(part.get("text"), str):
                yield from _kept(part["text"])
            else:
                raise LostError("bad_turns", f"turn {number} holds {shown(part)}, neither text nor image")
    elif isinstance(content, str):
        for piece in _SPLIT.split(content):
            if piece == MARK:
                yield None
            else:
                yield from _kept(piece)
    else:
        raise LostError("bad_turns", f"turn {number} says {shown(content)}")


def _kept(text: str) -> Iterator[str]:
    if kept := lines(text).strip():
        yield kept
