"""The local engine: run parts in spawned processes, or in one event loop.

Processes are spawned, not forked: torch and Arrow have threads whose locks a fork would copy. The pool starts
with the first cpu task and is kept for all stages of a build, so torch and the CLIP weights are loaded once
per process instead of once per stage. The processes of devices are a pool of their own. One worker is also a
process: there is one code path, and a crash of native code does not end the build's own process.

Chosen: concurrent.futures over joblib and multiprocessing.Pool, because a worker that dies (out of memory)
raises BrokenProcessPool here and hangs there. Cost: about 0.2 s to start a worker, plus the imports of its
task.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from types import TracebackType
from typing import Any, cast

from leafinstruct.errors import DamagedError, WorkerError
from leafinstruct.runtime.engine.base import Needs, Part, R, Task, first_half, second_half
from leafinstruct.runtime.engine.device import Device, assign
from leafinstruct.runtime.engine.loop import in_loop

NAME_BYTES = 256
"""Maximum bytes of a part's name in shared memory."""
WATCH_SECONDS = 1.0
"""Interval at which the parent looks for dead workers. The thread of a pool waits for the workers that it
knew when it last woke, not for one that was started right after; a submitted task wakes it."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Variables that set the number of threads of the numerical libraries."""
WAIT_VARIABLE = "OMP_WAIT_POLICY"
"""How OpenMP threads wait between operations. By default they spin; with more than one thread per worker the
many small operations of a small CLIP then take two to three times the CPU time. A policy set by the user is
kept."""


class _Pool:
    """Processes of one kind: `size` for cpu tasks, or one per device.

    workers: all that it ever had. slots: shared memory, `NAME_BYTES` per worker, with its process id and the
    name of its current part.
    """

    def __init__(self, size: int, devices: tuple[str, ...]) -> None:
        self.size = size
        self.workers: set[BaseProcess] = set()
        threads = max(1, cores() // size)
        context = get_context("spawn")
        self.slots: Any = context.RawArray("c", NAME_BYTES * size)
        with _signals_blocked():  # this starts the process that tracks semaphores
            self.executor = ProcessPoolExecutor(
                size,
                mp_context=context,
                initializer=_prepare_worker,
                initargs=(threads, self.slots, context.Value("i", 0), devices),
            )

    def submit(self, run: Callable[[Part], R], part: Part) -> Future[R]:
        """Start a part."""
        before = set(active_children())
        future = self.executor.submit(run, part)
        self.workers.update(set(active_children()) - before)
        return future

    def crash_message(self) -> str:
        """Message about a dead worker: its part, if known, and what to do."""
        codes = {
            worker.pid: worker.exitcode
            for worker in self.workers
            if worker.exitcode not in (0, -signal.SIGTERM, None)
        }
        places = (
            bytes(self.slots[at : at + NAME_BYTES]).rstrip(b"\0").decode("utf-8", "replace")
            for at in range(0, len(self.slots), NAME_BYTES)
        )
        current = {int(pid): part for pid, _, part in (place.partition(" ") for place in places if place)}
        parts = sorted(part for pid, part in current.items() if part and (pid in codes or not codes))
        named = f"part {' or '.join(parts)}: " if parts else ""
        how = (
            "a worker process died"
            if -signal.SIGKILL not in codes.values()
            else "a worker process died, probably because it ran out of memory"
        )
        return (
            f"{named}{how}; finished parts are kept: run the same command again with fewer --workers or "
            "a smaller part_size"
        )


class LocalEngine:
    """Engine on the processes of this machine. A context manager; leaving it ends the workers.

    workers: number of processes. Default: one per CPU core.
    """

    remote = False

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._pools: dict[tuple[str, ...], _Pool] = {}
        """Names of devices, none for cpu tasks -> the processes of them."""

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pools and kind is not None and not issubclass(kind, Exception):
            # an interrupt: a part may take minutes, and an unfinished part leaves no files
            for worker in active_children():
                worker.terminate()
        for pool in self._pools.values():
            pool.executor.shutdown(wait=True, cancel_futures=True)
        self._pools = {}

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """See Engine.map. Raises WorkerError if a worker process dies (usually out of memory)."""
        if not parts:
            return iter(())
        if needs.kind == "io":
            return in_loop(cast("Callable[[Part], Awaitable[R]]", task), parts, needs)
        run = cast("Callable[[Part], R]", task)
        if needs.kind == "gpu":
            return self._on_devices(run, parts, needs)
        return self._in_processes(run, parts, needs.what)

    def _on_devices(self, task: Callable[[Part], R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """Run `before` in the cpu processes and the task in those of the devices, at the same time."""
        if needs.before is None:
            return self._in_processes(task, parts, needs.what, needs.devices)
        ready = self._in_processes(partial(first_half, needs.before), parts, needs.what)
        after = partial(second_half, task)
        return self._in_processes(after, (one.value for one in ready), needs.what, needs.devices)

    def _in_processes(
        self, task: Callable[[Part], R], parts: Iterable[Part], what: str, devices: tuple[str, ...] = ()
    ) -> Iterator[R]:
        pool, run = self._processes(devices), partial(_run, task)
        waiting = iter(parts)
        running: set[Future[R]] = set()
        try:
            while True:
                # Two parts per worker: no worker is idle while the parent handles a report, and an interrupt
                # does not wait long.
                while len(running) < 2 * pool.size and (part := next(waiting, None)) is not None:
                    with _signals_blocked():
                        running.add(pool.submit(run, part))
                if not running:
                    return
                done, running = wait(running, WATCH_SECONDS, FIRST_COMPLETED)
                if not done and any(not worker.is_alive() for worker in pool.workers):
                    pool.executor.submit(_do_nothing)
                for future in done:
                    yield future.result()
        except DamagedError:
            for future in running:
                future.cancel()
            # the build returns to an earlier stage; no part of this one may still be written then
            wait(running)
            raise
        except BrokenProcessPool as error:
            del self._pools[devices]
            # until all exit codes are known: a broken pool terminates its other workers
            pool.executor.shutdown()
            raise WorkerError(f"{what}: {pool.crash_message()}") from error
        finally:
            for future in running:
                future.cancel()

    def _processes(self, devices: tuple[str, ...] = ()) -> _Pool:
        if devices not in self._pools:
            self._pools[devices] = _Pool(len(devices) or self.workers, devices)
        return self._pools[devices]


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals while a process is started, which inherits this. The parent handles them after the block:
    an interrupt inside of `submit` would leave a pool that cannot be shut down. In a new process SIGINT would
    print a traceback and SIGHUP end it; SIGTERM it unblocks itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_slot: Any = None
"""In a worker: its slice of the shared memory."""


def _run(task: Callable[[Part], R], part: Part) -> R:
    _slot[:] = f"{os.getpid()} {part.name}".encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0")
    try:
        return task(part)
    finally:
        _slot[:] = f"{os.getpid()} ".encode().ljust(NAME_BYTES, b"\0")


def _do_nothing() -> None:
    """Wake the thread of a pool."""


def _prepare_worker(threads: int, slots: Any, started: Any, devices: tuple[str, ...]) -> None:
    """Run first in every worker, because numpy and torch read these variables once, on import. started:
    number of workers of the pool that were started before."""
    global _slot  # noqa: PLW0603 - a pool can pass it to its processes in no other way
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    with started.get_lock():
        number, started.value = started.value, started.value + 1
    _slot = memoryview(slots).cast("B")[number * NAME_BYTES : (number + 1) * NAME_BYTES]
    if devices:
        assign(Device(devices[number], threads))
    Thread(target=_follow_parent, daemon=True).start()
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    os.environ.setdefault(WAIT_VARIABLE, "PASSIVE")


def _follow_parent() -> None:
    """Exit with the parent, even if it was killed: otherwise a worker waits forever and keeps its memory."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def cores() -> int:
    """Number of cores that this process may use; in a container, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
