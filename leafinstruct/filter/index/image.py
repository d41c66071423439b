"""Hash an image for the index: 256 bits that stay nearly the same when it is scaled, recompressed or cropped
a little.

The gray image is averaged to 32 x 32 cells, and of its discrete cosine transform the 16 x 16 lowest
frequencies are kept. A bit is the sign of its coefficient. The bit of the mean (frequency 0, 0) is always
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

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

Hashes = NDArray[np.uint64]
"""(n, 4) hashes of 256 bits, first bit first. All zero: no hash."""

BITS = 256
CODE = 1
"""Increased when the same image gets another hash."""
_CELLS, _LOW = 32, 16
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


def hashes_of(written: Sequence[str | None]) -> Hashes:
    """Hashes as numbers, (n, 4). written: as `hash_of` gives them."""
    data = b"".join(bytes.fromhex(one) if one else bytes(BITS // 8) for one in written)
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 4)


def distances(one: Hashes, other: Hashes) -> NDArray[np.uint16]:
    """Number of different bits of each pair, (n,). one, other: (n, 4), or broadcast to it."""
    counts: NDArray[np.uint16] = np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.uint16)
    return counts


def _cosines() -> NDArray[np.float32]:
    """The lowest rows of the DCT-II matrix, (_LOW, _CELLS)."""
    frequency, cell = np.arange(_LOW)[:, None], np.arange(_CELLS)[None, :]
    return np.cos(math.pi * frequency * (2 * cell + 1) / (2 * _CELLS)).astype(np.float32)


_COSINES = _cosines()
_ODD = np.tile(np.arange(_LOW) % 2 == 1, _LOW)
MIRROR: Hashes = np.frombuffer(np.packbits(_ODD).tobytes(), ">u8").astype(np.uint64)
"""(4,) bits that differ between the hash of an image and the hash of its mirror image."""
