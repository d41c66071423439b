"""Rewrite through a build of HTML pages: edits by what the images show, long pages in pieces, references that
no image answers."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from making import InlineEngine, build, recipe, rows
from PIL import Image as Pil
from PIL import ImageDraw

from leafinstruct.forecast.run import forecast
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.rewrite.resemblance import resemblance


def drawing(seed: int, dot: str = "blue", size: tuple[int, int] = (160, 120)) -> bytes:
    """A scene of boxes that depends on the seed, and a dot of some color in its corner."""
    rng = random.Random(seed)
    image = Pil.new("RGB", size, (230, 230, 220))
    pen = ImageDraw.Draw(image)
    for _ in range(9):
        left, top = rng.randrange(size[0] - 40), rng.randrange(size[1] - 40)
        pen.rectangle(
            (left, top, left + rng.randrange(20, 40), top + rng.randrange(20, 40)),
            fill=tuple(rng.randrange(256) for _ in range(3)),
        )
    pen.ellipse((4, 4, 24, 24), fill=dot)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def page(folder: Path, name: str, html: str, **images: bytes) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "index.html").write_text(
        f"<html><body><main>{html}</main></body></html>", encoding="utf-8"
    )
    for image, data in images.items():
        (folder / name / f"{image}.png").write_bytes(data)


def built(folder: Path, filtering: dict[str, Any] | None = None, **rewriting: Any) -> list[dict[str, Any]]:
    source = {"kind": "html", "name": "pages", "path": str(folder / "pages"), "license": "CC0-1.0"}
    filtering = {"min_images": 1, "min_words": 3, "alignment": {"allow_toy": True}, **(filtering or {})}
    build(recipe(folder, ingest={"sources": [source]}, filter=filtering, rewrite=rewriting))
    return sorted(
        rows(folder / "runs/t/shard"),
        key=lambda row: (row["provenance"]["file"], row["image_info"][0]["source_position"]),
    )


def reasons(folder: Path) -> list[tuple[str, str]]:
    """(rule, detail) of what rewrite dropped."""
    paths = sorted((folder / "runs/t/rewrite").rglob("dropped-*.parquet"))
    return [
        (drop["rule"], drop["detail"]) for path in paths for row in table.read(path) for drop in row["drops"]
    ]


def reported(row: dict[str, Any]) -> list[list[str]]:
    """The parts of each turn, an image as <image>."""
    return [
        ["<image>" if part["type"] == "image" else part["text"] for part in message["content"]]
        for message in row["messages"]
    ]


BEFORE_AFTER = (
    "<h1>A dot</h1><p>Here is an image with a dot:</p><img src=a.png><p>{}</p><img "
    "src=b.png><h2>Appendix</h2><p>Write to us.</p>"
)


def test_an_edit_is_a_short_request_between_two_images_that_resemble_each_other(tmp_path):
    pages = tmp_path / "pages"
    page(pages, "edit", BEFORE_AFTER.format("Now make the dot red."), a=drawing(1), b=drawing(1, "red"))
    page(pages, "other", BEFORE_AFTER.format("Now make the dot red."), a=drawing(1), b=drawing(2, "red"))
    page(
        pages,
        "plain",
        BEFORE_AFTER.format("A red dot is a dot, too, as everybody knows."),
        a=drawing(3),
        b=drawing(3, "red"),
    )
    tasks = [
        {"name": "edit", "ask": ["{change}"], "ask_untitled": ["{change}"]},
        {"name": "report", "needs": {}, "ask": ["All: {title}"]},
    ]
    found = built(tmp_path, tasks=[tasks[0]])
    assert [row["provenance"]["file"] for row in found] == ["edit/index.html"]
    assert reported(found[0]) == [
        ["Make the dot red.", "Here is an image with a dot:", "<image>"],
        ["<image>", "Appendix", "Write to us."],
    ]
    assert sorted(rule for rule, _ in reasons(tmp_path)) == ["no_task_fits", "no_task_fits"]


def test_a_document_that_lost_an_image_is_no_edit(tmp_path):
    html = BEFORE_AFTER.format("Now make the dot red.") + "<p>More of it.</p><img src=c.png>"
    page(tmp_path / "pages", "lost", html, a=drawing(1), b=drawing(1, "red"), c=b"no image")
    page(
        tmp_path / "pages",
        "whole",
        BEFORE_AFTER.format("Now make the dot red."),
        a=drawing(5),
        b=drawing(5, "red"),
    )
    found = built(tmp_path, tasks=["edit"])
    assert [row["provenance"]["file"] for row in found] == ["whole/index.html"]


LONG = (
    "<h1>Radios</h1><p>All about radios and waves:</p><img src=a.png><h2>Range</h2><p>Their range is "
    "long enough:</p><img src=b.png>"
    "<h2>Power</h2><p>Their power is low enough:</p><img src=c.png>"
)


def test_a_long_page_becomes_several_examples_each_whole_by_itself(tmp_path):
    page(tmp_path / "pages", "long", LONG, a=drawing(1), b=drawing(2), c=drawing(3))
    found = built(tmp_path, tasks=["report"], max_images=1)
    assert [row["title"] for row in found] == ["Radios", "Radios: Range", "Radios: Power"]
    assert [reported(row)[1] for row in found] == [
        ["All about radios and waves:", "<image>"],
        ["Their range is long enough:", "<image>"],
        ["Their power is low enough:", "<image>"],
    ]
    assert len({row["id"] for row in found}) == 3
    assert len({row["document_id"] for row in found}) == 1
    assert all(
        title in reported(row)[0][0]
        for title, row in zip(["Radios", "Radios: Range", "Radios: Power"], found, strict=True)
    )
    again = built(tmp_path, tasks=["report"], max_words=6)
    assert [row["title"] for row in again] == ["Radios", "Radios: Range", "Radios: Power"]
    assert reasons(tmp_path) == []


def test_a_step_above_the_bounds_is_dropped_with_a_reason(tmp_path):
    page(tmp_path / "pages", "big", f"<h1>Big</h1><p>{'word ' * 30}:</p><img src=a.png>", a=drawing(1))
    page(tmp_path / "pages", "small", "<h1>Small</h1><p>A few words:</p><img src=a.png>", a=drawing(2))
    found = built(tmp_path, tasks=["report"], max_words=20)
    assert [row["title"] for row in found] == ["Small"]
    assert reasons(tmp_path) == [("too_long", "piece 1 is above the bounds and has no place to cut it at")]


@pytest.mark.parametrize("allowed", [0, None])
def test_a_finished_example_with_a_reference_that_no_image_answers_is_dropped_or_counted(tmp_path, allowed):
    html = (
        "<h1>Boat</h1><p>This page shows a boat in 3 images.</p><p>Fold the paper:</p><img "
        "src=a.png><p>Open the boat:</p><img src=b.png>"
    )
    page(tmp_path / "pages", "boat", html, a=drawing(1), b=drawing(2))
    page(tmp_path / "pages", "fine", html.replace("3 images", "2 images"), a=drawing(3), b=drawing(4))
    found = built(tmp_path, tasks=["guide"], max_dangling=allowed)
    counted = {
        row["provenance"]["file"]: [
            score["value"] for score in row["scores"] if score["name"] == "reference.dangling"
        ]
        for row in found
    }
    assert counted == (
        {"fine/index.html": [0.0]} if allowed == 0 else {"boat/index.html": [1.0], "fine/index.html": [0.0]}
    )
    assert reasons(tmp_path) == (
        [("dangling_reference", 'piece 1 says "in 3 images", but 2 images are left')] if allowed == 0 else []
    )


def test_resemblance_distinguishes_a_change_from_another_image():
    assert resemblance(drawing(1), drawing(1)) == 1.0
    assert resemblance(drawing(1), drawing(1, "red")) > 0.8
    assert all(resemblance(drawing(seed), drawing(seed + 100)) < 0.5 for seed in range(20))
    assert resemblance(drawing(1), drawing(1, size=(120, 160))) == 0.0  # other proportions
    assert resemblance(drawing(1), b"no image") == 0.0


def test_a_dry_run_counts_the_questions_about_each_piece_of_a_long_page(tmp_path):
    page(tmp_path / "pages", "long", LONG, a=drawing(1), b=drawing(2), c=drawing(3))
    source = {"kind": "html", "name": "pages", "path": str(tmp_path / "pages")}
    llm = {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    filtering = {
        "min_images": 1,
        "min_words": 3,
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
    }

    def asked(**rewriting: Any) -> tuple[int, int]:
        path = recipe(tmp_path, ingest={"sources": [source]}, filter=filtering, rewrite=rewriting, llm=llm)
        found = forecast(recipes.load(path), InlineEngine())
        assert found["at_most"] is not None
        assert found["at_most"]["input_tokens"] >= found["input_tokens"]
        return found["requests"], found["at_most"]["requests"]

    assert asked(refine=None) == (1, 1)
    assert asked(refine=None, max_images=1) == (3, 3)
    # each example is written and examined, and again for a half of them
    assert asked(refine={"rounds": 0}, max_images=1) == (6, 6)
    assert asked(max_images=1) == (9, 12)
    assert asked(refine={"rounds": 2}, max_images=1) == (11, 18)
