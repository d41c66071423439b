"""The engine protocol: `map` a task over parts; results come back in any order.

A task is a picklable top-level function of (config, part), with config bound by functools.partial. It writes
its part's files itself and returns a small result. It must be idempotent, because an engine may run it again
after losing a worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Generic, Literal, Protocol, TypeVar

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
    `parts_in_flight` parts at a time, which bounds memory. gpu: in one process per device, which keeps its
    model for all parts and asks `engine.device.assigned` for its device.
    """

    kind: Literal["cpu", "io", "gpu"] = "cpu"
    parts_in_flight: int = 2
    what: str = "parts"
    """What the task does, for the progress line."""
    unit: str = "documents"
    """The count of the results that measures progress."""
    pulse: Callable[[], int] | None = None
    """io only: returns that count so far. Called every second, for parts so long that their result comes too
    late to show progress."""
    state: Callable[[], str] | None = None
    """io only: returns what a service does for the parts without this process, "" for nothing."""
    devices: tuple[str, ...] = ()
    """gpu only: names of the devices of this machine, as torch has them. An engine on other machines only
    uses their kind."""
    before: Callable[[Part], TaskResult] | None = None
    """gpu only: a cpu task over each part before `task`, for what needs no device. It runs ahead of the
    devices; the result of a part is the sum of both."""
    release: Callable[[], Awaitable[None]] | None = None
    """io only: awaited in the loop after the last part, even after an error, e.g. to close connections."""


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """Result of a task over one part.

    counts: what was processed and made, by name. repaired: damaged files or cache entries that were made
    again, by what they are.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)


def joined(first: TaskResult, second: TaskResult) -> TaskResult:
    """The result of two tasks over the same part."""

    def sums(*both: Mapping[str, int]) -> dict[str, int]:
        return {name: sum(one.get(name, 0) for one in both) for name in dict.fromkeys(chain(*both))}

    return TaskResult(
        counts=sums(first.counts, second.counts), repaired=sums(first.repaired, second.repaired)
    )


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Found(TaskResult, Generic[T]):
    """Result of a task that returns a value instead of writing files."""

    value: T


def first_half(task: Callable[[Part], TaskResult], part: Part) -> Found[Part]:
    """Task: run `Needs.before`, and hand its result on with the part."""
    return Found(value=Part(part.name, (part.payload, task(part))))


def second_half(task: Callable[[Part], TaskResult], part: Part) -> Any:
    """Task: run the task of a device over what `first_half` handed on, and sum both results."""
    payload, first = part.payload
    second = task(Part(part.name, payload))
    both = joined(first, second)
    return replace(second, counts=both.counts, repaired=both.repaired)


R = TypeVar("R", bound=TaskResult)

Task = Callable[[Part], R | Awaitable[R]]
"""Returns a part's result for `cpu`, an awaitable of one for `io`."""


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

    @property
    def workers(self) -> int:
        """Number of parts that run at a time."""
        ...

    @property
    def remote(self) -> bool:
        """Whether parts may run on other machines."""
        ...

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """Run `task` on every part and yield the results as parts finish. The first exception of a task is
        raised after the running parts have ended."""
        ...


def hashing(
    engine: Engine, task: Callable[[Part], R], parts: Sequence[Part], needs: Needs, size: int
) -> Iterator[R]:
    """`engine.map` of a task that hashes files of `size` bytes in total; below SMALL, sequentially in this
    process."""
    return (task(part) for part in parts) if size < SMALL else engine.map(task, parts, needs)
