"""A video file, opened safely: its frames from a moment on, at exact times. The only place that opens one.

Hostile files are the rule on the web: only containers of an allow-list are probed, no protocol may be opened from inside one (playlists name other
files), a frame above MAX_PIXELS is refused before it is decoded, and nothing of ffmpeg's chatter leaves this module.

Times are seconds from the start of the video stream, as players count, of the frame's own presentation time stamp, rounded to 1e-6: with a variable
frame rate there is no other exact name of a frame. Frames are given upright (display matrix) and in the shape that they are shown in (sample
aspect ratio).

Chosen: PyAV, whose seeks are exact; torchcodec's wheels are CUDA builds, decord is not maintained, OpenCV counts frames instead of reading
their times. One thread a video, since the engine gives each process its share of the cores.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
from av.video.frame import VideoFrame
from PIL import Image

from leafinstruct.pictures.decode import MAX_PIXELS
from leafinstruct.pictures.unreadable import Unreadable

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv")
_MARGIN = 1e-6
FORWARD = 3.0
"""Seconds that are decoded rather than sought: about the distance of two key frames."""

av.logging.set_level(None)


@dataclass(frozen=True, slots=True)
class Facts:
    """duration: seconds, None when the file does not say. width, height: as shown, pixels."""

    duration: float | None
    width: int
    height: int


class VideoError(Exception):
    """No frames can be had. Becomes an `Unreadable`: empty, not_a_video, no_video_stream, too_many_pixels, truncated, broken."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    @property
    def unreadable(self) -> Unreadable:
        return Unreadable(self.reason, self.detail)


class Video:
    """An open video. Made by `opened`."""

    def __init__(self, container: Any, name: str) -> None:
        if not container.streams.video:
            raise VideoError("no_video_stream", f"{name} holds no pictures")
        self._container, self._stream, self._name = container, container.streams.video[0], name
        context = self._stream.codec_context
        if context is None:
            raise VideoError("broken", f"{name}: no decoder reads its video stream")
        if context.width * context.height > MAX_PIXELS:
            raise VideoError("too_many_pixels", f"{name}: frames of {context.width} x {context.height} pixels, above {MAX_PIXELS:,}")
        context.thread_count = 1
        self._base = self._stream.time_base
        self._start = self._stream.start_time or 0
        self._going: Iterator[tuple[float, VideoFrame]] = iter(())
        self._last: tuple[float, VideoFrame] | None = None

    @property
    def aspect(self) -> Fraction | None:
        """Width over height of a stored sample; None for square ones."""
        ratio = self._stream.sample_aspect_ratio
        return ratio if ratio and ratio > 0 and ratio != 1 else None

    @property
    def facts(self) -> Facts:
        """What the header says."""
        length = self._stream.duration
        seconds = float(length * self._base) if length else self._container.duration / av.time_base if self._container.duration else None
        return Facts(seconds if seconds and seconds > 0 else None, self._stream.codec_context.width, self._stream.codec_context.height)

    def time_of(self, frame: VideoFrame) -> float | None:
        """Seconds from the start of the stream; None for a frame without a time stamp."""
        return None if frame.pts is None else round(float((frame.pts - self._start) * self._base), 6)

    def key_frames(self, start: float, end: float) -> int | None:
        """How many key frames the container's index tells of within a range, seconds; None when it has no index. Nothing is decoded."""
        times = [entry.timestamp for entry in self._stream.index_entries if entry.is_keyframe]
        return sum(start <= float((time - self._start) * self._base) < end for time in times) if times else None

    def onward(self, since: float) -> Iterator[tuple[float, VideoFrame]]:
        """(time, frame) from `since` on, without frames that no other refers to, which cost a third of decoding. Goes on from where the last call
        stopped where that is less to decode than to seek. Raises VideoError in the middle of a damaged stream."""
        here = self._last[0] if self._last is not None else None
        if here is None or not here <= since + _MARGIN or since - here > FORWARD:
            self._going, self._last = self.frames(since, "NONREF"), None
        if self._last is not None and self._last[0] >= since - _MARGIN:
            yield self._last
        for item in self._going:
            self._last = item
            if item[0] >= since - _MARGIN:
                yield item

    def frames(self, since: float, skip: Literal["DEFAULT", "NONREF", "NONKEY"] = "DEFAULT") -> Iterator[tuple[float, VideoFrame]]:
        """(time, frame) in order from the first one at or after `since`, seconds. skip: which frames are not decoded (NONKEY: all but key frames).

        Raises VideoError in the middle of a damaged stream.
        """
        self._last = None
        try:
            self._stream.codec_context.skip_frame = skip
            self._container.seek(max(0, self._start + int(since / self._base)), stream=self._stream, backward=True)
            for frame in self._container.decode(self._stream):
                time = self.time_of(frame)
                if time is not None and time >= since - _MARGIN:
                    yield time, frame
        except (av.error.FFmpegError, OSError) as error:
            if _of_the_disk(error):
                raise
            raise VideoError("truncated", f"{self._name}: the stream is cut or damaged ({type(error).__name__})") from error


@contextmanager
def opened(path: Path) -> Iterator[Video]:
    """The video in a file. Raises VideoError, and OSError when the disk refuses the file."""
    with path.open("rb") as stream:
        try:
            container = av.open(stream, options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"})
        except (av.error.FFmpegError, ValueError, OSError) as error:
            if _of_the_disk(error):
                raise
            raise _unopened(path, stream, error) from error
        try:
            yield Video(container, path.name)
        finally:
            container.close()


def upright(frame: VideoFrame, aspect: Fraction | None) -> Image.Image:
    """The frame as RGB pixels as a player shows it. aspect: of its video."""
    picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    if aspect is not None:
        picture = picture.resize((max(1, round(picture.width * float(aspect))), picture.height), Image.Resampling.LANCZOS)
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _of_the_disk(error: Exception) -> bool:
    """Whether the disk failed; a damaged file makes decoders seek to where no file reaches, which is an OSError, too."""
    return isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError) and error.errno != errno.EINVAL


def _unopened(path: Path, stream: BinaryIO, error: Exception) -> VideoError:
    """Why a file does not open as a video."""
    stream.seek(0)
    head = stream.read(64)
    if not head:
        return VideoError("empty", f"{path.name}: 0 bytes")
    if isinstance(error, av.error.InvalidDataError) and b"ftyp" in head:
        return VideoError("truncated", f"{path.name}: an MP4 without its index, most likely cut")
    return VideoError("not_a_video", f"{path.name}: none of {CONTAINERS}")
