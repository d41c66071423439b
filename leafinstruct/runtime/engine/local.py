"""The local engine: parts in spawned processes, or in one event loop.

Spawned, not forked: torch and Arrow hold threads that a fork would copy in a locked state. The pool is made
at the first cpu task and kept for all stages of a build, so that torch and the CLIP weights are loaded once a
process, not once a stage. A pool of one worker is still a process: there is one path, and a crash of native
code cannot take the build's bookkeeping with it.

Chosen: concurrent.futures over joblib or multiprocessing.Pool, because a worker that dies (out of memory)
raises BrokenProcessPool here and hangs there. Cost: about 0.2 s to start a worker, plus what its task
imports.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, current_process, get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from types import TracebackType
from typing import Any

from leafinstruct.errors import DamagedError, WorkerError
from leafinstruct.runtime.engine.base import Needs, Part, Task

NAMED = 256
"""Bytes for the name of a part."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""How many threads the numerical libraries start, each by its own."""
WAIT_VARIABLE = "OMP_WAIT_POLICY"
"""How OpenMP threads wait between two operations. By default they spin: with more than one thread a worker,
the many small operations of a small CLIP then cost two to three times the CPU time. A policy that the user
set is kept."""


class LocalEngine:
    """Processes of this machine. Use as a context manager: leaving it ends the workers.

    workers: number of processes, default one a core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or _cores()
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[BaseProcess] = set()
        self._parts: Any = b""
        """Shared with the workers: in `NAMED` bytes each, its process and the part that it works on."""

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            if kind is not None and not issubclass(
                kind, Exception
            ):  # an interrupt: a part may take minutes, and half a part leaves no trace
                for worker in active_children():
                    worker.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def map(self, task: Task, parts: Sequence[Part], needs: Needs) -> Iterator[dict[str, Any]]:
        """See Engine.map. Raises WorkerError when a worker process dies (usually killed for memory)."""
        if not parts:
            return iter(())
        return (
            self._in_loop(task, parts, needs)
            if needs.kind == "io"
            else self._in_processes(task, parts, needs.what)
        )

    def _in_processes(self, task: Task, parts: Sequence[Part], what: str) -> Iterator[dict[str, Any]]:
        pool, run = self._processes(), partial(_run, task)
        waiting = iter(parts)
        running: set[Future[dict[str, Any]]] = set()
        try:
            while True:
                # Two parts a worker: none idles while the parent books a report, and an interrupt waits for
                # little.
                while len(running) < 2 * self.workers and (part := next(waiting, None)) is not None:
                    with _held_back():
                        running.add(pool.submit(run, part))
                    self._workers.update(active_children())
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except DamagedError:
            for future in running:
                future.cancel()
            # a build goes back to an earlier stage then, and no part of this one may still be written
            wait(running)
            raise
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerError(f"{what}: {self._death()}") from error
        finally:
            for future in running:
                future.cancel()

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            threads = max(1, _cores() // self.workers)
            context = get_context("spawn")
            self._parts = context.RawArray("c", NAMED * self.workers)
            with _held_back():  # a process that keeps track of semaphores is started here
                self._pool = ProcessPoolExecutor(
                    self.workers,
                    mp_context=context,
                    initializer=_prepare_worker,
                    initargs=(threads, self._parts),
                )
        return self._pool

    def _death(self) -> str:
        """Which part a dead worker had, as far as it is known, and what to do. A pool that breaks terminates
        its other workers."""
        for worker in self._workers:
            worker.join(10)
        codes = {
            worker.pid: worker.exitcode
            for worker in self._workers
            if worker.exitcode not in (0, -signal.SIGTERM, None)
        }
        places = (
            bytes(self._parts[at : at + NAMED]).rstrip(b"\0").decode("utf-8", "replace")
            for at in range(0, len(self._parts), NAMED)
        )
        had = {int(pid): part for pid, _, part in (place.partition(" ") for place in places if place)}
        parts = sorted(part for pid, part in had.items() if part and (pid in codes or not codes))
        named = f"part {' or '.join(parts)}: " if parts else ""
        how = (
            "a worker process died"
            if -signal.SIGKILL not in codes.values()
            else "a worker process died, killed most likely for want of memory"
        )
        return (
            f"{named}{how}; finished parts are kept: run the same command again with fewer --workers or "
            "a smaller part_size"
        )

    @staticmethod
    def _in_loop(task: Task, parts: Sequence[Part], needs: Needs) -> Iterator[dict[str, Any]]:
        waiting = iter(parts)
        with asyncio.Runner() as runner:
            running: set[asyncio.Task[dict[str, Any]]] = set()
            done: set[asyncio.Task[dict[str, Any]]] = set()
            loop = runner.get_loop()
            try:
                while True:
                    while len(running) < needs.parts_in_flight and (part := next(waiting, None)) is not None:
                        running.add(loop.create_task(task(part)))
                    if not running:
                        return
                    done, running = runner.run(_first(running))
                    for finished in done:
                        yield finished.result()
            finally:
                for unfinished in running:
                    unfinished.cancel()
                runner.run(_settle(running | done, needs))


async def _first(
    tasks: set[asyncio.Task[dict[str, Any]]],
) -> tuple[set[asyncio.Task[dict[str, Any]]], set[asyncio.Task[dict[str, Any]]]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _settle(tasks: set[asyncio.Task[dict[str, Any]]], needs: Needs) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    if needs.release is not None:
        await needs.release()


@contextmanager
def _held_back() -> Iterator[None]:
    """Block Ctrl-C and a closed terminal while a process is started, which inherits that: they are the
    parent's to handle, and it gets them after the block. A process that has just begun would answer with a
    traceback, or end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_place: Any = None
"""Of a worker: where it writes which part it has."""


def _run(task: Task, part: Part) -> Any:
    _place[:] = f"{os.getpid()} {part.name}".encode()[:NAMED].ljust(NAMED, b"\0")
    try:
        return task(part)
    finally:
        _place[:] = f"{os.getpid()} ".encode().ljust(NAMED, b"\0")


def _prepare_worker(threads: int, parts: Any) -> None:
    """Runs first in every worker, before its task imports numpy or torch, which read these variables once."""
    global _place  # noqa: PLW0603 - what a pool hands to its processes has no other place
    # a pool's processes are numbered one after another
    number = int(current_process().name.rpartition("-")[2]) % (len(parts) // NAMED)
    _place = memoryview(parts).cast("B")[number * NAMED : (number + 1) * NAMED]
    Thread(target=_follow_parent, daemon=True).start()
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    os.environ.setdefault(WAIT_VARIABLE, "PASSIVE")


def _follow_parent() -> None:
    """End with the parent, also when it was killed: a pool's worker would wait for its next part for ever,
    and hold its memory."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
