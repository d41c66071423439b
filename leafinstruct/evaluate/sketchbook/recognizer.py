"""How often the recognizer itself is wrong behind a backbone's own image tokenizer: the figure beside every
figure of exact images.

Candidates go through the tokenizer, too (reading.Seen), so an image that a model drew code for code is exact.
What is left is what the tokenizer makes alike: a scene and a changed one whose codes are nearly the same.
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


def through(images: Any) -> Callable[[Image.Image], Image.Image]:
    """There and back. images: an image tokenizer (backbones.chameleon.Images)."""

    def back(image: Image.Image) -> Image.Image:
        codes = torch.tensor(images.encode(image)).view(images.side, images.side)
        found: Image.Image = images.image(codes)
        return found

    return back


def seen(images: Any, style: Style) -> Seen:
    """The style as the tokenizer gives it back; keep it, since drawings are remembered for it."""
    return Seen(style, through(images))


def errors(images: Any, view: Seen, scenes: int, seed: int) -> Errors:
    """On scenes of held-out lessons."""
    rng = random.Random(seed)  # noqa: S311 - a sample
    drawn = [step.scene for howto in held_out_lessons(scenes, seed) for step in howto.steps]
    back = through(images)

    def reconstruct(many: Pixels) -> Pixels:
        return np.stack([np.asarray(back(Image.fromarray(one))) for one in many])

    return measure(reconstruct, rng.sample(drawn, scenes), view, seed=seed)
