"""Parts of the things of lessons: a house is a wall, a roof and a door. A kind `car_body` is "body" in texts.

Left and right pairs (arms, towers, wheels, fins) are one thing at both ends of its cells, because a lesson
adds them together.
"""

from __future__ import annotations

from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Pen

GLASS = (200, 230, 244)
RUBBER = (84, 80, 92)


def wall(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    for x, y in ((0.1, 0.2), (0.5, 0.12), (0.86, 0.3), (0.44, 0.86), (0.9, 0.8)):
        pen.line([(x - 0.05, y), (x + 0.05, y)], shade(pen.color))


def roof(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)])
    pen.line([(0.3, 0.7), (0.7, 0.7)], shade(pen.color))


def door(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.dot(0.76, 0.56, 0.09, light(light(pen.color)))


def window(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.box(0.2, 0.2, 0.8, 0.8, GLASS)


def chimney(pen: Pen) -> None:
    pen.box(0.14, 0.12, 0.86, 1.0)
    pen.box(0.0, 0.0, 1.0, 0.22)


def trunk(pen: Pen) -> None:
    pen.polygon([(0.2, 0.0), (0.8, 0.0), (1.0, 1.0), (0.0, 1.0)])


def crown(pen: Pen) -> None:
    pen.oval(0.0, 0.3, 0.56, 1.0)
    pen.oval(0.44, 0.3, 1.0, 1.0)
    pen.oval(0.16, 0.0, 0.84, 0.76)
    pen.dot(0.5, 0.62, 0.24, pen.color)


def apples(pen: Pen) -> None:
    for x, y in ((0.24, 0.6), (0.5, 0.28), (0.76, 0.62), (0.5, 0.82)):
        pen.oval(x - 0.1, y - 0.1, x + 0.1, y + 0.1)


def car_body(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0, round_by=0.3)
    pen.dot(0.95, 0.3, 0.12, COLORS["yellow"] if pen.color != COLORS["yellow"] else COLORS["white"])


def car_cabin(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.18, 0.0), (0.82, 0.0), (1.0, 1.0)])
    pen.box(0.24, 0.3, 0.46, 1.0, GLASS)
    pen.box(0.56, 0.3, 0.78, 1.0, GLASS)


def wheels(pen: Pen) -> None:
    for left in (0.04, 0.66):
        pen.oval(left, 0.0, left + 0.3, 1.0, RUBBER)
        pen.oval(left + 0.08, 0.27, left + 0.22, 0.73)


def hull(pen: Pen) -> None:
    pen.polygon([(0.0, 0.0), (1.0, 0.0), (0.84, 1.0), (0.16, 1.0)])
    pen.line([(0.08, 0.32), (0.92, 0.32)], light(pen.color), 1.6)


def mast(pen: Pen) -> None:
    pen.box(0.36, 0.0, 0.64, 1.0)


def sail(pen: Pen) -> None:
    pen.polygon([(0.06, 0.0), (1.0, 1.0), (0.06, 1.0)])
    pen.line([(0.06, 0.62), (0.64, 0.62)], shade(pen.color))


def flag(pen: Pen) -> None:
    pen.line([(0.06, 0.0), (0.06, 1.0)], INK, 1.6)
    pen.polygon([(0.1, 0.04), (1.0, 0.3), (0.1, 0.58)])


def round_body(pen: Pen) -> None:
    pen.oval(0.0, 0.0, 1.0, 1.0)


def snowman_head(pen: Pen) -> None:
    pen.oval(0.0, 0.0, 1.0, 1.0)
    pen.dot(0.32, 0.4, 0.06, INK)
    pen.dot(0.66, 0.4, 0.06, INK)
    pen.polygon([(0.48, 0.5), (0.84, 0.6), (0.48, 0.66)], COLORS["orange"])


def scarf(pen: Pen) -> None:
    pen.box(0.12, 0.0, 0.88, 0.46, round_by=0.2)
    pen.box(0.62, 0.24, 0.82, 1.0, round_by=0.1)


def stem(pen: Pen) -> None:
    pen.box(0.34, 0.0, 0.66, 1.0)


def leaves(pen: Pen) -> None:
    pen.oval(0.02, 0.04, 0.48, 0.96)
    pen.oval(0.52, 0.04, 0.98, 0.96)


def petals(pen: Pen) -> None:
    for x, y in ((0.5, 0.2), (0.8, 0.42), (0.7, 0.78), (0.3, 0.78), (0.2, 0.42)):
        pen.oval(x - 0.2, y - 0.2, x + 0.2, y + 0.2)
    pen.dot(0.5, 0.5, 0.24, pen.color)


def rocket_body(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.line([(0.0, 0.8), (1.0, 0.8)], shade(pen.color))


def nose(pen: Pen) -> None:
    pen.polygon([(0.0, 1.0), (0.16, 0.5), (0.5, 0.0), (0.84, 0.5), (1.0, 1.0)])


def fins(pen: Pen) -> None:
    pen.polygon([(0.25, 0.0), (0.25, 1.0), (0.0, 1.0)])
    pen.polygon([(0.75, 0.0), (0.75, 1.0), (1.0, 1.0)])


def rocket_window(pen: Pen) -> None:
    pen.oval(0.16, 0.16, 0.84, 0.84)
    pen.oval(0.32, 0.32, 0.68, 0.68, GLASS)


def flame(pen: Pen) -> None:
    pen.polygon([(0.0, 0.0), (1.0, 0.0), (0.84, 0.6), (0.68, 0.4), (0.5, 1.0), (0.32, 0.4), (0.16, 0.6)])


def robot_body(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0, round_by=0.12)
    pen.box(0.26, 0.26, 0.74, 0.6, light(pen.color))
    for x in (0.34, 0.5, 0.66):
        pen.dot(x, 0.8, 0.05, INK)


def robot_head(pen: Pen) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0, round_by=0.16)
    for left in (0.16, 0.58):
        pen.oval(left, 0.2, left + 0.26, 0.52, (255, 252, 246))
        pen.dot(left + 0.13, 0.36, 0.06, INK)
    pen.line([(0.3, 0.76), (0.7, 0.76)], INK)


def arms(pen: Pen) -> None:
    for left in (0.0, 5 / 6):
        pen.box(left, 0.0, left + 1 / 6, 0.7, round_by=0.2)
        pen.oval(left, 0.62, left + 1 / 6, 1.0, light(pen.color))


def legs(pen: Pen) -> None:
    for left in (0.06, 0.58):
        pen.box(left, 0.0, left + 0.36, 1.0, round_by=0.2)


def antenna(pen: Pen) -> None:
    pen.line([(0.5, 0.3), (0.5, 1.0)], INK, 1.8)
    pen.oval(0.3, 0.0, 0.7, 0.74)


def castle_wall(pen: Pen) -> None:
    for left in (0.0, 0.29, 0.58, 0.87):
        pen.box(left, 0.0, left + 0.13, 0.3)
    pen.box(0.0, 0.2, 1.0, 1.0)


def towers(pen: Pen) -> None:
    for left in (0.0, 5 / 6):
        pen.box(left, 0.18, left + 1 / 6, 1.0)
        pen.polygon([(left, 0.24), (left + 1 / 12, 0.0), (left + 1 / 6, 0.24)], shade(shade(pen.color)))
        pen.box(left + 0.06, 0.42, left + 0.11, 0.54, INK)


def castle_gate(pen: Pen) -> None:
    pen.dome(0.0, 0.0, 1.0, 0.6)
    pen.box(0.0, 0.5, 1.0, 1.0)
    pen.line([(0.5, 0.1), (0.5, 1.0)])


PARTS: dict[str, Callable[[Pen], None]] = {
    "wall": wall,
    "roof": roof,
    "door": door,
    "window": window,
    "chimney": chimney,
    "trunk": trunk,
    "crown": crown,
    "apples": apples,
    "car_body": car_body,
    "car_cabin": car_cabin,
    "wheels": wheels,
    "hull": hull,
    "mast": mast,
    "sail": sail,
    "flag": flag,
    "snowman_body": round_body,
    "snowman_head": snowman_head,
    "scarf": scarf,
    "stem": stem,
    "leaves": leaves,
    "petals": petals,
    "flower_middle": round_body,
    "rocket_body": rocket_body,
    "nose": nose,
    "fins": fins,
    "rocket_window": rocket_window,
    "flame": flame,
    "robot_body": robot_body,
    "robot_head": robot_head,
    "arms": arms,
    "legs": legs,
    "antenna": antenna,
    "castle_wall": castle_wall,
    "towers": towers,
    "castle_gate": castle_gate,
}
