"""A document of which the reader lost an image is not whole, so it is no edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import build, png, recipe, rows

from leafinstruct.errors import LeafInstructError


def edit(folder: Path, more: str) -> Path:
    """A recipe of edits alone, of one page that is one; more: what the page has behind it."""
    (folder / "data").mkdir()
    words = "Here is a small drawing that we made of the old house by the lake:"
    page = (
        f"<h1>The house</h1><p>{words}</p><p><img src=a.png></p><p>Make the wall green.</p><p><img "
        f"src=b.png></p>{more}"
    )
    (folder / "data/p.html").write_text(f"<html><body><main>{page}</main></body></html>", encoding="utf-8")
    (folder / "data/a.png").write_bytes(png((200, 30, 30)))
    (folder / "data/b.png").write_bytes(png((30, 120, 30)))
    source = {"kind": "html", "name": "p", "path": str(folder / "data")}
    passing = {"min_words": 5, "min_images": 1, "alignment": {"allow_toy": True}, "rules": []}
    return recipe(folder, ingest={"sources": [source]}, filter=passing, rewrite={"tasks": ["edit"]})


def test_an_edit_is_never_made_of_a_document_that_lost_an_image_in_reading(tmp_path):
    with pytest.raises(LeafInstructError, match="1 x no_task_fits"):
        build(edit(tmp_path, "<p><img alt='a third one'></p>"))


def test_a_tracking_pixel_is_no_lost_image(tmp_path):
    build(edit(tmp_path, "<img src=t.png width=1 height=1>"))
    assert [row["task"] for row in rows(tmp_path / "runs/t/shard")] == ["edit"]
