"""Render a scene as an image of any size, with Pillow only.

Images are drawn four times as large (three times for 192 px and more) and averaged down, which is enough
antialiasing for flat shapes: about 0.6 ms per image at 128 px. Refused: cairo and skia, which draw finer
lines but are native dependencies; matplotlib, which is many times slower.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from PIL import Image, ImageDraw

from leafinstruct.sketchbook.world import chalk
from leafinstruct.sketchbook.world.backgrounds import paint
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.pen import PENCIL, Drawing, Pen, Tones
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene
from leafinstruct.sketchbook.world.shapes.creatures import CREATURES
from leafinstruct.sketchbook.world.shapes.landmarks import LANDMARKS
from leafinstruct.sketchbook.world.shapes.layers import LAYERS, MAP_SYMBOLS
from leafinstruct.sketchbook.world.shapes.nature import NATURE
from leafinstruct.sketchbook.world.shapes.parts import PARTS
from leafinstruct.sketchbook.world.shapes.toys import TOYS

SHAPES: dict[str, Drawing] = {**NATURE, **CREATURES, **LANDMARKS, **TOYS, **PARTS, **LAYERS, **MAP_SYMBOLS}
"""Every kind of an Item, and its strokes in their order."""

STROKE = 0.011
"""Width of an outline as a share of the image's side: 0.7 px at 64 px, 1.4 px at 128 px."""


Style = Literal["pencil", "chalk", "shadow"]
"""shadow: pencil with a shadow of every thing, its shape in grey, one cell to the right and one down, below
all things. So nearly all patches occur in pencil drawings (for a patch-local tokenizer, 97% of cells have a
code of pencil drawings), but in new combinations."""


def render(scene: Scene, px: int, style: Style = "pencil") -> Image.Image:
    """Render a scene as an RGB image of px x px pixels (any px >= 16; cells are whole pixels if px is a
    multiple of 8)."""
    factor = 4 if px < 192 else 3
    size = px * factor
    if style != "chalk":
        items = scene.items if style == "pencil" else (*map(_shadow, scene.items), *scene.items)
        image = _drawn(
            replace(scene, items=items), paint(scene.background, scene.decor, size).copy(), STROKE, PENCIL
        )
    else:
        faint, firm = (
            _drawn(scene, chalk.board(scene.background, size).copy(), chalk.STROKE, tones)
            for tones in (chalk.FAINT, chalk.FIRM)
        )
        image = Image.composite(firm, faint, chalk.hatching(size))
    return image.reduce(factor)


def _shadow(item: Item) -> Item:
    return item.painted("grey").at(item.column + 1, item.row + 1)


def _drawn(scene: Scene, image: Image.Image, stroke: float, tones: Tones) -> Image.Image:
    """Draw the scene's things on the image, in order. stroke: a share of the side."""
    size, draw = image.width, ImageDraw.Draw(image)
    width = max(2, round(stroke * size))
    for item in scene.items:
        box = (
            item.column * size // CELLS,
            item.row * size // CELLS,
            (item.column + item.width) * size // CELLS,
            (item.row + item.height) * size // CELLS,
        )
        pen = Pen(draw, box, COLORS[item.color], width, tones)
        for apply in SHAPES[item.kind]:
            apply(pen)
    return image
