"""Turns with `<image>` marks -> segments with roles. Pure.

    [{"from": "human", "value": "... <image> ..."}, {"from": "gpt", "value": "..."}]      InterleavedBench, LeafInstruct, LLaVA
    [{"role": "user", "content": "..." or [{"type": "text", "text": ...}, {"type": "image"}]}]    chat messages

Marks are filled from the record's pictures in order, over all turns; a part that says which (`index`) gets that one, and a part that brings its own
(`{"type": "image", "image": name}`, `{"type": "image_url", "image_url": {"url": ...}}`) takes none. A record with more marks than pictures, or
fewer, is lost as a whole: any way of filling the rest would be a guess. Text is kept as it is written, less blank lines at its ends and white space
on a mark's line. A system turn is what the user says first, since our rows know two speakers. Words that are no mark (`<img>`,
`<image 1>`) are text, unless the caller declares other marks (`declared`); then those alone are marks, and which images they name is the caller's to
check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.fields.text import lines
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
_BLANK = " \t\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"
_OWN = ("image", "image_url", "url", "path")
"""Keys under which a part brings its own picture."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """The place of a picture: own, the name or address that the part brings; else index, which of the record's it is, None for the next one."""

    own: str | None = None
    index: int | None = None


class Declared(Protocol):
    """Marks that a recipe declares, with the images of one record."""

    def pieces(self, text: str) -> Iterator[str | Image]:
        """The texts and images of a turn's text, in order. Raises LostError for a mark without an image."""

    def part(self, index: int | None) -> Image:
        """The image of a part of a chat message, None for the next one. Raises LostError when there is none."""


def segments_of(
    turns: object, pictures: Sequence[Image], own: Callable[[str], Image], declared: Declared | None = None
) -> tuple[Segment, ...]:
    """The segments of a conversation, positions from 0. pictures: in the order of their marks, position and role are set here; own: the picture of a
    part that names it; declared: other marks than `<image>`, with their own images.

    Raises LostError: bad_turns, unknown_speaker, no_answer, too_few_pictures, too_many_pictures, and those of `own`.
    """
    if not isinstance(turns, list) or not turns:
        raise LostError("bad_turns", f"the turns are {shown(turns)}")
    segments: list[Segment] = []
    used: list[int] = []
    for role, piece in _pieces(turns, declared):
        if isinstance(piece, str):
            segments.append(Text(len(segments), piece, role=role))
        elif isinstance(piece, Image):
            segments.append(replace(piece, position=len(segments), role=role))
        elif piece.own is not None:
            segments.append(replace(own(piece.own), position=len(segments), role=role))
        else:
            used.append(len(used) if piece.index is None else piece.index)
            if used[-1] < len(pictures):
                segments.append(replace(pictures[used[-1]], position=len(segments), role=role))
    if any(index >= len(pictures) for index in used):
        raise LostError("too_few_pictures", f"{len(used)} marks, {len(pictures)} pictures")
    if len(set(used)) < len(pictures):
        raise LostError("too_many_pictures", f"{len(used)} marks, {len(pictures)} pictures")
    if not any(segment.role == "assistant" for segment in segments):
        raise LostError("no_answer", "no turn of an assistant says anything")
    return tuple(segments)


def _pieces(turns: Sequence[object], declared: Declared | None) -> Iterator[tuple[Role, str | _Mark | Image]]:
    """(role, text, image, or place of one) in order. Raises LostError."""
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise LostError("bad_turns", f"turn {number} is {shown(turn)}")
        speaker = turn.get("from", turn.get("role"))
        role = _ROLES.get(speaker.strip().lower()) if isinstance(speaker, str) else None
        if role is None:
            raise LostError("unknown_speaker", f"turn {number} is by {shown(speaker)}, none of {', '.join(_ROLES)}")
        for piece in _said(turn.get("value", turn.get("content")), number, declared):
            yield role, declared.part(piece.index) if declared is not None and isinstance(piece, _Mark) and piece.own is None else piece


def _said(content: object, number: int, declared: Declared | None) -> Iterator[str | _Mark | Image]:
    """Texts and places of pictures of one turn, in order; nothing for an empty text, and no white space around a mark. Raises LostError."""
    if isinstance(content, list):
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("image", "image_url"):
                yield _mark(part, number)
            elif kind == "text" and isinstance(part.get("text"), str):
                yield from _kept(lines(part["text"])) if declared is None else _around(part["text"], declared)
            else:
                raise LostError("bad_turns", f"turn {number} holds {shown(part)}, neither text nor image")
    elif isinstance(content, str) and declared is not None:
        yield from _around(content, declared)
    elif isinstance(content, str):
        pieces = _SPLIT.split(content)
        for index, piece in enumerate(pieces):
            yield from [_Mark()] if piece == MARK else _kept(_beside(piece, index > 0, index + 1 < len(pieces)))
    else:
        raise LostError("bad_turns", f"turn {number} says {shown(content)}")


def _around(text: str, declared: Declared) -> Iterator[str | Image]:
    """A text's pieces around its declared marks. Raises LostError."""
    pieces = list(declared.pieces(text))
    for index, piece in enumerate(pieces):
        yield from [piece] if isinstance(piece, Image) else _kept(_beside(piece, index > 0, index + 1 < len(pieces)))


def _beside(piece: str, after: bool, before: bool) -> str:
    """A text without the white space on the line of a mark before or behind it; the indentation of its other lines, which lists need, stays."""
    piece = piece.lstrip(_BLANK) if after else piece
    return lines(piece.rstrip() if before else piece)


def _mark(part: Mapping[str, object], number: int) -> _Mark:
    """The place of a picture that a part stands for. Raises LostError."""
    for key in _OWN:
        value = part.get(key)
        if isinstance(value, Mapping):
            value = value.get("url") or value.get("path")
        if isinstance(value, str) and value.strip():
            return _Mark(own=value)
        if part.get(key) not in (None, ""):
            raise LostError("bad_reference", f"turn {number} holds a picture as {shown(part[key])}, neither a name nor an address")
    index = part.get("index")
    if isinstance(index, int) and not isinstance(index, bool) and index >= 0:
        return _Mark(index=index)
    return _Mark()


def _kept(text: str) -> Iterator[str]:
    if text.strip():
        yield text
