"""Fill docs/prompts.md: the requests to the rewriter for one document of each task family, to the judge and
to the examiner, as they are sent.

Run it after changing a prompt or a request: python scripts/shown_prompts.py. tests/e2e/test_documentation.py
compares. The documents are of Sketchbook, the shortest one for each family, so that the page may be
published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import leafinstruct
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.judging import request as judge
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Message, Request, SentImage
from leafinstruct.recipe.templates import packaged, questions_for
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.rewrite import parse, tasks
from leafinstruct.rewrite import prompt as prompts
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.config import BY_NAME, GUIDE
from leafinstruct.rewrite.dialog import ask as dialog
from leafinstruct.rewrite.refine import examine
from leafinstruct.rewrite.refine.rounds import Revision, revised
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Style, Task, tasks_in

PAGE = Path(__file__).parent.parent / "docs/prompts.md"
SOURCE = {"kind": "sketchbook", "documents": 60, "videos": 0, "seed": 1, "image_px": 32}
_SECTION = re.compile(r"(<!-- generated -->\n).*?(\n<!-- end -->)", re.DOTALL)
_SPELLED = {"image/png": "PNG"}
LEFT_OUT = "It repeats the image before it."
FINDING = (
    "rewrite.faithful is 0.9, at least 1 is required: write only what the document has; it does not have 20"
)
CRITIQUE = 'The last sentence of the response says "easily", which the source does not.'


def written(page: str) -> str:
    """The page with its generated section as it is now; other text is unchanged."""
    shown = "\n".join(_sections(list(leafinstruct.read(SOURCE))))
    return _SECTION.sub(lambda found: f"{found[1]}\n{shown}{found[2]}", page)


def _sections(documents: Sequence[Document]) -> Iterator[str]:
    found = {name: _of_family(documents, name) for name in BY_NAME}
    first: dict[str, Message] = {}
    for name, (document, task) in found.items():
        request = _rewriting(document, task)
        template = "turns" if task.family.several_turns else "rewrite"
        yield from _shown(f"Rewriter: {name}", template, request, first.get(template))
        first.setdefault(template, request.messages[0])
    document, task = found[GUIDE.name]
    images = _images(document)
    asked = judge.request(document, images, JudgeConfig(), _prompt("judge"))
    yield from _shown("Judge", "judge", asked)
    value, last = prompts.by_templates(document, task), len(document.images)
    kept = [part for part in value["response"] if part != {"type": "image", "image": last}]
    turns = parse.turns({**value, "response": kept}, document.images)
    asked = examine.request(document, task, turns, images, _prompt("examine"), {last: LEFT_OUT})
    yield from _shown("Examiner", "examine", asked)
    again = revised(_rewriting(document, task), Revision(value, CRITIQUE))
    yield f"### Rewriter: an example that goes back\n\nThe request of `{GUIDE.name}`, then these two turns.\n"
    yield from _turns(again.messages[-2:])
    again = revised(_rewriting(document, task), Revision(findings=(FINDING,)))
    yield "### Rewriter: an answer that failed a check\n"
    yield f"The request of `{GUIDE.name}`, with these lines at its end.\n"
    yield _fenced(str(again.messages[-1].parts[-1]))


def _of_family(documents: Sequence[Document], name: str) -> tuple[Document, Task]:
    """The shortest document that fits a family, with the task in its language and a fixed style."""
    questions = questions_for(Path("recipe"), tuple(BY_NAME.values()))
    found: list[tuple[int, str, Document, Task]] = []
    for document in documents:
        asking = tasks_in(document.language, (BY_NAME[name],), questions, by_model=True)
        for task in tasks.fitting(document, asking, Facts(resemblance=1.0)):
            length = sum(len(text.text) for text in document.texts)
            found.append((length, document.id, document, task))
    _, _, document, task = min(found, key=lambda one: one[:2])
    named = (
        replace(item, sha256=str(item.position)) if isinstance(item, ImageRef) else item
        for item in document.segments
    )
    return replace(document, segments=tuple(named)), replace(task, style=Style("question", "medium"))


def _rewriting(document: Document, task: Task) -> Request:
    bounds = prompts.Bounds(Checks(), 0)
    if task.family.several_turns:
        return dialog.request(document, task, _images(document), _prompt("turns"), bounds)
    return prompts.request(document, task, _images(document), _prompt("rewrite"), bounds)


def _images(document: Document) -> Mapping[str, tuple[bytes, str]]:
    return {image.sha256 or "": (b"", "image/png") for image in document.images}


def _prompt(name: str) -> Prompt:
    return Prompt(name, (packaged("prompts") / f"{name}.md").read_text(encoding="utf-8"))


def _shown(title: str, template: str, request: Request, first: Message | None = None) -> Iterator[str]:
    """The messages of a request. first: the system message that is shown already; then only other lines."""
    yield f"### {title}\n"
    system, user = request.messages
    if first is not None:
        before = _text(first).splitlines()
        other = [line for line in _text(system).splitlines() if line not in before]
        yield f"System message as above, from `prompts/{template}.md`, but for these lines:\n"
        yield _fenced("\n".join(other))
    else:
        yield f"System message, from `prompts/{template}.md`:\n"
        yield _fenced(_text(system))
    yield from _turns([user])


def _turns(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield f"Message of the {message.role}:\n"
        yield _fenced(_text(message))


def _text(message: Message) -> str:
    """A message with a mark in the place of each image."""
    parts = (
        f"<{_SPELLED[part.media_type]} of the image>" if isinstance(part, SentImage) else part
        for part in message.parts
    )
    return "\n".join(parts)


def _fenced(text: str) -> str:
    return f"~~~~text\n{text}\n~~~~\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
