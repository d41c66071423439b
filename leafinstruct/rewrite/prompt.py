"""From a document to the question that is put to a rewriter, and the templates that answer it without a model. Pure, no I/O.

A document is first cut into steps: a picture with the text that belongs to it. Whether that text stands before the picture (pages, "text, then
what it looks like") or after it (MMC4, where a picture precedes its sentence) is read off the document's beginning. Tasks differ only
in which steps are given and which are asked for:

    guide         title                        -> all steps
    continuation  the first half of the steps  -> the other half
    edit          first picture, the change    -> second picture          (documents of exactly two steps, the second one short)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Message, Picture, Request
from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.rewrite.config import Task
from leafinstruct.rewrite.parse import SCHEMA, fault

OFFLINE = "offline-templates@2"

TITLE_LIMIT = 300
"""Characters; a longer first heading is a paragraph in disguise and stays in the body."""

CHANGE_LIMIT = 600
"""Characters; a longer text between two pictures explains something else than an edit."""

GOALS: dict[Task, str] = {
    "guide": "guide: the instruction asks for the whole piece; the context is empty; the response is the whole piece with all pictures",
    "continuation": "continuation: the context is the beginning with its pictures, the instruction asks to go on, the response is the rest",
    "edit": "edit: the context is the first picture, the instruction says what to change, the response shows the changed picture",
}

_ASKS: dict[Task, tuple[str, ...]] = {
    "guide": (
        "Write an illustrated guide: {title}.",
        "Show me with text and pictures: {title}.",
        "I need pictures as well as words: {title}.",
    ),
    "continuation": (
        "This is the beginning of an illustrated piece called “{title}”. Go on with text and pictures.",
        "Continue this: {title}. Keep the style of the pictures.",
        "Here are the first steps of “{title}”. Write and draw the rest.",
    ),
    "edit": (
        "Change the picture like this: {change}",
        "{change} Show the picture after the change.",
        "Start from this picture. {change}",
    ),
}

_HOW_TO = "how to "
"""A guide whose title begins so is asked for as people ask, too: "How do I fold a boat?"."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A document in steps: title (may be empty), what stands before the first step, and the steps, each with exactly one picture."""

    title: str
    opening: tuple[Segment, ...]
    steps: tuple[tuple[Segment, ...], ...]


def steps_of(document: Document) -> Steps:
    """Cut a document into steps; concatenating title, opening and steps gives all its segments in order."""
    title = title_of(document)
    segments = list(document.segments[1:] if title else document.segments)
    pictures = [at for at, segment in enumerate(segments) if isinstance(segment, Image)]
    if not pictures:
        return Steps(title, tuple(segments), ())
    picture_leads = pictures[0] == 0  # its text follows; otherwise a step ends with its picture and captions
    starts = pictures if picture_leads else [0, *(_after_captions(segments, at) for at in pictures[:-1])]
    ends = [*starts[1:], len(segments)]
    steps = [tuple(segments[start:end]) for start, end in zip(starts, ends, strict=True)]
    return Steps(title, (), tuple(steps))


def title_of(document: Document) -> str:
    """The first segment where it is a heading, or (MMC4 has no headings) one short line without a full stop; else empty."""
    first = document.segments[0] if document.segments else None
    if not isinstance(first, Text) or first.kind not in ("heading", "prose") or len(first.text) > TITLE_LIMIT:
        return ""
    words, line = len(first.text.split()), first.text.rstrip()
    looks_like_one = words <= 20 and "\n" not in line and not line.endswith((".", ":", ";", ",", "!"))
    return first.text if first.kind == "heading" or looks_like_one else ""


def change_of(step: Sequence[Segment]) -> str:
    """What the text of a step says, captions aside: the change, where the step is the second half of an edit."""
    return " ".join(as_text(segment) for segment in step if isinstance(segment, Text) and segment.kind != "caption")


def fitting(document: Document, allowed: Sequence[Task]) -> list[Task]:
    """The allowed tasks that a document has enough steps for."""
    count = len(document.images)
    is_edit = count == 2 and len(change_of(steps_of(document).steps[1])) <= CHANGE_LIMIT
    fits = {"guide": count >= 1, "continuation": count >= 2, "edit": is_edit}
    return [task for task in allowed if fits[task]]


def choose(document: Document, allowed: Sequence[Task]) -> Task | None:
    """One fitting task, drawn by the document's id, so that adding documents changes no other's task; None when none fits."""
    fits = fitting(document, allowed)
    return fits[_draw(document.id) % len(fits)] if fits else None


def request(document: Document, task: Task, pictures: Mapping[str, tuple[bytes, str]], prompt: Prompt) -> Request:
    """The question. pictures: sha256 of the original -> bytes and media type as sent; those missing are named but not shown."""
    system, _, user = prompt.fill(task=GOALS[task]).partition("\n---\n")
    parts: list[str | Picture] = []
    lines = [user.strip()]
    number = 0
    for segment in document.segments:
        if isinstance(segment, Text):
            lines.append(f"{segment.kind}: {json.dumps(segment.text, ensure_ascii=False)}")
            continue
        number += 1
        lines.append(f"picture {number}:")
        picture = pictures.get(segment.sha256 or "")
        if picture is not None:
            parts += ["\n".join(lines), Picture(*picture)]
            lines = []
    parts.append("\n".join([*lines, "End of the document."]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    check = partial(_check, task=task, pictures=number)
    return Request("rewrite", messages, SCHEMA, partial(by_templates, document, task), OFFLINE, check)


def by_templates(document: Document, task: Task) -> dict[str, Any]:
    """The answer of the written templates. Every text of the document is used, verbatim and in order; only the instruction is ours."""
    cut = steps_of(document)
    title = (cut.title or _first_words(document)).strip().rstrip(".:!?")
    numbers = {image.position: at for at, image in enumerate(document.images, start=1)}
    words = "\0".join(text.text for text in document.texts)  # not the id: an answer is cached under what the question shows
    if task == "guide":
        asks = guide_asks(title)
        return _answer(asks[_draw(words) % len(asks)], (), [*cut.opening, *_flat(cut.steps)], numbers)
    ask = _ASKS[task][_draw(words) % len(_ASKS[task])]
    if task == "continuation":
        half = max(1, len(cut.steps) // 2)
        return _answer(ask.format(title=title), [*cut.opening, *_flat(cut.steps[:half])], _flat(cut.steps[half:]), numbers)
    first, second = cut.steps
    change = change_of(second)
    shown = [segment for segment in second if not (isinstance(segment, Text) and segment.kind != "caption")]
    heading = [Text(-1, cut.title, "heading")] if cut.title else []  # the instruction holds the change instead
    return _answer(ask.format(change=change or title), [*heading, *cut.opening, *first], shown, numbers)


def guide_asks(title: str) -> list[str]:
    """The ways in which a guide of this title is asked for; one of them is drawn."""
    asks = [ask.format(title=title) for ask in _ASKS["guide"]]
    if title.lower().startswith(_HOW_TO):
        asks.append(f"How do I {title[len(_HOW_TO) :]}?")
    return asks


def as_text(segment: Text) -> str:
    """A segment as plain text that still shows what it is: list items with a dash, code fenced."""
    if segment.kind == "list" and not segment.text.lstrip().startswith(("-", "*", "•")):
        return f"- {segment.text}"
    return f"```\n{segment.text}\n```" if segment.kind == "code" else segment.text


def _answer(instruction: str, context: Sequence[Segment], response: Sequence[Segment], numbers: Mapping[int, int]) -> dict[str, Any]:
    def parts(segments: Sequence[Segment]) -> list[dict[str, Any]]:
        return [
            {"type": "text", "text": as_text(segment)}
            if isinstance(segment, Text)
            else {"type": "image", "image": numbers[segment.position]}
            for segment in segments
        ]

    return {"instruction": instruction, "context": parts(context), "response": parts(response)}


def _check(value: dict[str, Any], task: Task, pictures: int) -> str | None:
    return fault(value, task, pictures)


def _after_captions(segments: Sequence[Segment], picture: int) -> int:
    at = picture + 1
    while at < len(segments) and isinstance(segment := segments[at], Text) and segment.kind == "caption":
        at += 1
    return at


def _flat(steps: Sequence[Sequence[Segment]]) -> list[Segment]:
    return [segment for step in steps for segment in step]


def _first_words(document: Document) -> str:
    text = document.texts[0].text if document.texts else "this"
    start = " ".join(text.split()[:12])[:120]  # characters too: not every script puts spaces between words
    return start + ("…" if len(start) < len(text) else "")


def _draw(text: str) -> int:
    """A number that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
