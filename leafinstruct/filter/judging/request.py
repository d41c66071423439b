"""The judge's question about one document, and the form of the answer.

    text_quality, narrative_coherence, instruction_value, completeness, safety   about the document
    images: image, reason, score             about each image that is shown, in the place of its number
    image_consistency                        about the images shown; "n/a" for fewer than two

Each is a reason and then a score from 1 (worst) to 5 (best): a score that comes first is only justified
afterwards. The rubric with an anchor for every level and the examples are in the prompt (prompts/judge.md:
system text, a line `---`, what precedes the document, a line `---`, the reminder that follows it).

The form is the same for every document, so that a server compiles one grammar. Whether `n/a` applies is a
fact of the request and not a choice of the model, since rules let a score pass that does not apply (`check`).

The document is quoted: every segment is one JSON string after its position, so that no text of a page can end
the quotation, and the system message states that nothing inside it is addressed to the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from leafinstruct.filter.catalog import JUDGE_ASPECTS, OFFLINE_JUDGE
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.judging import rules
from leafinstruct.filter.texts import invisible, pleas
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.quoting import quoted
from leafinstruct.llm.request import Message, Request, SentImage
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.edits import Edit
from leafinstruct.records.text.words import UNITS, first_words, word_units

NO_REASON = "(no reason given)"
"""Reason of a score that a model gave without one. The model is not asked again for a reason alone."""
MAX_REASON = 400
"""Characters."""
NOT_APPLICABLE = "n/a"

_REASON = {"type": "string", "minLength": 1, "maxLength": MAX_REASON}
_SCORE = {"type": "integer", "minimum": 1, "maximum": 5}
_SCORE_OR_NOT = {"anyOf": [_SCORE, {"type": "string", "const": NOT_APPLICABLE}]}


def _object(**properties: object) -> dict[str, object]:
    """An object with exactly these properties, in this order."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


_PER_IMAGE = {
    "type": "array",
    "items": _object(image={"type": "integer"}, reason=_REASON, score=_SCORE_OR_NOT),
}
_OF_DOCUMENT = {
    aspect: _object(reason=_REASON, score=_SCORE_OR_NOT if aspect == "image_consistency" else _SCORE)
    for aspect in JUDGE_ASPECTS
}
_ORDER = ("text_quality", "narrative_coherence", "images", "image_consistency")
SCHEMA: dict[str, Any] = _object(**dict.fromkeys(_ORDER) | _OF_DOCUMENT | {"images": _PER_IMAGE})
"""Form of the answer; strict servers accept it, since it is one object without optional properties."""


def request(
    document: Document,
    images: Mapping[str, tuple[bytes, str]],
    config: JudgeConfig,
    prompt: Prompt,
    offline: bool = False,
) -> Request:
    """Build the request about one document. images: sha256 of the original -> bytes and media type as sent,
    for the images that are shown. offline: for the rule-based judge, which reads the text only."""
    shown = shorten(document, config.max_words)
    system, _, user = prompt.text.partition("\n---\n")
    user, _, reminder = user.partition("\n---\n")
    parts: list[str | SentImage] = []
    lines = [user.strip()]
    first = {image.position for image in shown.images[: config.max_images]}
    positions = {segment.position for segment in shown.segments}
    sent: list[int] = []
    for segment in shown.segments:
        if isinstance(segment, Text):
            lines.append(f"[{segment.position}] {segment.kind}: {quoted(segment.text)}")
            continue
        image = images.get(segment.sha256 or "") if segment.position in first else None
        owner = f", belongs to [{segment.owner}]" if segment.owner in positions else ""
        lines.append(f"[{segment.position}] image{owner}:" + ("" if image else " (not shown)"))
        if image is not None:
            sent.append(segment.position)
            parts += ["\n".join(lines), SentImage(*image)]
            lines = []
    end = ["End of the document.", *([] if offline else [_to_score(sent)]), reminder.strip()]
    parts.append("\n".join([*lines, *filter(None, end)]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    by_rules = partial(rules.by_rules, shown)
    if offline:
        return Request("judge", messages, rules.SCHEMA, by_rules, OFFLINE_JUDGE)
    return Request(
        "judge",
        messages,
        SCHEMA,
        by_rules,
        OFFLINE_JUDGE,
        check=partial(_fault, sent, bool(shown.texts)),
        absent={"reason": NO_REASON},
    )


def _to_score(sent: Sequence[int]) -> str:
    if not sent:
        return 'No image is shown: "images" is [], and image_consistency is "n/a".'
    listed = f"Images to score: {_places(sent)}."
    return listed if len(sent) > 1 else f'{listed} Only one is shown: image_consistency is "n/a".'


def _places(positions: Sequence[int]) -> str:
    return ", ".join(f"[{position}]" for position in positions)


def _fault(sent: Sequence[int], has_text: bool, value: Mapping[str, Any]) -> str | None:
    """What is wrong with an answer that fits SCHEMA, as a rule; None if nothing is. sent: positions of the
    images shown."""
    scored = [entry["image"] for entry in value["images"]]
    if sorted(scored) != sorted(sent):
        shown, yours = _places(sent) or "none", _places(scored) or "none"
        return f"images must have one entry for each image shown ({shown}) and no other; yours are {yours}"
    if has_text and any(entry["score"] == NOT_APPLICABLE for entry in value["images"]):
        return "the score of an image must be an integer from 1 to 5, since the document has text"
    if len(sent) > 1 and value["image_consistency"]["score"] == NOT_APPLICABLE:
        return f"image_consistency must have an integer from 1 to 5, since {len(sent)} images are shown"
    return None


def shorten(document: Document, max_words: int) -> Document:
    """Cut the document's text after `max_words` words. Images are kept, and the cut is marked."""
    left, is_cut = max_words * UNITS, False
    segments: list[Text | ImageRef] = []
    for segment in document.segments:
        if isinstance(segment, Text):
            if is_cut:
                continue
            kept = first_words(segment.text, left // UNITS)  # keeps line breaks, which separate list items
            left -= word_units(segment.text)
            if kept != segment.text:
                is_cut = True
                segment = replace(segment, text=f"{kept} [cut here]".lstrip())  # noqa: PLW2901 - continue with the shortened one
        segments.append(segment)
    return replace(document, segments=tuple(segments))


def plea(read: Document, edits: Iterable[Edit]) -> str:
    """Why a document gets no verdict: a sentence in it addresses a judge or a model, or it has a text that
    only a model reads. Empty if there is none.

    read: the document as it would be shown. edits: of its texts by filter. The document gets no verdict even
    if filter removed the sentence: a page that pleads for a good score is not trusted in the rest of its
    text."""
    removed = (
        (edit.field, edit.position) for edit in edits if edit.reason in (pleas.REASON, invisible.SPELLED)
    )
    shown = (("text", text.position) for text, _, _ in pleas.find(read))
    field, position = next(chain(shown, removed), ("", None))
    if not field:
        return ""
    place = "its title" if position is None else f"segment [{position}]"
    return f"{place} addresses a judge or a model; nothing was asked about it"
