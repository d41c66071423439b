"""Every recipe that comes with the package parses, and names where its corpus is and under which
license."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from leafinstruct.recipe import load as recipe

PIPELINES = sorted((Path(__file__).parent.parent.parent / "pipelines").glob("*.yaml"))
CORPORA = {
    "mmc4",
    "obelics",
    "mint1t",
    "common-crawl",
    "youcook2",
    "vist",
    "own-videos",
    "interleavedbench",
    "hub",
    "strict",
}
EMBEDDED = {"demo", "demo-lessons", "start"}
TRAINING = {"train-paper", "train-demo"}
BUILDING = [path for path in PIPELINES if path.stem not in TRAINING]


def test_there_is_a_recipe_for_each_corpus():
    assert {path.stem for path in PIPELINES} == CORPORA | EMBEDDED | TRAINING


@pytest.mark.parametrize("path", BUILDING, ids=lambda path: path.stem)
def test_it_parses(path):
    loaded = recipe.load(path)
    assert loaded.recipe.version == "dev"
    kinds = {source.kind for source in loaded.recipe.ingest.sources}
    assert kinds <= {"sketchbook"} or path.stem in CORPORA


@pytest.mark.parametrize(
    "path", [path for path in PIPELINES if path.stem in CORPORA], ids=lambda path: path.stem
)
def test_it_names_the_source_and_license_of_its_corpus(path):
    text = path.read_text(encoding="utf-8")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert re.search(r"^# Get it: ", comments, re.MULTILINE)
    assert re.search(r"^# License: .{20}", comments, re.MULTILINE)
    assert re.search(r"https?://\S+", comments)
    sources = yaml.safe_load(text)["ingest"]["sources"]
    assert all(
        not str(source.get(key, "")).startswith(("/", "~"))
        for source in sources
        for key in ("path", "images", "videos", "cdxj")
    )
    assert max(map(len, text.splitlines())) <= 160


@pytest.mark.parametrize(
    "path",
    [path for path in PIPELINES if path.stem in {"mmc4", "obelics", "mint1t", "common-crawl"}],
    ids=lambda path: path.stem,
)
def test_images_on_the_web_are_fetched_under_a_contact(path):
    fetch = recipe.load(path).recipe.filter.images.fetch
    assert fetch is not None
    assert fetch.contact == "you@example.org"
    assert fetch.robots
    assert fetch.opt_out


def test_the_demo_trains_the_packaged_model_on_the_lessons():
    loaded = recipe.load_training(next(path for path in PIPELINES if path.stem == "train-demo"))
    assert (loaded.train.backbone.weights, loaded.train.backbone.base) == ("leaf:tiny-1", "leaf:tiny-1"), (
        "a name, and no path"
    )
    assert (
        loaded.train.data
        == f"run:{recipe.load(next(path for path in PIPELINES if path.stem == 'demo-lessons')).recipe.name}"
    )


def test_the_papers_rank_is_a_recipe():
    path = next(path for path in PIPELINES if path.stem == "train-paper")
    section = recipe.load_training(path).train
    assert (
        section.adapter.r_text,
        section.adapter.r_image,
        section.adapter.conv_mode,
        section.adapter.neighbors,
    ) == (256, 256, "full_space", "top_left")
    assert Path(section.backbone.weights) == path.parent.parent / "models" / "anole-hf"
    comments = "\n".join(
        line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")
    )
    assert re.search(r"^# Get it: .*https://", comments, re.MULTILINE)
    assert re.search(r"^# License: .{20}", comments, re.MULTILINE)
