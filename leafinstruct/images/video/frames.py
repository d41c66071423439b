"""Frames of videos: `choose` selects those that represent a step, `frame` returns the bytes of one.

Choosing decodes no more than it needs. A segment with enough key frames is judged by those alone, which costs
a tenth of decoding it. Otherwise its frames are decoded from the key frame before it, or from where the last
segment ended, to its end, at most DECODED, skipping frames that no other refers to if the codec allows it.
CANDIDATES of them, evenly spread, and key frames between them, become small gray images, which are judged by
shots, sharpness and novelty (shots).

Candidates are kept as decoded, at most KEPT bytes, until their segment is judged, and a chosen one becomes
    JPEG at once: decoding it a second time would cost as much as choosing did. For a candidate that is not
    kept only the time is returned (frames of 8K; an interlaced key frame, of which a decoder that skips all
    but key frames may have only one field).

`frame` returns exactly the frame of a time that `choose` named, with the same bytes: video coding has lost
more than JPEG of quality 95 loses, and PNG is five times larger. A process keeps one decoder open and
continues from its position, since images of a part come in order; it seeks if that saves decoding. Cost:
benchmarks/frames.py.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

from av.video.frame import PictureType, VideoFrame
from PIL import Image

from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import ends
from leafinstruct.images.video.error import VideoError
from leafinstruct.images.video.shots import Candidate, best, candidate
from leafinstruct.images.video.video import Facts, Interval, Skip, Video, opened

CANDIDATES = 12
"""Frames of a segment that are compared."""
ENOUGH = 3
"""Key frames for each frame wanted, from which on only key frames are compared."""
DECODED = 1_500
"""Maximum frames of a segment that are decoded: 50 s at 30 a second. Later ones are ignored."""
KEPT = 192 << 20
"""Maximum bytes of decoded candidates in memory: 64 frames of 1080p, 16 of 4K, 3 of 8K."""
QUALITY = 95
"""Of JPEG."""
GIVEN_UP = 4
"""Failed segments after which the rest of a damaged video is skipped: each may cost as much as a sound
one."""
AGAIN, TIMES_AGAIN = 10_000, 4
"""Maximum frames that are decoded again: a constant, and a multiple of the new ones. Segments that do not
overlap decode few frames twice; without a bound, 2,000 that overlap for a minute decode an hour and more."""
SEGMENTS, SEGMENTS_A_FRAME = 100, 10
"""Maximum segments that are searched: a constant, and a multiple of the new frames. Without it, 100,000
segments within one frame encode it as often."""
_WIDTH = 96
_SAME_TIME = 1e-5


@dataclass(frozen=True, slots=True)
class Chosen:
    """The frames of a segment. times: in order, seconds; taken: (time, JPEG as `frame` returns it) of
    those that were kept; looked: False if no frame was searched, see AGAIN."""

    times: tuple[float, ...]
    taken: tuple[tuple[float, bytes], ...]
    looked: bool = True


_NOTHING, _NOT_LOOKED = Chosen((), ()), Chosen((), (), looked=False)


def facts(path: Path) -> Facts | Unreadable:
    """Return the facts of a video's header, or why it is no video. Raises OSError if the disk fails."""
    try:
        with opened(path) as video:
            return video.facts
    except VideoError as error:
        return error.unreadable


def end(path: Path, decoded: bool) -> float | None:
    """Return where a video's frames end, seconds: the last one stored or, with `decoded`, the last one that
    can be decoded; None if there is none.

    Raises OSError if the disk fails.
    """
    try:
        with opened(path) as video:
            return ends.end(video, decoded)
    except VideoError:
        return None


def choose(
    path: Path,
    segments: Iterable[Interval],
    per_segment: int,
    inside: Iterable[Sequence[Interval]] | None = None,
) -> Iterator[Chosen | Unreadable]:
    """Yield at most per_segment frames of each segment, in order; none if the video shows nothing there.
    Finally, an Unreadable if no segment has any because of damage.

    segments: (start, end) in seconds, end not included, any order.
    inside: for each segment the intervals that frames are taken from, default all of it.
    Memory is bounded by one segment. Raises OSError if the disk fails.
    """
    before: list[Candidate] = []
    problems: list[VideoError] = []
    found = False
    try:
        with opened(path) as video:
            for number, (segment, parts) in enumerate(
                zip(segments, repeat(()) if inside is None else inside, strict=inside is not None)
            ):
                if (
                    video.again > AGAIN + TIMES_AGAIN * video.fresh
                    or number >= SEGMENTS + SEGMENTS_A_FRAME * video.fresh
                ):
                    yield _NOT_LOOKED
                    continue
                union = _union(parts or (segment,))
                try:
                    chosen, picked = (
                        _segment(video, union, per_segment, before)
                        if len(problems) < GIVEN_UP
                        else (_NOTHING, [])
                    )
                except VideoError as error:  # damage in the middle of a file may spare its other segments
                    problems.append(error)
                    chosen, picked = _NOTHING, []
                before = picked or before
                found = found or bool(picked)
                yield chosen
    except VideoError as error:
        yield error.unreadable
        return
    if problems and not found:
        yield problems[0].unreadable


def _union(intervals: Sequence[Interval]) -> list[Interval]:
    """Return the same moments as intervals that do not overlap, in order."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _segment(
    video: Video, parts: Sequence[Interval], per_segment: int, before: Sequence[Candidate]
) -> tuple[Chosen, list[Candidate]]:
    """Return the choice of a segment, and the chosen candidates without their frames. Raises VideoError."""
    picked = best(_candidates(video, parts, per_segment), per_segment, before)
    ordered = sorted(picked, key=lambda item: item.time)
    taken = ((item.time, _taken(video, item.frame)) for item in ordered if item.frame is not None)
    chosen = Chosen(
        tuple(item.time for item in ordered), tuple((time, data) for time, data in taken if data is not None)
    )
    return chosen, [replace(item, frame=None) for item in picked]


def _taken(video: Video, frame: VideoFrame) -> bytes | None:
    """Return the frame as JPEG; None if its pixels cannot be converted, for which `frame` will report the
    reason."""
    try:
        return _jpeg(video.upright(frame))
    except VideoError:
        return None


def _candidates(video: Video, parts: Sequence[Interval], per_segment: int) -> list[Candidate]:
    """Return evenly spread frames of a segment: its key frames if they are enough, else of all its frames."""
    enough = ENOUGH * per_segment
    if not video.counted and sum(video.key_frames(start, end) or 0 for start, end in parts) >= enough:
        try:
            keys = _within(video, parts, "NONKEY")
        except VideoError:  # decoders return a key frame late, so damage may hide it from this pass only
            keys = []
        if len(keys) >= enough:
            return keys
    if video.quick != "DEFAULT":
        try:
            if found := _within(video, parts, video.quick):
                return found
        except VideoError:
            # a decoder delays other frames in a quick pass, so only the next may reach the last before a cut
            pass
    # all frames of a very short segment may be among those that a quick pass skips
    return _within(video, parts, "DEFAULT")


def _within(video: Video, parts: Sequence[Interval], skip: Skip) -> list[Candidate]:
    """Return at most twice CANDIDATES of a segment's frames: after each of that many moments the first
    frame and the first key frame."""
    found: list[Candidate] = []
    moments = _spread(parts)
    remaining = list(parts)
    budget, before = KEPT, -math.inf
    try:
        for number, (time, frame) in enumerate(video.onward(parts[0][0], skip)):
            while remaining and time >= remaining[0][1]:
                remaining.pop(0)
            if not remaining or number >= DECODED:
                break
            if time < remaining[0][0] - _SAME_TIME:
                continue
            named, before = time > before, time
            due = bool(moments) and time >= moments[0]
            if due or (frame.key_frame and found and not found[-1].key):
                moments = [moment for moment in moments if moment > time]
                size = sum(plane.buffer_size for plane in frame.planes)
                kept = size <= budget and named and (skip != "NONKEY" or _whole(frame))
                budget -= size if kept else 0
                found.append(candidate(time, video.gray(frame, _WIDTH), frame, kept))
    except VideoError:
        if not found:  # frames before a damaged end are used
            raise
    return found


def _spread(parts: Sequence[Interval]) -> list[float]:
    """Return CANDIDATES moments, evenly spread over intervals that do not overlap."""
    total = sum(end - start for start, end in parts)
    found: list[float] = []
    skipped = parts[0][0]  # time up to here that is in none of the intervals
    before = parts[0][0]
    for start, end in parts:
        skipped += start - before
        while len(found) < CANDIDATES and (moment := skipped + total * len(found) / CANDIDATES) < end:
            found.append(moment)
        before = end
    return found


def _whole(frame: VideoFrame) -> bool:
    """Whether a frame decoded in a pass over key frames only needed no other: of two fields the second may
    refer to the first."""
    return frame.pict_type == PictureType.I and not frame.interlaced_frame


def frame(path: Path, time: float) -> bytes | Unreadable:
    """Return the frame of a time that `choose` named, as JPEG, upright. Raises OSError if the disk fails."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    try:
        if _cursor.key != key:
            _cursor.open(path, key)
        image = _cursor.at(time)
    except VideoError as error:
        _cursor.close()
        return error.unreadable
    if image is None:
        return Unreadable("missing_frame", f"{path.name} has no frame at {time:.6f} s")
    return _jpeg(image)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


class _Cursor:
    """The one video that this process has open, at the position where it was last read."""

    def __init__(self) -> None:
        self.key: tuple[str, int, int] | None = None
        self._stack = ExitStack()

    def open(self, path: Path, key: tuple[str, int, int]) -> None:
        """Open another video. Raises VideoError."""
        self.close()
        self._video = self._stack.enter_context(opened(path))
        self.key = key

    def close(self) -> None:
        """Close the video."""
        self.key = None
        self._stack.close()

    def at(self, time: float) -> Image.Image | None:
        """Return the frame of exactly that time, upright; None if there is none. Raises VideoError."""
        for skip in dict.fromkeys(
            (self._video.quick, "DEFAULT")
        ):  # a frame that a quick pass skips was rarely chosen
            shown = next(self._video.onward(time, skip), None)
            if shown is not None and abs(shown[0] - time) <= _SAME_TIME:
                return self._video.upright(shown[1])
        return None


_cursor = _Cursor()
