"""What a planter is: a small pure function that damages the blocks of a page, and its record.

A planter does not know where the page is from. Sketchbook plants into drawn pages (`defects:` of a recipe),
scripts/plant.py into pages that people wrote. All randomness comes from `Material.rng`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from leafinstruct.sketchbook.documents.blocks import Block, Blocks, DrawnImage, Paragraph

Level = Literal["text", "image", "document", "sequence", "duplicate"]
Gone = Literal["pieces", "copy", "document"]
"""When a defect counts as caught. Each of them, when the whole document is dropped. `pieces`: also when no
planted text and no planted image is left. `copy`: also when at most one of the planted images is left.
`document`: never else; of a duplicate, also when its original is dropped."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a planter may use. donor: returns the blocks of another document at each call."""

    rng: random.Random
    donor: Callable[[], Blocks]


@dataclass(frozen=True, slots=True)
class Planted:
    """A damaged page. texts: the planted texts; images: names of the planted images."""

    blocks: Blocks
    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planter:
    """A class of defects.

    name: as in `defects:`. does: one sentence. seen_by: who could see it: `score: FAMILY`, `clip` (a CLIP
    that knows the language and the images) or `judge`. strength: how much of the page is changed. images,
    texts: the fewest of each that a page needs. copies: the page is the copy of another document, which is
    in the corpus too. markup: it shows only in formats with captions and alt texts (html, warc). site: the
    fewest pages of one site that show it; these pages are of a site of their own. 0: any page of any site.
    suits: what else a page needs.
    """

    name: str
    level: Level
    does: str
    seen_by: tuple[str, ...]
    strength: str
    plant: Callable[[Blocks, Material], Planted]
    gone: Gone = "pieces"
    images: int = 1
    texts: int = 1
    copies: bool = False
    markup: bool = False
    site: int = 0
    suits: Callable[[Blocks], bool] | None = None

    def fits(self, blocks: Blocks) -> bool:
        """Whether a page has enough images and texts, and what else its defect needs."""
        enough = len(images_of(blocks)) >= self.images and len(prose_of(blocks)) >= self.texts
        return enough and (self.suits is None or self.suits(blocks))


def images_of(blocks: Blocks) -> list[DrawnImage]:
    return [block for block in blocks if isinstance(block, DrawnImage)]


def prose_of(blocks: Blocks) -> list[int]:
    """Indices of the paragraphs that are neither headings nor the title."""
    return [
        index
        for index, block in enumerate(blocks)
        if index and isinstance(block, Paragraph) and not block.heading
    ]


def with_block(blocks: Blocks, index: int, *new: Block) -> Blocks:
    """Return the blocks with `new` in place of one of them."""
    return (*blocks[:index], *new, *blocks[index + 1 :])


def replaced(
    blocks: Blocks, share: float, rng: random.Random, make: Callable[[str], str | Paragraph]
) -> Planted:
    """Replace a share of the prose, at least one paragraph. make: returns the new text for an old one."""
    places = prose_of(blocks)
    texts: list[str] = []
    for index in sorted(rng.sample(places, max(1, round(share * len(places))))):
        old = blocks[index]
        assert isinstance(old, Paragraph)
        made = make(old.text)
        new = made if isinstance(made, Paragraph) else Paragraph(made)
        texts.append(new.text)
        blocks = with_block(blocks, index, new)
    return Planted(blocks, tuple(texts))


def inserted(blocks: Blocks, texts: list[str], rng: random.Random) -> Planted:
    """Insert paragraphs after the title, each at a place of its own."""
    made = list(blocks)
    for text in texts:
        made.insert(rng.randint(1, len(made)), Paragraph(text))
    return Planted(tuple(made), tuple(texts))


def words_of(text: str, least: int, rng: random.Random, make: Callable[[random.Random], str]) -> str:
    """Return as many made words as the text has, at least `least`."""
    return " ".join(make(rng) for _ in range(max(least, len(text.split()))))
