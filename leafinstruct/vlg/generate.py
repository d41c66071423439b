"""Drawing text and pictures from a backbone, in the order in which it tells them.

Its own loop and not transformers' `generate`, because one call must change modality: temperature, top-k and guidance differ between words and codes,
a picture follows its script, and each finished segment is handed over at once. Guidance draws codes from u + g (c - u), where u are the logits of the
same answer without the prompt; it costs a second pass a token, and words are not guided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leafinstruct.vlg.backbone import Backbone, Script, Segment


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature: 0 takes the likeliest. top_k: of that many likeliest; 0 for all."""

    temperature: float = 0.0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """max_pictures: then no more are begun. max_tokens: of the answer, marks included. grid: (height, width) of pictures in patches, where a backbone
    draws many shapes. guidance: 1 for none."""

    text: Sampling = Sampling()
    image: Sampling = Sampling(temperature=1.0)
    guidance: float = 1.0
    max_pictures: int = 8
    max_tokens: int = 8192
    grid: tuple[int, int] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture that max_tokens cut. steps: of `of` that were written."""

    steps: int
    of: int


def generate(
    backbone: Backbone, prompt: Sequence[Segment], settings: Settings, on_token: Callable[[int], None] | None = None
) -> Iterator[Segment | Unfinished]:
    """The answer's segments, each as soon as it is whole; a cut picture as Unfinished, last. on_token: called with every id as it is drawn.

    The same prompt, settings and weights give the same answer on one device. Raises BackboneError for what the backbone cannot draw.
    """
    script = backbone.script(settings.grid)
    generator = torch.Generator(device="cpu").manual_seed(settings.seed)
    streams = [_Stream(backbone, backbone.encode(prompt))]
    if settings.guidance != 1.0:
        streams.append(_Stream(backbone, backbone.encode([])))
    words: list[int] = []
    drawn: list[int] = []
    pictures = 0
    step: int | None = None
    for _ in range(settings.max_tokens):
        logits = [stream.logits() for stream in streams]
        number = _next(logits, script, step, settings, generator, pictures < settings.max_pictures)
        if on_token is not None:
            on_token(number)
        if step is None and number == backbone.end:
            break
        for stream in streams:
            stream.append(number)
        if step is not None:
            drawn.append(number)
            step = step + 1 if step + 1 < len(script.steps) else None
            if step is None:
                yield backbone.decode_picture(drawn)
                drawn = []
        elif number == script.begin:
            if text := backbone.decode_text(words):
                yield text
            words, pictures, step = [], pictures + 1, 0
        else:
            words.append(number)
    if text := backbone.decode_text(words):
        yield text
    if step is not None:
        yield Unfinished(step, len(script.steps))


class _Stream:
    """A sequence that grows, and its cache."""

    def __init__(self, backbone: Backbone, ids: list[int]) -> None:
        self._backbone, self._fresh, self._cache = backbone, ids, None

    def append(self, number: int) -> None:
        self._fresh = [number]

    def logits(self) -> Tensor:
        """(V,) float32 on the CPU."""
        ids = torch.tensor([self._fresh], device=self._backbone.model.device)
        with torch.no_grad():
            found, self._cache = self._backbone.logits(ids, self._cache)
        return found.float().cpu()


def _next(logits: list[Tensor], script: Script, step: int | None, settings: Settings, generator: torch.Generator, may_draw: bool) -> int:
    """The next id. step: within a picture's script, None in text."""
    if step is not None:
        fixed = script.steps[step]
        if fixed is not None:
            return fixed
        codes = [one[script.codes] for one in logits]
        guided = codes[0] if len(codes) == 1 else codes[1] + settings.guidance * (codes[0] - codes[1])
        return int(script.codes[_sampled(guided, settings.image, generator)])
    shut = [*script.codes.tolist(), *script.closed, *([] if may_draw else [script.begin])]
    return _sampled(logits[0].index_fill(0, torch.tensor(shut), -torch.inf), settings.text, generator)


def _sampled(logits: Tensor, how: Sampling, generator: torch.Generator) -> int:
    """An index into logits, (N,)."""
    if how.temperature == 0:
        return int(logits.argmax())
    if 0 < how.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(how.top_k).values[-1], -torch.inf)
    return int(torch.multinomial((logits / how.temperature).softmax(0), 1, generator=generator))
