"""`image.tiling`: repeated words over any content and at any angle, and regular images that have none."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont

from leafinstruct.filter.scores.pixels.tiling import tiling

SIDE = 256
BOUND = 0.08
"""Of pipelines/strict.yaml."""
Y, X = np.mgrid[:SIDE, :SIDE]


def score(image: Pil.Image) -> float:
    return tiling(np.asarray(image.convert("L"), np.float32))


def gray(levels: np.ndarray) -> Pil.Image:
    return Pil.fromarray(np.clip(levels.round(), 0, 255).astype(np.uint8))


def blank(level: int = 255) -> tuple[Pil.Image, ImageDraw.ImageDraw]:
    image = Pil.new("L", (SIDE, SIDE), level)
    return image, ImageDraw.Draw(image)


def photo(deviation: float = 4) -> Pil.Image:
    """Sums of waves of random direction, and noise."""
    rng = np.random.default_rng(3)
    waves = sum(np.sin(2 * np.pi * (a * X + b * Y) / SIDE + c) for a, b, c in rng.uniform(-4, 4, (6, 3)))
    return gray(127.5 + 87.5 * waves / np.abs(waves).max() + rng.normal(0, deviation, (SIDE, SIDE)))


def slide() -> Pil.Image:
    image, draw = blank()
    rng = random.Random(1)
    for top in range(8, SIDE, 16):
        words = " ".join("".join(rng.choices("aeinrstmlo", k=rng.randint(2, 8))) for _ in range(6))
        draw.text((8, top), words, 20, ImageFont.load_default(11))
    return image


def bricks() -> Pil.Image:
    image, draw = blank(140)
    rng = np.random.default_rng(0)
    for row, top in enumerate(range(0, SIDE, 24)):
        for left in range(-30 * (row % 2), SIDE, 60):
            draw.rectangle((left + 2, top + 2, left + 57, top + 21), int(rng.integers(70, 110)))
    return gray(np.asarray(image, float) + rng.normal(0, 4, (SIDE, SIDE)))


def fabric(pitch: int) -> Pil.Image:
    over, under = np.sin(np.pi * (X % pitch) / pitch), np.sin(np.pi * (Y % pitch) / pitch)
    return gray(128 + 60 * np.where((X // pitch + Y // pitch) % 2, over, under))


def chess_board(cell: int) -> Pil.Image:
    image, draw = blank(235)
    for column, row in np.ndindex(SIDE // cell + 1, SIDE // cell + 1):
        left, top = column * cell, row * cell
        if (column + row) % 2:
            draw.rectangle((left, top, left + cell - 1, top + cell - 1), 90)
        if row in (0, 1, 6, 7):
            draw.ellipse((left + 6, top + 6, left + cell - 7, top + cell - 7), 20 if row < 2 else 250)
    return image


def table() -> Pil.Image:
    image, draw = blank()
    rng = random.Random(1)
    for top in range(0, SIDE, 18):
        draw.line((0, top, SIDE, top), 150)
        for left in range(0, SIDE, 51):
            draw.text((left + 4, top + 3), str(rng.randrange(1000)), 0, ImageFont.load_default(11))
    for left in range(0, SIDE, 51):
        draw.line((left, 0, left, SIDE), 150)
    return image


def halftone(pitch: int, degrees: float) -> Pil.Image:
    turn = np.deg2rad(degrees)
    across = (X * np.cos(turn) + Y * np.sin(turn)) * 2 * np.pi / pitch
    down = (Y * np.cos(turn) - X * np.sin(turn)) * 2 * np.pi / pitch
    level = np.asarray(photo(0), float) / 255
    return gray(np.where(level > 0.5 + 0.25 * (np.cos(across) + np.cos(down)), 240.0, 15.0))


def keyboard() -> Pil.Image:
    image, draw = blank(60)
    for row, letters in enumerate(("QWERTYUI", "ASDFGHJK", "ZXCVBNM,", "12345678")):
        for column, letter in enumerate(letters):
            left, top = 8 * row + column * 30, 20 + row * 32
            draw.rounded_rectangle((left, top, left + 26, top + 28), 4, 230)
            draw.text((left + 8, top + 5), letter, 20, ImageFont.load_default(14))
    return image


def lamps() -> Pil.Image:
    image, draw = blank()
    for column, row in np.ndindex(5, 5):
        left, top = 20 + column * 44, 20 + row * 44
        draw.rounded_rectangle((left, top, left + 24, top + 32), 4, 90 if column == row else 210, 0, 2)
    return image


def grid(pitch: int) -> Pil.Image:
    image, draw = blank()
    for at in range(0, SIDE, pitch):
        draw.line((at, 0, at, SIDE), 120)
        draw.line((0, at, SIDE, at), 120)
    return image


def marked(image: Pil.Image, angle: float = 0, alpha: int = 110, size: int = 20) -> Pil.Image:
    """Pale words over an image, in rows that are shifted by half a step."""
    layer = Pil.new("RGBA", (3 * SIDE, 3 * SIDE), (0, 0, 0, 0))
    draw, right, down = ImageDraw.Draw(layer), size * 11 // 2, size * 14 // 5
    for row, top in enumerate(range(0, 3 * SIDE, down)):
        for left in range(-(right // 2) * (row % 2), 3 * SIDE, right):
            white, dark = (255, 255, 255, alpha), (70, 70, 70, alpha)
            draw.text(
                (left, top), "PREVIEW", white, ImageFont.load_default(size), stroke_width=1, stroke_fill=dark
            )
    turned = layer.rotate(angle, resample=Pil.Resampling.BICUBIC).crop((SIDE, SIDE, 2 * SIDE, 2 * SIDE))
    return Pil.alpha_composite(image.convert("RGBA"), turned)


@pytest.mark.parametrize("angle", [0, 20, 45, 90])
@pytest.mark.parametrize(("base", "alpha"), [(photo, 110), (slide, 160)], ids=["photo", "text"])
def test_repeated_words_are_found_at_any_angle(base: Callable[[], Pil.Image], alpha: int, angle: float):
    assert score(base()) < 0.05
    assert score(marked(base(), angle, alpha)) > 0.12


def test_pale_and_small_words_are_found_too():
    assert min(score(marked(photo(), 30, alpha)) for alpha in (40, 60, 80)) > BOUND
    assert min(score(marked(photo(), 30, size=size)) for size in (12, 16, 26)) > BOUND


def test_a_word_once_or_in_one_row_is_no_tiling():
    once, row = photo(), photo()
    for image, places in ((once, (60,)), (row, (0, 85, 170))):
        for left in places:
            ImageDraw.Draw(image).text((left, 120), "PREVIEW", 255, ImageFont.load_default(18))
    assert score(once) < BOUND
    assert score(row) < BOUND


REGULAR = {
    "bricks": bricks,
    **{f"fabric of {pitch} px": partial(fabric, pitch) for pitch in (6, 9, 12)},
    **{f"chess board of {cell} px": partial(chess_board, cell) for cell in (24, 32)},
    "table": table,
    **{f"dots of {pitch} px": partial(halftone, pitch, turn) for pitch, turn in ((6, 45), (8, 30), (10, 15))},
    "keyboard": keyboard,
    "lamps": lamps,
    **{f"grid of {pitch} px": partial(grid, pitch) for pitch in (20, 40)},
}


@pytest.mark.parametrize("name", REGULAR)
def test_regular_images_are_not_watermarked(name: str):
    assert score(REGULAR[name]()) < BOUND / 2


@pytest.mark.parametrize("shape", [(1, 1), (39, 400), (40, 40), (40, 256), (256, 43)])
def test_images_of_any_shape_have_a_score(shape: tuple[int, int]):
    levels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    assert tiling(levels) < BOUND
    assert tiling(np.full(shape, 7, np.float32)) == 0
