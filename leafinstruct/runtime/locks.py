"""Locks between processes that use one folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    busy = f"{directory}: another `{verb}` is running here; wait for it, or {hint}"
    with locked(directory / ".lock", 0, busy):
        for path in sorted(directory.glob(".share-*.lock")):
            with locked(path, 0, f"{directory}: a share of a build is running here; wait for it, or {hint}"):
                pass
        yield


@contextmanager
def one_share(directory: Path, number: int) -> Iterator[None]:
    """Hold the lock of one share of a build. Other shares may run in this directory, an undivided build not.

    Raises LeafInstructError if this share or an undivided build is running.
    """
    busy = f"{directory}: another `leaf` without --share is running here; wait for it"
    twice = f"{directory}: share {number} is running already; give each process another number"
    with ExitStack() as stack:
        # shares hold it for a moment only
        with locked(directory / ".lock", 10, busy):
            stack.enter_context(locked(directory / f".share-{number}.lock", 0, twice))
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
