"""Names of things and places: "a red house", "at the top left". Only this module converts items to words."""

from __future__ import annotations

import random
from collections.abc import Sequence

from leafinstruct.sketchbook.world.scene import Item

PLURALS = ("apples", "wheels", "leaves", "petals", "fins", "arms", "legs", "towers")

AT = {
    "top left": ("at the top left", "in the top left corner", "high on the left"),
    "top": ("at the top", "high in the middle", "at the top in the middle"),
    "top right": ("at the top right", "in the top right corner", "high on the right"),
    "left": ("on the left", "on the left side", "in the middle on the left"),
    "middle": ("in the middle", "right in the middle", "in the centre"),
    "right": ("on the right", "on the right side", "in the middle on the right"),
    "bottom left": ("at the bottom left", "in the bottom left corner", "low on the left"),
    "bottom": ("at the bottom", "low in the middle", "at the bottom in the middle"),
    "bottom right": ("at the bottom right", "in the bottom right corner", "low on the right"),
}
"""Three wordings of each of `scene.PLACES`, the plainest first."""


def sentence(body: str) -> str:
    """Capitalize the first letter."""
    return body[:1].upper() + body[1:]


def article(words: str) -> str:
    """Prepend "a" or "an", but not to a plural."""
    if words.rpartition(" ")[2] in PLURALS:
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def named(item: Item) -> str:
    """Return the name, as "red house"."""
    return f"{item.color} {item.noun}"


def a(item: Item) -> str:
    """Return the name with its article, as "a red house"."""
    return article(named(item))


def where(item: Item, rng: random.Random) -> str:
    """Return the place, as "at the top left", in one of three wordings."""
    return rng.choice(AT[item.place])


def describe(items: Sequence[Item]) -> str:
    """Describe items with their places in the plainest words, as "a red house on the left, and a blue ball at
    the bottom right". Raises ValueError for no items."""
    if not items:
        raise ValueError("an empty scene has no description")
    return ", and ".join(f"{a(item)} {AT[item.place][0]}" for item in items)
