"""What runs on a node of a cluster: check the node, run a task, return its result or its error as a value.

An error is returned and not raised, so that the caller gets the exception itself (a RecipeError with its
attributes) and not the cluster's wrapper of it. Task and part arrive pickled, and are unpickled only after
the check, since another version may not have their classes.
"""

from __future__ import annotations

import pickle
import platform
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from leafinstruct import __version__
from leafinstruct.errors import WorkerError


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node must have: leafinstruct and Python of these versions, and the build's `marker`, a file with
    the text `token`."""

    leafinstruct: str
    python: str
    marker: Path
    token: str

    @classmethod
    def here(cls, marker: Path, token: str) -> Expected:
        """What this process has."""
        return cls(__version__, _python(), marker, token)


@dataclass(frozen=True, slots=True)
class Done:
    """Result of a task."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """Error of a task: pickled, with the text of its traceback and the node that ran the task."""

    pickled: bytes
    trace: str
    node: str

    def error(self, part: str) -> Exception:
        """The exception, with the remote traceback as a note. part: name of the part."""
        error: Exception = pickle.loads(self.pickled)  # noqa: S301 - written by our own process
        error.add_note(f"part {part} on node {self.node}:\n{self.trace.rstrip()}")
        return error


def run(expected: Expected, task: bytes, part: bytes) -> Done | Failed:
    """Run a pickled task over a pickled part in this process."""
    try:
        check(expected)
        return Done(pickle.loads(task)(pickle.loads(part)))  # noqa: S301 - written by the build
    except Exception as error:
        return _failed(error)


@cache
def check(expected: Expected) -> None:
    """Check this node, once per process. Raises WorkerError that names the node."""
    own = (__version__, _python())
    if own != (expected.leafinstruct, expected.python):
        raise WorkerError(
            f"node {platform.node()} has leafinstruct {own[0]} on Python {own[1]}, and the build runs "
            f"leafinstruct {expected.leafinstruct} on Python {expected.python}; install the same versions on "
            "every node"
        )
    try:
        found = expected.marker.read_text(encoding="utf-8")
    except OSError:
        found = ""
    if found != expected.token:
        raise WorkerError(
            f"node {platform.node()} does not see the files of this build in {expected.marker.parent}; set "
            "workdir to a folder on a disk that every node mounts under the same path"
        )


def _failed(error: Exception) -> Failed:
    trace = "".join(traceback.format_exception(error))
    return Failed(_pickled(error), trace, platform.node())


def _pickled(error: Exception) -> bytes:
    """An exception of a library may be impossible to pickle or to unpickle; its text crosses then."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # noqa: S301 - just written
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__qualname__}: {error}"))
    return data


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))
