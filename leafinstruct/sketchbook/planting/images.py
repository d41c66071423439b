"""Planters of bad images: one image of the page is damaged, imitated, or shown twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from leafinstruct.sketchbook.documents.blocks import Blocks, DrawnImage, Paragraph
from leafinstruct.sketchbook.planting import pixels
from leafinstruct.sketchbook.planting.planter import Material, Planted, images_of, with_block

Change = Callable[[Image.Image, random.Random], Image.Image]

STUFFED = (
    "cheap pencil buy pencil online pencil shop best pencil price pencil sale",
    "IMG_20260114_173055.JPG",
    "image",
    "untitled-1-final-v2-copy",
    "DSC00412",
)
"""Alt texts that describe nothing."""


def damaged(change: Change, blocks: Blocks, material: Material) -> Planted:
    """Change the pixels of one image; its name and alt text stay."""
    index = one(blocks, material.rng)
    image = _at(blocks, index)
    new = named(image, image.name, pixels.png(change(pixels.decoded(image.data), material.rng)))
    return Planted(with_block(blocks, index, new), images=(new.name,))


def imitated(change: Change, name: str, alt: str, blocks: Blocks, material: Material) -> Planted:
    """Replace one image by a drawn one with a name and an alt text of its kind."""
    index = one(blocks, material.rng)
    drawn = change(pixels.decoded(_at(blocks, index).data), material.rng)
    new = named(_at(blocks, index), _free(blocks, name), pixels.png(drawn), alt)
    return Planted(with_block(blocks, index, new), images=(new.name,))


def added(change: Change, name: str, alt: str, blocks: Blocks, material: Material) -> Planted:
    """Insert a drawn image between two blocks after the title."""
    first = images_of(blocks)[0]
    drawn = pixels.png(change(pixels.decoded(first.data), material.rng))
    new = replace(named(first, _free(blocks, name), drawn, alt), caption="")
    place = material.rng.randint(1, len(blocks))
    return Planted((*blocks[:place], new, *blocks[place:]), images=(new.name,))


def icon(image: Image.Image, rng: random.Random) -> Image.Image:
    """A logo of 24 pixels."""
    return pixels.logo(image, rng).crop((0, 0, 96, 96)).resize((24, 24))


def heavy_jpeg(blocks: Blocks, material: Material) -> Planted:
    """Save one image as a JPEG of quality 2."""
    return _as_jpeg(2, blocks, material)


def broken(blocks: Blocks, material: Material) -> Planted:
    """Cut the file of one image after a third."""
    index = one(blocks, material.rng)
    image = _at(blocks, index)
    cut = replace(image, data=image.data[: len(image.data) // 3])
    return Planted(with_block(blocks, index, cut), images=(image.name,))


def bad_alt(blocks: Blocks, material: Material) -> Planted:
    """Give every image an alt text that does not describe it."""
    made = tuple(
        replace(block, alt=material.rng.choice(STUFFED)) if isinstance(block, DrawnImage) else block
        for block in blocks
    )
    return Planted(made, images=tuple(image.name for image in images_of(made)))


def twice(change: Change | None, blocks: Blocks, material: Material) -> Planted:
    """Show one image again, in place of another one. change: of the copy; None keeps its bytes."""
    rng = material.rng
    first, second = sorted(rng.sample(_places(blocks), 2))
    shown, other = _at(blocks, first), _at(blocks, second)
    data = shown.data if change is None else pixels.png(change(pixels.decoded(shown.data), rng))
    copy = named(other, f"again-{other.name}", data)
    return Planted(with_block(blocks, second, copy), images=(shown.name, copy.name))


def recompressed(blocks: Blocks, material: Material) -> Planted:
    """Show one image again as a JPEG of quality 40, in place of another one."""
    first, second = sorted(material.rng.sample(_places(blocks), 2))
    shown, other = _at(blocks, first), _at(blocks, second)
    copy = named(other, f"again-{_stem(other.name)}.jpg", pixels.jpeg(pixels.decoded(shown.data), 40))
    return Planted(with_block(blocks, second, copy), images=(shown.name, copy.name))


def foreign_image(blocks: Blocks, material: Material) -> Planted:
    """Replace the pixels of one image by those of an image of another document."""
    index = one(blocks, material.rng)
    image = _at(blocks, index)
    other = material.rng.choice(images_of(material.donor()))
    new = named(image, image.name, pixels.png(pixels.decoded(other.data)))
    return Planted(with_block(blocks, index, new), images=(image.name,))


def named(image: DrawnImage, name: str, data: bytes, alt: str | None = None) -> DrawnImage:
    """Return the image with another file, its declared size, and perhaps another alt text."""
    width, height = pixels.decoded(data).size
    return DrawnImage(name, data, width, image.alt if alt is None else alt, image.caption, height)


def one(blocks: Blocks, rng: random.Random) -> int:
    """Return the index of one image."""
    return rng.choice(_places(blocks))


def _places(blocks: Blocks) -> list[int]:
    return [index for index, block in enumerate(blocks) if not isinstance(block, Paragraph)]


def _at(blocks: Blocks, index: int) -> DrawnImage:
    image = blocks[index]
    assert isinstance(image, DrawnImage)
    return image


def _as_jpeg(quality: int, blocks: Blocks, material: Material) -> Planted:
    index = one(blocks, material.rng)
    image = _at(blocks, index)
    data = pixels.jpeg(pixels.decoded(image.data), quality)
    new = named(image, f"{_stem(image.name)}.jpg", data)
    return Planted(with_block(blocks, index, new), images=(new.name,))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _free(blocks: Blocks, name: str) -> str:
    """Return a name that no image of the page has."""
    taken = {image.name for image in images_of(blocks)}
    return next(made for number in range(len(taken) + 1) if (made := f"{'x' * number}{name}") not in taken)
