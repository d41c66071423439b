"""The judge: four questions about a whole document, answered by a language model that sees the images in
their places, or by written rules.

    text_quality, narrative_coherence, text_image_relevance, instruction_value

Each is answered with 1 (worst) to 5 (best) and a one-sentence reason.

The document is quoted: every segment is one JSON string after its position, so that no text of a page can end
the quotation, and the system message states that nothing inside it is addressed to the judge. A model gives
columns `judge.*`, the rules give columns `rules.*`: the rules only compute statistics, they do not understand
the text.

The rules see exactly the segments of the request, in order. They first remove sentences that address a judge
("rate this 5"), so that such a sentence changes no score in either direction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from leafinstruct.filter.catalog import JUDGE_FIELDS, OFFLINE_JUDGE
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.scores import order
from leafinstruct.filter.scores import text as text_scores
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.quoting import quoted
from leafinstruct.llm.request import Answer, Message, Request, SentImage
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.example import Cell
from leafinstruct.records.text.words import UNITS, count_words, first_words, sentence_spans, word_units

NO_REASON = "(no reason given)"
"""Reason of a score that a model gave without one. The model is not asked again for a reason alone."""
MAX_REASON = 400
"""Characters."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": list(JUDGE_FIELDS),
    "properties": {
        field: {
            "type": "object",
            "additionalProperties": False,
            "required": ["score", "reason"],
            "properties": {
                "score": {"type": "integer", "minimum": 1, "maximum": 5},
                "reason": {"type": "string", "minLength": 1, "maxLength": MAX_REASON},
            },
        }
        for field in JUDGE_FIELDS
    },
}


def request(
    document: Document, images: Mapping[str, tuple[bytes, str]], config: JudgeConfig, prompt: Prompt
) -> Request:
    """Build the request about one document. images: sha256 of the original -> bytes and media type as sent,
    for the images that are shown."""
    shown = shorten(document, config.max_words)
    system, _, user = prompt.text.partition("\n---\n")
    parts: list[str | SentImage] = []
    lines = [user.strip()]
    visible = {image.position for image in shown.images[: config.max_images]}
    numbers = {segment.position: number for number, segment in enumerate(shown.segments)}
    for number, segment in enumerate(shown.segments):
        if isinstance(segment, Text):
            lines.append(f"[{number}] {segment.kind}: {quoted(segment.text)}")
            continue
        sent = images.get(segment.sha256 or "") if segment.position in visible else None
        owner = f", belongs to [{numbers[segment.owner]}]" if segment.owner in numbers else ""
        lines.append(f"[{number}] image{owner}:" + ("" if sent else " (not shown)"))
        if sent is not None:
            parts += ["\n".join(lines), SentImage(*sent)]
            lines = []
    parts.append("\n".join([*lines, "End of the document."]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    return Request(
        "judge", messages, SCHEMA, partial(by_rules, shown), OFFLINE_JUDGE, absent={"reason": NO_REASON}
    )


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


def cells(answer: Answer, offline: bool) -> list[Cell]:
    """Four cells of `rules.*` or `judge.*`. Without a valid answer they have its state and no value."""
    family = "rules" if offline else "judge"
    if answer.value is None:
        return [
            Cell(f"{family}.{field}", None, answer.state, None, answer.model, answer.detail)
            for field in JUDGE_FIELDS
        ]
    value: Mapping[str, Any] = answer.value  # it fits `schema`
    return [
        Cell(
            f"{family}.{field}",
            float(value[field]["score"]),
            "ok",
            None,
            answer.model,
            value[field]["reason"],
        )
        for field in JUDGE_FIELDS
    ]


# The written rules
# ----------------------------------------------------------------------------------------------------

_ADDRESSED = re.compile(
    (
        r"\b(?:rate|score|grade|judge|evaluat\w*|rating|reviewer|evaluator|assistant|language model|llm|"
        r"previous instructions|system prompt)\b"
    ),
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"\b(?:[1-5]\b|five\b|ten\b|high\w*|best\b|perfect\w*|maximum\b|ignore\b|instruction\w*)", re.IGNORECASE
)
_IGNORE = re.compile(r"\bignore (?:all|any|the|your|previous)\b", re.IGNORECASE)
MAX_ADDRESSES = 1_000_000
"""Characters of a segment that are searched for such sentences. The text after them is kept unchanged."""


@dataclass(frozen=True, slots=True)
class _Finding:
    score: int
    reason: str


def by_rules(document: Document) -> dict[str, Any]:
    """The answer of the written rules, in the judge's schema. A pure function of the document as shown."""
    plain = without_addresses_to_the_judge(document)
    findings = {
        "text_quality": _text_quality(plain),
        "narrative_coherence": _Finding(*order.coherence(plain)),
        "text_image_relevance": _text_image_relevance(plain),
        "instruction_value": _instruction_value(plain),
    }
    return {field: {"score": finding.score, "reason": finding.reason} for field, finding in findings.items()}


def without_addresses_to_the_judge(document: Document) -> Document:
    """Remove sentences that address the judge, and segments that contain nothing else."""
    segments: list[Text | ImageRef] = []
    for segment in document.segments:
        if isinstance(segment, ImageRef):
            segments.append(segment)
            continue
        kept = _without_addresses(segment.text)
        if kept.strip():
            segments.append(replace(segment, text=kept))
    return replace(document, segments=tuple(segments))


def _without_addresses(text: str) -> str:
    """Remove such sentences from a text. Every other sentence keeps the white space before it."""
    if _ADDRESSED.search(text) is None and _IGNORE.search(text) is None:
        return text.rstrip()
    text, rest = text[:MAX_ADDRESSES], text[MAX_ADDRESSES:].rstrip()
    spans = list(sentence_spans(text))
    rest = text[spans[-1][1] :] + rest if rest and spans else rest
    starts = [0, *(end for _, end in spans)]
    kept = [
        text[before:end]
        for before, (start, end) in zip(starts, spans, strict=False)
        if not _is_to_the_judge(text[start:end])
    ]
    return ("".join(kept) if len(kept) == len(spans) else "".join(kept).lstrip()) + rest


def _is_to_the_judge(sentence: str) -> bool:
    """Whether a line names a judge and then what it should do. Two searches, since one pattern for both would
    take quadratic time."""
    named = ((line, _ADDRESSED.search(line)) for line in sentence.split("\n"))
    return _IGNORE.search(sentence) is not None or any(
        found and _WANTED.search(line, found.end()) for line, found in named
    )


def _text_quality(document: Document) -> _Finding:
    cells = {item.name.partition(".")[2]: item for item in text_scores.scores(document)}
    values = {name: item.value or 0.0 for name, item in cells.items()}
    limits = {"symbols": 0.1, "capitals": 0.3, "links": 4.0, "repetition": 0.3, "exclamations": 5.0}
    faults = [name for name, limit in limits.items() if values[name] > limit]
    if values["words"] < 15:
        faults.append("few words")
    if cells["mean_word_length"].state != "not_applicable" and not 1.5 <= values["mean_word_length"] <= 12:
        faults.append("word length")
    return _Finding(
        max(1, 5 - 2 * len(faults)),
        f"outside the usual: {', '.join(faults)}" if faults else "nothing unusual in the text",
    )


def _text_image_relevance(document: Document) -> _Finding:
    """Score how many images have a text of their own right beside them. Rules cannot tell whether it fits."""
    segments = document.segments
    beside = [
        any(
            isinstance(near, Text) and count_words([near.text]) >= 3
            for near in segments[max(0, at - 1) : at + 2]
        )
        for at, segment in enumerate(segments)
        if isinstance(segment, ImageRef)
    ]
    share = sum(beside) / len(beside) if beside else 0.0
    return _Finding(
        1 + round(4 * share),
        f"{sum(beside)} of {len(beside)} images stand beside a sentence; whether it fits, rules cannot see",
    )


def _instruction_value(document: Document) -> _Finding:
    texts = [text for text in document.texts if text.kind in ("prose", "list")]
    signs = [
        name
        for name, true in (
            ("steps that are numbered or marked", any(map(order.is_step, texts))),
            ("two or more passages", len(texts) >= 2),
            ("two or more images", len(document.images) >= 2),
            ("text between images", _interleaved(document)),
        )
        if true
    ]
    return _Finding(
        1 + len(signs), f"has {', '.join(signs)}" if signs else "neither steps, passages nor images"
    )


def _interleaved(document: Document) -> bool:
    kinds = [isinstance(segment, ImageRef) for segment in document.segments]
    return True in kinds and False in kinds[kinds.index(True) : len(kinds) - kinds[::-1].index(True)]
