"""Register one thumbnail on another: how much they differ after the best shift, zoom and light.

    difference    gray levels by which the most different cell differs after the best shift, gain and offset
    crop          the same after the best zoom, too: whether one shows the middle part of the other

An image that was moved by a pixel, cropped or brightened differs from the original at every edge, as much as
another image does. So the parameters are estimated first, by Gauss-Newton steps on the gray levels (Lucas and
Kanade 1981, "An iterative image registration technique with an application to stereo vision"), and what
is left is compared. Thumbnails are blurred, so that sharp edges that fall between two cells do not count. A
step of a lesson changes cells that no shift of the whole image explains.

Cost: 0.7 ms per registration.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]
"""(SIDE, SIDE) gray levels."""

SIDE = 64
"""Cells of a thumbnail's side."""
BLUR = 1.5
"""Standard deviation of the blur, cells."""
_EDGE = 4
"""Cells of the border that are not compared: what moved in is unknown."""
_STEPS = 3
_SHIFT = 5.0
"""Largest shift, cells: a pixel of one of 64, 5 of one of 320."""
ZOOMS = (1.1, 1.18, 1.27, 1.36)
"""Zooms from which the search for a crop begins; steps reach those between them."""
_ZOOM = (1.06, 1.5)
"""Zooms of a crop. Below, the image is the same; above, it is a detail of its own."""
_LEAST_GAIN = 0.3
"""Contrast relative to the other image below which the estimate of the shift is not trusted."""
_MOST_ZOOM_STEP = 0.1
_COARSE, _APART = 14, 4
"""Cells of a pattern's side, and the distance between them."""
_FLAT = 1.0
"""Length of a pattern below which it has no structure."""
DIFFERENT = 255.0
"""What nothing in common gives."""
INNER = (slice(_EDGE, -_EDGE),) * 2
"""Where thumbnails are compared."""
_CENTER = (SIDE - 1) / 2
_DOWN, _ACROSS = (np.mgrid[:SIDE, :SIDE] - _CENTER).astype(np.float64)


def blurred(levels: NDArray[np.generic], zoom: float = 1.0) -> Levels:
    """A thumbnail with the blur that it has after it is enlarged by `zoom`."""
    from scipy.ndimage import gaussian_filter  # 100 ms

    found: Levels = gaussian_filter(levels.astype(np.float64), BLUR / zoom, mode="nearest")
    return found


def enlarged(levels: Levels, zoom: float, down: float = 0.0, across: float = 0.0) -> Levels:
    """The middle of a thumbnail, enlarged by `zoom`. down, across: shift of what is shown, cells."""
    from scipy.ndimage import affine_transform

    offset = _CENTER - _CENTER / zoom
    found: Levels = affine_transform(
        levels, (1 / zoom, 1 / zoom), (offset + down, offset + across), order=1, mode="nearest"
    )
    return found


def pattern(levels: Levels, zoom: float = 1.0) -> Levels:
    """What correlates between thumbnails that resemble each other: some cells of the middle, enlarged by
    `zoom`, without their mean, of length 1; zeros for one gray level. levels: blurred. Returns (196,)."""
    from scipy.ndimage import affine_transform

    first = _CENTER - (_COARSE - 1) / 2 * _APART / zoom
    scale = (_APART / zoom,) * 2
    own = affine_transform(levels, scale, first, (_COARSE, _COARSE), order=1, mode="nearest").ravel()
    own -= own.mean()
    length = float(np.linalg.norm(own))
    found: Levels = own / length if length > _FLAT else np.zeros_like(own)
    return found


def difference(earlier: Levels, later: Levels) -> float:
    """Gray levels by which a cell of `later` differs from `earlier` after the best shift, gain and offset,
    the largest of all; DIFFERENT if no small shift fits. Both: blurred."""
    return _registered(earlier, later, 1.0, zooms=False)


def crop(earlier: NDArray[np.generic], later: Levels, zoom: float) -> float:
    """Gray levels by which `later` differs from the part of `earlier` that fits it best, the largest of all
    cells; DIFFERENT if it shows all of it, or a small detail. earlier: not blurred. later: blurred. zoom: one
    of ZOOMS, near to the right one."""
    return _registered(blurred(earlier, zoom), later, zoom, zooms=True)


def _registered(earlier: Levels, later: Levels, zoom: float, zooms: bool) -> float:
    down = across = 0.0
    wanted = later[INNER].ravel()
    for _ in range(_STEPS):
        seen = enlarged(earlier, zoom, down, across)
        dy, dx = np.gradient(seen)
        slopes = [dy, dx, *([dy * _DOWN + dx * _ACROSS] if zooms else [])]
        (gain, _, *moves), rest = _fitted([seen, np.ones_like(seen), *slopes], wanted)
        gain = gain if abs(gain) > _LEAST_GAIN else 1.0
        down += moves[0] / gain / zoom
        across += moves[1] / gain / zoom
        if zooms:
            zoom *= math.exp(-float(np.clip(moves[2] / gain, -_MOST_ZOOM_STEP, _MOST_ZOOM_STEP)))
        if max(abs(down), abs(across)) > _SHIFT or (zooms and not _ZOOM[0] <= zoom <= _ZOOM[1]):
            return DIFFERENT
    # of the last step with its slopes, since resampling at half a cell blurs
    return min(DIFFERENT, float(np.abs(rest).max()))


def _fitted(columns: list[Levels], wanted: NDArray[np.float64]) -> tuple[NDArray[np.float64], Levels]:
    """The least-squares combination of columns, and what it leaves of `wanted`."""
    matrix = np.stack([column[INNER].ravel() for column in columns], axis=1)
    # the small ridge keeps flat thumbnails solvable
    square = matrix.T @ matrix + 1e-3 * np.eye(len(columns))
    weights = np.linalg.solve(square, matrix.T @ wanted).astype(np.float64)
    return weights, wanted - matrix @ weights
