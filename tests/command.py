"""The command `leaf`, called in two ways: in this process, where what it prints and returns is the point, and
as a process of its own, where the process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from leafinstruct.cli import main
from leafinstruct.cli.signals import SIGNALS
from leafinstruct.runtime.engine import local
from leafinstruct.runtime.engine.base import Part, R

COMMAND = [sys.executable, "-c", "from leafinstruct.cli import main; main()"]
"""`leaf`, of the package that is being tested."""


class _Here(local.LocalEngine):
    """Runs parts in this process, by the same tasks."""

    def _in_processes(self, task: Callable[[Part], R], parts: Sequence[Part], what: str) -> Iterator[R]:  # noqa: ARG002
        yield from map(task, parts)


def leaf(
    *arguments: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The command, in this process: its arguments, streams, working directory, variables and exit code are
    its own; its imports and its parts are not. An exception that it does not catch fails the test.

    What libraries read on import (variables of the Hub, of OpenMP) and what a process inherits or leaves
    behind needs `leaf_process`.
    """
    words = ["leaf", *map(str, arguments)]
    with _streams() as (out, err), _signals_kept(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "LocalEngine", _Here)
        patch.setattr(sys, "argv", words)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        for name, value in variables.items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
        code: Any = ended.value.code
        return subprocess.CompletedProcess(words, code or 0, _written(out), _written(err))


def leaf_process(
    *arguments: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The command as a person calls it, in a process that imports everything anew, and with its workers."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def _streams() -> Iterator[tuple[IO[str], IO[str]]]:
    """Two files in the place of stdout and stderr: with descriptors, and no terminals."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as err,
    ):
        yield out, err


def _written(stream: IO[str]) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read().replace("\r\n", "\n")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back the handlers that the command sets."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
