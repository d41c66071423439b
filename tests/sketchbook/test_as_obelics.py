"""Drawn pages in the layout of OBELICS: genuine columns, several row groups, and the reader finds what was
drawn."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest

from leafinstruct.ingest.config import ObelicsSource
from leafinstruct.ingest.readers import obelics
from leafinstruct.records.document import Document, ImageRef
from leafinstruct.sketchbook.documents.blocks import Paragraph
from leafinstruct.sketchbook.documents.page import Page, page
from leafinstruct.sketchbook.documents.plan import Settings, chunks
from leafinstruct.sketchbook.formats import obelics as as_obelics
from leafinstruct.sketchbook.formats.write import write_chunk

SETTINGS = Settings(
    seed=9, documents=360, image_px=32, defects=(("icon", 0.1), ("broken", 0.1), ("shuffled", 0.1))
)


@pytest.fixture(scope="module")
def drawn() -> tuple[str, list[Page]]:
    chunk = next(chunk for chunk in chunks(SETTINGS) if chunk.format == "obelics")
    return f"part-{chunk.index:04d}.parquet", [
        page(SETTINGS, index, "obelics") for index in range(chunk.start, chunk.stop)
    ]


def test_rows_have_the_columns_of_the_published_files_in_several_row_groups(drawn):
    pages = drawn[1]
    data = as_obelics.parquet([as_obelics.row(one) for one in pages])
    assert data == as_obelics.parquet([as_obelics.row(one) for one in pages])
    file = pq.ParquetFile(io.BytesIO(data))
    assert file.schema_arrow.names == ["images", "metadata", "general_metadata", "texts"]
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [40, 40, 10]
    for row, one in zip(file.read().to_pylist(), pages, strict=True):
        about = json.loads(row["metadata"])
        assert json.loads(row["general_metadata"])["url"] == one.url
        assert len(row["images"]) == len(row["texts"]) == len(about)
        for image, text, entry in zip(row["images"], row["texts"], about, strict=True):
            assert (image is None) == (entry is None) == (text is not None)
        assert [entry["src"] for entry in about if entry] == [
            one.image_url(drawn_image) for drawn_image in one.images
        ]


def test_the_reader_finds_every_paragraph_and_image_of_a_page_in_order(drawn, tmp_path):
    name, pages = drawn
    write_chunk(SETTINGS, next(chunk for chunk in chunks(SETTINGS) if chunk.format == "obelics"), tmp_path)
    source = ObelicsSource(name="s", path=str(tmp_path / "obelics" / name), license="CC0-1.0")
    items = [
        item
        for span in obelics.plan(source, 25, tmp_path / "cache")
        for item in obelics.read(source, span, tmp_path / "cache")
    ]
    assert {one.defect for one in pages} >= {None, "icon", "broken", "shuffled"}
    for item, one, number in zip(items, pages, range(len(pages)), strict=True):
        assert isinstance(item, Document)
        assert item.provenance.locator == f"row={number}"
        parts = [
            part
            for segment in item.segments
            for part in ([segment] if isinstance(segment, ImageRef) else segment.text.split("\n\n"))
        ]
        assert [block.text for block in one.blocks if isinstance(block, Paragraph)] == [
            part for part in parts if isinstance(part, str)
        ]
        assert [isinstance(part, ImageRef) for part in parts] == [
            not isinstance(block, Paragraph) for block in one.blocks
        ]
        assert [(tmp_path / "obelics" / (image.ref.file or "")).read_bytes() for image in item.images] == [
            drawn_image.data for drawn_image in one.images
        ]
