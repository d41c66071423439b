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

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from leafinstruct.records.document import Document
from leafinstruct.records.example import Turn
from leafinstruct.rewrite.checks import asks, coverage, faithful, in_language, lost
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.checks.finding import Finding, Name
from leafinstruct.rewrite.worded import Task

_OF_ONE_QUESTION: frozenset[Name] = frozenset({"spread", "leak", "question"})
"""Checks of an example of one question and one answer. In several turns a later question may repeat what an
earlier answer had, and an answer may be a sentence without an image."""


def check(document: Document, task: Task, turns: Sequence[Turn], bounds: Checks) -> tuple[Finding, ...]:
    """The findings about an example of a document (or a piece of one), those that apply to its family.

    turns: user and assistant, alternating; the first part of the first is the instruction.
    """
    checks: tuple[tuple[Name, Callable[[], tuple[float | None, str]], float | None], ...] = (
        ("spread", partial(coverage.spread, document, task.family, turns), bounds.min_spread),
        ("kept", partial(coverage.kept, document, turns), bounds.min_kept),
        ("length", partial(coverage.length, document, turns), bounds.max_length),
        ("faithful", partial(faithful.faithful, document, task, turns), bounds.min_faithful),
        ("lost", partial(lost.lost, document, turns), bounds.max_lost),
        ("leak", partial(coverage.leak, document, turns), bounds.max_leak),
        ("question", partial(asks.question, document, task, turns), bounds.min_question),
        ("language", partial(in_language.language, document, task.family, turns), bounds.min_language),
    )
    results = (
        (name, compute(), bound)
        for name, compute, bound in checks
        if name not in _OF_ONE_QUESTION or not task.family.several_turns
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
