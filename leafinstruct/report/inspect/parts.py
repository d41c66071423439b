"""Run a task over the parts of a run, in worker processes for large runs, with results in the order of parts.

A page of 5,000 documents takes 30 s of CPU, nearly all of it in such tasks. A process takes a second to
start, so a small run stays in this process. An engine returns results in any order, but the bytes of a page
and what its budgets leave out depend on the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from leafinstruct.runtime.engine.base import Engine, Needs, Part, Task

ENOUGH = 2_000
"""Number of documents, or of images, from which worker processes are used: about 2 s of one core."""
OnProgress = Callable[[int, int], None]
"""Called with (parts done, all parts)."""


def in_order(
    task: Task, parts: Sequence[Part], engine: Engine | None, units: int, on_progress: OnProgress
) -> Iterator[dict[str, Any]]:
    """Reports of the task, in the order of parts; a report has the key `part`. engine: None for this process.
    units: number of documents or images, see ENOUGH."""
    reports = map(task, parts) if engine is None or units < ENOUGH else engine.map(task, parts, Needs())
    early: dict[str, dict[str, Any]] = {}
    turns = iter(parts)
    turn = next(turns, None)
    on_progress(0, len(parts))
    for done, report in enumerate(reports, 1):
        early[report["part"]] = report
        while turn is not None and turn.name in early:
            yield early.pop(turn.name)
            turn = next(turns, None)
        on_progress(done, len(parts))
