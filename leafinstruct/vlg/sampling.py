"""One choice among logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature: 0 takes the likeliest. top_k: of that many likeliest; 0 for all."""

    temperature: float = 0.0
    top_k: int = 0


LIKELIEST, AS_SAID = Sampling(), Sampling(temperature=1.0)


def sampled(logits: Tensor, how: Sampling, generator: torch.Generator) -> int:
    """An index into logits, (N,) on the CPU."""
    if how.temperature == 0:
        return int(logits.argmax())
    if 0 < how.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(how.top_k).values[-1], -torch.inf)
    return int(torch.multinomial((logits / how.temperature).softmax(0), 1, generator=generator))
