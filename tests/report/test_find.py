"""A record is found by whatever a person has of it, kept or lost, and its lineage names every step."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from making import build, mmc4, png, recipe, rows

from leafinstruct import pipeline
from leafinstruct.filter.scores.cell import cell
from leafinstruct.recipe import load as recipes
from leafinstruct.records import removals as suppressed
from leafinstruct.records import table
from leafinstruct.report.explain import lineage
from leafinstruct.report.explain.find import Match, find
from leafinstruct.report.explain.story import story
from leafinstruct.report.inspect import decision
from leafinstruct.runtime.artifact import Artifact

WORDS = "Draw a red wall on the green grass of the meadow"
SHARED, ICON = png((9, 90, 9)), png((90, 9, 9), size=(12, 12))


def page(name: str, *images: bytes, words: str = WORDS) -> list[tuple[str, bytes | None]]:
    return [(f"{words}, {name}.", image) for image in images]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pages: two with one image in common, a copy of the second, one that its icon costs, and one too
    short in every way."""
    folder = tmp_path_factory.mktemp("find")
    second = page("two", SHARED, png(dot=20))
    first = {"https://a.example/one": page("one", png(dot=10), SHARED), "https://a.example/two": second}
    mmc4(folder / "data", {**first, "https://a.example/short": [("Short.", png(dot=40))]})
    mmc4(
        folder / "data",
        {"https://b.example/copy": second, "https://b.example/icon": page("three", png(dot=30), ICON)},
        "more stuff.jsonl",
    )
    path = recipe(
        folder,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={
            "min_words": 5,
            "min_images": 2,
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
            "rules": [{"score": "image.side", "min": 32}, {"score": "duplicate.text", "max": 0}],
        },
    )
    build(path)
    return path


@pytest.fixture(scope="module")
def stages(run: Path) -> dict[str, Artifact]:
    return pipeline.artifacts(recipes.load(run, ()))


@pytest.fixture(scope="module")
def ids(stages: dict[str, Artifact]) -> dict[str, str]:
    """Last part of the address -> id."""
    paths = (stages["ingest"].file("documents", part) for part in stages["ingest"].parts())
    return {row["url"].rpartition("/")[2]: row["id"] for path in paths for row in table.read(path)}


def found(stages: dict[str, Artifact], wanted: str) -> list[tuple[str, str, tuple[int, ...]]]:
    return sorted((match.document, match.by, match.positions) for match in find(stages, wanted))


def explained(stages: dict[str, Artifact], wanted: str) -> dict:
    answer = lineage.look(stages, wanted, Path("none"))
    assert answer["record"] is not None, answer["matches"]
    return answer["record"]


def test_an_id_of_a_document_or_of_its_example_means_one_record(stages, ids, run):
    example = next(row["id"] for row in rows(run.parent / "runs/t/shard") if row["document_id"] == ids["one"])
    assert found(stages, ids["one"]) == [(ids["one"], "document", ())]
    assert found(stages, ids["one"].upper()) == [(ids["one"], "document", ())]
    assert found(stages, ids["icon"]) == [(ids["icon"], "document", ())]
    (match,) = find(stages, example)
    assert (match.document, match.by, match.example) == (ids["one"], "example", example)


@pytest.mark.parametrize("digits", [8, 16, 40, 64])
def test_an_image_means_every_document_that_shows_it_also_those_that_were_dropped(stages, ids, digits):
    name = hashlib.sha256(SHARED).hexdigest()[:digits]
    expected = [(ids["one"], (2,)), (ids["two"], (0,)), (ids["copy"], (0,))]
    assert found(stages, name) == sorted(
        (document, "image sha256", positions) for document, positions in expected
    )
    assert found(stages, name[:7]) == []


def test_an_address_means_its_page_or_the_pages_that_show_it(stages, ids):
    assert found(stages, "https://b.example/icon") == [(ids["icon"], "page URL", ())]
    assert found(stages, "https://b.example/icon/more stuff-1-1.png") == [(ids["icon"], "image URL", (2,))]
    assert found(stages, "https://b.example/ico") == []


def test_a_place_means_its_record_and_a_file_all_of_its_records(stages, ids):
    assert found(stages, "more stuff.jsonl line=2") == [(ids["icon"], "place", ())]
    assert found(stages, "more stuff.jsonl") == sorted((ids[name], "place", ()) for name in ("copy", "icon"))
    assert found(stages, "more stuff.jsonl line=3") == []
    assert found(stages, "more") == []


def test_several_matches_have_a_fate_each_and_no_record(stages, ids):
    answer = lineage.look(stages, hashlib.sha256(SHARED).hexdigest(), Path("none"))
    first, copy = sorted((ids["two"], ids["copy"]))  # the smallest id is the original
    assert answer["record"] is None
    assert {match["document"]: match["fate"] for match in answer["matches"]} == {
        ids["one"]: "sharded",
        first: "sharded",
        copy: "dropped_by_filter",
    }


def test_a_copy_names_its_original_and_an_original_no_copy(stages, ids):
    first, copy = sorted((ids["two"], ids["copy"]))
    duplicates = explained(stages, copy)["filter"]["duplicates"]
    assert duplicates["text"] == {"count": 1, "of": [first]}
    shared = next(
        item for item in duplicates["images"] if item["sha256"] == hashlib.sha256(SHARED).hexdigest()[:24]
    )
    assert shared["of"] == sorted(name for name in (ids["one"], first) if name < copy)
    assert explained(stages, first)["filter"]["duplicates"] is None or ids["one"] < first
    rule = next(
        rule for rule in explained(stages, copy)["filter"]["rules"] if rule["rule"] == "duplicate.text"
    )
    assert (rule["max"], rule["values"][0]["value"], rule["outcome"]) == (0.0, 1.0, "dropped_document")


def test_a_dropped_image_and_the_rule_that_dropped_the_document_are_listed_with_bounds(stages, ids):
    record = explained(stages, ids["icon"])
    ends = {
        rule["rule"]: (rule["outcome"], rule["min"], [value["value"] for value in rule["values"]])
        for rule in record["filter"]["rules"]
    }
    assert record["fate"] == "dropped_by_filter"
    assert ends["image.side"] == ("dropped_image", 32.0, [64.0, 12.0])
    assert ends["min_images"] == ("dropped_document", 2.0, [1.0])
    assert ends["duplicate.text"][0] == "not_reached"
    assert ends["min_words"][0] == "passed"
    assert record["rewrite"] is None
    assert record["examples"] == []


def test_a_minimum_that_was_not_checked_is_not_passed(stages, ids):
    record = explained(stages, ids["short"])
    ends = {rule["rule"]: rule["outcome"] for rule in record["filter"]["rules"]}
    assert ends["min_images"] == "dropped_document"
    assert ends["min_words"] == "not_reached"


def test_a_removed_record_is_reported_as_removed_after_the_build(run, ids, tmp_path):
    shutil.copytree(run.parent, tmp_path / "copy")
    path = tmp_path / "copy" / run.name
    suppressed.add(suppressed.beside(path), [suppressed.entry("id", ids["one"])], tmp_path / "lock")
    stages = pipeline.artifacts(recipes.load(path, ()))
    assert explained(stages, ids["one"])["fate"] == "sharded"
    before = {**stages, "shard": Artifact(tmp_path / "shard", stages["rewrite"])}
    assert explained(before, ids["one"])["fate"] == "rewritten"
    build(path)
    record = explained(stages, ids["one"])
    assert (record["fate"], record["examples"][0]["shard"]) == ("removed", None)
    assert "shard: removed by request" in story(record)


def test_the_row_in_the_shard_is_the_one_that_is_named(stages, ids):
    record = explained(stages, ids["one"])
    (example,) = record["examples"]
    row = rows(Path(example["shard"]["path"]))[example["shard"]["row"]]
    assert (row["id"], row["document_id"]) == (example["id"], ids["one"])
    assert example["shard"]["file"].startswith(f"{example['task']}.{example['shard']['split']}-")
    assert record["source"]["license"] == "CC0-1.0"
    assert (
        hashlib.sha256(Path(record["source"]["path"]).read_bytes()).hexdigest() == record["source"]["sha256"]
    )


def test_before_the_later_stages_a_record_is_explained_up_to_its_last_stage(stages, ids, tmp_path):
    alone = {name: Artifact(tmp_path / name) for name in stages} | {"ingest": stages["ingest"]}
    (match,) = find(alone, ids["one"])
    assert match == Match(ids["one"], match.part, "document")
    record = lineage.explain(alone, match, tmp_path)
    assert record["fate"] == "read"
    assert (record["filter"], record["rewrite"], record["examples"], record["scores"]) == (None, None, [], [])
    assert record["versions"]["filter"] == {"state": "missing"}


def test_a_near_duplicate_names_the_better_record_of_its_group_in_another_part(tmp_path):
    filtered = Artifact(tmp_path / "filter")
    for part, document, words in (("own-1", "a" * 16, 90), ("own-2", "b" * 16, 80)):
        key = {"document_id": document, "text": document, "words": words, "images": []}
        empty = {"bands": [], "runs": [], "hashes": []}
        found = {"document_id": document, "near_text": 1, "group": "a" * 16}
        for kind, row, schema in (
            ("keys", {**key, **empty}, table.KEYS),
            ("duplicates", {**dict.fromkeys(table.DUPLICATES.names), **found}, table.DUPLICATES),
        ):
            path = filtered.file(kind, part)
            path.parent.mkdir(parents=True, exist_ok=True)
            table.write(path, [row], schema)
    scores = [cell("duplicate.near_text", 1.0)]
    copy = decision.duplicates(filtered, "own-2", "b" * 16, scores)
    assert copy is not None
    assert copy["near_text"] == {"count": 1, "of": ["a" * 16]}
    best = decision.duplicates(filtered, "own-1", "a" * 16, scores)
    assert best is not None
    assert best["near_text"]["count"] == 0
