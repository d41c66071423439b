"""Results of rewriting: an example, or the reason why there is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from leafinstruct.llm.request import Answer
from leafinstruct.records import table
from leafinstruct.records.document import Document, Text
from leafinstruct.records.example import Cell, Example, Turn, example_id
from leafinstruct.records.rows import Drop
from leafinstruct.records.text.references import Dangling
from leafinstruct.rewrite.checks.finding import Finding, refusal
from leafinstruct.rewrite.prompt import DANGLING_FAULT
from leafinstruct.runtime.stage_report import StageReport

DANGLING = "reference.dangling"
"""A score of the document that a row has for its example: filter's count is replaced by the count on the
finished example."""

UNFIT, LEFT_OUT = "unfit", "rewrite.left_out"
"""Verdicts of a model: a document makes no example; an example is better without an image."""


@dataclass(frozen=True, kw_only=True)
class RewriteReport(StageReport):
    """Report of a part of rewrite. details: purpose of the first of the failed requests, and why it failed.
    asked_in: languages of the questions."""

    details: Sequence[tuple[str, str]] = ()
    asked_in: Sequence[str] = ()


@dataclass(frozen=True)
class Refused:
    """A document, or a piece of one, that became no example, and why. value, threshold: of the check that it
    failed."""

    document: Document
    reason: str
    state: str
    detail: str
    value: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class LeftOut:
    """An image that a model left out of the example of a document, or of a piece of one, and its reason."""

    document: Document
    position: int
    because: str


def example(
    document: Document,
    task: str,
    turns: tuple[Turn, ...],
    answer: Answer | None,
    cells: tuple[Cell, ...],
    piece: int = 0,
) -> Example:
    """The example of a document or a piece of it. Scores of dropped images are left out."""
    kept = {None, *(image.position for image in document.images)}
    models = {item.name.partition(".")[0]: item.model for item in cells if item.model is not None}
    if answer is not None:
        models["rewrite"] = answer.model
    return Example(
        id=example_id(document.id, task, piece),
        document_id=document.id,
        source=document.source,
        task=task,
        turns=turns,
        provenance=document.provenance,
        scores=tuple(item for item in cells if item.position in kept),
        url=document.url,
        license=document.license,
        title=document.title,
        page_url=document.page_url,
        language=document.language,
        models=tuple(sorted(models.items())),
    )


def keep(document: Document, cells: tuple[Cell, ...], drops: Sequence[Drop] = ()) -> Example | Refused:
    """Keep a conversation unchanged. It is refused if an image was dropped, because a turn would then refer
    to nothing. Segments without a role belong to the role before, at the beginning to the user."""
    if not document.is_conversation:
        return Refused(
            document, "not_a_conversation", "ok", "rewrite.mode is keep, but no segment has a role"
        )
    if drops:
        lost = f"its image at {drops[0].position} was dropped by {drops[0].rule}"
        return Refused(document, "image_dropped", "ok", f"{lost}, and a conversation is only kept whole")
    role, roles = "user", []
    for segment in document.segments:
        role = segment.role or role
        roles.append(role)
    turns = tuple(
        Turn(
            "assistant" if who == "assistant" else "user",
            tuple(item.text if isinstance(item, Text) else item for _, item in run),
        )
        for who, run in groupby(zip(roles, document.segments, strict=True), key=lambda pair: pair[0])
    )
    return example(document, "conversation", turns, None, cells)


def counted(cell: Cell, unanswered: Sequence[Dangling]) -> Cell:
    """The score with the count of the example in place of the document's."""
    return replace(cell, value=float(len(unanswered)), detail=str(unanswered[0]) if unanswered else "")


def refused_by_check(document: Document, answer: Answer) -> Refused | None:
    """The refusal by the first check that an answer did not pass after its corrections; None if it has no
    value for another reason."""
    found = refusal(answer.detail) if answer.state == "unparsed" else None
    if answer.state == "unparsed" and DANGLING_FAULT in answer.detail:
        return Refused(document, "dangling_reference", answer.state, answer.detail)
    if found is None:
        return None
    score, value, bound, detail = found
    return Refused(document, score, answer.state, detail, value, bound)


def scored(findings: Sequence[Finding]) -> tuple[Cell, ...]:
    """The findings as scores of a row."""
    return tuple(
        Cell(item.score, item.value, "not_applicable" if item.value is None else "ok", detail=item.detail)
        for item in findings
    )


def dropped_row(item: Refused | LeftOut) -> table.Row:
    """The row in dropped-*.parquet of a refused document, or of a document whose example lacks an image."""
    if isinstance(item, LeftOut):
        drop = Drop(LEFT_OUT, None, None, "ok", position=item.position, detail=item.because)
    else:
        drop = Drop(item.reason, item.value, item.threshold, item.state, detail=item.detail)
    return table.document_row(item.document, [drop])
