"""Layers that are stacked, and the symbols of a map (marker, lit block, arrows)."""

from __future__ import annotations

from leafinstruct.sketchbook.world.palette import light, shade
from leafinstruct.sketchbook.world.pen import Drawing, box, dome, dot, lightest, line, oval, polygon

_UP = ((0.5, 0.08), (0.86, 0.52), (0.64, 0.52), (0.64, 0.92), (0.36, 0.92), (0.36, 0.52), (0.14, 0.52))

LAYERS: dict[str, Drawing] = {
    "plate": (
        polygon([(0.3, 0.3), (0.7, 0.3), (0.8, 1.0), (0.2, 1.0)], shade),
        box(0.0, 0.0, 1.0, 0.42, round_by=0.2),
    ),
    "block": (box(0.0, 0.0, 1.0, 1.0), line([(0.08, 0.24), (0.6, 0.24)], light, 1.6)),
    "plank": (
        box(0.0, 0.0, 1.0, 1.0),
        line([(0.06, 0.4), (0.5, 0.4)], shade),
        line([(0.6, 0.72), (0.94, 0.72)], shade),
    ),
    "arch": (box(0.0, 0.0, 1.0, 1.0), dome(0.26, 0.34, 0.74, 1.0, (244, 232, 214))),
    "cone": (polygon([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)]), line([(0.3, 0.76), (0.7, 0.76)], light)),
    "cake": (box(0.0, 0.0, 1.0, 1.0, round_by=0.2), line([(0.04, 0.66), (0.96, 0.66)], shade, 1.4)),
    "cream": (
        *(oval(index / 4 + 0.02, 0.3, (index + 1) / 4 - 0.02, 1.0) for index in range(4)),
        box(0.0, 0.0, 1.0, 0.62, round_by=0.3),
    ),
    "candle": (box(0.4, 0.4, 0.6, 1.0), oval(0.42, 0.0, 0.58, 0.4, (252, 190, 60))),
    "cherry": (line([(0.52, 0.4), (0.64, 0.0)], shade((118, 184, 104)), 1.6), oval(0.28, 0.24, 0.72, 1.0)),
    "bun": (
        dome(0.0, 0.0, 1.0, 1.0),
        *(
            dot(x, y, 0.06, lightest)
            for x, y in ((0.3, 0.46), (0.5, 0.26), (0.7, 0.46), (0.42, 0.66), (0.62, 0.68))
        ),
    ),
    "cheese": (
        polygon([(0.0, 0.0), (1.0, 0.0), (0.86, 0.6), (0.7, 0.98), (0.54, 0.56), (0.3, 0.56), (0.16, 0.9)]),
    ),
    "salad": (
        polygon(
            [
                (0.0, 0.0),
                (1.0, 0.0),
                *((index / 10, 0.98 if index % 2 else 0.6) for index in range(10, -1, -1)),
            ]
        ),
    ),
    "scoop": (oval(0.0, 0.0, 1.0, 1.0), dot(0.3, 0.34, 0.1, lightest)),
    "ice_cone": (
        polygon([(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)]),
        *(
            stroke
            for shift in (0.25, 0.5)
            for stroke in (
                line([(shift, 0.0), (0.5 + shift / 2, 1.0 - shift)], shade),
                line([(1 - shift, 0.0), (0.5 - shift / 2, 1.0 - shift)], shade),
            )
        ),
    ),
    "ring": (box(0.0, 0.0, 1.0, 1.0, round_by=0.5), line([(0.14, 0.3), (0.7, 0.3)], light, 1.8)),
}

MAP_SYMBOLS: dict[str, Drawing] = {
    # a pin that points down at its place
    "marker": (
        polygon([(0.14, 0.5), (0.86, 0.5), (0.5, 1.0)]),
        oval(0.06, 0.0, 0.94, 0.68),
        oval(0.32, 0.2, 0.68, 0.48, (255, 252, 246)),
    ),
    # the lit block of a map, on which the marker is; drawn below the landmark
    "spot": (
        box(0.0, 0.0, 1.0, 1.0, lightest, round_by=0.2),
        box(0.05, 0.05, 0.95, 0.95, light, round_by=0.18),
    ),
    "arrow_up": (polygon(_UP),),
    "arrow_down": (polygon([(x, 1 - y) for x, y in _UP]),),
    "arrow_left": (polygon([(y, x) for x, y in _UP]),),
    "arrow_right": (polygon([(1 - y, x) for x, y in _UP]),),
}
