"""What planning learned about a large file, cached so that planning again costs nothing.

One small JSON file per indexed file, named after the file's name, size and sha256, so that a moved or touched
file is not indexed again; in folders by the start of that name. A changed file gets another name, so nothing
is ever invalidated, and concurrent builders write the same bytes by one rename. A damaged index is built
again. Rejected: SQLite (locks on network file systems) and a single index for all files (rewritten for each).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from leafinstruct.ingest.files import readable
from leafinstruct.runtime import content
from leafinstruct.runtime.files import load, save

Index = TypeVar("Index", bound=Mapping[str, object])
"""What JSON can hold: a TypedDict of lists, texts and numbers. Tuples come back as lists."""


def cached_index(cache: Path, file: Path, build: Callable[[Path], Index], version: int | str) -> Index:
    """Return `build(file)`, cached for this state of the file. version: increase when build returns something
    else than before.

    Raises SourceError when the file cannot be read.
    """
    with readable(file):
        kept = place(cache, file, build.__module__, version)
        found = load(kept)
        # the second condition: the index of another file under this name
        if found is not None and found.pop("file", None) == kept.name:
            return cast("Index", found)
        built = build(file)
        save(kept, {**built, "file": kept.name}, indent=None)
    return built


def place(cache: Path, file: Path, module: str, version: int | str) -> Path:
    """Return the path of an index of a file. module: whose index; unroll passes the kind of its records.
    Raises OSError."""
    key = f"{module}\0{version}\0{file.name}\0{content.identity(file, cache)}"
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    return cache / name[:2] / f"{name[:24]}.json"
