"""What an engine costs beside the work: time until the first result, and time a part that does nothing.

    python benchmarks/engines.py [--parts 1000] [--workers 2]

The local engine, and a Ray of this machine that is started for it. Each part carries 10 kB and its task
100 kB, as settings of a stage do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from importlib import import_module
from pathlib import Path

from leafinstruct.runtime.engine.base import Needs, Part, TaskResult
from leafinstruct.runtime.engine.config import EngineConfig, opened


def nothing(settings: bytes, part: Part) -> TaskResult:  # noqa: ARG001
    """Task that does nothing."""
    return TaskResult(counts={"documents": 1})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    # by the name under which Ray's workers import this module, which is not __main__ there
    task = partial(import_module("engines").nothing, bytes(100_000))
    parts = [Part(str(number), bytes(10_000)) for number in range(arguments.parts)]
    with tempfile.TemporaryDirectory() as folder:
        for config in (EngineConfig(kind="local"), EngineConfig(kind="ray")):
            began = time.monotonic()
            with opened(config, arguments.workers, Path(folder)) as engine:
                results = engine.map(task, parts, Needs())
                next(results)
                first = time.monotonic()
                for _ in results:
                    pass
                last = time.monotonic()
            each = 1000 * (last - first) / (arguments.parts - 1)
            print(f"{config.kind:6} first result {first - began:5.1f} s, {each:6.2f} ms a part")


if __name__ == "__main__":
    main()
