"""Locks between processes that use one folder, and fences where a disk has no locks.

A lock keeps a second process out. On a disk without locks, or whose locks end at a machine (NFS mounted with
`nolock`, Lustre without `flock`), it cannot. There the second process takes the folder over, and the first
one stops at its next check: each writes a random word into the folder when it begins, and finds another one.
A fence costs one read of a small file. What both wrote until then is whole and has the key that it was made
with, so nothing of it is taken for something else.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.runtime.files import writing

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""Errors of a disk that has no locks."""
_OWNER = ".owner"
"""File with the word of the build of a folder; of all shares together it is SHARES."""
_SHARES = "shares"


class Fence:
    """The words of a build in the folder of its run."""

    def __init__(self, folder: Path, share: int | None = None) -> None:
        """Write the words. share: number of a share of a build."""
        word = secrets.token_hex(8)
        self._words = {_OWNER: word} if share is None else {_OWNER: _SHARES, f".share-{share}.owner": word}
        self._folder = folder
        for name, word in self._words.items():
            with writing(folder / name) as temporary:
                temporary.write_text(word, encoding="utf-8")

    def check(self) -> None:
        """Raise LeafInstructError if another process took the folder over."""
        for name, word in self._words.items():
            if _owner(self._folder, name) != word:
                raise LeafInstructError(
                    f"{self._folder}: another `leaf` began to work here, which this disk does not prevent; "
                    "this one stops. Run one at a time"
                )


def _owner(folder: Path, name: str = _OWNER) -> str | None:
    """The word in a folder."""
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


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
        # shares hold it for a moment only, and there may be thousands that begin together
        with locked(directory / ".lock", 60 if _owner(directory) in (_SHARES, None) else 2, busy):
            stack.enter_context(locked(directory / f".share-{number}.lock", 0, twice))
        yield


@contextmanager
def locked(path: Path, seconds: float = 30, message: str | None = None) -> Iterator[None]:
    """Hold a lock file, for short read-change-write operations; wait if another process holds it. On a disk
    without locks it is not held.

    Raises LeafInstructError with `message` after `seconds`, and SourceError if the file cannot be created.
    """
    # no soft lock, which a killed process would leave behind
    lock = FileLock(path, timeout=seconds, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LeafInstructError(
            message or f"{path}: locked by another `leaf` for {seconds:g} s; try again when that is done"
        ) from error
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise SourceError(
                f"{path.parent}: cannot write here: {error.strerror}; choose another folder with workdir:"
            ) from error
    try:
        yield
    finally:
        lock.release()
