"""Assign a row to a split and a shard by hashes, so that nothing depends on order, workers or other rows.

    split = where hash(seed, group) falls among the shares of the splits     group: name of the row's group
    (groups.py)
    shard = range of hash(seed, id), 2^k ranges per task and split           k: smallest with at most
    max_bytes per shard on average

The number of shards is a power of two, so that growth doubles it occasionally instead of moving every row
with every new megabyte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def unit(seed: int, text: str) -> float:
    """A point in [0, 1), uniform over texts, from 64 bits of sha256."""
    value = int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8])
    return value / 2**64


def split_of(seed: int, group: str, shares: Mapping[str, float]) -> str:
    """The split of a group. Shares sum to 1; their order matters."""
    point, reached = unit(seed, f"split\0{group}"), 0.0
    for name, share in shares.items():
        reached += share
        if point < reached:
            return name
    return next(reversed([name for name, share in shares.items() if share > 0]))


def shard_count(total_bytes: int, max_bytes: int) -> int:
    """The smallest power of two with at most max_bytes per shard on average."""
    count = 1
    while total_bytes > count * max_bytes:
        count *= 2
    return count
