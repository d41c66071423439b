"""The check of the language as a finding: rewrite/answer_language.py over the turns of an example. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from leafinstruct.records.document import Document, Segment, Text
from leafinstruct.records.example import Turn
from leafinstruct.rewrite import answer_language
from leafinstruct.rewrite.checks.coverage import Result, texts_of
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.rewrite.parse import Place
from leafinstruct.rewrite.tasks import parts_of


def language(document: Document, family: TaskFamily, turns: Sequence[Turn]) -> Result:
    """0 if a text contradicts the document's language, else 1; None if that is unknown."""
    if document.language is None:
        return None, "the document's language is not known"
    problem = fault(document, family, turns)
    return (1.0, "") if problem is None else (0.0, problem)


def fault(document: Document, family: TaskFamily, turns: Sequence[Turn]) -> str | None:
    """What to correct; None if no text contradicts the document's language."""
    first = turns[0].parts[0]
    asked = texts_of(turns, "user")
    written = {
        "instruction": first if isinstance(first, str) else "",
        "context": "\n".join(asked[1:] if isinstance(first, str) else asked),
        "response": "\n".join(texts_of(turns, "assistant")),
    }
    return answer_language.fault(written, document.language, _own_texts(document, family))


def _own_texts(document: Document, family: TaskFamily) -> dict[Place, str]:
    """The document's own texts in place of `context` and of `response`."""
    divided = parts_of(document, family)
    sides: dict[Place, Sequence[Segment]] = {"context": divided.context, "response": divided.response}
    return {
        place: "\n".join(item.text for item in segments if isinstance(item, Text))
        for place, segments in sides.items()
    }
