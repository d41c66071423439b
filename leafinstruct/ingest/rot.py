"""Find source files whose bytes changed while size and time did not (disk corruption, a bad copy), when one
of their parts is read again.

Reading only that part would mix it with parts of the file's former content. So all parts of the file are read
again. A named version must not change, so there the build stops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from leafinstruct.ingest.config import FileSource
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.span import Unit
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part
from leafinstruct.runtime.files import file_fault, file_sha256, load, save
from leafinstruct.runtime.record import Fingerprint
from leafinstruct.runtime.store.path import ObjectPath

KNOWN = "sources.json"
"""File with the state (size and time) and sha256 of every source file when it was read. The sha256 finds a
file whose bytes changed although size and time did not."""


def keep_known(out: Artifact, sources: Mapping[str, str], fingerprint: Fingerprint) -> None:
    """Write `KNOWN`. sources: file -> sha256; fingerprint: with the state of each file."""
    states = cast("Mapping[str, str]", fingerprint.get("files", {}))
    save(
        out.path / KNOWN,
        {file: {"state": states.get(file), "sha256": sha} for file, sha in sorted(sources.items())},
        indent=None,
    )


def content(path: Path) -> str:
    """Return what identifies the content of a source file: its sha256, or the tag of an object in a store,
    which need not be read for it."""
    return f"tag:{path.head.tag}" if isinstance(path, ObjectPath) else file_sha256(path)


def state(source: FileSource, file: str) -> str:
    """Return size and time of a source file as one string."""
    stat = (reader(source.kind).root_of(source) / file).stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def altered(out: Artifact, parts: Callable[[], Sequence[Part]]) -> list[str]:
    """Return the names of source files of out-of-date parts whose sha256 differs from the one recorded for
    the same size and time. parts: plans the stage."""
    known, changes = load(out.path / KNOWN) or {}, dict[str, bool]()
    for part in parts() if known else ():
        unit: Unit = part.payload
        if out.is_up_to_date(part.name, unit.key):
            continue
        for file in unit.span.files:
            name = f"{unit.source.name}/{file}"
            if isinstance(reader(unit.source.kind).root_of(unit.source), ObjectPath):
                continue  # an object of the same state has the same content
            if name not in changes and known.get(name, {}).get("state") == state(unit.source, file):
                changes[name] = (
                    file_fault(reader(unit.source.kind).root_of(unit.source) / file, known[name]["sha256"])
                    is not None
                )
    return [name for name, changed in changes.items() if changed]


def reread(out: Artifact, parts: Callable[[], Sequence[Part]], names: Sequence[str]) -> None:
    """Mark every part that was read from some source files as missing."""
    for part in parts() if names else ():
        if any(f"{part.payload.source.name}/{file}" in names for file in part.payload.span.files):
            out.open(part.name)
