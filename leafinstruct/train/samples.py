"""Answers of the model in training, drawn beside those of the dataset, because a falling loss does not say
whether images can be looked at.

    samples/step-<n>/<k>.png    what was asked; below it the model's answer at this step, and the dataset's, each part in order
    samples/step-<n>/<k>.txt    the words of the model's answer: the sheet's letters are those of Pillow's own font, which lacks many scripts

The same rows and the same seed each time, so that sheets of two steps can be compared. Images of a prompt and
of its answer have the area that the row's have in training: the adapter has seen no other, and larger ones
would leave no room for an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from leafinstruct.backbones.backbone import Backbone, Segment
from leafinstruct.backbones.generate import Settings, Unfinished, generate
from leafinstruct.backbones.sampling import Sampling
from leafinstruct.errors import BackboneError
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.records import shards
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.runtime.artifact import writing
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data.codes import Grid
from leafinstruct.train.data.encode import NAMES, Encoded, encode
from leafinstruct.train.data.images import Images

TOP_K = 200
"""Of the codes of a sampled image."""
WIDTH, MARGIN, GAP = 1000, 28, 14
"""Of a sheet, pixels."""
SMALL, LARGE = 192, 320
"""Longer side of an image on a sheet: a smaller one is enlarged with its pixels kept square, a larger one
reduced."""
LETTERS = 1200
"""Of one text on a sheet."""
INK, FAINT, PAPER, BAND = "#1d1d1f", "#6e6e73", "#ffffff", "#eef1f5"


@dataclass(frozen=True, slots=True)
class Sample:
    """A row. asked: of the turns before the first answer; wanted: that answer. grid: of images that are
    drawn, None for the usual one."""

    id: str
    asked: list[Segment]
    prompt: list[Segment]
    wanted: list[Segment]
    grid: Grid | None = None


def choose(files: Sequence[Path], number: int, backbone: Backbone, config: TrainConfig) -> list[Sample]:
    """The first rows of which an answer fits the context, and can be shown."""
    images = Images(backbone, config.image_tokens, config.image_floor)
    found: list[Sample] = []
    for row in (row for path in files for row in shards.rows(path)):
        if len(found) == number:
            break
        encoded = encode(backbone, row, config.context, images)
        if isinstance(encoded, Encoded) and (sample := _sample(row, images, encoded.patches)) is not None:
            found.append(sample)
    return found


def _sample(row: Mapping[str, Any], images: Images, patches: int) -> Sample | None:
    """None where an image of the answer cannot be decoded: of a row that is cut, those behind the cut never
    were."""
    of_row = iter(row["images"] or ())
    asked: list[Segment] = []
    prompt: list[Segment] = []
    for turn in row["messages"]:
        parts: list[Segment] = []
        for part in turn["content"] or ():
            found = part["text"] if part["type"] == "text" else decode(next(of_row)["bytes"])
            if isinstance(found, Undecodable):
                return None
            parts.append(found)
        prompt.append(NAMES[turn["role"]])
        if turn["role"] == "assistant":
            return Sample(row["id"], asked, prompt, parts, images.drawn(patches))
        asked += parts
        prompt += paragraphs(images.shaped(parts, patches))
    raise AssertionError("a row that can be trained on has an answer")


def answer(backbone: Backbone, sample: Sample, tokens: int, context: int, seed: int) -> list[Segment]:
    """At most so many tokens, and no more than the context holds; what could not be drawn is said in
    brackets."""
    room = context - len(backbone.encode(sample.prompt))
    settings = Settings(
        image=Sampling(1.0, TOP_K), max_tokens=max(1, min(tokens, room)), grid=sample.grid, seed=seed
    )
    found: list[Segment] = []
    try:
        for part in generate(backbone, sample.prompt, settings):
            found.append(
                f"[an image was cut: {part.steps:,} of {part.of:,} tokens]"
                if isinstance(part, Unfinished)
                else part
            )
    except BackboneError as error:
        found.append(f"[{error}]")
    return found or ["[nothing was said]"]


def write(folder: Path, number: int, sample: Sample, said: Sequence[Segment], step: int) -> Path:
    """A sheet and its words. Returns the sheet's path."""
    path = folder / f"step-{step}" / f"{number}.png"
    with writing(path) as temporary:
        sheet(sample, said, step).save(temporary, "PNG")
    with writing(path.with_suffix(".txt")) as temporary:
        lines = [
            part if isinstance(part, str) else f"[image of {part.width} x {part.height}]" for part in said
        ]
        temporary.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def sheet(sample: Sample, said: Sequence[Segment], step: int) -> Image.Image:
    """WIDTH pixels wide, as high as it must be."""
    half = (WIDTH - 3 * MARGIN) // 2
    asked = _column(f"asked in {sample.id}", sample.asked, WIDTH - 2 * MARGIN)
    answers = [
        _column(f"the model at step {step:,}", said, half),
        _column("the dataset", sample.wanted, half),
    ]
    top = MARGIN + asked.height + GAP
    whole = Image.new("RGB", (WIDTH, top + max(column.height for column in answers) + MARGIN), PAPER)
    whole.paste(asked, (MARGIN, MARGIN))
    for number, column in enumerate(answers):
        whole.paste(column, (MARGIN + number * (half + MARGIN), top))
    return whole


def font(size: int) -> Any:
    """DejaVu Sans, which has the letters of most scripts of Europe, where the machine has it; else Pillow's
    own, which has those of English."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def _column(title: str, parts: Sequence[Segment], width: int) -> Image.Image:
    """Parts below each other, under a title."""
    small, body = font(15), font(19)
    blocks = [_text(title, small, FAINT, width, BAND)]
    blocks += [
        _text(_short(part), body, INK, width, PAPER) if isinstance(part, str) else _scaled(part)
        for part in parts
    ]
    column = Image.new("RGB", (width, sum(block.height + GAP for block in blocks)), PAPER)
    y = 0
    for block in blocks:
        column.paste(block, (0, y))
        y += block.height + GAP
    return column


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


def _scaled(image: Image.Image) -> Image.Image:
    longer = max(image.size)
    wanted = min(max(longer, SMALL), LARGE)
    size = tuple(max(1, round(side * wanted / longer)) for side in image.size)
    framed = Image.new("RGB", (size[0] + 2, size[1] + 2), FAINT)
    how = Image.Resampling.NEAREST if wanted > longer else Image.Resampling.LANCZOS
    framed.paste(image.convert("RGB").resize((size[0], size[1]), how), (1, 1))
    return framed


def _text(text: str, font: Any, ink: str, width: int, paper: str) -> Image.Image:
    lines = [
        line for paragraph in text.splitlines() or [""] for line in _wrapped(paragraph, font, width - 2 * GAP)
    ]
    height = sum(font.getmetrics()) + 4
    block = Image.new("RGB", (width, height * len(lines) + GAP // 2), paper)
    pen = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        pen.text((GAP if paper != PAPER else 0, GAP // 4 + number * height), line, fill=ink, font=font)
    return block


def _wrapped(paragraph: str, font: Any, width: int) -> Iterator[str]:
    """Lines that fit; a word that alone is too long is broken."""
    line = ""
    for word in paragraph.split():
        joined = f"{line} {word}".strip()
        if font.getlength(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        line = word
        while font.getlength(line) > width:
            fits = next(
                count
                for count in range(len(line) - 1, 0, -1)
                if count == 1 or font.getlength(line[:count]) <= width
            )
            yield line[:fits]
            line = line[fits:]
    yield line
