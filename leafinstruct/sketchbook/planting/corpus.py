"""Plant defects into pages from anywhere, and write them as HTML with the truth beside them.

    root/page-00012/index.html and its images     one folder per page; its name says nothing about the defect
    root/planted.json                             per page: class, planted texts and images, original

Every page is used once: a page that is in the corpus with a defect is not in it without, so that copies of a
document are planted ones only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.sketchbook.documents.blocks import Block, Blocks, DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.howto import HowTo
from leafinstruct.sketchbook.documents.page import HOSTS, Page
from leafinstruct.sketchbook.formats import html as as_html
from leafinstruct.sketchbook.planting import pixels
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.planter import Material, Planted, Planter
from leafinstruct.sketchbook.world.chance import stream

TRUTH = "planted.json"
PLANTED = 0.75
"""Largest share of few sources that get a defect: the others are clean pages."""


@dataclass(frozen=True, slots=True)
class Source:
    """A page before anything is planted. group: what clean pages are counted by, such as a script."""

    blocks: Blocks
    language: str = "en"
    group: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A page to write. defect: name of the planter, None for a clean page. copied: whether the source is in
    the corpus as a clean page, too."""

    source: Source
    defect: str | None = None
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known about a written page.

    file: relative to the root. defect: name of the planter, None for a clean page. texts, images: planted
    texts, and files of planted images relative to the root. original: file of the page that it copies. group:
    as of its source.
    """

    file: str
    defect: str | None
    group: str = ""
    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    original: str | None = None


def blocks_of(document: Document, data: Callable[[ImageRef], bytes | None]) -> Blocks:
    """Return the blocks of a document: its title first, captions at their images, without images that do not
    decode. data: returns the file of an image, or None."""
    texts = [text for text in document.texts if text.kind == "heading"]
    title = document.title or (texts[0].text if texts else document.texts[0].text if document.texts else "")
    made: list[Block] = [Paragraph(title, heading=True)]
    for segment in document.segments:
        if isinstance(segment, ImageRef):
            image = _image(segment, data(segment), len(made))
            made += [image] if image is not None else []
        elif segment.kind == "caption" and isinstance(made[-1], DrawnImage):
            made[-1] = _with_caption(made[-1], segment)
        elif len(made) > 1 or segment.text != title:
            made.append(_paragraph(segment))
    return tuple(made)


def planted_into(
    sources: Sequence[Source], classes: Sequence[str], each: int, seed: int, most: float = PLANTED
) -> list[Choice]:
    """Choose `each` sources for each class at random, each source once. All others stay clean. most:
    largest share of the sources that get a defect.

    Classes for which too few sources are left or fit get fewer; those that show on a whole site get as many
    as that needs, and first. A copy follows its original.
    """
    rng = stream(seed, "deal")
    deck = rng.sample(range(len(sources)), len(sources))
    dealt: dict[int, Planter] = {}
    wanted = sorted(
        (PLANTERS[name] for name in classes),
        key=lambda one: (-one.site, one.suits is None, -one.images - one.texts),
    )
    for planter in wanted:
        fits = [index for index in deck if index not in dealt and planter.fits(sources[index].blocks)]
        room = int(len(sources) * most) - len(dealt)
        dealt.update((index, planter) for index in fits[: min(max(each, planter.site), room)])
    made: list[Choice] = []
    for index, source in enumerate(sources):
        dealt_to = dealt.get(index)
        if dealt_to is None or dealt_to.copies:
            made.append(Choice(source))
        if dealt_to is not None:
            made.append(Choice(source, dealt_to.name, copied=dealt_to.copies))
    return made


def write(root: Path, chosen: Iterable[Choice], donors: Sequence[Source], seed: int) -> list[Truth]:
    """Plant and write chosen pages. donors: sources whose pieces are foreign to the corpus.

    Returns the truth about each page, which is in `root/planted.json`, too. The same arguments give the same
    bytes. Raises OSError.
    """
    pages = list(chosen)
    root.mkdir(parents=True, exist_ok=True)
    file_of = {id(page.source): _file(number) for number, page in enumerate(pages) if not page.copied}
    truths: list[Truth] = []
    donor = _donor(stream(seed, "donors").sample(list(donors), len(donors)))
    for number, page in enumerate(pages):
        rng = stream(seed, "plant", page.defect, number)
        planted = Planted(page.source.blocks)
        if page.defect is not None:
            planted = PLANTERS[page.defect].plant(planted.blocks, Material(rng, donor))
        _write_page(root, number, planted.blocks, page.source.language, _host(page, number, seed))
        images = tuple(f"{Path(_file(number)).parent}/{name}" for name in planted.images)
        original = file_of[id(page.source)] if page.copied else None
        truths.append(Truth(_file(number), page.defect, page.source.group, planted.texts, images, original))
    text = json.dumps([asdict(truth) for truth in truths], ensure_ascii=False, indent=0)
    (root / TRUTH).write_text(text, encoding="utf-8")
    return truths


def _file(number: int) -> str:
    return f"page-{number:05d}/index.html"


def read_truth(root: Path) -> list[Truth]:
    """Read what `write` returned. Raises FileNotFoundError."""
    return [
        Truth(**{**entry, "texts": tuple(entry["texts"]), "images": tuple(entry["images"])})
        for entry in json.loads((root / TRUTH).read_text(encoding="utf-8"))
    ]


def _donor(donors: Sequence[Source]) -> Callable[[], Blocks]:
    """Return the donors in turn, because one that is used twice would make a duplicate."""
    turn = cycle(donors)
    return lambda: next(turn).blocks


def _host(page: Choice, number: int, seed: int) -> str:
    """The host of a page: one at random, or that of the site that its defect needs."""
    if page.defect is not None and PLANTERS[page.defect].site:
        return f"{page.defect.replace('_', '-')}.sketchbook.example"
    found: str = stream(seed, "host", number).choice(HOSTS)
    return found


def _write_page(root: Path, number: int, blocks: Blocks, language: str, host: str) -> None:
    title = blocks[0]
    assert isinstance(title, Paragraph)
    howto = HowTo("pages", title.text, "", (), "")
    page = Page(number, host, f"page-{number:05d}", howto, blocks, None, None, None)
    folder = root / page.slug
    folder.mkdir(parents=True, exist_ok=True)
    for image in page.images:
        (folder / image.name).write_bytes(image.data)
    (folder / "index.html").write_bytes(as_html.html(page, lambda image: image.name, language))


def _image(segment: ImageRef, data: bytes | None, number: int) -> DrawnImage | None:
    """Return an image with a name of its own; None if it does not decode."""
    if data is None:
        return None
    try:
        width, height = pixels.decoded(data).size
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for broken files
        return None
    place = str(segment.ref).partition("#")[0].partition("?")[0]
    name = f"{number}-{Path(segment.url or place).name}"[-80:]
    return DrawnImage(_safe(name), data, width, segment.alt, "", height)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def _with_caption(image: DrawnImage, caption: Text) -> DrawnImage:
    return DrawnImage(image.name, image.data, image.px, image.alt, caption.text, image.height)


def _paragraph(text: Text) -> Paragraph:
    """Return a paragraph; list markers are written again by the format."""
    if text.kind == "code":
        return Paragraph(text.text, kind="code")
    if text.kind == "list":
        items = [line.strip().removeprefix("- ") for line in text.text.splitlines() if line.strip()]
        return Paragraph("\n".join(items), kind="list")
    return Paragraph(text.text, heading=text.kind == "heading")
