"""The characters of the stories, each recognizable at 16 px by its outline and named by its own color."""

from __future__ import annotations

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Drawing, box, dot, line, oval, polygon, unless


def eyes(left: float, right: float, y: float) -> Drawing:
    return tuple(dot(x, y, 0.055, INK) for x in (left, right))


CREATURES: dict[str, Drawing] = {
    "cat": (
        line([(0.8, 0.9), (0.96, 0.7), (0.9, 0.5)], shade, 2.4),
        oval(0.2, 0.5, 0.84, 1.0),
        polygon([(0.14, 0.32), (0.18, 0.0), (0.44, 0.2)]),
        polygon([(0.86, 0.32), (0.82, 0.0), (0.56, 0.2)]),
        oval(0.12, 0.12, 0.88, 0.66),
        *eyes(0.36, 0.64, 0.36),
        line([(0.42, 0.5), (0.5, 0.54), (0.58, 0.5)], INK),
    ),
    "dog": (
        box(0.26, 0.54, 0.78, 1.0, round_by=0.2),
        oval(0.16, 0.06, 0.84, 0.66),
        oval(0.02, 0.1, 0.28, 0.62, shade),
        oval(0.72, 0.1, 0.98, 0.62, shade),
        oval(0.34, 0.36, 0.66, 0.62, light),
        dot(0.5, 0.43, 0.07, INK),
        *eyes(0.38, 0.62, 0.27),
    ),
    "rabbit": (
        oval(0.24, 0.0, 0.46, 0.5),
        oval(0.54, 0.0, 0.76, 0.5),
        oval(0.16, 0.56, 0.84, 1.0),
        oval(0.2, 0.3, 0.8, 0.76),
        *eyes(0.38, 0.62, 0.48),
        dot(0.5, 0.6, 0.05, unless("pink", INK)),
    ),
    "bear": (
        oval(0.12, 0.04, 0.4, 0.32),
        oval(0.6, 0.04, 0.88, 0.32),
        oval(0.14, 0.52, 0.86, 1.0),
        oval(0.28, 0.62, 0.72, 0.98, light),
        oval(0.16, 0.1, 0.84, 0.66),
        oval(0.36, 0.38, 0.64, 0.6, light),
        dot(0.5, 0.44, 0.06, INK),
        *eyes(0.36, 0.64, 0.3),
    ),
    "duck": (
        polygon([(0.74, 0.26), (1.0, 0.34), (0.74, 0.42)], unless("orange", COLORS["yellow"])),
        oval(0.0, 0.44, 0.86, 0.98),
        oval(0.42, 0.06, 0.82, 0.56),
        oval(0.16, 0.56, 0.58, 0.84, shade),
        dot(0.66, 0.26, 0.055, INK),
    ),
    "bird": (
        polygon([(0.84, 0.34), (1.0, 0.44), (0.82, 0.5)], unless("orange", COLORS["yellow"])),
        polygon([(0.0, 0.36), (0.3, 0.5), (0.1, 0.72)]),
        oval(0.14, 0.22, 0.88, 0.8),
        polygon([(0.26, 0.4), (0.62, 0.46), (0.4, 0.92)], shade),
        dot(0.72, 0.4, 0.055, INK),
    ),
    "fish": (
        polygon([(0.28, 0.5), (0.0, 0.2), (0.06, 0.5), (0.0, 0.8)], shade),
        oval(0.18, 0.16, 1.0, 0.84),
        line([(0.56, 0.26), (0.5, 0.5), (0.56, 0.74)], shade, 1.6),
        dot(0.8, 0.4, 0.065, INK),
    ),
    "snail": (
        line([(0.88, 0.62), (0.98, 0.34)], INK),
        line([(0.8, 0.62), (0.78, 0.34)], INK),
        box(0.04, 0.74, 1.0, 0.98, (240, 208, 160), round_by=0.12),
        oval(0.06, 0.1, 0.78, 0.86),
        oval(0.24, 0.28, 0.62, 0.68, light),
        dot(0.43, 0.48, 0.07, shade),
        dot(0.9, 0.8, 0.04, INK),
    ),
    "butterfly": (
        *(
            stroke
            for left in (0.0, 0.52)
            for stroke in (
                oval(left, 0.06, left + 0.48, 0.56),
                oval(left + 0.06, 0.48, left + 0.42, 0.94, light),
            )
        ),
        box(0.46, 0.16, 0.54, 0.88, (96, 76, 72), round_by=0.05),
    ),
}
