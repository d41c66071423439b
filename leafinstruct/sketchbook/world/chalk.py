"""Style `chalk`: the same scenes on a dark board, with hatched bodies and firm edges in a lighter color.

It answers one question: can a model that has learned `pencil` learn a style whose colors, edges and texture
are all local and all new? So the geometry is the same to the pixel, and only the look of each cell differs.
The hatching has a whole number of strokes per cell, so equally filled cells look equal, which a patch-local
tokenizer can learn.
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
"""Color on the board of everything that is ink on paper."""

STROKE = 0.017
"""Width of an edge as a share of the side: 1.1 px at 64 px, wider than a pencil's, because it shows the
color."""

STRIPES = 2
"""Strokes of the hatching per cell."""


def _edge(color: Rgb) -> Rgb:
    return CHALK if color == INK else mix(color, (255, 255, 255), 0.2)


def _body(share: float) -> Tones:
    """Return tones whose bodies are the board mixed with `share` of the color."""

    def body(color: Rgb) -> Rgb:
        return CHALK if color == INK else mix(BOARD, color, share)

    return Tones(body, _edge, _edge)


FAINT, FIRM = _body(0.22), _body(0.66)
"""Tones between the strokes of the hatching, and under them."""


@lru_cache(maxsize=16)
def board(background: str, size: int) -> Image.Image:
    """Return the board, size x size pixels; only a map's background shows on it, as streets. Callers copy
    it."""
    image = Image.new("RGB", (size, size), BOARD)
    if background == "map":
        roads(ImageDraw.Draw(image), size, mix(BOARD, CHALK, 0.22))
    return image


@lru_cache(maxsize=16)
def hatching(size: int) -> Image.Image:
    """Return the mask of the strokes, size x size: slanting lines that continue from cell to cell."""
    period = size / (CELLS * STRIPES)
    row = [255 if (x % period) < period * 0.45 else 0 for x in range(size)]
    mask = Image.new("L", (size, size))
    mask.putdata([row[(x + y) % size] for y in range(size) for x in range(size)])
    return mask
