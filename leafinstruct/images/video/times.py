"""How times that somebody states are compared. The times of frames need none of this: they are exact to 1e-6
s (video)."""

from __future__ import annotations

TOLERANCE = 0.02
"""Seconds up to which two stated times are the same time: half a frame at 25 frames/s, so no frame is shown
between them. Subtitles round times to 0.001 s and annotations to 0.01 s, containers to their time base, and
sums of floats miss by 1e-16; a header's end and a subtitle's end differ by 10 ms as a rule."""


def length(start: float, end: float) -> float:
    """Seconds from start to end, without what sums of floats miss by: from 1.4 to 3.4 s it is 2.0, not
    1.9999999999999998."""
    return round(end - start, 6)


def is_before(one: float, other: float) -> bool:
    """Whether `one` is before `other` by more than TOLERANCE, both in seconds."""
    return one < other - TOLERANCE
