"""Files that a build makes so that readers can read them (the embedded corpus, a streamed dataset): their sha256, and which are damaged.

    <root>/sums.json     name -> size and sha256 of every file under the root, written after them and before `complete.json`

Sizes are compared in every build, at the cost of one `stat` a file; bytes when ingest or filter is about to read them, and by `leaf verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from leafinstruct.artifact import file_fault, file_sha256, load, save
from leafinstruct.engine.base import Engine, Needs, Part, hashing

SUMS, MARK = "sums.json", "complete.json"
FILES_A_PART = 256
Sums = dict[str, dict[str, Any]]


def write_sums(root: Path) -> None:
    """Record what lies under a root."""
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".tmp" and path.name not in (SUMS, MARK)]
    save(root / SUMS, {str(path.relative_to(root)): {"size": path.stat().st_size, "sha256": file_sha256(path)} for path in paths}, None)


def odd_sizes(root: Path) -> list[str]:
    """Names of files that are missing or of another size."""
    return [name for name, made in (load(root / SUMS) or {}).items() if _size(root / name) != made["size"]]


def damaged(root: Path, engine: Engine) -> list[tuple[str, str]]:
    """(name, fault) of every file that is not what was made; the list itself where it is damaged."""
    sums = load(root / SUMS)
    if sums is None:
        return [(SUMS, "its bytes are not those that were recorded")]
    names = list(sums)
    pieces = [names[at : at + FILES_A_PART] for at in range(0, len(names), FILES_A_PART)]
    parts = [Part(f"{number:05d}", [(name, sums[name]["sha256"]) for name in piece]) for number, piece in enumerate(pieces)]
    size = sum(entry["size"] for entry in sums.values())
    reports = hashing(engine, partial(compare, root), parts, Needs(what=f"checking {root.parent.name}", unit="files"), size)
    return sorted(item for report in reports for item in report["damages"])


def compare(root: Path, part: Part) -> dict[str, Any]:
    """Task: `damages` is (name, fault) of some files. payload: (name, sha256) of each."""
    wanted: Sequence[tuple[str, str]] = part.payload
    faults = [(name, file_fault(root / name, sha256)) for name, sha256 in wanted]
    return {"counts": {"files": len(wanted)}, "damages": [(name, fault) for name, fault in faults if fault is not None]}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
