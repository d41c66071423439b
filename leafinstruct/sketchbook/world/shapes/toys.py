"""Small things that appear, move or change: ball, balloon, kite, gift, umbrella, apple, drum, bell, cup, hat,
car, boat."""

from __future__ import annotations

from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Pen

CREAM = (255, 250, 238)


def ball(pen: Pen) -> None:
    pen.oval(0.04, 0.04, 0.96, 0.96)
    pen.arc(-0.42, 0.0, 0.42, 1.0, -58, 58)
    pen.arc(0.58, 0.0, 1.42, 1.0, 122, 238)
    pen.dot(0.5, 0.26, 0.08, light(pen.color))


def balloon(pen: Pen) -> None:
    pen.line([(0.5, 0.72), (0.44, 0.86), (0.52, 1.0)], INK)
    pen.polygon([(0.5, 0.66), (0.4, 0.78), (0.6, 0.78)], shade(pen.color))
    pen.oval(0.16, 0.0, 0.84, 0.74)
    pen.oval(0.3, 0.14, 0.42, 0.32, light(light(pen.color)))


def kite(pen: Pen) -> None:
    pen.line([(0.5, 0.74), (0.6, 0.86), (0.5, 1.0)], INK)
    pen.polygon([(0.5, 0.0), (0.9, 0.34), (0.5, 0.8), (0.1, 0.34)])
    pen.line([(0.5, 0.0), (0.5, 0.8)])
    pen.line([(0.1, 0.34), (0.9, 0.34)])


def gift(pen: Pen) -> None:
    ribbon = COLORS["yellow"] if pen.color != COLORS["yellow"] else COLORS["red"]
    pen.box(0.08, 0.4, 0.92, 1.0)
    pen.box(0.02, 0.26, 0.98, 0.48)
    pen.box(0.42, 0.26, 0.58, 1.0, ribbon)
    pen.oval(0.2, 0.04, 0.5, 0.28, ribbon)
    pen.oval(0.5, 0.04, 0.8, 0.28, ribbon)


def umbrella(pen: Pen) -> None:
    pen.line([(0.5, 0.4), (0.5, 0.88), (0.6, 0.96), (0.7, 0.88)], INK, 1.6)
    pen.dome(0.0, 0.06, 1.0, 0.56)
    pen.line([(0.5, 0.06), (0.33, 0.54)])
    pen.line([(0.5, 0.06), (0.67, 0.54)])


def apple(pen: Pen) -> None:
    pen.line([(0.5, 0.3), (0.56, 0.04)], INK, 1.8)
    pen.oval(0.56, 0.04, 0.86, 0.22, (118, 184, 104))
    pen.oval(0.06, 0.2, 0.62, 0.98)
    pen.oval(0.38, 0.2, 0.94, 0.98)
    pen.dot(0.5, 0.6, 0.28, pen.color)
    pen.dot(0.28, 0.42, 0.07, light(light(pen.color)))


def drum(pen: Pen) -> None:
    pen.box(0.06, 0.3, 0.94, 0.86)
    pen.oval(0.06, 0.66, 0.94, 1.0)
    pen.box(0.12, 0.4, 0.88, 0.76, pen.color)
    pen.line([(0.06, 0.4), (0.28, 0.84), (0.5, 0.42), (0.72, 0.84), (0.94, 0.4)], CREAM, 1.4)
    pen.oval(0.06, 0.12, 0.94, 0.48, CREAM)


def bell(pen: Pen) -> None:
    pen.oval(0.38, 0.76, 0.62, 1.0, shade(pen.color))
    pen.polygon([(0.5, 0.06), (0.72, 0.18), (0.8, 0.6), (0.98, 0.84), (0.02, 0.84), (0.2, 0.6), (0.28, 0.18)])
    pen.line([(0.12, 0.7), (0.88, 0.7)])


def cup(pen: Pen) -> None:
    pen.oval(0.56, 0.3, 1.0, 0.74)
    pen.oval(0.68, 0.42, 0.88, 0.62, CREAM)
    pen.box(0.06, 0.16, 0.74, 0.98, round_by=0.16)
    pen.line([(0.14, 0.32), (0.66, 0.32)], light(pen.color), 1.6)


def hat(pen: Pen) -> None:
    pen.box(0.22, 0.1, 0.78, 0.84, round_by=0.1)
    pen.box(0.22, 0.54, 0.78, 0.72, shade(shade(pen.color)))
    pen.box(0.0, 0.74, 1.0, 0.92, round_by=0.08)


def car(pen: Pen) -> None:
    pen.polygon([(0.2, 0.5), (0.32, 0.16), (0.72, 0.16), (0.84, 0.5)], (200, 230, 244))
    pen.box(0.0, 0.44, 1.0, 0.82, round_by=0.12)
    for left in (0.12, 0.62):
        pen.oval(left, 0.66, left + 0.28, 0.96, (84, 80, 92))


def boat(pen: Pen) -> None:
    pen.box(0.44, 0.04, 0.5, 0.7, (146, 98, 64))
    pen.polygon([(0.54, 0.04), (0.96, 0.58), (0.54, 0.58)], CREAM)
    pen.polygon([(0.0, 0.66), (1.0, 0.66), (0.8, 0.98), (0.2, 0.98)])


TOYS: dict[str, Callable[[Pen], None]] = {
    "ball": ball,
    "balloon": balloon,
    "kite": kite,
    "gift": gift,
    "umbrella": umbrella,
    "apple": apple,
    "drum": drum,
    "bell": bell,
    "cup": cup,
    "hat": hat,
    "car": car,
    "boat": boat,
}
