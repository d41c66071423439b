"""Write a how-to as a short video with subtitles and an entry like YouCook2's. Each step's image is shown for
SECONDS; the previous one dissolves into it.

Because of the dissolve the choice of a frame matters: a frame within it shows two steps at once. H.264 at a
quality that keeps flat colors; one thread and no time stamps in the header, so the same page gives the same
bytes with one version of PyAV.
Cost: about 0.15 s and 25 kB per video of five steps at 128 px.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from leafinstruct.sketchbook.documents.page import Page

SECONDS, RATE, DISSOLVE = 2.0, 8, 3
"""Seconds of a step; frames per second; frames of the dissolve between two steps."""


def video(page: Page) -> bytes:
    """Return the bytes of the MP4 file."""
    images = [Image.open(io.BytesIO(image.data)).convert("RGB") for image in page.images]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = (
            images[0].width // 2 * 2,
            images[0].height // 2 * 2,
            "yuv420p",
        )
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "16", "preset": "fast", "g": "40"}
        for number, image in enumerate(_frames(images)):
            frame = av.VideoFrame.from_ndarray(
                np.asarray(image.resize((stream.width, stream.height))), format="rgb24"
            )
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def _frames(images: list[Image.Image]) -> list[Image.Image]:
    frames: list[Image.Image] = []
    for number, image in enumerate(images):
        before = images[number - 1] if number else image
        for index in range(round(SECONDS * RATE)):
            share = min(1.0, (index + 1) / (DISSOLVE + 1)) if number else 1.0
            frames.append(Image.blend(before, image, share))
    return frames


def subtitles(page: Page) -> str:
    """Return the subtitles as WebVTT, one cue per step."""
    cues = (
        f"{_clock(index * SECONDS)} --> {_clock((index + 1) * SECONDS)}\n{step.text}\n"
        for index, step in enumerate(page.howto.steps)
    )
    return "WEBVTT\n\n" + "\n".join(cues)


def entry(page: Page) -> dict[str, object]:
    """Return the entry of a video in YouCook2's annotations."""
    return {
        "duration": len(page.howto.steps) * SECONDS,
        "subset": "training",
        "recipe_type": page.howto.topic,
        "annotations": [
            {"segment": [index * SECONDS, (index + 1) * SECONDS], "id": index, "sentence": step.text}
            for index, step in enumerate(page.howto.steps)
        ],
        "video_url": page.url,
    }


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{seconds % 60:06.3f}"
