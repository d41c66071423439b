"""One choice among logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leafinstruct.errors import BackboneError


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature: 0 takes the likeliest. top_k: of that many likeliest; 0 for all."""

    temperature: float = 0.0
    top_k: int = 0


GREEDY, ANCESTRAL = Sampling(), Sampling(temperature=1.0)


def sampled(logits: Tensor, how: Sampling, generator: torch.Generator) -> int:
    """An index into logits, (N,) on the CPU. Raises BackboneError where they are no numbers: damaged weights,
    or an adapter that ran away."""
    if bool(logits.isnan().any()) or not bool((logits > -torch.inf).any()):
        raise BackboneError("the model's scores are no numbers: are its weights, or the adapter's, damaged?")
    if how.temperature == 0:
        return int(logits.argmax())
    if 0 < how.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(how.top_k).values[-1], -torch.inf)
    scaled = logits / how.temperature
    if bool((scaled == torch.inf).any()):  # so near to 0 that it is 0
        return int(logits.argmax())
    return int(torch.multinomial(scaled.softmax(0), 1, generator=generator))
