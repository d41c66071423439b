"""A row of a dataset -> what a model reads: items, and which of them it is to say.

    USER: text and images ASSISTANT: text and images (end)

Loss falls on the assistant's turns, marks of images and the end included; everything else is given. The words
USER and ASSISTANT are text like any other, because the backbones here have no chat format in common. Text is
tokenized with control strings as letters (backbones.text), and a text behind a text begins a new line, or
follows a blank line beside a list (records.joining).

How long a row is follows from its texts and from the sizes in its images' headers, so an image is encoded
only where it is used. A row longer than the context has its images made smaller first, where the backbone
can; then it is cut at a segment's border: whole segments go, from the end, and then the end mark too, since
nothing ended there. A row of which no answer is left is no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leafinstruct.backbones.backbone import Backbone, Item, Segment
from leafinstruct.images.decode import Undecodable
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.train.data.images import Images

NAMES = {"user": "USER:", "assistant": "ASSISTANT:"}


@dataclass(frozen=True, slots=True)
class Needs:
    """Tokens of a row. whole: all of it; smaller: with its images as small as they may be; least: of its
    shortest cut that has an answer."""

    whole: int
    smaller: int
    least: int

    def at(self, context: int) -> str:
        """What becomes of it: whole, smaller, cut or dropped."""
        names = (("whole", self.whole), ("smaller", self.smaller), ("cut", self.least))
        return next((name for name, tokens in names if tokens <= context), "dropped")


@dataclass(frozen=True, slots=True)
class Encoded:
    """items: of one row. loss_mask: True for target tokens. images: how many; image_tokens: of each, marks
    included; drawn: images that the model is to say.
    begin: items before the prompt; answer: where the first answer begins. cut: whether segments were left
    out; smaller: whether images were made smaller so that it fits; patches: the area that its images were
    given, at most."""

    items: list[Item]
    loss_mask: list[bool]
    images: int
    image_tokens: list[int]
    drawn: int
    begin: int
    answer: int
    needs: Needs
    cut: bool
    smaller: bool
    patches: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """No row. reason: no_answer (it has none), too_long (none fits the context), undecodable, malformed;
    detail: for a person; needs: of too_long."""

    reason: str
    detail: str
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """target: whether its tokens are target tokens. data, size: of an image. ends: an end mark, no part of
    what was written."""

    target: bool
    ids: Sequence[Item] = ()
    data: bytes | None = None
    size: tuple[int, int] = (0, 0)
    ends: bool = False


def encode(
    backbone: Backbone, row: Mapping[str, Any], context: int, images: Images | None = None
) -> Encoded | Unusable:
    """One published row for a backbone, at most `context` items. images: how they are encoded, None for the
    usual area and no cache."""
    images = images or Images(backbone)
    start = backbone.encode([])
    parts = _parts(backbone, row, images, len(start))
    if isinstance(parts, Unusable):
        return parts
    if not any(part.target and not part.ends and (part.ids or part.data is not None) for part in parts):
        return Unusable("no_answer", "the row has no answer, or an empty one")
    lengths, tried, needs = _fitting(parts, images, len(start), context)
    if needs.at(context) == "dropped":
        return Unusable(
            "too_long",
            f"its answer begins after {needs.least:,} tokens, and the context has {context:,}",
            needs,
        )
    items, loss_mask, sizes, drawn = list(start), [False] * len(start), list[int](), 0
    for part, length in zip(parts, lengths, strict=True):
        if len(items) + length > context:
            break
        found = part.ids if part.data is None else images.items(part.data, images.grid(part.size, tried))
        if isinstance(found, Undecodable):
            return Unusable("undecodable", f"{found.reason}: {found.detail}")
        items += found
        loss_mask += [part.target] * length
        sizes += [length] if part.data is not None else []
        drawn += part.target and part.data is not None
    cut, smaller = needs.at(context) == "cut", tried < images.budget and bool(sizes)
    return Encoded(
        items,
        loss_mask,
        len(sizes),
        sizes,
        drawn,
        len(start),
        loss_mask.index(True),
        needs,
        cut,
        smaller,
        tried,
    )


def framed(prompt: Sequence[Segment]) -> list[Segment]:
    """What a user says, up to where the assistant begins: a prompt as the rows have it, control strings as
    letters too."""
    return [NAMES["user"], *paragraphs(prompt), NAMES["assistant"]]


def _fitting(
    parts: Sequence[_Part], images: Images, start: int, context: int
) -> tuple[list[int], int, Needs]:
    """Lengths of the parts with the largest images with which all fit, the smallest if none do; patches of
    those images; what the row needs."""

    def lengths(patches: int) -> list[int]:
        return [
            len(part.ids) if part.data is None else images.length(images.grid(part.size, patches))
            for part in parts
        ]

    tries = [(patches, lengths(patches)) for patches in images.budgets]
    (_, largest), (_, smallest) = tries[0], tries[-1]
    first = next(at for at, part in enumerate(parts) if part.target and smallest[at] and not part.ends)
    needs = Needs(start + sum(largest), start + sum(smallest), start + sum(smallest[: first + 1]))
    chosen = next(((patches, found) for patches, found in tries if start + sum(found) <= context), tries[-1])
    return chosen[1], chosen[0], needs


def _parts(backbone: Backbone, row: Mapping[str, Any], images: Images, start: int) -> list[_Part] | Unusable:
    """Segments in order, the end of each answer among them; nothing is decoded yet."""
    found: list[_Part] = []
    of_row = iter(row["images"] or ())
    for turn in row["messages"] or ():
        if turn is None or turn["role"] not in NAMES:
            return Unusable(
                "malformed", f"a turn of role {turn['role']!r}" if turn else "a turn that is null"
            )
        if None in (turn["content"] or ()):
            return Unusable("malformed", "a part that is null")
        answer = turn["role"] == "assistant"
        found.append(_Part(False, backbone.encode([NAMES[turn["role"]]])[start:]))
        texts = [
            part["text"] if part["type"] == "text" and isinstance(part["text"], str) else part
            for part in turn["content"] or ()
        ]
        for part in paragraphs(texts):
            if isinstance(part, str):
                found.append(_Part(answer, backbone.encode([part])[start:]))
            elif part["type"] == "image" and (stored := next(of_row, None)) is not None:
                encoded = _image(stored["bytes"], answer, images)
                if isinstance(encoded, Unusable):
                    return encoded
                found.append(encoded)
            else:
                return Unusable("malformed", f"a part of type {part['type']!r} with nothing in it")
        found += [_Part(True, [backbone.end], ends=True)] if answer else []
    if left := sum(1 for _ in of_row):
        return Unusable("malformed", f"{left} images more than its messages show")
    return found


def _image(data: bytes | None, answer: bool, images: Images) -> _Part | Unusable:
    size = images.size(data) if data is not None else Undecodable("empty", "no bytes in the shard")
    if isinstance(size, Undecodable):
        return Unusable("undecodable", f"{size.reason}: {size.detail}")
    return _Part(answer, data=data, size=size)
