"""Scores of one decoded image by its gray levels, and of its file; no model, no I/O.

Images are measured at MEASURE_PX, since sharpness depends on scale. Cost: 10 milliseconds of one core
per image, of which tiling takes 6, lines of text 2.3, noise, codes and bars 0.4 each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.filter.scores.pixels.bars import bars
from leafinstruct.filter.scores.pixels.codes import code_share
from leafinstruct.filter.scores.pixels.compression import jpeg_quality
from leafinstruct.filter.scores.pixels.text import text_share
from leafinstruct.filter.scores.pixels.texture import flat, noise
from leafinstruct.filter.scores.pixels.tiling import tiling
from leafinstruct.records.rows import Measurement

Gray = NDArray[np.float32]
"""(h, w) gray levels in [0, 255]."""

MEASURE_PX = 256
"""Longer side at which gray levels are measured. Sharpness depends on scale, so all images use the same
one."""

MEASURED: dict[str, Callable[[int, int, Gray], float]] = {
    "image.side": lambda width, height, _: float(min(width, height)),
    "image.aspect": lambda width, height, _: max(width, height) / max(1, min(width, height)),
    "image.entropy": lambda _width, _height, gray: entropy(gray),
    "image.sharpness": lambda _width, _height, gray: sharpness(gray),
    "image.noise": lambda _width, _height, gray: noise(gray),
    "image.flat": lambda _width, _height, gray: flat(gray),
    "image.text": lambda _width, _height, gray: text_share(gray),
    "image.codes": lambda _width, _height, gray: code_share(gray),
    "image.bars": lambda _width, _height, gray: bars(gray),
    "image.tiling": lambda _width, _height, gray: tiling(gray),
}
"""Name -> function of width and height of the original in pixels, after rotation, and of its gray levels."""
OF_FILE = "image.quality"
"""The score of the file instead of its pixels."""
NOISE_SHARE = "image.noise_share"
_LEAST_CONTRAST = 1.0
"""Standard deviation of gray levels below which an image has no structure that noise could be a share of."""


def scores(width: int, height: int, image: Pil.Image, data: bytes) -> list[Measurement]:
    """Name and value of all measured `image.*` scores of an image. width, height: of the original after
    rotation, pixels. image: RGB, at most MEASURE_PX on its longer side. data: its file."""
    gray = np.asarray(image.convert("L"), dtype=np.float32)  # (h, w) in [0, 255]
    measured: list[Measurement] = [
        {"name": name, "value": round(measure(width, height, gray), 4)} for name, measure in MEASURED.items()
    ]
    deviation = next(item["value"] for item in measured if item["name"] == "image.noise")
    return [
        *measured,
        {"name": NOISE_SHARE, "value": noise_share(deviation, gray)},
        {"name": OF_FILE, "value": jpeg_quality(data)},
    ]


def noise_share(deviation: float, gray: Gray) -> float:
    """Share of noise in the contrast of (h, w) gray levels, [0, 1]: 0.8 and more for random pixels of any
    size, since averaging to MEASURE_PX takes as much of both. deviation: image.noise."""
    return round(min(1.0, deviation / max(_LEAST_CONTRAST, float(gray.std()))), 4)


def entropy(gray: Gray) -> float:
    """Entropy of the 256-bin histogram of (h, w) gray levels in [0, 255], bits."""
    share = np.bincount(gray.astype(np.uint8).ravel(), minlength=256) / gray.size
    share = share[share > 0]
    return float(abs(-(share * np.log2(share)).sum()))


def sharpness(gray: Gray) -> float:
    """Standard deviation of the 4-neighbor Laplacian of (h, w) gray levels; 0 for images under 3 pixels a
    side."""
    if min(gray.shape) < 3:
        return 0.0
    centre = gray[1:-1, 1:-1]
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * centre
    return float(math.sqrt(np.square(laplacian - laplacian.mean()).mean()))
