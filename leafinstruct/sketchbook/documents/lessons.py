"""Topic `lesson`: how to draw one thing, part by part, then single things around it.

Nine things, each a plan of parts on the grid in drawing order: a house is a wall, a roof, a door, a window, a
chimney. The first parts are always drawn, later ones optionally; colors are free. Up to three single items in
free cells follow.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leafinstruct.sketchbook.documents import lesson_words
from leafinstruct.sketchbook.documents.held_out import is_held_out
from leafinstruct.sketchbook.documents.howto import HowTo, Step, cues
from leafinstruct.sketchbook.documents.wording import a, named, where
from leafinstruct.sketchbook.world.backgrounds import OUTDOORS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

Part = tuple[str, int, int, int, int, str]
"""kind, column within the thing, row, width, height in cells, and how a text joins it to earlier parts: `{0}`
is "red wall"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a thing. width: in cells; needed: number of first parts that are always drawn; main: the
    part whose color names the whole."""

    width: int
    parts: tuple[Part, ...]
    needed: int
    main: int = 0
    backgrounds: tuple[str, ...] = ("paper", *OUTDOORS)


PLANS: dict[str, Plan] = {
    "house": Plan(
        5,
        (
            ("wall", 0, 4, 5, 3, ""),
            ("roof", 0, 2, 5, 2, "on top of the {0}"),
            ("door", 1, 5, 1, 2, "in the {0}"),
            ("window", 3, 5, 1, 1, "in the {0}, next to the {2}"),
            ("chimney", 3, 1, 1, 2, "on the {1}"),
        ),
        3,
    ),
    "tree": Plan(
        5,
        (
            ("trunk", 2, 4, 1, 3, ""),
            ("crown", 0, 0, 5, 4, "on top of the {0}"),
            ("apples", 1, 1, 3, 2, "in the {1}"),
        ),
        2,
        main=1,
    ),
    "car": Plan(
        6,
        (
            ("car_body", 0, 4, 6, 2, ""),
            ("car_cabin", 1, 3, 4, 1, "on top of the {0}"),
            ("wheels", 0, 5, 6, 2, "under the {0}"),
            ("flag", 5, 2, 1, 2, "on the back of the {0}"),
        ),
        3,
    ),
    "boat": Plan(
        6,
        (
            ("hull", 0, 5, 6, 2, ""),
            ("mast", 2, 1, 1, 4, "on the {0}"),
            ("sail", 3, 1, 3, 3, "on the right of the {1}"),
            ("flag", 2, 0, 2, 1, "on top of the {1}"),
        ),
        3,
        backgrounds=("sea",),
    ),
    "snowman": Plan(
        4,
        (
            ("snowman_body", 0, 4, 4, 3, ""),
            ("snowman_head", 1, 2, 2, 2, "on top of the {0}"),
            ("hat", 1, 1, 2, 1, "on the {1}"),
            ("scarf", 0, 4, 4, 1, "under the {1}"),
        ),
        2,
        backgrounds=("paper", "snow", "night"),
    ),
    "flower": Plan(
        3,
        (
            ("stem", 1, 4, 1, 3, ""),
            ("leaves", 0, 5, 3, 1, "on the {0}"),
            ("petals", 0, 1, 3, 3, "on top of the {0}"),
            ("flower_middle", 1, 2, 1, 1, "inside the {2}"),
        ),
        3,
        main=2,
    ),
    "rocket": Plan(
        4,
        (
            ("rocket_body", 1, 2, 2, 4, ""),
            ("nose", 1, 0, 2, 2, "on top of the {0}"),
            ("fins", 0, 4, 4, 2, "at the sides of the {0}"),
            ("rocket_window", 1, 2, 2, 2, "in the {0}"),
            ("flame", 1, 6, 2, 1, "under the {0}"),
        ),
        3,
    ),
    "robot": Plan(
        6,
        (
            ("robot_body", 1, 3, 4, 3, ""),
            ("robot_head", 2, 1, 2, 2, "on top of the {0}"),
            ("legs", 1, 6, 4, 1, "under the {0}"),
            ("arms", 0, 3, 6, 2, "at the sides of the {0}"),
            ("antenna", 2, 0, 2, 1, "on top of the {1}"),
        ),
        3,
    ),
    "castle": Plan(
        6,
        (
            ("castle_wall", 0, 4, 6, 3, ""),
            ("towers", 0, 2, 6, 5, "at the sides of the {0}"),
            ("castle_gate", 2, 5, 2, 2, "in the {0}"),
            ("flag", 2, 2, 2, 2, "on top of the {0}"),
        ),
        3,
    ),
}

HIGH = ("sun", "moon", "star", "cloud", "balloon", "kite", "butterfly", "bird", "heart")
LOW = (
    "bush",
    "flower",
    "mushroom",
    "ball",
    "cat",
    "dog",
    "rabbit",
    "duck",
    "snail",
    "gift",
    "drum",
    "umbrella",
)


MOST_STEPS = 8
"""Default maximum number of steps of a lesson."""

FEWEST_STEPS = 3
"""Lowest allowed maximum: no thing needs more parts."""


def lesson(rng: random.Random, most: int = MOST_STEPS, scenery: bool = True) -> HowTo:
    """Make a lesson. most: maximum number of steps, FEWEST_STEPS to MOST_STEPS, to which optional parts and
    things are limited; scenery: False for empty paper."""
    name = rng.choice(list(PLANS))
    plan = PLANS[name]
    parts = parts_of(plan, rng)[:most]
    background = rng.choice(plan.backgrounds) if scenery else "paper"
    scene = Scene(background, rng.getrandbits(32))
    extras = extras_of(parts, rng.randint(0 if len(parts) > 2 else 1, min(3, most - len(parts))), rng)
    main, detail = parts[plan.main], parts[-1] if plan.main != len(parts) - 1 else parts[0]
    whole = f"{main.color} {name}"
    count = len(parts) + len(extras)
    steps = []
    for index, (word, item) in enumerate(zip(cues(count, rng), [*parts, *extras], strict=True)):
        scene = scene.add(item)
        if index < len(parts):
            body, caption = _part_words(index, parts, plan, name, rng)
        else:
            body, caption = _extra_words(item, whole, rng)
        steps.append(Step(word, body, caption, scene, (item,)))
    title = rng.choice(lesson_words.titles(whole, detail, background))
    return HowTo(
        "lesson",
        title,
        rng.choice(lesson_words.intros(name, count)),
        tuple(steps),
        rng.choice(lesson_words.outros(whole)),
    )


def is_kept_back(howto: HowTo) -> bool:
    """Whether the lesson's combination is held out."""
    first, second = (step.shown[0] for step in howto.steps[:2])
    return is_held_out(thing_of(first.kind), first.color, second.color)


def thing_of(first_part: str) -> str:
    """Return the name of the thing with this first part."""
    return next(name for name, plan in PLANS.items() if plan.parts[0][0] == first_part)


def parts_of(plan: Plan, rng: random.Random) -> list[Item]:
    """Choose parts of different colors, moved to a column where the thing fits."""
    left = rng.randint(0, CELLS - plan.width)
    kept = [part for index, part in enumerate(plan.parts) if index < plan.needed or rng.random() < 0.7]
    items: list[Item] = []
    for kind, column, row, width, height, _ in kept:
        used = [item.color for item in items]
        color = rng.choice([name for name in COLORS if name not in used])
        items.append(Item(kind, color, left + column, row, width, height))
    return items


def extras_of(parts: list[Item], count: int, rng: random.Random) -> list[Item]:
    """Choose up to `count` items of 2 x 2 cells that overlap neither the parts nor each other; fewer if there
    are no free cells."""
    taken, extras = list(parts), list[Item]()
    kinds = rng.sample(HIGH, 2) + rng.sample(LOW, 2)
    rng.shuffle(kinds)
    for kind in kinds:
        rows = (0, 1) if kind in HIGH else (5, 6)
        spots = [
            Item(kind, rng.choice(list(COLORS)), column, row, 2, 2)
            for column in range(CELLS - 1)
            for row in rows
        ]
        free = [spot for spot in spots if not any(spot.overlaps(other) for other in taken)]
        if free and len(extras) < count:
            extras.append(rng.choice(free))
            taken.append(extras[-1])
    return extras


def _part_words(index: int, parts: list[Item], plan: Plan, name: str, rng: random.Random) -> tuple[str, str]:
    """Return body and caption of the part at `index`: its color, its name, and the earlier part that it joins
    (for the first one its place)."""
    item = parts[index]
    if index == 0:
        spot = where(item, rng)
        return rng.choice(lesson_words.beginnings(item, name, spot)), f"{a(item)} {spot}"
    joined = joint(plan, item.kind).format(*names_of(plan, parts))
    return rng.choice(lesson_words.joinings(item, name, joined)), rng.choice(
        lesson_words.joining_captions(item, name, joined)
    )


def joint(plan: Plan, kind: str) -> str:
    """Return the words that join a part to earlier ones, with `{0}` for the first part of the plan."""
    return next(part[5] for part in plan.parts if part[0] == kind)


def names_of(plan: Plan, parts: list[Item]) -> list[str]:
    """Return a name such as "red wall" for each part of the plan, in order; the kind for a part that was left
    out."""
    names = {item.kind: named(item) for item in parts}
    return [names.get(part[0], part[0]) for part in plan.parts]


def _extra_words(item: Item, whole: str, rng: random.Random) -> tuple[str, str]:
    spot = where(item, rng)
    return rng.choice(lesson_words.surroundings(item, whole, spot)), rng.choice(
        lesson_words.surrounding_captions(item, whole, spot)
    )
