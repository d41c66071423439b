"""Tasks of the tests of the Ray engine, in a module that Ray's workers can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from leafinstruct.errors import DamagedError
from leafinstruct.runtime.engine.base import Found, Part, TaskResult
from leafinstruct.runtime.engine.device import assigned


def node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def where(offset: int, part: Part) -> Found[dict[str, object]]:
    """Where this part runs, after a moment in which other nodes get parts."""
    time.sleep(0.1)
    value = {
        "value": part.payload + offset,
        "node": node(),
        "process": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "waiting": os.environ["OMP_WAIT_POLICY"],
        "directory": str(Path.cwd()),
    }
    return Found(value=value, counts={"documents": 1})


def damaged(part: Part) -> TaskResult:
    raise DamagedError.of(Path("/run/a.parquet"), "its bytes differ")


class StrangeError(Exception):
    """Cannot be unpickled: its arguments are not those of its class."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def strange(part: Part) -> TaskResult:
    raise StrangeError(1, 2)


def die(part: Part) -> TaskResult:
    """Die so many times as the payload's second item states, and leave a file each time."""
    folder, times = part.payload
    if len(list(Path(folder).glob(f"{part.name}-*"))) < times:
        (Path(folder) / f"{part.name}-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return TaskResult(counts={"documents": 1})


def wait_long(part: Part) -> TaskResult:
    """Begin with a file, and end with another one after a minute."""
    if part.payload is None:
        return TaskResult()
    (Path(part.payload) / f"{part.name}-begun").touch()
    time.sleep(60)
    (Path(part.payload) / f"{part.name}-ended").touch()
    return TaskResult()


def on_device(part: Part) -> Found[dict[str, object]]:
    """In an actor: its device. It waits until both actors have a part."""
    folder, actors = part.payload
    (Path(folder) / str(os.getpid())).touch()
    end = time.monotonic() + 60
    while len(list(Path(folder).iterdir())) < actors and time.monotonic() < end:
        time.sleep(0.01)
    device = assigned()
    value = {"device": device.name, "threads": device.threads, "process": os.getpid(), "part": part.name}
    return Found(value=value, counts={"embedded": 2, "documents": 1}, repaired={"a": 1})


def ahead(part: Part) -> TaskResult:
    assert assigned().name == "", "the cpu processes have no device"
    return TaskResult(counts={"documents": 3, "read": os.getpid()}, repaired={"b": 2})
