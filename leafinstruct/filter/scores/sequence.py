"""Similarity of a document's adjacent images by their pixels; no model.

    sequence.ssim      mean structural similarity of adjacent images      document, [-1, 1]
    sequence.change    gray levels of the largest change since the most   image, [0, 255]
                       similar earlier image, or its mirror image

Steps of a lesson whose images do not change score near 1: the same frame of a video again and again, a
screenshot that was pasted under every step. Different photos score about 0. A perceptual distance of a
network (LPIPS) would need its weights; these scores have the names of what they compute.

An image that is shown again after scaling, mirroring or strong compression changes by at most 10 levels in
each cell, since a cell is a mean of many pixels. A step of a lesson changes a few cells by much more, and no
other: of 386 consecutive images of drawn pages none is below 11, of 245 of real pages none, without those of
equal bytes. The hash of `duplicate.near_within` cannot separate them: a small new object changes few of its
bits. Images that were cropped or moved change as much as others.

Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity", with windows of 7 x 7 pixels of equal weight. Deviation: images are compared as squares of
32 x 32 gray levels, so another resolution of an image is equal to it. Cost: 0.12 ms per pair of adjacent
images, 2 microseconds per pair of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_BEFORE = 500
"""Earlier images with which one is compared; a page of more is no lesson."""
_WINDOW = 7
_STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The constants that keep the quotient stable where both images are dark or flat."""


def thumbnail(image: Pil.Image) -> bytes:
    """An image as SIDE x SIDE gray levels, row by row, a byte each."""
    return image.convert("L").resize((SIDE, SIDE), Pil.Resampling.BOX).tobytes()


def scores(document: Document, thumbnails: Mapping[int, bytes | None]) -> list[Cell]:
    """The document's cells; sequence.ssim is not applicable with fewer than two images. thumbnails: of its
    images by position; all of them decoded."""
    name = "sequence.ssim"
    shown = {image.position: thumbnails[image.position] for image in document.images}
    squares = {
        position: np.frombuffer(levels, np.uint8).reshape(SIDE, SIDE)
        for position, levels in shown.items()
        if levels
    }
    grays = [square.astype(float) for square in squares.values()]
    of_images = [
        cell("sequence.change", value, position)
        for position, value in zip(squares, changes(list(squares.values())), strict=True)
    ]
    if len(grays) < 2:
        return [*of_images, Cell(name, None, "not_applicable", detail="fewer than two images")]
    return [*of_images, cell(name, float(np.mean([ssim(one, two) for one, two in pairwise(grays)])))]


def changes(squares: Sequence[NDArray[np.uint8]]) -> list[float]:
    """The change of each image. squares: (SIDE, SIDE) gray levels of each, in order. At most _BEFORE earlier
    images are compared."""
    found: list[float] = []
    levels = np.array(squares, np.int16).reshape(-1, SIDE, SIDE)
    for at, here in enumerate(levels):
        before = levels[max(0, at - _BEFORE) : at]
        both = (np.abs(before - one).max(axis=(1, 2), initial=0) for one in (here, here[:, ::-1]))
        found.append(float(min((own.min(initial=255) for own in both), default=255)))
    return found


def ssim(one: Gray, two: Gray) -> float:
    """Mean structural similarity of two (h, w) arrays of gray levels in [0, 255]; 1 for equal ones."""
    from scipy.ndimage import uniform_filter  # 100 ms

    means = [uniform_filter(values, _WINDOW) for values in (one, two, one * one, two * two, one * two)]
    first, second = means[:2]
    variance = means[2] - first**2 + means[3] - second**2
    covariance = means[4] - first * second
    light = (2 * first * second + _STABLE[0]) / (first**2 + second**2 + _STABLE[0])
    # equal images may exceed 1 by a rounding
    return min(1.0, float((light * (2 * covariance + _STABLE[1]) / (variance + _STABLE[1])).mean()))
