"""A task over the parts of a run for its page: reports in the order of the parts, from processes where that
pays.

A page of 5,000 documents takes 30 s of CPU, nearly all of it by parts. A process takes a second to start, so
a small run stays in this one. Order is restored here, because a page's bytes and what its budgets leave out
depend on it; an engine answers in any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from leafinstruct.runtime.engine.base import Engine, Needs, Part, Task

ENOUGH = 2_000
"""Documents to read, or images to shrink, from which processes are begun: about 2 s of one core."""
OnProgress = Callable[[int, int], None]
"""Parts done, parts in all."""


def in_order(
    task: Task, parts: Sequence[Part], engine: Engine | None, units: int, on_progress: OnProgress
) -> Iterator[dict[str, Any]]:
    """The task's report of each part. A report names its `part`. engine: None for this process; units: what
    there is to do, see ENOUGH."""
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
