"""Text in an image: the share of its area that lines of text cover.

A line of text is a horizontal region of clustered sharp edges (Smith and Kanade 1995, "Video skimming for
quick browsing"): strokes change between dark and light many times along a row, in a band whose height is
that of one line. No characters are recognized, so all scripts count alike; vertical and strongly turned text
is not found, and text lower than 4 pixels at 256 px is a gray band that no method can tell from texture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]

_STEP = 24
"""Gray levels between neighbors from which an edge is sharp."""
_GAP = 7
"""Pixels between two edges of one line: the distance of words in text of 12 pixels."""
_HEIGHTS = (3, 40)
"""Pixels of a line's height at 256 px."""
_ASPECT = 2.0
"""Width over height from which a region is a line."""
_CHANGES = 0.18
"""Edges per pixel along a line, at least: a letter has two strokes or more within its height."""


def text_share(gray: Gray) -> float:
    """Share of the area of (h, w) gray levels in lines of text, [0, 1]."""
    from scipy import ndimage  # 100 ms

    edges = np.zeros(gray.shape, bool)
    edges[:, :-1] = np.abs(np.diff(gray, axis=1)) >= _STEP
    joined = ndimage.binary_closing(np.pad(edges, ((0, 0), (_GAP, _GAP))), np.ones((1, _GAP)))
    labels, _ = ndimage.label(joined[:, _GAP:-_GAP])
    area = 0
    for at, place in enumerate(ndimage.find_objects(labels), 1):
        height, width = (side.stop - side.start for side in place)
        if not _HEIGHTS[0] <= height <= _HEIGHTS[1] or width < _ASPECT * height:
            continue
        own = labels[place] == at
        filled = own.mean()
        changes = edges[place][own].mean()
        if filled >= 0.5 and changes >= _CHANGES:
            area += height * width
    return area / gray.size
