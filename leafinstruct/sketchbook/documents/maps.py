"""Topic `map`: a path through nine blocks with named landmarks. A marker moves from block to block and leaves
arrows.

Blocks are nine spots of 2 x 2 cells; streets are the cells between them. The block with the marker is
highlighted, so each image shows the current position.
"""

from __future__ import annotations

import random

from leafinstruct.sketchbook.documents.howto import HowTo, Step, cues
from leafinstruct.sketchbook.documents.wording import named, where
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import Item, Scene

LANDMARKS = (
    "house",
    "tower",
    "tent",
    "bridge",
    "well",
    "shop",
    "mill",
    "gate",
    "pond",
    "tree",
    "mountain",
    "mushroom",
)
MARKER_COLORS = ("red", "orange", "blue", "purple", "pink")

DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}

Block = tuple[int, int]
"""Column and row of a block, 0 to 2."""


def way_map(rng: random.Random) -> HowTo:
    path = _path(rng.randint(3, 6), rng)
    landmarks = _landmarks(path, rng)
    color = rng.choice(MARKER_COLORS)
    town = Scene("map", rng.getrandbits(32))
    count, arrows, steps = len(path), [], []
    for index, (word, block) in enumerate(zip(cues(count, rng), path, strict=True)):
        if index:
            arrows.append(_arrow(path[index - 1], block, color))
        here = landmarks[block]
        spot = Item("spot", color, here.column, here.row, 2, 2)
        marker = Item("marker", color, here.column + 1, here.row + 1, 1, 1)
        scene = town.add(spot, *landmarks.values(), *arrows, marker)
        body, caption = _words(path, index, landmarks, color, rng)
        steps.append(Step(word, body, caption, scene, (here, marker)))
    start, end = named(landmarks[path[0]]), named(landmarks[path[-1]])
    title = rng.choice(
        (
            "How to walk from the {} to the {}",
            "The way from the {} to the {}",
            "Find the way from the {} to the {}",
        )
    )
    return HowTo(
        "map", title.format(start, end), _intro(start, end, color, count, rng), tuple(steps), _outro(end, rng)
    )


def _path(length: int, rng: random.Random) -> list[Block]:
    """Choose a path of `length` different blocks; retried when it reaches a dead end."""
    while True:
        path = [(rng.randrange(3), rng.randrange(3))]
        while len(path) < length:
            x, y = path[-1]
            ways = [(x + dx, y + dy) for dx, dy in DIRECTIONS.values() if 0 <= x + dx < 3 and 0 <= y + dy < 3]
            ways = [block for block in ways if block not in path]
            if not ways:
                break
            path.append(rng.choice(ways))
        if len(path) == length:
            return path


def _landmarks(path: list[Block], rng: random.Random) -> dict[Block, Item]:
    """Put landmarks of different kinds on all blocks of the path and on some others, in reading order."""
    blocks = [(x, y) for y in range(3) for x in range(3)]
    kinds = rng.sample(LANDMARKS, 9)
    chosen = {}
    for (x, y), kind in zip(blocks, kinds, strict=True):
        color, extra = rng.choice(list(COLORS)), rng.random() < 0.6
        if (x, y) in path or extra:
            chosen[x, y] = Item(kind, color, 3 * x, 3 * y, 2, 2)
    return chosen


def _direction(start: Block, end: Block) -> str:
    step = (end[0] - start[0], end[1] - start[1])
    return next(name for name, move in DIRECTIONS.items() if move == step)


def _arrow(start: Block, end: Block, color: str) -> Item:
    """Return the arrow in the street between two adjacent blocks, one cell."""
    column = 3 * min(start[0], end[0]) + (2 if start[1] == end[1] else 0)
    row = 3 * min(start[1], end[1]) + (2 if start[0] == end[0] else 0)
    return Item(f"arrow_{_direction(start, end)}", color, column, row, 1, 1)


def _words(
    path: list[Block], index: int, landmarks: dict[Block, Item], color: str, rng: random.Random
) -> tuple[str, str]:
    here = landmarks[path[index]]
    spot = where(here, rng)
    if index == 0:
        body = rng.choice(
            (
                f"put the {color} marker on the {named(here)} {spot}.",
                f"find the {named(here)} {spot}. The {color} marker stands there.",
                f"we start at the {named(here)} {spot}, with the {color} marker.",
            )
        )
        return body, f"the {color} marker at the {named(here)}"
    before = landmarks[path[index - 1]]
    way = _direction(path[index - 1], path[index])
    body = rng.choice(
        (
            f"go {way} from the {named(before)} to the {named(here)} {spot}.",
            f"walk {way} with the {color} marker until you see the {named(here)} {spot}.",
            f"the {color} marker leaves the {named(before)} and goes {way} to the {named(here)}.",
            f"follow the arrow {way} to the {named(here)} {spot}.",
        )
    )
    return body, rng.choice(
        (f"the {color} marker at the {named(here)} {spot}", f"{way} to the {named(here)}")
    )


def _intro(start: str, end: str, color: str, count: int, rng: random.Random) -> str:
    return rng.choice(
        (
            f"Look at the map. The {color} marker shows where you are on the way to the {end}.",
            (
                f"You are at the {start} and want to see the {end}. Follow the {color} marker on the map "
                f"for {count} pictures."
            ),
            f"This way has {count} stops. Look for the {color} marker on each map, and follow the arrows.",
        )
    )


def _outro(end: str, rng: random.Random) -> str:
    return rng.choice(
        (
            f"You are at the {end} now. The way back is the same.",
            f"That was the whole way. Have a good day at the {end}.",
            "You have come to the end of the way. Take a little rest.",
        )
    )
