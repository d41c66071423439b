"""Examines one adapter, or the base: the figures of one result of the experiment."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch

from leafinstruct.evaluate.sketchbook.figures import of_drawn, of_told
from leafinstruct.evaluate.sketchbook.forgetting import remembered
from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.evaluate.sketchbook.lessons import Question, draw, held_out_lessons, tell
from leafinstruct.evaluate.sketchbook.losses import losses
from leafinstruct.evaluate.sketchbook.recognizer import errors, seen
from leafinstruct.generate.adapter import Base, adapted, find, of_recipe
from leafinstruct.sketchbook.world.render import Style
from leafinstruct.train.config import BackboneConfig
from leafinstruct.train.data.encode import framed


def asked(count: int, seed: int, steps: int) -> list[Question]:
    """Held-out lessons, asked for as rows for training ask."""
    return [
        Question(howto, random.Random(f"{seed}/{index}").choice(guide_asks(howto.title)))
        for index, howto in enumerate(held_out_lessons(count, seed, steps))
    ]


def loaded(run: Path | None, base: dict[str, str], threads: int) -> Any:
    """The backbone. run: folder of a finished training, None for the base alone. base: the recipe's
    `train.backbone`."""
    torch.set_num_threads(threads)
    found = (
        find(base["weights"], Base(), None)
        if run is None
        else of_recipe(run, BackboneConfig.model_validate(base), Base(), None)
    )
    return adapted(found, "cpu", lambda _: None)


def lost(backbone: Any, sizes: dict[str, int], style: Style, steps: int) -> dict[str, Any]:
    """Held-out loss alone, which chooses rates."""
    return {"loss": losses(backbone, asked(sizes["loss_lessons"], sizes["seed"], steps), framed, style)}


def examined(backbone: Any, sizes: dict[str, int], style: Style, steps: int) -> dict[str, Any]:
    """Loss, free-running lessons, teacher-forced images, what is remembered in pencil, and the recognizer's
    own errors."""
    views = {"lessons": seen(backbone.images, style), "pencil": seen(backbone.images, "pencil")}
    questions = asked(sizes["lessons"], sizes["seed"], steps)
    scenes, seed, batch = sizes["recognizer_scenes"], sizes["recognizer_seed"], sizes["batch"]
    wrong = {which: errors(backbone.images, view, scenes, seed) for which, view in views.items()}
    return {
        **lost(backbone, sizes, style, steps),
        "free": of_told(tell(backbone, questions, framed, views["lessons"], batch)),
        "forced": of_drawn(draw(backbone, questions, framed, views["lessons"], 2 * batch)),
        "memory": remembered(backbone, sizes["captions"], sizes["seed"], framed, views["pencil"], 2 * batch),
        "recognizer": {
            which: {"refused": one.refused, "accepted": one.accepted, "decibels": one.decibels}
            for which, one in wrong.items()
        },
    }
