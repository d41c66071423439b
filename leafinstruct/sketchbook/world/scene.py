"""Scenes as data: a background and a list of colored things on a grid of 8 x 8 cells.

A scene can be rendered at any size, compared, stored in a label and described in words, so everything in an
image is known. The grid suits small image tokenizers: at 64 px a cell is one patch of 8 x 8 px, every thing
covers whole cells, and its strokes stay inside them. Things are drawn in order, later ones over earlier ones.
A house is several things (wall, roof, door), which a lesson adds one by one.

Refused: free positions and sizes in pixels. They look more natural, but a patch-local tokenizer would then
see every edge at every offset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

CELLS = 8
"""Cells along each side of a scene; at 64 px a cell measures 8 px."""

PLACES = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
"""Names of the nine places, row by row; the center of a thing determines its place."""


@dataclass(frozen=True, slots=True)
class Item:
    """One drawn thing. kind: a key of `render.SHAPES`; color: a key of `palette.COLORS`; position and size in
    cells, origin top left."""

    kind: str
    color: str
    column: int
    row: int
    width: int
    height: int

    @property
    def noun(self) -> str:
        """The word for it in texts: the last part of the kind, so `car_body` is "body"."""
        return self.kind.rpartition("_")[2]

    @property
    def place(self) -> str:
        """The one of PLACES that contains the center; a center on a border counts as middle."""
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
    """Return 0, 1 or 2 for a center in half cells, 0..16; no integer is on the borders 16/3 and 32/3."""
    return min(2, doubled_centre * 3 // (2 * CELLS))


class SceneData(TypedDict):
    """A scene as JSON. items: kind, color, column, row, width and height of each thing."""

    background: str
    decor: int | None
    items: list[tuple[str, str, int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene. background: a key of `backgrounds.BACKGROUNDS`; decor: seed of small details without meaning
    (grass, dots), None for none; items: things in drawing order."""

    background: str
    decor: int | None
    items: tuple[Item, ...] = ()

    def add(self, *items: Item) -> Scene:
        return replace(self, items=(*self.items, *items))

    def swap(self, old: Item, new: Item) -> Scene:
        """Return the scene with `new` in place of `old`, in the same drawing order."""
        return replace(self, items=tuple(new if item == old else item for item in self.items))

    def without(self, gone: Item) -> Scene:
        return replace(self, items=tuple(item for item in self.items if item != gone))

    def shows(self, item: Item) -> bool:
        """Whether the scene contains a thing of the same kind and color, at any place."""
        return any(other.kind == item.kind and other.color == item.color for other in self.items)

    def to_data(self) -> SceneData:
        """Return plain JSON data, from which `from_data` makes the same scene."""
        things: list[tuple[str, str, int, int, int, int]] = [
            (item.kind, item.color, item.column, item.row, item.width, item.height) for item in self.items
        ]
        return {"background": self.background, "decor": self.decor, "items": things}


def from_data(data: SceneData) -> Scene:
    """Return the scene of the data of `Scene.to_data`."""
    return Scene(data["background"], data["decor"], tuple(Item(*thing) for thing in data["items"]))
