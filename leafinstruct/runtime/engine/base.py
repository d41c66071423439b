"""The engine protocol: `map` a task over parts, reports come back in any order.

A task is a picklable top-level function of (config, part), with config bound by functools.partial: it writes
its part's files itself and returns a small report. It must be idempotent, since an engine may run it again
after losing a worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from leafinstruct.errors import WorkerError


@dataclass(frozen=True, slots=True)
class Part:
    """A unit of work: its name, which its files carry, and whatever the task needs beyond its config
    (picklable, small)."""

    name: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task needs of its place.

    cpu: a process of its own, torch and OpenMP threads divided among processes. io: an async task, run beside
    others in one event loop of the calling process, so that rate limits and budget have one owner; at most
    `parts_in_flight` parts at a time, which bounds memory.
    """

    kind: Literal["cpu", "io"] = "cpu"
    parts_in_flight: int = 2
    what: str = "parts"
    """What the task does, for the line of progress."""
    unit: str = "documents"
    """Which count of the parts' reports tells how fast it goes."""
    pulse: Callable[[], int] | None = None
    """io only: that count so far, asked every second, where a part takes so long that its report comes too
    late to show progress."""
    release: Callable[[], Awaitable[None]] | None = None
    """io only: awaited in the loop after the last part, however the map ends (closing a client's
    connections)."""


Task = Callable[[Part], Any]
"""Returns a PartReport (dict) for `cpu`, an awaitable of one for `io`."""


SMALL = 256_000_000
"""Bytes that are hashed in a sixth of a second: less than it takes to start a worker."""


@contextmanager
def naming(stage: str) -> Iterator[None]:
    """Put the stage before what is known of a worker that died."""
    try:
        yield
    except WorkerError as error:
        raise WorkerError(f"{stage}: {error}") from error


class Engine(Protocol):
    """Runs tasks over parts."""

    workers: int

    def map(self, task: Task, parts: Sequence[Part], needs: Needs) -> Iterator[dict[str, Any]]:
        """Run `task` on every part and yield the reports as they come. The first exception of a task is
        raised after running parts ended."""
        ...


def hashing(
    engine: Engine, task: Task, parts: Sequence[Part], needs: Needs, size: int
) -> Iterator[dict[str, Any]]:
    """`engine.map` of a task that hashes files of `size` bytes in all; where these are few, here and one part
    after the other."""
    return (task(part) for part in parts) if size < SMALL else engine.map(task, parts, needs)
