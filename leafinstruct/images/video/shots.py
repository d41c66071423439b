"""Select which of a segment's candidates, small gray images in the order of time, represent it.

shots      a jump between neighbors above CUT begins a new shot. The first and last frame of a shot, next to a
           cut, are used only if no others remain; so is a frame that changes more than the others, which may
           belong to a dissolve
sharpness  the segment's first frame is the sharpest of the longest shot, or the first that is nearly as sharp
novelty    a further frame, and one after another segment's, must differ by more than SAME from earlier ones
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from leafinstruct.images.video.times import is_before

CUT = 0.15
"""Mean difference of gray levels, of [0, 1], above which two neighboring candidates belong to two shots."""
SAME = 0.015
"""Mean difference up to which two frames show the same."""
STEADY, RESTLESS = 0.004, 2.0
"""Change from one candidate to the next that is still noise; and the multiple of a shot's usual change
that indicates a dissolve."""
APART = 1.0
"""Seconds; candidates further apart reveal nothing about dissolves."""
AS_SHARP = 0.95
"""Among frames nearly as sharp as the sharpest a key frame is chosen, else the earliest: fewer frames must
be decoded to reach it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate. time: seconds; gray: (h, w) in [0, 1]; sharpness: deviation of its Laplacian; key:
    whether it is a key frame; frame: as decoded, None if it is not kept."""

    time: float
    gray: NDArray[np.float32]
    sharpness: float
    key: bool
    frame: VideoFrame | None


def candidate(time: float, gray: NDArray[np.float32], frame: VideoFrame, kept: bool) -> Candidate:
    """Judge a frame by its small image."""
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    return Candidate(time, gray, float(laplacian.std()), bool(frame.key_frame), frame if kept else None)


def best(candidates: Sequence[Candidate], count: int, before: Sequence[Candidate]) -> list[Candidate]:
    """Return the chosen candidates, the most representative first."""
    shots = sorted(_shots(candidates), key=len, reverse=True)  # stable: of equal ones the earlier
    picked: list[Candidate] = []
    for shot in shots:
        inner = _settled(shot)
        fresh = [item for item in inner if _novelty(item, [*before, *picked]) > SAME] or (
            inner if not picked else []
        )
        if fresh and len(picked) < count:
            sharpest = max(item.sharpness for item in fresh)
            sharp = [item for item in fresh if item.sharpness >= AS_SHARP * sharpest]
            picked.append(next((item for item in sharp if item.key), sharp[0]))
    rest = [item for shot in shots for item in _settled(shot)]
    while len(picked) < count and rest:
        furthest = max(rest, key=lambda item: _novelty(item, picked))
        if _novelty(furthest, picked) <= SAME:
            break
        picked.append(furthest)
    return picked


def _shots(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    shots = [list(candidates[:1])] if candidates else []
    for earlier, later in pairwise(candidates):
        if _difference(earlier, later) > CUT:
            shots.append([])
        shots[-1].append(later)
    return shots


def _settled(shot: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return a shot without its ends and without frames that change more than the rest; of a shot in
    constant motion, all but the ends."""
    if len(shot) <= 2:
        return shot
    changes = [
        _difference(one, other) if not is_before(APART, other.time - one.time) else 0.0
        for one, other in pairwise(shot)
    ]
    calm = max(STEADY, RESTLESS * median(changes))
    return [
        item for item, jumps in zip(shot[1:-1], pairwise(changes), strict=True) if max(jumps) <= calm
    ] or shot[1:-1]


def _novelty(item: Candidate, others: Sequence[Candidate]) -> float:
    return min((_difference(item, other) for other in others), default=1.0)


def _difference(one: Candidate, other: Candidate) -> float:
    return float(np.abs(one.gray - other.gray).mean()) if one.gray.shape == other.gray.shape else 1.0
