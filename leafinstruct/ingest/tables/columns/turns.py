"""Turns with `<image>` placeholders -> segments with roles. Pure.

    InterleavedBench, LeafInstruct, LLaVA:
        [{"from": "human", "value": "... <image> ..."}, {"from": "gpt", "value": "..."}]
    chat messages:
        [{"role": "user", "content": "..." or [{"type": "text", "text": ...}, {"type": "image"}]}]

Placeholders are filled from the record's images in order, over all turns. A part with an `index` gets that
image, and a part with its own image (`{"type": "image", "image": name}`, `{"type": "image_url", "image_url":
{"url": ...}}`) takes none. A record with more placeholders than images, or fewer, is lost as a whole: any
assignment would be a guess. Text is kept as written, without blank lines at its ends and white space on a
placeholder's line. A system turn becomes the first text of the user, since our rows have two speakers. Words
that are no placeholder (`<img>`, `<image 1>`) are text. If the caller declares other placeholders
(`declared`), only those are placeholders, and the caller checks which images they name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.fields.text import lines
from leafinstruct.records.document import ImageRef, Role, Segment, Text

PLACEHOLDER = "<image>"
_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "system": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
_SPLIT = re.compile(f"({re.escape(PLACEHOLDER)})")
_BLANK = " \t\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"
_OWN = ("image", "image_url", "url", "path")
"""Keys under which a part contains its own image."""


@dataclass(frozen=True, slots=True)
class _Placeholder:
    """The place of an image.

    own: name or URL of the part's own image. index: which of the record's images otherwise, None for the next
    one.
    """

    own: str | None = None
    index: int | None = None


class Declared(Protocol):
    """Placeholders that a recipe declares, with the images of one record."""

    def pieces(self, text: str) -> Iterator[str | ImageRef]:
        """Yield the texts and images of a turn's text, in order. Raises LostError for a placeholder without
        an image."""

    def part(self, index: int | None) -> ImageRef:
        """Return the image of a part of a chat message, None for the next one. Raises LostError when there is
        none."""


def segments_of(
    turns: object,
    images: Sequence[ImageRef],
    own: Callable[[str], ImageRef],
    declared: Declared | None = None,
) -> tuple[Segment, ...]:
    """Return the segments of a conversation, positions from 0.

    images: in the order of their placeholders; position and role are set here. own: returns the image of a
    part that names it. declared: other placeholders than `<image>`, with their own images. Raises LostError:
    bad_turns, unknown_speaker, no_answer, too_few_images, too_many_images, and those of `own`.
    """
    if not isinstance(turns, list) or not turns:
        raise LostError("bad_turns", f"the turns are {shown(turns)}")
    segments: list[Segment] = []
    used: list[int] = []
    for role, piece in _pieces(turns, declared):
        if isinstance(piece, str):
            segments.append(Text(len(segments), piece, role=role))
        elif isinstance(piece, ImageRef):
            segments.append(replace(piece, position=len(segments), role=role))
        elif piece.own is not None:
            segments.append(replace(own(piece.own), position=len(segments), role=role))
        else:
            used.append(len(used) if piece.index is None else piece.index)
            if used[-1] < len(images):
                segments.append(replace(images[used[-1]], position=len(segments), role=role))
    if any(index >= len(images) for index in used):
        raise LostError("too_few_images", f"{len(used)} placeholders, {len(images)} images")
    if len(set(used)) < len(images):
        raise LostError("too_many_images", f"{len(used)} placeholders, {len(images)} images")
    if not any(segment.role == "assistant" for segment in segments):
        raise LostError("no_answer", "no turn of an assistant has any content")
    return tuple(segments)


def _pieces(
    turns: Sequence[object], declared: Declared | None
) -> Iterator[tuple[Role, str | _Placeholder | ImageRef]]:
    """Yield (role, text, image, or place of one) in order. Raises LostError."""
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise LostError("bad_turns", f"turn {number} is {shown(turn)}")
        speaker = turn.get("from", turn.get("role"))
        role = _ROLES.get(speaker.strip().lower()) if isinstance(speaker, str) else None
        if role is None:
            raise LostError(
                "unknown_speaker", f"turn {number} is by {shown(speaker)}, none of {', '.join(_ROLES)}"
            )
        for piece in _content(turn.get("value", turn.get("content")), number, declared):
            yield (
                role,
                declared.part(piece.index)
                if declared is not None and isinstance(piece, _Placeholder) and piece.own is None
                else piece,
            )


def _content(
    content: object, number: int, declared: Declared | None
) -> Iterator[str | _Placeholder | ImageRef]:
    """Yield the texts and places of images of one turn, in order; nothing for an empty text, and no white
    space around a placeholder. Raises LostError."""
    if isinstance(content, list):
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("image", "image_url"):
                yield _placeholder(part, number)
            elif kind == "text" and isinstance(part.get("text"), str):
                yield from _kept(lines(part["text"])) if declared is None else _around(part["text"], declared)
            else:
                raise LostError("bad_turns", f"turn {number} contains {shown(part)}, neither text nor image")
    elif isinstance(content, str) and declared is not None:
        yield from _around(content, declared)
    elif isinstance(content, str):
        pieces = _SPLIT.split(content)
        for index, piece in enumerate(pieces):
            yield from (
                [_Placeholder()]
                if piece == PLACEHOLDER
                else _kept(_beside(piece, index > 0, index + 1 < len(pieces)))
            )
    else:
        raise LostError("bad_turns", f"turn {number} has the content {shown(content)}")


def _around(text: str, declared: Declared) -> Iterator[str | ImageRef]:
    """Yield a text's pieces around its declared placeholders. Raises LostError."""
    pieces = list(declared.pieces(text))
    for index, piece in enumerate(pieces):
        yield from (
            [piece]
            if isinstance(piece, ImageRef)
            else _kept(_beside(piece, index > 0, index + 1 < len(pieces)))
        )


def _beside(piece: str, after: bool, before: bool) -> str:
    """Return a text without the white space on the line of a placeholder before or after it; the indentation
    of its other lines, which lists need, is kept."""
    piece = piece.lstrip(_BLANK) if after else piece
    return lines(piece.rstrip() if before else piece)


def _placeholder(part: Mapping[str, object], number: int) -> _Placeholder:
    """The place of the image of a part. Raises LostError."""
    for key in _OWN:
        value = part.get(key)
        if isinstance(value, Mapping):
            value = value.get("url") or value.get("path")
        if isinstance(value, str) and value.strip():
            return _Placeholder(own=value)
        if part.get(key) not in (None, ""):
            raise LostError(
                "bad_reference", f"turn {number} has the image {shown(part[key])}, neither a name nor a URL"
            )
    index = part.get("index")
    if isinstance(index, int) and not isinstance(index, bool) and index >= 0:
        return _Placeholder(index=index)
    return _Placeholder()


def _kept(text: str) -> Iterator[str]:
    if text.strip():
        yield text
