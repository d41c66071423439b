"""Which scene a picture shows: a recogniser for pictures that a model drew, without a model.

Things cover whole cells, so a picture is compared with each candidate's own drawing cell by cell: mean absolute difference over the cell's
pixels and channels, in [0, 1]. The nearest candidate is what the picture shows; it shows it exactly when no cell is TAU or more away, after
a cell with much detail was forgiven what a lossy picture tokenizer loses of detail. A sum over the picture would let a forgotten hat hide
behind 60 well drawn cells, and one bound for flat and detailed cells alike errs two to five times as often (`measure`).

TAU is a trade: `measure` states both errors of the recogniser for whatever tokenizer made the pictures.
Refused: a trained classifier, whose errors would be as unknown as those of the model that it is to judge.
Cost: 0.05 ms a candidate at 64 px once drawn (0.6 ms; the last DRAWN are kept).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from leafinstruct.sketchbook.palette import COLOURS
from leafinstruct.sketchbook.render import Style, render
from leafinstruct.sketchbook.scene import CELLS, Item, Scene

PX = 64
"""Side of the pictures that are read: a cell is 8 x 8 px."""

SLACK = 0.8
"""How much of a cell's detail may be lost: detail is what a blur of one pixel takes from the drawing, mean absolute difference, [0, 1]."""

TAU = 0.05
"""A cell whose error is this much above SLACK times its detail is wrong; mean absolute difference, [0, 1]. Behind a stand-in for a tokenizer
(three quarters of the pixels a side, JPEG, noise: 28.7 dB) no true pencil scene of 150 was refused and at most 4% of any change accepted."""

DRAWN = 20_000
"""Candidates whose drawings are kept, 12 kB each."""

Pixels = NDArray[np.uint8]
Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """best: index of the nearest candidate; error: mean of its cells' errors, [0, 1]; worst: the largest of them above what is forgiven; exact: worst < tau."""

    best: int
    error: float
    worst: float
    exact: bool


def read(picture: Image.Image, candidates: Sequence[Scene], style: Style = "pencil", tau: float = TAU) -> Reading:
    """The candidate that the picture shows. Decor is left out of the candidates' drawings.

    picture: PX x PX. Raises ValueError for another size or no candidates.
    """
    if picture.size != (PX, PX):
        raise ValueError(f"a picture of {picture.width} x {picture.height} px cannot be read; only {PX} x {PX}")
    if not candidates:
        raise ValueError("there is no candidate to read the picture as")
    errors = cell_errors(np.asarray(picture.convert("RGB")), candidates, style)  # (candidates, 64)
    best = int(errors.mean(axis=1).argmin())
    worst = float((errors[best] - forgiven(candidates[best], style)).max())
    return Reading(best, float(errors[best].mean()), worst, worst < tau)


def cell_errors(picture: Pixels, candidates: Sequence[Scene], style: Style = "pencil") -> Cells:
    """(candidates, cells): mean absolute difference of each cell, row by row from the top left. picture: (PX, PX, 3)."""
    drawings = np.stack([drawing(scene.background, scene.items, style) for scene in candidates])
    return _by_cell(drawings.astype(np.int16) - picture.astype(np.int16))


def _by_cell(apart: NDArray[np.int16]) -> Cells:
    """(N, PX, PX, 3) differences of bytes -> (N, cells) mean absolute ones, [0, 1]."""
    side = PX // CELLS
    cells = np.abs(apart).reshape(len(apart), CELLS, side, CELLS, side, 3).mean(axis=(2, 4, 5), dtype=np.float32)
    return cells.reshape(len(apart), CELLS * CELLS) / np.float32(255)


def forgiven(scene: Scene, style: Style = "pencil") -> Cells:
    """(cells,): SLACK times the detail of each cell."""
    return _forgiven(scene.background, scene.items, style)


@lru_cache(maxsize=DRAWN)
def _forgiven(background: str, items: tuple[Item, ...], style: Style) -> Cells:
    drawn = drawing(background, items, style)
    blurred = np.asarray(Image.fromarray(drawn).filter(ImageFilter.BoxBlur(1)))
    return np.float32(SLACK) * _by_cell((drawn.astype(np.int16) - blurred.astype(np.int16))[None])[0]


@lru_cache(maxsize=DRAWN)
def drawing(background: str, items: tuple[Item, ...], style: Style) -> Pixels:
    """The scene without decor, (PX, PX, 3); kept, so not to be written to."""
    pixels = np.asarray(render(Scene(background, None, items), PX, style))
    pixels.flags.writeable = False
    return pixels


@dataclass(frozen=True, slots=True)
class Errors:
    """refused: share of true scenes that are not read as exact; accepted: change -> share of changed scenes that are; decibels: mean PSNR."""

    refused: float
    accepted: dict[str, float]
    decibels: float
    scenes: int


def measure(
    reconstruct: Callable[[Pixels], Pixels], scenes: Sequence[Scene], style: Style = "pencil", tau: float = TAU, seed: int = 0
) -> Errors:
    """Both errors of the recogniser behind a lossy tokenizer.

    reconstruct: pictures (N, PX, PX, 3) -> what the tokenizer gives back of them. Each scene is drawn, reconstructed and read as itself;
    then each of its `changes` is drawn, reconstructed and read as the scene that it is not.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample
    refused, psnr = [], []
    accepted: dict[str, list[bool]] = {}
    for scene in scenes:
        others = changes(scene, rng)
        drawn = np.stack([drawing(one.background, one.items, style) for one in (scene, *others.values())])
        seen = reconstruct(drawn)
        square = np.mean((drawn[0].astype(np.float64) - seen[0]) ** 2)
        psnr.append(10 * np.log10(255**2 / max(square, 1e-9)))
        worst = [float((cell_errors(picture, [scene], style)[0] - forgiven(scene, style)).max()) for picture in seen]
        refused.append(worst[0] >= tau)
        for name, value in zip(others, worst[1:], strict=True):
            accepted.setdefault(name, []).append(value < tau)
    shares = {name: float(np.mean(values)) for name, values in sorted(accepted.items())}
    return Errors(float(np.mean(refused)), shares, float(np.mean(psnr)), len(scenes))


def changes(scene: Scene, rng: random.Random) -> dict[str, Scene]:
    """The scene with one attribute of one thing changed: colour, kind, moved, missing, and with a thing added.

    A change that leaves the picture the same, because something covers it, is left out: no picture could tell it.
    """
    item = rng.choice(scene.items)
    colour = rng.choice([name for name in COLOURS if name != item.colour])
    kind = rng.choice([name for name in ADDED if name != item.kind])
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    spots = [item.at(item.column + x, item.row + y) for x, y in steps]
    inside = [spot for spot in spots if 0 <= spot.column <= CELLS - spot.width and 0 <= spot.row <= CELLS - spot.height]
    free = [Item(kind, colour, column, row, 2, 2) for column in range(CELLS - 1) for row in (0, 1, 5, 6)]
    free = [spot for spot in free if not any(spot.overlaps(other) for other in scene.items)]
    changed = {
        "colour": scene.swap(item, item.painted(colour)),
        "kind": scene.swap(item, replace(item, kind=kind)),
        "missing": scene.without(item),
    }
    if inside:
        changed["moved"] = scene.swap(item, rng.choice(inside))
    if free:
        changed["added"] = scene.add(rng.choice(free))
    return {name: other for name, other in changed.items() if render(other, PX).tobytes() != render(scene, PX).tobytes()}


ADDED = ("sun", "star", "cloud", "balloon", "bird", "heart", "bush", "ball", "cat", "gift", "drum", "umbrella")
"""Kinds that stand in for others in `changes`."""
