"""The request for an example of several turns, and the templates that answer it without a model. Pure.

    steps      question -> the first step; "What comes next?" -> the second step; ...
    sequence   all images and texts but the passage between two images, "What happens between image 2 and
               image 3?" -> the passage; "Which comes first, “...” or “...”?" -> the earlier one

The templates use every text of the document once, verbatim and in order. Only the sentences of the question
about the order are repeated. Passage, sentences and wordings are chosen by the document's words, so that the
same document gets the same question in every run; each by a number of its own, so that a wording does not
give away the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Request
from leafinstruct.records.document import Document, ImageRef, Segment
from leafinstruct.records.text.signs import STEP
from leafinstruct.records.text.words import first_words, sentences_of
from leafinstruct.rewrite import parse
from leafinstruct.rewrite import prompt as prompts
from leafinstruct.rewrite.dialog import answer
from leafinstruct.rewrite.dialog.answer import DialogAnswer, Exchange
from leafinstruct.rewrite.parse import AnswerPart
from leafinstruct.rewrite.steps import steps_of
from leafinstruct.rewrite.tasks import parts_of, questions
from leafinstruct.rewrite.worded import Task, number_of

_Choice = TypeVar("_Choice")

_SENTENCE = 25
"""Maximum words of a sentence that a question about the order quotes."""


def request(
    document: Document,
    task: Task,
    images: Mapping[str, tuple[bytes, str]],
    prompt: Prompt,
    bounds: prompts.Bounds | None = None,
) -> Request:
    """The request; arguments as of prompt.request. The prompt has a place {{ turns }}."""
    filled = Prompt(prompt.name, prompt.fill(turns=_shape(document, task, *shown(document, task))))
    return replace(
        prompts.request(document, task, images, filled),
        schema=answer.SCHEMA,
        offline=partial(by_templates, document, task),
        check=partial(_check, document=document, task=task, bounds=bounds),
        absent=answer.ABSENT,
    )


def shown(document: Document, task: Task, left: Collection[int] = ()) -> tuple[list[int], list[list[int]]]:
    """Numbers of the images that the context, and the answer of each turn, must show. left: images that are
    left out; a step that has no other image is no turn."""
    numbers = {image.position: number for number, image in enumerate(document.images, start=1)}
    if task.family.asked == "steps":
        return [], [
            [numbers[item.position] for item in step if isinstance(item, ImageRef)]
            for step in steps_of(prompts.without(document, left)).steps
        ]
    context = [number for number in numbers.values() if number not in left]
    return context, [[], []] if _pair(document, task) is not None else [[]]


def by_templates(document: Document, task: Task) -> DialogAnswer:
    """The answer of the templates, for a document that fits the task."""
    assert task.wording is not None, "the document fits the task"
    numbers = {image.position: number for number, image in enumerate(document.images, start=1)}
    first = prompts.worded(document, task, questions(document, task))
    follow = task.wording.turns
    if task.family.asked == "steps":
        steps, chosen = steps_of(document).steps, _number(document, "next")
        asks = [first, *(follow.next[(chosen + at) % len(follow.next)] for at in range(len(steps) - 1))]
        return _answer([], [_exchange(*pair, numbers) for pair in zip(asks, steps, strict=True)])
    divided = parts_of(document, task.family)
    before = _before(document, task)
    between = _one_of(follow.between, document, "between").format(before=before, after=before + 1)
    turns = [_exchange(f"{first} {between}", divided.response, numbers)]
    if (pair := _pair(document, task)) is not None and follow.order:
        one, other = _one_of((pair, pair[::-1]), document, "first")
        ask = _one_of(follow.order, document, "order").format(one=one, other=other)
        turns.append({"ask": ask, "answer": [{"type": "text", "text": pair[0]}]})
    return _answer(prompts.answer_parts(divided.context, numbers), turns)


def _answer(context: list[AnswerPart], turns: list[Exchange]) -> DialogAnswer:
    return {"fit": True, "because": "", "leave_out": [], "context": context, "turns": turns}


def _shape(document: Document, task: Task, context: Sequence[int], answers: Sequence[Sequence[int]]) -> str:
    """What each turn must show, in words."""
    if task.family.asked == "steps":
        images = "; ".join(
            f"turn {number} shows {prompts.images_named(shown)}"
            for number, shown in enumerate(answers, start=1)
        )
        return (
            f"Write {len(answers)} turns, one for each step of the document: {images}. The context is empty. "
            "The first question asks for the whole piece, step by step; the others ask for the next step, "
            "each in other words, as a person would who has just done the step before."
        )
    before = _before(document, task)
    order = (
        " Turn 2 asks which of two things in the sequence comes first, and the answer says it in a sentence."
        if len(answers) == 2
        else ""
    )
    return (
        f"The context shows {prompts.images_named(context)} with the texts of the document, without the text "
        f"between image {before} and image {before + 1}. Turn 1 asks what happens between image {before} and "
        f"image {before + 1}, and the answer is that text.{order} The answers show no image."
    )


def _before(document: Document, task: Task) -> int:
    """Number of the image before the passage that a question about a sequence asks for."""
    passage = parts_of(document, task.family).response[0]
    return sum(image.position < passage.position for image in document.images)


def _pair(document: Document, task: Task) -> tuple[str, str] | None:
    """The first sentences of two texts that the context shows, with an image between them, in their order;
    None if there are none, or the language has no question about an order."""
    if task.wording is not None and not task.by_model and not task.wording.turns.order:
        return None
    groups: list[list[str]] = [[]]
    for segment in parts_of(document, task.family).context:
        if isinstance(segment, ImageRef):
            groups.append([])
        elif segment.kind in ("prose", "list") and (sentence := _sentence(segment.text)):
            groups[-1].append(sentence)
    firsts = list(dict.fromkeys(group[0] for group in groups if group))
    if len(firsts) < 2:
        return None
    at = _number(document, "one") % (len(firsts) - 1)
    return firsts[at], _one_of(firsts[at + 1 :], document, "other")


def _sentence(text: str) -> str:
    """The first sentence without its number and final stop, which would give away the order or look odd."""
    marker = STEP.match(text)
    plain = text[marker.end() :] if marker is not None else text
    sentence = next(iter(sentences_of(" ".join(plain.split()))), "")
    return first_words(sentence, _SENTENCE).strip().rstrip(".")


def _number(document: Document, what: str) -> int:
    """A number that depends on the document's words and on what is chosen by it."""
    return number_of("\0".join((what, *(text.text for text in document.texts))))


def _one_of(choices: Sequence[_Choice], document: Document, what: str) -> _Choice:
    return choices[_number(document, what) % len(choices)]


def _exchange(ask: str, segments: Sequence[Segment], numbers: Mapping[int, int]) -> Exchange:
    parts: list[AnswerPart] = prompts.answer_parts(segments, numbers)
    return {"ask": ask, "answer": parts}


def _check(
    value: Mapping[str, object], document: Document, task: Task, bounds: prompts.Bounds | None
) -> str | None:
    found = cast("DialogAnswer", value)  # it fits SCHEMA
    count = len(document.images)
    problem = parse.verdict_fault(found, count)
    if problem is not None or parse.unfit(found, count) is not None:
        return problem
    left = parse.left_out(found)
    problem = _unmet(document, task, left) or answer.fault(found, *shown(document, task, left))
    if problem is not None:
        return problem
    turned = answer.turns(found, document.images)
    return prompts.unmet_bound(document, task, turned, left, bounds)


def _unmet(document: Document, task: Task, left: Collection[int]) -> str | None:
    """What the task lacks without the images that an answer leaves out."""
    if task.family.asked == "sequence":
        before = _before(document, task)
        if needed := {before, before + 1} & {*left}:
            return f"the questions are about image {min(needed)}: show it, or answer fit: false and why"
    return prompts.unmet(document, task, 0, left)
