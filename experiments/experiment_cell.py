"""Evaluate one adapter, or the base: the figures of one result of the experiment."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from experiment_settings import ResultFigures

from leafinstruct.backbones.chameleon import Chameleon
from leafinstruct.evaluate.sketchbook.figures import forced_figures, free_figures
from leafinstruct.evaluate.sketchbook.forgetting import remembered
from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.evaluate.sketchbook.lessons import Question, forced_images, free_answers, held_out_lessons
from leafinstruct.evaluate.sketchbook.losses import losses
from leafinstruct.evaluate.sketchbook.recognizer import errors, seen
from leafinstruct.generation.adapter import Base, adapted, find, of_recipe
from leafinstruct.sketchbook.world.render import Style
from leafinstruct.train.config import BackboneConfig
from leafinstruct.train.data.encode import in_template


def asked(count: int, seed: int, steps: int) -> list[Question]:
    """Return held-out lessons with questions of training rows."""
    return [
        Question(howto, random.Random(f"{seed}/{index}").choice(guide_asks(howto.title)))
        for index, howto in enumerate(held_out_lessons(count, seed, steps))
    ]


def loaded(run: Path | None, base: dict[str, str], threads: int) -> Chameleon:
    """Load the backbone. run: folder of a finished training, None for the base alone; base: the recipe's
    `train.backbone`. Raises SystemExit for one without images of one shape."""
    torch.set_num_threads(threads)
    found = (
        find(base["weights"], Base(), None)
        if run is None
        else of_recipe(run, BackboneConfig.model_validate(base), Base(), None)
    )
    backbone = adapted(found, "cpu", lambda _: None)
    if not isinstance(backbone, Chameleon):
        raise SystemExit(f"{base['name']}: lessons need a chameleon backbone, with images of one shape")
    return backbone


def lost(backbone: Chameleon, sizes: dict[str, int], style: Style, steps: int) -> ResultFigures:
    """Return the held-out loss, by which rates are chosen."""
    return {"loss": losses(backbone, asked(sizes["loss_lessons"], sizes["seed"], steps), in_template, style)}


def examined(backbone: Chameleon, sizes: dict[str, int], style: Style, steps: int) -> ResultFigures:
    """Return the figures of losses, free-running lessons, teacher-forced images, the base's own task in
    pencil, and the recognizer's errors."""
    views = {"lessons": seen(backbone.images, style), "pencil": seen(backbone.images, "pencil")}
    questions = asked(sizes["lessons"], sizes["seed"], steps)
    scenes, seed, batch = sizes["recognizer_scenes"], sizes["recognizer_seed"], sizes["batch"]
    wrong = {which: errors(backbone.images, view, scenes, seed) for which, view in views.items()}
    return {
        **lost(backbone, sizes, style, steps),
        "free": free_figures(free_answers(backbone, questions, in_template, views["lessons"], batch)),
        "forced": forced_figures(
            forced_images(backbone, questions, in_template, views["lessons"], 2 * batch)
        ),
        "memory": remembered(
            backbone, sizes["captions"], sizes["seed"], in_template, views["pencil"], 2 * batch
        ),
        "recognizer": {
            which: {"refused": one.refused, "accepted": one.accepted, "decibels": one.decibels}
            for which, one in wrong.items()
        },
    }
