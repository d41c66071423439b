"""The examiner: a language model reads a finished example beside its source and answers five questions.

    instruction_fit, completeness, text_image_fit, faithfulness, fluency     each a reason, then 1 (worst) to
                                                                             5 (best)
    critique                                                                 what the author must change

Source and example are quoted as the judge quotes documents: each text is one JSON string (llm/quoting.py).
The images are shown once, in their places in the example. About images that are not shown nothing is asked:
without any, `text_image_fit` is not in the schema and its score is `not_applicable`.

The anchors of each score are in prompts/examine.md, in three sections separated by `---`: the system message,
what precedes the source, and what follows the example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.quoting import quoted, visible
from leafinstruct.llm.request import Answer, Message, Request, SentImage
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.example import Cell, Turn
from leafinstruct.records.text.language_names import named
from leafinstruct.rewrite import prompt as prompts
from leafinstruct.rewrite.tasks import parts_of
from leafinstruct.rewrite.worded import Task

FIELDS = ("instruction_fit", "completeness", "text_image_fit", "faithfulness", "fluency")
"""The questions, in the order in which they are asked; as scores `examined.<field>` (filter/catalog.py)."""
OF_IMAGES = "text_image_fit"
"""The question about images."""
PURPOSE: Literal["examine"] = "examine"
NO_REASON = "(no reason given)"
MAX_REASON, MAX_CRITIQUE = 400, 2_000
"""Characters. The prompt asks for half of the second, since models count badly and a longer critique is not
worth a second request."""


def request(
    document: Document,
    task: Task,
    turns: Sequence[Turn],
    images: Mapping[str, tuple[bytes, str]],
    prompt: Prompt,
) -> Request:
    """Build the request about one example. images: sha256 of the original -> bytes and media type as sent,
    for the images that are shown."""
    system, before, after = _sections(document, task, prompt)
    numbers = {image.position: number for number, image in enumerate(document.images, start=1)}
    lines = [before, *([f"title: {quoted(visible(document.title))}"] if document.title else [])]
    for segment in document.segments:
        if isinstance(segment, Text):
            lines.append(f"[{segment.position}] {segment.kind}: {quoted(visible(segment.text))}")
        else:
            lines.append(f"image {numbers[segment.position]}{prompts.belonging(segment)}")
    lines += ["End of the source.", "", "The example:"]
    parts: list[str | SentImage] = []
    for turn in turns:
        lines.append(f"{turn.role}:")
        for part in turn.parts:
            if isinstance(part, str):
                lines.append(f"text: {quoted(visible(part))}")
                continue
            sent = images.get(part.sha256 or "")
            lines.append(f"image {numbers[part.position]}:" + ("" if sent else " (not shown)"))
            if sent is not None:
                parts += ["\n".join(lines), SentImage(*sent)]
                lines = []
    parts.append("\n".join([*lines, "End of the example.", *(["", after] if after else [])]))
    asked = [field for field in FIELDS if field != OF_IMAGES or len(parts) > 1]
    messages = (Message("system", (system,)), Message("user", tuple(parts)))
    return Request(
        PURPOSE, messages, schema(asked), _no_offline, "none", absent={"reason": NO_REASON, "critique": ""}
    )


def schema(fields: Sequence[str]) -> dict[str, Any]:
    """JSON schema of an answer to these questions, the reason before the score."""
    question = {
        "type": "object",
        "additionalProperties": False,
        "required": ["reason", "score"],
        "properties": {
            "reason": {"type": "string", "minLength": 1, "maxLength": MAX_REASON},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*fields, "critique"],
        "properties": {
            **dict.fromkeys(fields, question),
            "critique": {"type": "string", "maxLength": MAX_CRITIQUE},
        },
    }


def scores_of(answer: Answer) -> dict[str, int]:
    """The scores of an answer by question; none without a verdict."""
    value = cast("Mapping[str, Any]", answer.value or {})  # it fits the schema
    return {field: value[field]["score"] for field in FIELDS if field in value}


def critique_of(answer: Answer, bound: float) -> str:
    """The critique of a verdict, followed by the reasons of the scores below the bound: a model may leave the
    critique empty although it criticizes."""
    value = cast("Mapping[str, Any]", answer.value)  # it fits the schema
    reasons = [
        f"{field} {score} of 5: {value[field]['reason']}"
        for field, score in scores_of(answer).items()
        if score < bound
    ]
    return "\n".join(filter(None, [value["critique"].strip(), *reasons]))


def cells(answer: Answer, round_number: int) -> list[Cell]:
    """Cells of `examined.*` for an example. Without a verdict they have its state and no value.

    round_number: of the round whose answer the example is, 0 for the first.
    """
    found = [Cell("examined.round", float(round_number))]
    if answer.value is None:
        return found + [
            Cell(f"examined.{field}", None, answer.state, None, answer.model, answer.detail)
            for field in FIELDS
        ]
    value, scores = cast("Mapping[str, Any]", answer.value), scores_of(answer)
    return found + [
        Cell(f"examined.{field}", float(scores[field]), "ok", None, answer.model, value[field]["reason"])
        if field in scores
        else Cell(
            f"examined.{field}",
            None,
            "not_applicable",
            None,
            answer.model,
            "no image of the example was shown",
        )
        for field in FIELDS
    ]


def _sections(document: Document, task: Task, prompt: Prompt) -> tuple[str, str, str]:
    """System message, what precedes the source, and what follows the example (empty if the prompt has no
    third section)."""
    given = sum(isinstance(item, ImageRef) for item in parts_of(document, task.family).context)
    language = "the language of the source" if document.language is None else named(document.language)
    filled = prompt.fill(task=prompts.goal(task, given, len(document.images)), language=language)
    system, _, rest = filled.partition("\n---\n")
    before, _, after = rest.partition("\n---\n")
    return system.strip(), before.strip(), after.strip()


def _no_offline() -> dict[str, object]:
    raise ValueError("no rule examines examples; rewrite.refine is off without a language model")
