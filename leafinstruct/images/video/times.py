"""Compare times that people or files state. Frame times need none of this: they are exact to 1e-6 s
(video)."""

from __future__ import annotations

TOLERANCE = 0.02
"""Seconds up to which two stated times count as equal: half a frame at 25 frames/s, so no frame is shown
between them. Subtitles round times to 0.001 s and annotations to 0.01 s, containers to their time base,
and sums of floats differ by 1e-16; a header's end and a subtitle's end usually differ by 10 ms."""


def length(start: float, end: float) -> float:
    """Return the seconds from start to end without errors of float sums: from 1.4 to 3.4 s it is 2.0, not
    1.9999999999999998."""
    return round(end - start, 6)


def is_before(one: float, other: float) -> bool:
    """Whether `one` is before `other` by more than TOLERANCE, both in seconds."""
    return one < other - TOLERANCE
