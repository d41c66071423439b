"""Render answers of the model during training beside those of the dataset, because a falling loss does not
show whether the images are good.

    samples/step-<n>/<k>.png    the question; below it the model's answer at this step, and the dataset's
    samples/step-<n>/<k>.txt    the text of the model's answer: the font of the sheet may lack its script

The rows and the seed are always the same, so sheets of two steps can be compared. Images of the prompt and of
the answer have the size that the row's images have in training: the adapter has seen no other, and larger
ones would leave too few tokens for an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from leafinstruct.backbones.backbone import Backbone, Segment
from leafinstruct.backbones.generate import Settings, Unfinished, generate
from leafinstruct.backbones.sampling import Sampling
from leafinstruct.errors import BackboneError
from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.records import shards
from leafinstruct.records.published_row import PublishedRow
from leafinstruct.records.text.joining import paragraphs
from leafinstruct.runtime.files import writing
from leafinstruct.train import processes
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data.codes import Grid
from leafinstruct.train.data.encode import NAMES, Encoded, encode
from leafinstruct.train.data.images import Images
from leafinstruct.train.reports import Sink

TOP_K = 200
"""Codes among which each patch is sampled."""
WIDTH, MARGIN, GAP = 1000, 28, 14
"""Measures of a sheet, in pixels."""
SMALL, LARGE = 192, 320
"""Bounds of the longer side of an image on a sheet. Smaller ones are enlarged without smoothing."""
LETTERS = 1200
"""Maximum number of characters of a text on a sheet."""
INK, FAINT, PAPER, BAND = "#1d1d1f", "#6e6e73", "#ffffff", "#eef1f5"


@dataclass(frozen=True, slots=True)
class Sample:
    """A validation row.

    question: segments of the turns before the first answer; prompt: the same as the model reads them;
    expected: the first answer; grid: of generated images, None for the backbone's usual one.
    """

    id: str
    question: list[Segment]
    prompt: list[Segment]
    expected: list[Segment]
    grid: Grid | None = None


def choose(files: Sequence[Path], number: int, backbone: Backbone, config: TrainConfig) -> list[Sample]:
    """Return the first `number` rows whose answer fits the context and can be decoded."""
    images = Images(backbone, config.image_tokens, config.image_floor)
    found: list[Sample] = []
    for row in (row for path in files for row in shards.rows(path)):
        if len(found) == number:
            break
        encoded = encode(backbone, row, config.context, images)
        if isinstance(encoded, Encoded) and (sample := _sample(row, images, encoded.patches)) is not None:
            found.append(sample)
    return found


def _sample(row: PublishedRow, images: Images, patches: int) -> Sample | None:
    """Return None when an image cannot be decoded: in a row that was cut, those after the cut were not
    checked."""
    question: list[Segment] = []
    prompt: list[Segment] = []
    for turn in row.turns:
        parts: list[Segment] = []
        for part in turn.parts:
            found = part if isinstance(part, str) else decode(part.data or b"")
            if isinstance(found, Undecodable):
                return None
            parts.append(found)
        prompt.append(NAMES[turn.role])
        if turn.role == "assistant":
            return Sample(row.id, question, prompt, parts, images.generated_grid(patches))
        question += parts
        prompt += paragraphs(images.shaped(parts, patches))
    raise AssertionError("a row that can be trained on has an answer")


def generate_answer(
    backbone: Backbone, sample: Sample, tokens: int, context: int, seed: int
) -> list[Segment]:
    """Generate an answer of at most `tokens` tokens within the context; failures are described in
    brackets."""
    left = context - len(backbone.encode(sample.prompt))
    settings = Settings(
        image=Sampling(1.0, TOP_K), max_tokens=max(1, min(tokens, left)), grid=sample.grid, seed=seed
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
    return found or ["[the answer is empty]"]


def write_step(
    config: TrainConfig,
    backbone: Backbone,
    chosen: Sequence[Sample],
    folder: Path,
    seed: int,
    sinks: Sequence[Sink],
    step: int,
) -> None:
    """Generate and write the samples of one step. With FSDP every process must take part in the computation;
    only the first one writes."""
    first = processes.state().is_main_process
    if not first and config.fsdp is None:
        return
    for number, sample in enumerate(chosen, 1):
        answer = generate_answer(backbone, sample, config.sample_tokens, config.context, seed)
        if first:
            path = write(folder, number, sample, answer, step)
            for sink in sinks:
                sink.image(step, str(number), path)


def write(folder: Path, number: int, sample: Sample, answer: Sequence[Segment], step: int) -> Path:
    """Write a sheet and the text of the answer. Returns the sheet's path."""
    path = folder / f"step-{step}" / f"{number}.png"
    with writing(path) as temporary:
        sheet(sample, answer, step).save(temporary, "PNG")
    with writing(path.with_suffix(".txt")) as temporary:
        lines = [
            part if isinstance(part, str) else f"[image of {part.width} x {part.height}]" for part in answer
        ]
        temporary.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def sheet(sample: Sample, answer: Sequence[Segment], step: int) -> Image.Image:
    """Render a sheet, WIDTH pixels wide and as high as its contents."""
    half = (WIDTH - 3 * MARGIN) // 2
    question = _column(f"question of {sample.id}", sample.question, WIDTH - 2 * MARGIN)
    answers = [
        _column(f"the model at step {step:,}", answer, half),
        _column("the dataset", sample.expected, half),
    ]
    top = MARGIN + question.height + GAP
    whole = Image.new("RGB", (WIDTH, top + max(column.height for column in answers) + MARGIN), PAPER)
    whole.paste(question, (MARGIN, MARGIN))
    for number, column in enumerate(answers):
        whole.paste(column, (MARGIN + number * (half + MARGIN), top))
    return whole


def font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which has most scripts of Europe, if it is installed; otherwise Pillow's own font,
    which has the letters of English."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        found = ImageFont.load_default(size)
        assert isinstance(found, ImageFont.FreeTypeFont), "Pillow's own font of a given size is one"
        return found


def _column(title: str, parts: Sequence[Segment], width: int) -> Image.Image:
    """Render a title and parts below each other."""
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


def _text(text: str, font: ImageFont.FreeTypeFont, ink: str, width: int, paper: str) -> Image.Image:
    lines = [
        line for paragraph in text.splitlines() or [""] for line in _wrapped(paragraph, font, width - 2 * GAP)
    ]
    height = sum(font.getmetrics()) + 4
    block = Image.new("RGB", (width, height * len(lines) + GAP // 2), paper)
    pen = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        pen.text((GAP if paper != PAPER else 0, GAP // 4 + number * height), line, fill=ink, font=font)
    return block


def _wrapped(paragraph: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Break a paragraph into lines that fit; a word that is too long for a line is split."""
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
