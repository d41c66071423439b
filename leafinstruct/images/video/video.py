"""Open a video file safely and read its frames from a moment on, at exact times. The only module that opens
videos.

Hostile files are the rule on the web. Only containers of an allow-list are probed, no protocol may be opened
from inside one (playlists name other files), and no frame above MAX_FRAME is decoded, neither while a file is
probed nor if a stream grows in its middle. None of ffmpeg's messages leave this module.

Times are seconds of the frame's own presentation time stamp, rounded to 1e-6: with a variable frame rate
there is no other exact name of a frame. They count from the first thing that is shown or heard, as players
and subtitles count. Frames are returned upright (display matrix), in their display shape (sample aspect
ratio) and in sRGB (color).

The same time must name the same frame wherever reading began. Containers with an index (MP4, Matroska) seek
to the key frame before a moment. MPEG-TS and FLV may end up after it or between key frames, so decoding
begins with a key frame, and the seek is repeated from ever earlier until that is early enough. AVI and ASF
store no presentation times: the nth frame shown has the nth time, and files with frames out of order are read
from the start. A frame that the decoder repaired after damage is not shown, nor are the frames after it up to
the next key frame.

Chosen: PyAV, which gives time stamps and seeks; torchcodec's wheels are CUDA builds, decord is not
maintained, OpenCV counts frames instead of reading their times. One thread a video, since the engine gives
each process its share of the cores.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from leafinstruct.images.video import color
from leafinstruct.images.video.error import MAX_FRAME, VideoError, is_of_the_disk, too_many_pixels

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv")
FORWARD, SAVED = 3.0, 0.4
"""Seconds that are decoded rather than sought without an index (about the distance of two key frames); and
seconds that a seek must save with one, since after it a decoder needs some frames before it returns one."""
FAR = 9_000
"""Maximum frames decoded, or packets read without a frame, to get from a key frame to a moment: 5 min at
30 a second."""
LINEAR = 200_000
"""The same for a video that must be read from its start: 2 h at 30 a second."""
MAX_ASPECT = 8
"""Maximum aspect ratio of a sample: no camera stores pixels so wide or high. Beyond it the header is
ignored."""
STREAMS = 64
"""Streams of a file whose decoders are bounded while the file is probed; a file with more is refused."""
_MARGIN = 1e-6
_UNTIMED = ("avi", "asf")
_EARLIER = (0.0, 2.0, 8.0, 32.0, 128.0, 512.0, 2048.0)
"""Seconds before a moment from which the seek is tried."""
_BOUND = {"max_pixels": str(MAX_FRAME)}
_SEPARABLE = ("h264", "mpeg1video", "mpeg2video", "mpeg4")
"""Codecs in which no frame is decoded from one that NONREF skips; in those with temporal layers it may be."""

Skip = Literal["DEFAULT", "NONREF", "NONKEY"]
"""Which frames are not decoded: none; those that no other refers to; all but key frames."""
Interval = tuple[float, float]
"""Start and end in seconds, the end not included."""
Shown = tuple[float, VideoFrame]
"""Time in seconds, and the frame."""

av.logging.set_level(None)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a header. duration: seconds, None if not stated; width, height: as stored, pixels."""

    duration: float | None
    width: int
    height: int


class Video:
    """An open video. Created by `opened`."""

    def __init__(self, container: Any, name: str) -> None:
        moving = [
            stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
        ]
        if not moving:
            raise VideoError("no_video_stream", f"{name} holds no moving images")
        self._container, self._stream, self._name = container, moving[0], name
        context = self._stream.codec_context
        if context is None:
            raise VideoError("broken", f"{name}: no decoder reads its video stream")
        if context.width * context.height > MAX_FRAME:
            raise too_many_pixels(name, context.width, context.height)
        if not context.width or not context.height:
            raise VideoError(
                "broken", f"{name}: the size of its frames cannot be read, or is above {MAX_FRAME:,} pixels"
            )
        context.thread_count = 1
        context.options = _BOUND
        self._base = self._stream.time_base
        # arithmetic of fractions is slow
        self._up, self._down = int(self._base.numerator), int(self._base.denominator)
        self._start = self._stream.start_time or 0
        if (
            container.start_time is not None
            and 0 <= container.start_time / av.time_base < self._start * self._base
        ):
            self._start = round(container.start_time / (av.time_base * self._base))
        self.counted = container.format.name in _UNTIMED  # so no frame can be skipped
        self._linear = self.counted and context.has_b_frames
        # a frame's own builds its tables each time: ten times as slow
        self._to_rgb, self._to_gray = VideoReformatter(), VideoReformatter()
        self._going: Iterator[Shown] = iter(())
        self._last: Shown | None = None
        self._passed = 0.0
        """The earliest moment whose first frame is `_last`."""
        self._skip: Skip = "DEFAULT"
        self._decoding: Skip = "DEFAULT"
        self._furthest: dict[Skip, float] = {}
        self.fresh = self.again = 0
        """Frames decoded for the first time, and those that an earlier pass of the same kind had decoded."""
        self._keys: tuple[int, list[float]] = (0, [])
        self.quick: Skip = "NONREF" if context.name in _SEPARABLE and not self.counted else "DEFAULT"
        """The kind of pass that decodes least and still gives the same frames as decoding all."""

    @property
    def _aspect(self) -> Fraction | None:
        """Width over height of a stored sample; None for square ones."""
        ratio = self._stream.sample_aspect_ratio
        return ratio if ratio and ratio != 1 and 1 / MAX_ASPECT <= ratio <= MAX_ASPECT else None

    @property
    def facts(self) -> Facts:
        """The facts that the header states."""
        length = self._stream.duration
        late = self._seconds(self._stream.start_time or 0)
        seconds = (
            late + float(length * self._base)
            if length
            else self._container.duration / av.time_base
            if self._container.duration
            else None
        )
        return Facts(
            seconds if seconds and seconds > 0 else None,
            self._stream.codec_context.width,
            self._stream.codec_context.height,
        )

    def stored(self, since: float) -> Iterator[Interval]:
        """Yield (start, end) of the frames stored after a moment, seconds, in the order of the file, up to
        a cut; none is decoded."""
        self._last = None
        try:
            self._seek(since)
            for packet in self._container.demux(self._stream):
                stamp = packet.dts if self.counted or packet.pts is None else packet.pts
                if stamp is not None and packet.size:
                    yield self._seconds(stamp), self._seconds(stamp) + self.lasts(packet.duration)
        except (av.error.FFmpegError, OSError, OverflowError) as error:
            if is_of_the_disk(error):
                raise

    def lasts(self, ticks: int | None) -> float:
        """Seconds that a frame is shown: as the container states it, else by the stream's average rate."""
        if ticks:
            return ticks * self._up / self._down
        return float(1 / self._stream.average_rate) if self._stream.average_rate else 0.0

    def _seek(self, at: float) -> None:
        """Seek to the key frame before a moment; 0 is the start of the file."""
        self._container.seek(
            max(0, self._start + int(at / self._base)) if at > 0 else 0, stream=self._stream, backward=True
        )

    def key_frames(self, start: float, end: float) -> int | None:
        """Count the key frames in the container's index within a range, seconds; None without an index.
        Nothing is decoded."""
        times = self._key_times()
        return max(0, bisect_left(times, end) - bisect_left(times, start)) if times else None

    def _key_times(self) -> list[float]:
        """Times of the key frames in the container's index, sorted."""
        count = len(self._stream.index_entries)
        if count != self._keys[0]:  # some containers build their index while they are read
            self._keys = (
                count,
                sorted(
                    self._seconds(entry.timestamp)
                    for entry in self._stream.index_entries
                    if entry.is_keyframe
                ),
            )
        return self._keys[1]

    def onward(self, since: float, skip: Skip) -> Iterator[Shown]:
        """Like `frames`, but continue from where the last call stopped if that decodes less than seeking.
        Raises VideoError, too."""
        if (
            self._last is None
            or skip != self._skip
            or since < self._passed
            or self._leads_further(self._last[0], since)
        ):
            self._begin(since, skip)
        if self._last is not None and self._last[0] >= since - _MARGIN:
            yield self._last
        fresh = self._last is None or self._last[0] >= since - _MARGIN
        try:
            try:
                first = self._next(since)
            except VideoError:  # a seek may avoid damage on the way
                if fresh:
                    raise
                self._begin(since, skip)
                first = self._next(since)
            while first is not None:
                yield first
                first = self._next(since)
        except VideoError:
            self._last = None
            raise

    def _begin(self, since: float, skip: Skip) -> None:
        self._going, self._last, self._skip, self._passed = self.frames(since, skip), None, skip, since

    def _next(self, since: float) -> Shown | None:
        """Return the next frame at or after `since`. Raises VideoError."""
        for item in self._going:
            self._passed = self._last[0] + 2 * _MARGIN if self._last is not None else since
            self._last = item
            if item[0] >= since - _MARGIN:
                return item
        return None

    def _leads_further(self, here: float, since: float) -> bool:
        """Whether seeking to `since` saves decoding what is in between."""
        if self._linear or not (times := self._key_times()):
            return not self._linear and since - here > FORWARD
        return bisect_left(times, since + _MARGIN) > bisect_right(times, here + SAVED)

    def frames(self, since: float, skip: Skip) -> Iterator[Shown]:
        """Yield frames in display order, from the first one at or after `since`, seconds. Raises
        VideoError in the middle of a damaged stream, and if more than FAR frames would have to be decoded
        first."""
        self._last = None
        self._decoding = skip
        self._stream.codec_context.skip_frame = "DEFAULT" if self.counted else skip
        for at in self._places(since):
            decoded = self._decoded(at)
            first = next(decoded, None)
            if first is not None and first[0] <= since + _MARGIN:
                break
        before = 0
        for item in chain([first] if first is not None else [], decoded):
            if item[0] >= since - _MARGIN:
                yield item
                continue
            before += 1
            if before > (LINEAR if self._linear else FAR):
                raise VideoError(
                    "broken", f"{self._name}: no key frame within {before:,} frames before {since:.3f} s"
                )

    def _places(self, since: float) -> list[float]:
        """Return where to seek to for a moment, in turn; 0 is the start of the file."""
        return [*(since - lead for lead in _EARLIER if since > lead and not self._linear), 0.0]

    def _decoded(self, at: float) -> Iterator[Shown]:
        """Yield everything decoded from the first key frame after seeking, at the start of a file from the
        first frame. Raises VideoError."""
        order: list[int] = []
        idle = 0
        begun = at <= 0
        patched = False
        try:
            self._seek(at)
            for packet in self._container.demux(self._stream):
                begun = begun or packet.is_keyframe
                if self.counted and packet.dts is not None and begun:
                    heapq.heappush(order, packet.dts)
                decoded = packet.decode() if begun else []
                idle = 0 if decoded else idle + 1
                if idle > FAR:
                    raise VideoError("broken", f"{self._name}: {idle:,} packets without a frame")
                for frame in decoded:
                    stamp = heapq.heappop(order) if self.counted and order else frame.pts
                    patched = frame.is_corrupt or (patched and not frame.key_frame)
                    if stamp is not None and not patched:
                        self._count(self._seconds(stamp))
                        yield self._seconds(stamp), frame
        except (av.error.FFmpegError, OSError, OverflowError) as error:
            if is_of_the_disk(error):
                raise
            raise VideoError(
                "truncated", f"{self._name}: the stream is cut or damaged ({type(error).__name__})"
            ) from error

    def _count(self, time: float) -> None:
        """Count a decoded frame as new, or as one that this kind of pass reached before."""
        is_new = time > self._furthest.get(self._decoding, -math.inf)
        if is_new:
            self._furthest[self._decoding] = time
        self.fresh += is_new
        self.again += not is_new

    def upright(self, frame: VideoFrame) -> Image.Image:
        """Return the frame as sRGB pixels as a player shows it. Raises VideoError for a pixel format that
        cannot be converted."""
        try:
            image = color.srgb(self._to_rgb, frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                "broken", f"{self._name}: pixels of the format {frame.format.name} cannot be converted"
            ) from error
        if self._aspect is not None:
            image = image.resize(
                (max(1, round(image.width * float(self._aspect))), image.height), Image.Resampling.LANCZOS
            )
        return color.upright(image, frame)

    def gray(self, frame: VideoFrame, width: int) -> NDArray[np.float32]:
        """Return the frame as stored, small: (h, width) in [0, 1], h by its shape, at least 3 and at most
        4 times the width. Raises VideoError."""
        height = max(3, min(round(width * frame.height / frame.width), 4 * width))
        try:
            small = self._to_gray.reformat(
                frame, width=width, height=height, format="gray", threads=1
            ).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                "broken", f"{self._name}: pixels of the format {frame.format.name} cannot be converted"
            ) from error
        return small.astype(np.float32) / np.float32(255)

    def _seconds(self, stamp: int) -> float:
        """Seconds from the start of the stream."""
        return round((stamp - self._start) * self._up / self._down, 6)


@contextmanager
def opened(path: Path) -> Iterator[Video]:
    """Open the video in a file. Raises VideoError, and OSError if the disk fails."""
    with path.open("rb") as stream:
        try:
            container = _container(stream)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            if is_of_the_disk(error):
                raise
            raise _unopened(path, stream, error) from error
        try:
            yield Video(container, path.name)
        finally:
            container.close()


def _container(stream: BinaryIO) -> Any:
    safe = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none", "max_streams": str(STREAMS)}
    bounds: Any = [_BOUND] * STREAMS  # PyAV's stub says list[str]
    try:
        return av.open(stream, options=safe, stream_options=bounds)
    except ValueError:
        # FLV and MPEG-PS name no streams before they are probed: read their headers first, without a decoder
        stream.seek(0)
        with av.open(stream, options={**safe, "codec_whitelist": "none"}) as headers:
            sizes = [
                (inner.codec_context.width, inner.codec_context.height)
                for inner in headers.streams.video
                if inner.codec_context
            ]
        for width, height in sizes:
            if width * height > MAX_FRAME:
                raise too_many_pixels(Path(stream.name).name, width, height) from None
        stream.seek(0)
        return av.open(stream, options=safe)


def _unopened(path: Path, stream: BinaryIO, error: Exception) -> VideoError:
    """Return why a file does not open as a video."""
    stream.seek(0)
    head = stream.read(64)
    if not head:
        return VideoError("empty", f"{path.name}: 0 bytes")
    if isinstance(error, av.error.InvalidDataError) and b"ftyp" in head:
        return VideoError("truncated", f"{path.name}: an MP4 without its index, most likely cut")
    return VideoError("not_a_video", f"{path.name}: none of {CONTAINERS}")
