"""Style `chalk`: the same scenes on a dark board, firm edges in a lighter color round bodies that are only
hatched.

Made for one question: does a model that has learnt `pencil` take over a style whose colors, edges and texture
are all local and all new? So geometry is shared to the pixel, and only what a cell looks like inside differs.
The hatching is drawn in the image's own grid, with a whole number of strokes a cell: two cells that are
filled alike look alike, which is what a patch-local tokenizer can learn.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw

from leafinstruct.sketchbook.world.backgrounds import roads
from leafinstruct.sketchbook.world.palette import INK, Rgb, mix
from leafinstruct.sketchbook.world.pen import Tones
from leafinstruct.sketchbook.world.scene import CELLS

BOARD: Rgb = (36, 50, 48)
CHALK: Rgb = (236, 234, 222)
"""What is ink on paper is plain chalk on the board."""

STROKE = 0.017
"""Width of an edge as a share of the side: 1.1 px at 64 px, wider than a pencil's, since the edge carries the
color."""

STRIPES = 2
"""Strokes of the hatching a cell."""


def _edge(color: Rgb) -> Rgb:
    return CHALK if color == INK else mix(color, (255, 255, 255), 0.2)


def _body(share: float) -> Tones:
    """Tones whose bodies are the board with `share` of the color on it."""

    def body(color: Rgb) -> Rgb:
        return CHALK if color == INK else mix(BOARD, color, share)

    return Tones(body, _edge, _edge)


FAINT, FIRM = _body(0.22), _body(0.66)
"""Between the strokes of the hatching, and under them."""


@lru_cache(maxsize=16)
def board(background: str, size: int) -> Image.Image:
    """The board, size x size pixels; of all backgrounds only a map leaves something on it, its streets.
    Callers copy it."""
    image = Image.new("RGB", (size, size), BOARD)
    if background == "map":
        roads(ImageDraw.Draw(image), size, mix(BOARD, CHALK, 0.22))
    return image


@lru_cache(maxsize=16)
def hatching(size: int) -> Image.Image:
    """Where the strokes lie: a mask, size x size, of slanting lines that meet themselves again from cell to
    cell."""
    period = size / (CELLS * STRIPES)
    row = [255 if (x % period) < period * 0.45 else 0 for x in range(size)]
    mask = Image.new("L", (size, size))
    mask.putdata([row[(x + y) % size] for y in range(size) for x in range(size)])
    return mask
