"""Render documents after ingest side by side as a PNG: one column per document, texts and images in order.

    python scripts/contact_sheet.py runs/demo ID [ID ...] --out sheet.png

Each segment is labeled with its position and kind, a video frame with its time. Images are read by their
references; instead of an unreadable one its reason is shown. A column ends at HEIGHT pixels with the number
of omitted segments.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.images.read import fetch
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.records import table
from leafinstruct.records.document import Document, Segment, Text
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train.samples import font

COLUMN, GAP, HEIGHT, IMAGE, LINE, LETTERS = 440, 30, 1500, 260, 19, 54
"""Pixels of a column, between columns, of the sheet's maximum height, of an image's longer side, of a line of
text; characters of a line."""

INK, SOFT, PAPER, RULE = (38, 38, 42), (120, 120, 130), (255, 255, 255), (222, 222, 228)


def sheet(documents: list[tuple[Document, Path]]) -> Image.Image:
    """Render documents, each with the folder of its files."""
    columns = [_column(document, root) for document, root in documents]
    height = max(column.height for column in columns) + 2 * GAP
    whole = Image.new("RGB", (GAP + len(columns) * (COLUMN + GAP), height), PAPER)
    for index, column in enumerate(columns):
        whole.paste(column, (GAP + index * (COLUMN + GAP), GAP))
    return whole


def _column(document: Document, root: Path) -> Image.Image:
    column = Image.new("RGB", (COLUMN, HEIGHT), PAPER)
    pen = ImageDraw.Draw(column)
    place = f"{document.source}: {document.provenance.file} {document.provenance.locator}"
    y = _write(pen, 0, textwrap.shorten(place, 66, placeholder=" …"), 13, SOFT) + 8
    for index, segment in enumerate(document.segments):
        block = _block(segment, root)
        if y + block.height > HEIGHT - 30:
            _write(pen, HEIGHT - 26, f"and {len(document.segments) - index} more segments", 13, SOFT)
            return column
        column.paste(block, (0, y))
        y += block.height + 10
    return column.crop((0, 0, COLUMN, y))


def _block(segment: Segment, root: Path) -> Image.Image:
    """Render one segment with its label."""
    at = "" if segment.time is None else f" at {segment.time:.3f} s"
    if isinstance(segment, Text):
        heading = segment.kind == "heading"
        lines = textwrap.wrap(segment.text, LETTERS - 8 * heading, max_lines=6, placeholder=" …")
        block = Image.new("RGB", (COLUMN, 18 + LINE * len(lines)), PAPER)
        pen = ImageDraw.Draw(block)
        _write(pen, 0, f"[{segment.position}] {segment.kind}{at}", 12, SOFT)
        for index, line in enumerate(lines):
            _write(pen, 16 + LINE * index, line, 17 if heading else 15, INK)
        return block
    data = fetch(segment.ref, root)
    image = data if isinstance(data, Unreadable) else decode(data, IMAGE)
    if isinstance(image, (Unreadable, Undecodable)):
        block = Image.new("RGB", (COLUMN, 40), PAPER)
        _write(ImageDraw.Draw(block), 16, f"no image: {image.reason}", 15, SOFT)
    else:
        block = Image.new("RGB", (COLUMN, 20 + image.height), PAPER)
        block.paste(image, (0, 18))
        ImageDraw.Draw(block).rectangle((0, 18, image.width - 1, 17 + image.height), outline=RULE)
    _write(
        ImageDraw.Draw(block),
        0,
        textwrap.shorten(f"[{segment.position}] image{at} {segment.alt}", 66, placeholder=" …"),
        12,
        SOFT,
    )
    return block


def _write(pen: ImageDraw.ImageDraw, y: int, text: str, size: int, color: tuple[int, int, int]) -> int:
    """Write one line. Returns the y of the next."""
    pen.text((0, y), text, color, font(size))
    return y + size + 4


def main() -> None:
    """Find the documents in a run and render them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("ids", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    ingest = Artifact(arguments.run / "ingest")
    record = ingest.record
    if record is None:
        parser.error(f"{ingest.path}: ingest has not finished")
    every = (
        document for part in ingest.parts() for document in table.documents(ingest.file("documents", part))
    )
    found = {document.id: document for document in every if document.id in arguments.ids}
    if missing := [wanted for wanted in arguments.ids if wanted not in found]:
        parser.error(f"no document {', '.join(missing)} in {arguments.run}")
    folders = [ingest.path.resolve() / record["roots"][found[wanted].source] for wanted in arguments.ids]
    sheet([(found[wanted], root) for wanted, root in zip(arguments.ids, folders, strict=True)]).save(
        arguments.out, optimize=True
    )


if __name__ == "__main__":
    main()
