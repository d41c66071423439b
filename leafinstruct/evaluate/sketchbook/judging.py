"""Judge a generated lesson: which texts are right, which images are exact, and what is wrong with the others.

    judge(ask, segments)              free-running: only the instruction was given; an image is judged by its
                                      own step's text
    judge_images(howto, images)       teacher-forced: the true lesson before it was given; an image is judged
                                      by the true scene

An image is exact if it shows the scene so far and the thing that its text names, at a place that the words
allow. Otherwise it is compared with the scenes of all possible mistakes; an image that matches none is
`unreadable`. The scene so far contains the things that the texts have named, at the places nearest to the
images, so a forgotten thing makes every image without it wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
from PIL import Image

from leafinstruct.evaluate.sketchbook.grammar import Ask, Fault, State
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
"""Mistakes of an image. color, thing, missing: of the new thing; forgotten, recolored: of an earlier thing;
moved: of either."""


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """The verdict on an image. kept: whether every earlier thing is unchanged; mistake: None for an exact
    image; error: mean over cells, [0, 1]."""

    exact: bool
    kept: bool
    mistake: Mistake | None
    error: float
    scene: Scene
    """The expected scene, with the new thing at the nearest allowed place."""


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """The verdict on a step. fault: None for a right text."""

    text: str
    fault: Fault | None
    image: ImageVerdict


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a lesson. complete: it names every requested part, in as many steps as announced."""

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
    """Judge a generated lesson. segments: texts, which may have several paragraphs, and 64 px images, in
    order."""
    state, steps, waiting = State(ask), list[StepVerdict](), list[str]()
    intro = False
    for is_text, run in groupby(segments, key=lambda segment: isinstance(segment, str)):
        if is_text:
            waiting = [line for text in run if isinstance(text, str) for line in _paragraphs(text, ask)]
            continue
        for image in run:
            assert isinstance(image, Image.Image)
            if not steps:
                intro = len(waiting) == 2 and state.introduce(waiting[0])
            steps.append(_step(state, waiting[-1] if waiting else "", image, style, tolerance))
            waiting = []
    outro = waiting.pop() if waiting and state.ends_with(waiting[-1]) else None
    steps += [_step(state, text, None, style, tolerance) for text in (waiting if steps else waiting[1:])]
    return Verdict(intro, tuple(steps), outro is not None, _is_complete(state))


def _paragraphs(text: str, ask: Ask) -> list[str]:
    """Split a text into lines, and an introduction from what follows it in the same line, with or without a
    space: training rows may join paragraphs."""
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        known = (intro for count in range(1, MOST_STEPS + 1) for intro in intros(ask.thing, count))
        begun = next((intro for intro in known if line.startswith(intro)), None)
        lines += [part for part in (begun, line[len(begun) :].strip()) if part] if begun else [line]
    return lines


def _step(state: State, text: str, image: Image.Image | None, style: View, tolerance: float) -> StepVerdict:
    before = state.scene
    verdict = state.step(text)
    wanted = [before.add(thing) for thing in verdict.things]
    if image is None:
        shown = ImageVerdict(False, False, "no image", 1.0, wanted[0] if wanted else before)
    elif not wanted:
        error = read(image, [before], style, tolerance).error
        kept = _is_kept(image, before, before, style, tolerance)
        shown = ImageVerdict(False, kept, "no text", error, before)
    else:
        shown = look(image, before, wanted, style, tolerance)
    state.scene = shown.scene
    return StepVerdict(text, verdict.fault, shown)


def _is_complete(state: State) -> bool:
    named = {state.ask.kinds.index(item.kind) for item in state.parts}
    needed = {*range(state.ask.plan.needed), state.ask.last}
    return needed <= named and not state.lost and any(count == state.steps for _, count in state.styles)


def judge_images(
    howto: HowTo, images: Sequence[Image.Image | None], style: View = "pencil", tolerance: float = 1.0
) -> tuple[ImageVerdict, ...]:
    """Judge images generated for the true texts, one per step; None for a missing image.

    Raises ValueError when there are more or fewer images than steps.
    """
    if len(images) != len(howto.steps):
        raise ValueError(
            f"got {len(images)} images for {len(howto.steps)} steps; give one per step, None for a "
            "missing one"
        )
    verdicts: list[ImageVerdict] = []
    before = Scene(howto.steps[0].scene.background, None)
    for step, image in zip(howto.steps, images, strict=True):
        scene = replace(step.scene, decor=None)
        missing = ImageVerdict(False, False, "no image", 1.0, scene)
        verdicts.append(missing if image is None else look(image, before, [scene], style, tolerance))
        before = scene
    return tuple(verdicts)


def look(
    image: Image.Image, before: Scene, wanted: Sequence[Scene], style: View = "pencil", tolerance: float = 1.0
) -> ImageVerdict:
    """Judge an image. before: the scene so far; wanted: that scene with the new thing at each allowed
    place."""
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
    kept = _is_kept(image, before, scene, style, tolerance)
    return ImageVerdict(mistake is None, kept, mistake, reading.error, scene)


def _colors(scene: Scene) -> list[tuple[Mistake, Scene]]:
    """Return the scene with the new thing in every other color."""
    new = scene.items[-1]
    return [("color", scene.swap(new, new.painted(color))) for color in COLORS if color != new.color]


def _rivals(before: Scene, scene: Scene) -> list[tuple[Mistake, Scene]]:
    """Return one scene for each possible mistake."""
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
    """Return the thing at every other place in its row or its column."""
    across = [item.at(column, item.row) for column in range(CELLS - item.width + 1) if column != item.column]
    return across + [item.at(item.column, row) for row in range(CELLS - item.height + 1) if row != item.row]


def _shifts(items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    """Return all things shifted left or right."""
    left, right = min(item.column for item in items), max(item.column + item.width for item in items)
    return [
        tuple(item.at(item.column + by, item.row) for item in items)
        for by in range(-left, CELLS - right + 1)
        if by
    ]


def _is_kept(image: Image.Image, before: Scene, scene: Scene, style: View, tolerance: float) -> bool:
    """Whether the cells of earlier things are right, except for those that the new thing covers."""
    cells = np.zeros((CELLS, CELLS), dtype=bool)
    for item in before.items:
        cells[item.row : item.row + item.height, item.column : item.column + item.width] = True
    for item in scene.items[len(before.items) :]:
        cells[item.row : item.row + item.height, item.column : item.column + item.width] = False
    errors, tints = cell_errors(np.asarray(image.convert("RGB")), [scene], style)
    return bool((strain(errors[0], tints[0], scene, style)[cells.reshape(-1)] < tolerance).all())
