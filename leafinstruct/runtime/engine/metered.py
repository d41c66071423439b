"""An engine that measures what tasks take: CPU seconds and peak memory, for each part and each step.

A step is a `map`, named by what it does. What this process does until the next map is a step of its own,
`before` the name of that one: the global steps, and what a stage does for each of its parts.

CPU seconds are those of the process of a task with all of its threads, so other load on the machine changes
them little. Peak memory is of resident pages, libraries included; the peak is reset before each task where
the system allows it (Linux), and is otherwise the largest so far.

Tasks of the event loop run one part after the other, and what runs beside a device (`Needs.before`) runs
before it, because work that overlaps in one process cannot be measured separately.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, R, Task, joined


@dataclass(frozen=True, slots=True)
class Used:
    """What one task took. step: see above. part: empty between two maps. kind: of Needs, and `here` between
    two maps. cpu, seconds: CPU time and elapsed time. memory: peak of resident bytes."""

    step: str
    part: str
    kind: str
    cpu: float
    seconds: float
    memory: int


class Metered:
    """An engine that measures another one. used: of all tasks so far. skip: steps that are not run, because
    their results are there."""

    def __init__(self, engine: Engine, skip: frozenset[str] = frozenset()) -> None:
        self.workers, self.remote = engine.workers, engine.remote
        self.used: list[Used] = []
        self._engine, self._skip = engine, skip
        self._mark = time.process_time(), time.perf_counter()
        _reset_peak()

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """See Engine.map."""
        self.between(f"before {needs.what}")
        if needs.what in self._skip:
            return iter(())
        if needs.kind == "io":
            return self._in_turn(task, parts, needs)
        if needs.before is not None:
            return self._before_and_after(task, parts, needs)
        return self._measured(task, parts, needs)

    def between(self, step: str) -> None:
        """Record what this process did since the last call as a step."""
        (cpu, wall), now = self._mark, (time.process_time(), time.perf_counter())
        self.used.append(Used(step, "", "here", now[0] - cpu, now[1] - wall, _peak_memory()))
        self._begin()

    def _begin(self) -> None:
        self._mark = time.process_time(), time.perf_counter()
        _reset_peak()

    def _measured(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        for found in self._engine.map(partial(_measure, needs.what, needs.kind, task), parts, needs):
            result, used = found.value
            self.used.append(used)
            yield cast("R", result)

    def _before_and_after(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        assert needs.before is not None, "see map"
        beside = Needs(what=f"{needs.what}: reading", unit=needs.unit)
        first = dict(found.value for found in self._measured(partial(_named, needs.before), parts, beside))
        for found in self._measured(partial(_named, task), parts, replace(needs, before=None)):
            name, second = found.value
            both = joined(first[name], second)
            yield cast("R", replace(second, counts=both.counts, repaired=both.repaired))

    def _in_turn(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """Every part in an event loop of its own, so what this process takes is the part's."""
        for part in parts:
            with _meter(needs.what, needs.kind, part) as took:
                results = list(self._engine.map(task, [part], needs))
            self.used += took
            self._begin()
            yield from results


def _named(task: Callable[[Part], Any], part: Part) -> Found[tuple[str, Any]]:
    result = task(part)
    return Found(counts=result.counts, value=(part.name, result))


def _measure(what: str, kind: str, task: Callable[[Part], Any], part: Part) -> Found[tuple[Any, Used]]:
    with _meter(what, kind, part) as took:
        result = task(part)
    return Found(counts=result.counts, value=(result, took[0]))


@contextmanager
def _meter(what: str, kind: str, part: Part) -> Iterator[list[Used]]:
    """Yield a list that gets what the block took."""
    took: list[Used] = []
    _reset_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    yield took
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    took.append(Used(what, part.name, kind, cpu, wall, _peak_memory()))


def _reset_peak() -> None:
    """Let the peak of this process begin at its present memory, where the system allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_memory() -> int:
    """Largest number of resident bytes of this process since the reset, or since it started."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
