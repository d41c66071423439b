"""How things and places are named: "a red house", "at the top left". The only place where an item becomes
words."""

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
    """The words with a capital."""
    return body[:1].upper() + body[1:]


def article(words: str) -> str:
    """With "a" or "an" before the words; nothing before a plural."""
    if words.rpartition(" ")[2] in PLURALS:
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def named(item: Item) -> str:
    """As "red house"."""
    return f"{item.color} {item.noun}"


def a(item: Item) -> str:
    """As "a red house"."""
    return article(named(item))


def where(item: Item, rng: random.Random) -> str:
    """As "at the top left", worded one of three ways."""
    return rng.choice(AT[item.place])


def describe(items: Sequence[Item]) -> str:
    """As "a red house on the left, and a blue ball at the bottom right": every item with its place, in the
    plainest words.

    Raises ValueError when there is nothing to describe.
    """
    if not items:
        raise ValueError("an empty scene has no description")
    return ", and ".join(f"{a(item)} {AT[item.place][0]}" for item in items)
