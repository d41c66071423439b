"""Leave removed examples (`leaf remove`) out of the shards.

Removal happens in the last stage, which calls no model, so a new entry does not recompute scores or answers.
The key of a part names only the examples removed from this part, so a new entry gathers only the parts that
it concerns; without entries, keys are the same as without a list.

Cost: if the list has entries, each part of rewrite is read once a build, in worker processes, and once more
when it is gathered.
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
    """Part -> ids of its removed examples, in their order; only parts that have some. Nothing is read if the
    list is empty."""
    if not suppressed.entries:
        return {}
    parts = [Part(name) for name in rewrite.parts()]
    reports = engine.map(
        partial(look, suppressed, rewrite), parts, Needs(what="matching removals", unit="examples")
    )
    return {report["part"]: report["ids"] for report in reports if report["ids"]}


def look(suppressed: Suppressed, rewrite: Artifact, part: Part) -> dict[str, Any]:
    """Task of an engine: `ids` of one part's removed examples."""
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


def remaining(suppressed: Suppressed, rewrite: Artifact, part: str) -> list[Example]:
    """The examples of a part that are not removed, in their order."""
    return [
        example for example in _examples(rewrite, part) if suppressed.match(Shown.of_example(example)) is None
    ]


def _examples(rewrite: Artifact, part: str) -> Iterator[Example]:
    return (table.example_of(row) for row in table.read(rewrite.checked("examples", part)))
