"""Topic `assembly`: layers stacked from bottom to top - a tower of blocks, a cake, a burger, an ice cream, a
tower of rings.

Every layer is centered on the table and one cell high (some are two); its text names it and the layer below.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leafinstruct.sketchbook.documents.howto import HowTo, Step, cues
from leafinstruct.sketchbook.documents.wording import a, article, named, sentence
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

TABLE_ROW = 7


@dataclass(frozen=True, slots=True)
class Stack:
    """A kind of stack. first, middle, last: layers as (kind, width, height in cells); least, most: number of
    middle layers."""

    name: str
    first: tuple[tuple[str, int, int], ...]
    middle: tuple[tuple[str, int, int], ...]
    last: tuple[tuple[str, int, int], ...]
    least: int
    most: int


STACKS = (
    Stack(
        "tower",
        first=(("plank", 6, 1), ("block", 6, 1)),
        middle=(("block", 4, 1), ("plank", 6, 1), ("arch", 4, 1)),
        last=(("cone", 4, 1), ("ball", 2, 2)),
        least=2,
        most=4,
    ),
    Stack(
        "cake",
        first=(("plate", 8, 1),),
        middle=(("cake", 6, 1), ("cream", 6, 1), ("cake", 4, 1)),
        last=(("candle", 2, 1), ("cherry", 2, 1)),
        least=2,
        most=5,
    ),
    Stack(
        "burger",
        first=(("plate", 8, 1),),
        middle=(("cheese", 6, 1), ("salad", 6, 1), ("cake", 6, 1)),
        last=(("bun", 6, 2),),
        least=2,
        most=4,
    ),
    Stack(
        "ice cream",
        first=(("ice_cone", 4, 2),),
        middle=(("scoop", 4, 1), ("cream", 4, 1)),
        last=(("cherry", 2, 1), ("heart", 2, 1)),
        least=2,
        most=4,
    ),
    Stack(
        "ring tower",
        first=(("plank", 8, 1), ("plate", 6, 1)),
        middle=(("ring", 6, 1), ("ring", 4, 1)),
        last=(("ball", 2, 2), ("star", 2, 2)),
        least=2,
        most=4,
    ),
)


def assembly(rng: random.Random) -> HowTo:
    stack = rng.choice(STACKS)
    layers = _layers(stack, rng)
    scene = Scene("table", rng.getrandbits(32))
    steps, count = [], len(layers)
    for index, (word, layer) in enumerate(zip(cues(count, rng), layers, strict=True)):
        scene = scene.add(layer)
        below = layers[index - 1] if index else None
        body, caption = _words(layer, below, stack.name, index == count - 1, rng)
        steps.append(Step(word, body, caption, scene, (layer,)))
    title = rng.choice(
        ("How to build {} with {} and {}", "Make {} from {} to {}", "Build {}: start with {}, end with {}")
    )
    named_title = title.format(article(stack.name), a(layers[0]), a(layers[-1]))
    return HowTo(
        "assembly",
        named_title,
        _intro(stack.name, count, rng),
        tuple(steps),
        _outro(stack.name, layers[-1], rng),
    )


def _layers(stack: Stack, rng: random.Random) -> list[Item]:
    """Choose the layers from bottom to top, centered, each of another color."""
    count = rng.randint(stack.least, stack.most)
    chosen = [
        rng.choice(stack.first),
        *(rng.choice(stack.middle) for _ in range(count)),
        rng.choice(stack.last),
    ]
    colors = rng.sample(list(COLORS), len(chosen))
    row, layers = TABLE_ROW, []
    for (kind, width, height), color in zip(chosen, colors, strict=True):
        row -= height
        layers.append(Item(kind, color, (CELLS - width) // 2, row, width, height))
    return layers


def _words(layer: Item, below: Item | None, name: str, top: bool, rng: random.Random) -> tuple[str, str]:
    if below is None:
        body = rng.choice(
            (
                f"put {a(layer)} on the table. It is the bottom of the {name}.",
                f"take {a(layer)} and set it on the table.",
                f"the {name} begins with {a(layer)} on the table.",
            )
        )
        return body, f"{a(layer)} on the table"
    over = rng.choice(("on top of", "on", "over"))
    body = rng.choice(
        (
            f"put {a(layer)} {over} the {named(below)}.",
            f"take {a(layer)} and set it {over} the {named(below)}.",
            f"the next layer is {a(layer)}. It goes {over} the {named(below)}.",
            f"lay {a(layer)} {over} the {named(below)}, right in the middle.",
        )
    )
    if top:
        body = rng.choice((f"close the {name} with {a(layer)} {over} the {named(below)}.", body))
    return body, f"{a(layer)} {over} the {named(below)}"


def _intro(name: str, count: int, rng: random.Random) -> str:
    return rng.choice(
        (
            f"We build {article(name)} from bottom to top. There are {count} layers, so take your time.",
            (
                f"{sentence(article(name))} needs {count} parts. Follow the steps and look at the "
                "picture of each layer."
            ),
            (
                f"This is how to build {article(name)} with {count} layers. Every picture shows what "
                "stands on the table so far."
            ),
        )
    )


def _outro(name: str, last: Item, rng: random.Random) -> str:
    return rng.choice(
        (
            f"The {name} is complete, with {a(last)} at the top.",
            f"That is the whole {name}. Do you want to build it again with other colours?",
            f"Well done! Your {name} stands on the table now.",
        )
    )
