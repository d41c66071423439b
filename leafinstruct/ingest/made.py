"""Files that a build makes so that readers can read them (the embedded corpus, a streamed dataset): their
sha256, and which are damaged.

    <root>/sums.json     name -> size and sha256 of every file under the root, written after them and before `complete.json`

    <root>/emptied.jsonl   the places of documents that `leaf remove --purge` took out: their records are there, empty

Sizes are compared in every build, at the cost of one `stat` a file; bytes when ingest or filter is about to
read them, and by `leaf verify`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from leafinstruct.records.removals import Suppressed
from leafinstruct.runtime.artifact import file_fault, file_sha256, load, save, writing
from leafinstruct.runtime.engine.base import Engine, Needs, Part, hashing
from leafinstruct.sketchbook.formats.write import EMPTIED, Entry

SUMS, MARK = "sums.json", "complete.json"
FILES_A_PART = 256
Sums = dict[str, dict[str, Any]]
Place = tuple[str, str]
"""File and locator of a record."""


def write_sums(root: Path) -> None:
    """Record what lies under a root."""
    paths = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".tmp" and path.name not in (SUMS, MARK)
    ]
    save(
        root / SUMS,
        {
            str(path.relative_to(root)): {"size": path.stat().st_size, "sha256": file_sha256(path)}
            for path in paths
        },
        None,
    )


def under(removed: Suppressed) -> dict[str, Any]:
    """For a root's mark: the list under which its files were written; nothing without a list."""
    return {"removed": removed.identity} if removed.entries else {}


def emptied(root: Path) -> dict[Place, Entry]:
    """The places of a root that were emptied, and the entry that each was emptied for; nothing for a list
    that cannot be read."""
    try:
        found = map(json.loads, (root / EMPTIED).read_text(encoding="utf-8").splitlines())
        return {(each["file"], each["locator"]): (each["removed"][0], each["removed"][1]) for each in found}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def note_emptied(root: Path, file: str, places: Mapping[str, Entry]) -> None:
    """Replace what is noted of one file. places: locator -> entry. Written before the file: a kill in between
    leaves a record too few, not a place of which nothing is known."""
    known = {place: entry for place, entry in emptied(root).items() if place[0] != file}
    now = known | {(file, locator): entry for locator, entry in places.items()}
    if now != emptied(root):
        lines = [
            json.dumps({"file": place[0], "locator": place[1], "removed": entry}, ensure_ascii=False)
            for place, entry in now.items()
        ]
        with writing(root / EMPTIED) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def odd_sizes(root: Path) -> list[str]:
    """Names of files that are missing or of another size."""
    return [name for name, made in (load(root / SUMS) or {}).items() if _size(root / name) != made["size"]]


def odd_names(root: Path) -> list[str]:
    """Names of files that are missing."""
    return [name for name in load(root / SUMS) or {} if not (root / name).is_file()]


def damaged(root: Path, engine: Engine) -> list[tuple[str, str]]:
    """(name, fault) of every file that is not what was made; the list itself where it is damaged."""
    sums = load(root / SUMS)
    if sums is None:
        return [(SUMS, "its bytes are not those that were recorded")]
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
    return sorted(item for report in reports for item in report["damages"])


def compare(root: Path, part: Part) -> dict[str, Any]:
    """Task: `damages` is (name, fault) of some files. payload: (name, sha256) of each."""
    wanted: Sequence[tuple[str, str]] = part.payload
    faults = [(name, file_fault(root / name, sha256)) for name, sha256 in wanted]
    return {
        "counts": {"files": len(wanted)},
        "damages": [(name, fault) for name, fault in faults if fault is not None],
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
