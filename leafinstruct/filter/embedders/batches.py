"""Run a model over items in batches, so that one item on which it fails fails alone.

A batch on which the model raises, such as for memory, is halved until the others have their rows. So the
composition of a batch never decides whether an item has one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafinstruct.errors import LeafInstructError

NOT_FINITE = "the model gave values that are not finite"

Rows = NDArray[np.float32]


def each(items: Sequence[Any], forward: Callable[[Sequence[Any]], Rows]) -> list[Rows | str]:
    """The row of each item, or why it has none. forward: items -> (B, d). An error about the recipe is
    raised."""
    if not items:
        return []
    reason = ""
    try:
        rows = forward(items)
    except LeafInstructError:
        raise
    except Exception as error:  # torch raises many kinds, also for memory
        reason = fault(error)
    if not reason:
        return [row if np.isfinite(row).all() else NOT_FINITE for row in rows]
    if len(items) == 1:
        return [reason]
    # outside of the handler, whose traceback holds the tensors of the batch
    half = len(items) // 2
    return each(items[:half], forward) + each(items[half:], forward)


def prepared(
    items: Iterable[Any],
    prepare: Callable[[Any], Any],
    forward: Callable[[Sequence[Any]], Rows],
    size: int,
    threads: int,
) -> list[Rows | str]:
    """The row of each item, or why it has none, in batches of `size`. prepare: item -> what `forward` takes;
    it runs in `threads` threads, at most two batches ahead of the model."""

    def attempt(item: Any) -> Any:
        try:
            return prepare(item)
        except Exception as error:  # whatever one image makes a decoder or a processor raise
            return fault(error)

    found: list[Rows | str] = []
    for batch in batched(_ahead(attempt, items, threads, 2 * size), size):
        rows = iter(each([item for item in batch if not isinstance(item, str)], forward))
        found += [item if isinstance(item, str) else next(rows) for item in batch]
    return found


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of `size`; the last may be shorter."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def fault(error: Exception) -> str:
    """An error on one line of at most 200 characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _ahead(function: Callable[[Any], Any], items: Iterable[Any], threads: int, window: int) -> Iterator[Any]:
    """Results in the order of the items, at most `window` computed ahead; without threads one at a time."""
    if not threads:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Any]] = deque()
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) >= window:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
