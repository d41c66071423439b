"""The common part of backbones with one vocabulary for words and image codes: Chameleon and Emu3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from leafinstruct.backbones.backbone import Item, Losses, Targets
from leafinstruct.backbones.sampling import Sampling, sampled
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers.cache_utils import Cache


class Codes:
    """Sampling and losses of ids. codes: ids of patches, (C,), sorted."""

    guided: Literal["patches", "decoder"] = "patches"

    def __init__(self, model: nn.Module, codes: Tensor) -> None:
        """Raises BackboneError when there is no code."""
        if not len(codes):
            raise BackboneError(
                "the vocabulary has no ids for image codes, so this backbone only reads and writes text"
            )
        self.model, self.codes = model, codes

    def inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """See Backbone."""
        return {"input_ids": torch.tensor([[int(item) for item in items]], device=self.model.device)}

    def step(self, items: Sequence[Item], cache: Cache | None) -> tuple[Tensor, Cache]:
        """Return the last position's logits, (V,), and the cache."""
        with torch.no_grad():
            found = self.model(**self.inputs(items), past_key_values=cache, use_cache=True, logits_to_keep=1)
        return found.logits[0, -1], found.past_key_values

    def words(self, out: Tensor) -> Tensor:
        """See Backbone."""
        return out.float().cpu()

    def patch(
        self, outs: Sequence[Tensor], how: Sampling, guidance: float, generator: torch.Generator
    ) -> int:
        """Sample a code from u + g (c - u): c are the logits with the prompt, u those without."""
        logits = [self.words(out)[self.codes] for out in outs]
        guided = logits[0] if len(logits) == 1 else logits[1] + guidance * (logits[0] - logits[1])
        return int(self.codes[sampled(guided, how, generator)])

    def losses(self, inputs: Mapping[str, Tensor], labels: Tensor) -> Losses:
        """See Backbone: cross-entropy over the whole vocabulary, for codes too."""
        value, norm = of_ids(self.model(**inputs, use_cache=False).logits[:, :-1], labels[:, 1:])
        found = self.targets(labels)
        return Losses(value, found.text, found.image, found.ids, norm)

    def targets(self, labels: Tensor) -> Targets:
        """See Backbone."""
        wanted = labels[:, 1:]
        ids, image = wanted != -100, torch.isin(wanted, self.codes.to(wanted.device))
        return Targets(ids & ~image, image, ids)


def of_ids(logits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the log of its normalizer, (B, T) each, 0 where wanted is -100.

    logits: (B, T, V); wanted: (B, T). Only labeled rows are converted to float32, because prompts are often
    most of a batch and V is large.
    """
    flat = wanted.flatten()
    places = (flat != -100).nonzero()[:, 0]
    rows = logits.flatten(0, 1).index_select(0, places).float()  # (N, V)
    norm = rows.logsumexp(-1)
    loss = norm - rows.gather(1, flat[places, None])[:, 0]
    empty = torch.zeros(flat.shape, device=loss.device)
    value, norms = empty.index_copy(0, places, loss), empty.index_copy(0, places, norm)
    return value.view(wanted.shape), norms.view(wanted.shape)
