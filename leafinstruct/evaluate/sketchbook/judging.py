"""Scores a lesson that a model told and drew: which texts are right, which images are exact, what is wrong
with the others.

    judge(ask, segments)              free-running: nothing but the instruction is given; an image is judged by its own step's text
    judge_images(howto, images)   teacher-forced: each step's true text was given; an image is judged by the true scene

An image is exact when it shows the scene so far and the thing that its text names, at a place that the words
allow. Where it is not, it is read as one of the ways to go wrong, each a scene of its own; an image that is
none of them is `unreadable`. The scene so far is what the texts have told, placed where the images came
nearest, so one forgotten thing costs every image that does not show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
from PIL import Image

from leafinstruct.evaluate.sketchbook.grammar import Ask, Fault, Telling
from leafinstruct.evaluate.sketchbook.reading import View, cell_errors, read, strain
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.lesson_words import intros
from leafinstruct.sketchbook.documents.lessons import HIGH, LOW, MOST_STEPS
from leafinstruct.sketchbook.world.backgrounds import SETTINGS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

Mistake = Literal[
    "color",
    "thing",
    "missing",
    "moved",
    "forgotten",
    "recolored",
    "background",
    "unreadable",
    "no text",
    "no image",
]
"""Of an image. color, thing, missing, moved: of what is new; forgotten, recolored: of what was there (moved
is told of it, too)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An image. kept: every earlier thing is still as it was; mistake: None for an exact one; error: mean
    over cells, [0, 1]."""

    exact: bool
    kept: bool
    mistake: Mistake | None
    error: float
    scene: Scene
    """What it should show, at the place that it comes nearest to."""


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """fault: None for a right text."""

    text: str
    fault: Fault | None
    image: Shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole lesson. complete: every part that was asked for was told, in as many steps as announced."""

    intro: bool
    steps: tuple[StepVerdict, ...]
    outro: bool
    complete: bool

    @property
    def right_texts(self) -> int:
        return sum(step.fault is None for step in self.steps)

    @property
    def exact_images(self) -> int:
        return sum(step.image.exact for step in self.steps)

    @property
    def perfect(self) -> bool:
        return (
            self.intro
            and self.outro
            and self.complete
            and self.right_texts == self.exact_images == len(self.steps)
        )


def judge(
    ask: Ask, segments: Sequence[str | Image.Image], style: View = "pencil", tolerance: float = 1.0
) -> Verdict:
    """A lesson as it was generated: texts and 64 px images in their order; several paragraphs may stand in
    one text."""
    telling, steps, waiting = Telling(ask), list[StepVerdict](), list[str]()
    intro = False
    for is_text, run in groupby(segments, key=lambda segment: isinstance(segment, str)):
        if is_text:
            waiting = [line for text in run if isinstance(text, str) for line in _paragraphs(text, ask)]
            continue
        for image in run:
            assert isinstance(image, Image.Image)
            if not steps:
                intro = len(waiting) == 2 and telling.introduce(waiting[0])
            steps.append(_step(telling, waiting[-1] if waiting else "", image, style, tolerance))
            waiting = []
    outro = waiting.pop() if waiting and telling.ends_with(waiting[-1]) else None
    steps += [_step(telling, text, None, style, tolerance) for text in (waiting if steps else waiting[1:])]
    return Verdict(intro, tuple(steps), outro is not None, _is_complete(telling))


def _paragraphs(text: str, ask: Ask) -> list[str]:
    """Lines, and an introduction apart from what was written behind it in the same line, with or without a
    space: rows for training join paragraphs as they are."""
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        known = (intro for count in range(1, MOST_STEPS + 1) for intro in intros(ask.thing, count))
        begun = next((intro for intro in known if line.startswith(intro)), None)
        lines += [part for part in (begun, line[len(begun) :].strip()) if part] if begun else [line]
    return lines


def _step(
    telling: Telling, text: str, image: Image.Image | None, style: View, tolerance: float
) -> StepVerdict:
    before = telling.scene
    said = telling.step(text)
    wanted = [before.add(thing) for thing in said.things]
    if image is None:
        shown = Shown(False, False, "no image", 1.0, wanted[0] if wanted else before)
    elif not wanted:
        error = read(image, [before], style, tolerance).error
        shown = Shown(False, _is_kept(image, before, before, style, tolerance), "no text", error, before)
    else:
        shown = look(image, before, wanted, style, tolerance)
    telling.scene = shown.scene
    return StepVerdict(text, said.fault, shown)


def _is_complete(telling: Telling) -> bool:
    drawn = [telling.ask.kinds.index(item.kind) for item in telling.parts]
    needed = {*range(telling.ask.plan.needed), telling.ask.last}
    return (
        needed <= set(drawn)
        and not telling.lost
        and any(count == telling.told for _, count in telling.styles)
    )


def judge_images(
    howto: HowTo, images: Sequence[Image.Image | None], style: View = "pencil", tolerance: float = 1.0
) -> tuple[Shown, ...]:
    """Images that were drawn for the true texts, one a step; None for one that was not drawn.

    Raises ValueError when there are more or fewer images than steps.
    """
    if len(images) != len(howto.steps):
        raise ValueError(
            f"{len(images)} images cannot be judged by {len(howto.steps)} steps; one a step, None where "
            "there is none"
        )
    verdicts: list[Shown] = []
    before = Scene(howto.steps[0].scene.background, None)
    for step, image in zip(howto.steps, images, strict=True):
        scene = replace(step.scene, decor=None)
        missing = Shown(False, False, "no image", 1.0, scene)
        verdicts.append(missing if image is None else look(image, before, [scene], style, tolerance))
        before = scene
    return tuple(verdicts)


def look(
    image: Image.Image, before: Scene, wanted: Sequence[Scene], style: View = "pencil", tolerance: float = 1.0
) -> Shown:
    """before: the scene so far; wanted: it with the new thing, at each place where it may stand."""
    reading = read(image, wanted, style, tolerance)
    scene = wanted[reading.best]
    mistake: Mistake | None = "unreadable"
    if reading.exact:
        other = read(image, [scene, *(one for _, one in _colors(scene))], style, tolerance)
        mistake = None if other.best == 0 else "color"
    if mistake is not None:
        rivals = list(_rivals(before, scene))
        nearest = read(image, [one for _, one in rivals], style, tolerance)
        mistake = rivals[nearest.best][0] if nearest.exact else mistake
    return Shown(
        mistake is None, _is_kept(image, before, scene, style, tolerance), mistake, reading.error, scene
    )


def _colors(scene: Scene) -> list[tuple[Mistake, Scene]]:
    """The new thing in every other color."""
    new = scene.items[-1]
    return [("color", scene.swap(new, new.painted(color))) for color in COLORS if color != new.color]


def _rivals(before: Scene, scene: Scene) -> list[tuple[Mistake, Scene]]:
    """One scene for each way to go wrong."""
    new, olds = scene.items[-1], before.items
    kinds = [*HIGH, *LOW, *(item.kind for item in olds)]
    wrong: list[tuple[Mistake, Scene]] = [*_colors(scene), ("missing", before)]
    wrong += [("thing", scene.swap(new, replace(new, kind=kind))) for kind in kinds if kind != new.kind]
    wrong += [("moved", replace(scene, items=(*olds, spot))) for spot in _around(new)]
    wrong += [("moved", replace(scene, items=shifted)) for shifted in _shifts(scene.items)]
    for old in olds:
        wrong.append(("forgotten", scene.without(old)))
        wrong += [
            ("recolored", scene.swap(old, old.painted(color))) for color in COLORS if color != old.color
        ]
        wrong += [("moved", scene.swap(old, spot)) for spot in _around(old)]
    wrong.append(("forgotten", replace(scene, items=(new,))))
    wrong += [
        ("background", replace(scene, background=name)) for name in SETTINGS if name != scene.background
    ]
    return wrong


def _around(item: Item) -> list[Item]:
    """The thing at every other place, in its row or its column."""
    across = [item.at(column, item.row) for column in range(CELLS - item.width + 1) if column != item.column]
    return across + [item.at(item.column, row) for row in range(CELLS - item.height + 1) if row != item.row]


def _shifts(items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    """The whole drawing further left or right."""
    left, right = min(item.column for item in items), max(item.column + item.width for item in items)
    return [
        tuple(item.at(item.column + by, item.row) for item in items)
        for by in range(-left, CELLS - right + 1)
        if by
    ]


def _is_kept(image: Image.Image, before: Scene, scene: Scene, style: View, tolerance: float) -> bool:
    """Whether the cells of earlier things, but for those that the new thing covers, are as they should be."""
    cells = np.zeros((CELLS, CELLS), dtype=bool)
    for item in before.items:
        cells[item.row : item.row + item.height, item.column : item.column + item.width] = True
    for item in scene.items[len(before.items) :]:
        cells[item.row : item.row + item.height, item.column : item.column + item.width] = False
    errors, tints = cell_errors(np.asarray(image.convert("RGB")), [scene], style)
    return bool((strain(errors[0], tints[0], scene, style)[cells.reshape(-1)] < tolerance).all())
