"""Evaluate one adapter on Sketchbook's lessons: a table, and a sheet of the images.

    python experiments/evaluate_lessons.py runs/my-adapter --lessons 100 --out lessons
    python experiments/evaluate_lessons.py recipe.yaml --checkpoint 400 --lessons 24
    python experiments/evaluate_lessons.py leaf:tiny-1                              the base without an
    adapter

The argument is the same as that of `leaf generate`. Lessons are of held-out combinations only, with the
questions of training rows (--asked people: in wordings that are not in training). Answers are free-running;
with --forced, each image is also generated after its true texts and images. On the sheet exact images have a
green border, others a red one with the mistake; right texts are black, others red.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from leafinstruct.backbones.chameleon import Chameleon
from leafinstruct.errors import LeafInstructError
from leafinstruct.evaluate.sketchbook.figures import Figures, faults, forced_figures, free_figures, mistakes
from leafinstruct.evaluate.sketchbook.grammar import asks
from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.evaluate.sketchbook.judging import ImageVerdict
from leafinstruct.evaluate.sketchbook.lessons import (
    ForcedImages,
    FreeAnswer,
    Question,
    forced_images,
    free_answers,
    held_out_lessons,
)
from leafinstruct.evaluate.sketchbook.recognizer import seen
from leafinstruct.generation import adapter
from leafinstruct.recipe.load import load_training
from leafinstruct.train.data.encode import in_template

SEED = 20_261_125
"""Seed of the held-out lessons."""
SIDE, GAP, TEXT, WIDTH = 128, 12, 66, 6
"""Pixels of an image, between images, and of the text below one; images per line."""
INK, RIGHT, WRONG, PAPER = (38, 38, 42), (46, 140, 72), (200, 52, 48), (255, 255, 255)


def questions(count: int, asked: str, seed: int) -> list[Question]:
    """Return held-out lessons with questions. asked: `rows` or `people`."""
    found = []
    for index, howto in enumerate(held_out_lessons(count, seed)):
        wordings = guide_asks(howto.title) if asked == "rows" else asks(howto)
        found.append(Question(howto, random.Random(f"{seed}/{index}").choice(wordings)))
    return found


def sheet(found: Sequence[FreeAnswer], forced: Sequence[ForcedImages]) -> Image.Image:
    """Render one block per lesson: its question, the answer's steps, and the teacher-forced images, if
    any."""
    blocks = [_block(one, forced[index] if forced else None) for index, one in enumerate(found)]
    page = Image.new("RGB", (GAP + WIDTH * (SIDE + GAP), sum(block.height for block in blocks)), PAPER)
    y = 0
    for block in blocks:
        page.paste(block, (0, y))
        y += block.height
    return page


def _block(one: FreeAnswer, forced: ForcedImages | None) -> Image.Image:
    steps = one.verdict.steps[:WIDTH]
    images = [segment for segment in one.answer.segments if isinstance(segment, Image.Image)]
    height = 30 + SIDE + TEXT + (SIDE + 24 if forced else 0)
    block = Image.new("RGB", (GAP + WIDTH * (SIDE + GAP), height), PAPER)
    pen, small = ImageDraw.Draw(block), ImageFont.load_default(10)
    pen.text((GAP, 8), one.question.prompt, INK, ImageFont.load_default(14))
    shown = iter(images)
    for index, step in enumerate(steps):
        x = GAP + index * (SIDE + GAP)
        _image(block, x, 30, next(shown, None) if step.image.mistake != "no image" else None, step.image)
        words = step.text if step.fault is None else f"[{step.fault}] {step.text}"
        text = textwrap.fill(words, 25, max_lines=5, placeholder=" …")
        pen.multiline_text((x, 32 + SIDE), text, INK if step.fault is None else WRONG, small, spacing=1)
    if forced is not None:
        for index, (image, verdict) in enumerate(zip(forced.images[:WIDTH], forced.verdicts, strict=False)):
            _image(block, GAP + index * (SIDE + GAP), 30 + SIDE + TEXT, image, verdict)
    return block


def _image(block: Image.Image, x: int, y: int, image: Image.Image | None, shown: ImageVerdict) -> None:
    pen = ImageDraw.Draw(block)
    if image is not None:
        block.paste(image.resize((SIDE, SIDE), Image.Resampling.NEAREST), (x, y))
    pen.rectangle((x - 1, y - 1, x + SIDE, y + SIDE), outline=RIGHT if shown.exact else WRONG, width=2)
    if shown.mistake is not None:
        pen.rectangle((x, y, x + 7 * len(shown.mistake) + 6, y + 13), fill=WRONG)
        pen.text((x + 3, y + 1), shown.mistake, PAPER, ImageFont.load_default(10))


def table(figures: Mapping[str, Figures]) -> str:
    """Format a table: rows are figures, columns are modes."""
    names = list(dict.fromkeys(name for column in figures.values() for name in column))
    lines = [f"{'':<14}" + "".join(f"{way:>16}" for way in figures)]
    for name in names:
        shares = [column.get(name) for column in figures.values()]
        lines.append(
            f"{name:<14}" + "".join(f"{'-':>16}" if share is None else f"{share:>16.1%}" for share in shares)
        )
    return "\n".join(lines)


def _progress(what: str, of: int) -> Callable[[int], None]:
    began = time.monotonic()
    return lambda done: print(
        f"{what}: {done} of {of}, {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True
    )


def main() -> None:
    """Evaluate one adapter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="runs/NAME, a recipe, an adapter's folder, or leaf:tiny-1")
    parser.add_argument("--lessons", type=int, default=100)
    parser.add_argument(
        "--seed",
        type=int,
        default=SEED,
        help="Seed of the lessons; use another one if the default lessons served to choose settings.",
    )
    parser.add_argument("--style", choices=("pencil", "chalk", "shadow"), default="pencil")
    parser.add_argument("--asked", choices=("rows", "people"), default="rows")
    parser.add_argument("--checkpoint", type=int, help="Step of a checkpoint of an unfinished run.")
    parser.add_argument("--forced", action="store_true", help="Generate teacher-forced images, too.")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shown", type=int, default=12, help="Number of lessons on the sheet.")
    parser.add_argument("--out", type=Path, default=Path("lessons"), help="Write OUT.png and OUT.json.")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    try:
        if Path(arguments.run).is_file():
            recipe = load_training(Path(arguments.run))
            found = adapter.of_recipe(
                recipe.directory, recipe.train.backbone, adapter.Base(), arguments.checkpoint
            )
        else:
            found = adapter.find(arguments.run, adapter.Base(), arguments.checkpoint)
        backbone = adapter.adapted(found, "cpu", lambda line: print(line, file=sys.stderr))
    except LeafInstructError as error:
        parser.exit(1, f"{error}\n")
    if not isinstance(backbone, Chameleon):
        parser.exit(1, f"{arguments.run}: lessons need a chameleon backbone, with images of one shape\n")
    view = seen(backbone.images, arguments.style)
    asked = questions(arguments.lessons, arguments.asked, arguments.seed)
    free = free_answers(
        backbone, asked, in_template, view, arguments.batch, _progress("free-running lessons", len(asked))
    )
    figures = {"free-running": free_figures(free)}
    wrong = {
        "texts": faults(free),
        "images": mistakes(step.image for one in free for step in one.verdict.steps),
    }
    forced: list[ForcedImages] = []
    if arguments.forced:
        count = sum(len(one.howto.steps) for one in asked)
        progress = _progress("teacher-forced images", count)
        forced = forced_images(backbone, asked, in_template, view, 2 * arguments.batch, progress)
        figures["teacher-forced"] = forced_figures(forced)
        wrong["teacher-forced"] = mistakes(one for lesson in forced for one in lesson.verdicts)
    print(
        f"{found.name or found.base.name}: {len(asked)} lessons of held-out combinations, "
        f"{arguments.style}, asked as {arguments.asked}"
    )
    print(table(figures))
    for name, counts in wrong.items():
        print(
            f"wrong {name}: "
            + (", ".join(f"{what} {count}" for what, count in counts.most_common()) or "none")
        )
    sheet(free[: arguments.shown], forced[: arguments.shown]).save(
        Path(f"{arguments.out}.png"), optimize=True
    )
    report = {
        "adapter": found.sha256,
        "lessons": len(asked),
        "style": arguments.style,
        "asked": arguments.asked,
        "seed": arguments.seed,
    }
    answers = [
        {
            "prompt": one.question.prompt,
            "texts": [step.text for step in one.verdict.steps],
            "ended": one.answer.ended,
        }
        for one in free
    ]
    Path(f"{arguments.out}.json").write_text(
        json.dumps({**report, "figures": figures, "answers": answers}, indent=1)
    )


if __name__ == "__main__":
    main()
