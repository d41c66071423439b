"""Why a video gives no frames."""

from __future__ import annotations

import errno

import av

from leafinstruct.images.unreadable import Unreadable

MAX_FRAME = 8_192 * 4_320
"""Maximum pixels of a frame: cameras end at 8K. A decoder may keep sixteen frames, so twice as many would
be 2.2 GB for a file of 190 kB."""


class VideoError(Exception):
    """The video gives no frames. Becomes an `Unreadable`: empty, not_a_video, no_video_stream,
    too_many_pixels, truncated, broken."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    @property
    def unreadable(self) -> Unreadable:
        return Unreadable(self.reason, self.detail)


def too_many_pixels(name: str, width: int, height: int) -> VideoError:
    return VideoError("too_many_pixels", f"{name}: frames of {width} x {height} pixels, above {MAX_FRAME:,}")


def is_of_the_disk(error: Exception) -> bool:
    """Whether the disk failed. A damaged file makes decoders seek beyond any file's size, which is an
    OSError, too."""
    return (
        isinstance(error, OSError)
        and not isinstance(error, av.error.FFmpegError)
        and error.errno != errno.EINVAL
    )
