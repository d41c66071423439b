"""An engine that reports progress."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from leafinstruct.runtime.engine.base import Engine, Needs, Part, R, Task


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress of a stage: what it does now, parts done of all (or another thing that `of` names), and the
    amount of documents done (or of another `unit`). state: what a service does without this process."""

    stage: str
    what: str
    done: int
    total: int
    amount: int
    unit: str
    of: str = "parts"
    state: str = ""


OnProgress = Callable[[Progressed], None]


class Watched:
    """An engine that reports progress after every part. repaired: sums of the `repaired` counts of the parts'
    reports."""

    def __init__(
        self, engine: Engine, stage: str, on_progress: OnProgress, check: Callable[[], None] = lambda: None
    ) -> None:
        """check: called after every part; what it raises stops the step."""
        self.remote = engine.remote
        self._engine, self._stage, self._on_progress = engine, stage, on_progress
        self._check = check
        self.repaired: Counter[str] = Counter()

    @property
    def workers(self) -> int:
        return self._engine.workers

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """See Engine.map."""
        now = Progressed(self._stage, needs.what, 0, len(parts), 0, needs.unit)
        self._on_progress(now)
        last = [now]  # the last progress, which a pulse repeats with another amount
        watched: Task[R] = task
        if needs.pulse is not None or needs.state is not None:
            slow = cast("Callable[[Part], Awaitable[R]]", task)
            watched = partial(self._with_pulse, slow, needs, last)
        for done, result in enumerate(self._engine.map(watched, parts, needs), start=1):
            amount = needs.pulse() if needs.pulse else last[0].amount + result.counts.get(needs.unit, 0)
            last[0] = replace(now, done=done, amount=amount, state=needs.state() if needs.state else "")
            self._on_progress(last[0])
            self._check()
            self.repaired.update(result.repaired)
            yield result

    async def _with_pulse(
        self, task: Callable[[Part], Awaitable[R]], needs: Needs, last: list[Progressed], part: Part
    ) -> R:
        """Run the task and report progress every second."""

        async def report_progress() -> None:
            while True:
                await asyncio.sleep(1)
                amount = needs.pulse() if needs.pulse else last[0].amount
                self._on_progress(replace(last[0], amount=amount, state=needs.state() if needs.state else ""))

        working, reporting = asyncio.ensure_future(task(part)), asyncio.ensure_future(report_progress())
        try:
            await asyncio.wait({working, reporting}, return_when=asyncio.FIRST_COMPLETED)
            # it ends only if the callback raises an interrupt, which must not wait for the end of a long part
            if reporting.done():
                await reporting
            return await working
        finally:
            reporting.cancel()
            working.cancel()
