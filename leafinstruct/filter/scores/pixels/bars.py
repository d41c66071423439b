"""Bars: black or white stripes along the upper and lower edge, as watermarks of sites and letterboxes are.

A bar is a run of rows from the edge in which a quarter of the pixels and more have the bar's gray level, with
or without letters on it; it ends with a step across the width of the image. The white margin of a page or a
product photo is no bar, because what follows it does not span the width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]

_SAME = 10
"""Gray levels by which pixels of a bar differ at most."""
_LEVELS = (48, 245)
"""Gray levels up to and from which a stripe is black or white. Floors, tables and skies are between them."""
_COVERED = 0.25
"""Share of a bar's row that has its level; letters cover the rest."""
_STEP = 16
"""Gray levels between the bar and the image below it."""
_WIDTH = 0.9
"""Share of the width that the step spans."""
_HEIGHT = (0.03, 0.2)
"""Share of the height of a bar. A frame around an image is thinner; a table's colored rows, and the sky, end
lower."""


def bars(gray: Gray) -> float:
    """Share of the rows of (h, w) gray levels in bars at the upper and lower edge, [0, 0.4]; 0 for an image
    of fewer than 16 rows."""
    if len(gray) < 16:
        return 0.0
    return _bar(gray) + _bar(gray[::-1])


def _bar(gray: Gray) -> float:
    """Share of the rows in a bar at the upper edge; 0 if there is none."""
    height = len(gray)
    level = np.median(gray[0])
    same = (np.abs(gray - level) <= _SAME).mean(axis=1) >= _COVERED
    end = height if same.all() else int(np.argmin(same))
    if _LEVELS[0] < level < _LEVELS[1] or not _HEIGHT[0] * height <= end <= _HEIGHT[1] * height:
        return 0.0
    after = gray[end + 1]  # the row at `end` may be blended by resizing
    return end / height if (np.abs(after - level) >= _STEP).mean() >= _WIDTH else 0.0
