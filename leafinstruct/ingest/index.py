"""What planning learnt about a big file, kept so that planning again costs nothing.

One small JSON file an indexed file, named after its absolute path, size and time of change: a file that
changes gets another name, nothing is ever invalidated, and concurrent builders write the same bytes by one
rename. An index whose bytes are not those that were written is built again. Refused: SQLite (locks on network
file systems) and a single index for all files (rewritten for every one of them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.runtime.artifact import load, save

Index = dict[str, Any]


def remembered(cache: Path, file: Path, build: Callable[[Path], Index], version: int = 1) -> Index:
    """`build(file)`, or what it returned when this very file was last indexed. version: raised when build
    returns something else than before.

    Raises SourceError when the file cannot be read.
    """
    try:
        kept = place(cache, file, build.__module__, version)
        found = load(kept)
        # or the index of another file under this name
        if found is None or found.pop("file", None) != kept.name:
            found = build(file)
            save(kept, {**found, "file": kept.name}, indent=None)
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions"
        ) from error
    return found


def place(cache: Path, file: Path, module: str, version: int = 1) -> Path:
    """Where what a module learned about a file is kept. Raises OSError."""
    stat = file.stat()
    key = f"{module}\0{version}\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
    return cache / f"{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:24]}.json"
