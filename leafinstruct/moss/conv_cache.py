"""The convolution's state between two chunks of a sequence, stored on the KV cache and re-ordered with it.

A patch needs its neighbors' projections, so each adapted layer keeps those of the last patches of the
unfinished image: (k - 1)(W + 1) of them, the whole image with shuffled neighbors. The ids so far are kept
too, because the position of the next patch follows from them. The state is an attribute of the KV cache
object and follows its beams. A cache that was cut (`crop`, assisted decoding) is recognized by its length and
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from torch import Tensor

_NAME = "leafinstruct_moss"


class KvCache(Protocol):
    """A KV cache of transformers."""

    def get_seq_length(self) -> int:
        """Return the number of tokens in it."""


class ConvCache:
    """State of the convolutions of one sequence.

    rows: projections, (layer, adapter) -> (B, R, C); positions: (B, R, 3) of those rows; ids: (B, seen), None
    when the caller passes positions; seen: number of tokens so far.
    """

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


def of(cache: KvCache | None) -> ConvCache | None:
    """Return the conv cache of a KV cache: a new one for an empty KV cache, None without a KV cache.

    Raises ValueError when the KV cache holds tokens that the adapters have not processed.
    """
    if cache is None:
        return None
    seen = int(cache.get_seq_length())  # a static cache returns a tensor
    found = getattr(cache, _NAME, None)
    if seen == 0:
        return ConvCache()
    if not isinstance(found, ConvCache) or found.seen != seen:
        known = found.seen if isinstance(found, ConvCache) else 0
        raise ValueError(
            f"the KV cache holds {seen} tokens, but the convolution has processed {known}: the cache was "
            "filled with the adapter off or with gradients on, or was cut; start from an empty cache, "
            "without assisted decoding"
        )
    return found


def attach(state: ConvCache, cache: KvCache) -> None:
    """Store the state on a KV cache and re-order it with the cache. A copy of the cache (a prompt shared by
    several answers) gets a copy of the state."""
    if getattr(cache, _NAME, None) is None:
        for name in _MOVES:
            if hasattr(cache, name):
                # not a closure: copies and pickles would refer to the first cache
                setattr(cache, name, partial(_moved, cache, name))
    setattr(cache, _NAME, state)


def _moved(cache: KvCache, name: str, argument: Tensor | int) -> None:
    getattr(type(cache), name)(cache, argument)
    getattr(cache, _NAME).each(lambda rows: _MOVES[name](rows, argument))


_MOVES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "reorder_cache": lambda rows, index: rows.index_select(0, index.to(rows.device)),
    "batch_select_indices": lambda rows, index: rows[index.to(rows.device)],
    "batch_repeat_interleave": lambda rows, times: rows.repeat_interleave(times, dim=0),
}
