"""Judge the next text of a lesson: is it right after the steps before it, and which thing does it name?

A text is right if the generator of lessons could have written it, word for word, at this point for this
instruction. So the judge needs no language model and no reference text: all wordings come from
`lesson_words`, all orders from `lessons.PLANS`. A wrong text may still name a thing (`TextVerdict.things`),
so that its image can be judged by its own text.

A wrong step may replace one needed part: later steps are judged as if that part had been named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

from leafinstruct.sketchbook.documents import lesson_words as words
from leafinstruct.sketchbook.documents.howto import (
    CUE_STYLES,
    FIRST_CUES,
    LAST_CUES,
    NEXT_CUES,
    HowTo,
    cue_options,
)
from leafinstruct.sketchbook.documents.lessons import (
    FEWEST_STEPS,
    HIGH,
    LOW,
    MOST_STEPS,
    PLANS,
    Plan,
    joint,
    thing_of,
)
from leafinstruct.sketchbook.documents.wording import AT, named
from leafinstruct.sketchbook.world.backgrounds import SETTINGS
from leafinstruct.sketchbook.world.palette import COLORS
from leafinstruct.sketchbook.world.scene import CELLS, Item, Scene

Fault = Literal["missing", "gibberish", "another thing", "cue", "order", "color", "place", "too many"]
"""Faults of a text. missing: there is none; gibberish: it occurs in no lesson; another thing: it occurs in a
lesson about something else; cue: the words that number the step are wrong; order: a part comes too early, too
late or twice; color: not the requested one, or used before; place: no free cell there."""

_CUE = re.compile(rf"(Step \d( of \d)?:|The \w+ step:|{'|'.join((*FIRST_CUES, *NEXT_CUES, *LAST_CUES))}) ")


@dataclass(frozen=True, slots=True)
class Ask:
    """A parsed instruction: "a red house with a blue door in the snow"."""

    thing: str
    color: str
    detail: str
    """Kind of the part that the instruction names."""
    detail_color: str
    background: str

    @property
    def plan(self) -> Plan:
        return PLANS[self.thing]

    @property
    def whole(self) -> str:
        return f"{self.color} {self.thing}"

    @property
    def kinds(self) -> list[str]:
        """Kinds of the parts, in drawing order."""
        return [part[0] for part in self.plan.parts]

    @property
    def last(self) -> int:
        """Index of the last part: the named one, or the main one if the first is named."""
        return self.kinds.index(self.detail) or self.plan.main

    def color_of(self, index: int) -> str | None:
        """Return the color of a part if the instruction gives it."""
        return {self.plan.main: self.color, self.kinds.index(self.detail): self.detail_color}.get(index)


def ask_of(howto: HowTo) -> Ask:
    """Parse a lesson's title. Raises ValueError for another topic."""
    ask = read_instruction(howto.title)
    if howto.topic != "lesson" or ask is None:
        raise ValueError(f"{howto.title!r} is not a lesson")
    return ask


def asks(howto: HowTo) -> list[str]:
    """Return instructions for a lesson as people write them; `read_instruction` parses them all."""
    ask = ask_of(howto)
    drawing = words.wanted(ask.whole, Item(ask.detail, ask.detail_color, 0, 0, 1, 1), ask.background)
    templates = (
        "How do I draw {}?",
        "How to draw {}",
        "Draw {}",
        "Show me how to draw {}.",
        "Teach me to draw {}.",
        "I want to draw {}.",
    )
    return [template.format(drawing) for template in templates]


def read_instruction(text: str) -> Ask | None:
    """Parse an instruction within any text; None if it names no drawing."""
    colors = "|".join(COLORS)
    found = re.search(
        rf"\ban? ({colors}) ({'|'.join(PLANS)}) with (?:an? )?({colors}) (\w+)( [a-z ]+)?", text.lower()
    )
    if found is None:
        return None
    color, thing, detail_color, noun, rest = found.groups()
    kinds = [part[0] for part in PLANS[thing].parts if part[0].rpartition("_")[2] == noun]
    settings = {words: name for name, words in SETTINGS.items()}
    place = (rest or "").strip()
    if not kinds or (place and place not in settings):
        return None
    return Ask(thing, color, kinds[0], detail_color, settings.get(place, "paper"))


@dataclass(frozen=True, slots=True)
class TextVerdict:
    """The verdict on a text. fault: None for a right text; things: the named thing at each place that the
    words allow, empty if it names nothing of this lesson."""

    fault: Fault | None
    things: tuple[Item, ...] = ()


@dataclass
class State:
    """The state of a lesson, step by step. scene: what the images should show so far; steps: number of steps
    so far; lost: number of wrong steps, each of which may replace a needed part."""

    ask: Ask
    scene: Scene = field(init=False)
    steps: int = 0
    lost: int = 0
    last_cue: str = ""
    styles: set[tuple[str, int]] = field(
        default_factory=lambda: set(product(CUE_STYLES, range(FEWEST_STEPS, MOST_STEPS + 1)))
    )
    """Styles of cues and numbers of steps that are consistent with the texts so far."""

    def __post_init__(self) -> None:
        self.scene = Scene(self.ask.background, None)

    @property
    def parts(self) -> list[Item]:
        return [
            item for item in self.scene.items if item.kind in self.ask.kinds and not self._is_around(item)
        ]

    @property
    def around(self) -> list[Item]:
        return [item for item in self.scene.items if self._is_around(item)]

    def _is_around(self, item: Item) -> bool:
        return item.kind in (*HIGH, *LOW)

    def introduce(self, text: str) -> bool:
        """Whether the text is an introduction; the number of steps is taken from it."""
        counts = {count for _, count in self.styles if text in words.intros(self.ask.thing, count)}
        self.styles = {(style, count) for style, count in self.styles if not counts or count in counts}
        return bool(counts)

    def ends_with(self, text: str) -> bool:
        return text in words.outros(self.ask.whole)

    def step(self, text: str) -> TextVerdict:
        """Judge the next step's text and advance. The caller adds to `scene` what the image should show."""
        verdict, cues = self._judge(text)
        if verdict.fault is None:
            self.styles = {pair for pair, _ in cues}
            self.last_cue = cues[0][1]
        else:
            self.lost += 1
        self.steps += 1
        return verdict

    def _judge(self, text: str) -> tuple[TextVerdict, list[tuple[tuple[str, int], str]]]:
        body = text[found.end() :] if (found := _CUE.match(text)) else text
        cues = [
            (pair, cue)
            for pair in sorted(self.styles)
            for cue in self._cues(*pair)
            if text == f"{cue} {body}"
        ]
        if not text.strip():
            return TextVerdict("missing"), cues
        things = tuple(self._named(body, self.ask))
        if not things:
            return TextVerdict("another thing" if _elsewhere(body, self.ask) else "gibberish"), cues
        around = self._is_around(things[0])
        fault = self._around_fault(things) if around else self._part_fault(things[0])
        if fault is None and around:
            things = tuple(thing for thing in things if self._is_free(thing))
        if fault is None and not cues:
            fault = "cue"
        return TextVerdict(fault, things), cues

    def _cues(self, style: str, count: int) -> Iterator[str]:
        if self.steps < count and self._fits(count):
            yield from (cue for cue in cue_options(style, self.steps, count) if cue != self.last_cue)

    def _fits(self, count: int) -> bool:
        """Whether a lesson of `count` steps is possible: they must be enough for the needed parts."""
        return self.lost > 0 or count >= max(self.steps + 1, self.ask.plan.needed)

    def _named(self, body: str, ask: Ask) -> Iterator[Item]:
        """Yield the things for which the body could have been written, in this lesson or one with other
        colors."""
        yield from self._named_part(body, ask)
        for kind, color in product((*HIGH, *LOW), COLORS):
            if f"{color} {kind}" in body:
                for spot in spots(kind, color):
                    if any(body in words.surroundings(spot, ask.whole, place) for place in AT[spot.place]):
                        yield spot

    def _named_part(self, body: str, ask: Ask) -> Iterator[Item]:
        for (kind, column, row, width, height, _), color in product(ask.plan.parts, COLORS):
            noun = kind.rpartition("_")[2]
            if f"{color} {noun}" not in body:
                continue
            for left in self._lefts(ask.plan):
                item = Item(kind, color, left + column, row, width, height)
                if self._describes(body, item, ask):
                    yield item

    def _lefts(self, plan: Plan) -> list[int]:
        """Return the possible columns of the whole drawing: all at the start, one after the first part."""
        for item in self.parts:
            column = next((part[1] for part in plan.parts if part[0] == item.kind), None)
            if column is not None:
                return [item.column - column]
        return list(range(CELLS - plan.width + 1))

    def _describes(self, body: str, item: Item, ask: Ask) -> bool:
        if item.kind == ask.kinds[0]:
            return any(body in words.beginnings(item, ask.thing, spot) for spot in AT[item.place])
        names = product(*(self._names_of(kind) for kind in ask.kinds[:3]))
        rest = ask.kinds[3:]
        return any(
            body in words.joinings(item, ask.thing, joint(ask.plan, item.kind).format(*known, *rest))
            for known in names
        )

    def _names_of(self, kind: str) -> list[str]:
        """Return the possible names of a part in later texts: the name of the part in the scene, or any color
        if its step may have been wrong."""
        known = [named(item) for item in self.parts if item.kind == kind]
        noun = kind.rpartition("_")[2]
        return known or [kind, *(f"{color} {noun}" for color in COLORS if self.lost)]

    def _part_fault(self, item: Item) -> Fault | None:
        ask, kinds = self.ask, self.ask.kinds
        index, present = kinds.index(item.kind), [kinds.index(part.kind) for part in self.parts]
        skipped = [earlier for earlier in range(index) if earlier not in present and self._must(earlier)]
        if (present and index <= max(present)) or index > ask.last or self.around or len(skipped) > self.lost:
            return "order"
        reserved = {color for other in range(len(kinds)) if other != index and (color := ask.color_of(other))}
        wanted = ask.color_of(index) or item.color
        taken = reserved | {part.color for part in self.parts}
        return "color" if item.color != wanted or item.color in taken else None

    def _must(self, index: int) -> bool:
        return index < self.ask.plan.needed or index == self.ask.last

    def _around_fault(self, things: tuple[Item, ...]) -> Fault | None:
        present, kind = [part.kind for part in self.parts], things[0].kind
        missing = [
            index for index, part in enumerate(self.ask.kinds) if part not in present and self._must(index)
        ]
        if len(missing) > self.lost or kind in [item.kind for item in self.around]:
            return "order"
        same = HIGH if kind in HIGH else LOW
        if len(self.around) == 3 or sum(item.kind in same for item in self.around) == 2:
            return "too many"
        return None if any(map(self._is_free, things)) else "place"

    def _is_free(self, thing: Item) -> bool:
        return not any(thing.overlaps(other) for other in self.scene.items)


def spots(kind: str, color: str) -> list[Item]:
    """Return a thing at every allowed place around the drawing."""
    rows = (0, 1) if kind in HIGH else (5, 6)
    return [Item(kind, color, column, row, 2, 2) for column in range(CELLS - 1) for row in rows]


def _elsewhere(body: str, ask: Ask) -> bool:
    """Whether the body occurs in a lesson about another thing, or about this one in another color."""
    for thing, plan in PLANS.items():
        for color in COLORS:
            if f"{color} {thing}" not in body and thing not in body:
                continue
            other = replace(ask, thing=thing, color=color, detail=plan.parts[-1][0])
            if next(State(other, lost=1)._named(body, other), None) is not None:
                return True
    nouns = {
        part[0].rpartition("_")[2]: thing_of(plan.parts[0][0])
        for plan in PLANS.values()
        for part in plan.parts
    }
    return any(_foreign(body, noun, thing, ask) for noun, thing in nouns.items() if thing != ask.thing)


def _foreign(body: str, noun: str, thing: str, ask: Ask) -> bool:
    """Whether a text without its thing's name belongs to another thing, by the noun of a part that only the
    other thing has."""
    if not any(f"{color} {noun}" in body for color in COLORS):
        return False
    other = replace(ask, thing=thing, detail=PLANS[thing].parts[-1][0])
    return next(State(other, lost=1)._named_part(body, other), None) is not None
