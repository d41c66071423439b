"""Layers that are stacked, and the symbols of a map (marker, lit block, arrows)."""

from __future__ import annotations

from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import light, shade
from leafinstruct.sketchbook.world.pen import Pen


def plate(pen: Pen) -> None:
    pen.polygon([(0.3, 0.3), (0.7, 0.3), (0.8, 1.0), (0.2, 1.0)], shade(pen.color))
    pen.box(0.0, 0.0, 1.0, 0.42, round_by=0.2)


def block(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.line([(0.08, 0.24), (0.6, 0.24)], light(pen.color), 1.6)


def plank(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.line([(0.06, 0.4), (0.5, 0.4)], shade(pen.color))
    pen.line([(0.6, 0.72), (0.94, 0.72)], shade(pen.color))


def arch(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.dome(0.26, 0.34, 0.74, 1.0, (244, 232, 214))


def cone(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)])
    pen.line([(0.3, 0.76), (0.7, 0.76)], light(pen.color))


def cake(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0, round_by=0.2)
    pen.line([(0.04, 0.66), (0.96, 0.66)], shade(pen.color), 1.4)


def cream(pen: Pen) -> None:
    for index in range(4):
        pen.oval(index / 4 + 0.02, 0.3, (index + 1) / 4 - 0.02, 1.0)
    pen.box(0.0, 0.0, 1.0, 0.62, round_by=0.3)


def candle(pen: Pen) -> None:
    pen.box(0.4, 0.4, 0.6, 1.0)
    pen.oval(0.42, 0.0, 0.58, 0.4, (252, 190, 60))


def cherry(pen: Pen) -> None:
    pen.line([(0.52, 0.4), (0.64, 0.0)], shade((118, 184, 104)), 1.6)
    pen.oval(0.28, 0.24, 0.72, 1.0)


def bun(pen: Pen) -> None:
    pen.dome(0.0, 0.0, 1.0, 1.0)
    for x, y in ((0.3, 0.46), (0.5, 0.26), (0.7, 0.46), (0.42, 0.66), (0.62, 0.68)):
        pen.dot(x, y, 0.06, light(light(pen.color)))


def cheese(pen: Pen) -> None:
    pen.polygon([(0.0, 0.0), (1.0, 0.0), (0.86, 0.6), (0.7, 0.98), (0.54, 0.56), (0.3, 0.56), (0.16, 0.9)])


def salad(pen: Pen) -> None:
    edge = [(index / 10, 0.98 if index % 2 else 0.6) for index in range(10, -1, -1)]
    pen.polygon([(0.0, 0.0), (1.0, 0.0), *edge])


def scoop(pen: Pen) -> None:
    pen.oval(0.0, 0.0, 1.0, 1.0)
    pen.dot(0.3, 0.34, 0.1, light(light(pen.color)))


def ice_cone(pen: Pen) -> None:
    pen.polygon([(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])
    for shift in (0.25, 0.5):
        pen.line([(shift, 0.0), (0.5 + shift / 2, 1.0 - shift)], shade(pen.color))
        pen.line([(1 - shift, 0.0), (0.5 - shift / 2, 1.0 - shift)], shade(pen.color))


def ring(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0, round_by=0.5)
    pen.line([(0.14, 0.3), (0.7, 0.3)], light(pen.color), 1.8)


def marker(pen: Pen) -> None:
    """A pin that points down at its place."""
    pen.polygon([(0.14, 0.5), (0.86, 0.5), (0.5, 1.0)])
    pen.oval(0.06, 0.0, 0.94, 0.68)
    pen.oval(0.32, 0.2, 0.68, 0.48, (255, 252, 246))


def spot(pen: Pen) -> None:
    """The lit block of a map, on which the marker is; drawn below the landmark."""
    pen.box(0.0, 0.0, 1.0, 1.0, light(light(pen.color)), round_by=0.2)
    pen.box(0.05, 0.05, 0.95, 0.95, light(pen.color), round_by=0.18)


def _arrow(points: tuple[tuple[float, float], ...]) -> Callable[[Pen], None]:
    def draw(pen: Pen) -> None:
        pen.polygon(points)

    return draw


_UP = ((0.5, 0.08), (0.86, 0.52), (0.64, 0.52), (0.64, 0.92), (0.36, 0.92), (0.36, 0.52), (0.14, 0.52))

LAYERS: dict[str, Callable[[Pen], None]] = {
    "plate": plate,
    "block": block,
    "plank": plank,
    "arch": arch,
    "cone": cone,
    "cake": cake,
    "cream": cream,
    "candle": candle,
    "cherry": cherry,
    "bun": bun,
    "cheese": cheese,
    "salad": salad,
    "scoop": scoop,
    "ice_cone": ice_cone,
    "ring": ring,
}

MAP_SYMBOLS: dict[str, Callable[[Pen], None]] = {
    "marker": marker,
    "spot": spot,
    "arrow_up": _arrow(_UP),
    "arrow_down": _arrow(tuple((x, 1 - y) for x, y in _UP)),
    "arrow_left": _arrow(tuple((y, x) for x, y in _UP)),
    "arrow_right": _arrow(tuple((1 - y, x) for x, y in _UP)),
}
