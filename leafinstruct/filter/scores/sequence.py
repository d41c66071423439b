"""Similarity of a document's images by their pixels; no model.

    sequence.ssim      mean structural similarity of adjacent images        document, [-1, 1]
    sequence.change    gray levels of the largest change since the most     image, [0, 255]
                       similar earlier image, or its mirror image
    sequence.crop      gray levels by which it differs from the part of     image, [0, 255]
                       an earlier image that it resembles most
    sequence.copies    share of the images after the first that show an     document, [0, 1]
                       earlier one again

Steps of a lesson whose images do not change score near 1: the same frame of a video again and again, a
screenshot that was pasted under every step. Different photos score about 0. A perceptual distance of a
network (LPIPS) would need its weights; these scores have the names of what they compute.

An image that is shown again after scaling, mirroring, moving by some pixels, brightening or strong
compression changes by at most 6 levels in each cell once it is registered (registration.py). A step of a
lesson changes a few cells by much more: of 462 images of drawn pages none is below 8, of 303 of real pages 2,
without those of equal bytes. A tenth cut off each side of an image leaves up to 17 levels; no other image of
these pages comes nearer than 26 to a part of an earlier one. The hash of `duplicate.near_within` cannot
separate them: a small new object changes few of its bits.

Only the earlier images that correlate best are registered, since each costs a millisecond.

Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity", with windows of 7 x 7 pixels of equal weight. Deviation: images are compared as squares of
32 x 32 gray levels, so another resolution of an image is equal to it. Cost: 1.2 ms of CPU time per image of
real pages, 1.8 of drawn ones, whose images resemble each other; of this, 0.12 for the similarity.
It grows with the earlier images, of which _BEFORE are compared: 3 ms an image on a page of 100, 13 on one of
800.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.filter.scores import registration
from leafinstruct.filter.scores.cell import cell
from leafinstruct.filter.scores.registration import DIFFERENT, SIDE, ZOOMS, Levels
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell

Gray = NDArray[np.float64]

_ALIKE = 0.8
"""Correlation of patterns from which images are registered."""
_NEAREST = 3
"""Earlier images, or their mirror images, that are registered."""
COPY = 7.0
"""Gray levels below which an image shows an earlier one again, for `sequence.copies`."""
_BEFORE = 500
"""Earlier images with which one is compared; a page of more is no lesson."""
_WINDOW = 7
_STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The constants that keep the quotient stable where both images are dark or flat."""


def thumbnail(image: Pil.Image) -> bytes:
    """An image as SIDE x SIDE gray levels, row by row, a byte each."""
    return image.convert("L").resize((SIDE, SIDE), Pil.Resampling.BOX).tobytes()


def scores(document: Document, thumbnails: Mapping[int, bytes | None]) -> list[Cell]:
    """The document's cells; those of the document are not applicable with fewer than two images. thumbnails:
    of its images by position; all of them decoded."""
    shown = {image.position: thumbnails[image.position] for image in document.images}
    squares = {
        position: np.frombuffer(levels, np.uint8).reshape(SIDE, SIDE)
        for position, levels in shown.items()
        if levels
    }
    found = changes(list(squares.values()))
    of_images = [
        cell(f"sequence.{name}", value, position)
        for position, pair in zip(squares, found, strict=True)
        for name, value in zip(("change", "crop"), pair, strict=True)
    ]
    if len(squares) < 2:
        names = ("sequence.ssim", "sequence.copies")
        detail = "fewer than two images"
        return [*of_images, *(Cell(name, None, "not_applicable", detail=detail) for name in names)]
    grays = [_halved(square) for square in squares.values()]
    copies = float(np.mean([change < COPY for change, _ in found[1:]]))
    similarity = float(np.mean([ssim(one, two) for one, two in pairwise(grays)]))
    return [*of_images, cell("sequence.ssim", similarity), cell("sequence.copies", copies)]


def changes(squares: Sequence[NDArray[np.uint8]]) -> list[tuple[float, float]]:
    """`sequence.change` and `sequence.crop` of each image. squares: (SIDE, SIDE) gray levels of each, in
    order. At most _BEFORE earlier images are compared."""
    found: list[tuple[float, float]] = []
    smooth = [registration.blurred(square) for square in squares]
    plain = [registration.pattern(one) for one in smooth]
    mirrored = [registration.pattern(one[:, ::-1]) for one in smooth]
    parts = [[registration.pattern(one, zoom) for zoom in ZOOMS] for one in smooth]
    for at, here in enumerate(smooth):
        first = max(0, at - _BEFORE)
        before = smooth[first:at]
        if not before:
            found.append((DIFFERENT, DIFFERENT))
            continue
        both = [*before, *(one[:, ::-1] for one in before)]
        least = min(float(np.abs(one - here).max()) for one in both)
        alike = np.array([*plain[first:at], *mirrored[first:at]]) @ plain[at]  # (2 k,)
        for place in np.argsort(-alike, kind="stable")[:_NEAREST].tolist():
            if alike[place] >= _ALIKE and least > 0:
                least = min(least, registration.difference(both[place], here))
        found.append((round(least, 1), round(_crop(squares[first:at], parts[first:at], here, plain[at]), 1)))
    return found


def _crop(
    squares: Sequence[NDArray[np.uint8]], parts: Sequence[list[Levels]], here: Levels, pattern: Levels
) -> float:
    """`sequence.crop` of an image. squares: of earlier images. parts: patterns of their middles by zoom.
    here: the image, blurred. pattern: of it."""
    alike = np.array(parts) @ pattern  # (k, zooms)
    earlier, zoom = divmod(int(alike.argmax()), len(ZOOMS))
    if alike[earlier, zoom] < _ALIKE:
        return DIFFERENT
    return registration.crop(squares[earlier], here, ZOOMS[zoom])


def _halved(levels: NDArray[np.uint8]) -> Gray:
    """A thumbnail of half as many cells a side."""
    half = SIDE // 2
    found: Gray = levels.astype(float).reshape(half, 2, half, 2).mean(axis=(1, 3))
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
