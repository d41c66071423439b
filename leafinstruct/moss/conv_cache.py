"""What a convolution must remember between two chunks of a sequence: kept on the KV cache, moved with it.

A patch needs its neighbors' projections, so each adapted layer keeps those of the last rows of the image that
is being written: (k - 1)(W + 1) of them, the whole image with shuffled taps. The ids so far are kept too,
from which the place of the next patch follows. All of it lives on the KV cache object and is re-ordered with
its beams; a cache that was cut (`crop`, assisted decoding) is noticed by its length and refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

_NAME = "leafinstruct_moss"


class ConvCache:
    """rows: (layer, adapter) -> (B, R, C). positions: (B, R, 3) of those rows. ids: (B, seen), where
    positions are made from ids. seen: tokens."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Tensor] = {}
        self.positions: Tensor | None = None
        self.ids: Tensor | None = None
        self.seen = 0

    def each(self, change: Callable[[Tensor], Tensor]) -> None:
        """Change every tensor along its batch axis."""
        self.rows = {key: change(rows) for key, rows in self.rows.items()}
        self.positions = None if self.positions is None else change(self.positions)
        self.ids = None if self.ids is None else change(self.ids)


def of(cache: Any) -> ConvCache | None:
    """The conv cache on a KV cache; a new one where nothing was seen yet; None without a KV cache.

    Raises ValueError where the KV cache knows tokens that the adapters have not seen.
    """
    if cache is None:
        return None
    seen = int(cache.get_seq_length())
    found = getattr(cache, _NAME, None)
    if seen == 0:
        return ConvCache()
    if not isinstance(found, ConvCache) or found.seen != seen:
        known = found.seen if isinstance(found, ConvCache) else 0
        raise ValueError(
            f"the KV cache holds {seen} tokens and the convolution remembers {known}: it was filled "
            "with the adapter off or with gradients on, "
            "or was cut; start from an empty cache, without assisted decoding"
        )
    return found


def attach(state: ConvCache, cache: Any) -> None:
    """Put it on a KV cache, whose re-ordering it then follows. A copy of the cache (a prompt that several
    answers begin with) has one of its own."""
    if getattr(cache, _NAME, None) is None:
        for name in _MOVES:
            if hasattr(cache, name):
                # no closure: copies and pickles would hold the first cache
                setattr(cache, name, partial(_moved, cache, name))
    setattr(cache, _NAME, state)


def _moved(cache: Any, name: str, argument: Any) -> None:
    getattr(type(cache), name)(cache, argument)
    getattr(cache, _NAME).each(lambda rows: _MOVES[name](rows, argument))


_MOVES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "reorder_cache": lambda rows, index: rows.index_select(0, index.to(rows.device)),
    "batch_select_indices": lambda rows, index: rows[index.to(rows.device)],
    "batch_repeat_interleave": lambda rows, times: rows.repeat_interleave(times, dim=0),
}
