"""Generate lessons with a backbone and judge them by Sketchbook's truth.

    free-running        only the instruction is given; each text is the model's, each image is judged by its
                        own text
    teacher-forced      all true texts and images before an image are given; the model only generates its 64
                        patches
    losses              losses of the true lesson, per modality and per position of an image: no sampling, so
                        the most precise measure

All lessons are of held-out combinations (sketchbook.held_out): each word and each shape occurs in training,
but not together. Sampling is greedy, so there is one answer per lesson, the same in every run. `template` is
the trainer's prompt template (train.data.encode.in_template).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from leafinstruct.backbones.backbone import Backbone, Item, Segment
from leafinstruct.backbones.batched import Answered, answers
from leafinstruct.backbones.generate import Settings
from leafinstruct.backbones.sampling import GREEDY
from leafinstruct.evaluate.sketchbook.grammar import ask_of
from leafinstruct.evaluate.sketchbook.judging import ImageVerdict, Verdict, judge, judge_images
from leafinstruct.evaluate.sketchbook.reading import PX, Seen
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.plan import Settings as Corpus
from leafinstruct.sketchbook.documents.plan import draft
from leafinstruct.sketchbook.world.render import Style, render

PromptTemplate = Callable[[Sequence[Segment]], list[Segment]]
MOST_TOKENS = 768
"""Maximum number of tokens of a free-running answer; a lesson of five steps has about 480."""


@dataclass(frozen=True, slots=True)
class Question:
    """A lesson and the question that asks for it."""

    howto: HowTo
    prompt: str


@dataclass(frozen=True, slots=True)
class FreeAnswer:
    """A free-running answer with its verdict."""

    question: Question
    answer: Answered
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ForcedImages:
    """Teacher-forced images of a lesson, one per step, with their verdicts."""

    question: Question
    images: tuple[Image.Image | None, ...]
    verdicts: tuple[ImageVerdict, ...]


def held_out_lessons(count: int, seed: int, steps: int = 5) -> list[HowTo]:
    """Return lessons of held-out combinations on empty paper, with at most `steps` steps."""
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


def free_answers(
    backbone: Backbone,
    questions: Sequence[Question],
    template: PromptTemplate,
    view: Seen,
    batch: int = 32,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[FreeAnswer]:
    """Generate free-running answers. view: the style after the backbone's image tokenizer
    (recognizer.seen)."""
    settings = Settings(GREEDY, GREEDY, max_tokens=MOST_TOKENS, stop=("USER:",))
    prompts = [backbone.encode(template([question.prompt])) for question in questions]
    found = answers(backbone, prompts, settings, batch, on_done=on_done)
    return [
        FreeAnswer(question, answer, judge(ask_of(question.howto), answer.segments, view))
        for question, answer in zip(questions, found, strict=True)
    ]


def forced_images(
    backbone: Backbone,
    questions: Sequence[Question],
    template: PromptTemplate,
    view: Seen,
    batch: int = 64,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[ForcedImages]:
    """Generate each image after the true texts and images before it."""
    prompts = [
        prompt for question in questions for prompt in before_images(backbone, question, template, view.style)
    ]
    found = iter(answers(backbone, prompts, Settings(GREEDY, GREEDY), batch, one_image=True, on_done=on_done))
    lessons = []
    for question in questions:
        images = tuple(first_image(next(found)) for _ in question.howto.steps)
        lessons.append(ForcedImages(question, images, judge_images(question.howto, images, view)))
    return lessons


def first_image(answer: Answered) -> Image.Image | None:
    """Return the first image of an answer; None when the model had no positions left for it."""
    return next((segment for segment in answer.segments if isinstance(segment, Image.Image)), None)


def before_images(
    backbone: Backbone, question: Question, template: PromptTemplate, style: Style
) -> list[list[Item]]:
    """Return for each image of the true lesson the ids up to the token that begins it. Segments are encoded
    one by one, as in training rows."""
    items = backbone.encode(template([question.prompt]))
    start, begin = len(backbone.encode([])), backbone.image_layout(None).begin
    found = []
    for segment in true_lesson(question.howto, style):
        if not isinstance(segment, str):
            found.append([*items, begin])
        items = items + backbone.encode([segment])[start:]
    return found


def true_lesson(howto: HowTo, style: Style) -> list[Segment]:
    """Return the true lesson as in its training row: introduction, a text and an image per step, closing
    line."""
    steps = [part for step in howto.steps for part in (step.text, render(step.scene, PX, style))]
    return paragraphs([howto.intro, *steps, howto.outro])
