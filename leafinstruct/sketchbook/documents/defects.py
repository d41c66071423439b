"""Planted defects of documents, as small changes of a how-to or of one image's bytes.

    misaligned   one image is from another document and does not show what its text describes    images
    shuffled     the first or the last step is at another position, its words unchanged          order
    spam         texts replaced by advertising: capitals, links, repeated phrases                text
    too_short    two images and a few words                                                      text
    icon         an additional image of 16 to 24 px                                              images
    broken       an image's file is cut or not an image                                          bytes
    duplicate    the whole document again under another URL (see `plan.original_of`)             document

Each defect is exactly what its rule must find: a foreign image that shows its text's thing by chance would
not be a defect, so such images are not used.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from leafinstruct.sketchbook.documents.howto import HowTo, Step
from leafinstruct.sketchbook.world.scene import Scene

SPAM = (
    "BUY NOW!!! BEST PRICE ONLINE!!!",
    "CHEAP WATCHES CHEAP WATCHES CHEAP WATCHES",
    "Click here http://best-deals.sketchbook.example/offer?id=7741 for FREE shipping $$$",
    "LIMITED OFFER 90% OFF, order today, order today, order today!!!",
    "WIN A PHONE >>> www.lucky-winner.sketchbook.example <<< WIN A PHONE",
    "casino bonus casino bonus casino bonus play and win",
    "lose weight fast lose weight fast with this one trick",
)


def misalign(howto: HowTo, donors: Callable[[], HowTo], rng: random.Random) -> tuple[HowTo, int]:
    """Replace one step's scene by that of another how-to, which `donors` returns at each call. Returns the
    index of the step, too."""
    index = rng.randrange(len(howto.steps))
    step = howto.steps[index]
    scene = _foreign(step, donors, rng)
    return replace(howto, steps=_with(howto.steps, index, replace(step, scene=scene))), index


def _foreign(step: Step, donors: Callable[[], HowTo], rng: random.Random) -> Scene:
    """Return a scene without any thing of the kind and color of the step's new things."""
    while True:
        scene = rng.choice(donors().steps).scene
        if not any(scene.shows(item) for item in step.shown):
            return scene


def shuffle(howto: HowTo, rng: random.Random) -> HowTo:
    """Move the first step back or the last one forward, by at least two positions if there are four or more
    steps."""
    steps = list(howto.steps)
    least = min(2, len(steps) - 1)
    if rng.random() < 0.5:
        steps.insert(rng.randint(least, len(steps) - 1), steps.pop(0))
    else:
        steps.insert(rng.randint(0, len(steps) - 1 - least), steps.pop())
    return replace(howto, steps=tuple(steps))


def spam(howto: HowTo, rng: random.Random) -> HowTo:
    """Replace at least two thirds of the texts by advertising; title and images are unchanged."""
    phrases = rng.sample(SPAM, 3)

    def talk() -> str:
        return " ".join([*rng.choices(phrases, k=rng.randint(2, 4)), phrases[0]])

    hit = set(rng.sample(range(len(howto.steps)), -(-2 * len(howto.steps) // 3)))
    steps = tuple(
        replace(step, cue="", body=talk()) if index in hit else step for index, step in enumerate(howto.steps)
    )
    return replace(howto, intro=talk(), steps=steps, outro=talk())


def cut_short(howto: HowTo, rng: random.Random) -> HowTo:
    """Shorten to a title of two words and two images with a word each, without introduction."""
    words = rng.sample(("look here", "so far", "done", "a picture", "it is new"), 2)
    steps = tuple(
        replace(step, cue="", body=word, caption="") for step, word in zip(howto.steps, words, strict=False)
    )
    return replace(
        howto,
        title=rng.choice(("A drawing", "New picture", "One day", "Short story")),
        intro="",
        steps=steps,
        outro="",
    )


def break_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return an incomplete file, or random bytes."""
    if rng.random() < 0.6:
        return data[: int(len(data) * rng.uniform(0.2, 0.6))]
    return rng.randbytes(rng.randint(200, 2000))


def _with(steps: tuple[Step, ...], index: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:index], step, *steps[index + 1 :])
