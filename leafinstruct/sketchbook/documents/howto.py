"""A how-to independent of file formats: a title, an introduction, steps with a scene each, a closing line.

The words of a step show its order (`cue`: "Step 2:", "Then", "Finally,"), and its text names the new things
in its image. So shuffled steps can be sorted by their texts alone, and a step's image can be distinguished
from another document's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leafinstruct.sketchbook.documents.wording import sentence
from leafinstruct.sketchbook.world.scene import Item, Scene

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

CUE_STYLES = ("number", "count", "ordinal", "words")
"""`Step 2:`, `Step 2 of 5:`, `The second step:`, `Then`."""

FIRST_CUES = ("First,", "To begin,", "At first,", "Start here:")
NEXT_CUES = ("Then", "Next,", "After that,", "Now", "Soon")
LAST_CUES = ("Finally,", "At last,", "In the end,", "Last,")


@dataclass(frozen=True, slots=True)
class Step:
    """One step. cue and body form the text; shown: the new things in the image, which the text names."""

    cue: str
    body: str
    caption: str
    scene: Scene
    shown: tuple[Item, ...]

    @property
    def text(self) -> str:
        return f"{self.cue} {self.body}" if self.cue else sentence(self.body)


@dataclass(frozen=True, slots=True)
class HowTo:
    """A how-to. topic: a key of `plan.TOPICS`; intro and outro may be empty in documents with defects."""

    topic: str
    title: str
    intro: str
    steps: tuple[Step, ...]
    outro: str


def cue_options(style: str, index: int, count: int) -> tuple[str, ...]:
    """Return the possible cues of step `index` (0-based) of `count`. style: one of CUE_STYLES."""
    if style == "number":
        return (f"Step {index + 1}:",)
    if style == "count":
        return (f"Step {index + 1} of {count}:",)
    if style == "ordinal":
        return (f"The {ORDINALS[index]} step:",)
    return FIRST_CUES if index == 0 else LAST_CUES if index == count - 1 else NEXT_CUES


def cue(style: str, index: int, count: int, rng: random.Random) -> str:
    """Choose one cue; a single one uses no random number."""
    options = cue_options(style, index, count)
    return options[0] if len(options) == 1 else rng.choice(options)


def cues(count: int, rng: random.Random, styles: tuple[str, ...] = CUE_STYLES) -> list[str]:
    """Choose a cue for each step, all of one style; no cue occurs twice in a row."""
    style = rng.choice(styles)
    words: list[str] = []
    while len(words) < count:
        word = cue(style, len(words), count, rng)
        if not words or word != words[-1]:
            words.append(word)
    return words
