"""`reference.dangling` as a score: of the document as it is after all rules on images, and a rule on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from making import build, document, mmc4, png, recipe

from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.config import FilterConfig, Rule
from leafinstruct.filter.decision import Decision
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.scores import references
from leafinstruct.records import table
from leafinstruct.records.example import Cell


def test_the_cell_counts_and_quotes_the_first():
    page = document("A story in 3 pictures.", "!a", "See the image below.", "!b", "The photo below.", "end")
    assert references.scores(page) == [
        Cell("reference.dangling", 2.0, detail='"in 3 pictures", but 2 images are left')
    ]
    assert references.scores(document("A story in 2 pictures.", "!a", "x", "!b")) == [
        Cell("reference.dangling", 0.0)
    ]


def test_it_is_judged_after_every_rule_on_images_and_before_the_judge():
    """The judge costs most; where its own rules drop images, it is judged again (test_judges.py)."""
    of_images = [score for score in SCORES.values() if score.level == "image" and score.family != "judge"]
    assert max(score.turn for score in of_images) < PASSES.index("reference") < PASSES.index("judge")


@pytest.mark.parametrize("drop", ["image", "step"])
def test_a_rule_on_it_drops_the_document_with_the_reason(drop):
    page = document("A story in 2 pictures.", "one", "!a", "two", "!b")
    owners = {"a": 1, "b": 3}
    segments = (
        replace(one, owner=owners[one.sha256]) if hasattr(one, "sha256") else one for one in page.segments
    )
    rules = (Rule(score="image.decoded", min=1, drop=drop), Rule(score="reference.dangling", max=0))
    decision = Decision(replace(page, segments=tuple(segments)), FilterConfig(min_words=1), rules)
    decision.apply([Cell("image.decoded", value, position=at) for at, value in ((2, 0.0), (4, 1.0))])
    assert decision.kept
    decision.apply(references.scores(decision.document))
    assert [(one.rule, one.value, one.threshold, one.detail) for one in decision.drops] == [
        ("reference.dangling", 1.0, 0.0, '"in 2 pictures", but 1 image is left')
    ]


def test_a_build_drops_what_lost_an_image_and_keeps_what_lost_none(tmp_path):
    """The broken image is dropped by image.decoded, the repeated one by duplicate.within, which is the last
    pass that drops an image."""
    one, two = png(), png((10, 200, 30), dot=40)
    stated = "A long story of a cat and a dog in 3 pictures, which you may read aloud."
    pages = {
        "https://a.example/whole": [
            (stated, one),
            ("The cat sleeps in the sun.", two),
            ("The dog barks.", png((1, 2, 250))),
        ],
        "https://a.example/broken": [
            (stated, one),
            ("The cat runs up a tree.", two),
            ("The dog waits.", b"no image"),
        ],
        "https://a.example/twice": [(stated, one), ("The cat eats a fish.", two), ("The dog looks.", one)],
    }
    mmc4(tmp_path / "data", pages)
    rules = [{"score": "duplicate.within", "max": 0}, {"score": "reference.dangling", "max": 0}]
    source = {"kind": "mmc4", "name": "own", "path": "data"}
    section = {
        "min_words": 5,
        "min_images": 1,
        "rules": rules,
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
    }
    build(recipe(tmp_path, ingest={"sources": [source]}, filter=section), until="filter")
    folder = tmp_path / "runs/t/filter"
    kept = [row["url"] for path in folder.rglob("documents-*.parquet") for row in table.read(path)]
    dropped = {
        row["url"]: row["drops"][0] for path in folder.rglob("dropped-*.parquet") for row in table.read(path)
    }
    assert kept == ["https://a.example/whole"]
    assert {url: (drop["rule"], drop["detail"]) for url, drop in dropped.items()} == {
        f"https://a.example/{name}": ("reference.dangling", '"in 3 pictures", but 2 images are left')
        for name in ("broken", "twice")
    }
