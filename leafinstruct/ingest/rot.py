"""Find source files whose bytes changed while size and time did not (disk corruption, a bad copy), when one
of their parts is read again.

Reading only that part would mix it with parts of the file's former content. So all parts of the file are read
again. A named version must not change, so there the build stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from leafinstruct.ingest.origin import IngestSettings, reader
from leafinstruct.ingest.stage import KNOWN, Unit, plan, state
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import file_fault, load


def rotted(settings: IngestSettings, out: Artifact) -> list[str]:
    """Return the names of source files of out-of-date parts whose sha256 differs from the one recorded for
    the same size and time."""
    known, changes = load(out.path / KNOWN) or {}, dict[str, bool]()
    for part in plan(settings, out) if known else ():
        unit: Unit = part.payload
        if out.is_up_to_date(part.name, unit.key):
            continue
        for file in unit.span.files:
            name = f"{unit.source.name}/{file}"
            if name not in changes and known.get(name, {}).get("state") == state(unit.source, file):
                changes[name] = (
                    file_fault(reader(unit.source.kind).root_of(unit.source) / file, known[name]["sha256"])
                    is not None
                )
    return [name for name, changed in changes.items() if changed]


def invalidate(settings: IngestSettings, out: Artifact, names: Sequence[str]) -> None:
    """Mark every part that was read from some source files as missing."""
    for part in plan(settings, out) if names else ():
        if any(f"{part.payload.source.name}/{file}" in names for file in part.payload.span.files):
            out.open(part.name)
