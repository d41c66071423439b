"""Planters of pages whose texts and images do not belong together, or whose images make no sequence."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from leafinstruct.sketchbook.documents.blocks import Block, Blocks, DrawnImage, Paragraph
from leafinstruct.sketchbook.planting import pixels
from leafinstruct.sketchbook.planting.images import named
from leafinstruct.sketchbook.planting.planter import Material, Planted, images_of, prose_of, with_block

GALLERY = 20
"""Images of an image dump."""
DONORS = 4
"""Documents whose texts make a text dump."""
DANGLING = (
    "As shown in Figure {0}, the parts must touch each other.",
    "The picture below shows the finished piece from behind.",
    "Compare Figure {1} with the photo above before you continue.",
)
"""References to images; the images between which they stand are removed."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NUMBER = re.compile(
    rf"\W*(?:(?:step|stage|part)\s(?P<named>\d{{1,2}})\b|(?P<plain>\d{{1,2}})[.):](?:\s|$)"
    rf"|(?:the\s)?(?P<ordinal>{'|'.join(_ORDINALS)})\b)",
    re.IGNORECASE,
)
FEWEST_NAMED, FEWEST_PLAIN = 3, 4
"""Numbers that make the steps of a page numbered: with a word for step, or plain ones."""

Item = TypeVar("Item")


def image_dump(blocks: Blocks, material: Material) -> Planted:
    """Twenty images and hardly a word: the title, a sentence, and images of other documents, too."""
    shown = images_of(blocks)
    while len(shown) < GALLERY:
        shown += [
            replace(image, name=f"{len(shown) + number:03d}-{image.name}")
            for number, image in enumerate(images_of(material.donor()))
        ]
    images = tuple(replace(image, caption="") for image in shown[:GALLERY])
    words = Paragraph("Here are all the pictures of our last few days; we hope that you like them very much.")
    return Planted((blocks[0], words, *images))


def text_dump(blocks: Blocks, material: Material) -> Planted:
    """Two images, then the texts of this page and of four others in one."""
    images = images_of(blocks)[:2]
    pages = [blocks, *(material.donor() for _ in range(DONORS))]
    texts = [page[index] for page in pages for index in prose_of(page)]
    return Planted((blocks[0], *images, *texts))


def images_shuffled(blocks: Blocks, material: Material) -> Planted:
    """No image at its place; texts and captions stay."""
    shown = images_of(blocks)
    return Planted(_with_files(blocks, _elsewhere(shown, material.rng)))


def images_of_another(blocks: Blocks, material: Material) -> Planted:
    """The images of another document in place of all."""
    return Planted(_with_files(blocks, _taken(blocks, material, donors=1)))


def nothing_in_common(blocks: Blocks, material: Material) -> Planted:
    """Each image from another document."""
    return Planted(_with_files(blocks, _taken(blocks, material, donors=len(images_of(blocks)))))


def nothing_changes(blocks: Blocks, material: Material) -> Planted:
    """The first image in place of all, each time a little brighter or darker."""
    first, rng = images_of(blocks)[0], material.rng
    shown = [first]
    for other in images_of(blocks)[1:]:
        data = pixels.png(pixels.nearly_same(pixels.decoded(first.data), rng))
        shown.append(named(other, other.name, data))
    return Planted(_with_files(blocks, shown))


def captions_swapped(blocks: Blocks, material: Material) -> Planted:
    """Every caption under another image. A page without captions gets the beginnings of its texts as such,
    and then swaps them."""
    images = images_of(blocks)
    texts = [block.text for block in blocks[1:] if isinstance(block, Paragraph) and not block.heading]
    captions = [
        image.caption or image.alt or " ".join(texts[number % len(texts)].split()[:12])
        for number, image in enumerate(images)
    ]
    given = iter(_elsewhere(captions, material.rng))
    made = tuple(
        replace(block, caption=next(given)) if isinstance(block, DrawnImage) else block for block in blocks
    )
    return Planted(made)


def missing_references(blocks: Blocks, material: Material) -> Planted:
    """Three sentences refer to images that the page does not have."""
    rng, last = material.rng, len(images_of(blocks))
    texts = [line.format(last + rng.randint(3, 9), last + rng.randint(10, 20)) for line in DANGLING]
    made = list(blocks)
    for text, index in zip(texts, sorted(rng.choices(prose_of(blocks), k=len(texts))), strict=True):
        old = made[index]
        assert isinstance(old, Paragraph)
        made[index] = replace(old, text=f"{old.text} {text}")
    return Planted(tuple(made), tuple(texts))


def reversed_order(blocks: Blocks, material: Material) -> Planted:
    """The steps from the last to the first, each with its image; title and introduction stay."""
    head, steps, tail = steps_of(blocks)
    return Planted(_joined(head, steps[::-1], tail))


def shuffled(blocks: Blocks, material: Material) -> Planted:
    """The steps in another order, each with its image."""
    head, steps, tail = steps_of(blocks)
    return Planted(_joined(head, _elsewhere(steps, material.rng), tail))


def repeated_step(blocks: Blocks, material: Material) -> Planted:
    """One step three times in a row, its image almost the same. A step without a text is only an image."""
    head, steps, tail = steps_of(blocks)
    with_text = [index for index, step in enumerate(steps) if prose_of((blocks[0], *step))]
    which = material.rng.choice(with_text or range(len(steps)))
    copies = [tuple(_copy(block, number, material.rng) for block in steps[which]) for number in (2, 3)]
    return Planted(_joined(head, [*steps[: which + 1], *copies, *steps[which + 1 :]], tail))


def is_numbered(blocks: Blocks) -> bool:
    """Whether the steps of a page are numbered in order, so that the text alone shows another order.

    Each step has the number that one of its paragraphs or headings begins with: `Step 2`, `2.` or `The
    second`. 3 of them and more (4 without a word for step) must follow each other without a gap; a step
    without a number is no gap. Words such as `Then` or `Finally` are no numbers.
    """
    found = [number for step in steps_of(blocks)[1] if (number := _number(step))]
    values = [value for value, _ in found]
    least = FEWEST_NAMED if all(named for _, named in found) else FEWEST_PLAIN
    return len(values) >= least and all(after == before + 1 for before, after in pairwise(values))


def is_unnumbered(blocks: Blocks) -> bool:
    """Whether the steps of a page are not numbered: only who understands the text sees their order."""
    return not is_numbered(blocks)


def _number(step: Blocks) -> tuple[int, bool] | None:
    """The number that a step begins with, and whether it has a word for step; None without one."""
    for block in step:
        if isinstance(block, Paragraph) and (found := _NUMBER.match(block.text)):
            if ordinal := found["ordinal"]:
                return _ORDINALS.index(ordinal.lower()) + 1, True
            return int(found["named"] or found["plain"]), found["named"] is not None
    return None


def steps_of(blocks: Blocks) -> tuple[Blocks, list[Blocks], Blocks]:
    """Divide a page into title (with what is before the first step), steps with an image each, and rest.

    A step begins with its image if the page's first block after the title is one, else it ends with it.
    """
    at = [index for index, block in enumerate(blocks) if isinstance(block, DrawnImage)]
    if at[0] == 1:
        bounds = [*at, len(blocks)]
        return blocks[:1], [blocks[a:b] for a, b in pairwise(bounds)], ()
    start = max(1, at[0] - 1)
    bounds = [start, *(index + 1 for index in at)]
    steps = [blocks[a:b] for a, b in pairwise(bounds)]
    return blocks[:start], steps, blocks[at[-1] + 1 :]


def _joined(head: Blocks, steps: list[Blocks], tail: Blocks) -> Blocks:
    return (*head, *(block for step in steps for block in step), *tail)


def _copy(block: Block, number: int, rng: random.Random) -> Block:
    if isinstance(block, Paragraph):
        return block
    data = pixels.png(pixels.nearly_same(pixels.decoded(block.data), rng))
    return named(block, f"{number}-{block.name}", data)


def _taken(blocks: Blocks, material: Material, donors: int) -> list[DrawnImage]:
    """Images of other documents for all of the page; those of one donor begin again when they are too few."""
    found: list[DrawnImage] = []
    wanted = images_of(blocks)
    pages = [images_of(material.donor()) for _ in range(donors)]
    for number, own in enumerate(wanted):
        page = pages[number % donors]
        other = page[number % len(page)] if donors == 1 else material.rng.choice(page)
        found.append(named(own, own.name, pixels.png(pixels.decoded(other.data))))
    return found


def _with_files(blocks: Blocks, images: list[DrawnImage]) -> Blocks:
    """Put these images at the places of all images, under the captions that are there."""
    made, new = blocks, iter(images)
    for index, block in enumerate(blocks):
        if isinstance(block, DrawnImage):
            made = with_block(made, index, replace(next(new), caption=block.caption))
    return made


def _elsewhere(items: list[Item], rng: random.Random) -> list[Item]:
    """Return the items in an order in which none is at its place."""
    order = list(range(len(items)))
    while any(place == index for place, index in enumerate(order)):
        rng.shuffle(order)
    return [items[index] for index in order]
