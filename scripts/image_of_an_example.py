"""Render one published row, or an answer of `leaf generate`, as an image for the README: question and answer.

    python scripts/image_of_an_example.py runs/demo/shard/guide.train-00000-of-00001.parquet \\
        --row 3 --out docs/example.png
    python scripts/image_of_an_example.py runs/tiny-lessons/answer/segments.json --out docs/answer.png
"""

from __future__ import annotations

import argparse
import io
import json
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

SIDE, GAP, WIDTH = 200, 28, 5
"""Pixels of an image, between images; images per line."""

INK, SOFT, PAPER, BUBBLE = (38, 38, 42), (110, 110, 120), (255, 255, 255), (235, 241, 250)


def image_of(row: dict[str, Any]) -> Image.Image:
    """Render a row of at most about ten images as an RGB image."""
    steps = _steps(row)
    lines = -(-len(steps) // WIDTH)
    width = GAP + WIDTH * (SIDE + GAP)
    cell = SIDE + 118
    sheet = Image.new("RGB", (width, 120 + lines * cell), PAPER)
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(21), ImageFont.load_default(15)
    question = textwrap.fill(row["messages"][0]["content"][0]["text"], 96)
    pen.rounded_rectangle((GAP, 18, width - GAP, 84), 16, fill=BUBBLE)
    pen.text((GAP + 20, 38), question, INK, large)
    for index, (image, text) in enumerate(steps):
        x, y = GAP + index % WIDTH * (SIDE + GAP), 110 + index // WIDTH * cell
        sheet.paste(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, y))
        pen.rectangle((x, y, x + SIDE - 1, y + SIDE - 1), outline=(214, 214, 220))
        pen.multiline_text(
            (x, y + SIDE + 8), textwrap.fill(text, 27, max_lines=5, placeholder=" …"), INK, small, spacing=3
        )
    return sheet


def _steps(row: dict[str, Any]) -> list[tuple[Image.Image, str]]:
    """Return each image of the answer with its text: the one before it, or after it if the answer begins with
    an image."""
    content = row["messages"][1]["content"]
    images = iter(Image.open(io.BytesIO(item["bytes"])).convert("RGB") for item in row["images"])
    leads = content[0]["type"] == "image"
    texts: list[str] = []
    shown: list[Image.Image] = []
    pending: list[str] = []
    for part in content:
        if part["type"] == "image":
            shown.append(next(images))
            texts.append("" if leads else " ".join(pending[-1:]))
            pending = []
        elif leads and texts and not texts[-1]:
            texts[-1] = part["text"]
        else:
            pending.append(part["text"])
    return list(zip(shown, texts, strict=True))


def _answer(path: Path) -> dict[str, Any]:
    """Convert a segments.json to a row: a message per side, and the images' bytes."""
    record = json.loads(path.read_text(encoding="utf-8"))
    parts: list[dict[str, str]] = []
    for part in record["answer"]:
        parts += (
            [{"type": "image"}]
            if part["type"] == "image"
            else [{"type": "text", "text": line} for line in part["text"].splitlines()]
        )
    images = [
        {"bytes": (path.parent / part["file"]).read_bytes()}
        for part in record["answer"]
        if part["type"] == "image"
    ]
    return {"messages": [{"content": record["prompt"]}, {"content": parts}], "images": images}


def main() -> None:
    """Render one row, or an answer, and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="Shard, or segments.json of an answer.")
    parser.add_argument("--row", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    answer = arguments.source.suffix == ".json"
    row = (
        _answer(arguments.source)
        if answer
        else pq.read_table(arguments.source).slice(arguments.row, 1).to_pylist()[0]
    )
    image_of(row).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
