"""Generate text and images with a backbone, in the order in which it writes them.

transformers' `generate` is not used, because one call must change modality: temperature, top-k and guidance
differ between words and codes, an image follows its layout, and each finished segment is yielded at once.
Guidance pushes patches away from those of the same answer without the prompt (codes are sampled from
u + g (c - u), where u are the logits without the prompt). It costs a second pass per token, and words are not
guided.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from leafinstruct.backbones.backbone import Backbone, ImageLayout, Item, Out, Segment, text_config
from leafinstruct.backbones.sampling import ANCESTRAL, GREEDY, Sampling, sampled
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers.cache_utils import Cache


@dataclass(frozen=True, slots=True)
class Settings:
    """How to generate an answer.

    text, image: sampling of words and of patches; guidance: of images, 1 for none; max_images: maximum number
    of images; max_tokens: maximum number of tokens, with special tokens; grid: (height, width) of images in
    patches, for backbones with many shapes; stop: the answer ends before the first of these strings.
    """

    text: Sampling = GREEDY
    image: Sampling = ANCESTRAL
    guidance: float = 1.0
    max_images: int = 8
    max_tokens: int = 8192
    grid: tuple[int, int] | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0


Ended = Literal["end", "stop", "max_tokens", "context"]
"""Why an answer ended: the model's end token, a stop string, max_tokens, or no more positions of the
model."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An image that was cut because the tokens ended. steps: written steps; of: steps of a complete image."""

    steps: int
    of: int


def generate(
    backbone: Backbone,
    prompt: Sequence[Segment],
    settings: Settings,
    on_item: Callable[[Item], None] | None = None,
) -> Generator[Segment | Unfinished, None, Ended]:
    """Yield the answer's segments, each as soon as it is complete; a cut image as Unfinished, last. Returns
    why the answer ended. on_item: called with every generated id and vector.

    The same prompt, settings and weights give the same answer on one device. Raises BackboneError for images
    that the backbone cannot generate, and for a prompt without free positions after it.
    """
    layout = backbone.image_layout(settings.grid)
    generator = torch.Generator(device="cpu").manual_seed(settings.seed)
    items = backbone.encode(prompt)
    left = free_positions(backbone, len(items))
    streams = [_Stream(backbone, items)]
    if settings.guidance != 1.0 and backbone.guided == "patches":
        streams.append(_Stream(backbone, backbone.encode([])))
    shut, mute = shut_ids(layout)
    words: list[int] = []
    patches: list[Item] = []
    images = 0
    step: int | None = None
    ended: Ended = "max_tokens" if settings.max_tokens <= left else "context"
    for _ in range(min(settings.max_tokens, left)):
        item: Item | None = layout.steps[step] if step is not None else None
        if item is None:
            closed = None if step is not None else shut if images < settings.max_images else mute
            item = _sample(backbone, streams, closed, settings, generator)
        if on_item is not None:
            on_item(item)
        if step is None and item == backbone.end:
            ended = "end"
            break
        for stream in streams:
            stream.append(item)
        if step is not None:
            patches.append(item)
            step = step + 1 if step + 1 < len(layout.steps) else None
            if step is None:
                yield backbone.decode_image(patches, settings.guidance, generator)
                patches = []
        elif item == layout.begin:
            if text := backbone.decode_text(words):
                yield text
            words, images, step = [], images + 1, 0
        else:
            words.append(int(item))
            if (cut := _stopped(backbone, words, settings.stop)) is not None:
                if cut:
                    yield cut
                return "stop"
    if text := backbone.decode_text(words):
        yield text
    if step is not None:
        yield Unfinished(step, len(layout.steps))
    return ended


def _sample(
    backbone: Backbone,
    streams: Sequence[_Stream],
    closed: Tensor | None,
    settings: Settings,
    generator: torch.Generator,
) -> Item:
    """Sample the next item: a patch if closed is None, otherwise an id of text outside closed."""
    outs = [stream.next() for stream in streams]
    if closed is None:
        return backbone.patch(outs, settings.image, settings.guidance, generator)
    return sampled(backbone.words(outs[0]).index_fill(0, closed, -torch.inf), settings.text, generator)


def free_positions(backbone: Backbone, length: int) -> int:
    """Return the number of items that may follow a prompt of `length` items. Raises BackboneError when there
    is none: beyond its last position a model silently fails."""
    most = positions(backbone)
    if length >= most:
        raise BackboneError(
            f"the prompt has {length:,} tokens, but the model has {most:,} positions: give less text "
            "or fewer "
            "images"
        )
    return most - length


def positions(backbone: Backbone) -> int:
    """Return the model's number of positions; practically unlimited when its config has no limit."""
    most: int | None = getattr(text_config(backbone.model), "max_position_embeddings", None)
    return most if most is not None else 1 << 62


def shut_ids(layout: ImageLayout) -> tuple[Tensor, Tensor]:
    """Return the ids that cannot occur in text: while an image may begin, and when none may begin any
    more."""
    shut = torch.tensor([*layout.codes.tolist(), *layout.closed])
    return shut, torch.cat([shut, torch.tensor([layout.begin])])


def _stopped(backbone: Backbone, words: Sequence[int], stop: Sequence[str]) -> str | None:
    """Return the text before the first stop string, or None. First only the end of the text is decoded,
    because decoding all words at every token would be quadratic; each token has at least one byte."""
    if not stop:
        return None
    reach = max(len(string.encode()) for string in stop) + 8
    if not any(string in backbone.decode_text(words[-reach:]) for string in stop):
        return None
    return before_any(backbone.decode_text(words), stop)


def before_any(text: str, stop: Sequence[str]) -> str | None:
    """Return the text before the first of the strings, right-stripped, or None."""
    places = [place for string in stop if (place := text.find(string)) >= 0]
    return text[: min(places)].rstrip() if places else None


class _Stream:
    """A growing sequence and its cache."""

    def __init__(self, backbone: Backbone, items: list[Item]) -> None:
        self._backbone, self._fresh = backbone, items
        self._cache: Cache | None = None

    def append(self, item: Item) -> None:
        self._fresh.append(item)

    def next(self) -> Out:
        """Return the model's output for the next item. Fixed items (special tokens of an image) are
        collected, so that they need no pass of their own."""
        out, self._cache = self._backbone.step(self._fresh, self._cache)
        self._fresh = []
        return out
