"""The documentation: its generated sections, the tutorial's commands as a reader runs them, and the script of
the whole path."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import reference
import shown_prompts
import yaml
from command import leaf, leaf_process
from e2e.test_build_llm import answer
from hub_repos import ReposHub
from llm.misbehaving import Misbehaving, depending, serving
from making import build, recipe, rows

from leafinstruct.filter.catalog import OF_EXAMPLES, SCORES

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
_BLOCK = re.compile(r'^```(sh|yaml|python)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_generated_sections_are_those_of_the_code(name):
    page = (DOCS / name).read_text(encoding="utf-8")
    assert reference.written(page) == page, "run: python scripts/reference.py"


def test_the_shown_prompts_are_those_that_are_sent():
    page = shown_prompts.PAGE.read_text(encoding="utf-8")
    assert shown_prompts.written(page) == page, "run: python scripts/shown_prompts.py"


def test_every_family_of_scores_has_a_section():
    families = {score.family for score in (*SCORES.values(), *OF_EXAMPLES.values())}
    found = re.findall(r"<!-- generated: (\w+) -->", (DOCS / "scores.md").read_text(encoding="utf-8"))
    assert set(found) == families
    assert len(found) == len(families)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder of HTML pages and their images, as a reader has one."""
    work = tmp_path / "drawing"
    work.mkdir()
    drawn = {
        "kind": "sketchbook",
        "seed": 5,
        "documents": 24,
        "formats": ["html"],
        "topics": ["lesson", "map"],
    }
    build(recipe(work, ingest={"sources": [drawn]}), until="ingest")
    (found,) = work.glob("runs/t/**/html")
    shutil.copytree(found, tmp_path / "my-pages")
    return tmp_path / "my-pages"


@pytest.fixture
def model() -> Iterator[Misbehaving]:
    with serving(depending(answer)) as server:
        yield server


def test_the_tutorial_leads_from_pages_to_an_answer(pages, model, tmp_path):
    folder, printed = tmp_path, list[str]()
    page = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.html"))[0]
    with ReposHub() as hub:
        environment = hub.logged_in(tmp_path / "home", "hf_secretsecretsecret")
        for language, title, text in _BLOCK.findall((DOCS / "tutorial.md").read_text(encoding="utf-8")):
            here = f"provider: ollama\n  base_url: {model.url}"  # in place of Ollama's own URL
            given = text.replace("provider: ollama", here).replace("PAGE", page)
            if language == "yaml":
                path = folder / title
                before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
                path.write_text(yaml.safe_dump({**before, **yaml.safe_load(given)}, sort_keys=False), "utf-8")
            elif language == "python":
                command = [sys.executable, "-c", given]
                done = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, check=True, timeout=300
                )
                printed.append(done.stdout)
            else:
                for line in given.splitlines():
                    name, *arguments = shlex.split(line)
                    if name == "cd":
                        folder /= arguments[0]
                        continue
                    assert name == "leaf"
                    # libraries read where the Hub is when they are imported
                    call = leaf_process if arguments[0] == "push" else leaf
                    done = call(*arguments, cwd=folder, **environment)
                    assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert folder == tmp_path / "lessons"
        assert printed[0].startswith("user text ")
        assert "assistant image " in printed[0]
        found = rows(folder / "runs/lessons/shard")
        assert 0 < len(found) <= 24
        for row in found:
            scores = {score["name"]: score["value"] for score in row["scores"]}
            assert scores["judge.narrative_coherence"] == 4.0
            models = {item["name"]: item["identity"] for item in row["provenance"]["models"]}
            assert models["rewrite"] == "qwen2.5vl:7b"
        assert "<html" in (folder / "look.html").read_text(encoding="utf-8")[:200]
        pushed = hub.repos["me/lessons"]
        assert pushed.private
        assert any(name.endswith(".parquet") for name in pushed.files)
    record = json.loads((folder / "runs/lessons-adapter/train/record.json").read_text(encoding="utf-8"))
    assert record["fingerprint"]["train"]["steps"] == 20
    assert (folder / "answer/index.html").is_file()
    assert (folder / "answer/image-01.png").is_file()


def test_the_script_of_the_whole_path_runs_and_continues(pages, tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "STEPS": "2"}
    command = ["bash", str(REPOSITORY / "examples/speedrun.sh"), "run", str(pages)]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert made >= {"recipe.yaml", "look.html", "export", "train.yaml", "answer"}
