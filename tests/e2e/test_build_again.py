"""Building again: after a kill at the worst moment, a changed image, a moved folder, a detour over other
settings. Never stale, never mixed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psutil
import pytest
import yaml
from command import leaf
from e2e.test_build import pages
from making import InlineEngine, build, mmc4, png, recipe, rows, shard_sums

from leafinstruct.records import table
from leafinstruct.runtime.artifact import Artifact


class Killed(BaseException):
    """Stands in for a kill: nothing catches it."""


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
            "rules": [{"score": "text.links", "max": 5}],
        },
    )


def run_of(own: Path) -> Path:
    return own.parent / "runs/t"


@pytest.mark.matrix(3)
@pytest.mark.parametrize("stage", ["ingest", "filter", "rewrite", "shard"])
@pytest.mark.parametrize(
    "change",
    [
        "seed=7",
        "filter.rules[1]={score: text.words, max: 40}",
        "rewrite.tasks=[guide]",
        "filter.alignment.batch_size=5",
    ],
)
def test_a_kill_between_files_and_report_and_then_going_back_mixes_nothing(own, monkeypatch, stage, change):
    """The worst moment: a part's files are new, its report is not yet. The old report must not vouch for
    them."""
    build(own)
    wanted = shard_sums(run_of(own) / "shard")
    commit = Artifact.commit

    def die(self, part, key, report, files):
        if self.stage == stage:
            raise Killed
        return commit(self, part, key, report, files)

    with monkeypatch.context() as patch:
        patch.setattr(Artifact, "commit", die)
        with contextlib.suppress(Killed):
            build(own, change)
    build(own)
    assert shard_sums(run_of(own) / "shard") == wanted


def test_a_detour_over_tighter_rules_leaves_no_trace(own):
    """Evidence kept from a tighter build gives the same shards as building loosely at once: nothing remembers
    the rules of its day."""
    data = {url: [(text, data) for text, data in steps] for url, steps in pages(6, start=200).items()}
    mmc4(own.parent / "data", data, name="more.jsonl")
    build(own)
    wanted = shard_sums(run_of(own) / "shard")
    scores = [row for path in (run_of(own) / "filter").rglob("scores-*.parquet") for row in table.read(path)]
    middle = median(row["value"] for row in scores if row["name"] == "image.entropy")
    shutil.rmtree(own.parent / "runs")
    tight = (
        f"filter.rules[1]={{score: image.entropy, min: {middle}}}",
        "filter.rules[2]={score: text.words, max: 40}",
    )
    build(own, *tight, until="filter")
    build(own)
    assert shard_sums(run_of(own) / "shard") == wanted


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    leaf("init", tmp_path / "a")
    command = [sys.executable, "-c", "from leafinstruct.cli import main; main()", "build", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path / "a", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    workers: list[psutil.Process] = []
    while len(workers) < 2:
        assert process.poll() is None, "the build ended before it had workers"
        workers = [
            child
            for child in psutil.Process(process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
        time.sleep(0.05)
    process.kill()
    process.wait()
    gone, kept = psutil.wait_procs(workers, timeout=300)
    assert len(gone) == 2, kept


def test_a_changed_image_is_read_again_and_only_that_part_is_looked_at(own):
    build(own)
    before = {
        row["document_id"]: [info["sha256"] for info in row["image_info"]]
        for row in rows(run_of(own) / "shard")
    }
    changed = own.parent / "data/images/docs-3-1.png"
    changed.write_bytes(png((9, 200, 9), size=(90, 70), dot=30))
    engine = InlineEngine()
    build(own, engine=engine)
    assert engine.total("looking", "images_read") == 1
    assert engine.total("looking", "images_embedded") == 1
    assert len(engine.reports["looking"]) == 1
    after = {
        row["document_id"]: [info["sha256"] for info in row["image_info"]]
        for row in rows(run_of(own) / "shard")
    }
    assert sum(before[document] != after[document] for document in before) == 1
    idle = InlineEngine()
    assert all(outcome.up_to_date for outcome in build(own, engine=idle))


def test_a_missing_image_that_comes_back_is_found(own):
    path = own.parent / "data/images/docs-0-0.png"
    data = path.read_bytes()
    path.unlink()
    build(own)
    assert sum(len(row["images"]) for row in rows(run_of(own) / "shard")) == 35
    path.write_bytes(data)
    build(own)
    assert sum(len(row["images"]) for row in rows(run_of(own) / "shard")) == 36


def test_runs_may_be_a_link_to_another_disk(own, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk") / "deep" / "er"
    elsewhere.mkdir(parents=True)
    (own.parent / "runs").symlink_to(elsewhere)
    build(own)
    assert len(rows(run_of(own) / "shard")) == 12


def test_a_project_may_move(own, tmp_path_factory):
    build(own, until="ingest")
    place = tmp_path_factory.mktemp("moved") / "project"
    own.parent.rename(place)
    build(place / "recipe.yaml")
    assert len(rows(place / "runs/t/shard")) == 12


@pytest.mark.parametrize(("limit", "sources"), [(1, 4), (5, 4), (10, 4), (7, 1)])
def test_a_limit_is_exact(tmp_path, limit, sources):
    for number in range(sources):
        for part in range(3):
            mmc4(tmp_path / f"d{number}", pages(4, start=part * 4 + number * 100), name=f"p{part}.jsonl")
    listed = [{"kind": "mmc4", "name": f"s{number}", "path": f"d{number}"} for number in range(sources)]
    path = recipe(
        tmp_path,
        ingest={"sources": listed},
        filter={"alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True}},
    )
    build(path, limit=limit, until="ingest")
    found = [
        row
        for file in (tmp_path / f"runs/t-limit{limit}/ingest").rglob("documents-*.parquet")
        for row in table.read(file)
    ]
    assert len(found) == limit


def test_prompts_one_folder_up_are_found_from_any_folder(own, monkeypatch):
    folder = own.parent / "pipelines"
    folder.mkdir()
    (own.parent / "prompts").mkdir()
    (own.parent / "prompts/judge.md").write_text("mine\n---\nDocument:")
    text = own.read_text().replace("path: data", f"path: {own.parent / 'data'}")
    (folder / "a.yaml").write_text(text)
    from leafinstruct.recipe import load as recipes

    for place, path in ((own.parent, Path("pipelines/a.yaml")), (folder, Path("a.yaml"))):
        monkeypatch.chdir(place)
        assert recipes.load(path).template("prompts", "judge").text.startswith("mine")


def test_a_document_without_images_may_be_kept_when_the_recipe_wants_it(tmp_path):
    mmc4(
        tmp_path / "data",
        {
            **pages(3),
            "https://x.example": [("Only words, but many of them, as in a letter to a friend.", None)],
        },
    )
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_images": 0,
            "min_words": 5,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
        },
    )
    build(path)
    dropped = [
        row for file in (tmp_path / "runs/t/rewrite").rglob("dropped-*.parquet") for row in table.read(file)
    ]
    assert [row["drops"][0]["rule"] for row in dropped] == ["no_task_fits"]


def test_text_without_spaces_is_rewritten_like_any_other(tmp_path):
    long = "画一个红色的房子然后再画一棵树" * 300
    mmc4(
        tmp_path / "data",
        {
            f"https://h{n}.example/{n}": [
                (f"{long}{n}", png(dot=n + 1)),
                (f"{n}{long}", png((1, 9, 9), dot=n + 2)),
            ]
            for n in range(4)
        },
    )
    (tmp_path / "questions").mkdir()
    families = {name: {"ask_untitled": ["“{opening}”"]} for name in ("report", "continuation")}
    (tmp_path / "questions/zh.yaml").write_text(
        yaml.safe_dump({"language": "zh", "read_by": "a test", "families": families})
    )
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True}},
    )
    build(path)
    assert len(rows(tmp_path / "runs/t/shard")) == 4
    assert all(len(row["messages"][0]["content"][0]["text"]) < 400 for row in rows(tmp_path / "runs/t/shard"))


def test_the_record_names_every_source_file_with_its_sha256(own):
    import hashlib
    import json

    build(own, until="ingest")
    record = json.loads((run_of(own) / "ingest/record.json").read_text())
    assert record["sources"] == {
        "own/docs.jsonl": hashlib.sha256((own.parent / "data/docs.jsonl").read_bytes()).hexdigest()
    }
    os.utime(own.parent / "data/docs.jsonl", (1, 1))
    done = leaf("build", own, "--set", "version=v", "--stage", "ingest")
    assert done.returncode == 0
    mmc4(own.parent / "data", pages(13))
    done = leaf("build", own, "--set", "version=v", "--stage", "ingest")
    assert done.returncode == 1
    assert "own/docs.jsonl changed" in done.stderr


def test_what_is_rebuilt_is_reported_in_words(own):
    build(own)
    mmc4(own.parent / "data", pages(1, start=90), name="more.jsonl")
    reported = leaf("build", own, "--set", "filter.min_words=11").stderr
    assert "ingest: rebuilt what changed: own/more.jsonl is new" in reported
    assert "filter: rebuilt what changed: filter.min_words 10 -> 11; its input" in reported
    assert "rewrite: rebuilt what changed: its input" in reported


def test_templates_name_no_prompt_that_was_not_used(own):
    build(own)
    found = rows(run_of(own) / "shard")
    assert all(row["provenance"]["prompts"] == [] for row in found)
    assert "prompt `" not in (run_of(own) / "shard/README.md").read_text(encoding="utf-8")
