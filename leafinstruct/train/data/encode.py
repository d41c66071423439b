"""Encode a row of a dataset as the items that a model reads, with a loss mask.

    USER: text and images ASSISTANT: text and images (end)

The target tokens are the assistant's turns, with the special tokens of images and the end token. USER and
ASSISTANT are ordinary text, because the backbones here have no common chat format. Text is tokenized with
control strings as letters (backbones.text). A text after a text begins a new line, or follows a blank line
next to a list (records.joining).

The length of a row follows from its texts and the sizes in its images' headers, so an image is only encoded
when it is used. When a row is longer than the context, its images are reduced first, if the backbone can;
then it is cut between segments: segments are removed from the end, and with them the end token. A row without
any answer left is unusable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leafinstruct.backbones.backbone import Backbone, Item, Segment
from leafinstruct.images.decode import Undecodable
from leafinstruct.records.published_row import PublishedImage, PublishedRow
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.train.data.images import Images

NAMES = {"user": "USER:", "assistant": "ASSISTANT:"}


@dataclass(frozen=True, slots=True)
class Needs:
    """Lengths of a row in tokens: whole; smaller, with images at the floor; least, the shortest cut that has
    an answer."""

    whole: int
    smaller: int
    least: int

    def at(self, context: int) -> str:
        """Return how the row fits a context: whole, smaller, cut or dropped."""
        names = (("whole", self.whole), ("smaller", self.smaller), ("cut", self.least))
        return next((name for name, tokens in names if tokens <= context), "dropped")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoded row.

    loss_mask: True for target tokens; images: their number; image_tokens: items of each, with special tokens;
    target_images: number of images in answers; begin: number of items before the prompt; answer: index where
    the first answer begins; cut: whether segments were removed; smaller: whether images were reduced to fit;
    patches: the maximum number of patches of its images.
    """

    items: list[Item]
    loss_mask: list[bool]
    images: int
    image_tokens: list[int]
    target_images: int
    begin: int
    answer: int
    needs: Needs
    cut: bool
    smaller: bool
    patches: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that cannot be encoded.

    reason: no_answer, too_long (no answer fits the context), undecodable, or one of published_row.FAULTS;
    detail: a message for the user; needs: lengths of a row that is too long.
    """

    reason: str
    detail: str
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment or an end token. target: whether its tokens are target tokens; data, size: of an image; ends:
    whether it is an end token."""

    target: bool
    ids: Sequence[Item] = ()
    data: bytes | None = None
    size: tuple[int, int] = (0, 0)
    ends: bool = False


def encode(
    backbone: Backbone, row: PublishedRow, context: int, images: Images | None = None
) -> Encoded | Unusable:
    """Encode one published row as at most `context` items. images: None for the usual size and no cache."""
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
            f"the shortest cut with an answer has {needs.least:,} tokens, but the context has {context:,}",
            needs,
        )
    items, loss_mask, sizes, target_images = list(start), [False] * len(start), list[int](), 0
    for part, length in zip(parts, lengths, strict=True):
        if len(items) + length > context:
            break
        found = part.ids if part.data is None else images.items(part.data, images.grid(part.size, tried))
        if isinstance(found, Undecodable):
            return Unusable("undecodable", f"{found.reason}: {found.detail}")
        items += found
        loss_mask += [part.target] * length
        sizes += [length] if part.data is not None else []
        target_images += part.target and part.data is not None
    cut, smaller = needs.at(context) == "cut", tried < images.budget and bool(sizes)
    return Encoded(
        items,
        loss_mask,
        len(sizes),
        sizes,
        target_images,
        len(start),
        loss_mask.index(True),
        needs,
        cut,
        smaller,
        tried,
    )


def in_template(prompt: Sequence[Segment]) -> list[Segment]:
    """Put a prompt into the prompt template of training rows, up to where the assistant begins."""
    return [NAMES["user"], *paragraphs(prompt), NAMES["assistant"]]


def _fitting(
    parts: Sequence[_Part], images: Images, start: int, context: int
) -> tuple[list[int], int, Needs]:
    """Return the lengths of the parts with the largest images that fit, or else the smallest; the maximum
    number of patches of those images; the lengths of the row."""

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


def _parts(backbone: Backbone, row: PublishedRow, images: Images, start: int) -> list[_Part] | Unusable:
    """Return segments and end tokens in order; images are not decoded yet."""
    if row.fault is not None:
        return Unusable(row.fault.reason, row.fault.detail)
    found: list[_Part] = []
    for turn in row.turns:
        answer = turn.role == "assistant"
        found.append(_Part(False, backbone.encode([NAMES[turn.role]])[start:]))
        for part in paragraphs(turn.parts):
            if isinstance(part, str):
                found.append(_Part(answer, backbone.encode([part])[start:]))
                continue
            encoded = _image(part, answer, images)
            if isinstance(encoded, Unusable):
                return encoded
            found.append(encoded)
        found += [_Part(True, [backbone.end], ends=True)] if answer else []
    return found


def _image(image: PublishedImage, answer: bool, images: Images) -> _Part | Unusable:
    assert image.data, "a row without a fault has the bytes of its images"
    size = images.size(image.data)
    if isinstance(size, Undecodable):
        return Unusable("undecodable", f"{size.reason}: {size.detail}")
    return _Part(answer, data=image.data, size=size)
