"""OBELICS rows become documents in the order of their lists; whatever is wrong with a file or a row is a
reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.errors import SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import ObelicsSource
from leafinstruct.ingest.fields.text import lines
from leafinstruct.ingest.readers import obelics
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Text

SCHEMA = pa.schema(
    [
        ("images", pa.list_(pa.string())),
        ("texts", pa.list_(pa.string())),
        ("metadata", pa.string()),
        ("general_metadata", pa.string()),
    ]
)


def row(
    images: list[str | None], texts: list[str | None], metadata: Any = None, general: Any = None
) -> dict[str, Any]:
    return {
        "images": images,
        "texts": texts,
        "metadata": json.dumps(metadata or [None] * len(images)),
        "general_metadata": json.dumps(general or {}),
    }


def write(folder: Path, rows: list[dict[str, Any]], group: int = 1000) -> Path:
    path = folder / "part.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=group)
    return path


def found(path: Path, part_size: int = 4, **settings: Any) -> list[Document | Rejected]:
    source = ObelicsSource(name="o", path=str(path), **settings)
    cache = (path if path.is_dir() else path.parent) / "cache"
    return [
        item for span in obelics.plan(source, part_size, cache) for item in obelics.read(source, span, cache)
    ]


def test_texts_and_images_are_in_the_order_of_the_lists(tmp_path):
    about = [None, {"src": "http://a.org/x.png", "alt_text": " a  cat "}, None]
    (page,) = found(
        write(
            tmp_path,
            [
                row(
                    [None, "images/x.png", None],
                    ["One.\n\nTwo\nlines.", None, "After."],
                    about,
                    {"url": "http://a.org/"},
                )
            ],
        )
    )
    assert (
        page.segments
        == (
            Text(0, "One."),
            Text(1, "Two\nlines."),
            ImageRef(2, Ref(file="images/x.png"), "a cat", "http://a.org/x.png"),
            Text(3, "After."),
        )
        or page.segments[2].license is None
    )
    assert (page.url, page.provenance.locator) == ("http://a.org/", "row=0")


def test_an_address_is_a_reference_to_the_web(tmp_path):
    (page,) = found(
        write(tmp_path, [row(["https://a.org/x.png", None], [None, "text"])]), license="CC-BY-4.0"
    )
    assert page.segments[0] == ImageRef(
        0, Ref(url="https://a.org/x.png"), url="https://a.org/x.png", license="CC-BY-4.0"
    )


PLACES = st.lists(
    st.one_of(
        st.just((None, None)),
        st.tuples(st.none(), st.text(st.characters(exclude_categories=["Cs"]))),
        st.tuples(st.from_regex(r"[a-z]{1,5}\.png", fullmatch=True), st.none()),
    ),
    max_size=8,
)


@given(PLACES)
def test_nothing_of_a_row_is_lost_or_moved(tmp_path_factory, places):
    folder = tmp_path_factory.mktemp("row")
    images, texts = [image for image, _ in places], [text for _, text in places]
    wanted: list[str] = []
    for image, text in places:
        wanted += [image] if image else [kept for kept in map(lines, (text or "").split("\n\n")) if kept]
    (item,) = found(write(folder, [row(images, texts)]))
    if isinstance(item, Rejected):
        assert (item.reason, wanted) == ("empty", [])
    else:
        assert [
            piece.text if isinstance(piece, Text) else piece.ref.file for piece in item.segments
        ] == wanted
        assert [piece.position for piece in item.segments] == list(range(len(wanted)))


@pytest.mark.parametrize(
    ("made", "reason", "whole"),
    [
        (row([None], ["a", "b"]), "unequal_lists", True),
        (row([], []), "empty", True),
        ({**row([None], ["a"]), "images": None}, "no_lists", True),
        (row([None] * 10_001, ["a"] * 10_001), "too_many_pieces", True),
        (row([None], ["\n\n".join("a" * 10_001)]), "too_many_pieces", True),
        (row(["x.png", None], ["both", "a"]), "both_given", False),
        (row(["../x.png", None], [None, "a"]), "unsafe_path", False),
        (row(["/etc/passwd", None], [None, "a"]), "unsafe_path", False),
        (row(["ftp://a/x.png", None], [None, "a"]), "bad_reference", False),
        ({**row([None], ["a"]), "metadata": "{broken"}, "bad_metadata", False),
        ({**row([None], ["a"]), "metadata": "[" * 100_000}, "bad_metadata", False),
        ({**row([None], ["a"]), "general_metadata": "[1]"}, "bad_metadata", False),
    ],
)
def test_what_is_wrong_with_a_row_is_its_reason(tmp_path, made, reason, whole):
    items = found(write(tmp_path, [made, row([None], ["good"])]))
    lost = [item for item in items if isinstance(item, Rejected)]
    assert [(item.reason, item.whole, item.locator) for item in lost] == [(reason, whole, "row=0")]
    assert [item.segments[0].text for item in items if isinstance(item, Document)][-1] == "good"
    assert len(items) == 2 + (not whole)


def test_parts_do_not_care_about_row_groups(tmp_path):
    rows = [row([None], [f"text {number}"]) for number in range(100)]
    for group in (1, 7, 100):
        items = found(write(tmp_path, rows, group), part_size=9)
        assert [item.segments[0].text for item in items] == [f"text {number}" for number in range(100)]
        assert [item.provenance.locator for item in items] == [f"row={number}" for number in range(100)]
        (tmp_path / "part.parquet").unlink()


def test_missing_columns_are_one_reason_for_the_file(tmp_path):
    pq.write_table(pa.table({"images": [["a"]] * 9, "words": ["b"] * 9}), tmp_path / "part.parquet")
    (lost,) = found(tmp_path / "part.parquet", part_size=2)
    assert (lost.reason, lost.detail) == ("missing_columns", "no column texts; the file has images, words")


def test_a_cut_file_and_no_file_at_all(tmp_path):
    data = write(tmp_path, [row([None], ["a"])]).read_bytes()
    (tmp_path / "part.parquet").write_bytes(data[:-20])
    (tmp_path / "other.parquet").write_text("hello")
    assert [item.reason for item in found(tmp_path)] == ["not_parquet", "truncated"]


def test_damage_in_the_middle_keeps_what_is_before_it(tmp_path):
    path = write(tmp_path, [row([None], [f"{number} " + "word " * 50]) for number in range(60)], group=20)
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(1).data_page_offset
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    items = found(path, part_size=100)
    assert items[-1].reason == "damaged"
    assert len([item for item in items if isinstance(item, Document)]) >= 20


def test_an_empty_folder_is_a_wrong_recipe(tmp_path):
    with pytest.raises(SourceError, match=r"holds no \.parquet file"):
        found(tmp_path)


def test_the_real_file(real, tmp_path):
    source = ObelicsSource(name="o", path=str(real / "obelics"))
    pages = [
        item for span in obelics.plan(source, 5, tmp_path) for item in obelics.read(source, span, tmp_path)
    ]
    assert all(isinstance(page, Document) for page in pages)
    assert (len(pages), sum(len(page.images) for page in pages)) == (17, 94)
    rows = pq.read_table(real / "obelics" / "part-0.parquet").to_pylist()
    for page, made in zip(pages, rows, strict=True):
        assert [image.ref.file for image in page.images] == [image for image in made["images"] if image]
        assert "".join("".join(text.text for text in page.texts).split()) == "".join(
            "".join(text or "" for text in made["texts"]).split()
        )
        assert all(isinstance(fetch(image.ref, real / "obelics"), bytes) for image in page.images)
        assert all(image.url.startswith("https://raw.githubusercontent.com/") for image in page.images)


def test_a_row_group_that_unpacks_to_hundreds_of_megabytes_costs_itself_alone(tmp_path):
    path = tmp_path / "a.parquet"
    sound = {"texts": [["One."], ["Two."]], "images": pa.array([[None], [None]], pa.list_(pa.string()))}
    bomb = {"texts": [["a" * (20 << 20)]] * 20, "images": pa.array([[None]] * 20, pa.list_(pa.string()))}
    with pq.ParquetWriter(path, pa.table(sound).schema, compression="zstd", use_dictionary=False) as out:
        for columns in (sound, bomb, sound):
            out.write_table(pa.table(columns))
    source = ObelicsSource(name="o", path=str(path))
    items = [
        item
        for span in obelics.plan(source, 50, tmp_path / "cache")
        for item in obelics.read(source, span, tmp_path / "cache")
    ]
    assert [
        (item.locator, item.reason) if isinstance(item, Rejected) else item.provenance.locator
        for item in items
    ] == ["row=0", "row=1", ("row=2", "too_large"), "row=22", "row=23"]
