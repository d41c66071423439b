"""Hash an image for the index: 256 bits that stay nearly the same when it is scaled, recompressed or cropped
a little.

The gray image is averaged to 32 x 32 cells of equal area, and of its discrete cosine transform the 16 x 16
lowest frequencies are kept. Both steps are one product for each side. A pixel on the border of two cells
counts in each by its share: with whole pixels, the hash of an image at 64 px differs from that at 256 px by
15 bits instead of 8. A bit is the sign of its coefficient. The bit of the mean (frequency 0, 0) is always
set, so that a hash is never zero, which would mean no hash.

A bit is compared with zero, not with the median as in pHash (Zauner 2010), so that the hash of the mirror
image follows from that of the image (images/near.py, which also compares hashes).

An image without structure has no hash, because its signs would be noise: one of fewer pixels than cells on a
side, or with most coefficients at nearly zero (a plain area, stripes, a symmetric sign).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.images.near import LOW

CODE = 2
"""Increased when the same image gets another hash."""
_CELLS, _LOW = 32, LOW
HASH_PX = 64
"""Pixels on the shorter side from which an image is hashed that is decoded for its hash alone. On real pages
its hash differs from the one at 256 px by 4 bits, and by 19 at most; at 32 px by 6, and by 35."""
_NOISE = 4.0
"""Size of a coefficient below which its sign is noise. Compression moves a cell by about 0.25 gray levels, a
coefficient by 16 times that."""
_SIGNALS = 3 * _LOW * _LOW // 4
"""Minimum number of coefficients above _NOISE. Real images have 220 to 256."""


def hash_of(image: Pil.Image) -> str | None:
    """The hash of a decoded image, as 64 hex digits; None if it has no structure. image: RGB or gray,
    any size."""
    if min(image.size) < _CELLS:
        return None
    gray = np.asarray(image.convert("L"), np.float32)
    height, width = gray.shape
    found = _frequencies(height) @ gray @ _frequencies(width).T  # (vertical, horizontal frequency)
    if np.count_nonzero(np.abs(found) > _NOISE) < _SIGNALS:
        return None
    bits = found > 0
    bits[0, 0] = True
    return np.packbits(bits).tobytes().hex()


@lru_cache(maxsize=512)
def _frequencies(pixels: int) -> NDArray[np.float32]:
    """The product of the lowest rows of the DCT-II matrix with the mean over each cell of a line of so many
    pixels, (_LOW, pixels)."""
    frequency, cell = np.arange(_LOW)[:, None], np.arange(_CELLS)[None, :]
    cosines = np.cos(math.pi * frequency * (2 * cell + 1) / (2 * _CELLS))
    borders, pixel = np.arange(_CELLS + 1)[:, None] * pixels / _CELLS, np.arange(pixels)
    covered = np.diff(np.clip(borders - pixel, 0, 1), axis=0)  # of each pixel by each cell
    found: NDArray[np.float32] = (cosines @ covered * (_CELLS / pixels)).astype(np.float32)
    return found
