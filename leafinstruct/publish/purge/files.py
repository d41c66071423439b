"""Files of a working directory's runs that hold removed content, in the order in which they are deleted.

    1. exports, push/, inspect pages, tokens and samples of training, shards and their descriptions
    2. parts of shard, rewrite and filter: reports first, so that a kill leaves nothing that looks complete
    3. sketchbook sources that were written under another list; streamed rows are emptied (rows.py)
    4. parts of ingest, LAST: they identify the removed records, so a purge that was killed finds them again

Whole parts are deleted: `leaf build` makes them again without the removed records, from cached answers and
fetched images. push/, inspect pages, tokens and samples of training may be older than the shards, and exports
may be of shards that no longer exist. Each can be made again with one command, so they are always deleted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from leafinstruct.ingest import made
from leafinstruct.publish.purge.find import STAGES, Found
from leafinstruct.publish.purge.quotes import Quotes
from leafinstruct.records.frames import contains_any
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.removals import Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.share import FOLDER as SHARES
from leafinstruct.runtime.files import load

DESCRIBING = ("SHA256SUMS", "README.md", "croissant.json", "build.json", "examples", FOLDER)
"""Files that describe shards, and the preference rows, which the next build makes of those."""
_TRAINING = ("tokens", "tokens-validation", "samples")
_TEXT = (".json", ".jsonl", ".html", ".md", ".txt", ".log", ".csv", ".yaml", ".cdxj")
_OWN = ("complete.json", "started.json")
_LEFT = (".*.tmp", ".crawl-*", ".*.again")
"""Patterns of files and folders of killed writers."""


def planned(
    workdir: Path, folders: list[Path], found: Found, listed: Suppressed
) -> tuple[list[Path], list[Path]]:
    """Files and folders to delete: first those to delete before the parts of ingest, then those of ingest."""
    affected = [run for run in folders if found.parts[run] or found.shards[run]]
    first: list[Path] = [path for run in folders for pattern in _LEFT for path in run.rglob(pattern)]
    last: list[Path] = []
    if listed.entries:
        first += _exports(workdir, affected) + _hydrated(workdir)
        first += [run / "train" / name for run in folders for name in _TRAINING]
        first += [
            path
            for run in folders
            for path in (run / "push", *run.glob("*.html"), *_sketchbook(run, listed), *_frames(run, listed))
        ]
    for run in affected:
        first.append(run / SHARES)
        first += [
            run / stage / name for stage in reversed(STAGES) for name in ("record.json", "fingerprint.json")
        ]
        first += [run / "shard" / name for name in DESCRIBING]
        shards = Artifact(run / "shard")
        for shard in sorted(found.shards[run]):
            first += [shards.file("report", shard, ".json"), shards.path / f"{shard}.parquet"]
        for stage in ("shard", "rewrite", "filter"):
            first += _of_parts(run / stage, found.parts[run])
        last += _of_parts(run / "ingest", found.parts[run])
    planned_so_far = {*first, *last}
    first += [path for run in folders for path in _quoting(run, found.quotes, planned_so_far)]
    return _existing(first), _existing(last)


def _existing(paths: list[Path]) -> list[Path]:
    return [path for path in dict.fromkeys(paths) if path.exists()]


def delete(paths: Iterable[Path]) -> None:
    """Delete files and folders, in order. Raises OSError."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _sketchbook(run: Path, listed: Suppressed) -> Iterator[Path]:
    """Sketchbook sources that were written under another list. They may hold documents that no build has
    read, so no table knows them. `leaf build` writes them again."""
    for root in sorted((run / "sketchbook").glob("*")):
        if (load(root / made.COMPLETE) or {}).get("removed") != listed.identity:
            yield from (root / made.COMPLETE, root)


def _frames(run: Path, listed: Suppressed) -> Iterator[Path]:
    """Tables of video frames that hold an image of an entry, also in runs that have not filtered it."""
    for path in Artifact(run / "ingest").files("frames") if listed.images else ():
        if contains_any(path, listed.images):
            yield path


def _of_parts(stage: Path, parts: set[str]) -> list[Path]:
    """Files of parts of one stage, reports first."""
    found = [path for path in Artifact(stage).files() if path.stem.partition("-")[2] in parts]
    return sorted(found, key=lambda path: (not path.name.startswith("report-"), path.name))


def _exports(workdir: Path, affected: list[Path]) -> list[Path]:
    """Exports below the working directory, except those of current shards of runs without removed records."""
    clean = {
        sha256
        for run in workdir.glob("[!.]*")
        if run.is_dir() and run not in affected
        for report in Artifact(run / "shard").reports()
        for sha256 in report.files.values()
    }
    folders = [path.parent for path in workdir.rglob("fingerprint.json") if path.parent.name not in STAGES]
    return [folder for folder in folders if not set(_exported(folder)) <= clean]


def _hydrated(workdir: Path) -> list[Path]:
    """Folders of `leaf hydrate` below the working directory. All of them: fetched images, the card and
    missing.jsonl may also show a record whose row was left out.

    Such a folder has a fingerprint, possibly damaged. A foreign folder with a `missing.jsonl` has none.
    """
    files = [path.with_name("fingerprint.json") for path in workdir.rglob("missing.jsonl")]
    return [file.parent for file in files if file.is_file() and "shards" in (load(file) or {"shards": {}})]


def _exported(folder: Path) -> list[str]:
    """sha256 of the shards of an export; empty for a folder that is not an export."""
    fingerprint = Artifact(folder).fingerprint or {}
    shards = fingerprint.get("shards")
    return list(shards.values()) if "export" in fingerprint and isinstance(shards, dict) else []


def _quoting(run: Path, quotes: Quotes, planned_so_far: set[Path]) -> Iterator[Path]:
    """Other text files of a run that quote removed records: reports, indexes, pages."""
    for path in sorted(run.rglob("*")):
        inside = path.relative_to(run).parts
        if (
            inside[0] in ("sketchbook", "hub")
            or path.suffix not in _TEXT
            or not path.is_file()
            or path.name in _OWN
        ):
            continue
        if not any(each in planned_so_far for each in (path, *path.parents)) and _quotes(path, quotes):
            yield path


def _quotes(path: Path, quotes: Quotes) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it may hold anything
        return True
    if path.suffix == ".json":
        try:
            return quotes.within(json.loads(text))
        except (ValueError, RecursionError):
            return quotes.hit(text)
    return any(map(quotes.hit, text.splitlines()))
