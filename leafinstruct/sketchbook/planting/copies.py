"""Planters of copies: the page is another document again, more or less changed; and of benchmark items."""

from __future__ import annotations

from dataclasses import replace

from leafinstruct.sketchbook.clean.sentences import text, title
from leafinstruct.sketchbook.documents.blocks import Blocks, DrawnImage, Paragraph
from leafinstruct.sketchbook.planting import phrases, pixels
from leafinstruct.sketchbook.planting.images import Change, named
from leafinstruct.sketchbook.planting.planter import Material, Planted, inserted, prose_of

CHANGED = 0.1
"""Share of the words that a copy changes."""
AROUND = (
    "Thank you for visiting our little corner of the web; new articles appear every Tuesday.",
    "If you liked this article, subscribe to our letter and share it with a friend.",
)


def exact(blocks: Blocks, material: Material) -> Planted:
    """Nothing is changed."""
    return Planted(blocks)


def boilerplate_around(blocks: Blocks, material: Material) -> Planted:
    """A paragraph of the site before the text, and another one after it."""
    return Planted((blocks[0], Paragraph(AROUND[0]), *blocks[1:], Paragraph(AROUND[1])))


def words_changed(blocks: Blocks, material: Material) -> Planted:
    """A tenth of the words replaced by other words of the document."""
    rng = material.rng
    pool = [word for block in blocks if isinstance(block, Paragraph) for word in block.text.split()]

    def changed(old: str) -> str:
        return " ".join(rng.choice(pool) if rng.random() < CHANGED else word for word in old.split(" "))

    return Planted(
        tuple(
            replace(block, text=changed(block.text)) if isinstance(block, Paragraph) else block
            for block in blocks
        )
    )


def paragraphs_reordered(blocks: Blocks, material: Material) -> Planted:
    """The same paragraphs in another order; the images stay at their places."""
    places = prose_of(blocks)
    order = list(places)
    while order == places:
        material.rng.shuffle(order)
    made = list(blocks)
    for place, index in zip(places, order, strict=True):
        made[place] = blocks[index]
    return Planted(tuple(made))


def images_copied(change: Change, blocks: Blocks, material: Material) -> Planted:
    """All images of the original, changed, with a text of its own."""
    rng = material.rng
    made: list[Paragraph | DrawnImage] = [Paragraph(title("en", rng), heading=True)]
    for number, block in enumerate(block for block in blocks if isinstance(block, DrawnImage)):
        data = pixels.png(change(pixels.decoded(block.data), rng))
        image = replace(named(block, f"{number}.png", data, alt=""), caption="")
        made += [Paragraph(text("en", 2, rng)), image]
    return Planted(tuple(made))


def benchmark_item(blocks: Blocks, material: Material) -> Planted:
    """One item of a benchmark, inside a paragraph of the page."""
    rng = material.rng
    item = rng.choice(phrases.BENCHMARK)
    return inserted(blocks, [f"{text('en', 1, rng)} {item} {text('en', 1, rng)}"], rng)
