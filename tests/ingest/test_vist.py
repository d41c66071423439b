"""VIST stories: five photographs and their sentences in the writer's order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import png

from leafinstruct.errors import SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import VistSource
from leafinstruct.ingest.readers import vist
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Text


def piece(story: str, order: Any, photo: str, text: Any = "A sentence .") -> list[dict[str, Any]]:
    return [
        {
            "story_id": story,
            "worker_arranged_photo_order": order,
            "photo_flickr_id": photo,
            "original_text": text,
            "text": "[male] tokenized",
        }
    ]


def written(
    folder: Path, annotations: list[Any], photographs: list[Any] = (), cut: int | None = None
) -> Path:
    text = json.dumps(
        {"images": list(photographs), "info": {"year": 2016}, "annotations": annotations, "type": "story"}
    )
    path = folder / "train.story-in-sequence.json"
    path.write_text(text if cut is None else text[:cut])
    return path


def found(path: Path, part_size: int = 2, **settings: Any) -> list[Document | Rejected]:
    source = VistSource(name="v", path=str(path), **settings)
    cache = path.parent / "cache"
    return [item for span in vist.plan(source, part_size, cache) for item in vist.read(source, span, cache)]


PHOTOGRAPHS = [
    {
        "id": str(number),
        "url_o": f"https://farm.example.org/{number}_o.jpg",
        "license": str(number % 6),
        "tags": "",
    }
    for number in range(10)
]


def url(number: int) -> str:
    return f"https://farm.example.org/{number}_o.jpg"


def test_a_photograph_without_its_sentence_has_no_owner(tmp_path):
    story = [
        piece("a", 0, "0", "First."),
        piece("a", 1, "1", None),
        piece("a", 2, "77", "Third."),
        piece("a", 3, "3", "Fourth."),
    ]
    page, *_ = found(written(tmp_path, story, PHOTOGRAPHS))
    assert [(image.position, image.owner, image.owner_found) for image in page.images] == [
        (0, 1, "stated"),
        (2, None, "unknown"),
        (4, 5, "stated"),
    ]
    assert [(text.position, text.text) for text in page.texts] == [
        (1, "First."),
        (3, "Third."),
        (5, "Fourth."),
    ]


def test_photographs_are_before_their_sentences_in_the_writers_order(tmp_path):
    mixed = [
        piece("a", 1, "1", "Then  two."),
        piece("b", 0, "5", "Other."),
        piece("a", 0, "0", "First one."),
        piece("a", "2", "2", "Three."),
    ]
    pages = found(written(tmp_path, mixed, PHOTOGRAPHS), license="unknown")
    assert [page.provenance.locator for page in pages] == ["story=a", "story=b"]
    assert pages[0].segments[:3] == (
        ImageRef(
            0, Ref(url=url(0)), url=url(0), license="All rights reserved", owner=1, owner_found="stated"
        ),
        Text(1, "First one."),
        ImageRef(2, Ref(url=url(1)), url=url(1), license="CC-BY-NC-SA-2.0", owner=3, owner_found="stated"),
    )
    assert [text.text for text in pages[0].texts] == ["First one.", "Then two.", "Three."]


def test_photographs_in_a_folder_else_at_their_address(tmp_path):
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "0.jpg").write_bytes(png())
    (tmp_path / "shots" / "1.png").write_bytes(png())
    path = written(
        tmp_path,
        [piece("a", 0, "0"), piece("a", 1, "1"), piece("a", 2, "9"), piece("a", 3, "10")],
        PHOTOGRAPHS,
    )
    page, lost = found(path, images=str(tmp_path / "shots"))
    assert [str(image.ref) for image in page.images] == [
        "shots/0.jpg",
        "shots/1.png",
        "https://farm.example.org/9_o.jpg",
    ]
    assert page.images[0].url == "https://farm.example.org/0_o.jpg"
    assert fetch(page.images[1].ref, tmp_path) == png()
    assert (lost.locator, lost.reason, lost.whole) == ("story=a", "no_photograph", False)
    assert len(page.texts) == 4


def test_what_is_missing_or_doubled_is_a_piece(tmp_path):
    path = written(
        tmp_path,
        [piece("a", 0, "0", None), piece("a", 1, "1"), piece("a", 1, "2"), piece("b", 0, "77")],
        PHOTOGRAPHS,
    )
    items = found(path)
    assert [(item.reason, item.whole) for item in items if isinstance(item, Rejected)] == [
        ("null_text", False),
        ("same_place", False),
        ("no_photographs", True),
        ("no_photograph", False),
    ]


def test_annotations_of_no_story_are_reported_and_make_none(tmp_path):
    entries = [
        piece("a", 0, "0"),
        7,
        piece(None, 0, "1"),
        piece({"a": 1}, 0, "1"),
        [*piece("a", 1, "1"), {"x": 1}, None],
    ]
    items = found(
        written(tmp_path, entries, [3, {"url_o": "http://a.org"}, {"id": "5", "url_o": 7}, *PHOTOGRAPHS])
    )
    assert [(item.locator, item.reason) for item in items if isinstance(item, Rejected)] == [
        (f"annotation={number}", "bad_story") for number in (2, 3, 4, 5)
    ]
    (page,) = [item for item in items if isinstance(item, Document)]
    assert [image.ref.url for image in page.images] == [
        "https://farm.example.org/0_o.jpg",
        "https://farm.example.org/1_o.jpg",
    ]


def test_a_story_of_too_many_pieces_is_none(tmp_path):
    many = [piece("a", number, str(number % 10)) for number in range(vist.MAX_PLACES + 50)]
    items = found(written(tmp_path, [*many, piece("b", 0, "0")], PHOTOGRAPHS))
    assert [item.reason if isinstance(item, Rejected) else item.provenance.locator for item in items] == [
        "too_many_pieces",
        "story=b",
    ]


def test_photographs_may_come_after_the_stories_and_a_later_one_counts(tmp_path):
    path = tmp_path / "a.json"
    again = {"id": "0", "url_c": "https://farm.example.org/later.jpg", "license": 4}
    path.write_text(
        json.dumps({"annotations": [piece("a", 0, "0")], "type": "x", "images": [*PHOTOGRAPHS, again]})
    )
    (page,) = found(path)
    assert (page.images[0].url, page.images[0].license) == ("https://farm.example.org/later.jpg", "CC-BY-2.0")


def test_a_cut_file_keeps_the_stories_before_the_cut_and_not_half_of_one(tmp_path):
    many = [piece(f"s{number // 5}", number % 5, str(number % 10)) for number in range(100)]
    path = written(tmp_path, many, PHOTOGRAPHS)
    cut = path.read_text().index('"story_id": "s11"', path.read_text().index('"story_id": "s11"') + 300)
    path.unlink()
    items = found(written(tmp_path, many, PHOTOGRAPHS, cut=cut), part_size=50)
    stories = [item for item in items if isinstance(item, Document)]
    assert [page.provenance.locator for page in stories] == [f"story=s{number}" for number in range(11)]
    assert {len(page.images) for page in stories} == {5}
    assert items[-1].reason == "truncated"


@pytest.mark.parametrize("text", ["{}", '{"annotations": []}', '{"annotations": {"a": 1}}'])
def test_a_file_without_stories_is_a_wrong_recipe(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match="no story"):
        found(tmp_path / "a.json")
