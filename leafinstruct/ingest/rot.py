"""The contents of source files: what a build knows of them, and which changed on the disk without being
written (disk corruption), found when one of their parts is read again.

A file is identified by size and sha256 (runtime/content). `sources.json` keeps the identity of every file
with the state that it had, so that only files in another state are hashed again: a copied run hashes its
sources once, in the engine's workers, and reads none of them. It is written as soon as the stage is planned,
so a build that was stopped, and the other shares of a divided one, do not hash them again.

Reading only that part would mix it with parts of the file's former content. So all parts of the file are read
again. A named version must not change, so there the build stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from leafinstruct.ingest.config import FileSource
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.span import Unit
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, hashing
from leafinstruct.runtime.files import file_fault, file_sha256, load, save
from leafinstruct.runtime.store.path import ObjectPath

INDEX = "index"
"""Folder of the indexes of large files, and of the hashes of such files."""
KNOWN = "sources.json"
"""File with the state (see runtime/content) and sha256 of every source file when it was hashed. The sha256
finds a file whose bytes changed although nobody wrote it."""
_PIECE = 64
"""Files that one task hashes."""


def keep_known(out: Artifact, paths: Mapping[str, Path]) -> None:
    """Write `KNOWN`, unless it has the same already. paths: of the source files by name."""
    now = {}
    for name, path in sorted(paths.items()):
        found = content.identity(path, out.path / INDEX)
        known = content.known(path)
        now[name] = {"state": known and known[0], "sha256": found.partition(" ")[2]}
    if load(out.path / KNOWN) != now:
        save(out.path / KNOWN, now, indent=None)


def sha256(path: Path) -> str:
    """The sha256 of a source file as it is now, or `tag:` and the tag of an object in a store, which need not
    be read for it."""
    return f"tag:{path.head.tag}" if isinstance(path, ObjectPath) else file_sha256(path)


def recall(out: Artifact, folders: Mapping[str, Path], engine: Engine) -> None:
    """Take over the identities in `KNOWN`, and hash the files that are in another state than when it was
    written, in parallel. folders: of the sources, by name."""
    found = []
    for name, entry in (load(out.path / KNOWN) or {}).items():
        source, _, file = name.partition("/")
        path = folders[source] / file if source in folders else None
        if path is None or isinstance(path, ObjectPath) or not path.is_file():
            continue
        content.remember(path, entry["state"] or "", f"{path.stat().st_size} {entry['sha256']}")
        found.append(path)
    hash_all(out, found, engine)


def hash_all(out: Artifact, paths: Iterable[Path], engine: Engine) -> None:
    """Hash the files whose identity this process does not know, in parallel. Objects in a store are not
    read."""
    others: list[Path] = []
    size = 0
    for path in dict.fromkeys(paths):
        with suppress(OSError):  # the reader of the file reports it
            if not isinstance(path, ObjectPath) and not content.is_known(path):
                size += path.stat().st_size
                others.append(path)
    pieces = [others[at : at + _PIECE] for at in range(0, len(others), _PIECE)]
    parts = [Part(f"{number:05d}", piece) for number, piece in enumerate(pieces)]
    task, needs = partial(hashed, out.path / INDEX), Needs(what="hashing sources", unit="MB")
    for found in hashing(engine, task, parts, needs, size):
        for path, then, identity in found.value:
            content.remember(path, then, identity)


def hashed(shared: Path, part: Part) -> Found[list[tuple[Path, str, str]]]:
    """Task: path, state and identity of files, without those that changed just now, whose state would not
    show another change. shared: see content.identity. payload: their paths."""
    found, size = [], 0
    for path in part.payload:
        with suppress(OSError):  # the reader of the file reports it
            size += int(content.identity(path, shared).partition(" ")[0])
            if content.is_known(path) and (known := content.known(path)) is not None:
                found.append((path, *known))
    return Found(counts={"MB": size // 1_000_000}, value=found)


def path_of(source: FileSource, file: str) -> Path:
    """The path of a source's file."""
    return reader(source.kind).root_of(source) / file


def altered(out: Artifact, parts: Callable[[], Sequence[Part]]) -> list[str]:
    """Return the names of source files of out-of-date parts whose sha256 differs from the one recorded for
    the same state. parts: plans the stage."""
    known, changes = load(out.path / KNOWN) or {}, dict[str, bool]()
    planned = parts() if known else ()
    made = {part.name for part in planned if out.is_up_to_date(part.name, part.payload.key)}
    begun = {name for part in planned if part.name in made for name in _names(part)}
    for part in planned:
        if part.name in made:
            continue
        unit: Unit = part.payload
        for file in unit.span.files:
            name = f"{unit.source.name}/{file}"
            path = path_of(unit.source, file)
            if out.record is None and name not in begun:
                continue  # a first build has read nothing of it
            if isinstance(path, ObjectPath):
                continue  # an object of the same state has the same content
            if name not in changes and known.get(name, {}).get("state") == content.state(path):
                changes[name] = file_fault(path, known[name]["sha256"]) is not None
    return [name for name, changed in changes.items() if changed]


def _names(part: Part) -> list[str]:
    """The names of a part's source files, as in `KNOWN`."""
    return [f"{part.payload.source.name}/{file}" for file in part.payload.span.files]


def reread(out: Artifact, parts: Callable[[], Sequence[Part]], names: Sequence[str]) -> None:
    """Mark every part that was read from some source files as missing, and forget their identity."""
    known = load(out.path / KNOWN) or {}
    for part in parts() if names else ():
        for file in part.payload.span.files:
            if f"{part.payload.source.name}/{file}" in names:
                content.forget(path_of(part.payload.source, file))
        if any(name in names for name in _names(part)):
            out.open(part.name)
    if names:
        left = {name: entry for name, entry in known.items() if name not in names}
        save(out.path / KNOWN, left, indent=None)
