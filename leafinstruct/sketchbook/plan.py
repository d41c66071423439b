"""Which document is what: topic, format and planted defect of document i, known without writing any other document.

Topics alternate, formats alternate by chunk. Defects are dealt from one seeded shuffle of all document numbers, so that each has exactly
its share (rounded) and no document has two; a coin thrown per document would miss 2% of 1,000 by a fifth in every third corpus.
Cost: one shuffle of `documents` numbers per process, 0.5 s for a million.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from leafinstruct.sketchbook.assembly import assembly
from leafinstruct.sketchbook.chance import stream
from leafinstruct.sketchbook.edits import edit
from leafinstruct.sketchbook.howto import HowTo
from leafinstruct.sketchbook.lessons import lesson
from leafinstruct.sketchbook.maps import way_map
from leafinstruct.sketchbook.stories import story

Format = Literal["mmc4", "html", "warc", "obelics", "video"]

FORMATS: tuple[Format, ...] = ("mmc4", "html", "warc", "obelics")
"""Of the pages; videos come besides."""

TOPICS: dict[str, Callable[[random.Random], HowTo]] = {
    "lesson": lesson,
    "story": story,
    "edit": edit,
    "assembly": assembly,
    "map": way_map,
}

DEFECTS = ("misaligned", "duplicate", "spam", "too_short", "icon", "broken", "shuffled")

CHUNK_DOCUMENTS = 100
"""Documents a chunk at most; fewer when there are less than 400, so that all four formats occur."""

CHUNK_VIDEOS = 10
"""Videos a chunk: each costs as much as ten documents."""


@dataclass(frozen=True)
class Settings:
    """What a corpus is made from. Same settings, same bytes.

    seed: any integer; documents: how many, at least 1; picture_px: side of the pictures, 32 to 1024;
    videos: how many besides, without defects, numbered behind the documents;
    defects: (name, share of the documents in [0, 1]) pairs, names of DEFECTS, shares summing to at most 1.
    Raises ValueError naming the setting, what it was and what is allowed.
    """

    seed: int
    documents: int
    picture_px: int = 128
    defects: tuple[tuple[str, float], ...] = ()
    videos: int = 0

    def __post_init__(self) -> None:
        if self.documents < 1:
            raise ValueError(f"documents: {self.documents} is too few; at least 1")
        if self.videos < 0:
            raise ValueError(f"videos: {self.videos} is less than none")
        if not 32 <= self.picture_px <= 1024:
            raise ValueError(f"picture_px: {self.picture_px} is not between 32 and 1024")
        for name, rate in self.defects:
            if name not in DEFECTS:
                near = get_close_matches(name, DEFECTS, n=1, cutoff=0.0)[0]
                raise ValueError(f'defects: unknown defect "{name}"; did you mean "{near}"? Known: {", ".join(DEFECTS)}')
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"defects.{name}: the rate {rate} is not between 0 and 1")
        if len(dict(self.defects)) < len(self.defects):
            raise ValueError("defects: a name is given twice")
        total = sum(rate for _, rate in self.defects)
        if total > 1.0 + 1e-9:
            raise ValueError(f"defects: the rates sum to {total:g}; at most 1, since a document has one defect")
        if dict(self.defects).get("duplicate") and not all(_clean(self, chunk.format) for chunk in chunks(self) if chunk.format != "video"):
            raise ValueError("defects.duplicate: no clean document is left to repeat; lower the rates or ask for more documents")


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
    """The whole corpus in pieces that can be written apart, in any order."""
    size = max(1, min(CHUNK_DOCUMENTS, -(-settings.documents // len(FORMATS))))
    starts = range(0, settings.documents, size)
    pages = [Chunk(FORMATS[k % len(FORMATS)], k, start, min(start + size, settings.documents)) for k, start in enumerate(starts)]
    last = settings.documents + settings.videos
    films = range(settings.documents, last, CHUNK_VIDEOS)
    return [*pages, *(Chunk("video", len(pages) + k, start, min(start + CHUNK_VIDEOS, last)) for k, start in enumerate(films))]


def topic_of(index: int) -> str:
    return list(TOPICS)[index % len(TOPICS)]


def draft(settings: Settings, index: int) -> HowTo:
    """Document `index` before any defect: a pure function of the seed and the index."""
    topic = topic_of(index)
    return TOPICS[topic](stream(settings.seed, topic, index))


@lru_cache(maxsize=4)
def defects_of(settings: Settings) -> dict[int, str]:
    """The defect of every document that has one. Edits have too few pictures to be `shuffled`."""
    deck = list(range(settings.documents))
    stream(settings.seed, "defects").shuffle(deck)
    rates, dealt = dict(settings.defects), dict[int, str]()
    for name in sorted(DEFECTS, key=lambda name: name != "shuffled"):
        wanted = round(rates.get(name, 0.0) * settings.documents)
        able = [index for index in deck if index not in dealt and (name != "shuffled" or topic_of(index) != "edit")]
        dealt.update((index, name) for index in able[:wanted])
    return dealt


@lru_cache(maxsize=4)
def _clean(settings: Settings, kind: Format) -> list[int]:
    """Numbers of the clean documents of one format."""
    dealt = defects_of(settings)
    return [i for chunk in chunks(settings) if chunk.format == kind for i in range(chunk.start, chunk.stop) if i not in dealt]


def original_of(settings: Settings, index: int, kind: Format) -> int:
    """The clean document of the same format that the duplicate `index` repeats.

    The format is the same so that the text is, too: where the pictures stand between the texts belongs to a document.
    """
    return stream(settings.seed, "duplicate", index).choice(_clean(settings, kind))
