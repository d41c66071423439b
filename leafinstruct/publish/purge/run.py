"""Erase removed records from every run of a working directory and from the shared caches.

Find them, delete everything derived from them, overwrite them in the caches, delete their parts of ingest.
Every step can be repeated: the same command finishes a purge that was killed. The lock of each run is held,
so no build runs meanwhile.

The report lists where removed content may remain: sources, copies, the history of a repository, weights of
models, lists of other recipes, free blocks of the disk.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.images.web import store
from leafinstruct.images.web.store import Fetched
from leafinstruct.llm import cache as answers
from leafinstruct.publish.purge import files, rows
from leafinstruct.publish.purge.find import STAGES, Found, find, runs
from leafinstruct.records import removals as suppressed
from leafinstruct.records.removals import Entry, Shown, Suppressed
from leafinstruct.records.url import normal
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.locks import one_build
from leafinstruct.train.data import codes

DAMAGED = (
    "the documents of a damaged table are unknown: answers and images that no other table refers to are "
    "erased, and will be requested or fetched again"
)
LISTED = 20
"""Maximum number of source files in the report."""


def purge(recipe: Path, run: Path, entries: list[Entry], dry_run: bool) -> dict[str, object]:
    """Mark entries in a recipe's list as purged, and erase what they match.

    run: the run's folder; all runs beside it are purged too. entries: if empty, the whole list.
    Returns the report of what was, or would be, erased. Raises LeafInstructError if a build is running,
    RecipeError for an invalid list, SourceError if a file cannot be erased, DriftError if a run has another
    format, since its tables cannot be searched.
    """
    workdir, file = run.parent, suppressed.beside(recipe)
    known = suppressed.load(file)
    wanted = [replace(each, purged=True) for each in entries or known.entries]
    new = suppressed.add(file, wanted, workdir / ".suppressed.lock") if wanted and not dry_run else 0
    listed = Suppressed(
        tuple(dict.fromkeys([*wanted, *(known if dry_run else suppressed.load(file)).purged.entries]))
    )
    folders = runs(workdir)
    for artifact in (Artifact(folder / stage) for folder in folders for stage in STAGES):
        _ = artifact.fingerprint, artifact.record
    try:
        with ExitStack() as locks:
            for folder in folders:
                locks.enter_context(one_build(folder, "leaf", "run the same command again then"))
            made = {
                path.name
                for each in folders
                for kind in ("sketchbook", "hub")
                for path in (each / kind).glob("*")
            }
            found = find(folders, listed)
            named = _of_examples(listed, found)
            if named and not dry_run:
                suppressed.add(file, named, workdir / ".suppressed.lock")
            erased = _erase(workdir, folders, listed, found, dry_run)
    except OSError as error:
        raise SourceError(
            f"{error.filename or workdir}: cannot be erased: {error.strerror or error}; run the same "
            "command again"
        ) from error
    matches = [
        {"kind": each.kind, "value": each.value, "documents": len(found.matched[(each.kind, each.value)])}
        for each in listed.entries
    ]
    return {
        "file": str(file),
        "new": new,
        "dry_run": dry_run,
        "entries": matches,
        "erased": dict(erased),
        "runs": [folder.name for folder in folders if found.parts[folder] or found.shards[folder]],
        "notes": [DAMAGED] if found.unreadable else [],
        "remains": _remains(run, folders, found, made),
    }


def _of_examples(listed: Suppressed, found: Found) -> list[Entry]:
    """Entries for the documents of removed examples, since ingest does not know examples."""
    ids = {each.value for each in listed.entries if each.kind == "id"}
    documents = set[str]().union(*(found.matched[("id", value)] for value in ids & found.examples))
    return [
        Entry("id", document, "document of a removed example", purged=True)
        for document in sorted(documents - ids)
    ]


def _erase(
    workdir: Path, folders: list[Path], listed: Suppressed, found: Found, dry_run: bool
) -> Counter[str]:
    first, last = files.planned(workdir, folders, found, listed)
    erased = Counter(
        documents=len(found.documents), examples=len(found.examples), files=len(first) + len(last)
    )
    if not dry_run:
        files.delete(first)
    erased["streamed rows"] = rows.erase(folders, listed, found, dry_run)
    kept = {normal(url) for url in found.kept_urls}
    wanted = {normal(url) for url in found.urls}

    def is_removed(entry: Fetched) -> bool:
        stored = found.mended.get(entry.sha256 or "", entry.sha256)
        if stored is not None and stored in found.images:
            return True
        if normal(entry.url) in kept:
            return False
        shown = Shown("", "", entry.url, (), tuple(filter(None, [entry.final_url])))
        unknown = found.unreadable and stored is not None and stored not in found.kept_images
        return unknown or normal(entry.url) in wanted or listed.match(shown) is not None

    def is_encoded(sha256: str) -> bool:
        return sha256 in found.images or (found.unreadable and sha256 not in found.kept_images)

    def is_quoted(entry: dict[str, object]) -> bool:
        return found.unreadable or found.quotes.within(entry)

    count = answers.erase(workdir / ".answers", found.keys, found.kept_keys, is_quoted, dry_run)
    erased["answers"], erased["exchanges"] = count
    erased["fetched images"] = store.erase(workdir / ".fetched", is_removed, dry_run)
    erased["encoded images"] = codes.erase(workdir / ".codes", is_encoded, dry_run)
    if not dry_run:
        files.delete(last)
    return erased


def _remains(run: Path, folders: list[Path], found: Found, made: set[str]) -> list[str]:
    """Messages: where removed content may remain. made: sources whose files leafinstruct wrote."""
    lines = []
    places = sorted(
        {
            f"{source}: {file}"
            for each in found.places.values()
            for source, file, _ in each
            if file and source not in made
        }
    )
    if places:
        more = f" and {len(places) - LISTED:,} more" if len(places) > LISTED else ""
        lines.append(
            f"source files, which leaf does not change ({', '.join(places[:LISTED])}{more}); builds skip the "
            "removed records in them"
        )
    if shared := found.kept_images & found.shown:
        lines.append(
            f"{len(shared):,} images that remaining documents also show "
            f"({', '.join(sorted(shared)[:3])}); --sha256 erases one everywhere"
        )
    own = run.name.partition("-limit")[0].partition("@")[0]
    foreign = [
        each.name
        for each in folders
        if found.parts[each] and each.name.partition("-limit")[0].partition("@")[0] != own
    ]
    if foreign:
        lines.append(
            f"runs of other recipes ({', '.join(foreign)}): they were purged too, but their next build reads "
            "the records again; run `leaf remove` with their recipes"
        )
    if trained := [each.name for each in folders if (each / "train").is_dir()]:
        lines.append(f"weights trained on removed records (adapters, checkpoints of {', '.join(trained)})")
    lines.append(
        "copies: exports and folders of `leaf hydrate` elsewhere, the repository on the Hub and its history, "
        "downloads by others, backups, snapshots and free blocks of the disk"
    )
    return lines
