"""Generated videos whose frames are known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import frames


def shade(color: tuple[int, int, int], at: int = 0, blurred: bool = False) -> Image.Image:
    """An image of 96 x 64 with a bar at `at`; a blurred one has soft edges."""
    image = Image.new("RGB", (96, 64), color)
    ImageDraw.Draw(image).rectangle((at, 10, at + 14, 50), fill=(250, 250, 250))
    return image.resize((6, 4)).resize((96, 64), Image.Resampling.BICUBIC) if blurred else image


def write_video(
    path: Path,
    images: list[Image.Image],
    times: list[float] | None = None,
    rate: int = 10,
    gop: int = 250,
    codec: str = "",
    **options: Any,
) -> Path:
    """Write a video of one frame an image. times: of the frames in seconds, else evenly by rate."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec or ("libx264" if path.suffix != ".webm" else "libvpx"), rate=rate)
        stream.width, stream.height, stream.pix_fmt = images[0].width, images[0].height, "yuv420p"
        stream.codec_context.gop_size = gop
        # libvpx with threads was seen to spin for ever on a busy machine
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        stream.options = {"crf": "12", "bf": "2", **options}
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round((times[number] if times else number / rate) * 1000)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def choose(
    path: Path, segments: list[tuple[float, float]], per_segment: int
) -> list[tuple[float, ...]] | Unreadable:
    """The times of the frames of each segment."""
    found = list(frames.choose(path, segments, per_segment))
    problem = next((item for item in found if isinstance(item, Unreadable)), None)
    return problem or [item.times for item in found]


def sound(path: Path) -> Path:
    """A file of sound alone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return path
