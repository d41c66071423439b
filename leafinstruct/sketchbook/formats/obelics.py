"""Write pages as a Parquet file in the layout of OBELICS: parallel lists of images and texts, and two columns
of JSON metadata.

As in the published files, the paragraphs between two images are one text, and each position has either an
image or a text. Instead of a URL, `images` contains the name of a local file (the corpus needs no network);
the URL is `src` in `metadata`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.sketchbook.documents.blocks import DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.page import Page

ROWS_A_GROUP = 40
"""Rows per row group: a file of 100 rows has three."""

SCHEMA = pa.schema(
    [
        ("images", pa.list_(pa.string())),
        ("metadata", pa.string()),
        ("general_metadata", pa.string()),
        ("texts", pa.list_(pa.string())),
    ]
)


def row(page: Page) -> dict[str, object]:
    """Return the row of a page."""
    images: list[str | None] = []
    texts: list[str | None] = []
    about: list[dict[str, object] | None] = []
    for is_text, blocks in groupby(page.blocks, key=lambda block: isinstance(block, Paragraph)):
        if is_text:
            texts.append("\n\n".join(block.text for block in blocks if isinstance(block, Paragraph)))
            images.append(None)
            about.append(None)
            continue
        for image in blocks:
            assert isinstance(image, DrawnImage)
            texts.append(None)
            images.append(f"images/{page.file_name(image)}")
            about.append(_about(page, image))
    general = {"url": page.url, "warc_filename": None, "warc_record_offset": None, "warc_record_length": None}
    return {
        "images": images,
        "metadata": json.dumps(about),
        "general_metadata": json.dumps(general),
        "texts": texts,
    }


def _about(page: Page, image: DrawnImage) -> dict[str, object]:
    return {
        "document_url": page.url,
        "unformatted_src": image.name,
        "src": page.image_url(image),
        "formatted_filename": image.name.partition(".")[0],
        "alt_text": image.alt,
        "original_width": image.px,
        "original_height": image.height or image.px,
        "format": "jpg" if image.name.endswith(".jpg") else "png",
    }


def parquet(rows: Sequence[dict[str, object]]) -> bytes:
    """Return the file's bytes, which are the same for the same rows and version of pyarrow."""
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(list(rows), schema=SCHEMA),
        buffer,
        row_group_size=ROWS_A_GROUP,
        compression="zstd",
    )
    return buffer.getvalue()
