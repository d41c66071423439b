"""Backbones with one vocabulary for words and picture codes: what Chameleon and Emu3 share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from leafinstruct.vlg.backbone import Item, Losses
from leafinstruct.vlg.sampling import Sampling, sampled


class Codes:
    """The part of a backbone that draws and judges ids. codes: ids of patches, (C,), sorted."""

    guided: Literal["patches", "decoder"] = "patches"

    def __init__(self, model: Any, codes: Tensor) -> None:
        self.model, self.codes = model, codes

    def inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """See Backbone."""
        return {"input_ids": torch.tensor([[int(item) for item in items]], device=self.model.device)}

    def step(self, items: Sequence[Item], cache: Any) -> tuple[Tensor, Any]:
        """The last position's logits, (V,), and the cache."""
        with torch.no_grad():
            found = self.model(**self.inputs(items), past_key_values=cache, use_cache=True, logits_to_keep=1)
        return found.logits[0, -1], found.past_key_values

    def words(self, out: Tensor) -> Tensor:
        """See Backbone."""
        return out.float().cpu()

    def patch(self, outs: Sequence[Tensor], how: Sampling, guidance: float, generator: torch.Generator) -> int:
        """A code, drawn from u + g (c - u): c are the prompted logits, u the unprompted ones."""
        logits = [self.words(out)[self.codes] for out in outs]
        guided = logits[0] if len(logits) == 1 else logits[1] + guidance * (logits[0] - logits[1])
        return int(self.codes[sampled(guided, how, generator)])

    def losses(self, inputs: Mapping[str, Tensor], labels: Tensor) -> Losses:
        """Cross-entropy, of codes over the whole vocabulary."""
        logits = self.model(**inputs, use_cache=False).logits[:, :-1].float()
        wanted = labels[:, 1:]
        value = cross_entropy(logits.transpose(1, 2), wanted, reduction="none", ignore_index=-100)
        image = torch.isin(wanted, self.codes.to(wanted.device))
        return Losses(value, (wanted != -100) & ~image, image)
