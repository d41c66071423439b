"""A new or changed score is computed by the next build, and nothing else is computed again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.test_build import pages
from making import InlineEngine, build, mmc4, recipe

from leafinstruct.errors import DriftError
from leafinstruct.filter import settings
from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.judging import request, rules
from leafinstruct.filter.score import Score
from leafinstruct.filter.scores import alignment, duplicate, image, text
from leafinstruct.records import table

RULES = (
    {"score": "text.links", "max": 5},
    {"score": "image.side", "min": 16},
    {"score": "duplicate.images", "max": 1},
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    mmc4(tmp_path / "data", pages(12))
    return recipe(
        tmp_path,
        part_size=6,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 10,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "rules": [*RULES],
        },
    )


def filtered(own: Path) -> dict[str, dict[str, str]]:
    """Kind of file -> name -> sha256, of the filter stage and of the answers."""
    found: dict[str, dict[str, str]] = {}
    for path in [
        *own.parent.glob("runs/t/filter/*/*/*.parquet"),
        *own.parent.glob("runs/.answers/answers-*"),
    ]:
        found.setdefault(path.stem.partition("-")[0], {})[path.name] = hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
    return found


def values(own: Path, name: str) -> set[float | None]:
    files = own.parent.glob("runs/t/filter/scores/*/scores-*.parquet")
    return {row["value"] for path in files for row in table.read(path) if row["name"] == name}


def declare(monkeypatch, name: str, version: int) -> None:
    monkeypatch.setitem(SCORES, name, replace(SCORES[name], version=version))


def new_image_score(monkeypatch):
    monkeypatch.setitem(SCORES, "image.area", Score("image.area", "image", "pixels"))
    monkeypatch.setitem(image.MEASURED, "image.area", lambda width, height, _: float(width * height))


def changed_image_score(monkeypatch):
    declare(monkeypatch, "image.aspect", 2)
    monkeypatch.setitem(image.MEASURED, "image.aspect", lambda _, height, __: float(height))


def changed_image_score_with_a_rule(monkeypatch):
    declare(monkeypatch, "image.side", 2)
    monkeypatch.setitem(image.MEASURED, "image.side", lambda _, height, __: float(height + 1))


def changed_text_score(monkeypatch):
    declare(monkeypatch, "text.capitals", 2)
    monkeypatch.setattr(text, "capital_share", lambda _: 0.5)


def changed_text_score_with_a_rule(monkeypatch):
    declare(monkeypatch, "text.links", 2)
    monkeypatch.setattr(text, "count_links", lambda _: 1)


def changed_alignment_score(monkeypatch):
    declare(monkeypatch, "alignment.beside", 2)
    monkeypatch.setattr(alignment, "texts_beside", lambda *_: [])


def changed_duplicate_score(monkeypatch):
    declare(monkeypatch, "duplicate.text", 3)
    monkeypatch.setattr(duplicate, "text_digest", lambda *_: "every text is the same")


def changed_written_rules(monkeypatch):
    for name in SCORES:
        if name.startswith("rules."):
            declare(monkeypatch, name, 5)
    for module in (request, settings):
        monkeypatch.setattr(module, "OFFLINE_JUDGE", "offline-rules@5")
    monkeypatch.setattr(rules, "_interleaved", lambda _: False)


@pytest.mark.parametrize(
    ("change", "rule", "rewritten", "counts", "name", "found"),
    [
        (
            new_image_score,
            {"score": "image.area", "min": 0},
            {"images", "keys", "judged", "scores"},
            {"images_measured": 36},
            "image.area",
            {96.0 * 64},
        ),
        (changed_image_score, None, {"images", "scores"}, {"images_measured": 36}, "image.aspect", {64.0}),
        (
            changed_image_score_with_a_rule,
            None,
            {"images", "keys", "judged", "scores"},
            {"images_measured": 36},
            "image.side",
            {65.0},
        ),
        (changed_text_score, None, {"scores"}, None, "text.capitals", {0.5}),
        (changed_text_score_with_a_rule, None, {"keys", "judged", "scores"}, {}, "text.links", None),
        (changed_alignment_score, None, {"scores"}, None, "alignment.beside", {None}),
        (
            changed_duplicate_score,
            None,
            {"keys", "duplicates", "judged", "scores"},
            {},
            "duplicate.text",
            {float(count) for count in range(12)},
        ),
        (
            changed_written_rules,
            None,
            {"answers", "asked", "judged", "scores"},
            None,
            "rules.instruction_value",
            None,
        ),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_what_a_changed_score_rebuilds(own, monkeypatch, change, rule, rewritten, counts, name, found):
    """rewritten: kinds of files with other bytes. counts: of the images of the parts that were looked at
    again, None if none was."""
    kept = build(own, until="filter")[-1].record["counts"]["kept"]
    before, old = filtered(own), values(own, name)
    assert kept == 12
    change(monkeypatch)
    engine = InlineEngine()
    changes = () if rule is None else (f"filter.rules={[*RULES, rule]}",)
    outcome = build(own, *changes, engine=engine, until="filter")[-1]
    after = filtered(own)
    assert {kind for kind in after if after[kind] != before[kind]} == rewritten
    reports = engine.reports["looking"]
    assert (counts is None) == (not reports)
    done = ("images_read", "images_measured", "images_embedded")
    assert {it: engine.total("looking", it) for it in done if engine.total("looking", it)} == (counts or {})
    assert outcome.record["counts"]["kept"] == 12
    assert values(own, name) != old
    assert found is None or values(own, name) == found
    assert build(own, *changes, until="filter")[-1].up_to_date


def test_a_build_computes_the_scores_whose_versions_are_in_its_keys(own):
    record = build(own, "filter.alignment.share_above=0.2", until="filter")[-1].record
    files = own.parent.glob("runs/t/filter/scores/*/scores-*.parquet")
    computed = {row["name"] for path in files for row in table.read(path)}
    kept = {f"{family}.{name}" for family, its in record["fingerprint"]["scores"].items() for name in its}
    absent = ("judge.", "contamination.", "perplexity.")
    assert computed == kept == {name for name in SCORES if not name.startswith(absent)}
    build(own, "filter.alignment.model=null", until="filter")
    again = build(own, "filter.judge.enabled=false", "filter.alignment.model=null", until="filter")[-1]
    assert set(again.record["fingerprint"]["scores"]) == {
        *("document", "text", "personal", "toxicity", "markup", "image", "sequence", "duplicate", "reference")
    }
    assert [line.partition(" ")[0] for line in again.changes] == [
        *("filter.judge.enabled", "filter.judge", "filter.scores.rules")
    ]


def test_a_named_version_stops_at_a_changed_score_and_names_it(own, monkeypatch):
    build(own, "version=v1", until="filter")
    changed_image_score(monkeypatch)
    with pytest.raises(DriftError, match=r"other settings: filter\.scores\.image\.aspect 1 -> 2; give"):
        build(own, "version=v1", until="filter")
