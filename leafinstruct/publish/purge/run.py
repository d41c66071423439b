"""Erase what a list of removals names from every run of a working directory and from the caches that they
share.

find -> delete what was made of it -> overwrite it in the caches -> delete its parts of ingest. Every step can
be repeated: a purge that was killed is finished by the same command. No build runs meanwhile: each run's lock
is held.

What is outside its reach is listed: sources, copies, the history of a repository, weights of models, other
lists, free blocks of the disk.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.images.web import store
from leafinstruct.images.web.store import Fetched
from leafinstruct.llm import cache as answers
from leafinstruct.publish.purge import files, rows
from leafinstruct.publish.purge.find import Found, find, runs
from leafinstruct.records import removals as suppressed
from leafinstruct.records.removals import Entry, Shown, Suppressed
from leafinstruct.records.url import normal
from leafinstruct.runtime.artifact import one_build
from leafinstruct.train.data import codes

DAMAGED = (
    "a damaged table says nothing of its documents: answers and images that no other table leads to "
    "are erased, and asked or fetched again"
)
LISTED = 20
"""Source files that a person is shown."""


def purge(recipe: Path, run: Path, entries: list[Entry], dry_run: bool) -> dict[str, Any]:
    """Add entries to a recipe's list as purged, all of the list where none is given, and erase what they
    name.

    run: the run's folder; all runs beside it are purged too. Returns what was done, or would be. Raises
    LeafInstructError where a build is running, RecipeError for a broken list, SourceError where the disk
    refuses.
    """
    workdir, file = run.parent, suppressed.beside(recipe)
    known = suppressed.load(file)
    wanted = [replace(each, purged=True) for each in entries or known.entries]
    new = suppressed.add(file, wanted, workdir / ".suppressed.lock") if wanted and not dry_run else 0
    listed = Suppressed(
        tuple(dict.fromkeys([*wanted, *(known if dry_run else suppressed.load(file)).purged.entries]))
    )
    folders = runs(workdir)
    try:
        with ExitStack() as held:
            for folder in folders:
                held.enter_context(one_build(folder, "leaf", "run the same command again then"))
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
        "notes": [DAMAGED] if found.blind else [],
        "remains": _remains(run, folders, found, made),
    }


def _of_examples(listed: Suppressed, found: Found) -> list[Entry]:
    """Entries for the documents of the examples that entries name: ingest knows no examples."""
    ids = {each.value for each in listed.entries if each.kind == "id"}
    documents = set[str]().union(*(found.matched[("id", value)] for value in ids & found.examples))
    return [
        Entry("id", document, "the document of a removed example", purged=True)
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

    def is_meant(entry: Fetched) -> bool:
        if entry.sha256 is not None and entry.sha256 in found.images:
            return True
        if normal(entry.url) in kept:
            return False
        shown = Shown("", "", entry.url, (), tuple(filter(None, [entry.final_url])))
        unknown = found.blind and entry.sha256 is not None and entry.sha256 not in found.kept_images
        return unknown or normal(entry.url) in wanted or listed.match(shown) is not None

    def is_encoded(sha256: str) -> bool:
        return sha256 in found.images or (found.blind and sha256 not in found.kept_images)

    def is_quoted(entry: dict[str, Any]) -> bool:
        return found.blind or found.quotes.within(entry)

    count = answers.erase(workdir / ".answers", found.keys, found.kept_keys, is_quoted, dry_run)
    erased["answers"], erased["exchanges"] = count
    erased["fetched images"] = store.erase(workdir / ".fetched", is_meant, dry_run)
    erased["encoded images"] = codes.erase(workdir / ".codes", is_encoded, dry_run)
    if not dry_run:
        files.delete(last)
    return erased


def _remains(run: Path, folders: list[Path], found: Found, made: set[str]) -> list[str]:
    """What a purge does not reach, in plain words. made: names of sources whose files leaf made."""
    told = []
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
        told.append(
            f"source files, which are yours to change ({', '.join(places[:LISTED])}{more}); builds do "
            "not take it from there again"
        )
    if shared := found.kept_images & found.shown:
        told.append(
            f"{len(shared):,} images that documents show that remain "
            f"({', '.join(sorted(shared)[:3])}); --sha256 erases one everywhere"
        )
    own = run.name.partition("-limit")[0].partition("@")[0]
    foreign = [
        each.name
        for each in folders
        if found.parts[each] and each.name.partition("-limit")[0].partition("@")[0] != own
    ]
    if foreign:
        told.append(
            f"runs of other recipes ({', '.join(foreign)}): purged too, but their next build reads "
            "it again; remove it with their recipes"
        )
    if trained := [each.name for each in folders if (each / "train").is_dir()]:
        told.append(f"weights that were trained on it (adapters and checkpoints of {', '.join(trained)})")
    told.append(
        "copies: exports and folders of `leaf hydrate` elsewhere, what the Hub holds and its "
        "history, what others downloaded, backups, snapshots and "
        "free blocks of the disk"
    )
    return told
