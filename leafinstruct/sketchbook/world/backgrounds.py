"""Backgrounds of scenes, each with some seeded decor, so that no two documents share an image.

Decor (tufts of grass, snow dots, paper grain, far hills) is pale, drawn below everything, and has no meaning:
no text mentions it. It differs between documents and is the same within one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw

from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.palette import Rgb, mix

Draw = ImageDraw.ImageDraw
Decorate = Callable[[Draw, int, random.Random], None]


def _bands(size: int, bands: tuple[tuple[float, Rgb, Rgb], ...]) -> Image.Image:
    """Return an image of vertical gradients; each band is (share of the height where it starts, color there,
    color at its end)."""
    column = Image.new("RGB", (1, size))
    starts = [round(start * size) for start, _, _ in bands] + [size]
    for (_, upper, lower), top, bottom in zip(bands, starts, starts[1:], strict=False):
        for y in range(top, bottom):
            column.putpixel((0, y), mix(upper, lower, (y - top) / max(1, bottom - top - 1)))
    return column.resize((size, size))


def _dots(color: Rgb, count: int, top: float, bottom: float, radius: float) -> Decorate:
    def decorate(draw: Draw, size: int, rng: random.Random) -> None:
        for _ in range(count):
            x, y = rng.random() * size, (top + rng.random() * (bottom - top)) * size
            reach = max(1.0, radius * size * (0.6 + 0.8 * rng.random()))
            draw.ellipse((round(x - reach), round(y - reach), round(x + reach), round(y + reach)), color)

    return decorate


def _strokes(color: Rgb, count: int, top: float, bottom: float, lean: float, rise: float) -> Decorate:
    """Draw short strokes such as grass (leaning, rising) or waves (horizontal)."""

    def decorate(draw: Draw, size: int, rng: random.Random) -> None:
        for _ in range(count):
            x, y = rng.random() * size, (top + rng.random() * (bottom - top)) * size
            span = size * (0.7 + 0.6 * rng.random())
            draw.line(
                (round(x), round(y), round(x + lean * span), round(y - rise * span)),
                color,
                max(1, size // 128),
            )

    return decorate


def _hills(color: Rgb, base: float) -> Decorate:
    """Draw far hills that end at the horizon `base`."""

    def decorate(draw: Draw, size: int, rng: random.Random) -> None:
        for _ in range(3):
            x, wide, high = (
                rng.random() * size,
                (0.2 + 0.2 * rng.random()) * size,
                (0.05 + 0.07 * rng.random()) * size,
            )
            box = (round(x - wide), round(base * size - high), round(x + wide), round(base * size + high))
            draw.pieslice(box, 180, 360, color)

    return decorate


GROUND = 0.75
"""Share of the height where the ground begins behind one tall thing: the border of cell rows 5 and 6."""

WIDE = 0.3125
"""Share of the height where the ground begins behind many small things, so that it includes the middle
row."""

_Bands = tuple[tuple[float, Rgb, Rgb], ...]
_Background = tuple[_Bands, tuple[Decorate, ...]]


def _open_air(horizon: float) -> dict[str, _Background]:
    """Return the five outdoor backgrounds with their ground below `horizon`."""
    low = horizon + 0.05
    return {
        "meadow": (
            ((0.0, (196, 226, 246), (236, 246, 250)), (horizon, (204, 228, 164), (182, 214, 140))),
            (_hills((214, 232, 206), horizon), _strokes((158, 194, 118), 24, low, 1.0, 0.012, 0.035)),
        ),
        "beach": (
            (
                (0.0, (190, 230, 244), (232, 247, 250)),
                (horizon * 0.66, (140, 202, 222), (168, 218, 230)),
                (horizon, (250, 230, 180), (244, 216, 156)),
            ),
            (
                _strokes((204, 236, 242), 10, horizon * 0.7, horizon * 0.97, 0.08, 0.0),
                _dots((230, 200, 140), 24, low, 1.0, 0.005),
            ),
        ),
        "snow": (
            ((0.0, (206, 216, 236), (234, 238, 248)), (horizon, (248, 250, 253), (226, 234, 246))),
            (_hills((222, 228, 242), horizon), _dots((252, 253, 255), 30, 0.0, horizon, 0.008)),
        ),
        "night": (
            ((0.0, (72, 78, 128), (122, 118, 168)), (horizon, (108, 132, 128), (88, 114, 114))),
            (
                _dots((238, 232, 200), 22, 0.0, horizon * 0.8, 0.005),
                _strokes((76, 102, 104), 20, low, 1.0, 0.012, 0.035),
            ),
        ),
        "sunset": (
            ((0.0, (250, 200, 176), (253, 232, 196)), (horizon, (202, 186, 150), (182, 164, 132))),
            (_hills((234, 196, 184), horizon), _strokes((162, 142, 112), 20, low, 1.0, 0.012, 0.035)),
        ),
    }


BACKGROUNDS: dict[str, _Background] = {
    **_open_air(GROUND),
    **{f"{name}_wide": background for name, background in _open_air(WIDE).items()},
    "paper": (
        ((0.0, (253, 247, 232), (249, 240, 220)),),
        (_dots((240, 228, 202), 26, 0.0, 1.0, 0.006), _strokes((242, 231, 208), 12, 0.0, 1.0, 0.1, 0.02)),
    ),
    "sea": (
        ((0.0, (204, 232, 248), (238, 248, 252)), (GROUND, (116, 184, 216), (86, 156, 200))),
        (_dots((248, 252, 254), 6, 0.1, 0.4, 0.02), _strokes((176, 218, 236), 18, 0.79, 0.98, 0.07, 0.0)),
    ),
    "table": (
        ((0.0, (246, 236, 224), (240, 226, 210)), (0.875, (206, 164, 122), (186, 142, 102))),
        (_dots((234, 218, 198), 22, 0.02, 0.84, 0.008), _strokes((174, 130, 92), 9, 0.9, 1.0, 0.14, 0.0)),
    ),
    "map": (
        ((0.0, (244, 236, 206), (236, 226, 190)),),
        (_dots((216, 226, 176), 20, 0.0, 1.0, 0.014), _strokes((222, 208, 166), 14, 0.0, 1.0, 0.06, 0.02)),
    ),
}

OUTDOORS = ("meadow", "beach", "snow", "night", "sunset")
"""The backgrounds with a sky and a ground; each has a `_wide` form too."""

SETTINGS = {
    "meadow": "in the meadow",
    "beach": "on the beach",
    "snow": "in the snow",
    "night": "at night",
    "sunset": "at sunset",
    "paper": "on paper",
    "sea": "at sea",
}
"""How texts name a background (without its `_wide`)."""


@lru_cache(maxsize=4)
def paint(background: str, decor: int | None, size: int) -> Image.Image:
    """Return the background, size x size pixels, without decor if it is None. The last few are cached,
    because all images of a document share one. Callers copy the image before they draw on it."""
    _, decorations = BACKGROUNDS[background]
    image = _plain(background, size).copy()
    draw = ImageDraw.Draw(image)
    rng = stream("decor", decor)
    for decorate in decorations if decor is not None else ():
        decorate(draw, size, rng)
    if background == "map":
        roads(draw, size, (253, 250, 236))
    return image


@lru_cache(maxsize=32)
def _plain(background: str, size: int) -> Image.Image:
    return _bands(size, BACKGROUNDS[background][0])


def roads(draw: Draw, size: int, color: Rgb) -> None:
    """Draw the streets of a map, through the middles of the nine blocks of 2 x 2 cells."""
    half = size // 32
    for cells in (1, 4, 7):
        middle = cells * size // 8
        draw.rectangle((size // 16, middle - half, size - size // 16, middle + half), color)
        draw.rectangle((middle - half, size // 16, middle + half, size - size // 16), color)
