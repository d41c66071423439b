"""What was lost where, summed until it is told: per modality, and per image of an answer, since later images
are the ones that degrade.

    text_loss, image_loss    mean over labeled words, over labeled patches
    image_loss_1, _2, ...    mean over the patches of the first, second, ... image of each answer; the last one is of all that follow, too
    z                        mean squared log-normalizer of the labeled ids, where it has a weight

Sums and counts stay on the device, so that nothing waits for it between two lines; over several processes
they are added up once a line.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from leafinstruct.backbones.backbone import Losses

IMAGES = 8
"""Told apart; the eighth and later ones share a mean."""
NAMES = ("text_loss", "image_loss", "z", *(f"image_loss_{number}" for number in range(1, IMAGES + 1)))


def ordinals(labels: Tensor, begin: int) -> Tensor:
    """Which image of its answer each labeled position follows, 0 before the first. labels: (B, T), -100 where
    nothing is said; begin: the mark that begins an image. An answer is a run of labels, so that turns and
    packed rows each count from 1."""
    said = labels != -100
    begun = (labels == begin).cumsum(1)
    # as many as had begun when this run of labels started
    before = begun.masked_fill(said, 0).cummax(1).values
    return (begun - before).masked_fill(~said, 0)


class Tally:
    """Sums and counts under NAMES."""

    def __init__(self) -> None:
        self._kept: Tensor | None = None  # (2, len(NAMES)) sums, counts

    def add(self, losses: Losses, labels: Tensor, begin: int, weight: float = 1.0) -> None:
        """One pass. weight: 0 for a pass that is run only because the other processes run one."""
        value, norm = losses.value.detach(), losses.norm.detach()
        which = [losses.text, losses.image, losses.ids]
        number = ordinals(labels, begin)[:, 1:].clamp(max=IMAGES)
        which += [losses.image & (number == place) for place in range(1, IMAGES + 1)]
        masks = torch.stack(which).flatten(1).float()  # (names, B (T - 1))
        each = torch.stack([value, value, norm.square(), *[value] * IMAGES]).flatten(1)
        found = weight * torch.stack([(each * masks).sum(1), masks.sum(1)])
        self._kept = found if self._kept is None else self._kept + found

    def means(self, together: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """The means since the last call, under NAMES; without what did not occur. together: adds up over
        processes."""
        kept = self._kept if self._kept is not None else torch.zeros(2, len(NAMES), device=device)
        self._kept = None
        sums, counts = together(kept).tolist()
        return {name: total / count for name, total, count in zip(NAMES, sums, counts, strict=True) if count}
