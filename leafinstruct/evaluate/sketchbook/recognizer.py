"""How often the recogniser itself is wrong behind a backbone's own picture tokenizer: the figure beside every figure of exact pictures.

Candidates go through the tokenizer, too (reading.Seen), so a picture that a model drew code for code is exact. What is left is what the
tokenizer makes alike: a scene and a changed one whose codes are nearly the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from leafinstruct.evaluate.sketchbook.lessons import held_out_lessons
from leafinstruct.evaluate.sketchbook.reading import Errors, Pixels, Seen, measure
from leafinstruct.sketchbook.world.render import Style


def through(pictures: Any) -> Callable[[Image.Image], Image.Image]:
    """There and back. pictures: a picture tokenizer (backbones.chameleon.Pictures)."""

    def back(picture: Image.Image) -> Image.Image:
        codes = torch.tensor(pictures.encode(picture)).view(pictures.side, pictures.side)
        found: Image.Image = pictures.picture(codes)
        return found

    return back


def seen(pictures: Any, style: Style) -> Seen:
    """The style as the tokenizer gives it back; keep it, since drawings are remembered for it."""
    return Seen(style, through(pictures))


def errors(pictures: Any, view: Seen, scenes: int, seed: int) -> Errors:
    """On scenes of held-out lessons."""
    rng = random.Random(seed)  # noqa: S311 - a sample
    drawn = [step.scene for howto in held_out_lessons(scenes, seed) for step in howto.steps]
    back = through(pictures)

    def reconstruct(many: Pixels) -> Pixels:
        return np.stack([np.asarray(back(Image.fromarray(one))) for one in many])

    return measure(reconstruct, rng.sample(drawn, scenes), view, seed=seed)
