"""Sky and garden: sun, moon, star, cloud, tree, bush, flower, mushroom, mountain, pond."""

from __future__ import annotations

import math

from leafinstruct.sketchbook.world.palette import COLORS, light, shade
from leafinstruct.sketchbook.world.pen import Drawing, Point, box, dome, dot, line, oval, own, polygon, unless

TRUNK = COLORS["brown"]
LEAF = (118, 184, 104)


def _star(count: int, inner: float) -> list[Point]:
    """Corners of a star that touches the unit box; `inner` is the ratio of the short radius to the long
    one."""
    return [
        _on_circle(0.5 if index % 2 == 0 else 0.5 * inner, math.pi * index / count - math.pi / 2)
        for index in range(2 * count)
    ]


def _on_circle(radius: float, angle: float, middle: float = 0.5) -> Point:
    return 0.5 + radius * math.cos(angle), middle + radius * math.sin(angle)


def _heart(angle: float) -> Point:
    x = 16 * math.sin(angle) ** 3
    y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return 0.5 + x / 34, 0.43 - y / 31


def _bow(width: float, steps: range) -> list[Point]:
    """Half of an ellipse, 0.12 left of the middle, with a corner every 15 degrees."""
    turns = [step * math.pi / 12 for step in steps]
    return [(0.5 + width * math.cos(turn) - 0.12, 0.5 + 0.5 * math.sin(turn)) for turn in turns]


NATURE: dict[str, Drawing] = {
    "sun": (polygon(_star(10, 0.72), light), oval(0.2, 0.2, 0.8, 0.8)),
    "moon": (polygon([*_bow(0.5, range(-6, 7)), *_bow(0.16, range(6, -7, -1))]),),
    "star": (polygon(_star(5, 0.48)),),
    "cloud": (
        oval(0.0, 0.44, 0.44, 0.86),
        oval(0.56, 0.44, 1.0, 0.86),
        oval(0.16, 0.24, 0.58, 0.72),
        oval(0.42, 0.14, 0.86, 0.72),
        *(dot(x, 0.7, 0.15, own) for x in (0.24, 0.37, 0.5, 0.63, 0.76)),
        line([(0.2, 0.86), (0.8, 0.86)]),
    ),
    "tree": (
        box(0.4, 0.6, 0.6, 1.0, TRUNK),
        oval(0.02, 0.22, 0.6, 0.74),
        oval(0.4, 0.22, 0.98, 0.74),
        oval(0.18, 0.0, 0.82, 0.56),
        dot(0.5, 0.46, 0.2, own),
    ),
    "bush": (
        oval(0.0, 0.4, 0.5, 1.0),
        oval(0.5, 0.4, 1.0, 1.0),
        oval(0.2, 0.2, 0.8, 1.0),
        *(
            dot(x, y, 0.05, light)
            for x, y in ((0.35, 0.5), (0.62, 0.46), (0.5, 0.76), (0.2, 0.72), (0.8, 0.72))
        ),
    ),
    "flower": (
        line([(0.5, 0.5), (0.5, 1.0)], shade(LEAF), 2.0),
        oval(0.5, 0.74, 0.82, 0.9, LEAF),
        *(
            oval(x - 0.15, y - 0.12, x + 0.15, y + 0.12)
            for x, y in (_on_circle(0.2, turn * math.pi / 3, 0.32) for turn in range(6))
        ),
        oval(0.38, 0.22, 0.62, 0.42, unless("yellow", TRUNK)),
    ),
    "mushroom": (
        box(0.36, 0.46, 0.64, 1.0, (250, 238, 214), round_by=0.12),
        dome(0.0, 0.0, 1.0, 0.6),
        *(dot(x, y, 0.07, (255, 252, 246)) for x, y in ((0.3, 0.36), (0.52, 0.2), (0.74, 0.4))),
    ),
    "mountain": (
        polygon([(0.0, 1.0), (0.62, 0.0), (1.0, 1.0)]),
        polygon([(0.44, 0.3), (0.62, 0.0), (0.73, 0.3), (0.64, 0.24), (0.56, 0.34)], (252, 252, 252)),
    ),
    "pond": (
        oval(0.0, 0.14, 1.0, 0.96),
        *(line([(0.26, y), (0.4, y - 0.06), (0.54, y), (0.68, y - 0.06)], light) for y in (0.42, 0.66)),
    ),
    "heart": (polygon([_heart(step * math.pi / 12) for step in range(24)]),),
}
