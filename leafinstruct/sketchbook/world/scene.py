"""A scene is data: a background and a list of colored things on a grid of 8 x 8 cells.

The same scene is drawn at any size, compared, stored in a label and named in words, so nothing that an image
shows exists only in pixels. The grid is the contract with small image tokenizers: at 64 px a cell is one 8 x
8 px patch, every thing covers whole cells and its strokes stay inside them. Things are drawn in the order of
the tuple, later ones over earlier ones; a house is several things (wall, roof, door), added one by one by the
lesson that teaches it.

Refused: free positions and sizes in pixels. They look livelier, but a patch-local tokenizer then meets every
edge at every phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

CELLS = 8
"""Cells along each side of a scene; at 64 px a cell measures 8 px."""

PLACES = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
"""Names of the nine places, row by row; a thing is where its centre is."""


@dataclass(frozen=True, slots=True)
class Item:
    """One drawn thing. kind: a key of `render.SHAPES`; color: a key of `palette.COLORS`; the rest in cells,
    origin top left."""

    kind: str
    color: str
    column: int
    row: int
    width: int
    height: int

    @property
    def noun(self) -> str:
        """The word a text uses: the last part of the kind, so that `car_body` is a body."""
        return self.kind.rpartition("_")[2]

    @property
    def place(self) -> str:
        """Which of PLACES holds the centre of the thing; thirds of the grid, a centre on a border counts as
        middle."""
        across = _third(2 * self.column + self.width)
        down = _third(2 * self.row + self.height)
        return PLACES[3 * down + across]

    def overlaps(self, other: Item) -> bool:
        """Whether the two share a cell."""
        return (
            self.column < other.column + other.width
            and other.column < self.column + self.width
            and self.row < other.row + other.height
            and other.row < self.row + self.height
        )

    def at(self, column: int, row: int) -> Item:
        return replace(self, column=column, row=row)

    def painted(self, color: str) -> Item:
        return replace(self, color=color)


def _third(doubled_centre: int) -> int:
    """0, 1 or 2 for a centre given in half cells, 0..16; the borders 16/3 and 32/3 are never hit by an
    integer."""
    return min(2, doubled_centre * 3 // (2 * CELLS))


@dataclass(frozen=True, slots=True)
class Scene:
    """background: a key of `backgrounds.BACKGROUNDS`; decor: seed of small marks (grass, clouds of dots) that
    mean nothing; None for none."""

    background: str
    decor: int | None
    items: tuple[Item, ...] = ()

    def add(self, *items: Item) -> Scene:
        return replace(self, items=(*self.items, *items))

    def swap(self, old: Item, new: Item) -> Scene:
        """The scene with `new` drawn where `old` stood in the drawing order."""
        return replace(self, items=tuple(new if item == old else item for item in self.items))

    def without(self, gone: Item) -> Scene:
        return replace(self, items=tuple(item for item in self.items if item != gone))

    def shows(self, item: Item) -> bool:
        """Whether something of the same kind and color is in the scene, wherever it stands."""
        return any(other.kind == item.kind and other.color == item.color for other in self.items)

    def to_data(self) -> dict[str, Any]:
        """Plain JSON data; `from_data` gives the same scene back."""
        things = [
            [item.kind, item.color, item.column, item.row, item.width, item.height] for item in self.items
        ]
        return {"background": self.background, "decor": self.decor, "items": things}


def from_data(data: Mapping[str, Any]) -> Scene:
    """The scene that `Scene.to_data` wrote."""
    return Scene(data["background"], data["decor"], tuple(Item(*thing) for thing in data["items"]))
