"""Run a task over the parts of a run, in worker processes for large runs, with results in the order of parts.

A page of 5,000 documents takes 30 s of CPU, nearly all of it in such tasks. A process takes a second to
start, so a small run stays in this process. An engine returns results in any order, but the bytes of a page
and what its budgets leave out depend on the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part

T = TypeVar("T")

ENOUGH = 2_000
"""Number of documents, or of images, from which worker processes are used: about 2 s of one core."""
OnProgress = Callable[[int, int], None]
"""Called with (parts done, all parts)."""


def in_order(
    task: Callable[[Part], Found[tuple[str, T]]],
    parts: Sequence[Part],
    engine: Engine | None,
    units: int,
    on_progress: OnProgress,
) -> Iterator[tuple[str, T]]:
    """Results of the task, in the order of parts, each with the name of its part. engine: None for this
    process. units: number of documents or images, see ENOUGH."""
    results = map(task, parts) if engine is None or units < ENOUGH else engine.map(task, parts, Needs())
    early: dict[str, T] = {}
    turns = iter(parts)
    turn = next(turns, None)
    on_progress(0, len(parts))
    for done, found in enumerate(results, 1):
        part, result = found.value
        early[part] = result
        while turn is not None and turn.name in early:
            yield turn.name, early.pop(turn.name)
            turn = next(turns, None)
        on_progress(done, len(parts))
