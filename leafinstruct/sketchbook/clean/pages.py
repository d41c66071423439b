"""Clean pages that are easily mistaken for defects, in thirteen languages and ten groups of scripts.

    prose         four paragraphs of one to three sentences                    every language
    numbers       numbers and units in every other sentence                    every language
    short_steps   three steps of one sentence                                  every language
    many_images   twenty images with eight sentences                           every language
    code          four blocks of code, each below a paragraph                  every language
    steps_list    a list of materials, and numbered steps                      every language
    references    three references to images that are there, in 110 words     English

Texts are from templates (sentences.py), images from lessons of Sketchbook. A page is a pure function of case,
language, seed and number.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from leafinstruct.sketchbook.clean import sentences as written
from leafinstruct.sketchbook.documents.blocks import Block, Blocks, DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.lessons import lesson
from leafinstruct.sketchbook.documents.page import png
from leafinstruct.sketchbook.world.chance import stream

IMAGE_PX = 160
"""Side of the images; above the bound of 150 that recipes for the web have."""
MANY = 20
"""Images of a page of `many_images`."""
LISTINGS = (
    "for row in table:\n    total = row.price * row.count\n    print(row.name, total)",
    "let lamp = {on: false};\nfunction press() {\n  lamp.on = !lamp.on;\n  return lamp.on;\n}",
    "sudo apt install {name}\n{name} --version\n{name} start --port 80{port}",
    "<ul>\n  <li>{name}</li>\n  <li>{port}</li>\n</ul>",
    "int sensor = {port};\nvoid loop() {\n  int v = analogRead(sensor);\n  if (v > 5{port}) beep();\n}",
)
NAMES = ("kettle", "lantern", "basket", "bicycle", "ladder", "anchor", "harbor", "meadow")


class Images:
    """Images of one page in order, drawn on demand."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._count = rng, 0
        self._scenes = list(lesson(rng).steps)

    def next(self) -> DrawnImage:
        """Draw the next step of a lesson; after its last one, of another lesson."""
        if not self._scenes:
            self._scenes = list(lesson(self._rng).steps)
        self._count += 1
        data = png(self._scenes.pop(0).scene, IMAGE_PX)
        return DrawnImage(f"{self._count}.png", data, IMAGE_PX, "")


class Writer:
    """Sentences of one page in one language: every frame once before one occurs again, since a page that
    repeats itself would not be clean."""

    def __init__(self, language: str, rng: random.Random) -> None:
        self.language, self.rng = language, rng
        self._left: list[str] = []

    def lines(self, count: int) -> list[str]:
        """Write `count` sentences."""
        if len(self._left) < count:
            self._left += written.sentences(self.language, len(self.frames), self.rng)
        lines, self._left = self._left[:count], self._left[count:]
        return lines

    def text(self, count: int) -> str:
        """Write a paragraph of `count` sentences."""
        return written.joined(self.language, self.lines(count))

    @property
    def frames(self) -> list[str]:
        return written.languages()[self.language]["frames"]

    @property
    def title(self) -> Paragraph:
        return Paragraph(written.title(self.language, self.rng), heading=True)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of clean page. languages: those that it exists in."""

    name: str
    languages: tuple[str, ...]
    make: Callable[[Writer, Images], Blocks]


def _prose(writer: Writer, images: Images) -> Blocks:
    made: list[Block] = [writer.title]
    for count in (2, 3, 1, 2):
        made += [Paragraph(writer.text(count)), images.next()]
    return tuple(made)


def _numbers(writer: Writer, images: Images) -> Blocks:
    made: list[Block] = [writer.title]
    for line in written.measured(writer.language, 4, writer.rng):
        text = written.joined(writer.language, [line, *writer.lines(1)])
        made += [Paragraph(text), images.next()]
    return tuple(made)


def _short_steps(writer: Writer, images: Images) -> Blocks:
    made: list[Block] = [writer.title]
    for number, line in enumerate(writer.lines(3), start=1):
        made += [Paragraph(f"{number}. {line}"), images.next()]
    return tuple(made)


def _many_images(writer: Writer, images: Images) -> Blocks:
    """Eight sentences, each with two or three images."""
    made: list[Block] = [writer.title]
    lines = writer.lines(len(writer.frames))
    for number in range(MANY):
        if number % 5 in (0, 2) and lines:
            made.append(Paragraph(lines.pop(0)))
        made.append(images.next())
    return tuple(made)


def _code(writer: Writer, images: Images) -> Blocks:
    made: list[Block] = [writer.title]
    for number, listing in enumerate(writer.rng.sample(LISTINGS, 4)):
        code = listing.replace("{name}", writer.rng.choice(NAMES))
        code = code.replace("{port}", str(writer.rng.randint(10, 99)))
        made += [Paragraph(writer.text(2)), Paragraph(code, kind="code")]
        if number % 2:
            made.append(images.next())
    return tuple(made)


def _steps_list(writer: Writer, images: Images) -> Blocks:
    things = writer.rng.sample(written.languages()[writer.language]["things"], 5)
    made: list[Block] = [writer.title, Paragraph(writer.text(2))]
    made.append(Paragraph("\n".join(things), kind="list"))
    for number, line in enumerate(writer.lines(5), start=1):
        made += [Paragraph(f"{number}. {line}"), images.next()]
    return tuple(made)


def _references(writer: Writer, images: Images) -> Blocks:
    """Each reference stands beside the image that it means."""
    return (
        writer.title,
        Paragraph(f"{writer.text(2)} Figure 1 shows how it should look."),
        _captioned(images, "Figure 1: the beginning"),
        Paragraph(f"{writer.text(2)} The picture below was taken a little later."),
        images.next(),
        Paragraph(f"{writer.text(2)} In Figure 2 everything is in its place."),
        _captioned(images, "Figure 2: the end"),
    )


def _captioned(images: Images, caption: str) -> DrawnImage:
    image = images.next()
    return DrawnImage(image.name, image.data, image.px, image.alt, caption)


_EVERY = tuple(written.languages())
CASES = {
    case.name: case
    for case in (
        Case("prose", _EVERY, _prose),
        Case("numbers", _EVERY, _numbers),
        Case("short_steps", _EVERY, _short_steps),
        Case("many_images", _EVERY, _many_images),
        Case("code", _EVERY, _code),
        Case("steps_list", _EVERY, _steps_list),
        Case("references", ("en",), _references),
    )
}


def clean_page(case: str, language: str, seed: int, number: int) -> Blocks:
    """Generate the blocks of a clean page. case: a key of CASES; language: one of its languages."""
    rng = stream(seed, "clean", case, language, number)
    return CASES[case].make(Writer(language, rng), Images(rng))


def script_of(language: str) -> str:
    """Return the script group of a language: Latin, Cyrillic, Greek, Hebrew, Arabic, Devanagari, Thai, Han,
    Kana or Hangul."""
    return written.languages()[language]["script"]
