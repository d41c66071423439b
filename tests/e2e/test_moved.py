"""A run does not depend on where it is: same bytes in another folder, and wherever the workers are."""

import json
import os
import shutil
from pathlib import Path

import pytest
from filter.test_classifiers import written
from making import InlineEngine, build, mmc4, png, recipe, shard_sums

from leafinstruct import pipeline
from leafinstruct.errors import DriftError
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.sketchbook import tiny_clip

pytestmark = pytest.mark.e2e

WORDS = "Stir the grey paint {} times and let every layer of it dry before you go on."


def project(folder: Path) -> Path:
    """A recipe of two MMC4 files with images beside them."""
    (folder / "data").mkdir(parents=True)
    for name in ("a", "b"):
        pages = {
            f"https://{name}{page}.example": [
                (WORDS.format(f"{name} {page} {step}"), png(dot=30 * page + 12 * step)) for step in range(2)
            ]
            for page in range(2)
        }
        mmc4(folder / "data", pages, f"{name}.jsonl")
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    passing = {"min_words": 10, "min_images": 2, "alignment": {"allow_toy": True}, "rules": []}
    return recipe(folder, ingest={"sources": [source]}, filter=passing, workdir=None)


def fingerprints(run: Path) -> dict[str, object]:
    return {path.parent.name: json.loads(path.read_bytes()) for path in run.glob("*/fingerprint.json")}


def test_workers_in_another_folder_and_another_project_make_the_same_bytes(tmp_path, monkeypatch):
    """The folder of runs is the current one at the moment of loading; the workers start in another one."""
    for name in ("one", "two/deeper"):
        project(tmp_path / name)
    monkeypatch.chdir(tmp_path / "one")
    build(Path("recipe.yaml"))
    monkeypatch.chdir(tmp_path / "two/deeper")
    loaded = recipes.load(Path("recipe.yaml"))
    (tmp_path / "empty").mkdir()
    os.chdir(tmp_path / "empty")
    with LocalEngine(2) as engine:
        list(pipeline.build(loaded, engine, lambda *_: None))
    assert list((tmp_path / "empty").iterdir()) == []
    first, second = tmp_path / "one/runs/t", tmp_path / "two/deeper/runs/t"
    assert shard_sums(first / "shard") == shard_sums(second / "shard")
    assert len(shard_sums(first / "shard")) > 0
    assert set(fingerprints(first)) == {"ingest", "filter", "rewrite", "shard"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a finished project, with new times and inodes; the original is gone."""
    folder = tmp_path_factory.mktemp("moved")
    project(folder / "first")
    build(folder / "first/recipe.yaml", f"workdir={folder / 'first'}", "version=v1")
    shutil.copytree(folder / "first", folder / "second/copy", copy_function=shutil.copyfile)
    shutil.rmtree(folder / "first")
    return folder / "second/copy"


@pytest.fixture
def copied(moved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(moved, tmp_path / "here", copy_function=shutil.copyfile)


def again(folder: Path) -> tuple[list[bool], list[str], InlineEngine]:
    engine = InlineEngine()
    outcomes = build(folder / "recipe.yaml", f"workdir={folder}", "version=v1", engine=engine)
    lines = [line for outcome in outcomes for line in outcome.changes]
    return [outcome.up_to_date for outcome in outcomes], lines, engine


def test_a_copied_run_is_up_to_date_and_nothing_is_read_again(copied):
    before = {path: path.read_bytes() for path in (copied / "runs/t@v1").rglob("*.parquet")}
    up_to_date, lines, engine = again(copied)
    assert (up_to_date, lines, engine.reports) == ([True] * 4, [], {})
    assert {path: path.read_bytes() for path in (copied / "runs/t@v1").rglob("*.parquet")} == before


def test_touched_sources_and_images_rebuild_nothing(copied):
    for path in (copied / "data").rglob("*"):
        os.utime(path, ns=(7, 7))
    assert again(copied)[:2] == ([True] * 4, [])


@pytest.mark.parametrize(
    ("name", "line"), [("a.jsonl", "own/a.jsonl changed"), ("images/a-0-1.png", "image files of 1 parts")]
)
def test_other_bytes_of_the_same_size_and_times_are_found(copied, name, line):
    path = copied / "data" / name
    again(copied)
    before, data = path.stat(), path.read_bytes()
    changed = data.replace(b"grey", b"blue") if name.endswith("l") else data[:-30] + bytes(30)
    path.write_bytes(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(DriftError, match=line):
        again(copied)


def test_sources_that_moved_alone_change_no_version(copied):
    """The run knows its sources by a path relative to itself, which is no part of what it was made from."""
    shutil.move(copied / "data", copied / "elsewhere")
    text = (copied / "recipe.yaml").read_text()
    (copied / "recipe.yaml").write_text(text.replace("path: data", "path: elsewhere"))
    up_to_date, lines, engine = again(copied)
    assert up_to_date == [False, True, True, True]
    assert lines == ['ingest.roots.own "../../../data" -> "../../../elsewhere"']
    assert engine.reports == {"reading": []}


def test_a_moved_model_file_a_classifier_and_a_reference_change_no_fingerprint_and_no_key(tmp_path):
    """The weights count by their sha256, wherever the files of the project lie."""
    first, second = tmp_path / "first", tmp_path / "deeper/second"
    project(first)
    (first / "models").mkdir()
    shutil.copyfile(tiny_clip.unpack(tmp_path), first / "models/own.pt")
    written(first / "models/seen", seed=0)
    mmc4(first / "held", {"https://held.example": [("Oil the blue hinge once a year.", png(dot=70))]})
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    own = str(first / "models/own.pt")
    passing = {
        "min_words": 10,
        "min_images": 2,
        "alignment": {"model": "models/own.pt"},
        "classifiers": [{"name": "seen", "of": "images", "model": "models/seen", "label": "nsfw"}],
        "reference": [source | {"name": "held", "path": "held"}],
        "rules": [{"score": "alignment.mean", "min": -1, "model": own}],
    }
    recipe(first, version="v1", ingest={"sources": [source]}, filter=passing, workdir=None)
    build(first / "recipe.yaml", f"workdir={first}")
    folder = os.fsencode(first)
    holding = [path for path in (first / "runs").rglob("*") if path.is_file() and folder in path.read_bytes()]
    assert holding == []
    shutil.copytree(first, second, copy_function=shutil.copyfile)
    shutil.rmtree(first)
    text = (second / "recipe.yaml").read_text().replace(str(first), str(second))
    (second / "recipe.yaml").write_text(text)
    up_to_date, lines, engine = again(second)
    assert (up_to_date, lines, engine.reports) == ([True] * 4, [], {})
