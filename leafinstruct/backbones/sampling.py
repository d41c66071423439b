"""Sample an index from logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leafinstruct.errors import BackboneError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. temperature: 0 is greedy; top_k: number of the largest logits considered, 0 for all."""

    temperature: float = 0.0
    top_k: int = 0


GREEDY, ANCESTRAL = Sampling(), Sampling(temperature=1.0)


def sampled(logits: Tensor, how: Sampling, generator: torch.Generator) -> int:
    """Sample an index into logits, (N,) on the CPU. Raises BackboneError when they are not finite: the
    weights are damaged, or the adapter diverged."""
    if bool(logits.isnan().any()) or not bool((logits > -torch.inf).any()):
        raise BackboneError("the model's logits are not finite: are its weights, or the adapter's, damaged?")
    if how.temperature == 0:
        return int(logits.argmax())
    if 0 < how.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(how.top_k).values[-1], -torch.inf)
    scaled = logits / how.temperature
    if bool((scaled == torch.inf).any()):  # the temperature is so small that the quotient overflows
        return int(logits.argmax())
    return int(torch.multinomial(scaled.softmax(0), 1, generator=generator))
