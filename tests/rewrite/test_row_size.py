"""What a row can hold: images of an example have a bound, and what exceeds it is dropped with a reason before
anybody is asked."""

from __future__ import annotations

import json
from pathlib import Path

from making import build, recipe, rows
from rewrite.test_rewritten import drawing, page, reasons

from leafinstruct.records import table
from leafinstruct.rewrite import row_size

STEP = (
    "<h2>Step {number}</h2><p>Draw the box number {number} with a pencil.</p><img src=a.png alt='box "
    "{number}'>"
)


def test_a_page_whose_images_no_row_can_hold_is_dropped_with_its_bytes(tmp_path, monkeypatch):
    image = drawing(1)
    monkeypatch.setattr(row_size, "MAX_ROW", 10 * len(image))
    for name, count in (("heavy", 11), ("light", 3)):
        text = "<h1>How to draw boxes</h1>" + "".join(STEP.format(number=number) for number in range(count))
        page(tmp_path / "pages", name, text, a=image)
    source = {"kind": "html", "name": "pages", "path": str(tmp_path / "pages"), "license": "CC0-1.0"}
    build(
        recipe(
            tmp_path,
            ingest={"sources": [source]},
            filter={"min_words": 3, "rules": [], "alignment": {"model": None}},
        )
    )
    assert [Path(row["provenance"]["file"]).parent.name for row in rows(tmp_path / "runs/t/shard")] == [
        "light"
    ]
    message = (
        f"its 11 images have {11 * len(image):,} bytes together; the maximum of a row is {10 * len(image):,}"
    )
    assert reasons(tmp_path) == [("too_large", message)]


def test_a_conversation_whose_images_no_row_can_hold_is_dropped(tmp_path, monkeypatch):
    image = drawing(2)
    monkeypatch.setattr(row_size, "MAX_ROW", 5 * len(image))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.png").write_bytes(image)
    turns = [
        {"from": "human", "value": "What do these images show?" + "<image>" * 6},
        {"from": "gpt", "value": "They show some boxes."},
    ]
    fewer = [{**turns[0], "value": turns[0]["value"].replace("<image>", "", 2)}, turns[1]]
    records = [
        {"image": ["a.png"] * 6, "conversations": turns},
        {"image": ["a.png"] * 4, "conversations": fewer},
    ]
    (tmp_path / "own/a.json").write_text(json.dumps(records))
    source = {"kind": "conversations", "name": "own", "path": str(tmp_path / "own"), "license": "CC0-1.0"}
    filtering = {"min_words": 3, "rules": [], "alignment": {"model": None}}
    build(recipe(tmp_path, ingest={"sources": [source]}, filter=filtering, rewrite={"mode": "keep"}))
    assert [len(row["images"]) for row in rows(tmp_path / "runs/t/shard")] == [4]
    assert [reason for reason, _ in reasons(tmp_path)] == ["too_large"]


def test_no_image_is_read_where_no_document_can_be_too_large(tmp_path, monkeypatch):
    page(tmp_path / "pages", "light", "<h1>How to draw a box</h1>" + STEP.format(number=1), a=drawing(3))
    source = {"kind": "html", "name": "pages", "path": str(tmp_path / "pages"), "license": "CC0-1.0"}
    monkeypatch.setattr(table, "image_sizes", None)
    build(
        recipe(
            tmp_path,
            ingest={"sources": [source]},
            filter={"min_words": 3, "rules": [], "alignment": {"model": None}},
        )
    )
    assert len(rows(tmp_path / "runs/t/shard")) == 1
