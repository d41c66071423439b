"""Tiling: a text or logo that is repeated over the whole image, as the watermarks of image agencies are.

    detail    gray levels minus their surroundings, divided by the local contrast, so that pale letters count
              as much as the content below them; straight horizontal and vertical lines are subtracted, since
              tables and windows repeat them
    repeat    the autocorrelation of the detail has a peak at each step from one copy to another. Two steps
              span a lattice; the repeat is the lower quartile of the peaks at the lattice's points, so that
              no two peaks by chance are one. A peak is measured above its surroundings
    strokes   share of the image in which the mean of all copies has dense edges, as letters have: lamps,
              keys, tiles and waves repeat better than any watermark, but have one outline a cell

The score is repeat x strokes. Chosen over lines of text (scores/pixels/text.py), since pale letters have no
sharp edges, and over the spectrum's peaks, since ten copies make broad ones. Lattices of any angle are found.
Not found: a watermark with less than two copies in a direction, and copies at irregular places.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
Step = NDArray[np.int64]
"""(2,) rows and columns from one copy to another."""

_SMALLEST = 40
"""Pixels of the shorter side below which an image has no room for copies that can be read."""
_RADIUS, _SURROUNDINGS, _CONTRAST = 2.0, 17, 3.0
"""Pixels: radius of the blur that is subtracted, and side of the square whose contrast counts. Gray levels
that are added to the contrast, so that noise in a flat area stays small."""
_CLIPPED = 2.0
"""Local contrasts at which detail is clipped, so that no single edge outweighs a letter."""
_LINE = 25
"""Pixels of a straight line that is subtracted. Strokes of letters are shorter."""
_SHIFTED = 0.85
"""Largest share of a side by which an image is compared with itself."""
_OVERLAP, _OF_STEP = 0.15, 0.25
"""Least share of the image in which a lattice's point, and one of its two steps, compares it with itself."""
_NEAREST, _STEPS, _REPEATS = 12, 12, 3
"""Pixels of a step, at least; number of steps that are paired; copies in a direction that are compared."""
_LEVEL = 15
"""Side of the square of steps above whose mean a peak is measured."""
_SINE, _POINTS = 0.35, 3
"""Of a lattice, at least: sine of the angle of its steps, and points."""
_COPIES = 40
"""Cells of an image, at most: words of more copies cannot be read; walls, fabrics and tables have more."""
_TEXTURE, _AS_GOOD = 0.2, 0.7
"""Repeat of a lattice with more cells from which the image is a texture, and its least share of the best
repeat, since content below a watermark may have a texture of its own."""
_WEAKEST, _BY_CHANCE = 0.05, 6.0
"""Repeat below which no copies are averaged, and the same times the root of the number of pixels, since
random pixels have up to 5; the score is 0."""
_GAP, _PATCH = 7, 8
"""Pixels between two edges of one patch of strokes, and of its side, at least."""


def tiling(gray: Gray) -> float:
    """How well (h, w) gray levels repeat dense strokes along two directions, [0, 1]: repeat x strokes."""
    if min(gray.shape) < _SMALLEST:
        return 0.0
    detail = _detail(gray)
    repeat, first, second = _lattice(detail)
    if repeat < max(_WEAKEST, _BY_CHANCE / math.sqrt(gray.size)):
        return 0.0
    return repeat * _strokes(_copy(detail, first, second))


def _detail(gray: Gray) -> Gray:
    """Detail in units of the local contrast, without straight lines, (h, w)."""
    from scipy import ndimage  # 100 ms

    detail = gray - ndimage.gaussian_filter(gray, _RADIUS)
    # running sums may fall below 0 by rounding
    contrast = np.sqrt(np.maximum(ndimage.uniform_filter(detail * detail, _SURROUNDINGS), 0))
    detail = np.clip(detail / (contrast + _CONTRAST), -_CLIPPED, _CLIPPED)
    for axis in (0, 1):
        detail -= ndimage.uniform_filter1d(detail, _LINE, axis=axis)
    found: Gray = detail
    return found


def _lattice(detail: Gray) -> tuple[float, Step, Step]:
    """The repeat of the best lattice, and its two steps. (0, none, none) if there is no lattice."""
    from scipy import ndimage

    height, width = detail.shape
    correlation, far = _autocorrelation(detail)
    above = correlation - ndimage.uniform_filter(correlation, _LEVEL)
    peaks = ndimage.maximum_filter(above, 3)
    down = np.arange(-_LEVEL, far[0] + 1)[:, None]
    right = np.arange(-far[1], far[1] + 1)[None]
    overlap = _overlap(down, right, height, width)
    is_step = (above == peaks) & (overlap >= _OF_STEP) & (down * down + right * right >= _NEAREST**2)
    is_step &= (down > 0) | ((down == 0) & (right > 0))  # the other half is the same
    rows, columns = np.nonzero(is_step)
    best = np.argsort(-above[rows, columns] * np.sqrt(overlap[rows, columns]), kind="stable")[:_STEPS]
    steps = np.stack([rows[best] - _LEVEL, columns[best] - far[1]], axis=1)  # (s, 2)
    first, second = (steps[index] for index in np.triu_indices(len(steps), 1))
    cell = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    wide = (cell > 0) & (cell >= _SINE * np.hypot(*first.T) * np.hypot(*second.T))
    first, second, cell = first[wide], second[wide], cell[wide]
    several = np.array([(i, j) for i in range(-_REPEATS, _REPEATS + 1) for j in range(_REPEATS + 1)])
    several = several[(several[:, 1] > 0) | (several[:, 0] > 0)]
    points = several[:, :1] * first[:, None] + several[:, 1:] * second[:, None]  # (lattices, points, 2)
    points = np.where(points[..., :1] < 0, -points, points)
    inside = (points[..., 0] <= far[0]) & (np.abs(points[..., 1]) <= far[1])
    inside &= _overlap(points[..., 0], points[..., 1], height, width) >= _OVERLAP
    enough = inside.sum(axis=1) >= _POINTS
    if not enough.any():
        return 0.0, np.zeros(2, np.int64), np.zeros(2, np.int64)
    points = np.where(inside[..., None], points, 0)
    values = np.where(inside, peaks[points[..., 0] + _LEVEL, points[..., 1] + far[1]], np.inf)
    first, second, cell = first[enough], second[enough], cell[enough]
    quartiles = _lower_quartiles(values[enough], inside[enough].sum(axis=1))
    is_coarse = cell * _COPIES >= height * width
    best, finest = (quartiles[chosen].max(initial=0) for chosen in (is_coarse, ~is_coarse))
    if finest >= max(_TEXTURE, _AS_GOOD * best):
        return 0.0, first[0], second[0]  # every second point of a lattice is a lattice, too
    at = int(np.argmax(np.where(is_coarse, quartiles, 0)))
    return float(best), first[at], second[at]


def _lower_quartiles(values: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the `count` finite values of each row; np.nanquantile takes 5 ms for 60 rows."""
    ordered = np.sort(values, axis=1)
    place = 0.25 * (count - 1)
    below, rows = place.astype(np.int64), np.arange(len(values))
    low, high = ordered[rows, below], ordered[rows, below + 1]
    found: NDArray[np.float64] = low + (place - below) * (high - low)
    return found


def _autocorrelation(detail: Gray) -> tuple[Gray, tuple[int, int]]:
    """Correlation of the detail with itself for each step of the lower half-plane and the last _LEVEL rows of
    the upper one, ([rows from -_LEVEL], [columns from -far]); and the farthest step (rows, columns)."""
    from scipy import fft

    height, width = detail.shape
    far = (int(_SHIFTED * height), int(_SHIFTED * width))
    padded = (fft.next_fast_len(height + far[0], real=True), fft.next_fast_len(width + far[1], real=True))
    spectrum = fft.rfft2(detail, padded)
    products = fft.irfft2(spectrum.real**2 + spectrum.imag**2, padded)
    down = np.arange(-_LEVEL, far[0] + 1)[:, None]
    right = np.arange(-far[1], far[1] + 1)[None]
    energy = max(float(products[0, 0]), 1e-6)
    found: Gray = products[down, right] / (energy * _overlap(down, right, height, width))
    return found.astype(np.float32), far


def _overlap(
    down: NDArray[np.int64], right: NDArray[np.int64], height: int, width: int
) -> NDArray[np.float64]:
    """Share of an image that it shares with itself after a step; 0 if the step leaves it."""
    rows, columns = 1 - np.abs(down) / height, 1 - np.abs(right) / width
    found: NDArray[np.float64] = np.maximum(rows, 0) * np.maximum(columns, 0)
    return found


def _copy(detail: Gray, first: Step, second: Step) -> Gray:
    """The mean of all copies at each pixel, (h, w). Content that does not repeat is averaged out."""
    height, width = detail.shape
    total, count = np.zeros_like(detail), np.zeros_like(detail)
    several = range(-_REPEATS, _REPEATS + 1)
    for down, right in (i * first + j * second for i in several for j in several):
        if abs(down) < height and abs(right) < width:
            to = np.s_[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
            origin = np.s_[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
            total[to] += detail[origin]
            count[to] += 1
    return total / count


def _strokes(copy: Gray) -> float:
    """Share of the area in patches of dense edges. An edge is a difference of a standard deviation between
    neighbors."""
    from scipy import ndimage

    least = copy.std()
    edges = np.zeros(copy.shape, bool)
    edges[:, :-1] = np.abs(np.diff(copy, axis=1)) >= least
    edges[:-1] |= np.abs(np.diff(copy, axis=0)) >= least
    joined = ndimage.binary_closing(np.pad(edges, _GAP), np.ones((_GAP, _GAP)))[_GAP:-_GAP, _GAP:-_GAP]
    return float(ndimage.binary_opening(joined, np.ones((_PATCH, _PATCH))).mean())
