"""Files that a build creates so that readers can read them (the embedded corpus, a streamed dataset): their
sha256, and which are damaged.

    <root>/sums.json       name -> size and sha256 of every file under it, written before `complete.json`
    <root>/emptied.jsonl   locations of documents that `leaf remove --purge` emptied: their records remain

Sizes are compared in every build, at the cost of one `stat` per file. Bytes are compared before ingest or
filter reads the files, and by `leaf verify`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from leafinstruct.records.removals import Suppressed
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, hashing
from leafinstruct.runtime.files import ALTERED, file_fault, file_sha256, load, save, writing
from leafinstruct.sketchbook.formats.write import EMPTIED, Entry

SUMS, COMPLETE = "sums.json", "complete.json"
FILES_A_PART = 256
Place = tuple[str, str]
"""File and locator of a record."""


def write_sums(root: Path) -> None:
    """Record size and sha256 of every file under a root."""
    paths = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".tmp" and path.name not in (SUMS, COMPLETE)
    ]
    save(
        root / SUMS,
        {
            str(path.relative_to(root)): {"size": path.stat().st_size, "sha256": file_sha256(path)}
            for path in paths
        },
        None,
    )


def removal_entry(removed: Suppressed) -> dict[str, object]:
    """Return the entry of `complete.json` that names the list of removals; empty without a list."""
    return {"removed": removed.identity} if removed.entries else {}


def emptied(root: Path) -> dict[Place, Entry]:
    """Return the emptied locations of a root, each with its entry of the removal list; nothing when the file
    is unreadable."""
    try:
        found = map(json.loads, (root / EMPTIED).read_text(encoding="utf-8").splitlines())
        return {(each["file"], each["locator"]): (each["removed"][0], each["removed"][1]) for each in found}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def note_emptied(root: Path, file: str, places: Mapping[str, Entry]) -> None:
    """Replace the emptied locations of one file. places: locator -> entry. Call it before writing the file,
    so that no record is empty without an explanation after a crash."""
    known = {place: entry for place, entry in emptied(root).items() if place[0] != file}
    now = known | {(file, locator): entry for locator, entry in places.items()}
    if now != emptied(root):
        lines = [
            json.dumps({"file": place[0], "locator": place[1], "removed": entry}, ensure_ascii=False)
            for place, entry in now.items()
        ]
        with writing(root / EMPTIED) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def wrong_sizes(root: Path) -> list[str]:
    """Return the names of files that are missing or have another size."""
    return [name for name, made in (load(root / SUMS) or {}).items() if _size(root / name) != made["size"]]


def missing(root: Path) -> list[str]:
    """Return the names of files that are missing."""
    return [name for name in load(root / SUMS) or {} if not (root / name).is_file()]


def damaged(root: Path, engine: Engine) -> list[tuple[str, str]]:
    """Return (name, fault) of every file that differs from what was written; the list of sums itself when it
    is damaged."""
    sums = load(root / SUMS)
    if sums is None:
        return [(SUMS, ALTERED)]
    names = list(sums)
    pieces = [names[at : at + FILES_A_PART] for at in range(0, len(names), FILES_A_PART)]
    parts = [
        Part(f"{number:05d}", [(name, sums[name]["sha256"]) for name in piece])
        for number, piece in enumerate(pieces)
    ]
    size = sum(entry["size"] for entry in sums.values())
    reports = hashing(
        engine, partial(compare, root), parts, Needs(what=f"checking {root.parent.name}", unit="files"), size
    )
    return sorted(item for report in reports for item in report.value)


def compare(root: Path, part: Part) -> Found[list[tuple[str, str]]]:
    """Task: (name, fault) of each damaged file. payload: (name, sha256) of each file."""
    wanted: Sequence[tuple[str, str]] = part.payload
    faults = [(name, file_fault(root / name, sha256)) for name, sha256 in wanted]
    return Found(
        counts={"files": len(wanted)}, value=[(name, fault) for name, fault in faults if fault is not None]
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
