"""What a document becomes: an example, or why it became none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from leafinstruct.llm.request import Answer
from leafinstruct.records import table
from leafinstruct.records.document import Document, Text
from leafinstruct.records.example import Cell, Example, Turn, example_id
from leafinstruct.records.text.references import Dangling, dangling
from leafinstruct.rewrite.prompt import as_text

DANGLING = "reference.dangling"
"""The score of a document that a row has for its example: what filter counted is replaced by what is counted
on the finished example."""


@dataclass(frozen=True)
class Refused:
    """A document, or a piece of a long one, that became no example, and why."""

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


def keep(document: Document, cells: tuple[Cell, ...], drops: Sequence[table.Row] = ()) -> Example | Refused:
    """A conversation as its source tells it, whole or not at all: where an image was dropped, a question or
    an answer is about nothing. Segments without a role belong to whoever spoke last, to the user at the
    beginning."""
    if not document.is_conversation:
        return Refused(
            document, "not_a_conversation", "ok", "rewrite.mode is keep, but no segment has a role"
        )
    if drops:
        lost = f"its image at {drops[0]['position']} was dropped by {drops[0]['rule']}"
        return Refused(
            document, "image_dropped", "ok", f"{lost}, and a conversation is kept whole or not at all"
        )
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
    """The references of a finished example that its images do not answer. Texts that are the document's own
    are known as such, because an image answers its owner in both directions."""
    own = {as_text(text): text for text in document.texts}
    return dangling(
        [own.get(part, part) if isinstance(part, str) else part for turn in turns for part in turn.parts]
    )


def counted(cell: Cell, unanswered: Sequence[Dangling]) -> Cell:
    """The score of the document as that of the example."""
    return replace(cell, value=float(len(unanswered)), detail=str(unanswered[0]) if unanswered else "")


def dropped_row(item: Refused) -> table.Row:
    drop = {
        "rule": item.reason,
        "position": None,
        "value": None,
        "threshold": None,
        "state": item.state,
        "detail": item.detail,
    }
    return table.document_row(item.document, [drop])
