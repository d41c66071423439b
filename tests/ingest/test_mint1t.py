"""MINT-1T: rows of Parquet with URLs, and tars of JSON with all images of a document in one TIFF."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest.reading import documents, outline, read_all, rejected
from PIL import Image

from leafinstruct.images.decode import decode
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import Mint1tSource
from leafinstruct.ingest.draft.sniff import sniff
from leafinstruct.ingest.readers import mint1t
from leafinstruct.records.document import Ref

COLORS = ["red", "lime", "blue", "white", "black"]


def tiff(*modes: str, **options: Any) -> bytes:
    """A TIFF with one image of a color for each mode."""
    first, *others = [
        Image.new("RGB", (40 + number, 30), COLORS[number]).convert(mode) for number, mode in enumerate(modes)
    ]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others, **options)
    return buffer.getvalue()


def tarred(path: Path, members: dict[str, bytes | dict[str, Any]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def read(path: Path, part_size: int = 5) -> list[Any]:
    cache = path.parent / ".cache"
    cache.mkdir(exist_ok=True)
    return read_all(mint1t, Mint1tSource(name="m", path=str(path)), cache, part_size)


def about(*places: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"page": page, "xref": xref, "width": 40, "height": 30} for page, xref in places]


def color_of(ref: Ref, root: Path) -> tuple[int, ...]:
    data = fetch(Ref.of(str(ref)), root)
    assert isinstance(data, bytes), data
    image = decode(data)
    assert isinstance(image, Image.Image), image
    return image.getpixel((20, 15))


PAPER = {
    "texts": ["Fold the sheet.\n\nThen cut it.", None, "Open it.", None],
    "images": [None, "page_2_image_9", None, "page_1_image_4"],
    "image_metadata": about((1, 4), (2, 9)),
    "url": "https://e.org/a.pdf",
}


def test_pages_are_rows_with_urls(tmp_path):
    rows = [
        {
            "texts": ["Fold.", None],
            "images": [None, "http://e.org/a.png"],
            "url": "http://e.org/p",
            "score": 1.0,
        },
        {"texts": [None, "Cut."], "images": ["http://e.org/b.png", None], "url": None, "score": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    items = read(tmp_path / "a.parquet", part_size=1)
    assert [outline(item) for item in documents(items)] == [
        ["prose: Fold.", "<http://e.org/a.png>"],
        ["<http://e.org/b.png>", "prose: Cut."],
    ]
    assert [item.url for item in documents(items)] == ["http://e.org/p", None]
    assert sniff(tmp_path / "a.parquet", tmp_path).kind == "mint1t"


@pytest.mark.parametrize("options", [{}, {"compression": "jpeg"}, {"compression": "tiff_lzw"}])
def test_images_of_a_document_are_those_of_its_tiff(tmp_path, options):
    """The names are in another order than the TIFF, whose order image_metadata states."""
    path = tarred(tmp_path / "a.tar", {"x1.tiff": tiff("RGB", "RGB", **options), "x1.json": PAPER})
    (document,) = read(path)
    texts = [item for item in outline(document) if item.startswith("prose")]
    assert texts == ["prose: Fold the sheet.", "prose: Then cut it.", "prose: Open it."]
    assert (document.url, document.provenance.locator) == ("https://e.org/a.pdf", "key=x1")
    second, first = (color_of(image.ref, tmp_path) for image in document.images)
    assert np.abs(np.array([first, second]) - [(255, 0, 0), (0, 255, 0)]).max() < 8
    assert sniff(path, tmp_path).kind == "mint1t"


def test_without_metadata_names_count_the_images(tmp_path):
    record = {"texts": [None, "Fold.", None, None], "images": ["fig2", None, "fig1", "fig2"]}
    path = tarred(tmp_path / "a.tar", {"p.json": record, "p.tiff": tiff("RGB", "RGB")})
    (document,) = read(path)
    assert [image.ref.member for image in document.images] == ["frame=0", "frame=1", "frame=0"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I;16"])
def test_images_of_every_mode_are_read(tmp_path, mode):
    source = (
        Image.new("I;16", (40, 30), 40_000)
        if mode == "I;16"
        else Image.new("RGB", (40, 30), "white").convert(mode)
    )
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "TIFF", save_all=True, append_images=[source])
    path = tarred(tmp_path / "a.tar", {"p.json": PAPER, "p.tiff": buffer.getvalue()})
    (document,) = read(path)
    assert min(color_of(document.images[0].ref, tmp_path)) > 150


def test_what_a_record_lacks_is_a_reason(tmp_path):
    text = {"texts": ["Fold."], "images": [None]}
    both = {
        "texts": ["Fold.", None, 7],
        "images": ["a", "page_9_image_9", None],
        "image_metadata": about((1, 4)),
    }
    path = tarred(
        tmp_path / "a.tar",
        {
            "a.tiff": tiff("RGB"),
            "b.json": {"texts": ["Fold."], "images": []},
            "c.json": {"texts": None},
            "d.json": b"{",
            "e.json": b"[]",
            "f.json": {**PAPER, "texts": ["Fold.", None, "Cut.", None]},
            "g.json": {"texts": [None], "images": [None]},
            "h.json": both,
            "h.tiff": tiff("RGB"),
            "i.json": text,
            "j.json": b'"' + b"[" * 10,
            "k.json": b"[[[" + b"[],".join([b""] * 1_100_000),
        },
    )
    items = read(path, part_size=50)
    assert rejected(items) == [
        ("key=a", "no_json", True),
        ("key=b", "unequal_lists", True),
        ("key=c", "no_lists", True),
        ("key=d", "broken_json", True),
        ("key=e", "not_an_object", True),
        ("key=f", "no_tiff", False),
        ("key=f", "no_tiff", False),
        ("key=g", "empty", True),
        ("key=h", "empty", True),
        ("key=h", "both_given", False),
        ("key=h", "bad_reference", False),
        ("key=h", "not_text", False),
        ("key=j", "broken_json", True),
        ("key=k", "too_many_values", True),
    ]
    assert [outline(item) for item in documents(items)] == [["prose: Fold.", "prose: Cut."], ["prose: Fold."]]


def test_an_image_that_the_tiff_lacks_is_a_reason(tmp_path):
    data = tiff("RGB", "RGB")
    path = tarred(
        tmp_path / "a.tar", {"a.json": PAPER, "a.tiff": data, "b.json": PAPER, "b.tiff": b"II*\0junk"}
    )
    (document, broken) = read(path)
    place = document.images[0].ref
    for member, reason in (
        ("frame=2", "missing_frame"),
        ("frame=99999", "missing_frame"),
        ("frame=x", "missing_frame"),
    ):
        assert fetch(Ref(place.file, place.offset, place.length, member=member), tmp_path).reason == reason
    assert fetch(broken.images[0].ref, tmp_path).reason == "broken_tiff"
    assert fetch(Ref(place.file, place.offset, 10**6, member="frame=0"), tmp_path).reason == "truncated"
    (tmp_path / "cut.tiff").write_bytes(data[:-400])
    cut = fetch(Ref("cut.tiff", 0, len(data) - 400, member="frame=1"), tmp_path)
    assert cut.reason in ("broken_tiff", "missing_frame")


def test_a_file_that_is_none_is_one_reason(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 99)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "c.parquet")
    items = read(tmp_path)
    assert [reason for _, reason, _ in rejected(items)] == ["not_a_tar", "truncated", "missing_columns"]
