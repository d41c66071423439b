"""Sentences in thirteen languages, from templates of our own in languages.json.

Each language has frames with a thing and a place. Every combination is a correct sentence, so a document of
ten sentences is hardly ever generated twice, and two documents share few runs of words. Frames with `{n}` and
`{m}` state a measurement with its unit.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import TypedDict


class Language(TypedDict):
    """script: name of the script group. Others: templates with {thing}, {place}, {n}, {m}."""

    script: str
    titles: list[str]
    frames: list[str]
    things: list[str]
    places: list[str]
    numbers: list[str]


@cache
def languages() -> dict[str, Language]:
    """The languages by ISO 639-1 code."""
    path = Path(__file__).with_name("languages.json")
    found: dict[str, Language] = json.loads(path.read_text(encoding="utf-8"))
    return found


def sentences(language: str, count: int, rng: random.Random) -> list[str]:
    """Generate `count` sentences of prose; no frame occurs twice before all have occurred."""
    return _filled(languages()[language], languages()[language]["frames"], count, rng)


def measured(language: str, count: int, rng: random.Random) -> list[str]:
    """Generate `count` sentences with numbers and units."""
    return _filled(languages()[language], languages()[language]["numbers"], count, rng)


def title(language: str, rng: random.Random) -> str:
    """Generate a title."""
    known = languages()[language]
    text = _filled(known, known["titles"], 1, rng)[0]
    return text[:1].upper() + text[1:]


def text(language: str, count: int, rng: random.Random) -> str:
    """Generate a paragraph of `count` sentences."""
    return joined(language, sentences(language, count, rng))


def joined(language: str, lines: list[str]) -> str:
    """Join sentences to a paragraph. Thai puts a space between them, as others do; Chinese and Japanese need
    none."""
    return ("" if language in ("zh", "ja") else " ").join(lines)


def _filled(known: Language, frames: list[str], count: int, rng: random.Random) -> list[str]:
    chosen: list[str] = []
    while len(chosen) < count:
        chosen += rng.sample(frames, min(len(frames), count - len(chosen)))
    return [
        frame.format(
            thing=rng.choice(known["things"]),
            place=rng.choice(known["places"]),
            n=rng.randrange(110, 990, 5),
            m=rng.randrange(12, 95),
        )
        for frame in chosen
    ]
