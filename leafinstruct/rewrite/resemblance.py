"""Similarity of two images: structural similarity (SSIM) of their luminance at 64 px.

    ssim = mean over 8 x 8 windows of (2 m1 m2 + c1)(2 s12 + c2) / ((m1^2 + m2^2 + c1)(s1^2 + s2^2 + c2))
    in [-1, 1]

The same image scores 1, two screenshots of one window 0.7 and more, photographs of different things 0 to 0.3.
Images whose proportions differ by more than 5% score 0.

Source: Wang et al. 2004 (doi 10.1109/TIP.2003.819861), with square windows instead of Gaussian ones. Chosen
over scikit-image, because one function is not worth a dependency of 13 MB. Cost: 1 to 3 ms per pair, nearly
all of it decoding.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.images.decode import Undecodable, decode

SIDE, WINDOW, STEP = 64, 8, 4
PROPORTIONS = 0.05
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def resemblance(first: bytes, second: bytes) -> float:
    """Structural similarity of two encoded images, rounded to 1e-4; 0 if one cannot be decoded or their
    proportions differ."""
    images = [decode(data, 4 * SIDE) for data in (first, second)]
    one, other = images
    if isinstance(one, Undecodable) or isinstance(other, Undecodable):
        return 0.0
    ratio = (one.width * other.height) / (one.height * other.width)
    if abs(ratio - 1) > PROPORTIONS:
        return 0.0
    return round(ssim(_gray(one), _gray(other)), 4)


def ssim(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean SSIM of two (n, n) arrays of gray levels in [0, 255]."""
    # (h, w, 8, 8) each
    windows = [sliding_window_view(image, (WINDOW, WINDOW))[::STEP, ::STEP] for image in (first, second)]
    means = [window.mean(axis=(2, 3)) for window in windows]
    variances = [window.var(axis=(2, 3)) for window in windows]
    both = (windows[0] * windows[1]).mean(axis=(2, 3)) - means[0] * means[1]
    above = (2 * means[0] * means[1] + _C1) * (2 * both + _C2)
    below = (means[0] ** 2 + means[1] ** 2 + _C1) * (variances[0] + variances[1] + _C2)
    return float((above / below).mean())


def _gray(image: Pil.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Pil.Resampling.BOX), dtype=np.float64)
