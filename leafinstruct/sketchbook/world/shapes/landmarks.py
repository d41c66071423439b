"""Buildings and places of the maps, also seen from afar in stories: each a single thing of one color."""

from __future__ import annotations

from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Pen

CREAM = (250, 238, 214)
WOOD = COLORS["brown"]


def house(pen: Pen) -> None:
    pen.box(0.1, 0.44, 0.9, 1.0, light(pen.color))
    pen.polygon([(0.0, 0.48), (0.5, 0.0), (1.0, 0.48)])
    pen.box(0.42, 0.62, 0.62, 1.0, WOOD)


def tower(pen: Pen) -> None:
    pen.box(0.26, 0.26, 0.74, 1.0)
    for left in (0.18, 0.42, 0.66):
        pen.box(left, 0.02, left + 0.16, 0.26)
    pen.box(0.18, 0.16, 0.82, 0.34)
    pen.box(0.42, 0.48, 0.58, 0.68, INK)


def tent(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.5, 0.06), (1.0, 1.0)])
    pen.polygon([(0.32, 1.0), (0.5, 0.4), (0.68, 1.0)], shade(shade(pen.color)))


def bridge(pen: Pen) -> None:
    pen.box(0.0, 0.36, 1.0, 0.98)
    pen.dome(0.22, 0.58, 0.78, 0.98, (186, 222, 240))
    pen.box(0.0, 0.24, 1.0, 0.42, light(pen.color))


def well(pen: Pen) -> None:
    pen.box(0.16, 0.3, 0.24, 0.7, WOOD)
    pen.box(0.76, 0.3, 0.84, 0.7, WOOD)
    pen.polygon([(0.04, 0.36), (0.5, 0.02), (0.96, 0.36)])
    pen.box(0.12, 0.62, 0.88, 1.0, (196, 196, 198), round_by=0.1)


def shop(pen: Pen) -> None:
    pen.box(0.08, 0.3, 0.92, 1.0, CREAM)
    for index in range(4):
        pen.box(index / 4, 0.1, (index + 1) / 4, 0.44, pen.color if index % 2 == 0 else (255, 252, 246))
    pen.box(0.2, 0.56, 0.52, 0.82, (186, 222, 240))
    pen.box(0.62, 0.54, 0.82, 1.0, shade(pen.color))


def mill(pen: Pen) -> None:
    pen.polygon([(0.3, 0.34), (0.7, 0.34), (0.84, 1.0), (0.16, 1.0)])
    for ends in (((0.14, 0.04), (0.86, 0.72)), ((0.86, 0.04), (0.14, 0.72))):
        pen.line(ends, INK, 3.0)
        pen.line(ends, (255, 252, 246), 1.4)
    pen.dot(0.5, 0.38, 0.07, INK)


def gate(pen: Pen) -> None:
    pen.box(0.02, 0.18, 0.98, 1.0)
    pen.box(0.34, 0.52, 0.66, 1.0, shade(WOOD), round_by=0.0)
    pen.dome(0.34, 0.34, 0.66, 0.56, shade(WOOD))
    pen.box(0.02, 0.02, 0.22, 0.26)
    pen.box(0.4, 0.02, 0.6, 0.26)
    pen.box(0.78, 0.02, 0.98, 0.26)


LANDMARKS: dict[str, Callable[[Pen], None]] = {
    "house": house,
    "tower": tower,
    "tent": tent,
    "bridge": bridge,
    "well": well,
    "shop": shop,
    "mill": mill,
    "gate": gate,
}
