"""VIST stories: five photographs and their sentences in the writer's order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import png

from leafinstruct.errors import SourceError
from leafinstruct.ingest import vist
from leafinstruct.ingest.config import VistSource
from leafinstruct.pictures.read import fetch
from leafinstruct.records.document import Document, Image, Ref, Rejected, Text


def piece(story: str, order: Any, photo: str, text: Any = "A sentence .") -> list[dict[str, Any]]:
    return [
        {
            "story_id": story,
            "worker_arranged_photo_order": order,
            "photo_flickr_id": photo,
            "original_text": text,
            "text": "[male] tokenised",
        }
    ]


def written(folder: Path, annotations: list[Any], photographs: list[Any] = (), cut: int | None = None) -> Path:
    text = json.dumps({"images": list(photographs), "info": {"year": 2016}, "annotations": annotations, "type": "story"})
    path = folder / "train.story-in-sequence.json"
    path.write_text(text if cut is None else text[:cut])
    return path


def found(path: Path, part_size: int = 2, **settings: Any) -> list[Document | Rejected]:
    source = VistSource(name="v", path=str(path), **settings)
    cache = path.parent / "cache"
    return [item for span in vist.plan(source, part_size, cache) for item in vist.read(source, span, cache)]


PHOTOGRAPHS = [
    {"id": str(number), "url_o": f"https://farm.example.org/{number}_o.jpg", "license": str(number % 6), "tags": ""} for number in range(10)
]


def test_photographs_stand_before_their_sentences_in_the_writers_order(tmp_path):
    mixed = [
        piece("a", 1, "1", "Then  two."),
        piece("b", 0, "5", "Other."),
        piece("a", 0, "0", "First one."),
        piece("a", "2", "2", "Three."),
    ]
    pages = found(written(tmp_path, mixed, PHOTOGRAPHS), license="unknown")
    assert [page.provenance.locator for page in pages] == ["story=a", "story=b"]
    assert pages[0].segments[:3] == (
        Image(0, Ref(url="https://farm.example.org/0_o.jpg"), url="https://farm.example.org/0_o.jpg", license="All rights reserved"),
        Text(1, "First one."),
        Image(2, Ref(url="https://farm.example.org/1_o.jpg"), url="https://farm.example.org/1_o.jpg", license="CC-BY-NC-SA-2.0"),
    )
    assert [text.text for text in pages[0].texts] == ["First one.", "Then two.", "Three."]


def test_photographs_in_a_folder(tmp_path):
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "0.jpg").write_bytes(png())
    (tmp_path / "shots" / "1.png").write_bytes(png())
    path = written(tmp_path, [piece("a", 0, "0"), piece("a", 1, "1"), piece("a", 2, "9")], PHOTOGRAPHS)
    page, lost = found(path, pictures=str(tmp_path / "shots"))
    assert [image.ref.file for image in page.images] == ["shots/0.jpg", "shots/1.png"]
    assert page.images[0].url == "https://farm.example.org/0_o.jpg"
    assert fetch(page.images[1].ref, tmp_path) == png()
    assert (lost.reason, lost.whole) == ("no_photograph", False)
    assert len(page.texts) == 3


def test_what_is_missing_or_doubled_is_a_piece(tmp_path):
    path = written(tmp_path, [piece("a", 0, "0", None), piece("a", 1, "1"), piece("a", 1, "2"), piece("b", 0, "77")], PHOTOGRAPHS)
    items = found(path)
    assert [(item.reason, item.whole) for item in items if isinstance(item, Rejected)] == [
        ("null_text", False),
        ("same_place", False),
        ("no_photographs", True),
        ("no_photograph", False),
    ]


def test_a_cut_file_keeps_the_stories_before_the_cut(tmp_path):
    many = [piece(f"s{number // 5}", number % 5, str(number % 10)) for number in range(100)]
    size = written(tmp_path, many, PHOTOGRAPHS).stat().st_size
    (tmp_path / "train.story-in-sequence.json").unlink()
    items = found(written(tmp_path, many, PHOTOGRAPHS, cut=size // 2), part_size=50)
    assert items[-1].reason == "truncated"
    assert len([item for item in items if isinstance(item, Document)]) > 3


@pytest.mark.parametrize("text", ["{}", '{"annotations": []}', '{"annotations": {"a": 1}}'])
def test_a_file_without_stories_is_a_wrong_recipe(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match="no story"):
        found(tmp_path / "a.json")
