"""A recipe that asks for no score of CLIP loads none, has none, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import leaf_process as leaf
from making import build, mmc4, png, recipe, rows

from leafinstruct import pipeline
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table

PAGES = {
    f"https://example.org/{page}": [
        (
            f"Page {page}: cut the red paper into {page + 3} long strips and fold every one of them twice.",
            png(dot=page),
        ),
        (
            "Then glue the strips together at their ends until a small lantern stands on the table.",
            png((10, 160, 30), dot=page + 20),
        ),
    ]
    for page in range(3)
}
RULE = {"score": "alignment.own", "min": -1, "model": "leaf:tiny-clip-1"}
BUILD = """
import json, sys
from making import build
from pathlib import Path
build(Path(sys.argv[1]))
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "clip"})))
"""


@pytest.fixture
def path(tmp_path):
    mmc4(tmp_path / "data", PAGES)
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    return recipe(
        tmp_path,
        ingest={"sources": [source]},
        filter={"min_words": 10, "rules": [{"score": "text.links", "max": 9}]},
    )


OFFLINE = {
    *("document", "text", "personal", "toxicity", "markup", "image", "sequence", "duplicate", "reference"),
    "rules",
}
"""Families of scores that no model is needed for."""


def names(path):
    """Families of the scores of all documents."""
    filtered = pipeline.artifacts(recipes.load(path))["filter"]
    return {
        row["name"].partition(".")[0]
        for part in filtered.parts()
        for row in table.read(filtered.file("scores", part))
    }


def test_the_whole_build_imports_neither_torch_nor_clip(path):
    """In a process that runs every task itself."""
    tests = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tests.parent, tests)))}
    found = subprocess.run(
        [sys.executable, "-c", BUILD, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout.splitlines()[-1]) == []


def test_no_row_no_record_and_no_file_has_a_score_of_clip_and_the_card_states_it(path):
    build(path)
    stages = pipeline.artifacts(recipes.load(path))
    assert names(path) == OFFLINE
    found = rows(stages["shard"].path)
    assert len(found) >= 3
    assert {score["name"].partition(".")[0] for row in found for score in row["scores"]}.isdisjoint(
        {"alignment", "coherence"}
    )
    assert all("alignment" not in {item["name"] for item in row["provenance"]["models"]} for row in found)
    record = stages["filter"].record
    assert (record["models"]["alignment"], record["weights"], record["toy"]) == (None, None, False)
    assert record["fingerprint"]["libraries"].keys() == {
        *("ftfy", "pillow", "pyarrow", "regex", "scipy", "zxing-cpp")
    }
    assert not list(stages["filter"].path.rglob("embeddings-*"))
    card = (stages["shard"].path / "README.md").read_text(encoding="utf-8")
    assert "Alignment and coherence were not scored" in card
    assert "- alignment: not used" in card
    assert "`alignment." not in card


def test_foreign_sources_are_ingested_without_a_word_about_a_clip(path):
    done = leaf("build", path, "--stage", "ingest", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "clip" not in (done.stdout + done.stderr).lower()


def test_a_rule_that_comes_and_goes_brings_and_takes_the_scores(path):
    build(path)
    change = (f"filter.rules[1]={json.dumps(RULE)}", "filter.alignment.allow_toy=true")
    build(path, *change)
    assert names(path) >= {"alignment", "coherence"}
    build(path)
    assert names(path) == OFFLINE


def test_a_named_model_scores_without_a_rule(path):
    build(path, "filter.alignment={model: leaf:tiny-clip-1, allow_toy: true}")
    assert names(path) >= {"alignment", "coherence"}
    assert pipeline.artifacts(recipes.load(path))["filter"].record["toy"] is True
