"""One choice among logits: the likeliest, by chance, and where there is nothing to choose from."""

from __future__ import annotations

import pytest
import torch

from leafinstruct.backbones.sampling import GREEDY, Sampling, sampled
from leafinstruct.errors import BackboneError

LOGITS = torch.tensor([0.0, 3.0, 1.0, -torch.inf])


def test_so_near_to_zero_is_zero():
    generator = torch.Generator().manual_seed(0)
    assert sampled(LOGITS, Sampling(1e-40), generator) == sampled(LOGITS, GREEDY, generator) == 1


def test_masked_ids_are_never_sampled_and_top_k_masks_others():
    generator = torch.Generator().manual_seed(0)
    assert {sampled(LOGITS, Sampling(5.0), generator) for _ in range(200)} == {0, 1, 2}
    assert {sampled(LOGITS, Sampling(5.0, 2), generator) for _ in range(200)} == {1, 2}


@pytest.mark.parametrize("how", [GREEDY, Sampling(1.0)])
@pytest.mark.parametrize("logits", [torch.tensor([0.0, torch.nan]), torch.full((3,), -torch.inf)])
def test_logits_that_are_not_finite_are_reported(how, logits):
    with pytest.raises(BackboneError, match="the model's logits are not finite"):
        sampled(logits, how, torch.Generator())
