"""`leaf remove`: add entries to the list of removals, and report what they match in this run.

The list is applied by the next build and push; existing files are not changed (purge/ does that). The report
counts matching records in the shards, names the next commands, and lists where removed content remains:
working files and the history of a repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from leafinstruct.publish.checks import rows
from leafinstruct.records import removals as suppressed
from leafinstruct.records import table
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.records.preference.stored import sources
from leafinstruct.records.removals import Entry, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact


def remove(
    recipe: Path, run: Path, stages: Mapping[str, Artifact], entries: Sequence[Entry]
) -> dict[str, object]:
    """Merge entries into a recipe's list. run: the run's folder. Returns the report.

    Raises RecipeError for an invalid list.
    """
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
        "preference_rows": _of_pairs(stages["shard"], known),
        "left": _left(run, records, sorted(shards), examples),
    }


def _of_shards(shards: Artifact, known: Suppressed) -> tuple[Counter[Entry], Counter[str]]:
    """Count matching records of the shards, by entry and by shard."""
    by_entry, by_shard = Counter[Entry](), Counter[str]()
    for part in shards.parts() if known.entries else ():
        for row in rows(shards.path / f"{part}.parquet", suppressed.ROW_COLUMNS):
            if (entry := known.match(Shown.of_row(row))) is not None:
                by_entry[entry] += 1
                by_shard[part] += 1
    return by_entry, by_shard


def _of_pairs(shards: Artifact, known: Suppressed) -> int:
    """Number of preference rows that match, or whose lender matches."""
    paths = sorted((shards.path / FOLDER).glob("*.parquet")) if known.entries else []
    pairs = (records for path in paths for _, records in sources(path))
    return sum(any(known.match(Shown.of_row(row)) is not None for row in records) for records in pairs)


def _of_examples(rewrite: Artifact, known: Suppressed) -> int:
    parts = rewrite.parts() if known.entries else []
    examples = (example for part in parts for example in table.examples(rewrite.file("examples", part)))
    return sum(known.match(Shown.of_example(example)) is not None for example in examples)


def _left(run: Path, records: int, shards: list[str], examples: int) -> list[str]:
    """Messages: the next commands, and where removed content remains."""
    lines = []
    if records:
        lines.append(
            f"next: leaf build, which rebuilds {len(shards)} shard{'s' if len(shards) != 1 else ''}, then "
            "leaf push"
        )
    if examples or records:
        lines.append(
            f"texts and images of these records remain in the working files of {run} (ingest, filter, "
            f"rewrite), which are not published, and in the shared caches {run.parent}/.fetched, .answers "
            "and .codes; `leaf remove --purge` erases them there"
        )
        lines.append(
            "source files are not changed, and a repository on the Hub keeps its earlier commits until its "
            "history is squashed"
        )
    return lines
