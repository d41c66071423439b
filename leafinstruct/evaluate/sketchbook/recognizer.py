"""Measure the recognizer's own errors with a backbone's image tokenizer; they accompany every figure of exact
images.

Candidates pass through the tokenizer, too (reading.Seen), so an image with all codes right is exact. What
remains are scenes that the tokenizer makes almost equal.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from leafinstruct.backbones.chameleon import Images
from leafinstruct.evaluate.sketchbook.lessons import held_out_lessons
from leafinstruct.evaluate.sketchbook.reading import Errors, Pixels, Seen, measure
from leafinstruct.sketchbook.world.render import Style


def through(images: Images) -> Callable[[Image.Image], Image.Image]:
    """Return a function that encodes and decodes an image."""

    def back(image: Image.Image) -> Image.Image:
        codes = torch.tensor(images.encode(image)).view(images.side, images.side)
        return images.image(codes)

    return back


def seen(images: Images, style: Style) -> Seen:
    """Return the style after the tokenizer. Reuse the object, because rendered candidates are cached for
    it."""
    return Seen(style, through(images))


def errors(images: Images, view: Seen, scenes: int, seed: int) -> Errors:
    """Measure the errors on scenes of held-out lessons."""
    rng = random.Random(seed)  # noqa: S311 - a sample
    steps = [step.scene for howto in held_out_lessons(scenes, seed) for step in howto.steps]
    back = through(images)

    def reconstruct(many: Pixels) -> Pixels:
        return np.stack([np.asarray(back(Image.fromarray(one))) for one in many])

    return measure(reconstruct, rng.sample(steps, scenes), view, seed=seed)
