"""Which examples of a part are left out because somebody asked for it (`leaf remove`), and what a part's key owes to that.

Left out here and not earlier: shard is the last step before a dataset is seen, it calls no model, and a rule on a document that was taken out
costs nothing to replay. A part's key names the examples that are left out of *it*, so a new entry gathers the parts it concerns and no others;
without entries keys are what they were before there was a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leafinstruct.artifact import Artifact
from leafinstruct.records import table
from leafinstruct.records.example import Example
from leafinstruct.suppressed import Shown, Suppressed


def staying(suppressed: Suppressed, examples: list[Example]) -> list[Example]:
    """The examples that no entry takes out, in their order."""
    return [example for example in examples if suppressed.match(Shown.of_example(example)) is None]


def left_out(suppressed: Suppressed, rewrite: Artifact, part: str) -> list[str]:
    """Ids of a part's examples that entries take out; the part is read only where there are entries."""
    if not suppressed.entries:
        return []
    return [example.id for example in examples(rewrite, part) if suppressed.match(Shown.of_example(example)) is not None]


def examples(rewrite: Artifact, part: str) -> Iterator[Example]:
    """The examples of a part."""
    return (table.example_of(row) for row in table.read(rewrite.file("examples", part)))


def counted(rewrite: Artifact, suppressed: Suppressed) -> dict[str, Any]:
    """The record's facts of what was left out: nothing to tell where nothing was."""
    count = sum(len(left_out(suppressed, rewrite, part)) for part in rewrite.parts())
    return {"suppressed": count} if count else {}
