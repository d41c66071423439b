"""Hash an image for the index: 256 bits that stay nearly the same when it is scaled, recompressed or cropped
a little.

The gray image is averaged to 32 x 32 cells, and of its discrete cosine transform the 16 x 16 lowest
frequencies are kept. A bit is the sign of its coefficient. The bit of the mean (frequency 0, 0) is always
set, so that a hash is never zero, which would mean no hash.

A bit is compared with zero, not with the median as in pHash (Zauner 2010), so that the hash of the mirror
image follows from that of the image (images/near.py, which also compares hashes).

An image without structure has no hash, because its signs would be noise: one of fewer pixels than cells on a
side, or with most coefficients at nearly zero (a plain area, stripes, a symmetric sign).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.images.near import LOW

CODE = 1
"""Increased when the same image gets another hash."""
_CELLS, _LOW = 32, LOW
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
    cells = np.asarray(image.convert("L").resize((_CELLS, _CELLS), Pil.Resampling.BOX), np.float32)
    found = _COSINES @ cells @ _COSINES.T  # (vertical, horizontal frequency)
    if np.count_nonzero(np.abs(found) > _NOISE) < _SIGNALS:
        return None
    bits = found > 0
    bits[0, 0] = True
    return np.packbits(bits).tobytes().hex()


def _cosines() -> NDArray[np.float32]:
    """The lowest rows of the DCT-II matrix, (_LOW, _CELLS)."""
    frequency, cell = np.arange(_LOW)[:, None], np.arange(_CELLS)[None, :]
    return np.cos(math.pi * frequency * (2 * cell + 1) / (2 * _CELLS)).astype(np.float32)


_COSINES = _cosines()
