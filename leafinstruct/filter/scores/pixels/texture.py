"""Texture of gray levels: noise, and flatness as only drawn images have it.

    image.noise   Immerkaer 1996, "Fast noise variance estimation" (CVIU 64:2): the mean response to the
                  difference of two Laplacians, scaled to the standard deviation of Gaussian noise
    image.flat    Athitsos, Swain, Frankel 1997, "Distinguishing photographs and graphics on the World Wide
                  Web": graphics have large areas of one color

Deviations: the noise is that of the quietest tenth of the image's blocks of 16 x 16 pixels, since the mean
over an image takes leaves and fabric for noise; so an image with a tenth of flat background has none. Flat
areas are pixels that differ from their right and lower neighbor by at most one gray level, so that weak JPEG
compression does not hide them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]

_BLOCK = 16
"""Pixels of a block's side."""
_QUIET = 0.1
"""Quantile of the blocks' noise that is the image's noise."""


def noise(gray: Gray) -> float:
    """Standard deviation of Gaussian noise in (h, w) gray levels; 0 for an image without a block."""
    if min(gray.shape) < _BLOCK + 2:
        return 0.0
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    response = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])  # (h - 2, w - 2)
    return float(math.sqrt(math.pi / 2) / 6 * np.quantile(_blocks(response), _QUIET))


def flat(gray: Gray) -> float:
    """Share of pixels of (h, w) gray levels that equal their right and lower neighbor within one level; 0 for
    an image of one row or column."""
    if min(gray.shape) < 2:
        return 0.0
    here = gray[:-1, :-1]
    equal = (np.abs(here - gray[:-1, 1:]) <= 1) & (np.abs(here - gray[1:, :-1]) <= 1)
    return float(equal.mean())


def _blocks(values: Gray) -> Gray:
    """Mean of each whole block: (h, w) -> (h // 16, w // 16)."""
    height, width = (side // _BLOCK for side in values.shape)
    whole = values[: height * _BLOCK, : width * _BLOCK]
    means: Gray = whole.reshape(height, _BLOCK, width, _BLOCK).mean(axis=(1, 3))
    return means
