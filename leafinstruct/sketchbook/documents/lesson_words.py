"""All wordings of a lesson at each of its points: the generator chooses one at random, a judge checks whether
a text is among them.

Each function returns all wordings of one point in a fixed order, on which the random choice depends. spot: as
"at the top left"; joined: as "on top of the red wall"; whole: as "red house".
"""

from __future__ import annotations

from leafinstruct.sketchbook.documents.wording import a, article, named
from leafinstruct.sketchbook.world.backgrounds import SETTINGS
from leafinstruct.sketchbook.world.scene import Item


def wanted(whole: str, detail: Item, background: str) -> str:
    """Return the common part of all titles, as "a red house with a blue door in the snow"."""
    setting = "" if background == "paper" else f" {SETTINGS[background]}"
    return f"{article(whole)} with {a(detail)}{setting}"


def titles(whole: str, detail: Item, background: str) -> tuple[str, ...]:
    drawing = wanted(whole, detail, background)
    return (
        f"How to draw {drawing}",
        f"Draw {drawing}",
        f"Learn to draw {drawing}",
        f"Drawing lesson: {drawing}",
    )


def intros(name: str, count: int) -> tuple[str, ...]:
    return (
        f"This lesson shows how to draw {article(name)} in {count} steps. You need paper and some pencils.",
        (
            f"You need paper, some pencils and a little time. The {name} grows step by step, and there "
            f"are {count} steps."
        ),
        (
            f"It is easy to draw {article(name)} when you go part by part. Follow the {count} pictures "
            "with your own pencils."
        ),
        (
            f"Take your pencils. In {count} small steps you draw {article(name)}, and each picture shows "
            "the drawing so far."
        ),
    )


def beginnings(item: Item, name: str, spot: str) -> tuple[str, ...]:
    """Return the wordings of the first part."""
    return (
        f"draw {a(item)} {spot}. This is the {item.noun} of the {name}.",
        f"take the {item.color} pencil and draw {a(item)} for the {name} {spot}.",
        f"begin the {name} with {a(item)} {spot}.",
        f"draw the {named(item)} of the {name} {spot}.",
    )


def joinings(item: Item, name: str, joined: str) -> tuple[str, ...]:
    """Return the wordings of each further part."""
    return (
        f"draw {a(item)} {joined}.",
        f"add {a(item)} {joined}.",
        f"take the {item.color} pencil and draw {a(item)} {joined}.",
        f"the {name} needs {a(item)} {joined}.",
        f"paint {a(item)} {joined} of the {name}.",
    )


def joining_captions(item: Item, name: str, joined: str) -> tuple[str, ...]:
    return (f"{a(item)} {joined}", f"the {name} now has {a(item)} {joined}")


def surroundings(item: Item, whole: str, spot: str) -> tuple[str, ...]:
    """Return the wordings of each thing around the drawing."""
    return (
        f"add {a(item)} {spot}, near the {whole}.",
        f"draw {a(item)} {spot}, not far from the {whole}.",
        f"take the {item.color} pencil and draw {a(item)} {spot}.",
        f"there is still room {spot}, so draw {a(item)} there.",
    )


def surrounding_captions(item: Item, whole: str, spot: str) -> tuple[str, ...]:
    return (f"{a(item)} {spot}", f"{a(item)} {spot}, and the {whole}")


def outros(whole: str) -> tuple[str, ...]:
    return (
        f"Your {whole} is done. Show it to a friend.",
        f"That is all. You have a picture of {article(whole)} now.",
        "Well done! Try it again with other colours.",
        f"The drawing of the {whole} is complete. Write your name under it.",
    )
