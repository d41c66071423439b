"""Pictures for a page: each decoded by pictures/decode and encoded again, small, so that no byte of a stranger's file reaches a browser.

All of them share a budget, since a page is one file that is mailed and opened from a disk. The largest side of SIDES with which all should fit
is taken, judged by a sample of each of some parts; what does not fit after all is left out, and the page says how many.

Chosen: WebP, quality 60, effort 2. Of 128 px drawings, CPU time and size: WebP 0.8 ms and 1.1 kB; JPEG 0.2 ms and 1.7 kB (600 bytes of
tables a picture); AVIF 2.7 ms and 1.2 kB. Encoding runs in threads, as Pillow lets go of the interpreter's lock meanwhile;
decoding stays in one, because what it changes for its time (warnings, Pillow's own pixel limit) belongs to the whole process.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from PIL import Image

from leafinstruct.artifact import Artifact
from leafinstruct.pictures.decode import Undecodable, decode
from leafinstruct.report.gather import rows_of

SIDES = (384, 256, 192, 128, 96, 64)
"""Pixels of the longer side that are tried; a picture is never enlarged."""
QUALITY, EFFORT = 60, 2
SAMPLED_PARTS, SAMPLED = 16, 8
"""Pictures that the side is judged by: so many of each of so many parts, spread over the run."""
MARGIN = 0.9
"""Share of the budget that the sample may fill."""
THREADS, AHEAD = 2, 64
"""That encode; pictures that wait for them at most."""


@dataclass(frozen=True)
class Thumbnails:
    """data: WebP by the picture's number, None where there is none. side: pixels of the longer side at most. left_out: for want of room."""

    data: list[bytes | None]
    side: int
    left_out: int


def thumbnails(filtered: Artifact, wanted: Mapping[str, int], budget: int, on_progress: Callable[[int, int], None]) -> Thumbnails:
    """The wanted pictures (sha256 -> number) of a run, together at most `budget` bytes. Order and bytes depend on nothing else."""
    parts = filtered.parts()
    side = _side(filtered, parts, wanted, budget)
    data: list[bytes | None] = [None] * len(wanted)
    seen: set[str] = set()
    size = left_out = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for done, part in enumerate(parts):
            on_progress(done, len(parts))
            for name, small in _encoded(pool, _pictures(filtered, part, wanted, seen), side):
                if size + len(small) > budget:
                    left_out += 1
                    continue
                size += len(small)
                data[wanted[name]] = small
    on_progress(len(parts), len(parts))
    return Thumbnails(data, side, left_out)


def thumbnail(data: bytes, side: int) -> bytes | None:
    """A picture as WebP, at most `side` pixels. None when it does not decode."""
    picture = decode(data, side)
    return None if isinstance(picture, Undecodable) else _webp(picture)


def _webp(picture: Image.Image) -> bytes:
    """Pixels alone: Pillow's WebP writer takes profile and EXIF from its arguments only (those of JPEG and PNG copy what the picture came with)."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return buffer.getvalue()


def _encoded(pool: ThreadPoolExecutor, pictures: Iterator[tuple[str, bytes]], side: int) -> Iterator[tuple[str, bytes]]:
    """Those that decode, in order, as WebP."""
    waiting: deque[tuple[str, Future[bytes]]] = deque()
    for name, data in pictures:
        picture = decode(data, side)
        if not isinstance(picture, Undecodable):
            waiting.append((name, pool.submit(_webp, picture)))
        if len(waiting) > AHEAD:
            first, small = waiting.popleft()
            yield first, small.result()
    for first, small in waiting:
        yield first, small.result()


def _side(filtered: Artifact, parts: Sequence[str], wanted: Mapping[str, int], budget: int) -> int:
    """The largest side with which all wanted pictures should fit, the smallest where none does."""
    step = max(1, len(parts) // SAMPLED_PARTS)
    sample = [data for part in parts[::step] for _, data in islice(_pictures(filtered, part, wanted, set()), SAMPLED)]
    for side in SIDES:
        sizes = [len(small) for data in sample if (small := thumbnail(data, side)) is not None]
        if not sizes or sum(sizes) / len(sizes) * len(wanted) <= MARGIN * budget:
            return side
    return SIDES[-1]


def _pictures(filtered: Artifact, part: str, wanted: Mapping[str, int], seen: set[str]) -> Iterator[tuple[str, bytes]]:
    """sha256 and bytes of a part's wanted pictures that were not seen yet."""
    for row in rows_of(filtered.file("pictures", part), ["sha256", "bytes"]):
        if row["sha256"] in wanted and row["sha256"] not in seen and row["bytes"]:
            seen.add(row["sha256"])
            yield row["sha256"], row["bytes"]
