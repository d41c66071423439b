"""Sum losses until they are logged: per modality, and per image of an answer, because later images degrade.

    text_loss, image_loss    mean over labeled words, over labeled patches
    image_loss_1, _2, ...    mean over the patches of the first, second, ... image of each answer; the last
                             one includes all that follow
    z                        mean squared log-normalizer of the labeled ids, if it has a weight

Sums and counts stay on the device, so nothing waits for it between two log lines. Over several processes they
are added once per line.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from leafinstruct.backbones.backbone import Losses

IMAGES = 8
"""Number of image positions with a mean of their own; the last one includes all later images."""
NAMES = ("text_loss", "image_loss", "z", *(f"image_loss_{number}" for number in range(1, IMAGES + 1)))


def ordinals(labels: Tensor, begin: int) -> Tensor:
    """Return the number of the image of its answer that each labeled position belongs to or follows, (B, T);
    0 before the first. labels: (B, T), -100 for no label; begin: the id that begins an image. An answer is a
    run of labels, so turns and packed rows each count from 1."""
    labeled = labels != -100
    begun = (labels == begin).cumsum(1)
    before = begun.masked_fill(labeled, 0).cummax(1).values  # images that began before this run of labels
    return (begun - before).masked_fill(~labeled, 0)


class Tally:
    """Sums and counts under NAMES."""

    def __init__(self) -> None:
        self._kept: Tensor | None = None  # (2, len(NAMES)) sums, counts

    def add(self, losses: Losses, labels: Tensor, begin: int, weight: float = 1.0) -> None:
        """Add one pass. weight: 0 for a pass that only keeps this process in step with the others."""
        value, norm = losses.value.detach(), losses.norm.detach()
        which = [losses.text, losses.image, losses.ids]
        number = ordinals(labels, begin)[:, 1:].clamp(max=IMAGES)
        which += [losses.image & (number == place) for place in range(1, IMAGES + 1)]
        masks = torch.stack(which).flatten(1).float()  # (names, B (T - 1))
        each = torch.stack([value, value, norm.square(), *[value] * IMAGES]).flatten(1)
        found = weight * torch.stack([(each * masks).sum(1), masks.sum(1)])
        self._kept = found if self._kept is None else self._kept + found

    def means(self, reduce: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """Return the means since the last call by NAMES, without those of nothing. reduce: sums over
        processes."""
        kept = self._kept if self._kept is not None else torch.zeros(2, len(NAMES), device=device)
        self._kept = None
        sums, counts = reduce(kept).tolist()
        return {name: total / count for name, total, count in zip(NAMES, sums, counts, strict=True) if count}
