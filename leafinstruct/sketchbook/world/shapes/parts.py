"""Parts of the things of lessons: a house is a wall, a roof and a door. A kind `car_body` is "body" in texts.

Left and right pairs (arms, towers, wheels, fins) are one thing at both ends of its cells, because a lesson
adds them together.
"""

from __future__ import annotations

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import (
    Drawing,
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

GLASS = (200, 230, 244)
RUBBER = (84, 80, 92)

PARTS: dict[str, Drawing] = {
    "wall": (
        box(0.0, 0.0, 1.0, 1.0),
        *(
            line([(x - 0.05, y), (x + 0.05, y)], shade)
            for x, y in ((0.1, 0.2), (0.5, 0.12), (0.86, 0.3), (0.44, 0.86), (0.9, 0.8))
        ),
    ),
    "roof": (polygon([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)]), line([(0.3, 0.7), (0.7, 0.7)], shade)),
    "door": (box(0.0, 0.0, 1.0, 1.0), dot(0.76, 0.56, 0.09, lightest)),
    "window": (box(0.0, 0.0, 1.0, 1.0), box(0.2, 0.2, 0.8, 0.8, GLASS)),
    "chimney": (box(0.14, 0.12, 0.86, 1.0), box(0.0, 0.0, 1.0, 0.22)),
    "trunk": (polygon([(0.2, 0.0), (0.8, 0.0), (1.0, 1.0), (0.0, 1.0)]),),
    "crown": (
        oval(0.0, 0.3, 0.56, 1.0),
        oval(0.44, 0.3, 1.0, 1.0),
        oval(0.16, 0.0, 0.84, 0.76),
        dot(0.5, 0.62, 0.24, own),
    ),
    "apples": (
        *(
            oval(x - 0.1, y - 0.1, x + 0.1, y + 0.1)
            for x, y in ((0.24, 0.6), (0.5, 0.28), (0.76, 0.62), (0.5, 0.82))
        ),
    ),
    "car_body": (
        box(0.0, 0.0, 1.0, 1.0, round_by=0.3),
        dot(0.95, 0.3, 0.12, unless("yellow", COLORS["white"])),
    ),
    "car_cabin": (
        polygon([(0.0, 1.0), (0.18, 0.0), (0.82, 0.0), (1.0, 1.0)]),
        box(0.24, 0.3, 0.46, 1.0, GLASS),
        box(0.56, 0.3, 0.78, 1.0, GLASS),
    ),
    "wheels": (
        *(
            stroke
            for left in (0.04, 0.66)
            for stroke in (
                oval(left, 0.0, left + 0.3, 1.0, RUBBER),
                oval(left + 0.08, 0.27, left + 0.22, 0.73),
            )
        ),
    ),
    "hull": (
        polygon([(0.0, 0.0), (1.0, 0.0), (0.84, 1.0), (0.16, 1.0)]),
        line([(0.08, 0.32), (0.92, 0.32)], light, 1.6),
    ),
    "mast": (box(0.36, 0.0, 0.64, 1.0),),
    "sail": (polygon([(0.06, 0.0), (1.0, 1.0), (0.06, 1.0)]), line([(0.06, 0.62), (0.64, 0.62)], shade)),
    "flag": (line([(0.06, 0.0), (0.06, 1.0)], INK, 1.6), polygon([(0.1, 0.04), (1.0, 0.3), (0.1, 0.58)])),
    "snowman_body": (oval(0.0, 0.0, 1.0, 1.0),),
    "snowman_head": (
        oval(0.0, 0.0, 1.0, 1.0),
        dot(0.32, 0.4, 0.06, INK),
        dot(0.66, 0.4, 0.06, INK),
        polygon([(0.48, 0.5), (0.84, 0.6), (0.48, 0.66)], COLORS["orange"]),
    ),
    "scarf": (box(0.12, 0.0, 0.88, 0.46, round_by=0.2), box(0.62, 0.24, 0.82, 1.0, round_by=0.1)),
    "stem": (box(0.34, 0.0, 0.66, 1.0),),
    "leaves": (oval(0.02, 0.04, 0.48, 0.96), oval(0.52, 0.04, 0.98, 0.96)),
    "petals": (
        *(
            oval(x - 0.2, y - 0.2, x + 0.2, y + 0.2)
            for x, y in ((0.5, 0.2), (0.8, 0.42), (0.7, 0.78), (0.3, 0.78), (0.2, 0.42))
        ),
        dot(0.5, 0.5, 0.24, own),
    ),
    "flower_middle": (oval(0.0, 0.0, 1.0, 1.0),),
    "rocket_body": (box(0.0, 0.0, 1.0, 1.0), line([(0.0, 0.8), (1.0, 0.8)], shade)),
    "nose": (polygon([(0.0, 1.0), (0.16, 0.5), (0.5, 0.0), (0.84, 0.5), (1.0, 1.0)]),),
    "fins": (
        polygon([(0.25, 0.0), (0.25, 1.0), (0.0, 1.0)]),
        polygon([(0.75, 0.0), (0.75, 1.0), (1.0, 1.0)]),
    ),
    "rocket_window": (oval(0.16, 0.16, 0.84, 0.84), oval(0.32, 0.32, 0.68, 0.68, GLASS)),
    "flame": (
        polygon([(0.0, 0.0), (1.0, 0.0), (0.84, 0.6), (0.68, 0.4), (0.5, 1.0), (0.32, 0.4), (0.16, 0.6)]),
    ),
    "robot_body": (
        box(0.0, 0.0, 1.0, 1.0, round_by=0.12),
        box(0.26, 0.26, 0.74, 0.6, light),
        *(dot(x, 0.8, 0.05, INK) for x in (0.34, 0.5, 0.66)),
    ),
    "robot_head": (
        box(0.0, 0.0, 1.0, 1.0, round_by=0.16),
        *(
            stroke
            for left in (0.16, 0.58)
            for stroke in (
                oval(left, 0.2, left + 0.26, 0.52, (255, 252, 246)),
                dot(left + 0.13, 0.36, 0.06, INK),
            )
        ),
        line([(0.3, 0.76), (0.7, 0.76)], INK),
    ),
    "arms": (
        *(
            stroke
            for left in (0.0, 5 / 6)
            for stroke in (
                box(left, 0.0, left + 1 / 6, 0.7, round_by=0.2),
                oval(left, 0.62, left + 1 / 6, 1.0, light),
            )
        ),
    ),
    "legs": (*(box(left, 0.0, left + 0.36, 1.0, round_by=0.2) for left in (0.06, 0.58)),),
    "antenna": (line([(0.5, 0.3), (0.5, 1.0)], INK, 1.8), oval(0.3, 0.0, 0.7, 0.74)),
    "castle_wall": (
        *(box(left, 0.0, left + 0.13, 0.3) for left in (0.0, 0.29, 0.58, 0.87)),
        box(0.0, 0.2, 1.0, 1.0),
    ),
    "towers": (
        *(
            stroke
            for left in (0.0, 5 / 6)
            for stroke in (
                box(left, 0.18, left + 1 / 6, 1.0),
                polygon([(left, 0.24), (left + 1 / 12, 0.0), (left + 1 / 6, 0.24)], darkest),
                box(left + 0.06, 0.42, left + 0.11, 0.54, INK),
            )
        ),
    ),
    "castle_gate": (dome(0.0, 0.0, 1.0, 0.6), box(0.0, 0.5, 1.0, 1.0), line([(0.5, 0.1), (0.5, 1.0)])),
}
