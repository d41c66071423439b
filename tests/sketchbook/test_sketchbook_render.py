"""Drawings: deterministic, on the grid of 8 px cells at 64 px, different where the data differ."""

from __future__ import annotations

from itertools import combinations

import pytest
from PIL import ImageChops

from leafinstruct.sketchbook.world.backgrounds import BACKGROUNDS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.render import SHAPES, render
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

BOXES = ((2, 2, 2, 2), (1, 3, 4, 3), (0, 0, 1, 1), (1, 1, 6, 1), (5, 2, 1, 4))

FLUSH = (
    "wall",
    "roof",
    "door",
    "window",
    "hull",
    "rocket_body",
    "robot_body",
    "block",
    "plank",
    "ring",
    "tent",
    "house",
    "ball",
)
"""Kinds that fill their cells from edge to edge."""


def touched(item: Item, px: int) -> tuple[int, int, int, int]:
    """The box of pixels that drawing the item changes."""
    empty = Scene("meadow", 1)
    box = ImageChops.difference(render(empty, px), render(empty.add(item), px)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("px", [64, 128])
def test_a_thing_never_leaves_its_cells(kind, px):
    cell = px // CELLS
    for column, row, width, height in BOXES:
        left, top, right, bottom = touched(Item(kind, "red", column, row, width, height), px)
        assert left >= column * cell
        assert top >= row * cell
        assert right <= (column + width) * cell
        assert bottom <= (row + height) * cell


@pytest.mark.parametrize("kind", FLUSH)
def test_the_edges_of_a_full_shape_lie_on_cell_borders_at_64_px(kind):
    edges = touched(Item(kind, "red", 2, 3, 4, 2), 64)
    assert all(abs(edge - border) <= 1 for edge, border in zip(edges, (16, 24, 48, 40), strict=True))


@pytest.mark.parametrize("px", [16, 64, 100, 128, 256])
def test_one_scene_is_drawn_at_any_size_and_always_the_same(px):
    scene = Scene("beach", 7).add(Item("boat", "red", 2, 2, 4, 4))
    assert render(scene, px).size == (px, px)
    assert render(scene, px).tobytes() == render(scene, px).tobytes()


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_two_documents_never_share_a_background_to_the_pixel(background):
    assert render(Scene(background, 1), 64).tobytes() != render(Scene(background, 2), 64).tobytes()


def test_later_things_cover_earlier_ones():
    wall, door = Item("block", "red", 2, 2, 4, 4), Item("block", "blue", 3, 3, 2, 2)
    middle = render(Scene("paper", 1).add(wall, door), 64).getpixel((32, 34))
    assert middle == COLORS["blue"]


def test_named_colors_are_distinguishable():
    for one, other in combinations(COLORS, 2):
        assert max(abs(a - b) for a, b in zip(COLORS[one], COLORS[other], strict=True)) > 60, (one, other)
