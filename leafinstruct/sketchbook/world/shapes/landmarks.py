"""Buildings and places of the maps, also seen from afar in stories: each a single thing of one color."""

from __future__ import annotations

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Drawing, box, darkest, dome, dot, line, own, polygon

CREAM = (250, 238, 214)
GLASS = (186, 222, 240)
WHITE = (255, 252, 246)
WOOD = COLORS["brown"]

LANDMARKS: dict[str, Drawing] = {
    "house": (
        box(0.1, 0.44, 0.9, 1.0, light),
        polygon([(0.0, 0.48), (0.5, 0.0), (1.0, 0.48)]),
        box(0.42, 0.62, 0.62, 1.0, WOOD),
    ),
    "tower": (
        box(0.26, 0.26, 0.74, 1.0),
        *(box(left, 0.02, left + 0.16, 0.26) for left in (0.18, 0.42, 0.66)),
        box(0.18, 0.16, 0.82, 0.34),
        box(0.42, 0.48, 0.58, 0.68, INK),
    ),
    "tent": (
        polygon([(0.0, 1.0), (0.5, 0.06), (1.0, 1.0)]),
        polygon([(0.32, 1.0), (0.5, 0.4), (0.68, 1.0)], darkest),
    ),
    "bridge": (
        box(0.0, 0.36, 1.0, 0.98),
        dome(0.22, 0.58, 0.78, 0.98, GLASS),
        box(0.0, 0.24, 1.0, 0.42, light),
    ),
    "well": (
        box(0.16, 0.3, 0.24, 0.7, WOOD),
        box(0.76, 0.3, 0.84, 0.7, WOOD),
        polygon([(0.04, 0.36), (0.5, 0.02), (0.96, 0.36)]),
        box(0.12, 0.62, 0.88, 1.0, (196, 196, 198), round_by=0.1),
    ),
    "shop": (
        box(0.08, 0.3, 0.92, 1.0, CREAM),
        *(box(index / 4, 0.1, (index + 1) / 4, 0.44, own if index % 2 == 0 else WHITE) for index in range(4)),
        box(0.2, 0.56, 0.52, 0.82, GLASS),
        box(0.62, 0.54, 0.82, 1.0, shade),
    ),
    "mill": (
        polygon([(0.3, 0.34), (0.7, 0.34), (0.84, 1.0), (0.16, 1.0)]),
        *(
            stroke
            for ends in (((0.14, 0.04), (0.86, 0.72)), ((0.86, 0.04), (0.14, 0.72)))
            for stroke in (line(ends, INK, 3.0), line(ends, WHITE, 1.4))
        ),
        dot(0.5, 0.38, 0.07, INK),
    ),
    "gate": (
        box(0.02, 0.18, 0.98, 1.0),
        box(0.34, 0.52, 0.66, 1.0, shade(WOOD), round_by=0.0),
        dome(0.34, 0.34, 0.66, 0.56, shade(WOOD)),
        box(0.02, 0.02, 0.22, 0.26),
        box(0.4, 0.02, 0.6, 0.26),
        box(0.78, 0.02, 0.98, 0.26),
    ),
}
