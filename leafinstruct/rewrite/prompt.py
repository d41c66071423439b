"""The request to the rewriter about a document and its task, and the templates that answer it without a
model. Pure, no I/O.

A prompt has three sections, separated by lines of three dashes: the rules, what precedes the document, and a
reminder that follows it, because models follow what they read last. The last one may be missing.

The request shows the document's texts numbered, its images with the number of the text that each belongs to
(records.owners), and the images that the context must show. It names the document's language; its example
wordings are in that language, or there are none. The templates use every text of the document, verbatim and
in order, except those that are part of the question: the title, the request of an edit and, if there is
neither a title nor a question in the document's language, the first of the given texts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.quoting import quoted
from leafinstruct.llm.request import Message, Request, SentImage
from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.example import Turn
from leafinstruct.records.text.language_names import named
from leafinstruct.records.text.references import Dangling, dangling
from leafinstruct.rewrite.checks import in_language
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.checks.finding import faults
from leafinstruct.rewrite.checks.run import check
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.rewrite.parse import (
    ABSENT,
    SCHEMA,
    AnswerPart,
    RewriteAnswer,
    fault,
    left_out,
    turns,
    unfit,
)
from leafinstruct.rewrite.tasks import Facts, Parts, in_own_words, met_by, parts_of, questions
from leafinstruct.rewrite.worded import Task, number_of

OFFLINE = "offline-templates@7"

DANGLING_FAULT = "leave out references to images that are not there"
"""Beginning of the fault, by which a refusal is recognized."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer of a model must meet. max_dangling: maximum references without an image; None: any
    number."""

    checks: Checks
    max_dangling: int | None = None


def request(
    document: Document,
    task: Task,
    images: Mapping[str, tuple[bytes, str]],
    prompt: Prompt,
    bounds: Bounds | None = None,
) -> Request:
    """The request. images: sha256 of the original -> bytes and media type as sent; missing images are listed
    but not shown. bounds: None for the templates, since they repeat what a document has: only the form and
    the language of an answer are checked."""
    divided = parts_of(document, task.family)
    given = sum(isinstance(segment, ImageRef) for segment in divided.context)
    count = len(document.images)
    language = "the document's own language" if document.language is None else named(document.language)
    filled = prompt.fill(task=goal(task, given, count), language=language)
    system, user, reminder = (*filled.split("\n---\n", 2), "", "")[:3]
    parts: list[str | SentImage] = []
    lines = [user.strip(), *([f"title: {quoted(document.title)}"] if document.title else [])]
    number = 0
    for segment in document.segments:
        if isinstance(segment, Text):
            lines.append(f"[{segment.position}] {segment.kind}: {quoted(segment.text)}")
            continue
        number += 1
        lines.append(f"image {number}{belonging(segment)}:")
        image = images.get(segment.sha256 or "")
        if image is not None:
            parts += ["\n".join(lines), SentImage(*image)]
            lines = []
    parts.append("\n".join([*lines, "End of the document.", *filter(None, [reminder.strip()])]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    fits = partial(_check, document=document, task=task, given=given, bounds=bounds)
    return Request(
        "rewrite", messages, SCHEMA, partial(by_templates, document, task), OFFLINE, fits, absent=ABSENT
    )


def belonging(image: ImageRef) -> str:
    """The note about an image's owner in a request."""
    return "" if image.owner is None else f" (belongs to [{image.owner}])"


def goal(task: Task, given: int, images: int) -> str:
    """The task for the rewriter, with the wordings of the document's language, if any, as examples of an
    instruction."""
    shape = f"{task.family.name}: {_shape(task.family, given, images)}"
    if task.style is not None:
        shape = f"{shape}. The instruction is {task.style.in_words}"
    if task.wording is None:
        return shape
    wordings = " / ".join(
        json.dumps(ask, ensure_ascii=False) for ask in (*task.wording.ask, *task.wording.ask_untitled)
    )
    return f"{shape}. Instructions of this task are worded like: {wordings}"


def _shape(family: TaskFamily, given: int, images: int) -> str:
    if family.asked == "change":
        return (
            "the context is the first image with the text before it, the instruction asks for the "
            "change that the text between the images "
            "describes, the response is the changed image with what follows it"
        )
    if family.asked == "steps":
        return "a conversation that gives one step in each answer, and asks for the next one in between"
    if family.asked == "sequence":
        return "questions about a sequence of texts and images, which the first question shows"
    if given == 0:
        return (
            "the instruction asks for the whole piece; the context is empty; the response is the whole "
            "piece with all images"
        )
    rest, shown = (
        "the last step" if family.given == "all_but_last" else "the rest",
        images_named(range(1, given + 1)),
    )
    others = images_named(range(given + 1, images + 1))
    return (
        f"the context is the beginning of the document with {shown}; the instruction asks for "
        f"{rest}; the response is {rest} with {others}"
    )


def images_named(numbers: Sequence[int]) -> str:
    """Consecutive images, as a request names them."""
    return f"image {numbers[0]}" if len(numbers) == 1 else f"images {numbers[0]} to {numbers[-1]}"


def by_templates(document: Document, task: Task) -> RewriteAnswer:
    """The answer of the templates, for a document that fits the task."""
    numbers = {image.position: at for at, image in enumerate(document.images, start=1)}
    if task.wording is None:
        own = in_own_words(document, task.family)
        assert own is not None, "the document fits the task"
        return _answer(*own, numbers)
    return _answer(
        worded(document, task, questions(document, task)), parts_of(document, task.family), numbers
    )


def worded(document: Document, task: Task, asks: Sequence[str]) -> str:
    """One of the questions of a task, in its style. It depends on the document's words, not on its id,
    because answers are cached by the content of the request."""
    words = "\0".join((task.style.name if task.style else "", *(text.text for text in document.texts)))
    fits = task.style.fitting(asks) if task.style else asks
    return fits[number_of(words) % len(fits)]


def as_text(segment: Text) -> str:
    """A segment as plain text; code is fenced. List markers are in the text already (ingest/page/walk.py)."""
    return f"```\n{segment.text}\n```" if segment.kind == "code" else segment.text


def unanswered_of(document: Document, turns: Sequence[Turn]) -> list[Dangling]:
    """The references of a finished example to images that it does not show. The document's own texts are
    recognized, because an image satisfies references of its owner in both directions."""
    own = {as_text(text): text for text in document.texts}
    return dangling(
        [own.get(part, part) if isinstance(part, str) else part for turn in turns for part in turn.parts]
    )


def dangling_fault(unanswered: Sequence[Dangling], most: int | None) -> str | None:
    """What to correct if more than `most` references have no image; None if `most` is."""
    if most is None or len(unanswered) <= most:
        return None
    return f"{DANGLING_FAULT}: {unanswered[0]}"


def _answer(instruction: str, divided: Parts, numbers: Mapping[int, int]) -> RewriteAnswer:
    return {
        "fit": True,
        "because": "",
        "leave_out": [],
        "instruction": instruction,
        "context": answer_parts(divided.context, numbers),
        "response": answer_parts(divided.response, numbers),
    }


def answer_parts(segments: Sequence[Segment], numbers: Mapping[int, int]) -> list[AnswerPart]:
    """Segments as parts of an answer. numbers: position of an image -> its number."""
    return [
        {"type": "text", "text": as_text(segment)}
        if isinstance(segment, Text)
        else {"type": "image", "image": numbers[segment.position]}
        for segment in segments
    ]


def without(document: Document, left: Collection[int]) -> Document:
    """The document without these images, by number. Positions do not change."""
    gone = {image.position for number, image in enumerate(document.images, start=1) if number in left}
    if not gone:
        return document
    return replace(document, segments=tuple(item for item in document.segments if item.position not in gone))


def _check(
    value: Mapping[str, object], document: Document, task: Task, given: int, bounds: Bounds | None
) -> str | None:
    answer = cast("RewriteAnswer", value)  # it fits SCHEMA
    count = len(document.images)
    problem = fault(answer, given, count)
    if problem is not None or unfit(answer, count) is not None:
        return problem
    left = left_out(answer)
    return unmet(document, task, given, left) or unmet_bound(
        document, task, turns(answer, document.images), left, bounds
    )


def unmet_bound(
    document: Document, task: Task, turned: Sequence[Turn], left: Collection[int], bounds: Bounds | None
) -> str | None:
    """What to correct in an example whose images are right; None if nothing. left: images that the answer
    leaves out."""
    other_language = bounds is None or bounds.checks.min_language is not None
    problem = in_language.fault(document, task.family, turned) if other_language else None
    if bounds is None or problem is not None:
        return problem
    findings = check(document, task, turned, bounds.checks)
    unanswered = unanswered_of(without(document, left), turned)
    return faults(findings) or dangling_fault(unanswered, bounds.max_dangling)


def unmet(document: Document, task: Task, given: int, left: Collection[int]) -> str | None:
    """What the task lacks without the images that an answer leaves out."""
    if not left:
        return None
    rest, family = without(document, left), task.family
    first = [number for number in range(1, given + 1) if number not in left]
    has_sides = not given or (first and len(rest.images) > len(first))
    if has_sides and met_by(rest, [family], Facts(whole=False, resemblance=1.0)):
        return None
    return (
        f"the task {family.name} is not possible without the images that you leave out: show them, or answer "
        "fit: false and why"
    )
