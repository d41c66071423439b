"""The Ray engine: run parts on the nodes of a Ray cluster, or on a Ray of this machine only.

    cpu    a Ray task per part. At most two per place of the cluster are submitted: no node is idle, and a
           million parts are not queued at once.
    gpu    a pool of actors, each with a share of a GPU. An actor loads its models once and gets a part when
           it is free. `Needs.before` runs ahead as cpu tasks.
    io     in the event loop of this process (loop.py), which owns rate limits and budget.

A part whose worker or node is lost is submitted again, TRIES times in all (ray_pools.py). This engine does
it, and not Ray (max_retries=0), because Ray retries a task that ran out of memory forever, and because only
here the part that kills its worker has a name. Errors of tasks are returned as values (remote.py), so the
caller gets the exception itself.

Chosen: futures of the object references over ray.wait, because Ray waits in C++ and swallows an exception
that a signal handler raises there. Cost: 7 to 10 s to start a Ray of this machine, 2 s to start a worker.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from leafinstruct.errors import RecipeError, WorkerError
from leafinstruct.runtime.engine.base import Needs, Part, R, Task, first_half, second_half
from leafinstruct.runtime.engine.config import EngineConfig
from leafinstruct.runtime.engine.device import Device
from leafinstruct.runtime.engine.local import THREAD_VARIABLES, WAIT_VARIABLE, cores
from leafinstruct.runtime.engine.loop import in_loop
from leafinstruct.runtime.engine.ray_pools import Actors, Tasks, results
from leafinstruct.runtime.engine.remote import Expected
from leafinstruct.runtime.files import writing

CONNECT_SECONDS = 10
OBJECT_STORE = 200_000_000
"""Bytes of shared memory of a Ray that is started for a build. Only tasks and small results pass through it;
Ray's own default is 30% of the memory."""


class RayEngine:
    """Engine on Ray. A context manager; leaving it ends what it started: its parts, and the Ray of this
    machine if it started one. A cluster that it connected to goes on. Ray starts with the first cpu or gpu
    part.

    workers: maximum number of cpu parts at a time. Default: what the CPUs allow. directory: of the run, which
    every node must see.
    """

    remote = True

    def __init__(self, config: EngineConfig, workers: int | None, directory: Path) -> None:
        if find_spec("ray") is None:
            raise RecipeError("engine.kind: ray is not installed; pip install 'leafinstruct[ray]'")
        self._workers = workers
        self._most = workers if config.address else None
        self._config, self._token = config, secrets.token_hex(16)
        # shares of one build have an engine each
        self._marker = directory.absolute() / f".nodes-{self._token[:12]}"
        self._expected: Expected | None = None
        self._started = False

    @property
    def workers(self) -> int:
        """Maximum number of parts at a time: as given, or as the cluster allows once it is connected."""
        if self._workers or self._expected is None:
            return self._workers or cores()
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 0) / self._config.cpus))

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._expected is not None:
            self._marker.unlink(missing_ok=True)
        if self._started:
            import ray

            ray.shutdown()
        self._expected, self._started = None, False

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        """See Engine.map. Raises WorkerError for a part that loses its worker each time and for a node that
        is unfit, RecipeError if no cluster answers or no node can run a part."""
        if not parts:
            return iter(())
        if needs.kind == "io":
            return in_loop(cast("Callable[[Part], Awaitable[R]]", task), parts, needs)
        sync = cast("Callable[[Part], R]", task)
        expected = self._connected()
        if needs.kind == "gpu":
            return self._on_actors(sync, parts, needs, expected)
        return results(Tasks(self._options, self._most, expected), sync, parts, needs.what)

    def _on_actors(
        self, task: Callable[[Part], R], parts: Sequence[Part], needs: Needs, expected: Expected
    ) -> Iterator[R]:
        """Run `before` as cpu tasks and the task in actors, at the same time."""
        device = Device(f"{needs.devices[0].partition(':')[0]}:0", self._config.cpus)
        share = {"num_gpus": self._config.gpus}
        actors = Actors(self._options | share, device, len(parts), expected)
        try:
            if needs.before is None:
                yield from results(actors, task, parts, needs.what)
                return
            tasks = Tasks(self._options, self._most, expected)
            with closing(results(tasks, partial(first_half, needs.before), parts, needs.what)) as first:
                ready = (one.value for one in first)
                yield from results(actors, partial(second_half, task), ready, needs.what)
        finally:
            actors.end()

    @property
    def _options(self) -> dict[str, Any]:
        """Options of every task and actor. Numerical libraries read the variables on import, so Ray starts
        workers with them."""
        variables = dict.fromkeys(THREAD_VARIABLES, str(self._config.cpus))
        variables[WAIT_VARIABLE] = os.environ.get(WAIT_VARIABLE, "PASSIVE")
        memory = {"memory": self._config.memory} if self._config.memory else {}
        return {
            "num_cpus": self._config.cpus,
            "runtime_env": {"env_vars": variables},
            "scheduling_strategy": "SPREAD",
            **memory,
        }

    def _connected(self) -> Expected:
        """Connect to the cluster, or start Ray here; and write the marker, by which a node shows that it sees
        the run. Once per build."""
        if self._expected is None:
            self._connect()
            with writing(self._marker) as temporary:
                temporary.write_text(self._token, encoding="utf-8")
            self._expected = Expected.here(self._marker, self._token)
        return self._expected

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray.exceptions import RayError

        if ray.is_initialized():  # by the program that calls us: its cluster, and it ends it
            return
        address = self._config.address
        here = {"num_cpus": self.workers * self._config.cpus, "object_store_memory": OBJECT_STORE}
        handler = signal.getsignal(signal.SIGTERM)
        self._started = True
        try:
            # Ray prints messages about dead workers to stdout, without a setting against it
            ray._private.worker.print_to_stdstream = _print_nothing
            if address:
                _answers(address)
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
                **({} if address else here),
            )
        except (RayError, OSError, OverflowError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            if address:
                raise RecipeError(
                    f"engine.address: {address}: cannot connect to Ray: {reason}; `ray start --head` starts "
                    "a cluster"
                ) from error
            raise WorkerError(f"Ray cannot start on this machine: {reason}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray's own exits without cleaning up ours


def _answers(address: str) -> None:
    """Raise OSError if nothing listens there. Ray itself would try for ten minutes."""
    from ray._private.services import get_ray_address_from_environment

    if address == "auto":
        address = get_ray_address_from_environment("auto", None)
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _print_nothing(data: object, ignore_prefix: bool) -> None:
    """Takes the place of a function of Ray. What it would print is in Ray's logs."""
