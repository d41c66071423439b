"""Frames of videos: which ones stand for a step (`choose`), and the bytes of one (`frame`).

Choosing looks at no more than it needs. A segment that holds enough key frames is judged by those alone, which costs a tenth of decoding it; else
its frames are decoded from the key frame before it, or from where the last segment ended, to its end, DECODED at most, and frames that no other
refers to are passed over. CANDIDATES of them, evenly spread, and key frames between them, become small grey pictures:

    shots       a jump between neighbours above CUT begins a new shot; the first and last of a shot stand aside while others are left,
                since there the cut is, and so does a frame that changes more than the others do: it may be of a dissolve
    sharpness   the sharpest of the longest shot, or the first that nearly is, is the segment's first frame
    novelty     a further frame, and one that follows another segment's, must differ by more than SAME from those before it

`frame` gives the very frame of a time that `choose` named, as JPEG: a decoded video has lost more than quality 95 loses, and PNG is five times
larger. A process keeps one decoder open and goes on from where it stands, since pictures of a part come in order; it seeks where that saves
decoding.
Cost: benchmarks/frames.py.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafinstruct.pictures.unreadable import Unreadable
from leafinstruct.pictures.video import Facts, Shown, Video, VideoError, opened

CANDIDATES = 12
"""Frames of a segment that are looked at."""
ENOUGH = 3
"""Key frames for each frame wanted, from which they alone are looked at."""
DECODED = 1_500
"""Frames of a segment that are decoded at most: 50 s at 30 a second. What lies behind is not looked at."""
CUT = 0.15
"""Mean difference of grey levels, of [0, 1], from which two neighbouring candidates are of two shots."""
SAME = 0.015
"""Mean difference up to which two frames show the same."""
STEADY, RESTLESS = 0.004, 2.0
"""Change from one candidate to the next that is still noise; and how many times a shot's usual change is a dissolve's."""
APART = 1.0
"""Seconds; candidates further apart tell nothing of dissolves."""
AS_SHARP = 0.95
"""Of frames that are nearly as sharp as the sharpest a key frame is taken, else the earliest: less must be decoded to come to it."""
QUALITY = 95
"""Of JPEG."""
GIVEN_UP = 4
"""Segments that fail until the rest of a damaged video is left alone: each may cost as much as a sound one."""
_WIDTH = 96
_SAME_TIME = 1e-5


@dataclass(frozen=True, slots=True)
class _Candidate:
    """time: seconds; grey: (h, w) in [0, 1]; sharpness: deviation of its Laplacian; key: whether it is decoded from itself alone."""

    time: float
    grey: NDArray[np.float32]
    sharpness: float
    key: bool


def facts(path: Path) -> Facts | Unreadable:
    """What a video's header says, or why it is none. Raises OSError when the disk refuses the file."""
    try:
        with opened(path) as video:
            return video.facts
    except VideoError as error:
        return error.unreadable


def choose(path: Path, segments: Sequence[tuple[float, float]], per_segment: int) -> list[tuple[float, ...]] | Unreadable:
    """Times of at most per_segment frames of each segment, in order; none where the video shows nothing there.

    segments: (start, end) in seconds, end not included, any order. Raises OSError when the disk refuses the file.
    """
    chosen: list[tuple[float, ...]] = []
    before: list[_Candidate] = []
    problems: list[VideoError] = []
    try:
        with opened(path) as video:
            for start, end in segments:
                try:
                    candidates = _candidates(video, start, end, per_segment) if len(problems) < GIVEN_UP else []
                except VideoError as error:  # damage in the middle of a file need not reach its other segments
                    problems.append(error)
                    candidates = []
                picked = _best(candidates, per_segment, before)
                before = picked or before
                chosen.append(tuple(sorted(item.time for item in picked)))
    except VideoError as error:
        return error.unreadable
    return problems[0].unreadable if problems and not any(chosen) else chosen


def _candidates(video: Video, start: float, end: float, per_segment: int) -> list[_Candidate]:
    """Evenly spread frames of a segment: its key frames where they are enough, else of all its frames."""
    enough = ENOUGH * per_segment
    if (video.key_frames(start, end) or 0) >= enough:
        try:
            keys = _within(video, video.frames(start, "NONKEY"), start, end)
        except VideoError:  # decoders give a key frame late, so damage may hide it from this pass and not from the next
            keys = []
        if len(keys) >= enough:
            return keys
    referred = _within(video, video.onward(start, "NONREF"), start, end)
    return referred or _within(video, video.frames(start, "DEFAULT"), start, end)  # a very short segment may hold no other frame


def _within(video: Video, frames: Iterator[Shown], start: float, end: float) -> list[_Candidate]:
    """At most twice CANDIDATES of a segment's frames: from each of that many moments to the next the first, and the first key frame."""
    found: list[_Candidate] = []
    moments = [start + (end - start) * index / CANDIDATES for index in range(CANDIDATES)]
    try:
        for number, (time, frame) in enumerate(frames):
            if time >= end or number >= DECODED:
                break
            due = bool(moments) and time >= moments[0]
            if due or (frame.key_frame and found and not found[-1].key):
                moments = [moment for moment in moments if moment > time]
                found.append(_candidate(time, video.grey(frame, _WIDTH), frame.key_frame))
    except VideoError:
        if not found:  # a damaged end leaves what was before it
            raise
    return found


def _candidate(time: float, grey: NDArray[np.float32], key: bool) -> _Candidate:
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return _Candidate(time, grey, float(laplacian.std()), key)


def _best(candidates: Sequence[_Candidate], count: int, before: Sequence[_Candidate]) -> list[_Candidate]:
    """The chosen ones, the most telling first."""
    shots = sorted(_shots(candidates), key=len, reverse=True)  # stable: of equal ones the earlier
    picked: list[_Candidate] = []
    for shot in shots:
        inner = _settled(shot)
        fresh = [item for item in inner if _novelty(item, [*before, *picked]) > SAME] or (inner if not picked else [])
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


def _shots(candidates: Sequence[_Candidate]) -> list[list[_Candidate]]:
    shots = [list(candidates[:1])] if candidates else []
    for earlier, later in pairwise(candidates):
        if _difference(earlier, later) > CUT:
            shots.append([])
        shots[-1].append(later)
    return shots


def _settled(shot: Sequence[_Candidate]) -> Sequence[_Candidate]:
    """A shot without its ends, and without what changes more than the rest of it; of a shot that moves on and on, all but the ends."""
    if len(shot) <= 2:
        return shot
    changes = [_difference(one, other) if other.time - one.time <= APART else 0.0 for one, other in pairwise(shot)]
    calm = max(STEADY, RESTLESS * median(changes))
    return [item for item, jumps in zip(shot[1:-1], pairwise(changes), strict=True) if max(jumps) <= calm] or shot[1:-1]


def _novelty(item: _Candidate, others: Sequence[_Candidate]) -> float:
    return min((_difference(item, other) for other in others), default=1.0)


def _difference(one: _Candidate, other: _Candidate) -> float:
    return float(np.abs(one.grey - other.grey).mean()) if one.grey.shape == other.grey.shape else 1.0


def frame(path: Path, time: float) -> bytes | Unreadable:
    """The frame of a time that `choose` named, as JPEG, upright. Raises OSError when the disk refuses the file."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    try:
        if _cursor.key != key:
            _cursor.open(path, key)
        picture = _cursor.at(time)
    except VideoError as error:
        _cursor.close()
        return error.unreadable
    if picture is None:
        return Unreadable("missing_frame", f"{path.name} has no frame at {time:.6f} s")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


class _Cursor:
    """The one video that this process has open, standing where it was last read."""

    def __init__(self) -> None:
        self.key: tuple[str, int, int] | None = None
        self._stack = ExitStack()

    def open(self, path: Path, key: tuple[str, int, int]) -> None:
        """Another video. Raises VideoError."""
        self.close()
        self._video = self._stack.enter_context(opened(path))
        self.key = key

    def close(self) -> None:
        """Let go of it."""
        self.key = None
        self._stack.close()

    def at(self, time: float) -> Image.Image | None:
        """The frame of exactly that time, upright; None when there is none. Raises VideoError."""
        for skip in dict.fromkeys(
            (self._video.quick, "DEFAULT")
        ):  # a frame that is passed over in a quick pass is rarely one that was chosen
            shown = next(self._video.onward(time, skip), None)
            if shown is not None and abs(shown[0] - time) <= _SAME_TIME:
                return self._video.upright(shown[1])
        return None


_cursor = _Cursor()
