"""Source files that changed while their size and time did not: a disk that rots, a copy that went wrong.
Looked for when a part is read once more.

A part that is read again from such a file would stand beside parts of what the file was before. So all parts
of the file are read again, and a named version, which is a promise, stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from leafinstruct.ingest.origin import IngestSettings, reader
from leafinstruct.ingest.stage import KNOWN, Unit, plan, state
from leafinstruct.runtime.artifact import Artifact, file_fault, load


def rotted(settings: IngestSettings, out: Artifact) -> list[str]:
    """Names of the source files of parts that do not stand, whose sha256 is not the one that was recorded for
    this size and time."""
    known, odd = load(out.path / KNOWN) or {}, dict[str, bool]()
    for part in plan(settings, out) if known else ():
        unit: Unit = part.payload
        if out.is_up_to_date(part.name, unit.key):
            continue
        for file in unit.span.files:
            name = f"{unit.source.name}/{file}"
            if name not in odd and known.get(name, {}).get("state") == state(unit.source, file):
                odd[name] = (
                    file_fault(reader(unit.source.kind).root_of(unit.source) / file, known[name]["sha256"])
                    is not None
                )
    return [name for name, changed in odd.items() if changed]


def forget_files(settings: IngestSettings, out: Artifact, names: Sequence[str]) -> None:
    """Make every part miss that was read from some source files."""
    for part in plan(settings, out) if names else ():
        if any(f"{part.payload.source.name}/{file}" in names for file in part.payload.span.files):
            out.open(part.name)
