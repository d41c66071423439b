"""Held-out lessons: one in ten of all combinations (thing, color of its first part, color of its second
part).

Combinations are held out, not things or colors, so each word and each shape occurs in training and only the
combination is new. They are chosen by a hash of the names, independent of seed, order and corpus, so they are
the same everywhere.
"""

from __future__ import annotations

import hashlib

SHARE = 10
"""One in SHARE combinations is held out."""


def is_held_out(thing: str, first: str, second: str) -> bool:
    """Whether a combination is held out. thing: as "house"; first, second: colors of its first two parts."""
    name = f"{thing}/{first}/{second}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % SHARE == 0
