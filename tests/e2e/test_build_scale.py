"""`leaf build --dry-run --scale N` against a build of N documents: what is counted and what is stored."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from command import leaf
from making import InlineEngine, build, mmc4, png, recipe

from leafinstruct.forecast.scale import run as planning
from leafinstruct.forecast.scale.run import ScalePlan
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.artifact import STAGES

pytestmark = pytest.mark.e2e

DOCUMENTS, SAMPLE = 160, 80
MARGIN = 0.1
PAGES = {
    f"https://host{number % 3}.example/{number}": [
        (f"Step {step} of page {number}: press key {number * 7 + step} and wait for the light.", None)
        for step in range(4)
    ]
    for number in range(12)
}


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of DOCUMENTS drawn documents in two formats, 10 a part."""
    folder = tmp_path_factory.mktemp("scale")
    source = {"kind": "sketchbook", "seed": 7, "documents": DOCUMENTS, "videos": 0, "image_px": 48}
    source |= {"formats": ["mmc4", "obelics"], "defects": {"spam": 0.1, "broken": 0.05}}
    rules = [
        {"score": "text.links", "max": 2},
        {"score": "image.decoded", "min": 1, "drop": "step"},
        {"score": "duplicate.text", "max": 0},
    ]
    filters = {"min_words": 10, "rules": rules, "alignment": {"model": None}, "judge": {"enabled": False}}
    return recipe(folder, part_size=10, ingest={"sources": [source]}, filter=filters)


def planned(path: Path, documents: int, *changes: str, limit: int | None = None) -> ScalePlan:
    return planning.plan(recipes.load(path, changes, limit), InlineEngine(), documents, 4, SAMPLE)


def sizes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }


def about(value: float) -> Any:
    return pytest.approx(value, rel=MARGIN)


def test_a_plan_from_a_sample_predicts_the_build(sketches: Path) -> None:
    found = planned(sketches, DOCUMENTS)
    runs = sketches.parent / "runs"
    assert not runs.exists()
    assert (found.evidence.documents, found.evidence.parts, found.evidence.of_run) == (SAMPLE, 8, False)

    outcomes = {one.stage: one.record for one in build(sketches)}
    counts = {stage: record["counts"] for stage, record in outcomes.items()}
    kept = {
        "ingest": counts["ingest"]["documents"],
        "filter": counts["filter"]["kept"],
        "rewrite": counts["rewrite"]["examples"],
        "shard": counts["shard"]["rows"],
    }
    assert kept["filter"] < DOCUMENTS, "the rules drop something"
    assert found.parts == about(outcomes["ingest"]["parts"])
    for stage in found.stages:
        folders = Counter(path.parent for path in (runs / "t" / stage.stage).rglob("*") if path.is_file())
        if stage.stage != "ingest":  # with the drawn files, which count as one folder
            assert stage.folder == pytest.approx(max(folders.values()), abs=3), stage
        here = sizes(runs / "t" / stage.stage)
        assert stage.kept == about(kept[stage.stage]), stage
        if stage.stage == "rewrite":
            here |= {f"answers/{name}": size for name, size in sizes(runs / ".answers").items()}
        if stage.stage == "ingest":
            here |= {f"drawn/{name}": size for name, size in sizes(runs / "t/sketchbook").items()}
        assert stage.files == about(sum(not name.startswith("answers/") for name in here)), stage
        assert stage.intermediate + stage.final == about(sum(here.values())), stage
    published = [size for name, size in here.items() if not name.startswith(("keys/", "rows/", "report/"))]
    assert found.stages[-1].final == about(sum(published))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen pages with their images."""
    folder = tmp_path_factory.mktemp("pages")
    own = {
        url: [(text, png(dot=at * 9)) for at, (text, _) in enumerate(steps)] for url, steps in PAGES.items()
    }
    mmc4(folder / "data", own)
    return recipe(
        folder,
        part_size=4,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={"min_words": 10, "min_images": 2, "alignment": {"model": None}, "rules": []},
    )


def test_parts_of_a_run_are_measured_if_there_is_one(pages: Path) -> None:
    build(pages, "workdir=built")
    found = planned(pages, 12_000, "workdir=built")
    assert (found.evidence.documents, found.evidence.parts, found.evidence.of_run) == (12, 3, True)
    assert (found.parts, found.stages[0].kept) == (3_000, 12_000)
    assert {step.step for step in found.steps if step.stage == "ingest"} == {"reading", "reports of parts"}
    other = planned(pages, 12_000)
    assert (other.evidence.of_run, other.stages[0].kept, other.stages[3].kept) == (False, 12_000, 12_000)


def test_hours_are_of_every_step_and_add_up(pages: Path) -> None:
    found = planned(pages, 24_000)
    names = {(step.stage, step.step) for step in found.steps}
    assert {stage for stage, _ in names} == set(STAGES)
    assert names >= {
        ("ingest", "reading"),
        ("filter", "looking"),
        ("filter", "duplicates"),
        ("filter", "near images"),
        ("rewrite", "rewriting"),
        ("shard", "writing shards"),
        ("shard", "splits and shards"),
    }
    assert found.cpu_hours == pytest.approx(sum(step.cpu_hours for step in found.steps))
    assert all(step.cpu_hours >= 0 for step in found.steps)
    assert found.device_hours is None, "no model runs on a device"
    measured = [step for step in found.steps if step.where == "workers"]
    assert all(step.memory is not None and step.memory > 10e6 for step in measured)
    assert found.slowest in found.steps
    by_name = {bound.name: bound.hours for bound in found.bounds}
    assert by_name["CPU"] == pytest.approx(sum(step.cpu_hours for step in measured) / 4)
    assert by_name["one process"] == pytest.approx(
        sum(step.cpu_hours for step in found.steps if step.where == "one process")
    )
    assert found.stages[1].documents == 24_000


def test_no_model_is_asked_and_its_requests_are_scaled(pages: Path) -> None:
    model = {
        "provider": "openai",
        "base_url": "http://127.0.0.1:9/v1",  # nothing answers there
        "model": "m",
        "tokens_per_minute": 1000,
        "price": {"input_per_million": 2, "output_per_million": 8},
    }
    found = planned(pages, 1_200_000, f"llm={json.dumps(model)}", "rewrite.refine=null")
    assert found.requests == 2 * 1_200_000, "one for the judge and one for the example of each document"
    assert found.dollars == pytest.approx((2 * found.input_tokens + 8 * found.output_tokens) / 1e6, rel=0.01)
    assert found.error is None, "rough: no answer was seen"
    model_bound = next(bound for bound in found.bounds if bound.name == "model")
    assert model_bound.hours == pytest.approx((found.input_tokens + found.output_tokens) / 1000 / 60)
    assert found.bounds[0] == model_bound
    asking = next(step for step in found.steps if step.step == "asking models")
    assert (asking.where, asking.shared) == ("one process", True)
    assert any("judge keeps every document" in line for line in found.assumed)


def test_images_on_the_web_are_not_fetched_and_their_hosts_bound_the_build(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "url": url,
                "text_list": [text for text, _ in steps],
                "image_info": [
                    {"image_name": f"{at}.png", "raw_url": f"{url}/{at}.png", "matched_text_index": at}
                    for at in range(len(steps))
                ],
            }
        )
        for url, steps in PAGES.items()
    ]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    fetch = {"contact": "https://example.org/", "delay": 2.0}
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "docs.jsonl"}]},
        filter={
            "min_words": 10,
            "min_images": 2,
            "alignment": {"model": None},
            "rules": [],
            "images": {"fetch": fetch},
        },
    )
    found = planned(path, 1_200)
    assert found.stopped is not None
    assert found.stopped.startswith("after filter: no document is left")
    assert [stage.stage for stage in found.stages] == ["ingest", "filter"]
    network = next(bound for bound in found.bounds if bound.name == "network")
    # a third of the 4 images of each document, 2 s apart
    assert network.hours == pytest.approx(1_200 * 4 / 3 * 2 / 3600)
    assert any("--limit 300" in line for line in found.assumed)


def test_the_command_prints_the_plan(pages: Path) -> None:
    done = leaf("build", pages, "--dry-run", "--scale", "7000000", "--workers", "16")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("plan           7,000,000 documents in ")
    assert any(line.startswith("slowest step   the slowest step is ") for line in lines)
    assert any(line.startswith("bounded by ") and "with 16 workers" in line for line in lines)
    assert any(line.startswith("to do ") for line in lines)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run", "--scale", "0"], "should be greater than or equal to 1"),
        (["--dry-run", "--scale", "many"], "should be a valid integer"),
        (["--dry-run", "--scale", "9" * 20], "at most 1,000,000,000,000 documents"),
        (["--scale", "10"], "needs --dry-run"),
        (["--dry-run", "--calibrate", "1", "--scale", "10"], "needs --dry-run, without --calibrate"),
    ],
)
def test_bad_numbers_are_refused(pages: Path, arguments: list[str], message: str) -> None:
    refused = leaf("build", pages, *arguments)
    assert refused.returncode == 2
    assert message in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
