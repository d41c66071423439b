"""Small things that appear, move or change: ball, balloon, kite, gift, umbrella, apple, drum, bell, cup, hat,
car, boat."""

from __future__ import annotations

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import (
    Drawing,
    arc,
    box,
    darkest,
    dome,
    dot,
    lightest,
    line,
    oval,
    own,
    polygon,
    unless,
)

CREAM = (255, 250, 238)
RIBBON = unless("yellow", COLORS["red"])

TOYS: dict[str, Drawing] = {
    "ball": (
        oval(0.04, 0.04, 0.96, 0.96),
        arc(-0.42, 0.0, 0.42, 1.0, -58, 58),
        arc(0.58, 0.0, 1.42, 1.0, 122, 238),
        dot(0.5, 0.26, 0.08, light),
    ),
    "balloon": (
        line([(0.5, 0.72), (0.44, 0.86), (0.52, 1.0)], INK),
        polygon([(0.5, 0.66), (0.4, 0.78), (0.6, 0.78)], shade),
        oval(0.16, 0.0, 0.84, 0.74),
        oval(0.3, 0.14, 0.42, 0.32, lightest),
    ),
    "kite": (
        line([(0.5, 0.74), (0.6, 0.86), (0.5, 1.0)], INK),
        polygon([(0.5, 0.0), (0.9, 0.34), (0.5, 0.8), (0.1, 0.34)]),
        line([(0.5, 0.0), (0.5, 0.8)]),
        line([(0.1, 0.34), (0.9, 0.34)]),
    ),
    "gift": (
        box(0.08, 0.4, 0.92, 1.0),
        box(0.02, 0.26, 0.98, 0.48),
        box(0.42, 0.26, 0.58, 1.0, RIBBON),
        oval(0.2, 0.04, 0.5, 0.28, RIBBON),
        oval(0.5, 0.04, 0.8, 0.28, RIBBON),
    ),
    "umbrella": (
        line([(0.5, 0.4), (0.5, 0.88), (0.6, 0.96), (0.7, 0.88)], INK, 1.6),
        dome(0.0, 0.06, 1.0, 0.56),
        line([(0.5, 0.06), (0.33, 0.54)]),
        line([(0.5, 0.06), (0.67, 0.54)]),
    ),
    "apple": (
        line([(0.5, 0.3), (0.56, 0.04)], INK, 1.8),
        oval(0.56, 0.04, 0.86, 0.22, (118, 184, 104)),
        oval(0.06, 0.2, 0.62, 0.98),
        oval(0.38, 0.2, 0.94, 0.98),
        dot(0.5, 0.6, 0.28, own),
        dot(0.28, 0.42, 0.07, lightest),
    ),
    "drum": (
        box(0.06, 0.3, 0.94, 0.86),
        oval(0.06, 0.66, 0.94, 1.0),
        box(0.12, 0.4, 0.88, 0.76, own),
        line([(0.06, 0.4), (0.28, 0.84), (0.5, 0.42), (0.72, 0.84), (0.94, 0.4)], CREAM, 1.4),
        oval(0.06, 0.12, 0.94, 0.48, CREAM),
    ),
    "bell": (
        oval(0.38, 0.76, 0.62, 1.0, shade),
        polygon(
            [(0.5, 0.06), (0.72, 0.18), (0.8, 0.6), (0.98, 0.84), (0.02, 0.84), (0.2, 0.6), (0.28, 0.18)]
        ),
        line([(0.12, 0.7), (0.88, 0.7)]),
    ),
    "cup": (
        oval(0.56, 0.3, 1.0, 0.74),
        oval(0.68, 0.42, 0.88, 0.62, CREAM),
        box(0.06, 0.16, 0.74, 0.98, round_by=0.16),
        line([(0.14, 0.32), (0.66, 0.32)], light, 1.6),
    ),
    "hat": (
        box(0.22, 0.1, 0.78, 0.84, round_by=0.1),
        box(0.22, 0.54, 0.78, 0.72, darkest),
        box(0.0, 0.74, 1.0, 0.92, round_by=0.08),
    ),
    "car": (
        polygon([(0.2, 0.5), (0.32, 0.16), (0.72, 0.16), (0.84, 0.5)], (200, 230, 244)),
        box(0.0, 0.44, 1.0, 0.82, round_by=0.12),
        *(oval(left, 0.66, left + 0.28, 0.96, (84, 80, 92)) for left in (0.12, 0.62)),
    ),
    "boat": (
        box(0.44, 0.04, 0.5, 0.7, (146, 98, 64)),
        polygon([(0.54, 0.04), (0.96, 0.58), (0.54, 0.58)], CREAM),
        polygon([(0.0, 0.66), (1.0, 0.66), (0.8, 0.98), (0.2, 0.98)]),
    ),
}
