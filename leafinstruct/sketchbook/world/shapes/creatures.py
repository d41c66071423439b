"""The characters of the stories, each recognizable at 16 px by its outline and named by its own color."""

from __future__ import annotations

from collections.abc import Callable

from leafinstruct.sketchbook.world.palette import COLORS, INK, light, shade
from leafinstruct.sketchbook.world.pen import Pen

BEAK = COLORS["orange"]


def _eyes(pen: Pen, left: float, right: float, y: float) -> None:
    for x in (left, right):
        pen.dot(x, y, 0.055, INK)


def cat(pen: Pen) -> None:
    pen.line([(0.8, 0.9), (0.96, 0.7), (0.9, 0.5)], shade(pen.color), 2.4)
    pen.oval(0.2, 0.5, 0.84, 1.0)
    pen.polygon([(0.14, 0.32), (0.18, 0.0), (0.44, 0.2)])
    pen.polygon([(0.86, 0.32), (0.82, 0.0), (0.56, 0.2)])
    pen.oval(0.12, 0.12, 0.88, 0.66)
    _eyes(pen, 0.36, 0.64, 0.36)
    pen.line([(0.42, 0.5), (0.5, 0.54), (0.58, 0.5)], INK)


def dog(pen: Pen) -> None:
    pen.box(0.26, 0.54, 0.78, 1.0, round_by=0.2)
    pen.oval(0.16, 0.06, 0.84, 0.66)
    pen.oval(0.02, 0.1, 0.28, 0.62, shade(pen.color))
    pen.oval(0.72, 0.1, 0.98, 0.62, shade(pen.color))
    pen.oval(0.34, 0.36, 0.66, 0.62, light(pen.color))
    pen.dot(0.5, 0.43, 0.07, INK)
    _eyes(pen, 0.38, 0.62, 0.27)


def rabbit(pen: Pen) -> None:
    pen.oval(0.24, 0.0, 0.46, 0.5)
    pen.oval(0.54, 0.0, 0.76, 0.5)
    pen.oval(0.16, 0.56, 0.84, 1.0)
    pen.oval(0.2, 0.3, 0.8, 0.76)
    _eyes(pen, 0.38, 0.62, 0.48)
    pen.dot(0.5, 0.6, 0.05, COLORS["pink"] if pen.color != COLORS["pink"] else INK)


def bear(pen: Pen) -> None:
    pen.oval(0.12, 0.04, 0.4, 0.32)
    pen.oval(0.6, 0.04, 0.88, 0.32)
    pen.oval(0.14, 0.52, 0.86, 1.0)
    pen.oval(0.28, 0.62, 0.72, 0.98, light(pen.color))
    pen.oval(0.16, 0.1, 0.84, 0.66)
    pen.oval(0.36, 0.38, 0.64, 0.6, light(pen.color))
    pen.dot(0.5, 0.44, 0.06, INK)
    _eyes(pen, 0.36, 0.64, 0.3)


def duck(pen: Pen) -> None:
    pen.polygon([(0.74, 0.26), (1.0, 0.34), (0.74, 0.42)], BEAK if pen.color != BEAK else COLORS["yellow"])
    pen.oval(0.0, 0.44, 0.86, 0.98)
    pen.oval(0.42, 0.06, 0.82, 0.56)
    pen.oval(0.16, 0.56, 0.58, 0.84, shade(pen.color))
    pen.dot(0.66, 0.26, 0.055, INK)


def bird(pen: Pen) -> None:
    pen.polygon([(0.84, 0.34), (1.0, 0.44), (0.82, 0.5)], BEAK if pen.color != BEAK else COLORS["yellow"])
    pen.polygon([(0.0, 0.36), (0.3, 0.5), (0.1, 0.72)])
    pen.oval(0.14, 0.22, 0.88, 0.8)
    pen.polygon([(0.26, 0.4), (0.62, 0.46), (0.4, 0.92)], shade(pen.color))
    pen.dot(0.72, 0.4, 0.055, INK)


def fish(pen: Pen) -> None:
    pen.polygon([(0.28, 0.5), (0.0, 0.2), (0.06, 0.5), (0.0, 0.8)], shade(pen.color))
    pen.oval(0.18, 0.16, 1.0, 0.84)
    pen.line([(0.56, 0.26), (0.5, 0.5), (0.56, 0.74)], shade(pen.color), 1.6)
    pen.dot(0.8, 0.4, 0.065, INK)


def snail(pen: Pen) -> None:
    pen.line([(0.88, 0.62), (0.98, 0.34)], INK)
    pen.line([(0.8, 0.62), (0.78, 0.34)], INK)
    pen.box(0.04, 0.74, 1.0, 0.98, (240, 208, 160), round_by=0.12)
    pen.oval(0.06, 0.1, 0.78, 0.86)
    pen.oval(0.24, 0.28, 0.62, 0.68, light(pen.color))
    pen.dot(0.43, 0.48, 0.07, shade(pen.color))
    pen.dot(0.9, 0.8, 0.04, INK)


def butterfly(pen: Pen) -> None:
    for left in (0.0, 0.52):
        pen.oval(left, 0.06, left + 0.48, 0.56)
        pen.oval(left + 0.06, 0.48, left + 0.42, 0.94, light(pen.color))
    pen.box(0.46, 0.16, 0.54, 0.88, (96, 76, 72), round_by=0.05)


CREATURES: dict[str, Callable[[Pen], None]] = {
    "cat": cat,
    "dog": dog,
    "rabbit": rabbit,
    "bear": bear,
    "duck": duck,
    "bird": bird,
    "fish": fish,
    "snail": snail,
    "butterfly": butterfly,
}
