"""Topic `edit`: an image before and after a change. A thing is painted, resized, moved, turned into something
else, added or removed.

Two or three things are in the four quarters of the page, 2 x 2 cells if small and 4 x 4 if big. No two share
a color or a kind, so their names are unambiguous. A document has two images, or three for two changes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from leafinstruct.sketchbook.documents.howto import HowTo, Step
from leafinstruct.sketchbook.documents.wording import article, named, sentence, where
from leafinstruct.sketchbook.world.backgrounds import OUTDOORS, SETTINGS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import Item, Scene

KINDS = (
    *(
        "sun",
        "star",
        "cloud",
        "tree",
        "bush",
        "flower",
        "mushroom",
        "mountain",
        "heart",
        "cat",
        "dog",
        "rabbit",
        "bear",
        "duck",
    ),
    *(
        "bird",
        "fish",
        "snail",
        "butterfly",
        "house",
        "tower",
        "tent",
        "bridge",
        "well",
        "mill",
        "ball",
        "balloon",
        "kite",
        "gift",
    ),
    *("umbrella", "apple", "drum", "bell", "cup", "hat", "car", "boat"),
)
QUARTERS = ((0, 0), (4, 0), (0, 4), (4, 4))
"""Top left cells of the quarters of the page."""

BIG_SHARE = 0.6

TWO_CHANGES = (
    ("Before:", "After the first change:", "After the second change:"),
    ("First,", "Then", "Finally,"),
)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change. scene: after it; task: the instruction without full stop; shows: what the new image shows;
    item: the changed thing."""

    scene: Scene
    task: str
    shows: str
    item: Item


def edit(rng: random.Random) -> HowTo:
    background = rng.choice(("paper", *(f"{name}_wide" for name in OUTDOORS)))
    scene = _start(background, rng)
    changes: list[_Change] = []
    for kind in rng.sample(list(_CHANGES), rng.choice((1, 1, 2))):
        changes.append(_change(kind, changes[-1].scene if changes else scene, rng))
    words = ("Before:", "After:") if len(changes) == 1 else rng.choice(TWO_CHANGES)
    steps = [Step(words[0], _listing(scene, rng), f"before: {_short(scene)}", scene, scene.items)]
    for word, change in zip(words[1:], changes, strict=True):
        steps.append(Step(word, change.shows, f"after: {_short(change.scene)}", change.scene, (change.item,)))
    tasks = sentence(" Then ".join(f"{change.task}." for change in changes))
    setting = SETTINGS[background.removesuffix("_wide")]
    title = rng.choice(
        ("Change a picture {1}: {0}", "Before and after {1}: {0}", "One picture {1}, a new look: {0}")
    )
    return HowTo(
        "edit", title.format(changes[0].task, setting), f"{_intro(rng)} {tasks}", tuple(steps), _outro(rng)
    )


def _sized(item: Item) -> str:
    """As "big red house"."""
    return f"{'big' if item.width == 4 else 'small'} {named(item)}"


def _in_quarter(kind: str, color: str, quarter: tuple[int, int], big: bool) -> Item:
    inset, side = (0, 4) if big else (1, 2)
    return Item(kind, color, quarter[0] + inset, quarter[1] + inset, side, side)


def _quarter(item: Item) -> tuple[int, int]:
    return item.column // 4 * 4, item.row // 4 * 4


def _start(background: str, rng: random.Random) -> Scene:
    count = rng.randint(2, 3)
    kinds, colors, quarters = (
        rng.sample(KINDS, count),
        rng.sample(list(COLORS), count),
        rng.sample(QUARTERS, count),
    )
    scene = Scene(background, rng.getrandbits(32))
    return scene.add(
        *(
            _in_quarter(*three, big=rng.random() < BIG_SHARE)
            for three in zip(kinds, colors, quarters, strict=True)
        )
    )


def _change(kind: str, scene: Scene, rng: random.Random) -> _Change:
    """Make a change of the kind; paint instead if there is no free quarter to add or move, or if removing
    would not leave two things."""
    full = len(scene.items) == len(QUARTERS)
    if (kind in ("add", "move") and full) or (kind == "remove" and len(scene.items) != 3):
        kind = "paint"
    return _CHANGES[kind](scene, rng)


def _paint(scene: Scene, rng: random.Random) -> _Change:
    old = rng.choice(scene.items)
    new = old.painted(_new_color(scene, rng))
    shows = f"the {old.noun} {where(new, rng)} is {new.color} now. {_rest(scene, old, rng)}"
    return _Change(scene.swap(old, new), f"paint the {named(old)} {new.color}", shows, new)


def _resize(scene: Scene, rng: random.Random) -> _Change:
    old = rng.choice(scene.items)
    new = _in_quarter(old.kind, old.color, _quarter(old), big=old.width == 2)
    size = "big" if new.width == 4 else "small"
    shows = f"the {named(new)} {where(new, rng)} is {size} now. {_rest(scene, old, rng)}"
    return _Change(scene.swap(old, new), f"make the {named(old)} {size}", shows, new)


def _turn(scene: Scene, rng: random.Random) -> _Change:
    old = rng.choice(scene.items)
    new = replace(old, kind=_new_kind(scene, rng))
    shows = f"a {_sized(new)} is {where(new, rng)} now. {_rest(scene, old, rng)}"
    return _Change(scene.swap(old, new), f"turn the {named(old)} into {article(new.noun)}", shows, new)


def _move(scene: Scene, rng: random.Random) -> _Change:
    old = rng.choice(scene.items)
    new = _in_quarter(old.kind, old.color, _free_quarter(scene, rng), big=old.width == 4)
    shows = f"the {_sized(new)} is {where(new, rng)} now. {_rest(scene, old, rng)}"
    return _Change(scene.swap(old, new), f"move the {named(old)} {where(new, rng)}", shows, new)


def _add(scene: Scene, rng: random.Random) -> _Change:
    new = _in_quarter(
        _new_kind(scene, rng), _new_color(scene, rng), _free_quarter(scene, rng), big=rng.random() < BIG_SHARE
    )
    shows = f"there is a new {_sized(new)} {where(new, rng)}. {_rest(scene, None, rng)}"
    return _Change(scene.add(new), f"add a {_sized(new)} {where(new, rng)}", shows, new)


def _remove(scene: Scene, rng: random.Random) -> _Change:
    old = rng.choice(scene.items)
    rest = scene.without(old)
    kept = " and the ".join(f"{_sized(item)} {where(item, rng)}" for item in rest.items)
    return _Change(rest, f"take the {named(old)} away", f"only the {kept} are still there.", rest.items[0])


_CHANGES: dict[str, Callable[[Scene, random.Random], _Change]] = {
    "paint": _paint,
    "resize": _resize,
    "move": _move,
    "turn": _turn,
    "add": _add,
    "remove": _remove,
}


def _new_color(scene: Scene, rng: random.Random) -> str:
    return rng.choice([name for name in COLORS if name not in {item.color for item in scene.items}])


def _new_kind(scene: Scene, rng: random.Random) -> str:
    return rng.choice([name for name in KINDS if name not in {item.kind for item in scene.items}])


def _free_quarter(scene: Scene, rng: random.Random) -> tuple[int, int]:
    taken = {_quarter(item) for item in scene.items}
    return rng.choice([quarter for quarter in QUARTERS if quarter not in taken])


def _rest(scene: Scene, changed: Item | None, rng: random.Random) -> str:
    """Describe one unchanged thing with its place."""
    item = rng.choice([item for item in scene.items if item != changed])
    return rng.choice(
        (f"The {_sized(item)} is still {where(item, rng)}.", f"The {_sized(item)} stays {where(item, rng)}.")
    )


def _listing(scene: Scene, rng: random.Random) -> str:
    things = ", and ".join(f"a {_sized(item)} {where(item, rng)}" for item in scene.items)
    return rng.choice((f"the picture shows {things}.", f"there is {things}.", f"we see {things}."))


def _short(scene: Scene) -> str:
    return " and ".join(f"a {_sized(item)}" for item in scene.items)


def _intro(rng: random.Random) -> str:
    return rng.choice(
        (
            "Look at the picture and then at what you have to do.",
            "Here is a picture and a task for it.",
            "This page shows how one change makes a new picture.",
            "Can you do the same with your own picture?",
        )
    )


def _outro(rng: random.Random) -> str:
    return rng.choice(
        (
            "All other things are the same as before.",
            "Look at both pictures again and find what is new.",
            "That is all. Nothing else in the picture was changed.",
            "Now try the same change with other colours.",
        )
    )
