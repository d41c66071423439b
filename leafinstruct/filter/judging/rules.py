"""The rule-based judge: statistics of a document in the form of a judge's answer, used where no language
model is configured (scores `rules.*`).

    text_quality, narrative_coherence, text_image_relevance, instruction_value      1 (worst) to 5 (best)

It does not understand the text and sees no image. So it does not score whether one image fits its text,
whether images are consistent, whether a document is complete, or whether it is safe: `rules.*` has no such
scores.

It sees exactly the segments of the request, in order. It first removes sentences that address a judge ("rate
this 5"), so that such a sentence changes no score in either direction. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from leafinstruct.filter.catalog import RULES_FIELDS
from leafinstruct.filter.scores import order
from leafinstruct.filter.scores import text as text_scores
from leafinstruct.llm.request import Answer
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.example import Cell
from leafinstruct.records.text.words import count_words, sentence_spans

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": list(RULES_FIELDS),
    "properties": {
        field: {
            "type": "object",
            "additionalProperties": False,
            "required": ["reason", "score"],
            "properties": {
                "reason": {"type": "string", "minLength": 1},
                "score": {"type": "integer", "minimum": 1, "maximum": 5},
            },
        }
        for field in RULES_FIELDS
    },
}
"""Form of the answer: the reason before the score, as a model's."""

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
    """The answer of the rules, which fits SCHEMA. A pure function of the document as shown."""
    plain = without_addresses_to_the_judge(document)
    findings = {
        "text_quality": _text_quality(plain),
        "narrative_coherence": _Finding(*order.coherence(plain)),
        "text_image_relevance": _text_image_relevance(plain),
        "instruction_value": _instruction_value(plain),
    }
    return {field: {"reason": finding.reason, "score": finding.score} for field, finding in findings.items()}


def cells(answer: Answer) -> list[Cell]:
    """The cells of `rules.*`."""
    value = answer.value
    if value is None:
        return [
            Cell(f"rules.{field}", None, answer.state, None, answer.model, answer.detail)
            for field in RULES_FIELDS
        ]
    found: dict[str, Any] = dict(value)  # it fits SCHEMA
    return [
        Cell(f"rules.{field}", float(found[field]["score"]), "ok", None, answer.model, found[field]["reason"])
        for field in RULES_FIELDS
    ]


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
