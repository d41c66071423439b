"""`leaf remove`: add to the list of what was taken out, and say what that means for this run.

The list takes effect where the dataset is made and where it is published; nothing is cut out of what stands
(purge/ does). So the answer tells what matches in the shards, what to run next, and, in plain words, what
goes on lying in working files and in the history of a repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leafinstruct.publish.checks import rows
from leafinstruct.records import removals as suppressed
from leafinstruct.records import table
from leafinstruct.records.removals import Entry, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact

COLUMNS = ("id", "document_id", "url", "page_url", "image_info")


def remove(
    recipe: Path, run: Path, stages: Mapping[str, Artifact], entries: Sequence[Entry]
) -> dict[str, Any]:
    """Merge entries into a recipe's list. run: the run's folder. Returns what a person or a machine is told.
    Raises RecipeError for a broken list."""
    file = suppressed.beside(recipe)
    new = suppressed.add(file, entries, run.parent / ".suppressed.lock") if entries else 0
    known = suppressed.load(file)
    by_entry, shards = _of_shards(stages["shard"], known)
    examples = _of_examples(stages["rewrite"], known)
    matches = [{**asdict(entry), "matches": by_entry[entry]} for entry in known.entries]
    records = sum(shards.values())
    return {
        "file": str(file),
        "new": new,
        "entries": matches,
        "records": records,
        "shards": sorted(shards),
        "examples": examples,
        "left": _left(run, records, sorted(shards), examples),
    }


def _of_shards(shards: Artifact, known: Suppressed) -> tuple[Counter[Entry], Counter[str]]:
    """Records of the shards by the entry that matches them, and by their shard."""
    by_entry, by_shard = Counter[Entry](), Counter[str]()
    for part in shards.parts() if known.entries else ():
        for row in rows(shards.path / f"{part}.parquet", COLUMNS):
            if (entry := known.match(Shown.of_row(row))) is not None:
                by_entry[entry] += 1
                by_shard[part] += 1
    return by_entry, by_shard


def _of_examples(rewrite: Artifact, known: Suppressed) -> int:
    parts = rewrite.parts() if known.entries else []
    rows = (row for part in parts for row in table.read(rewrite.file("examples", part)))
    return sum(known.match(Shown.of_example(table.example_of(row))) is not None for row in rows)


def _left(run: Path, records: int, shards: list[str], examples: int) -> list[str]:
    """What is to be done, and what stays where."""
    told = []
    if records:
        told.append(
            f"next: leaf build, which makes {len(shards)} shard{'s' if len(shards) != 1 else ''} anew, "
            "then leaf push"
        )
    if examples or records:
        told.append(
            f"their texts and images stay in the working files of {run} (ingest, filter, rewrite), "
            "which are not published, and in what runs "
            f"share, {run.parent}/.fetched, .answers and .codes; `leaf remove --purge` erases them there"
        )
        told.append(
            "source files are yours to change, and a repository on the Hub keeps what its earlier "
            "commits held until its history is squashed"
        )
    return told
