"""Lay out a how-to as a page: headings, paragraphs and images in reading order, with URLs.

There are four layouts, one per document: text then image, image then text, text then figure with a caption,
and each step under its own heading. MMC4 has no headings or captions and puts an image before its sentence,
so its documents always have the second layout. OBELICS has none either and keeps the page's order, so its
documents have one of the first two. A video shows each image together with its text.
"""

from __future__ import annotations

import io
import random
import re
from dataclasses import dataclass, replace

from PIL import Image

from leafinstruct.sketchbook.documents import defects
from leafinstruct.sketchbook.documents.blocks import Block, DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.howto import HowTo, Step
from leafinstruct.sketchbook.documents.plan import Format, Settings, defects_of, draft, is_copy, original_of
from leafinstruct.sketchbook.documents.wording import sentence
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.planter import Material, Planter
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.render import Style, render
from leafinstruct.sketchbook.world.scene import Item, Scene

HOSTS = tuple(
    f"{one}-{two}.sketchbook.example"
    for one in ("pencil", "paper", "crayon", "brush", "easel", "studio", "atelier", "garden")
    for two in ("club", "corner", "school", "notes", "box")
)
"""The forty sites of the corpus, under a name reserved for examples."""

LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"

LAYOUTS = ("text_first", "image_first", "figure", "headings")


@dataclass(frozen=True, slots=True)
class Page:
    """One document ready to be written. url: unique; defect_image: index of the defective image, if any;
    original: number of the document that a duplicate repeats."""

    index: int
    host: str
    slug: str
    howto: HowTo
    blocks: tuple[Block, ...]
    defect: str | None
    defect_image: int | None
    original: int | None

    @property
    def url(self) -> str:
        return f"https://{self.host}/{self.howto.topic}/{self.slug}.html"

    @property
    def images(self) -> list[DrawnImage]:
        return [block for block in self.blocks if isinstance(block, DrawnImage)]

    def file_name(self, image: DrawnImage) -> str:
        """Return a name for the image that is unique in the corpus."""
        return f"{self.slug}-{image.name}"

    def image_url(self, image: DrawnImage) -> str:
        return f"https://{self.host}/pictures/{self.file_name(image)}"


def page(settings: Settings, index: int, kind: Format) -> Page:
    """Make document `index` with its defect, if it has one."""
    defect = defects_of(settings).get(index)
    planter = PLANTERS.get(defect or "")
    original = original_of(settings, index, kind) if defect and is_copy(defect) else None
    source = index if original is None else original
    rng = stream(settings.seed, "defect", index)
    howto, hurt = _hurt(settings, index, draft(settings, source), defect, rng)
    slug = f"{re.sub('[^a-z0-9]+', '-', howto.title.lower())}-{index:05d}"
    host = stream(settings.seed, "host", index).choice(HOSTS)
    blocks = _lay_out(settings, howto, kind, stream(settings.seed, "layout", source))
    if defect == "icon":
        blocks, hurt = _insert_icon(settings, blocks, rng)
    elif defect == "broken":
        blocks, hurt = _break_one(blocks, rng)
    elif planter is not None:
        blocks, hurt = _plant(settings, index, blocks, kind, planter, rng)
    return Page(index, host, slug, howto, tuple(blocks), defect, hurt, original)


def _hurt(
    settings: Settings, index: int, howto: HowTo, defect: str | None, rng: random.Random
) -> tuple[HowTo, int | None]:
    """Apply a defect that changes the how-to. Returns the index of the wrong image, if any."""
    match defect:
        case "misaligned":
            return defects.misalign(howto, lambda: _another(settings, index, rng), rng)
        case "shuffled":
            return defects.shuffle(howto, rng), None
        case "spam":
            return defects.spam(howto, rng), None
        case "too_short":
            return defects.cut_short(howto, rng), None
    return howto, None


def _another(settings: Settings, index: int, rng: random.Random) -> HowTo:
    """Return a how-to of the same seed other than document `index`; it may be outside a very small corpus."""
    return draft(
        settings, (index + rng.randint(1, max(5, settings.documents - 1))) % max(6, settings.documents)
    )


def _lay_out(settings: Settings, howto: HowTo, kind: Format, rng: random.Random) -> list[Block]:
    layout, px = rng.choice(LAYOUTS), settings.image_px
    if settings.layout != "any":
        layout = settings.layout
    alt_style = rng.choice(("caption", "title", "none"))
    blocks: list[Block] = [Paragraph(howto.title, heading=True)]
    if howto.intro:
        blocks.append(Paragraph(howto.intro))
    for number, step in enumerate(howto.steps, start=1):
        alt = {"caption": step.caption, "title": f"{howto.title}, picture {number}", "none": ""}[alt_style]
        image = DrawnImage(f"{number}.png", png(step.scene, px, settings.style), px, alt)
        blocks.extend(_step_blocks(step, image, _layout_of(kind, layout)))
    if howto.outro:
        blocks.append(Paragraph(howto.outro))
    return blocks


def _layout_of(kind: Format, layout: str) -> str:
    """Return the chosen layout, or the nearest one that the format supports."""
    if kind in ("mmc4", "video"):
        return "image_first"
    return "text_first" if kind == "obelics" and layout != "image_first" else layout


def _step_blocks(step: Step, image: DrawnImage, layout: str) -> list[Block]:
    captioned = replace(image, caption=sentence(step.caption))
    if layout == "headings" and step.cue.endswith(":"):
        return [Paragraph(step.cue[:-1], heading=True), Paragraph(sentence(step.body)), image]
    if layout == "figure":
        return [Paragraph(step.text), captioned]
    return [image, Paragraph(step.text)] if layout == "image_first" else [Paragraph(step.text), image]


def png(scene: Scene, px: int, style: Style = "pencil") -> bytes:
    """Render a scene as a PNG file. Its bytes also depend on Pillow's zlib, its pixels only on the
    arguments."""
    return _png(render(scene, px, style))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _plant(
    settings: Settings, index: int, blocks: list[Block], kind: Format, planter: Planter, rng: random.Random
) -> tuple[list[Block], int | None]:
    """Apply a planter. Returns the index of the first planted image, too."""
    material = Material(rng, lambda: tuple(_lay_out(settings, _another(settings, index, rng), kind, rng)))
    planted = planter.plant(tuple(blocks), material)
    names = [block.name for block in planted.blocks if isinstance(block, DrawnImage)]
    return list(planted.blocks), names.index(planted.images[0]) if planted.images else None


def _insert_icon(settings: Settings, blocks: list[Block], rng: random.Random) -> tuple[list[Block], int]:
    """Insert a small icon at random after the title and before the last block."""
    px = rng.choice((16, 20, 24))
    thing = Item(
        rng.choice(("star", "heart", "arrow_right", "bell")),
        rng.choice(("red", "blue", "grey", "orange")),
        0,
        0,
        8,
        8,
    )
    decor = rng.getrandbits(32)
    icon = DrawnImage(
        "icon.png",
        _png(
            render(
                Scene("paper", decor if settings.scenery == "marked" else None, (thing,)), px, settings.style
            )
        ),
        px,
        "",
    )
    place = rng.randint(1, len(blocks) - 1)
    before = sum(isinstance(block, DrawnImage) for block in blocks[:place])
    return [*blocks[:place], icon, *blocks[place:]], before


def _break_one(blocks: list[Block], rng: random.Random) -> tuple[list[Block], int]:
    places = [place for place, block in enumerate(blocks) if isinstance(block, DrawnImage)]
    which = rng.randrange(len(places))
    image = blocks[places[which]]
    assert isinstance(image, DrawnImage)
    broken = replace(image, data=defects.break_bytes(image.data, rng))
    return [*blocks[: places[which]], broken, *blocks[places[which] + 1 :]], which
