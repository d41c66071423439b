"""Paths of objects: `pathlib` paths that read a bucket or a repository of the Hub instead of the disk.

Readers open files, ask for their size and look for files beside them, all through `Path`. With a path that
answers these calls from a store, each reader reads a bucket without a line of its own. Rejected: a second
interface beside `Path` in every reader; universal_pathlib (a dependency over fsspec, whose paths are no
`Path`); a mount (FUSE).

The state of an object takes the place of a file's time: `st_mtime_ns` is a number made of its tag, so what is
cached by size and time of a file is cached by size and ETag of an object. A path is never opened by its name:
what needs a file on a disk gets a SourceError that names the object.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PosixPath
from typing import IO, Any, Self, cast

from leafinstruct.errors import SourceError
from leafinstruct.runtime.store import opened
from leafinstruct.runtime.store.base import SCHEMES, Head
from leafinstruct.runtime.store.opened import is_url


def located(path: str | Path) -> Path:
    """Return the absolute path of what a recipe names, on the disk or in a store."""
    if isinstance(path, ObjectPath):
        return path
    return ObjectPath(path) if is_url(str(path)) else Path(path).absolute()


def relative_root(root: Path, folder: Path) -> str:
    """Return how a run records the folder of a source: relative to its own folder, so that a project can
    move; a URL in a store."""
    return str(root) if isinstance(root, ObjectPath) else os.path.relpath(root.resolve(), folder)


def root_at(folder: Path, recorded: str) -> Path:
    """Return the folder that `relative_root` recorded."""
    return ObjectPath(recorded) if is_url(recorded) else folder / recorded


def openable(path: Path) -> Path | IO[bytes]:
    """Return what a library that opens files by name is given: the path of a file on the disk, an open object
    of a store."""
    return path.open("rb") if isinstance(path, ObjectPath) else path


class ObjectPath(PosixPath):
    """The path of an object or a folder of objects: `s3://bucket/folder/name`. Reads only."""

    @property
    def head(self) -> Head:
        """The state in which this process reads the object. Raises FileNotFoundError, SourceError."""
        return opened.head(str(self))

    def __str__(self) -> str:
        parts = self.parts
        if parts and parts[0].endswith(":") and parts[0][:-1] in SCHEMES:
            return f"{parts[0]}//{'/'.join(parts[1:])}"
        return super().__str__()

    def __fspath__(self) -> str:
        raise SourceError(f"{self}: only files on a disk can be read in this way; copy it to a disk")

    def __reduce__(self) -> tuple[type[Self], tuple[str, ...]]:
        return (type(self), (str(self),))

    def as_posix(self) -> str:
        return str(self)

    def absolute(self) -> Self:
        return self

    def resolve(self, strict: bool = False) -> Self:
        """Return the path without `..`, which objects do not have. strict: not used."""
        return type(self)(posixpath.normpath("/".join(self.parts)))

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size and state; the time is a number made of the state."""
        found = self.head
        time = int.from_bytes(hashlib.sha256(found.state.encode()).digest()[:7], "big")
        values = (stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, found.size, 0, 0, 0)
        return os.stat_result(values, {"st_atime_ns": 0, "st_mtime_ns": time, "st_ctime_ns": 0})

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        return self.is_file() or self.is_dir()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        if len(self.parts) < 3:
            return False
        try:
            return self.head is not None
        except FileNotFoundError:
            return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether objects lie below this name."""
        return opened.is_folder(str(self))

    def is_symlink(self) -> bool:
        return False

    def open(  # type: ignore[override]
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open the object to be read by ranges. Raises FileNotFoundError, SourceError."""
        if mode not in ("r", "rb"):
            raise SourceError(f"{self}: builds only read buckets; the workdir is on a disk")
        raw = _Stream(str(self), self.head.size)
        if buffering == 0:
            return cast("IO[bytes]", raw)
        stream = io.BufferedReader(raw, 1 << 16)
        return stream if mode == "rb" else io.TextIOWrapper(stream, encoding or "utf-8", errors, newline)

    def files(self) -> Iterator[tuple[str, Head]]:
        """Yield name and state of all objects below this folder, as they are now, sorted. Raises
        SourceError."""
        return opened.listed(str(self))

    def glob(self, pattern: str, **_: Any) -> Iterator[Self]:  # type: ignore[override]
        """Yield the objects below this folder that match; `**` matches any folders."""
        parts = pattern.split("/")
        for name, state in self.files():
            if _matches(name.split("/"), parts):
                opened.remember([(str(self / name), state)])
                yield self / name


def _matches(name: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the steps of a name match those of a glob, one by one: no wildcard matches a slash."""
    if not name or not pattern:
        return not name and not pattern
    if pattern[0] == "**" and len(pattern) > 1:
        return any(_matches(name[at:], pattern[1:]) for at in range(len(name)))
    return fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])


class _Stream(io.RawIOBase):
    """An object as a file that is read by ranges."""

    def __init__(self, url: str, size: int) -> None:
        super().__init__()
        self.name, self._url, self._size, self._at = url, url, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"a place before the file: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and (data := opened.read(self._url, self._at, len(view) - filled)):
            view[filled : filled + len(data)] = data
            self._at, filled = self._at + len(data), filled + len(data)
        return filled
