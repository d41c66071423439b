"""Drawing text and pictures from a backbone, in the order in which it tells them.

Its own loop and not transformers' `generate`, because one call must change modality: temperature, top-k and guidance differ between words and codes,
a picture follows its script, and each finished segment is handed over at once. Guidance pushes patches away from what the same answer without
the prompt would hold (codes are drawn from u + g (c - u), u being the unprompted logits); it costs a second pass a token, and words are not guided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from leafinstruct.vlg.backbone import Backbone, Item, Out, Script, Segment
from leafinstruct.vlg.sampling import AS_SAID, LIKELIEST, Sampling, sampled


@dataclass(frozen=True, slots=True)
class Settings:
    """max_pictures: then no more are begun. max_tokens: of the answer, marks included. grid: (height, width) of pictures in patches, where a backbone
    draws many shapes. guidance: 1 for none. stop: the answer ends before the first of these strings, as it does at the model's own end."""

    text: Sampling = LIKELIEST
    image: Sampling = AS_SAID
    guidance: float = 1.0
    max_pictures: int = 8
    max_tokens: int = 8192
    grid: tuple[int, int] | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture that max_tokens cut. steps: of `of` that were written."""

    steps: int
    of: int


def generate(
    backbone: Backbone, prompt: Sequence[Segment], settings: Settings, on_item: Callable[[Item], None] | None = None
) -> Iterator[Segment | Unfinished]:
    """The answer's segments, each as soon as it is whole; a cut picture as Unfinished, last. on_item: called with every id and
    every vector as it is drawn.

    The same prompt, settings and weights give the same answer on one device. Raises BackboneError for what the backbone cannot draw.
    """
    script = backbone.script(settings.grid)
    generator = torch.Generator(device="cpu").manual_seed(settings.seed)
    streams = [_Stream(backbone, backbone.encode(prompt))]
    if settings.guidance != 1.0 and backbone.guided == "patches":
        streams.append(_Stream(backbone, backbone.encode([])))
    words: list[int] = []
    drawn: list[Item] = []
    pictures = 0
    step: int | None = None
    for _ in range(settings.max_tokens):
        outs = [stream.next() for stream in streams]
        item = _drawn(backbone, outs, script, step, settings, generator, pictures < settings.max_pictures)
        if on_item is not None:
            on_item(item)
        if step is None and item == backbone.end:
            break
        for stream in streams:
            stream.append(item)
        if step is not None:
            drawn.append(item)
            step = step + 1 if step + 1 < len(script.steps) else None
            if step is None:
                yield backbone.decode_picture(drawn, settings.guidance, generator)
                drawn = []
        elif item == script.begin:
            if text := backbone.decode_text(words):
                yield text
            words, pictures, step = [], pictures + 1, 0
        else:
            words.append(int(item))
            if settings.stop and (cut := _before(backbone.decode_text(words), settings.stop)) is not None:
                if cut:
                    yield cut
                return
    if text := backbone.decode_text(words):
        yield text
    if step is not None:
        yield Unfinished(step, len(script.steps))


def _before(text: str, stop: Sequence[str]) -> str | None:
    """What stands before the first of the strings, without white space at its end; None where none occurs."""
    places = [place for string in stop if (place := text.find(string)) >= 0]
    return text[: min(places)].rstrip() if places else None


class _Stream:
    """A sequence that grows, and its cache."""

    def __init__(self, backbone: Backbone, items: list[Item]) -> None:
        self._backbone, self._fresh, self._cache = backbone, items, None

    def append(self, item: Item) -> None:
        self._fresh = [item]

    def next(self) -> Out:
        """What the model says behind it."""
        out, self._cache = self._backbone.step(self._fresh, self._cache)
        return out


def _drawn(
    backbone: Backbone, outs: list[Out], script: Script, step: int | None, settings: Settings, generator: torch.Generator, may_draw: bool
) -> Item:
    """The next item. step: within a picture's script, None in text."""
    if step is not None:
        fixed = script.steps[step]
        return fixed if fixed is not None else backbone.patch(outs, settings.image, settings.guidance, generator)
    shut = [*script.codes.tolist(), *script.closed, *([] if may_draw else [script.begin])]
    return sampled(backbone.words(outs[0]).index_fill(0, torch.tensor(shut), -torch.inf), settings.text, generator)
