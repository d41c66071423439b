"""Similarity of a document's adjacent images by their pixels; no model.

    sequence.ssim    mean structural similarity of adjacent images      document, [-1, 1]

Steps of a lesson whose images do not change score near 1: the same frame of a video again and again, a
screenshot that was pasted under every step. Different photos score about 0. A perceptual distance of a
network (LPIPS) would need its weights; this score has the name of what it computes.

Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity", with windows of 7 x 7 pixels of equal weight. Deviation: images are compared as squares of
32 x 32 gray levels, so another resolution of an image is equal to it. Cost: 0.12 ms per pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell

Gray = NDArray[np.float64]

SIDE = 32
"""Pixels of a thumbnail's side."""
_WINDOW = 7
_STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The constants that keep the quotient stable where both images are dark or flat."""


def thumbnail(image: Pil.Image) -> bytes:
    """An image as SIDE x SIDE gray levels, row by row, a byte each."""
    return image.convert("L").resize((SIDE, SIDE), Pil.Resampling.BOX).tobytes()


def scores(document: Document, thumbnails: Mapping[int, bytes | None]) -> list[Cell]:
    """The document's cell; not applicable to a document with fewer than two images. thumbnails: of its images
    by position; all of them decoded."""
    name = "sequence.ssim"
    shown = [thumbnails[image.position] for image in document.images]
    grays = [np.frombuffer(levels, np.uint8).reshape(SIDE, SIDE).astype(float) for levels in shown if levels]
    if len(grays) < 2:
        return [Cell(name, None, "not_applicable", detail="fewer than two images")]
    return [cell(name, float(np.mean([ssim(one, two) for one, two in pairwise(grays)])))]


def ssim(one: Gray, two: Gray) -> float:
    """Mean structural similarity of two (h, w) arrays of gray levels in [0, 255]; 1 for equal ones."""
    from scipy.ndimage import uniform_filter  # 100 ms

    means = [uniform_filter(values, _WINDOW) for values in (one, two, one * one, two * two, one * two)]
    first, second = means[:2]
    variance = means[2] - first**2 + means[3] - second**2
    covariance = means[4] - first * second
    light = (2 * first * second + _STABLE[0]) / (first**2 + second**2 + _STABLE[0])
    return float((light * (2 * covariance + _STABLE[1]) / (variance + _STABLE[1])).mean())
