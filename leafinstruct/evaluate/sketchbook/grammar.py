"""What a lesson could say next: an instruction, what has been drawn so far, and a text -> is it right, and
which thing does it name.

A text is right when the generator of lessons could have written it, word for word, at this point and for this
instruction, after the steps before it. So a judge needs no language model and no reference text: all wordings
come from `lesson_words`, all orders from `lessons.PLANS`. A wrong text may still name a thing
(`Said.things`), so that its image can be judged by its own text.

A step that went wrong may stand for one needed part: what follows it is judged as if that part had been told.
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
"""Of a text. missing: there is none; gibberish: no lesson says so; another thing: a lesson about something
else does; cue: the words that count the step; order: a part too early, too late or twice; color: not the one
asked for, or used before; place: no free cell there."""

_CUE = re.compile(rf"(Step \d( of \d)?:|The \w+ step:|{'|'.join((*FIRST_CUES, *NEXT_CUES, *LAST_CUES))}) ")


@dataclass(frozen=True, slots=True)
class Ask:
    """What an instruction asks for: "a red house with a blue door in the snow"."""

    thing: str
    color: str
    detail: str
    """Kind of the part that is named."""
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
        """Of the parts, in drawing order."""
        return [part[0] for part in self.plan.parts]

    @property
    def last(self) -> int:
        """Index of the last part: the one that is named, or the main one where the first is named."""
        return self.kinds.index(self.detail) or self.plan.main

    def color_of(self, index: int) -> str | None:
        """The color that the part must have, where the instruction tells."""
        return {self.plan.main: self.color, self.kinds.index(self.detail): self.detail_color}.get(index)


def ask_of(howto: HowTo) -> Ask:
    """What a lesson's title asks for. Raises ValueError for another topic."""
    ask = read_instruction(howto.title)
    if howto.topic != "lesson" or ask is None:
        raise ValueError(f"{howto.title!r} is no lesson")
    return ask


def asks(howto: HowTo) -> list[str]:
    """How people put the instruction of a lesson; `read_instruction` understands them all."""
    ask = ask_of(howto)
    drawing = words.wanted(ask.whole, Item(ask.detail, ask.detail_color, 0, 0, 1, 1), ask.background)
    frames = (
        "How do I draw {}?",
        "How to draw {}",
        "Draw {}",
        "Show me how to draw {}.",
        "Teach me to draw {}.",
        "I want to draw {}.",
    )
    return [template.format(drawing) for template in frames]


def read_instruction(text: str) -> Ask | None:
    """What is asked for, whatever stands around it; None when it names no drawing."""
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
class Said:
    """fault: None for a right text; things: what it names, at each place that its words allow; empty when it
    names nothing of this lesson."""

    fault: Fault | None
    things: tuple[Item, ...] = ()


@dataclass
class Telling:
    """A lesson while it is told. scene: what the images should show so far; lost: wrong steps, each of which
    may stand for a needed part."""

    ask: Ask
    scene: Scene = field(init=False)
    told: int = 0
    lost: int = 0
    last_cue: str = ""
    styles: set[tuple[str, int]] = field(
        default_factory=lambda: set(product(CUE_STYLES, range(FEWEST_STEPS, MOST_STEPS + 1)))
    )
    """How the steps may be counted: style of the cues and number of steps, as far as the texts have told."""

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
        """Whether the text is one of the introductions; takes the number of steps from it."""
        counts = {count for _, count in self.styles if text in words.intros(self.ask.thing, count)}
        self.styles = {(style, count) for style, count in self.styles if not counts or count in counts}
        return bool(counts)

    def ends_with(self, text: str) -> bool:
        return text in words.outros(self.ask.whole)

    def step(self, text: str) -> Said:
        """Judges the next step's text and goes on to the step after it; the caller adds to `scene` what the
        image should show."""
        said, cues = self._judge(text)
        if said.fault is None:
            self.styles = {pair for pair, _ in cues}
            self.last_cue = cues[0][1]
        else:
            self.lost += 1
        self.told += 1
        return said

    def _judge(self, text: str) -> tuple[Said, list[tuple[tuple[str, int], str]]]:
        body = text[found.end() :] if (found := _CUE.match(text)) else text
        cues = [
            (pair, cue)
            for pair in sorted(self.styles)
            for cue in self._cues(*pair)
            if text == f"{cue} {body}"
        ]
        if not text.strip():
            return Said("missing"), cues
        things = tuple(self._named(body, self.ask))
        if not things:
            return Said("another thing" if _elsewhere(body, self.ask) else "gibberish"), cues
        around = self._is_around(things[0])
        fault = self._around_fault(things) if around else self._part_fault(things[0])
        if fault is None and around:
            things = tuple(thing for thing in things if self._is_free(thing))
        if fault is None and not cues:
            fault = "cue"
        return Said(fault, things), cues

    def _cues(self, style: str, count: int) -> Iterator[str]:
        if self.told < count and self._fits(count):
            yield from (cue for cue in cue_options(style, self.told, count) if cue != self.last_cue)

    def _fits(self, count: int) -> bool:
        """Whether so many steps can still be reached: needed parts must fit, and what may come must be
        enough."""
        return self.lost > 0 or count >= max(self.told + 1, self.ask.plan.needed)

    def _named(self, body: str, ask: Ask) -> Iterator[Item]:
        """The things that the body could have been written for, in this lesson or one that differs in colors
        only."""
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
                if self._says(body, item, ask):
                    yield item

    def _lefts(self, plan: Plan) -> list[int]:
        """Columns where the whole may stand: any at the start, one once a part is drawn."""
        for item in self.parts:
            column = next((part[1] for part in plan.parts if part[0] == item.kind), None)
            if column is not None:
                return [item.column - column]
        return list(range(CELLS - plan.width + 1))

    def _says(self, body: str, item: Item, ask: Ask) -> bool:
        if item.kind == ask.kinds[0]:
            return any(body in words.beginnings(item, ask.thing, spot) for spot in AT[item.place])
        names = product(*(self._names_of(kind) for kind in ask.kinds[:3]))
        rest = ask.kinds[3:]
        return any(
            body in words.joinings(item, ask.thing, joint(ask.plan, item.kind).format(*known, *rest))
            for known in names
        )

    def _names_of(self, kind: str) -> list[str]:
        """How a later text may call a part: as it was drawn; by any color when the step that drew it may have
        been lost."""
        drawn = [named(item) for item in self.parts if item.kind == kind]
        noun = kind.rpartition("_")[2]
        return drawn or [kind, *(f"{color} {noun}" for color in COLORS if self.lost)]

    def _part_fault(self, item: Item) -> Fault | None:
        ask, kinds = self.ask, self.ask.kinds
        index, drawn = kinds.index(item.kind), [kinds.index(part.kind) for part in self.parts]
        skipped = [earlier for earlier in range(index) if earlier not in drawn and self._must(earlier)]
        if (drawn and index <= max(drawn)) or index > ask.last or self.around or len(skipped) > self.lost:
            return "order"
        reserved = {color for other in range(len(kinds)) if other != index and (color := ask.color_of(other))}
        wanted = ask.color_of(index) or item.color
        taken = reserved | {part.color for part in self.parts}
        return "color" if item.color != wanted or item.color in taken else None

    def _must(self, index: int) -> bool:
        return index < self.ask.plan.needed or index == self.ask.last

    def _around_fault(self, things: tuple[Item, ...]) -> Fault | None:
        drawn, kind = [part.kind for part in self.parts], things[0].kind
        missing = [
            index for index, part in enumerate(self.ask.kinds) if part not in drawn and self._must(index)
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
    """Everywhere that a thing around the drawing may stand."""
    rows = (0, 1) if kind in HIGH else (5, 6)
    return [Item(kind, color, column, row, 2, 2) for column in range(CELLS - 1) for row in rows]


def _elsewhere(body: str, ask: Ask) -> bool:
    """Whether a lesson about another thing, or about this one in another color, could say so."""
    for thing, plan in PLANS.items():
        for color in COLORS:
            if f"{color} {thing}" not in body and thing not in body:
                continue
            other = replace(ask, thing=thing, color=color, detail=plan.parts[-1][0])
            if next(Telling(other, lost=1)._named(body, other), None) is not None:
                return True
    nouns = {
        part[0].rpartition("_")[2]: thing_of(plan.parts[0][0])
        for plan in PLANS.values()
        for part in plan.parts
    }
    return any(_foreign(body, noun, thing, ask) for noun, thing in nouns.items() if thing != ask.thing)


def _foreign(body: str, noun: str, thing: str, ask: Ask) -> bool:
    """A joining text without its thing's name: told by the noun of a part that only the other thing has."""
    if not any(f"{color} {noun}" in body for color in COLORS):
        return False
    other = replace(ask, thing=thing, detail=PLANS[thing].parts[-1][0])
    return next(Telling(other, lost=1)._named_part(body, other), None) is not None
