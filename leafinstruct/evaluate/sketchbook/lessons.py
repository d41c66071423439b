"""Lessons that a backbone tells and draws, judged by what Sketchbook knows to be true.

    free-running        only the instruction is given: each text as the model tells it, each image judged by its own text
    teacher-forced      all true texts and images before an image are given: 64 patches are the model's
    losses              of the true lesson, per modality and per image's place in it: no sampling, so the finest of the measures

Lessons are of held-out combinations alone (sketchbook.held_out), so each word and each shape has been seen
and their meeting has not. The likeliest id is taken everywhere: one answer a lesson, the same in every run.

What a prompt looks like is the trainer's affair: `frame` puts a question as its rows have it
(train.encode.framed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from leafinstruct.backbones.backbone import Item, Segment
from leafinstruct.backbones.batched import Answered, answers
from leafinstruct.backbones.generate import Settings
from leafinstruct.backbones.sampling import GREEDY
from leafinstruct.evaluate.sketchbook.grammar import ask_of
from leafinstruct.evaluate.sketchbook.judging import Shown, Verdict, judge, judge_images
from leafinstruct.evaluate.sketchbook.reading import PX, Seen
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.plan import Settings as Corpus
from leafinstruct.sketchbook.documents.plan import draft
from leafinstruct.sketchbook.world.render import Style, render

PromptTemplate = Callable[[Sequence[Segment]], list[Segment]]
MOST_TOKENS = 768
"""Of a free-running answer: a lesson of five steps takes about 480."""


@dataclass(frozen=True, slots=True)
class Question:
    """A lesson and how it is asked for."""

    howto: HowTo
    prompt: str


@dataclass(frozen=True, slots=True)
class Told:
    """A free-running answer with its verdict."""

    question: Question
    answer: Answered
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Drawn:
    """Teacher-forced images of a lesson, one a step, with their verdicts."""

    question: Question
    images: tuple[Image.Image | None, ...]
    shown: tuple[Shown, ...]


def held_out_lessons(count: int, seed: int, steps: int = 5) -> list[HowTo]:
    """Lessons of held-out combinations on empty paper, of at most so many steps."""
    corpus = Corpus(
        seed,
        count,
        PX,
        topics=("lesson",),
        formats=("html",),
        scenery="none",
        held_out="only",
        lesson_steps=steps,
    )
    return [draft(corpus, index) for index in range(count)]


def tell(
    backbone: Any,
    questions: Sequence[Question],
    template: PromptTemplate,
    view: Seen,
    batch: int = 32,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Told]:
    """Free-running answers. view: the style, as the backbone's image tokenizer shows it (recognizer.seen)."""
    settings = Settings(GREEDY, GREEDY, max_tokens=MOST_TOKENS, stop=("USER:",))
    prompts = [backbone.encode(template([question.prompt])) for question in questions]
    found = answers(backbone, prompts, settings, batch, on_done=on_done)
    return [
        Told(question, answer, judge(ask_of(question.howto), answer.segments, view))
        for question, answer in zip(questions, found, strict=True)
    ]


def draw(
    backbone: Any,
    questions: Sequence[Question],
    template: PromptTemplate,
    view: Seen,
    batch: int = 64,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Drawn]:
    """Each image behind all that truly comes before it."""
    prompts = [
        prompt for question in questions for prompt in before_images(backbone, question, template, view.style)
    ]
    found = iter(answers(backbone, prompts, Settings(GREEDY, GREEDY), batch, one_image=True, on_done=on_done))
    drawn = []
    for question in questions:
        images = tuple(first_image(next(found)) for _ in question.howto.steps)
        drawn.append(Drawn(question, images, judge_images(question.howto, images, view)))
    return drawn


def first_image(answer: Answered) -> Image.Image | None:
    """None where the model's positions were used up."""
    return next((segment for segment in answer.segments if isinstance(segment, Image.Image)), None)


def before_images(
    backbone: Any, question: Question, template: PromptTemplate, style: Style
) -> list[list[Item]]:
    """For each image of the true lesson the ids up to the mark that begins it. Segments are encoded one by
    one, as those of rows for training."""
    items = backbone.encode(template([question.prompt]))
    start, begin = len(backbone.encode([])), backbone.image_layout(None).begin
    found = []
    for segment in told(question.howto, style):
        if not isinstance(segment, str):
            found.append([*items, begin])
        items = items + backbone.encode([segment])[start:]
    return found


def told(howto: HowTo, style: Style) -> list[Segment]:
    """The true lesson as a row of it is encoded: introduction, then a text and an image a step, closing
    line."""
    steps = [part for step in howto.steps for part in (step.text, render(step.scene, PX, style))]
    return paragraphs([howto.intro, *steps, howto.outro])
