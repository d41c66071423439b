"""Which scene an image shows: a recognizer for images that a model drew, without a model.

Things cover whole cells, so an image is compared with each candidate's own drawing cell by cell, in two ways:
the mean absolute difference of the pixels (above SLACK times the cell's detail, since a lossy image tokenizer
loses detail first) and the difference of the cell's mean color (which it keeps). The nearest candidate is
what the image shows; exactly, when no cell is TAU or TINT away in either. A sum over the image would let a
forgotten hat hide behind 60 well drawn cells; pixels alone take a thin red flag for a pink one ten times as
often.

Both bounds are a trade: `measure` states the recognizer's two errors behind whatever tokenizer made the
images. Where the tokenizer is at hand, candidates go through it as well (`Seen`), and the bounds only measure
what the model did: behind leaf:tiny-1's tokenizer they refuse no true scene, where they would refuse more
than a third of them without.
Refused: a trained classifier, whose errors would be as unknown as those of the model that it is to judge.
Cost: 0.1 ms a candidate once it is drawn (0.6 ms; the last DRAWN are kept).
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
"""Side of the images that are read: a cell is 8 x 8 px."""

SLACK = 0.8
"""How much of a cell's detail may be lost: detail is what a blur of one pixel takes from the drawing, mean
absolute difference, [0, 1]."""

TAU = 0.06
"""A cell whose pixels are this much further away than SLACK times its detail is wrong; mean absolute
difference, [0, 1]."""

TINT = 0.035
"""A cell whose mean color is this far away is wrong; mean absolute difference over the channels, [0, 1].

With both bounds, behind a stand-in for a patch-local tokenizer (8 x 8 blocks of JPEG, full color, 28.3 dB):
no more than 1% of true pencil scenes refused, at most 3% of any one change accepted, and no change of color.
"""

DRAWN = 20_000
"""Candidates whose drawings are kept, 12 kB each."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Seen:
    """A style as an image tokenizer gives it back: then candidates are drawn, encoded and decoded, too, so
    that what the tokenizer loses of every drawing is no mistake of the model that drew. eq=False: drawings
    are kept for this very object. through: an image -> what comes back."""

    style: Style
    through: Callable[[Image.Image], Image.Image]


View = Style | Seen
Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """best: index of the nearest candidate; error: mean absolute difference to it, [0, 1]; worst: its worst
    cell in units of the bounds; exact: worst < tolerance."""

    best: int
    error: float
    worst: float
    exact: bool


def read(
    image: Image.Image, candidates: Sequence[Scene], style: View = "pencil", tolerance: float = 1.0
) -> Reading:
    """The candidate that the image shows. Decor is left out of the candidates' drawings.

    image: PX x PX; tolerance: factor on TAU and TINT. Raises ValueError for another size or no candidates.
    """
    if image.size != (PX, PX):
        raise ValueError(f"a picture of {image.width} x {image.height} px cannot be read; only {PX} x {PX}")
    if not candidates:
        raise ValueError("there is no candidate to read the picture as")
    errors, tints = cell_errors(np.asarray(image.convert("RGB")), candidates, style)  # (candidates, 64) each
    best = int((errors + tints).mean(axis=1).argmin())
    worst = float(strain(errors[best], tints[best], candidates[best], style).max())
    return Reading(best, float(errors[best].mean()), worst, worst < tolerance)


def strain(errors: Cells, tints: Cells, scene: Scene, style: View = "pencil") -> Cells:
    """(cells,): how far each cell is from the scene, in units of the bounds; 1 and more is wrong."""
    strained: Cells = np.maximum(
        (errors - _forgiven(scene.background, scene.items, style)) / TAU, tints / TINT
    )
    return strained


def cell_errors(image: Pixels, candidates: Sequence[Scene], style: View = "pencil") -> tuple[Cells, Cells]:
    """Of each cell, row by row from the top left: mean absolute difference of its pixels, and of its mean
    color; (candidates, cells) each.

    image: (PX, PX, 3).
    """
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


@lru_cache(maxsize=DRAWN)
def _forgiven(background: str, items: tuple[Item, ...], style: View) -> Cells:
    """(cells,): SLACK times the detail of each cell."""
    drawn = drawing(background, items, style)
    blurred = np.asarray(Image.fromarray(drawn).filter(ImageFilter.BoxBlur(1)))
    detail: Cells = _by_cell((drawn.astype(np.int16) - blurred.astype(np.int16))[None])[0]
    return detail * np.float32(SLACK)


@lru_cache(maxsize=DRAWN)
def drawing(background: str, items: tuple[Item, ...], style: View) -> Pixels:
    """The scene without decor, (PX, PX, 3); kept, so not to be written to."""
    scene = Scene(background, None, items)
    drawn = (
        style.through(render(scene, PX, style.style)) if isinstance(style, Seen) else render(scene, PX, style)
    )
    pixels = np.asarray(drawn)
    pixels.flags.writeable = False
    return pixels


@dataclass(frozen=True, slots=True)
class Errors:
    """refused: share of true scenes that are not read as exact; accepted: change -> share of changed scenes
    that are; decibels: mean PSNR."""

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
    """Both errors of the recognizer behind a lossy tokenizer.

    reconstruct: images (N, PX, PX, 3) -> what the tokenizer gives back of them. Each scene is drawn,
    reconstructed and read as itself; then each of its `changes` is drawn, reconstructed and read as the scene
    that it is not.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample
    plain = style.style if isinstance(style, Seen) else style
    refused, psnr = [], []
    accepted: dict[str, list[bool]] = {}
    for scene in scenes:
        others = changes(scene, rng)
        drawn = np.stack([drawing(one.background, one.items, plain) for one in (scene, *others.values())])
        seen = reconstruct(drawn)
        square = np.mean((drawn[0].astype(np.float64) - seen[0]) ** 2)
        psnr.append(10 * np.log10(255**2 / max(square, 1e-9)))
        worst = [read(Image.fromarray(image), [scene], style).worst for image in seen]
        refused.append(worst[0] >= tolerance)
        for name, value in zip(others, worst[1:], strict=True):
            accepted.setdefault(name, []).append(value < tolerance)
    shares = {name: float(np.mean(values)) for name, values in sorted(accepted.items())}
    return Errors(float(np.mean(refused)), shares, float(np.mean(psnr)), len(scenes))


def changes(scene: Scene, rng: random.Random) -> dict[str, Scene]:
    """The scene with one attribute of one thing changed: color, kind, moved, missing, and with a thing added.

    A change that leaves the image the same, because something covers it, is left out: no image could tell it.
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
"""Kinds that stand in for others in `changes`."""
