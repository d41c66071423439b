"""Drawing text and images from a backbone, in the order in which it tells them.

Its own loop and not transformers' `generate`, because one call must change modality: temperature, top-k and
guidance differ between words and codes, an image follows its script, and each finished segment is handed over
at once. Guidance pushes patches away from what the same answer without the prompt would hold (codes are drawn
from u + g (c - u), u being the unprompted logits); it costs a second pass a token, and words are not guided.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from leafinstruct.backbones.backbone import Backbone, ImageLayout, Item, Out, Segment, unadapted
from leafinstruct.backbones.sampling import ANCESTRAL, GREEDY, Sampling, sampled
from leafinstruct.errors import BackboneError


@dataclass(frozen=True, slots=True)
class Settings:
    """max_images: then no more are begun. max_tokens: of the answer, marks included. grid: (height, width) of
    images in patches, where a backbone draws many shapes. guidance: 1 for none. stop: the answer ends before
    the first of these strings, as it does at the model's own end."""

    text: Sampling = GREEDY
    image: Sampling = ANCESTRAL
    guidance: float = 1.0
    max_images: int = 8
    max_tokens: int = 8192
    grid: tuple[int, int] | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0


Ended = Literal["end", "stop", "max_tokens", "context"]
"""Why an answer ended: at the model's own end, before a stop string, at max_tokens, or where the model's
positions are used up."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An image that the end of the tokens cut. steps: of `of` that were written."""

    steps: int
    of: int


def generate(
    backbone: Backbone,
    prompt: Sequence[Segment],
    settings: Settings,
    on_item: Callable[[Item], None] | None = None,
) -> Generator[Segment | Unfinished, None, Ended]:
    """The answer's segments, each as soon as it is whole; a cut image as Unfinished, last. on_item: called
    with every id and every vector as it is drawn. The generator's own value is why the answer ended.

    The same prompt, settings and weights give the same answer on one device. Raises BackboneError for what
    the backbone cannot draw, and for a prompt that leaves no room for an answer.
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
    drawn: list[Item] = []
    images = 0
    step: int | None = None
    ended: Ended = "max_tokens" if settings.max_tokens <= left else "context"
    for _ in range(min(settings.max_tokens, left)):
        item = layout.steps[step] if step is not None else None
        if item is None:
            outs = [stream.next() for stream in streams]
            if step is not None:
                item = backbone.patch(outs, settings.image, settings.guidance, generator)
            else:
                closed = shut if images < settings.max_images else mute
                item = sampled(
                    backbone.words(outs[0]).index_fill(0, closed, -torch.inf), settings.text, generator
                )
        if on_item is not None:
            on_item(item)
        if step is None and item == backbone.end:
            ended = "end"
            break
        for stream in streams:
            stream.append(item)
        if step is not None:
            drawn.append(item)
            step = step + 1 if step + 1 < len(layout.steps) else None
            if step is None:
                yield backbone.decode_image(drawn, settings.guidance, generator)
                drawn = []
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


def free_positions(backbone: Backbone, length: int) -> int:
    """Items that may follow a prompt of so many: a model reads nonsense behind its last position, and says
    nothing of it."""
    most = positions(backbone)
    if length >= most:
        raise BackboneError(
            f"the prompt takes {length:,} tokens, and the model reads {most:,}: give less text or fewer "
            "images"
        )
    return most - length


def positions(backbone: Backbone) -> int:
    """That the model was made for; no limit where its configuration names none."""
    config = unadapted(backbone.model).config
    most: int | None = getattr(getattr(config, "text_config", config), "max_position_embeddings", None)
    return most if most is not None else 1 << 62


def shut_ids(layout: ImageLayout) -> tuple[Tensor, Tensor]:
    """Ids that no text holds, while an image may begin and when none may any more."""
    shut = torch.tensor([*layout.codes.tolist(), *layout.closed])
    return shut, torch.cat([shut, torch.tensor([layout.begin])])


def _stopped(backbone: Backbone, words: Sequence[int], stop: Sequence[str]) -> str | None:
    """The text before the first stop string, None where there is none yet. Only the end of the text is looked
    at until it holds one: each token is at least a byte, and decoding all words at every token would be
    quadratic."""
    if not stop:
        return None
    reach = max(len(string.encode()) for string in stop) + 8
    if not any(string in backbone.decode_text(words[-reach:]) for string in stop):
        return None
    return before_any(backbone.decode_text(words), stop)


def before_any(text: str, stop: Sequence[str]) -> str | None:
    """What stands before the first of the strings, without white space at its end; None where none occurs."""
    places = [place for string in stop if (place := text.find(string)) >= 0]
    return text[: min(places)].rstrip() if places else None


class _Stream:
    """A sequence that grows, and its cache."""

    def __init__(self, backbone: Backbone, items: list[Item]) -> None:
        self._backbone, self._fresh, self._cache = backbone, items, None

    def append(self, item: Item) -> None:
        self._fresh.append(item)

    def next(self) -> Out:
        """What the model says behind it. Items that were given and not drawn (an image's marks) wait, so that
        they cost no pass of their own."""
        out, self._cache = self._backbone.step(self._fresh, self._cache)
        self._fresh = []
        return out
