"""A pen that draws shapes in unit coordinates, with their outlines, always inside the cells of one thing.

(0, 0) is the top left and (1, 1) the bottom right of the thing's box. The box is shrunk by half a stroke, so
that a line along its edge stays in its cells. Polygons are outlined with `ImageDraw.line`, because
`polygon(width=)` builds a mask of the whole image for each call.

A thing is a `Drawing`: strokes in their order, made by `oval`, `box` ... with the arguments of the pen's
methods. Their colors follow the thing's own: `shade`, `light`, `own`, `unless("yellow", ...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

from PIL import ImageDraw

from leafinstruct.sketchbook.world.palette import COLORS, Rgb, light, outline, shade

Point = tuple[float, float]
Fill = Rgb | Callable[[Rgb], Rgb]
"""A color, or what makes one from the color of the thing."""
_P = ParamSpec("_P")


def own(color: Rgb) -> Rgb:
    return color


def lightest(color: Rgb) -> Rgb:
    return light(light(color))


def darkest(color: Rgb) -> Rgb:
    return shade(shade(color))


def unless(name: str, other: Rgb) -> Fill:
    """The named color; `other` on a thing of that color."""
    return lambda color: COLORS[name] if color != COLORS[name] else other


@dataclass(frozen=True, slots=True)
class Tones:
    """How a style changes a color: for the body of a shape, the edge around a body, and a separate line."""

    body: Callable[[Rgb], Rgb]
    edge: Callable[[Rgb], Rgb]
    line: Callable[[Rgb], Rgb]


PENCIL = Tones(body=own, edge=outline, line=own)


class Pen:
    """Draws in `box` (pixels: left, top, right, bottom; the last two exclusive), by default with `color`."""

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        box: tuple[int, int, int, int],
        color: Rgb,
        stroke: int,
        tones: Tones = PENCIL,
    ) -> None:
        self._draw = draw
        self._tones = tones
        self._left, self._top = box[0] + stroke / 2, box[1] + stroke / 2
        self._width = box[2] - box[0] - stroke - 1
        self._height = box[3] - box[1] - stroke - 1
        self._stroke = stroke
        self._color = color

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(self._left + x * self._width), round(self._top + y * self._height)

    def _corners(self, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """Return the pixels of a unit box, widened by half a stroke, which Pillow draws inwards and polygons
        draw outwards."""
        half = self._stroke // 2
        (left, top), (right, bottom) = self._at(box[0], box[1]), self._at(box[2], box[3])
        return left - half, top - half, max(right + half, left - half), max(bottom + half, top - half)

    def _kept_inside(self, x: int, y: int, reach: int) -> tuple[int, int]:
        """Move a pixel so that a circle of radius `reach` around it stays in the box."""
        spare = max(0, reach - self._stroke // 2)
        (left, top), (right, bottom) = self._at(0, 0), self._at(1, 1)
        return max(left + spare, min(x, right - spare)), max(top + spare, min(y, bottom - spare))

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Fill = own) -> None:
        color = self._rgb(fill)
        self._draw.ellipse(
            self._corners((left, top, right, bottom)),
            self._tones.body(color),
            self._tones.edge(color),
            self._stroke,
        )

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: Fill = own, round_by: float = 0.0
    ) -> None:
        """Draw a rectangle. round_by: corner radius as a share of the thing's shorter side."""
        color, corners = self._rgb(fill), self._corners((left, top, right, bottom))
        if not round_by:
            self._draw.rectangle(corners, self._tones.body(color), self._tones.edge(color), self._stroke)
            return
        radius = min(
            round_by * min(self._width, self._height),
            (corners[2] - corners[0]) / 2,
            (corners[3] - corners[1]) / 2,
        )
        self._draw.rounded_rectangle(
            corners, radius, self._tones.body(color), self._tones.edge(color), self._stroke
        )

    def polygon(self, points: Sequence[Point], fill: Fill = own) -> None:
        color = self._rgb(fill)
        pixels = [self._at(x, y) for x, y in points]
        edge = self._tones.edge(color)
        self._draw.polygon(pixels, self._tones.body(color))
        self._draw.line([*pixels, pixels[0], pixels[1]], edge, self._stroke)
        for x, y in pixels:
            self._dab(x, y, edge)

    def line(self, points: Sequence[Point], fill: Fill = own, weight: float = 1.0) -> None:
        """Draw an open line. weight: its width in strokes."""
        width = max(1, round(self._stroke * weight))
        pixels = [self._kept_inside(*self._at(x, y), width // 2) for x, y in points]
        self._draw.line(pixels, self._stroke_tone(fill), width, joint="curve")

    def arc(
        self, left: float, top: float, right: float, bottom: float, start: float, end: float, fill: Fill = own
    ) -> None:
        """Draw a part of an oval's outline, in degrees clockwise from three o'clock."""
        self._draw.arc(
            self._corners((left, top, right, bottom)), start, end, self._stroke_tone(fill), self._stroke
        )

    def dome(self, left: float, top: float, right: float, bottom: float, fill: Fill = own) -> None:
        """Draw the upper half of an oval, flat side down, filling the given box."""
        color = self._rgb(fill)
        corners = self._corners((left, top, right, 2 * bottom - top))
        self._draw.pieslice(corners, 180, 360, self._tones.body(color), self._tones.edge(color), self._stroke)

    def dot(self, x: float, y: float, radius: float, fill: Fill) -> None:
        """Draw a filled circle without outline. radius: a share of the thing's shorter side."""
        size = max(1, round(radius * min(self._width, self._height)))
        column, row = self._kept_inside(*self._at(x, y), size)
        self._draw.ellipse(
            (column - size, row - size, column + size, row + size), self._tones.body(self._rgb(fill))
        )

    def _rgb(self, fill: Fill) -> Rgb:
        return fill(self._color) if callable(fill) else fill

    def _stroke_tone(self, fill: Fill) -> Rgb:
        """A line without a color of its own has that of an outline."""
        return self._tones.edge(self._color) if fill is own else self._tones.line(self._rgb(fill))

    def _dab(self, x: int, y: int, fill: Rgb) -> None:
        """Round the corner of a polygon's outline."""
        half = self._stroke // 2
        self._draw.ellipse((x - half, y - half, x + half, y + half), fill)


Stroke = Callable[[Pen], None]
Drawing = tuple[Stroke, ...]


def _prepared(method: Callable[Concatenate[Pen, _P], None]) -> Callable[_P, Stroke]:
    """A method of the pen as a stroke that is drawn later."""
    return lambda *args, **options: lambda pen: method(pen, *args, **options)


oval, box, polygon = _prepared(Pen.oval), _prepared(Pen.box), _prepared(Pen.polygon)
line, arc, dome, dot = _prepared(Pen.line), _prepared(Pen.arc), _prepared(Pen.dome), _prepared(Pen.dot)
