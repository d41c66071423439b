"""Locks between processes that use one folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from leafinstruct.errors import LeafInstructError, SourceError


@contextmanager
def one_build(
    directory: Path, verb: str = "leaf build", hint: str = "give this recipe another name"
) -> Iterator[None]:
    """Hold a directory's lock. The operating system releases it when the process ends, even if it is killed.

    Raises LeafInstructError if another process holds it. verb, hint: what that process does, and what the
    user can do instead of waiting.
    """
    with locked(
        directory / ".lock", 0, f"{directory}: another `{verb}` is running here; wait for it, or {hint}"
    ):
        yield


@contextmanager
def locked(path: Path, seconds: float = 30, message: str | None = None) -> Iterator[None]:
    """Hold a lock file, for short read-change-write operations; wait if another process holds it.

    Raises LeafInstructError with `message` after `seconds`, and SourceError if the file cannot be created.
    """
    lock = FileLock(path, timeout=seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LeafInstructError(
            message or f"{path}: locked by another `leaf` for {seconds:g} s; try again when that is done"
        ) from error
    except OSError as error:
        raise SourceError(
            f"{path.parent}: cannot write here: {error.strerror}; choose another folder with workdir:"
        ) from error
    try:
        yield
    finally:
        lock.release()
