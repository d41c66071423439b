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
from leafinstruct.records.text.references import Dangling, dangling
from leafinstruct.rewrite.prompt import as_text
from leafinstruct.runtime.stage_report import StageReport

DANGLING = "reference.dangling"
"""A score of the document that a row has for its example: filter's count is replaced by the count on the
finished example."""


@dataclass(frozen=True, kw_only=True)
class RewriteReport(StageReport):
    """Report of a part of rewrite. details: why the first of the failed requests failed. asked_in: languages
    of the questions."""

    details: Sequence[str] = ()
    asked_in: Sequence[str] = ()


@dataclass(frozen=True)
class Refused:
    """A document, or a piece of one, that became no example, and why."""

    document: Document
    reason: str
    state: str
    detail: str


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


def unanswered_of(document: Document, turns: Sequence[Turn]) -> list[Dangling]:
    """The references of a finished example to images that it does not show. The document's own texts are
    recognized, because an image satisfies references of its owner in both directions."""
    own = {as_text(text): text for text in document.texts}
    return dangling(
        [own.get(part, part) if isinstance(part, str) else part for turn in turns for part in turn.parts]
    )


def counted(cell: Cell, unanswered: Sequence[Dangling]) -> Cell:
    """The score with the count of the example in place of the document's."""
    return replace(cell, value=float(len(unanswered)), detail=str(unanswered[0]) if unanswered else "")


def dropped_row(item: Refused) -> table.Row:
    """The row of a refused document in dropped-*.parquet."""
    drop = Drop(item.reason, None, None, item.state, detail=item.detail)
    return table.document_row(item.document, [drop])
