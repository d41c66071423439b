"""A run does not depend on where it is: same bytes in another folder, and wherever the workers are."""

import json
import os
from pathlib import Path

import pytest
from making import build, mmc4, png, recipe, shard_sums

from leafinstruct import pipeline
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.engine.local import LocalEngine

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
