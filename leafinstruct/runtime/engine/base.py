"""The engine protocol: `map` a task over parts; reports come back in any order.

A task is a picklable top-level function of (config, part), with config bound by functools.partial. It writes
its part's files itself and returns a small report. It must be idempotent, because an engine may run it again
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
    """A unit of work: its name, which is part of its file names, and further input of the task (picklable,
    small)."""

    name: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Needs:
    """Where and how a task has to run.

    cpu: in its own process; torch and OpenMP threads are divided among processes. io: an async task in one
    event loop of the calling process, so that rate limits and budget have one owner; at most
    `parts_in_flight` parts at a time, which bounds memory.
    """

    kind: Literal["cpu", "io"] = "cpu"
    parts_in_flight: int = 2
    what: str = "parts"
    """What the task does, for the progress line."""
    unit: str = "documents"
    """The count of the reports that measures progress."""
    pulse: Callable[[], int] | None = None
    """io only: returns that count so far. Called every second, for parts so long that their report comes too
    late to show progress."""
    release: Callable[[], Awaitable[None]] | None = None
    """io only: awaited in the loop after the last part, even after an error, e.g. to close connections."""


Task = Callable[[Part], Any]
"""Returns a part's report (dict) for `cpu`, an awaitable of one for `io`."""


SMALL = 256_000_000
"""Bytes that are hashed in 0.17 s, which is less than starting a worker takes."""


@contextmanager
def naming(stage: str) -> Iterator[None]:
    """Prefix a WorkerError with the stage."""
    try:
        yield
    except WorkerError as error:
        raise WorkerError(f"{stage}: {error}") from error


class Engine(Protocol):
    """Runs tasks over parts."""

    workers: int

    def map(self, task: Task, parts: Sequence[Part], needs: Needs) -> Iterator[dict[str, Any]]:
        """Run `task` on every part and yield the reports as parts finish. The first exception of a task is
        raised after the running parts have ended."""
        ...


def hashing(
    engine: Engine, task: Task, parts: Sequence[Part], needs: Needs, size: int
) -> Iterator[dict[str, Any]]:
    """`engine.map` of a task that hashes files of `size` bytes in total; below SMALL, sequentially in this
    process."""
    return (task(part) for part in parts) if size < SMALL else engine.map(task, parts, needs)
