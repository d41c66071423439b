"""From a document and its task to the question that is put to a rewriter, and the templates that answer it without a model. Pure, no I/O.

The question shows the document's texts numbered and its images with the number of the text that each belongs to (records.owners), and says which
images the context must show. The templates use every text of the document, verbatim and in order, with these exceptions: the title is
part of the question, and so is the request of an edit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Message, Picture, Request
from leafinstruct.records.document import Document, Image, Segment, Text
from leafinstruct.rewrite.config import TaskFamily
from leafinstruct.rewrite.parse import SCHEMA, fault
from leafinstruct.rewrite.tasks import Parts, number_of, parts_of, questions

OFFLINE = "offline-templates@3"


def request(document: Document, family: TaskFamily, pictures: Mapping[str, tuple[bytes, str]], prompt: Prompt) -> Request:
    """The question. pictures: sha256 of the original -> bytes and media type as sent; those missing are named but not shown."""
    divided = parts_of(document, family)
    given = sum(isinstance(segment, Image) for segment in divided.context)
    count = len(document.images)
    system, _, user = prompt.fill(task=goal(family, given, count)).partition("\n---\n")
    parts: list[str | Picture] = []
    lines = [user.strip(), *([f"title: {json.dumps(document.title, ensure_ascii=False)}"] if document.title else [])]
    number = 0
    for segment in document.segments:
        if isinstance(segment, Text):
            lines.append(f"[{segment.position}] {segment.kind}: {json.dumps(segment.text, ensure_ascii=False)}")
            continue
        number += 1
        lines.append(f"image {number}{belonging(segment)}:")
        picture = pictures.get(segment.sha256 or "")
        if picture is not None:
            parts += ["\n".join(lines), Picture(*picture)]
            lines = []
    parts.append("\n".join([*lines, "End of the document."]))
    messages = (Message("system", (system.strip(),)), Message("user", tuple(parts)))
    check = partial(_check, given=given, images=count)
    return Request("rewrite", messages, SCHEMA, partial(by_templates, document, family), OFFLINE, check)


def belonging(image: Image) -> str:
    """What a question says of an image's owner."""
    return "" if image.owner is None else f" (belongs to [{image.owner}])"


def goal(family: TaskFamily, given: int, images: int) -> str:
    """What the rewriter is to make of the document, with the family's wordings as examples of an instruction."""
    wordings = " / ".join(json.dumps(ask, ensure_ascii=False) for ask in (*family.ask, *family.ask_untitled))
    return f"{family.name}: {_shape(family, given, images)}. Instructions of this task are worded like: {wordings}"


def _shape(family: TaskFamily, given: int, images: int) -> str:
    if family.asked == "change":
        return (
            "the context is the first image with the text before it, the instruction asks for the change that the text between the images "
            "describes, the response is the changed image with what follows it"
        )
    if given == 0:
        return "the instruction asks for the whole piece; the context is empty; the response is the whole piece with all images"
    rest, shown = "the last step" if family.given == "all_but_last" else "the rest", "image 1" if given == 1 else f"images 1 to {given}"
    others = f"image {images}" if images - given == 1 else f"images {given + 1} to {images}"
    return (
        f"the context is the beginning of the document with {shown}; the instruction asks for {rest}; the response is {rest} with {others}"
    )


def by_templates(document: Document, family: TaskFamily) -> dict[str, Any]:
    """The answer of the written templates."""
    divided = parts_of(document, family)
    asks = questions(document, family, divided.change)
    words = "\0".join(text.text for text in document.texts)  # not the id: an answer is cached under what the question shows
    return _answer(asks[number_of(words) % len(asks)], divided, {image.position: at for at, image in enumerate(document.images, start=1)})


def as_text(segment: Text) -> str:
    """A segment as plain text that still shows what it is: code is fenced. The markers of a list are its reader's (ingest/walk.py)."""
    return f"```\n{segment.text}\n```" if segment.kind == "code" else segment.text


def _answer(instruction: str, divided: Parts, numbers: Mapping[int, int]) -> dict[str, Any]:
    def parts(segments: Sequence[Segment]) -> list[dict[str, Any]]:
        return [
            {"type": "text", "text": as_text(segment)}
            if isinstance(segment, Text)
            else {"type": "image", "image": numbers[segment.position]}
            for segment in segments
        ]

    return {"instruction": instruction, "context": parts(divided.context), "response": parts(divided.response)}


def _check(value: dict[str, Any], given: int, images: int) -> str | None:
    return fault(value, given, images)
