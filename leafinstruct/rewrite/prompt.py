"""The request to the rewriter about a document and its task, and the templates that answer it without a
model. Pure, no I/O.

The request shows the document's texts numbered, its images with the number of the text that each belongs to
(records.owners), and the images that the context must show. It names the document's language; its example
wordings are in that language, or there are none. The templates use every text of the document, verbatim and
in order, except those that are part of the question: the title, the request of an edit and, if there is
neither a title nor a question in the document's language, the first of the given texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.quoting import quoted
from leafinstruct.llm.request import Message, Request, SentImage
from leafinstruct.records.document import Document, ImageRef, Segment, Text
from leafinstruct.records.text.language_names import named
from leafinstruct.rewrite import answer_language
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.rewrite.parse import SCHEMA, AnswerPart, Place, RewriteAnswer, fault
from leafinstruct.rewrite.tasks import Parts, in_own_words, parts_of, questions
from leafinstruct.rewrite.worded import Task, number_of

OFFLINE = "offline-templates@5"


def request(
    document: Document, task: Task, images: Mapping[str, tuple[bytes, str]], prompt: Prompt
) -> Request:
    """The request. images: sha256 of the original -> bytes and media type as sent; missing images are listed
    but not shown."""
    divided = parts_of(document, task.family)
    given = sum(isinstance(segment, ImageRef) for segment in divided.context)
    count = len(document.images)
    language = "the document's own language" if document.language is None else named(document.language)
    system, _, user = prompt.fill(task=goal(task, given, count), language=language).partition("\n---\n")
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
    parts.append("\n".join([*lines, "End of the document."]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    sides: dict[Place, Sequence[Segment]] = {"context": divided.context, "response": divided.response}
    own = {
        place: "\n".join(item.text for item in segments if isinstance(item, Text))
        for place, segments in sides.items()
    }
    check = partial(_check, given=given, images=count, language=document.language, own=own)
    return Request("rewrite", messages, SCHEMA, partial(by_templates, document, task), OFFLINE, check)


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


def _answer(instruction: str, divided: Parts, numbers: Mapping[int, int]) -> RewriteAnswer:
    return {
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


def _check(
    value: Mapping[str, object], given: int, images: int, language: str | None, own: Mapping[Place, str]
) -> str | None:
    answer = cast("RewriteAnswer", value)  # it fits SCHEMA
    return fault(answer, given, images) or answer_language.fault(answer, language, own)
