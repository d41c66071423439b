"""Topic `story`: a character, a place and a thing on nine spots of the page; in each image the character
moves or something appears.

Spots of 2 x 2 cells form a 3 x 3 grid. Flying things are in the top row, all others below it on the ground.
"""

from __future__ import annotations

import random

from leafinstruct.sketchbook.documents.howto import HowTo, Step, cues
from leafinstruct.sketchbook.documents.wording import a, named, sentence, where
from leafinstruct.sketchbook.world.backgrounds import OUTDOORS, SETTINGS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import Item, Scene

WALKERS = ("cat", "dog", "rabbit", "bear", "duck", "snail")
FLIERS = ("bird", "butterfly")
STANDING = ("tree", "bush", "house", "tent", "well", "mill", "mushroom", "tower", "pond")
SKY = ("sun", "moon", "cloud", "star")
LYING = ("ball", "gift", "apple", "drum", "cup", "bell", "hat", "umbrella", "flower", "boat", "car")
HANGING = ("kite", "balloon")

SPOTS = tuple((column, row) for row in (0, 3, 6) for column in (0, 3, 6))
"""Top left cells of the nine spots, each 2 x 2 cells."""

TITLES = (
    "The {} and the {} {}",
    "A story of the {} and the {} {}",
    "What the {} did with the {} {}",
    "The day of the {} and the {} {}",
)


class _Page:
    """The scene so far; assigns free spots and unused colors."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.scene = Scene(f"{rng.choice(OUTDOORS)}_wide", rng.getrandbits(32))
        self._colors = list(COLORS)
        rng.shuffle(self._colors)

    def spot(self, flies: bool) -> tuple[int, int]:
        taken = {(item.column, item.row) for item in self.scene.items}
        return self.rng.choice([spot for spot in SPOTS if spot not in taken and (spot[1] == 0) == flies])

    def place(self, kind: str, flies: bool) -> Item:
        """Add a new thing of an unused color on a free spot."""
        item = Item(kind, self._colors.pop(), *self.spot(flies), 2, 2)
        self.scene = self.scene.add(item)
        return item

    def move(self, item: Item, flies: bool) -> Item:
        moved = item.at(*self.spot(flies))
        self.scene = self.scene.swap(item, moved)
        return moved


def story(rng: random.Random) -> HowTo:
    page, count = _Page(rng), rng.randint(3, 6)
    setting = SETTINGS[page.scene.background.removesuffix("_wide")]
    home = page.place(rng.choice(STANDING), flies=False)
    hero = page.place(rng.choice(WALKERS), flies=False)
    words = [word.replace("step:", "day:") for word in cues(count, rng, ("words", "words", "ordinal"))]
    steps = [Step(words[0], _opening(hero, home, rng), f"{a(hero)} and {a(home)}", page.scene, (hero, home))]
    title_thing = home
    for word, event in zip(words[1:], _events(count - 1, rng), strict=True):
        if event == "move":
            hero, body, caption, shown = _move(page, hero, home)
        else:
            body, caption, shown = _appear(page, hero, event)
            title_thing = shown
        steps.append(Step(word, body, caption, page.scene, (shown,)))
    title = rng.choice(TITLES).format(named(hero), named(title_thing), setting)
    return HowTo("story", title, _intro(hero, setting, count, rng), tuple(steps), _outro(hero, rng))


def _opening(hero: Item, home: Item, rng: random.Random) -> str:
    return rng.choice(
        (
            f"{a(hero)} stands {where(hero, rng)}, and {a(home)} stands {where(home, rng)}.",
            f"there is {a(hero)} {where(hero, rng)}. {sentence(a(home))} is {where(home, rng)}.",
            f"we see {a(home)} {where(home, rng)} and {a(hero)} {where(hero, rng)}.",
        )
    )


def _events(count: int, rng: random.Random) -> list[str]:
    """Choose the events of the images after the first: moves and arrivals; each arrival occurs at most
    once."""
    arrivals = rng.sample(("friend", "thing", "sky", "hanging"), min(4, (count + 1) // 2))
    events = arrivals + ["move"] * (count - len(arrivals))
    rng.shuffle(events)
    return events


def _move(page: _Page, hero: Item, home: Item) -> tuple[Item, str, str, Item]:
    moved = page.move(hero, flies=False)
    spot, rng = where(moved, page.rng), page.rng
    verb = rng.choice(("walks", "runs", "goes", "moves"))
    body = rng.choice(
        (
            f"the {named(moved)} {verb} away and stops {spot}.",
            f"the {named(moved)} {verb} to a new spot {spot}, and the {named(home)} stays {where(home, rng)}.",  # noqa: E501
            f"we find the {named(moved)} {spot}. The {named(home)} is still {where(home, rng)}.",
        )
    )
    return moved, body, f"the {named(moved)} is now {spot}", moved


def _appear(page: _Page, hero: Item, event: str) -> tuple[str, str, Item]:
    rng = page.rng
    kinds = {"friend": FLIERS, "thing": LYING, "sky": SKY, "hanging": HANGING}[event]
    new = page.place(rng.choice(kinds), flies=event != "thing")
    spot = where(new, rng)
    bodies = {
        "friend": (
            f"{a(new)} comes and stays {spot}.",
            f"{a(new)} flies in and looks at the {named(hero)} from its place {spot}.",
        ),
        "thing": (
            f"the {named(hero)} finds {a(new)} {spot}.",
            f"the wind brings {a(new)} and leaves it {spot}.",
        ),
        "sky": (f"{a(new)} comes out {spot}.", f"the {named(hero)} looks up and sees {a(new)} {spot}."),
        "hanging": (f"{a(new)} flies by {spot}.", f"the wind brings {a(new)}, and it stays {spot}."),
    }[event]
    return rng.choice(bodies), f"{a(new)} {spot}, and the {named(hero)} {where(hero, rng)}", new


def _intro(hero: Item, setting: str, count: int, rng: random.Random) -> str:
    return rng.choice(
        (
            f"This is a small story {setting}, in {count} pictures. Look at each picture before you read on.",
            (
                f"Here is a short story of {a(hero)} {setting}. It has {count} pictures, and in each of "
                "them something new happens."
            ),
            f"Read the story of the {named(hero)} {setting} and look at the {count} pictures one by one.",
        )
    )


def _outro(hero: Item, rng: random.Random) -> str:
    return rng.choice(
        (
            f"The {named(hero)} is happy now. That is the end of the story.",
            f"That was a good day for the {named(hero)}.",
            f"And so the story of the {named(hero)} ends. What happens on the next day?",
        )
    )
