"""Compare the hashes of images (filter/index/image.py): which images are nearly the same.

A hash has the signs of the LOW x LOW lowest frequencies of a gray image. Mirroring an image changes the sign
of its odd horizontal frequencies and nothing else, so the hash of the mirror image is the hash with MIRROR
applied: no second hash is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""(n, 4) hashes of 256 bits, first bit first. All zero: no hash."""

LOW = 16
"""Frequencies of a hash in each direction."""
BITS = LOW * LOW
RADIUS = BITS // 10
"""Most different bits of two near images, 25. Over all pairs of different images of real pages the smallest
distance is 49 bits, but for diagrams drawn from one template."""
COPY = 8
"""Most different bits of a copy of a whole image: mirrored, scaled or recompressed. Scaled to three quarters
of their size, 113 real images differ in 1 bit in the median and in 9 at most. Of 550 clean drawn pages, which
show variations of a few scenes, 2 have only images that are so near to those of others."""

_ODD = np.tile(np.arange(LOW) % 2 == 1, LOW)
MIRROR: Hashes = np.frombuffer(np.packbits(_ODD).tobytes(), ">u8").astype(np.uint64)
"""(4,) bits that differ between the hash of an image and the hash of its mirror image."""


def hashes_of(written: Sequence[str | None]) -> Hashes:
    """Hashes as numbers, (n, 4). written: as `hash_of` gives them."""
    data = b"".join(bytes.fromhex(one) if one else bytes(BITS // 8) for one in written)
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 4)


def distances(one: Hashes, other: Hashes) -> NDArray[np.uint16]:
    """Number of different bits of each pair, (n,). one, other: (n, 4), or broadcast to it."""
    counts: NDArray[np.uint16] = np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.uint16)
    return counts


def are_near(one: Hashes, others: Hashes) -> bool:
    """Whether an image, or its mirror image, is within RADIUS of any of some images. one: (4,); others:
    (n, 4); all of them hashes, none zero."""
    both = np.stack([one, one ^ MIRROR])
    return bool((distances(both[:, None], others[None]) <= RADIUS).any())
