"""Which examples of a part are left out because somebody asked for it (`leaf remove`), and what a part's key
owes to that.

Left out here and not earlier: shard is the last step before a dataset is seen, it calls no model, and a rule
on a document that was taken out costs nothing to replay. A part's key names the examples that are left out of
*it*, so a new entry gathers the parts it concerns and no others; without entries keys are what they were
before there was a list.

Cost: where there are entries, each part of rewrite is read once a build, in processes, and once more where it
is gathered.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from leafinstruct.records import table
from leafinstruct.records.example import Example
from leafinstruct.records.removals import Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Needs, Part


def left_out(suppressed: Suppressed, rewrite: Artifact, engine: Engine) -> dict[str, list[str]]:
    """Part -> ids of its examples that entries take out, in their order; parts without are not in it. Nothing
    is read without entries."""
    if not suppressed.entries:
        return {}
    parts = [Part(name) for name in rewrite.parts()]
    reports = engine.map(
        partial(look, suppressed, rewrite), parts, Needs(what="looking for what was removed", unit="examples")
    )
    return {report["part"]: report["ids"] for report in reports if report["ids"]}


def look(suppressed: Suppressed, rewrite: Artifact, part: Part) -> dict[str, Any]:
    """Task: `ids` of one part's examples that entries take out."""
    ids = [
        example.id
        for example in _examples(rewrite, part.name)
        if suppressed.match(Shown.of_example(example)) is not None
    ]
    return {
        "part": part.name,
        "counts": {"examples": table.count(rewrite.file("examples", part.name))},
        "ids": ids,
    }


def staying(suppressed: Suppressed, rewrite: Artifact, part: str) -> list[Example]:
    """The examples of a part that no entry takes out, in their order."""
    return [
        example for example in _examples(rewrite, part) if suppressed.match(Shown.of_example(example)) is None
    ]


def _examples(rewrite: Artifact, part: str) -> Iterator[Example]:
    return (table.example_of(row) for row in table.read(rewrite.checked("examples", part)))
