"""Hash an image for the index: 256 bits that stay nearly the same when it is scaled, recompressed or cropped
a little.

The gray image is averaged to 32 x 32 cells of equal area, and of its discrete cosine transform the 16 x 16
lowest frequencies are kept. Both steps are one product for each side. A pixel on the border of two cells
counts in each by its share: with whole pixels, the hash of an image at 64 px differs from that at 256 px by
15 bits instead of 8. A bit is the sign of its coefficient. The bit of the mean (frequency 0, 0) is always
set, so that a hash is never zero, which would mean no hash.

Mirroring an image changes the sign of its odd horizontal frequencies and nothing else, so the hash of the
mirror image is the hash with MIRROR applied: no second hash is stored. That is why a bit is compared with
zero, not with the median as in pHash (Zauner 2010).

An image without structure has no hash, because its signs would be noise: one of fewer pixels than cells on a
side, or with most coefficients at nearly zero (a plain area, stripes, a symmetric sign).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

Hashes = NDArray[np.uint64]
"""(n, 4) hashes of 256 bits, first bit first. All zero: no hash."""

BITS = 256
CODE = 2
"""Increased when the same image gets another hash."""
_CELLS, _LOW = 32, 16
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


def hashes_of(written: Sequence[str | None]) -> Hashes:
    """Hashes as numbers, (n, 4). written: as `hash_of` gives them."""
    data = b"".join(bytes.fromhex(one) if one else bytes(BITS // 8) for one in written)
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 4)


def distances(one: Hashes, other: Hashes) -> NDArray[np.uint16]:
    """Number of different bits of each pair, (n,). one, other: (n, 4), or broadcast to it."""
    counts: NDArray[np.uint16] = np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.uint16)
    return counts


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


_ODD = np.tile(np.arange(_LOW) % 2 == 1, _LOW)
MIRROR: Hashes = np.frombuffer(np.packbits(_ODD).tobytes(), ">u8").astype(np.uint64)
"""(4,) bits that differ between the hash of an image and the hash of its mirror image."""
