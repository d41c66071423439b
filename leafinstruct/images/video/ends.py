"""Find where the frames of a video end, which may be before the time that its header states (a cut
download, a longer sound track)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from leafinstruct.images.video.error import VideoError
from leafinstruct.images.video.video import Interval, Skip, Video

_LEADS = (2.0, 8.0, 32.0, 128.0, 512.0, 2048.0, math.inf)
"""Seconds before the stated end from which the file is read to its end."""


def end(video: Video, decoded: bool) -> float | None:
    """Return where the last frame ends, seconds from the start of the stream; None if there is none.

    The last frame is the last one stored or, with `decoded`, the last one that can be decoded. The header's
    duration is only the place to begin: the file is read from ever earlier before it. For a complete file
    that is two seconds of packets, none of them decoded.
    """
    stated = video.facts.duration or 0.0
    for lead in _LEADS:
        since = max(0.0, stated - lead)
        found = max(
            (end for _, end in (_decoded(video, since) if decoded else video.stored(since))), default=None
        )
        if found is not None or not since:
            return found
    return None


def _decoded(video: Video, since: float) -> Iterator[Interval]:
    """Yield the frames after a moment that can be decoded: first key frames only, then all frames from the
    last of these on."""
    passes: tuple[Skip, ...] = ("DEFAULT",) if video.counted else ("NONKEY", "DEFAULT")
    for skip in passes:
        try:
            for time, frame in video.frames(since, skip):
                since = time if skip == "NONKEY" else since
                yield time, time + video.lasts(frame.duration)
        except VideoError:
            continue
