"""Sky and garden: sun, moon, star, cloud, tree, bush, flower, mushroom, mountain, pond."""

from __future__ import annotations

import math
from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import COLORS, light, shade
from leafinstruct.sketchbook.world.pen import Pen

TRUNK = COLORS["brown"]
LEAF = (118, 184, 104)


def spikes(count: int, inner: float) -> list[tuple[float, float]]:
    """Corners of a star that touches the unit box; `inner` is the ratio of the short radius to the long
    one."""
    points = []
    for index in range(2 * count):
        radius = 0.5 if index % 2 == 0 else 0.5 * inner
        angle = math.pi * index / count - math.pi / 2
        points.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
    return points


def sun(pen: Pen) -> None:
    pen.polygon(spikes(10, 0.72), light(pen.color))
    pen.oval(0.2, 0.2, 0.8, 0.8)


def moon(pen: Pen) -> None:
    curve = [
        (0.5 + 0.5 * math.cos(a * math.pi / 12), 0.5 + 0.5 * math.sin(a * math.pi / 12)) for a in range(-6, 7)
    ]
    inside = [
        (0.5 + 0.16 * math.cos(a * math.pi / 12), 0.5 + 0.5 * math.sin(a * math.pi / 12))
        for a in range(6, -7, -1)
    ]
    pen.polygon([(x - 0.12, y) for x, y in (*curve, *inside)])


def star(pen: Pen) -> None:
    pen.polygon(spikes(5, 0.48))


def cloud(pen: Pen) -> None:
    pen.oval(0.0, 0.44, 0.44, 0.86)
    pen.oval(0.56, 0.44, 1.0, 0.86)
    pen.oval(0.16, 0.24, 0.58, 0.72)
    pen.oval(0.42, 0.14, 0.86, 0.72)
    for x in (0.24, 0.37, 0.5, 0.63, 0.76):
        pen.dot(x, 0.7, 0.15, pen.color)
    pen.line([(0.2, 0.86), (0.8, 0.86)])


def tree(pen: Pen) -> None:
    pen.box(0.4, 0.6, 0.6, 1.0, TRUNK)
    pen.oval(0.02, 0.22, 0.6, 0.74)
    pen.oval(0.4, 0.22, 0.98, 0.74)
    pen.oval(0.18, 0.0, 0.82, 0.56)
    pen.dot(0.5, 0.46, 0.2, pen.color)


def bush(pen: Pen) -> None:
    pen.oval(0.0, 0.4, 0.5, 1.0)
    pen.oval(0.5, 0.4, 1.0, 1.0)
    pen.oval(0.2, 0.2, 0.8, 1.0)
    for x, y in ((0.35, 0.5), (0.62, 0.46), (0.5, 0.76), (0.2, 0.72), (0.8, 0.72)):
        pen.dot(x, y, 0.05, light(pen.color))


def flower(pen: Pen) -> None:
    pen.line([(0.5, 0.5), (0.5, 1.0)], shade(LEAF), 2.0)
    pen.oval(0.5, 0.74, 0.82, 0.9, LEAF)
    for turn in range(6):
        x, y = 0.5 + 0.2 * math.cos(turn * math.pi / 3), 0.32 + 0.2 * math.sin(turn * math.pi / 3)
        pen.oval(x - 0.15, y - 0.12, x + 0.15, y + 0.12)
    pen.oval(0.38, 0.22, 0.62, 0.42, COLORS["yellow"] if pen.color != COLORS["yellow"] else TRUNK)


def mushroom(pen: Pen) -> None:
    pen.box(0.36, 0.46, 0.64, 1.0, (250, 238, 214), round_by=0.12)
    pen.dome(0.0, 0.0, 1.0, 0.6)
    for x, y in ((0.3, 0.36), (0.52, 0.2), (0.74, 0.4)):
        pen.dot(x, y, 0.07, (255, 252, 246))


def mountain(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.62, 0.0), (1.0, 1.0)])
    pen.polygon([(0.44, 0.3), (0.62, 0.0), (0.73, 0.3), (0.64, 0.24), (0.56, 0.34)], (252, 252, 252))


def pond(pen: Pen) -> None:
    pen.oval(0.0, 0.14, 1.0, 0.96)
    for y in (0.42, 0.66):
        pen.line([(0.26, y), (0.4, y - 0.06), (0.54, y), (0.68, y - 0.06)], light(pen.color))


def heart(pen: Pen) -> None:
    curve = []
    for step in range(24):
        angle = step * math.pi / 12
        x = 16 * math.sin(angle) ** 3
        y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
        curve.append((0.5 + x / 34, 0.43 - y / 31))
    pen.polygon(curve)


NATURE: dict[str, Callable[[Pen], None]] = {
    "sun": sun,
    "moon": moon,
    "star": star,
    "cloud": cloud,
    "tree": tree,
    "bush": bush,
    "flower": flower,
    "mushroom": mushroom,
    "mountain": mountain,
    "pond": pond,
    "heart": heart,
}
