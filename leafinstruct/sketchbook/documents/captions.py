"""Single images with complete captions, on which a small model is trained before any lesson.

An image shows a thing of the lessons, complete or unfinished, with things around it; or a few single things.
The caption names each thing in the words of lessons, in drawing order: "a house: a red wall on the left, a
blue roof on top of the red wall, and a yellow sun at the top right". Images are on paper without decor, so
the caption names everything visible. Held-out combinations do not occur.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

from leafinstruct.sketchbook.documents import lessons
from leafinstruct.sketchbook.documents.held_out import is_held_out
from leafinstruct.sketchbook.documents.wording import a, article, where
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

SHARE_OF_THINGS = 0.8
"""Share of images with a lesson's thing; the others show single things."""
_PARTS = frozenset(part[0] for plan in lessons.PLANS.values() for part in plan.parts)


def captioned(rng: random.Random) -> tuple[Scene, str]:
    """Return a scene and its caption."""
    items, words, head = _thing(rng) if rng.random() < SHARE_OF_THINGS else (*_singles(rng), "")
    listing = f"{', '.join(words[:-1])}, and {words[-1]}" if len(words) > 1 else words[0]
    return Scene("paper", None, tuple(items)), f"{head}{listing}."


def spots(scene: Scene, index: int) -> list[Scene]:
    """Return the scenes with item `index` at every position that its caption allows: it names one of nine
    places, each of several cells.

    A part moves together with the other parts, within its rows; a part that is joined to an earlier one has
    no place of its own and does not move.
    """
    named = scene.items[index]
    parts = [item for item in scene.items if item.kind in _PARTS]
    if named in parts[1:]:
        return [scene]
    moving = parts if named in parts else [named]
    still = [item for item in scene.items if item not in moving]
    rows = (0,) if named in parts else range(1 - CELLS, CELLS)
    found = []
    for across, down in product(range(1 - CELLS, CELLS), rows):
        moved = {item: item.at(item.column + across, item.row + down) for item in moving}
        if all(_fits(one, still) for one in moved.values()) and moved[named].place == named.place:
            found.append(replace(scene, items=tuple(moved.get(item, item) for item in scene.items)))
    return found


def _fits(item: Item, others: list[Item]) -> bool:
    inside = 0 <= item.column <= CELLS - item.width and 0 <= item.row <= CELLS - item.height
    return inside and not any(item.overlaps(other) for other in others)


def _thing(rng: random.Random) -> tuple[list[Item], list[str], str]:
    """Return things, their descriptions, and the beginning of the caption."""
    name = rng.choice(list(lessons.PLANS))
    plan = lessons.PLANS[name]
    whole = lessons.parts_of(plan, rng)
    while is_held_out(name, whole[0].color, whole[1].color):
        whole = lessons.parts_of(plan, rng)
    parts = whole[: rng.randint(1, len(whole))]
    extras = lessons.extras_of(whole, rng.choice((0, 0, 1, 2)), rng)
    words = [f"{a(parts[0])} {where(parts[0], rng)}"]
    words += [
        f"{a(part)} {lessons.joint(plan, part.kind).format(*lessons.names_of(plan, parts))}"
        for part in parts[1:]
    ]
    words += [f"{a(item)} {where(item, rng)}" for item in extras]
    return [*parts, *extras], words, f"{article(name)}: "


def _singles(rng: random.Random) -> tuple[list[Item], list[str]]:
    items: list[Item] = []
    for kind in rng.sample((*lessons.HIGH, *lessons.LOW), rng.randint(1, 4)):
        spots = [
            Item(kind, rng.choice(list(COLORS)), column, row, 2, 2)
            for column in range(CELLS - 1)
            for row in range(CELLS - 1)
        ]
        items.append(rng.choice([spot for spot in spots if not any(spot.overlaps(other) for other in items)]))
    return items, [f"{a(item)} {where(item, rng)}" for item in items]
