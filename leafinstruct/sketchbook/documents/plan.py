"""Topic, format and planted defect of document i, without generating other documents.

Topics alternate by document, formats by chunk. Defects are assigned from one seeded shuffle of all document
numbers, so each defect has exactly its share (rounded) and no document has two. With independent random
choices, 2% of 1,000 would be wrong by a fifth in every third corpus.
Cost: one shuffle of `documents` numbers per process, 0.5 s for a million.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from leafinstruct.sketchbook.documents.assembly import assembly
from leafinstruct.sketchbook.documents.edits import edit
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.lessons import FEWEST_STEPS, MOST_STEPS, is_kept_back, lesson
from leafinstruct.sketchbook.documents.maps import way_map
from leafinstruct.sketchbook.documents.stories import story
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.render import Style

Format = Literal["mmc4", "html", "warc", "obelics", "video"]

FORMATS: tuple[Format, ...] = ("mmc4", "html", "warc", "obelics")
"""Formats of pages; videos are separate."""

MARKUP: tuple[Format, ...] = ("html", "warc")
"""Formats that keep captions and alt texts."""

Layout = Literal["any", "text_first"]
Scenery = Literal["marked", "plain", "none"]

HeldOut = Literal["with", "without", "only"]

TOPICS: dict[str, Callable[[random.Random], HowTo]] = {
    "lesson": lesson,
    "story": story,
    "edit": edit,
    "assembly": assembly,
    "map": way_map,
}

DEFECTS = ("misaligned", "duplicate", "spam", "too_short", "icon", "broken", "shuffled")
"""Defects that change a how-to before it is laid out."""
KNOWN_DEFECTS = (*DEFECTS, *PLANTERS)

CHUNK_DOCUMENTS = 100
"""Maximum documents per chunk; chunks are smaller if there are fewer than 100 per format, so that all formats
occur."""

CHUNK_VIDEOS = 10
"""Videos per chunk; each costs as much as ten documents."""


@dataclass(frozen=True)
class Settings:
    """The settings of a corpus. The same settings give the same bytes.

    seed: any integer; documents: their number, at least 1; image_px: side of the images, 32 to 1024;
    defects: (name, share of the documents in [0, 1]) pairs, names of KNOWN_DEFECTS, the sum of the shares is
    at most 1;
    videos: number of additional videos, without defects, numbered after the documents;
    topics, formats: keys of TOPICS and members of FORMATS, in the order in which they alternate;
    layout: `any`, chosen per page, or `text_first`: the step's text directly before its image, without
    headings, figures and captions; scenery: backgrounds with decor (`marked`), without (`plain`: the same
    scene is then the same image in every document), or `none`: every lesson on empty paper; style: of the
    rendering; held_out: lessons `with`, `without` or `only` held-out combinations (`held_out.is_held_out`);
    lesson_steps: maximum number of steps of a lesson, FEWEST_STEPS to MOST_STEPS. Raises ValueError with the
    setting, its value and what is allowed.
    """

    seed: int
    documents: int
    image_px: int = 128
    defects: tuple[tuple[str, float], ...] = ()
    videos: int = 0
    topics: tuple[str, ...] = tuple(TOPICS)
    formats: tuple[Format, ...] = FORMATS
    layout: Layout = "any"
    scenery: Scenery = "marked"
    style: Style = "pencil"
    held_out: HeldOut = "with"
    lesson_steps: int = MOST_STEPS

    def __post_init__(self) -> None:
        if self.documents < 1:
            raise ValueError(f"documents: {self.documents} is too few; at least 1")
        if self.videos < 0:
            raise ValueError(f"videos: {self.videos} is negative; at least 0")
        if not 32 <= self.image_px <= 1024:
            raise ValueError(f"image_px: {self.image_px} is not between 32 and 1024")
        self._check_lists()
        self._check_lessons()
        for name, rate in self.defects:
            if name not in KNOWN_DEFECTS:
                near = get_close_matches(name, KNOWN_DEFECTS, n=1, cutoff=0.0)[0]
                raise ValueError(
                    f'defects: unknown defect "{name}"; did you mean "{near}"? Known: '
                    f"{', '.join(KNOWN_DEFECTS)}"
                )
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"defects.{name}: the rate {rate} is not between 0 and 1")
        if len(dict(self.defects)) < len(self.defects):
            raise ValueError("defects: a name is given twice")
        total = sum(rate for _, rate in self.defects)
        if total > 1.0 + 1e-9:
            raise ValueError(
                f"defects: the rates sum to {total:g}; at most 1, since a document has one defect"
            )
        copying = next((name for name, rate in self.defects if rate and is_copy(name)), None)
        if copying and not all(
            _clean(self, chunk.format) for chunk in chunks(self) if chunk.format != "video"
        ):
            raise ValueError(
                f"defects.{copying}: there is no document without a defect to repeat; lower the rates "
                "or increase "
                "documents"
            )

    def _check_lists(self) -> None:
        for setting, given, known in (
            ("topics", self.topics, tuple(TOPICS)),
            ("formats", self.formats, FORMATS),
        ):
            if not given:
                raise ValueError(f"{setting}: the list is empty; known: {', '.join(known)}")
            for name in given:
                if name not in known:
                    near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
                    raise ValueError(
                        f'{setting}: unknown "{name}"; did you mean "{near}"? Known: {", ".join(known)}'
                    )
            if len(set(given)) < len(given):
                raise ValueError(f"{setting}: a name is given twice")
        if self.layout == "text_first" and "mmc4" in self.formats:
            others = ", ".join(name for name in FORMATS if name != "mmc4")
            raise ValueError(
                "layout: text_first is impossible in mmc4, where an image comes before its sentence; "
                "set formats: "
                f"[{others}]"
            )

    def _check_lessons(self) -> None:
        if not FEWEST_STEPS <= self.lesson_steps <= MOST_STEPS:
            raise ValueError(
                f"lesson_steps: {self.lesson_steps} is not between {FEWEST_STEPS} and {MOST_STEPS}"
            )
        for setting, changed in (
            ("held_out", self.held_out != "with"),
            ("lesson_steps", self.lesson_steps != MOST_STEPS),
        ):
            if changed and "lesson" not in self.topics:
                raise ValueError(
                    f"{setting}: applies to lessons only; add lesson to topics, or leave {setting} out"
                )
        if self.scenery == "none" and self.topics != ("lesson",):
            raise ValueError(
                "scenery: none is for lessons only, because texts of other topics mention the "
                "scenery; set topics: "
                "[lesson], or scenery: plain"
            )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents start to stop (exclusive) in one format; `name` names its files."""

    format: Format
    index: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.format}_{self.index:04d}"


def chunks(settings: Settings) -> list[Chunk]:
    """Return the chunks of the corpus, which can be written separately and in any order."""
    size = max(1, min(CHUNK_DOCUMENTS, -(-settings.documents // len(settings.formats))))
    starts = range(0, settings.documents, size)
    pages = [
        Chunk(settings.formats[k % len(settings.formats)], k, start, min(start + size, settings.documents))
        for k, start in enumerate(starts)
    ]
    last = settings.documents + settings.videos
    video_starts = range(settings.documents, last, CHUNK_VIDEOS)
    return [
        *pages,
        *(
            Chunk("video", len(pages) + k, start, min(start + CHUNK_VIDEOS, last))
            for k, start in enumerate(video_starts)
        ),
    ]


def topic_of(settings: Settings, index: int) -> str:
    return settings.topics[index % len(settings.topics)]


def draft(settings: Settings, index: int) -> HowTo:
    """Return document `index` without any defect, a pure function of the settings and the index."""
    topic = topic_of(settings, index)
    howto = (
        _lesson(settings, index) if topic == "lesson" else TOPICS[topic](stream(settings.seed, topic, index))
    )
    return howto if settings.scenery == "marked" else _unmarked(howto)


def _lesson(settings: Settings, index: int) -> HowTo:
    """Generate lessons, each from its own random stream, until one satisfies `held_out`."""
    howto = lesson(stream(settings.seed, "lesson", index), settings.lesson_steps, settings.scenery != "none")
    again = 0
    while settings.held_out != "with" and is_kept_back(howto) != (settings.held_out == "only"):
        again += 1
        howto = lesson(
            stream(settings.seed, "lesson", index, again), settings.lesson_steps, settings.scenery != "none"
        )
    return howto


def _unmarked(howto: HowTo) -> HowTo:
    return replace(
        howto, steps=tuple(replace(step, scene=replace(step.scene, decor=None)) for step in howto.steps)
    )


def is_copy(defect: str) -> bool:
    """Whether documents with this defect repeat another document."""
    return defect == "duplicate" or (defect in PLANTERS and PLANTERS[defect].copies)


def _able(settings: Settings, name: str, index: int, formats: dict[int, Format]) -> bool:
    """Whether document `index` can have the defect: edits have two images only, and some defects show only in
    formats with captions."""
    planter = PLANTERS.get(name)
    few = name == "shuffled" if planter is None else max(planter.images, planter.texts) > 2
    if few and topic_of(settings, index) == "edit":
        return False
    return planter is None or not planter.markup or formats[index] in MARKUP


@lru_cache(maxsize=4)
def defects_of(settings: Settings) -> dict[int, str]:
    """Return the defect of every document that has one."""
    deck = list(range(settings.documents))
    stream(settings.seed, "defects").shuffle(deck)
    rates, dealt = dict(settings.defects), dict[int, str]()
    formats = {i: chunk.format for chunk in chunks(settings) for i in range(chunk.start, chunk.stop)}
    for name in sorted(KNOWN_DEFECTS, key=lambda name: (name in PLANTERS, name != "shuffled")):
        wanted = round(rates.get(name, 0.0) * settings.documents)
        able = [index for index in deck if index not in dealt and _able(settings, name, index, formats)]
        dealt.update((index, name) for index in able[:wanted])
    return dealt


@lru_cache(maxsize=4)
def _clean(settings: Settings, kind: Format) -> list[int]:
    """Return the numbers of the documents of one format without a defect."""
    dealt = defects_of(settings)
    return [
        i
        for chunk in chunks(settings)
        if chunk.format == kind
        for i in range(chunk.start, chunk.stop)
        if i not in dealt
    ]


def original_of(settings: Settings, index: int, kind: Format) -> int:
    """Return the document without a defect that the duplicate `index` repeats. It has the same format,
    because the format determines the order of texts and images."""
    return stream(settings.seed, "duplicate", index).choice(_clean(settings, kind))
