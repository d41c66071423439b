"""Which split and which shard a row belongs to: hashes only, so that nothing depends on order, workers or the
other rows.

    split = where hash(seed, group) falls among the splits' shares      group: rows that belong together, by name (groups.py)
    shard = range of hash(seed, id), 2^k ranges a task and split        k: smallest with at most max_bytes a shard on average

A power of two, because then growth doubles the number of shards once in a while instead of moving every row
at every new megabyte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def unit(seed: int, text: str) -> float:
    """A point in [0, 1), uniform over texts, from 64 bits of sha256."""
    value = int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8])
    return value / 2**64


def split_of(seed: int, group: str, shares: Mapping[str, float]) -> str:
    """Name of the split that a group falls into; shares sum to 1 and keep their order."""
    point, reached = unit(seed, f"split\0{group}"), 0.0
    for name, share in shares.items():
        reached += share
        if point < reached:
            return name
    return next(reversed([name for name, share in shares.items() if share > 0]))


def shard_count(total_bytes: int, max_bytes: int) -> int:
    """Smallest power of two that keeps the average shard at or below max_bytes."""
    count = 1
    while total_bytes > count * max_bytes:
        count *= 2
    return count
