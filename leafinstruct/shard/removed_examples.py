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

from leafinstruct.records import table
from leafinstruct.records.example import Example
from leafinstruct.records.removals import Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part


def left_out(suppressed: Suppressed, rewrite: Artifact, engine: Engine) -> dict[str, list[str]]:
    """Part -> ids of its removed examples, in their order; only parts that have some. Nothing is read if the
    list is empty."""
    if not suppressed.entries:
        return {}
    parts = [Part(name) for name in rewrite.parts()]
    found = engine.map(
        partial(look, suppressed, rewrite), parts, Needs(what="matching removals", unit="examples")
    )
    return {part: ids for part, ids in (matched.value for matched in found) if ids}


def look(suppressed: Suppressed, rewrite: Artifact, part: Part) -> Found[tuple[str, list[str]]]:
    """Task of an engine: name of the part, ids of its removed examples."""
    ids = [
        example.id
        for example in _examples(rewrite, part.name)
        if suppressed.match(Shown.of_example(example)) is not None
    ]
    count = table.count(rewrite.file("examples", part.name))
    return Found(counts={"examples": count}, value=(part.name, ids))


def remaining(suppressed: Suppressed, rewrite: Artifact, part: str) -> list[Example]:
    """The examples of a part that are not removed, in their order."""
    return [
        example for example in _examples(rewrite, part) if suppressed.match(Shown.of_example(example)) is None
    ]


def _examples(rewrite: Artifact, part: str) -> Iterator[Example]:
    return table.examples(rewrite.checked("examples", part))
