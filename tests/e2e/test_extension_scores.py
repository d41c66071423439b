"""Scores of an installed package through a whole build: declared by an entry point, computed once, shown like
ours."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from command import leaf_process as leaf
from e2e.test_build import STEPS
from e2e.test_changed_scores import filtered
from installing import install
from making import InlineEngine, build, mmc4, png, recipe

from leafinstruct.errors import DriftError, RecipeError
from leafinstruct.filter import catalog
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table

MODULE = """
from leafinstruct.filter.score import Score

def red(document, image):
    assert max(image.size) <= 1024 and image.mode == "RGB"
    return image.getpixel((90, 60))[0] + {more}

def shown(document):
    return sum(image.width for image in document.images)

RED = Score("acme.red", "image", "red of the last corner, [0, 255]", {version}, compute=red)
SHOWN = Score("acme.shown", "document", "pixels of all rows", compute=shown)
"""
SCORES = {"acme.red": "acme_scores:RED", "acme.shown": "acme_scores:SHOWN"}
RED = {"score": "acme.red", "max": 100}


def installed(monkeypatch, folder: Path, package: str = "1.0", version: int = 1, more: int = 0) -> Path:
    """Have a version of the package, and no other, in this process. Returns its folder."""
    sys.modules.pop("acme_scores", None)
    site = folder / f"site-{package}-{version}-{more}"
    module = MODULE.format(version=version, more=more)
    install(site, "acme-scores", {"leafinstruct.scores": SCORES}, {"acme_scores.py": module}, package)
    monkeypatch.setattr(sys, "path", [str(site), *(it for it in sys.path if "/site-1" not in it)])
    return site


def pages(count: int) -> dict[str, list[tuple[str, bytes | None]]]:
    """Documents of three images, whose red is 10 times their number, 50 more in the last image."""
    return {
        f"https://host{number}.example/": [
            (f"{step} Number {number}.", png((10 * number + 50 * (index == 2), 0, 90), dot=2 * index))
            for index, step in enumerate(STEPS)
        ]
        for number in range(count)
    }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    mmc4(tmp_path / "data", pages(8))
    return recipe(
        tmp_path,
        part_size=4,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 10,
            "min_images": 3,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "rules": [RED],
        },
    )


def cells(own: Path, name: str) -> list[tuple[float | None, str | None]]:
    files = sorted(own.parent.glob("runs/t/filter/scores/*/scores-*.parquet"))
    return [(row["value"], row["model"]) for path in files for row in table.read(path) if row["name"] == name]


def test_a_score_of_a_package_decides_like_one_of_ours(own, monkeypatch):
    installed(monkeypatch, own.parent)
    engine = InlineEngine()
    record = build(own, engine=engine, until="filter")[-1].record
    reds = sorted(value for value, _ in cells(own, "acme.red"))
    assert reds == sorted([10.0 * number for number in range(8)] * 2 + [10.0 * it + 50 for it in range(8)])
    assert {model for _, model in cells(own, "acme.red")} == {"acme-scores 1.0"}
    # the last image of documents 6 and 7 has 110 and 120, and a document needs three
    assert record["counts"]["kept"] == 6
    assert record["image_reasons"] == {"acme.red": 2}
    assert record["reasons"] == {"min_images": 2}
    assert engine.total("looking", "extended") == 24
    # a cheap drop comes first: CLIP does not see what the package dropped
    assert engine.total("looking", "images_embedded") == 18
    assert record["fingerprint"]["extensions"] == {
        "acme.red": {
            "version": 1,
            "package": "acme-scores 1.0",
            "level": "image",
            "meaning": "red of the last corner, [0, 255]",
        }
    }
    assert cells(own, "acme.shown") == []


def test_what_is_computed_again(own, monkeypatch):
    installed(monkeypatch, own.parent)
    first = build(own, until="filter")[-1].record

    def computed(*rules: dict[str, object]) -> tuple[int, int]:
        engine = InlineEngine()
        found = build(own, f"filter.rules={[*rules]}", engine=engine, until="filter")[-1].record
        return engine.total("looking", "extended"), found["counts"]["kept"]

    assert computed({**RED, "max": 60}) == (0, 2)
    build(own, until="filter")
    before = filtered(own)
    assert computed(RED, {"score": "acme.shown", "min": 288}) == (8, 6)
    after = filtered(own)
    assert {kind for kind in after if after[kind] != before[kind]} == {
        *("extensions", "keys", "judged", "scores")
    }
    assert computed({"score": "acme.shown", "min": 288}, {"score": "duplicate.text", "max": 0}) == (0, 8)
    installed(monkeypatch, own.parent, version=2, more=20)
    assert computed(RED, {"score": "acme.shown", "min": 288}) == (24, 4)
    installed(monkeypatch, own.parent, package="1.1", version=2, more=20)
    assert computed(RED, {"score": "acme.shown", "min": 288}) == (32, 4)
    assert first["fingerprint"]["extensions"].keys() == {"acme.red"}


def test_a_named_version_stops_at_another_package(own, monkeypatch):
    installed(monkeypatch, own.parent)
    build(own, "version=v1", until="filter")
    installed(monkeypatch, own.parent, package="1.1")
    with pytest.raises(
        DriftError, match=r'filter\.extensions\.acme\.red\.package "acme-scores 1\.0" -> "acme-scores 1\.1"'
    ):
        build(own, "version=v1", until="filter")


def test_the_command_computes_and_shows_it_in_processes_of_its_own(own, monkeypatch):
    site = installed(monkeypatch, own.parent)
    with_package = {"PYTHONPATH": f"{site}:{Path(__file__).parents[2]}"}
    done = leaf("build", own, "--workers", "2", **with_package)
    assert done.returncode == 0, done.stderr
    assert "acme.red" in leaf("status", own, **with_package).stdout
    dropped = own.parent.glob("runs/t/filter/dropped/*/dropped-*")
    name = min(row["id"] for path in dropped for row in table.read(path))
    story = leaf("explain", name, own, **with_package)
    assert re.search(r"acme\.red +60 to 110 +at most 100 +images dropped", story.stdout), story
    page = own.parent / "page.html"
    assert leaf("inspect", own, "--out", page, **with_package).returncode == 0
    (meta,) = re.findall(r'<script type="application/json" id="meta">(.*?)</script>', page.read_text("utf-8"))
    scores = json.loads(meta)["scores"]["image"]
    assert scores[-1] == {
        "name": "acme.red",
        "meaning": "red of the last corner, [0, 255]",
        "model": "acme-scores 1.0",
    }
    card = (own.parent / "runs/t/shard/README.md").read_text("utf-8")
    assert "| `acme.red` | at most 100 | 24 | 0 | 50 | 110 | 18 | 0 | 40 | 100 |" in card
    assert "- acme.red: acme-scores 1.0" in card
    missing = leaf("build", own)
    assert missing.returncode == 1
    (line,) = missing.stderr.splitlines()
    start = f"leaf: {own}, filter.rules[0].score: unknown score 'acme.red'; known are "
    assert line.startswith(f"{start}document.language_confidence, ")


def test_an_unknown_name_is_compared_with_installed_ones_too(own, monkeypatch):
    installed(monkeypatch, own.parent)
    with pytest.raises(RecipeError, match=r"unknown score 'acme\.rad'; did you mean 'acme\.red'\?"):
        recipes.load(own, ["filter.rules=[{score: acme.rad, min: 1}]"])


def test_an_image_on_which_a_function_fails_fails_and_is_computed_again(own, monkeypatch):
    fails = "1 // (image.getpixel((90, 60))[0] != 30) - 1"  # on two images of document 3
    site = installed(monkeypatch, own.parent)
    (site / "acme_scores.py").write_text(MODULE.format(version=1, more=fails), "utf-8")
    engine = InlineEngine()
    record = build(own, engine=engine, until="filter")[-1].record
    assert engine.total("looking", "extended") == 24
    assert record["counts"]["kept"] == 5
    assert record["counts"]["failed"] == 1
    assert record["image_reasons"] == {"acme.red": 2}  # of documents 6 and 7
    assert record["reasons"] == {"acme.red": 1, "min_images": 2}
    (failed,) = record["failed"]
    assert failed["rule"] == "acme.red"
    found = [
        (drop.position, drop.state, drop.detail)
        for path in sorted(own.parent.glob("runs/t/filter/dropped/*/dropped-*.parquet"))
        for document, drops in table.decisions(path)
        if document.id == failed["id"]
        for drop in drops
        if drop.rule == "acme.red"
    ]
    fault = "acme-scores 1.0: ZeroDivisionError: integer division or modulo by zero"
    assert [(state, detail) for _, state, detail in found] == [("failed", fault)]
    # a repaired function computes what failed, and nothing else
    installed(monkeypatch, own.parent)
    catalog._of_package.cache_clear()  # as in a new process
    again = InlineEngine()
    record = build(own, "filter.rules[0].max=101", engine=again, until="filter")[-1].record
    assert again.total("looking", "extended") == 2
    assert (record["counts"]["kept"], record["counts"]["failed"]) == (6, 0)


@pytest.mark.parametrize(
    ("name", "declared", "fault"),
    [
        ("acme.red", "1", "is no Score with compute"),
        ("acme.red", "Score('acme.red', 'image', 'red')", "is no Score with compute"),
        ("acme.red", "Score('acme.blue', 'image', 'red', compute=len)", "declares 'acme.blue'; both names"),
        ("red", "Score('red', 'image', 'red', compute=len)", "declares 'red'; both names must be equal"),
        ("image.red", "Score('image.red', 'image', 'red', compute=len)", "is of the family image, which is"),
        ("acme.red", "Score('acme.red', 'page', 'red', compute=len)", "has the level 'page', not document"),
    ],
)
def test_a_wrong_declaration_is_one_line_that_names_the_package(
    tmp_path, own, monkeypatch, name, declared, fault
):
    sys.modules.pop("acme_wrong", None)
    module = f"from leafinstruct.filter.score import Score\nIT = {declared}\n"
    points = {"leafinstruct.scores": {name: "acme_wrong:IT"}}
    install(tmp_path / "wrong", "acme-wrong", points, {"acme_wrong.py": module})
    monkeypatch.syspath_prepend(str(tmp_path / "wrong"))
    with pytest.raises(RecipeError) as caught:
        recipes.load(own, [f"filter.rules=[{{score: {name}, min: 1}}]"])
    start = f"{own}, acme-wrong 1.0: '{name}' of leafinstruct.scores (acme_wrong:IT) {fault}"
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)
