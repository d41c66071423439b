"""What counts as caught, and that docs/quality.md shows every class of planted defects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import quality

from leafinstruct.records.document import Document, ImageRef, Provenance, Ref, Text
from leafinstruct.sketchbook.planting.catalog import PLANTERS
from leafinstruct.sketchbook.planting.corpus import Truth

DOCS = Path(__file__).parent.parent / "docs"


def kept(*segments: Text | ImageRef) -> quality.Fate:
    return Document("1", "planted", tuple(segments), Provenance("a")), ["image.side"]


def image(name: str) -> ImageRef:
    return ImageRef(0, Ref(file=name))


DROPPED: quality.Fate = (None, ["text.symbols", "text.links"])


@pytest.mark.parametrize(
    ("truth", "fate", "caught"),
    [
        (Truth("a", "symbols", texts=("x # y",)), DROPPED, True),
        (Truth("a", "symbols", texts=("x # y",)), kept(Text(0, "- x #\n  y")), False),
        (Truth("a", "symbols", texts=("x # y",)), kept(Text(0, "other")), True),
        (Truth("a", "blurred", images=("1.png",)), kept(image("2.png")), True),
        (Truth("a", "blurred", images=("1.png",)), kept(image("1.png")), False),
        (Truth("a", "mirrored", images=("1.png", "2.png")), kept(image("1.png")), True),
        (Truth("a", "mirrored", images=("1.png", "2.png")), kept(image("1.png"), image("2.png")), False),
        (Truth("a", "reversed_order"), kept(image("1.png")), False),
    ],
)
def test_a_defect_is_caught_when_its_document_or_all_of_its_pieces_are_gone(truth, fate, caught):
    assert quality.is_caught(truth, {"a": fate}) == caught


def test_of_a_copy_and_its_original_one_may_stay():
    truths = [Truth("a", None, "Greek"), Truth("b", "exact_copy", original="a"), Truth("c", None, "Greek")]
    for fates, caught, lost in (
        ({"a": DROPPED, "b": kept(), "c": kept()}, 1, (1, 0)),
        ({"a": kept(), "b": DROPPED, "c": DROPPED}, 1, (2, 1)),
        ({"a": kept(), "b": kept(), "c": kept()}, 0, (1, 0)),
    ):
        assert quality.planted_figures(truths, fates)["exact_copy"]["count"] == caught
        found = quality.lost_figures(truths, fates)["Greek"]
        assert (found["n"], found["count"]) == lost


def test_a_caught_page_is_counted_under_the_rule_that_dropped_it_first():
    truths = [Truth("a", "symbols"), Truth("b", "symbols"), Truth("c", "symbols")]
    fates = {"a": DROPPED, "b": DROPPED}
    assert quality.planted_figures(truths, fates) == {
        "symbols": {"n": 3, "count": 3, "by": {"text.symbols": 2, "left out": 1}}
    }


def test_clean_pages_have_the_same_number_of_every_script():
    groups = [choice.source.group for choice in quality.clean_choices(1, every_script=3)]
    assert {group: groups.count(group) for group in groups} == dict.fromkeys(set(groups), 3)
    assert len(set(groups)) == 10


def test_the_page_shows_the_measurement_and_every_class_with_who_could_see_it():
    measured = json.loads((DOCS / "quality.json").read_text(encoding="utf-8"))
    text = (DOCS / "quality.md").read_text(encoding="utf-8")
    assert text == quality.markdown(measured, quality.first_measurement())
    for planter in PLANTERS.values():
        head = f"| `{planter.name}` | {planter.does};"
        (line,) = [line for line in text.splitlines() if line.startswith(head)]
        assert ", ".join(planter.seen_by) in line
        assert measured["planted"]["Sketchbook"][planter.name]["n"] >= 5
    assert measured["seed"] == quality.SEED


def test_every_class_that_is_not_found_in_a_corpus_is_listed_with_who_sees_it():
    planted = json.loads((DOCS / "quality.json").read_text(encoding="utf-8"))["planted"]
    text = (DOCS / "quality.md").read_text(encoding="utf-8")
    lines = text.partition("Not found in ")[2].partition("\n## ")[0].splitlines()
    for name, planter in PLANTERS.items():
        figures = (planted[corpus][name] for corpus in quality.CORPORA)
        shares = [figure["count"] / figure["n"] for figure in figures]
        listed = [line for line in lines if line.startswith(f"| `{name}` |")]
        assert len(listed) == (min(shares) < quality.FOUND), name
        who = quality.WHO_SEES.get(name) or ", ".join(planter.seen_by)
        cells = " | ".join(f"{share:.0%}" for share in shares)
        assert listed in ([], [f"| `{name}` | {cells} | {who} |"])


def test_script_groups_and_real_pages_lose_few_clean_pages():
    """Without near-duplicates of a kept page, at most 3 in 100."""
    lost = json.loads((DOCS / "quality.json").read_text(encoding="utf-8"))["lost"]
    groups = {name: figure for of in lost.values() for name, figure in of.items()}
    assert len(groups) == 12
    for name, figure in groups.items():
        assert figure["n"] >= 60, name
        assert figure["count"] - figure["near"] <= 0.03 * figure["n"], name


def test_the_seed_of_the_measurement_is_of_no_other_file():
    root = DOCS.parent
    others = [
        path
        for folder in ("leafinstruct", "pipelines", "scripts", "tests", "experiments", "benchmarks")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".yaml", ".json") and path.name != "quality.py"
    ]
    spellings = (str(quality.SEED), f"{quality.SEED:_}")
    assert [path for path in others if any(it in path.read_text(encoding="utf-8") for it in spellings)] == []
