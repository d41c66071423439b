"""Rewrite one piece of a document: choose its task, ask, and check the answer.

A request has smaller versions, for a server that rejects a larger one. They only show fewer or smaller
images: an example consists of all words. If the text is too long, `rewrite.max_words` cuts the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, Self, cast

from leafinstruct.images.send import Sent, smaller
from leafinstruct.llm.client import Client
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.limits.division import Division
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Answer, Request
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell, Example, Turn, example_id
from leafinstruct.records.rows import Drop
from leafinstruct.records.text.genre import genre_of
from leafinstruct.records.text.language_names import named
from leafinstruct.rewrite import parse, steps, tasks
from leafinstruct.rewrite import prompt as prompts
from leafinstruct.rewrite.checks.run import check
from leafinstruct.rewrite.config import RefineConfig, RewriteConfig
from leafinstruct.rewrite.dialog import answer as dialog_answer
from leafinstruct.rewrite.dialog import ask as dialog
from leafinstruct.rewrite.outcome import (
    DANGLING,
    UNFIT,
    LeftOut,
    Refused,
    counted,
    example,
    refused_by_check,
    scored,
)
from leafinstruct.rewrite.refine import examine
from leafinstruct.rewrite.refine.examine import Examiner
from leafinstruct.rewrite.refine.rounds import Asking, Question, Revision, refined, revised
from leafinstruct.rewrite.resemblance import resemblance
from leafinstruct.rewrite.steps import Piece
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Files, Task, style_of, tasks_in
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part


class _Recipe(Protocol):
    rewrite: RewriteConfig
    llm: LlmConfig
    seed: int


class _Loaded(Protocol):
    """What rewrite reads of a loaded recipe."""

    questions: Files

    @property
    def recipe(self) -> _Recipe: ...
    @property
    def answers(self) -> Path: ...
    def division(self, stage: str) -> Division | None: ...
    def template(self, folder: str, name: str) -> Prompt: ...


@dataclass(frozen=True)
class RewriteSettings:
    """Settings of the stage. answers: folder of the answer cache; questions: question files by language;
    turns_prompt: prompt of families with several turns; seed: of styles; examiner: None without one;
    division: of a divided build."""

    config: RewriteConfig
    llm: LlmConfig
    prompt: Prompt
    answers: Path
    questions: Files
    turns_prompt: Prompt
    seed: int = 0
    examiner: Examiner | None = None
    division: Division | None = None

    @classmethod
    def of(cls, loaded: _Loaded) -> Self:
        """The settings of a recipe."""
        recipe = loaded.recipe
        prompt = loaded.template("prompts", recipe.rewrite.prompt)
        turns = loaded.template("prompts", recipe.rewrite.turns_prompt)
        plain = cls(
            recipe.rewrite,
            recipe.llm,
            prompt,
            loaded.answers,
            loaded.questions,
            turns,
            recipe.seed,
            division=loaded.division("rewrite"),
        )
        refine = plain.refine
        if refine is None:
            return plain
        examiner = Examiner(refine.model(recipe.llm), loaded.template("prompts", refine.prompt))
        return replace(plain, examiner=examiner)

    @property
    def refine(self) -> RefineConfig | None:
        """How examples are examined; None if no language model writes or none examines them."""
        return None if self.offline or self.config.mode == "keep" else self.config.refine

    @property
    def direct(self) -> Self:
        """The settings to ask the same without a batch, which may take a day."""
        none = {"batch": None}
        examiner = self.examiner and replace(self.examiner, llm=self.examiner.llm.model_copy(update=none))
        return replace(self, llm=self.llm.model_copy(update=none), examiner=examiner)

    def llm_for(self, purpose: str) -> LlmConfig:
        """The section of the model that is asked. purpose: as in refine.forecast."""
        return self.examiner.llm if self.examiner is not None and purpose == examine.PURPOSE else self.llm

    @property
    def model(self) -> str:
        """Name of the rewriter; `none` in mode `keep`."""
        if self.config.mode == "keep":
            return "none"
        return prompts.OFFLINE if self.offline else self.llm.known_as

    @property
    def offline(self) -> bool:
        """Whether templates word the questions instead of a language model."""
        return self.llm.provider == "offline"

    def tasks(self, document: Document) -> list[Task]:
        """The task families with their questions in the document's language."""
        return tasks_in(document.language, self.config.tasks, self.questions, by_model=not self.offline)

    def styled(self, task: Task, example: str) -> Task:
        """The task with the style of its question. example: id."""
        return replace(task, style=style_of(self.seed, example))


class Clients(NamedTuple):
    """Who is asked; the same client if the rewriter's model examines."""

    rewriter: Client
    examiner: Client

    @classmethod
    def of(cls, settings: RewriteSettings) -> Self:
        """The clients of a recipe, which share one budget."""
        rewriter = Client(settings.llm, settings.answers, division=settings.division)
        if settings.examiner is None or settings.examiner.llm == settings.llm:
            return cls(rewriter, rewriter)
        examiner = Client(settings.examiner.llm, settings.answers, rewriter, settings.division)
        return cls(rewriter, examiner)

    @property
    def distinct(self) -> tuple[Client, ...]:
        """Each client once."""
        return self[:1] if self.examiner is self.rewriter else self


@dataclass(frozen=True)
class Item:
    """A piece of a document, facts about the document, and its scores."""

    piece: Piece
    facts: Facts
    cells: tuple[Cell, ...]


def facts_of(document: Document, drops: Sequence[Drop]) -> Facts:
    """Whether the document is whole: its reader lost no segment and filter dropped no image."""
    return Facts(whole=not document.lost and all(drop.position is None for drop in drops))


def request_of(
    document: Document, task: Task, images: Mapping[str, Sent], settings: RewriteSettings
) -> Request:
    """The rewriter's request about a piece, see prompt.request and dialog.ask."""
    config = settings.config
    bounds = None if settings.offline else prompts.Bounds(config.checks, config.max_dangling)
    if task.family.several_turns:
        return dialog.request(document, task, images, settings.turns_prompt, bounds)
    return prompts.request(document, task, images, settings.prompt, bounds)


def question(
    document: Document,
    task: Task,
    images: Mapping[str, Sent],
    settings: RewriteSettings,
    revision: Revision | None = None,
) -> Request:
    """The rewriter's request about a piece, with smaller versions. revision: to write the example again."""
    return _fitted(
        document,
        images,
        settings.config.image_px,
        lambda sent: revised(request_of(document, task, sent, settings), revision),
    )


def examination(
    document: Document,
    task: Task,
    images: Mapping[str, Sent],
    px: int,
    prompt: Prompt,
    answer: Answer,
    turns: Sequence[Turn],
) -> Request:
    """The examiner's request about the example of a piece. images, px: as of `question`. answer, turns: of
    the rewriter."""
    left = _left_out(answer)
    return _fitted(
        document, images, px, lambda sent: examine.request(document, task, turns, sent, prompt, left)
    )


def _fitted(
    document: Document, images: Mapping[str, Sent], px: int, asked: Callable[[Mapping[str, Sent]], Request]
) -> Request:
    """A request with smaller versions, which show fewer or smaller images of the document."""
    named = [image.sha256 or "" for image in document.images if (image.sha256 or "") in images]
    whole = Shown(len(named), px, None)

    def ask(shown: Shown) -> Request:
        if shown == whole:
            return asked(images)
        return asked(smaller({name: images[name] for name in named[: shown.images]}, shown.px, shown.jpeg))

    return fitted(ask, whole)


async def rewrite_piece(
    item: Item,
    settings: RewriteSettings,
    clients: Clients,
    images: Mapping[str, Sent],
    asked: list[Question],
    left: list[LeftOut],
    beaten: list[Example],
) -> Example | Refused:
    """Make the example of one piece, or the reason why there is none. Appends to `asked`, the images that the
    model left out to `left`, and the example of the round that the best one beats to `beaten`."""
    config, piece, document = settings.config, item.piece, item.piece.document
    if not document.images and piece.of > 1:
        return Refused(
            document, "piece_without_image", "ok", f"piece {piece.number + 1} of a long document has no image"
        )
    if not steps.fits(document.segments, config.max_words, config.max_images):
        return Refused(
            document,
            "too_long",
            "ok",
            f"piece {piece.number + 1} is above the bounds and has no place to cut it at",
        )
    task = tasks.choose(
        document, settings.tasks(document), item.facts, example_id(document.id, "", piece.number)
    )
    if task is None:
        return _without_task(document, settings, item.facts)
    task = settings.styled(task, example_id(document.id, task.family.name, piece.number))
    found = await refined(_asking(item, task, settings, images, asked), settings.refine, *clients)
    answer = found.answer
    if answer.value is None:
        return refused_by_check(document, answer) or Refused(
            document, f"answer_{answer.state}", answer.state, answer.detail
        )
    if (verdict := _unfit(document, answer)) is not None:
        return Refused(document, UNFIT, "ok", verdict)
    gone = _left_out(answer)
    shown = prompts.without(document, gone)
    unanswered = prompts.unanswered_of(shown, found.turns)
    if config.max_dangling is not None and len(unanswered) > config.max_dangling:  # of templates
        detail = f"piece {piece.number + 1} says {unanswered[0]}"
        return Refused(document, "dangling_reference", "ok", detail)
    left += (LeftOut(document, document.images[number - 1].position, gone[number]) for number in sorted(gone))
    cells = (
        *(counted(cell, unanswered) if cell.name == DANGLING else cell for cell in item.cells),
        *scored(check(document, task, found.turns, config.checks)),
        *found.cells(),
    )
    if (worse := found.beaten) is not None:
        of_worse = prompts.without(document, _left_out(worse.answer))
        beaten.append(
            example(of_worse, task.family.name, worse.turns, worse.answer, tuple(worse.cells()), piece.number)
        )
    return example(shown, task.family.name, found.turns, answer, cells, piece.number)


def _asking(
    item: Item, task: Task, settings: RewriteSettings, images: Mapping[str, Sent], asked: list[Question]
) -> Asking:
    """How the example of a piece is asked for. Questions are added to `asked`."""
    piece, document, config = item.piece, item.piece.document, settings.config
    name = example_id(document.id, task.family.name, piece.number)

    def read(answer: Answer) -> tuple[Turn, ...] | None:
        return turns_of(document, task, answer) if _unfit(document, answer) is None else None

    def failed(answer: Answer) -> str | None:
        refused = refused_by_check(document, answer)
        return None if refused is None else refused.detail

    return Asking(
        rewriter=partial(question, document, task, images, settings),
        read=read,
        failed=failed,
        examiner=None
        if settings.examiner is None
        else partial(examination, document, task, images, config.image_px, settings.examiner.prompt),
        note=lambda number, purpose, answer: asked.append(
            Question(document.id, name, number, purpose, answer)
        ),
    )


def turns_of(document: Document, task: Task, answer: Answer) -> tuple[Turn, ...]:
    """The turns of a rewriter's answer that has a value."""
    if task.family.several_turns:
        return dialog_answer.turns(cast("dialog_answer.DialogAnswer", answer.value), document.images)
    return parse.turns(cast("parse.RewriteAnswer", answer.value), document.images)


def _unfit(document: Document, answer: Answer) -> str | None:
    """Why the model says that the document makes no example; None if it makes one."""
    return parse.unfit(cast("parse.Verdict", answer.value), len(document.images))


def _left_out(answer: Answer) -> dict[int, str]:
    """The images that the model left out, by number, each with its reason."""
    return parse.left_out(cast("parse.Verdict", answer.value))


def _without_task(document: Document, settings: RewriteSettings, facts: Facts) -> Refused:
    """Refuse with `no_template` if a family lacks only a question in the document's language, else with
    `no_task_fits`."""
    asking = {task.family.name for task in settings.tasks(document) if task.wording is not None}
    wordless = [
        family.name
        for family in tasks.met_by(document, settings.config.tasks, facts)
        if family.name not in asking
    ]
    if not wordless:
        names = ", ".join(task.name for task in settings.config.tasks)
        return Refused(
            document,
            "no_task_fits",
            "ok",
            f"{len(document.images)} images, {genre_of(document)}: it does not meet the needs of {names}",
        )
    why = f"{', '.join(wordless)}: the document's own words make no question, and its language is not known"
    if document.language is not None:
        name, place = named(document.language), f"questions/{document.language}.yaml"
        why = (
            f"{', '.join(wordless)}: no questions in {name}, and the document's own words make none; add "
            f"{place}, see docs/tasks.md"
        )
    return Refused(document, "no_template", "ok", why)


def with_resemblance(
    items: Sequence[Item], settings: RewriteSettings, inputs: Artifact, part: Part
) -> list[Item]:
    """Add the structural similarity of images to the items whose task depends on it."""
    wanted = [
        tasks.wants_resemblance(item.piece.document, settings.tasks(item.piece.document), item.facts)
        for item in items
    ]
    names = {
        image.sha256 or ""
        for item, wants in zip(items, wanted, strict=True)
        if wants
        for image in item.piece.document.images
    }
    data = image_bytes(inputs, part, names) if names else {}

    def resemble(document: Document) -> float:
        pairs = pairwise(document.images)
        return min(resemblance(data[one.sha256 or ""], data[other.sha256 or ""]) for one, other in pairs)

    return [
        replace(item, facts=replace(item.facts, resemblance=resemble(item.piece.document))) if wants else item
        for item, wants in zip(items, wanted, strict=True)
    ]


def image_bytes(inputs: Artifact, part: Part, names: set[str]) -> dict[str, bytes]:
    """The bytes of images of a part, by sha256."""
    return table.images(inputs.file("images", part.name), names - {""})
