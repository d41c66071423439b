"""Recognize which scene a generated image shows, without a model.

Things cover whole cells, so an image is compared with each rendered candidate cell by cell, in two ways: the
mean absolute difference of the pixels (above SLACK times the cell's detail, because a lossy image tokenizer
loses detail first) and the difference of the cell's mean color (which it keeps). The image shows the nearest
candidate, and shows it exactly if no cell exceeds TAU or TINT. With a sum over the image, 60 right cells
would outweigh a forgotten hat; pixels alone confuse a thin red flag with a pink one ten times as often.

Both bounds are a compromise: `measure` states the recognizer's two errors for a given tokenizer. If the
tokenizer is available, candidates pass through it, too (`Seen`), and the bounds only measure the model: with
leaf:tiny-1's tokenizer they then refuse no true scene, otherwise more than a third.
Refused: a trained classifier, whose errors would be as unknown as those of the model under test.
Cost: 0.1 ms per candidate, and 0.6 ms to render it (the last CACHED are kept).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.render import Style, render
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

PX = 64
"""Side of the images in pixels; a cell is 8 x 8."""

SLACK = 0.8
"""How much of a cell's detail may be lost. Detail is the mean absolute difference that a blur of one pixel
makes, [0, 1]."""

TAU = 0.06
"""A cell is wrong if its pixels differ by this much more than SLACK times its detail; mean absolute
difference, [0, 1]."""

TINT = 0.035
"""A cell is wrong if its mean color differs by this much; mean absolute difference over the channels, [0, 1].

With both bounds and a substitute for a patch-local tokenizer (8 x 8 blocks of JPEG, full color, 28.3 dB): at
most 1% of true pencil scenes refused, at most 3% of any change accepted, and no change of color.
"""

CACHED = 20_000
"""Number of rendered candidates that are cached, 12 kB each."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Seen:
    """A style after an image tokenizer: candidates are rendered, encoded and decoded, so that losses of the
    tokenizer do not count as mistakes of the model. through: encodes and decodes an image. eq=False, because
    candidates are cached per object."""

    style: Style
    through: Callable[[Image.Image], Image.Image]


View = Style | Seen
Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """The recognized candidate. best: its index; error: mean absolute difference to it, [0, 1]; worst: the
    worst cell in units of the bounds; exact: worst < tolerance."""

    best: int
    error: float
    worst: float
    exact: bool


def read(
    image: Image.Image, candidates: Sequence[Scene], style: View = "pencil", tolerance: float = 1.0
) -> Reading:
    """Find the candidate that an image shows; candidates are rendered without decor.

    image: PX x PX; tolerance: factor on TAU and TINT. Raises ValueError for another size or no candidates.
    """
    if image.size != (PX, PX):
        raise ValueError(f"the image has {image.width} x {image.height} px; it must have {PX} x {PX}")
    if not candidates:
        raise ValueError("there are no candidates")
    errors, tints = cell_errors(np.asarray(image.convert("RGB")), candidates, style)  # (candidates, 64) each
    best = int((errors + tints).mean(axis=1).argmin())
    worst = float(strain(errors[best], tints[best], candidates[best], style).max())
    return Reading(best, float(errors[best].mean()), worst, worst < tolerance)


def strain(errors: Cells, tints: Cells, scene: Scene, style: View = "pencil") -> Cells:
    """Return the distance of each cell from the scene, (cells,), in units of the bounds; 1 and more is
    wrong."""
    strained: Cells = np.maximum(
        (errors - _forgiven(scene.background, scene.items, style)) / TAU, tints / TINT
    )
    return strained


def cell_errors(image: Pixels, candidates: Sequence[Scene], style: View = "pencil") -> tuple[Cells, Cells]:
    """Return the mean absolute differences of pixels and of mean color for each cell in reading order,
    (candidates, cells) each. image: (PX, PX, 3)."""
    drawings = np.stack([drawing(scene.background, scene.items, style) for scene in candidates])
    apart = drawings.astype(np.int16) - image.astype(np.int16)
    tints: Cells = np.abs(_cells_of(apart).mean(axis=(2, 4), dtype=np.float32)).mean(axis=-1) / np.float32(
        255
    )
    return _by_cell(apart), tints.reshape(len(candidates), CELLS * CELLS)


def _cells_of(images: NDArray[np.int16]) -> NDArray[np.int16]:
    """(N, PX, PX, 3) -> (N, row, y, column, x, 3): y and x within the cell."""
    side = PX // CELLS
    return images.reshape(len(images), CELLS, side, CELLS, side, 3)


def _by_cell(apart: NDArray[np.int16]) -> Cells:
    """(N, PX, PX, 3) differences of bytes -> (N, cells) mean absolute ones, [0, 1]."""
    cells = _cells_of(np.abs(apart)).mean(axis=(2, 4, 5), dtype=np.float32)
    flat: Cells = cells.reshape(len(apart), CELLS * CELLS) / np.float32(255)
    return flat


@lru_cache(maxsize=CACHED)
def _forgiven(background: str, items: tuple[Item, ...], style: View) -> Cells:
    """(cells,): SLACK times the detail of each cell."""
    sharp = drawing(background, items, style)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.BoxBlur(1)))
    detail: Cells = _by_cell((sharp.astype(np.int16) - blurred.astype(np.int16))[None])[0]
    return detail * np.float32(SLACK)


@lru_cache(maxsize=CACHED)
def drawing(background: str, items: tuple[Item, ...], style: View) -> Pixels:
    """Render a scene without decor, (PX, PX, 3). Cached, therefore read-only."""
    scene = Scene(background, None, items)
    image = (
        style.through(render(scene, PX, style.style)) if isinstance(style, Seen) else render(scene, PX, style)
    )
    pixels = np.asarray(image)
    pixels.flags.writeable = False
    return pixels


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of the recognizer. refused: share of true scenes that are not exact; accepted: change -> share
    of changed scenes that are; decibels: mean PSNR."""

    refused: float
    accepted: dict[str, float]
    decibels: float
    scenes: int


def measure(
    reconstruct: Callable[[Pixels], Pixels],
    scenes: Sequence[Scene],
    style: View = "pencil",
    tolerance: float = 1.0,
    seed: int = 0,
) -> Errors:
    """Measure both errors of the recognizer with a lossy tokenizer.

    reconstruct: encodes and decodes images, (N, PX, PX, 3). Each scene is rendered, reconstructed and
    compared with itself; then each of its `changes` is rendered, reconstructed and compared with the
    unchanged scene.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample
    plain = style.style if isinstance(style, Seen) else style
    refused, psnr = [], []
    accepted: dict[str, list[bool]] = {}
    for scene in scenes:
        others = changes(scene, rng)
        images = np.stack([drawing(one.background, one.items, plain) for one in (scene, *others.values())])
        seen = reconstruct(images)
        square = np.mean((images[0].astype(np.float64) - seen[0]) ** 2)
        psnr.append(10 * np.log10(255**2 / max(square, 1e-9)))
        worst = [read(Image.fromarray(image), [scene], style).worst for image in seen]
        refused.append(worst[0] >= tolerance)
        for name, value in zip(others, worst[1:], strict=True):
            accepted.setdefault(name, []).append(value < tolerance)
    shares = {name: float(np.mean(values)) for name, values in sorted(accepted.items())}
    return Errors(float(np.mean(refused)), shares, float(np.mean(psnr)), len(scenes))


def changes(scene: Scene, rng: random.Random) -> dict[str, Scene]:
    """Return the scene with one change each: color, kind, moved, missing, added.

    A change that does not change the image, because something covers it, is left out.
    """
    item = rng.choice(scene.items)
    color = rng.choice([name for name in COLORS if name != item.color])
    kind = rng.choice([name for name in ADDED if name != item.kind])
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    spots = [item.at(item.column + x, item.row + y) for x, y in steps]
    inside = [
        spot
        for spot in spots
        if 0 <= spot.column <= CELLS - spot.width and 0 <= spot.row <= CELLS - spot.height
    ]
    free = [Item(kind, color, column, row, 2, 2) for column in range(CELLS - 1) for row in (0, 1, 5, 6)]
    free = [spot for spot in free if not any(spot.overlaps(other) for other in scene.items)]
    changed = {
        "color": scene.swap(item, item.painted(color)),
        "kind": scene.swap(item, replace(item, kind=kind)),
        "missing": scene.without(item),
    }
    if inside:
        changed["moved"] = scene.swap(item, rng.choice(inside))
    if free:
        changed["added"] = scene.add(rng.choice(free))
    return {
        name: other
        for name, other in changed.items()
        if render(other, PX).tobytes() != render(scene, PX).tobytes()
    }


ADDED = (
    "sun",
    "star",
    "cloud",
    "balloon",
    "bird",
    "heart",
    "bush",
    "ball",
    "cat",
    "gift",
    "drum",
    "umbrella",
)
"""Kinds that replace others in `changes`."""
