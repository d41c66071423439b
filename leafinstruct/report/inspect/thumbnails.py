"""Thumbnails for a page. Each image is decoded by images/decode and encoded again, so that no byte of a
foreign file reaches a browser.

All images share a budget, since a page is one file. The largest side of SIDES with which all images should
fit is estimated from a sample; images that still do not fit are left out and counted.

Chosen: WebP, quality 60, effort 2. CPU time and size for sketches of 96 pixels: WebP 0.6 ms and 0.9 kB; with
effort 0, 0.4 ms and 1.2 kB, hence a smaller side; JPEG 0.1 ms and 1.7 kB (600 bytes of tables per image);
AVIF twice the time of WebP for the same size. Parts run in processes (parts.py): threads share the
interpreter lock and need a third more CPU.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from PIL import Image

from leafinstruct.images.decode import Probe, Undecodable, decode, probe
from leafinstruct.records import table
from leafinstruct.report.inspect.parts import OnProgress, in_order
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Part

Name = TypeVar("Name", bound=Hashable)
Read = Callable[[str, frozenset[Name]], Iterator[tuple[Name, bytes]]]
"""Reads wanted images of a part: its name, their names -> each once, with its bytes. Picklable."""

SIDES = (384, 256, 192, 128, 96, 64)
"""Candidates for the longer side, in pixels; images are never enlarged."""
QUALITY, EFFORT = 60, 2
SAMPLED_PARTS, SAMPLED = 8, 8
"""Sample for the choice of the side: number of parts, and of images in each."""
MARGIN = 0.9
"""Share of the budget that the sample may fill."""


@dataclass(frozen=True)
class Thumbnails:
    """Thumbnails of a page. data: WebP by the number of the image, None if there is none. side: maximum
    longer side in pixels. left_out: number of images over the budget."""

    data: list[bytes | None]
    side: int
    left_out: int


def thumbnails(
    read: Read[Name],
    wanted: Mapping[str, Sequence[Name]],
    budget: int,
    on_progress: OnProgress,
    engine: Engine | None = None,
) -> Thumbnails:
    """Make thumbnails of the wanted images (part -> names) in their order, together at most `budget` bytes.

    read: gives their bytes, such as `stored`. The result depends on nothing else. engine: None for this
    process.
    """
    parts = [Part(name, frozenset(own)) for name, own in wanted.items() if own]
    count = sum(len(part.payload) for part in parts)
    side = _side(read, parts, count, budget)
    data: list[bytes | None] = []
    size = left_out = 0
    for part, shrunk in in_order(partial(_shrink, read, side), parts, engine, count, on_progress):
        for small in map(shrunk.get, wanted[part]):
            fits = small is not None and size + len(small) <= budget
            size += len(small) if small is not None and fits else 0
            left_out += small is not None and not fits
            data.append(small if fits else None)
    return Thumbnails(data, side, left_out)


def _shrink(read: Read[Name], side: int, part: Part) -> Found[tuple[str, dict[Name, bytes]]]:
    """Task of an engine: name of a part, whose payload is the names of its wanted images, and their
    thumbnails."""
    small = {
        name: shrunk
        for name, data in read(part.name, part.payload)
        if (shrunk := thumbnail(data, side)) is not None
    }
    return Found(value=(part.name, small))


def thumbnail(data: bytes, side: int) -> bytes | None:
    """Encode an image as WebP with a longer side of at most `side` pixels; None if it does not decode.

    Only pixels are written: Pillow's WebP writer takes profile and EXIF from its arguments, while those of
    JPEG and PNG copy them from the image.
    """
    image = decode(data, 2 * side)
    if isinstance(image, Undecodable):
        return None
    # half the time of bicubic, with no visible difference at this size
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
    return buffer.getvalue()


def _side(read: Read[Name], parts: Sequence[Part], count: int, budget: int) -> int:
    """The largest side with which all `count` images should fit, else the smallest."""
    step = max(1, len(parts) // SAMPLED_PARTS)
    sample = [data for part in parts[::step] for _, data in islice(read(part.name, part.payload), SAMPLED)]
    largest = max(
        (max(found.width, found.height) for data in sample if isinstance(found := probe(data), Probe)),
        default=0,
    )
    # sides between the largest image and SIDES[0] give the same thumbnails
    for side in (SIDES[0], *(side for side in SIDES[1:] if side < largest)):
        sizes = [len(small) for data in sample if (small := thumbnail(data, side)) is not None]
        if not sizes or sum(sizes) / len(sizes) * count <= MARGIN * budget:
            return side
    return SIDES[-1]


def stored(filtered: Artifact, part: str, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """(sha256, bytes) of wanted images that filter has read, each once: a `Read` with the artifact bound."""
    missing = set(wanted)
    path = filtered.file("images", part)
    for sha256, data in table.columns(path, "sha256", "bytes") if path.exists() else ():
        if sha256 in missing and data:
            missing.remove(sha256)
            yield sha256, data
