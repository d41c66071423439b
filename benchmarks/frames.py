"""Choose frames of steps, against decoding the whole video: CPU seconds, one thread, one run.

    python benchmarks/frames.py [VIDEO ...] [--steps SECONDS ...]

Without videos, three of 60 s at 720p are made first, which differ in the distance of their key frames (GOP).
For steps over each whole video two things are measured: choosing a frame of each step and keeping some as
JPEG at once, as ingest does; then reading the others, as filter does. The time of the JPEG encoder alone for
these frames is listed separately. Each figure is the best of ROUNDS.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from PIL import Image, ImageFilter

from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import frames
from leafinstruct.images.video.frames import Chosen
from leafinstruct.images.video.video import opened

ROUNDS = 2
GOPS, SECONDS, RATE, WIDTH, HEIGHT = (12, 60, 250), 60, 25, 1280, 720
SHOT, MARGIN = 7 * RATE, 256
"""Frames of a shot; pixels that the camera moves over in it."""
Found = TypeVar("Found")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--steps", nargs="+", type=float, default=[1.5, 6.0])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.videos or made(Path(folder)):
            for seconds in arguments.steps:
                measure(path, seconds)


def measure(path: Path, seconds: float) -> None:
    """Print one line: a video, in steps of so many seconds."""
    facts = frames.facts(path)
    assert not isinstance(facts, Unreadable), facts
    steps = [
        (start * seconds, (start + 1) * seconds)
        for start in range(max(1, int((facts.duration or 0.0) / seconds)))
    ]
    whole, count = timed(lambda: decoded(path))
    choosing, chosen = timed(
        lambda: [item for item in frames.choose(path, steps, 1) if isinstance(item, Chosen)]
    )
    kept = {moment: data for item in chosen for moment, data in item.taken}
    rest = [moment for item in chosen for moment in item.times if moment not in kept]
    taking, taken = timed(lambda: [frames.frame(path, moment) for moment in rest])
    images = [
        Image.open(io.BytesIO(data)).convert("RGB")
        for data in [*kept.values(), *taken]
        if isinstance(data, bytes)
    ]
    encoding, _ = timed(lambda: [jpeg(image) for image in images])
    ours = choosing + taking
    print(
        f"{path.name}: {count} frames, {facts.width} x {facts.height}, all decoded {whole:.2f} s; "
        f"{len(steps)} steps of {seconds:g} s: "
        f"chosen {choosing:.2f} s with {len(kept)} frames kept, {len(rest)} taken later {taking:.2f} "
        f"s, of both JPEG {encoding:.2f} s; "
        f"{whole / ours:.2f} times as fast as decoding all, without JPEG {whole / (ours - encoding):.2f}",
        flush=True,
    )


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    """CPU seconds and result."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        found = work()
        best = min(best, time.process_time() - started)
    return best, found


def jpeg(image: Image.Image) -> int:
    """Size of an image as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=frames.QUALITY)
    return buffer.tell()


def decoded(path: Path) -> int:
    """How many frames a video has, all of them decoded."""
    with opened(path) as video:
        return sum(1 for _ in video.frames(0.0, "DEFAULT"))


def made(folder: Path) -> Iterator[Path]:
    """Make videos: a camera moves over still scenes, with the noise of a sensor and a cut every 7 s."""
    chance = np.random.default_rng(0)
    scenes = [scene(chance) for _ in range(4)]
    noises = [chance.normal(0, 2, (HEIGHT, WIDTH, 1)).astype(np.int16) for _ in range(8)]
    for gop in GOPS:
        with av.open(str(folder / f"gop-{gop}.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.gop_size = gop
            stream.options = {"crf": "23", "preset": "veryfast", "bf": "2"}
            for number in range(SECONDS * RATE):
                at = number % SHOT
                part = scenes[number // SHOT % len(scenes)][at // 2 : at // 2 + HEIGHT, at : at + WIDTH]
                pixels = np.clip(part + noises[number % len(noises)], 0, 255).astype(np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            out.mux(stream.encode(None))
        yield folder / f"gop-{gop}.mp4"


def scene(chance: np.random.Generator) -> np.ndarray:
    """(HEIGHT + MARGIN, WIDTH + MARGIN, 3) int16: soft shapes with finer ones on them."""
    size = (WIDTH + MARGIN, HEIGHT + MARGIN)
    coarse, fine = (
        Image.fromarray(
            chance.integers(0, 255, (size[1] // step, size[0] // step, 3), dtype=np.uint8)
        ).resize(size, Image.Resampling.BICUBIC)
        for step in (96, 12)
    )
    return np.asarray(Image.blend(coarse, fine, 0.25).filter(ImageFilter.GaussianBlur(1)), np.int16)


if __name__ == "__main__":
    main()
