"""Check a finished example against its document: all checks, in a fixed order. Pure.

    spread     texts between and around the images, as the document has them
    kept       share of the document's words in the example
    length     words of the example per word of the document
    faithful   share of the example's numbers, names and addresses that the document has
    lost       references to what the example does not have
    leak       share of the response that the question already contains
    question   whether the instruction has content, asks, and asks for what the task gives
    language   whether the texts are in the document's language

The source of an example is what the rewriter is shown: the texts and the title of its document, and the
wordings of the task. What only the images show (a number on a sign) is not part of it. Chosen: rules over a
second model, because they give the same result each time, cost no request and state what they found; what
they cannot see (a wrong sentence of known words) is left to the judge. Cost: 4 ms for a page of Sketchbook, 9
for a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leafinstruct.records.document import Document
from leafinstruct.records.example import Turn
from leafinstruct.rewrite.checks import asks, coverage, faithful, in_language, lost
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.checks.finding import Finding, Name
from leafinstruct.rewrite.worded import Task


def check(document: Document, task: Task, turns: Sequence[Turn], bounds: Checks) -> tuple[Finding, ...]:
    """The findings about an example of a document (or a piece of one).

    turns: user and assistant, alternating; the first part of the first is the instruction.
    """
    results: tuple[tuple[Name, tuple[float | None, str], float | None], ...] = (
        ("spread", coverage.spread(document, task.family, turns), bounds.min_spread),
        ("kept", coverage.kept(document, turns), bounds.min_kept),
        ("length", coverage.length(document, turns), bounds.max_length),
        ("faithful", faithful.faithful(document, task, turns), bounds.min_faithful),
        ("lost", lost.lost(document, turns), bounds.max_lost),
        ("leak", coverage.leak(document, turns), bounds.max_leak),
        ("question", asks.question(document, task, turns), bounds.min_question),
        ("language", in_language.language(document, task.family, turns), bounds.min_language),
    )
    found = (
        Finding(name, None if value is None else round(value, 4), bound, detail)
        for name, (value, detail), bound in results
    )
    # what these advise is true only beyond the bound
    return tuple(
        replace(item, detail="")
        if item.name in ("kept", "length", "leak") and item.value is not None and not item.refused
        else item
        for item in found
    )
