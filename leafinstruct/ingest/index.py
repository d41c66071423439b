"""What planning learnt about a big file, kept so that planning again costs nothing.

One small JSON file an indexed file, named after its absolute path, size and time of change: a file that changes gets another name, nothing
is ever invalidated, and concurrent builders write the same bytes by one rename. Refused: SQLite (locks on network file systems) and a
single index for all files (rewritten for every one of them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leafinstruct import sealed
from leafinstruct.artifact import writing
from leafinstruct.errors import SourceError

Index = dict[str, Any]


def remembered(cache: Path, file: Path, build: Callable[[Path], Index], version: int = 1) -> Index:
    """`build(file)`, or what it returned when this very file was last indexed. version: raised when build returns something else than before.

    Raises SourceError when the file cannot be read.
    """
    try:
        stat = file.stat()
        key = f"{build.__module__}\0{version}\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
        kept = cache / f"{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:24]}.json"
        found = _load(kept)
        if found is None:
            found = build(file)
            with writing(kept) as temporary:
                temporary.write_bytes(sealed.seal(found))
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror or error}; check the file and its permissions") from error
    return found


def _load(path: Path) -> Index | None:
    """The index; None when there is none, or when its digest does not hold: a changed offset would lose records."""
    try:
        return sealed.opened(path.read_bytes())
    except FileNotFoundError:
        return None
