"""A lock for each question, so that only one of the builds that share a folder of answers asks it.

    <cache>/claims   one byte for each answer that any process stored; byte ranges of it are the locks

A question is a byte range of one file, at an offset from its key. So a claim creates no file and ends with
its process, however the process ends. The size of the file shows whether another process stored an answer
since the last check; only then are the files of answers read again. A claim and its release take 6 us
together, the check 1 us (Linux, local disk).

Linux locks the open file (OFD locks), so two clients of one process also exclude each other; elsewhere the
lock belongs to the process. On Windows, and on file systems without locks, every claim is granted: two builds
that ask the same question at the same moment both pay, and the answers stay correct. Network file systems
lock if their lock service runs (NFS v4 always).
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Generator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = "claims"
_LOCKED = {errno.EAGAIN, errno.EACCES}


class Claims:
    """The claims of one client."""

    def __init__(self, folder: Path) -> None:
        """folder: of the answers; created with the first claim."""
        self._folder = folder
        self._file: int | None = None
        self._size = 0  # size of the file when the answers were last read

    @contextlib.contextmanager
    def claim(self, key: str) -> Generator[bool]:
        """Claim the question of this key (64 hex digits). Yields False if another client has claimed it."""
        offset = int(key[:15], 16)
        granted = self._lock(offset, taken=True)
        try:
            yield granted
        finally:
            if granted:
                self._lock(offset, taken=False)

    def news(self) -> bool:
        """Whether others stored answers since the last call."""
        if self._file is None:
            return False
        size = os.fstat(self._file).st_size
        changed, self._size = size != self._size, size
        return changed

    def stored(self) -> None:
        """Announce to other processes that an answer was stored."""
        if self._file is not None:
            # a full disk: the answer itself was stored, and others see it with the next one
            with contextlib.suppress(OSError):
                os.write(self._file, b".")
                self._size += 1

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock(self, offset: int, *, taken: bool) -> bool:
        """Lock or release the byte. Returns whether it worked; True if there are no locks."""
        if fcntl is None:
            return True
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = os.open(
                    self._folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666
                )
            if sys.platform == "linux":
                kind = fcntl.F_WRLCK if taken else fcntl.F_UNLCK
                fcntl.fcntl(
                    self._file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, offset, 1, 0)
                )
            else:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB if taken else fcntl.LOCK_UN, 1, offset)
        except OSError as error:
            return error.errno not in _LOCKED or self._file is None
        return True
