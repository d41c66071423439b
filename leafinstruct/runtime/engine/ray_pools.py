"""Where the Ray engine runs parts: Ray tasks, a pool of actors, and the loop that submits parts to either
and retries those that are lost.

Places (how many parts the cluster runs at a time) are counted from the nodes every second, so nodes may join
or leave.
"""

from __future__ import annotations

import pickle
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any, Protocol, cast

from leafinstruct.errors import RecipeError, WorkerError
from leafinstruct.runtime.engine.base import Part, R
from leafinstruct.runtime.engine.device import Device, assign
from leafinstruct.runtime.engine.local import WATCH_SECONDS
from leafinstruct.runtime.engine.remote import Done, Expected, Failed, run

TRIES = 4
"""How often a part is run whose worker or node is lost each time: Ray's default of three retries."""
PATIENCE = 300
"""Seconds that a build waits for a node after the last one that could run its parts has left."""
KILL_SECONDS = 10
"""Maximum seconds to wait for killed parts after an interrupt."""

_Ref = Any
"""A Ray object reference or an actor handle; Ray's own types are not imported here."""


class Worker:
    """A process with a share of a GPU, which keeps its models for all parts. Runs as a Ray actor."""

    def __init__(self, device: Device) -> None:
        assign(device)

    def node(self) -> str:
        """Id of the node on which this process runs."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def run(self, expected: Expected, task: bytes, part: bytes) -> Done | Failed:
        """See remote.run."""
        return run(expected, task, part)


class Pool(Protocol):
    """Where parts run."""

    @property
    def starting(self) -> Mapping[Future[Any], Any]:
        """Futures of workers that do not run yet."""

    def look(self) -> None:
        """Count the nodes."""

    def has_room(self, running: int) -> bool:
        """Whether another part may be submitted. running: number of those that are."""

    def submit(self, task: _Ref, part: Part) -> _Ref:
        """Start a part. task: reference to the pickled task. Returns a reference to its Done or Failed."""

    def started(self, worker: Future[Any]) -> None:
        """Handle the end of a future of `starting`."""

    def ended(self, ref: _Ref, lost: bool) -> None:
        """Handle the end of a part. lost: its worker died."""

    def stop(self, refs: Mapping[Future[Any], _Ref], force: bool) -> None:
        """End all parts and wait for it. force: kill those that run."""


class _Places:
    """Counts the places of a cluster for parts that need these resources, at most once in WATCH_SECONDS.

    Raises RecipeError if there is none from the beginning, WorkerError if there is none for long.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        units = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        self._needed = {units[name]: options[name] for name in units if options.get(name)}
        self._next, self._missing = 0.0, 0.0
        self.count = 0
        self.nodes: set[str] = set()
        """Ids of the nodes that are up."""
        self.look()
        if not self.count:
            raise RecipeError(self._absent())

    def look(self, now: bool = False) -> None:
        """Count again. now: even if the last time is short ago."""
        import ray

        clock = time.monotonic()
        if clock < self._next and not now:
            return
        nodes = [node for node in ray.nodes() if node["Alive"]]
        self.nodes = {node["NodeID"] for node in nodes}
        self.count = sum(self._on(node["Resources"]) for node in nodes)
        self._next = clock + WATCH_SECONDS
        self._missing = 0.0 if self.count else self._missing or clock
        if self._missing and clock - self._missing > PATIENCE:
            raise WorkerError(f"{self._absent()}; finished parts are kept: run the same command again")

    def _on(self, resources: Mapping[str, float]) -> int:
        # a little more, because 3 * 0.1 is not 0.3
        return min(int(resources.get(name, 0) / amount + 1e-9) for name, amount in self._needed.items())

    def _absent(self) -> str:
        """Message about a cluster without a place."""
        amounts = " and ".join(
            f"{amount:,} bytes of memory" if name == "memory" else f"{amount:g} {name}"
            for name, amount in self._needed.items()
        )
        gpu = ", or set the models' device: cpu" if "GPU" in self._needed else ""
        return (
            f"engine: no node of the Ray cluster has {amounts} for a part; add one, or lower "
            f"{' and '.join(_KEYS[name] for name in self._needed)}{gpu}"
        )


_KEYS = {"CPU": "engine.cpus", "GPU": "engine.gpus", "memory": "engine.memory"}


class Tasks:
    """Parts as Ray tasks. most: maximum number at a time, None for two per place: no node is idle while this
    process handles a report."""

    def __init__(self, options: Mapping[str, Any], most: int | None, expected: Expected) -> None:
        import ray

        self.starting: Mapping[Future[Any], Any] = {}
        self._places, self._most, self._expected = _Places(options), most, expected
        self._run = ray.remote(run).options(max_retries=0, **options)

    def look(self) -> None:
        self._places.look()

    def has_room(self, running: int) -> bool:
        return running < min(2 * self._places.count, self._most or 2 * self._places.count)

    def submit(self, task: _Ref, part: Part) -> _Ref:
        return self._run.remote(self._expected, task, pickle.dumps(part))

    def started(self, worker: Future[Any]) -> None:  # noqa: ARG002 - Pool
        raise AssertionError("tasks have no workers of their own")

    def ended(self, ref: _Ref, lost: bool) -> None:  # noqa: ARG002 - Pool
        self._places.look(now=lost)

    def stop(self, refs: Mapping[Future[Any], _Ref], force: bool) -> None:
        import ray

        for ref in refs.values():
            ray.cancel(ref, force=force)
        wait(refs, KILL_SECONDS if force else None)


class Actors:
    """Parts in a pool of actors, one at a time in each, and no more actors than parts. No part waits for an
    actor that has no GPU yet, because another user's program may hold it."""

    def __init__(self, options: dict[str, Any], device: Device, parts: int, expected: Expected) -> None:
        import ray

        self.starting: dict[Future[Any], _Ref] = {}
        # no CPU of their own: with all of them, no task could run ahead
        options = options | {"num_cpus": 0}
        self._places, self._parts, self._expected = _Places(options), parts, expected
        self._new = partial(ray.remote(Worker).options(max_restarts=0, **options).remote, device)
        self._idle: list[tuple[str, _Ref]] = []
        """Node and handle of each."""
        self._busy: dict[_Ref, tuple[str, _Ref]] = {}
        self._lost = 0
        self.look()

    def look(self) -> None:
        self._places.look()
        self._idle = [one for one in self._idle if one[0] in self._places.nodes]
        have = len(self._idle) + len(self._busy) + len(self.starting)
        for _ in range(have, min(self._places.count, self._parts)):
            actor = self._new()
            self.starting[actor.node.remote().future()] = actor

    def has_room(self, running: int) -> bool:  # noqa: ARG002 - Pool
        return bool(self._idle)

    def started(self, worker: Future[Any]) -> None:
        from ray.exceptions import RayError, RayTaskError

        actor = self.starting.pop(worker)
        try:
            self._idle.append((worker.result(), actor))
        except RayTaskError as error:
            raise _unfit(error) from error
        except RayError as error:
            self._lost += 1
            if self._lost == TRIES:
                raise WorkerError(f"a process of a GPU {_how(error)} before its first part") from error
            self._places.look(now=True)

    def submit(self, task: _Ref, part: Part) -> _Ref:
        node, actor = self._idle.pop(0)
        ref = actor.run.remote(self._expected, task, pickle.dumps(part))
        self._busy[ref] = (node, actor)
        return ref

    def ended(self, ref: _Ref, lost: bool) -> None:
        worker = self._busy.pop(ref)
        if not lost:
            self._idle.append(worker)
        self._places.look(now=lost)

    def stop(self, refs: Mapping[Future[Any], _Ref], force: bool) -> None:
        if force:
            self.end()
        wait(refs, KILL_SECONDS if force else None)

    def end(self) -> None:
        """End the actors, which gives their GPUs back."""
        import ray

        for actor in (*self.starting.values(), *(one for _, one in (*self._idle, *self._busy.values()))):
            ray.kill(actor)
        self.starting, self._idle, self._busy = {}, [], {}


def results(
    pool: Pool, task: Callable[[Part], R], parts: Iterable[Part], what: str
) -> Generator[R, None, None]:
    """Run a task over parts in a pool and yield the results as parts finish."""
    import ray

    stored = ray.put(pickle.dumps(task))  # once per node, not once per part
    waiting, again, losses = iter(parts), deque[Part](), Counter[str]()
    running: dict[Future[Any], tuple[_Ref, Part]] = {}
    exhausted = False
    try:
        while True:
            while (again or not exhausted) and pool.has_room(len(running)):
                part = again.popleft() if again else next(waiting, None)
                if part is None:
                    exhausted = True
                else:
                    ref = pool.submit(stored, part)
                    running[ref.future()] = (ref, part)
            if not running and not again and exhausted:
                return
            for future in _first([*running, *pool.starting]):
                if future in pool.starting:
                    pool.started(future)
                    continue
                ref, part = running.pop(future)
                outcome = _outcome(future)
                pool.ended(ref, isinstance(outcome, Exception))
                if isinstance(outcome, Done):
                    yield outcome.result
                elif isinstance(outcome, Failed):
                    raise outcome.error(part.name)
                else:
                    losses[part.name] += 1
                    if losses[part.name] == TRIES:
                        raise WorkerError(_lost(what, part, outcome)) from outcome
                    again.append(part)
            pool.look()
    except BaseException as error:
        refs = {future: ref for future, (ref, _) in running.items()}
        pool.stop(refs, force=not isinstance(error, Exception))
        raise


def _first(futures: Sequence[Future[Any]]) -> set[Future[Any]]:
    """Those that are done, after at most WATCH_SECONDS."""
    if not futures:
        time.sleep(WATCH_SECONDS)  # no node is left, for now
    return wait(futures, WATCH_SECONDS, FIRST_COMPLETED).done


def _outcome(future: Future[Any]) -> Done | Failed | Exception:
    """What a part returned, or how its worker was lost. Raises WorkerError for a node that cannot run it."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return cast("Done | Failed", future.result())
    except RayTaskError as error:  # `run` raises nothing: it could not even be called
        raise _unfit(error) from error
    except RayError as error:
        lost: Exception = error
    return lost


def _unfit(error: Exception) -> WorkerError:
    """The error of a node on which our function could not be imported or called. Ray's message names the node
    and ends with the traceback from there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    node = re.search(r"\bip=([^\s,)]+)", str(error))
    return WorkerError(
        f"node {node[1] if node else 'unknown'} cannot run this build: {lines[-1]}; install the same version "
        "of leafinstruct and of its extensions on every node"
    )


def _how(error: Exception) -> str:
    from ray.exceptions import LocalRayletDiedError, NodeDiedError, OutOfMemoryError

    if isinstance(error, OutOfMemoryError):
        return "was ended because its node ran out of memory"
    return "lost its node" if isinstance(error, NodeDiedError | LocalRayletDiedError) else "died"


def _lost(what: str, part: Part, error: Exception) -> str:
    return (
        f"{what}: part {part.name}: its worker process {_how(error)}, {TRIES} times, probably for lack of "
        "memory; finished parts are kept: run the same command again with a smaller part_size or more memory "
        "for a part (engine.memory)"
    )
