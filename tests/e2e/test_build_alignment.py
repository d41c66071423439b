"""Alignment through a whole build: languages that the model does not know, records on which it fails, the
processes of devices, and settings that this machine cannot serve."""

from __future__ import annotations

import io
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from making import InlineEngine, build, mmc4, png, recipe

from leafinstruct import pipeline
from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.filter.passes import gather, run_models
from leafinstruct.filter.scores.cell import is_ignored
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.report import status
from leafinstruct.report.explain import lineage as explain
from leafinstruct.report.explain import story
from leafinstruct.report.inspect import decision
from leafinstruct.report.inspect.gather import gather as gathered
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Needs, Part
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.sketchbook import tiny_clip
from leafinstruct.sketchbook.documents.plan import Settings, draft
from leafinstruct.sketchbook.world.render import render

SENTENCES = json.loads((Path(__file__).parent.parent / "records/languages.json").read_text(encoding="utf-8"))
UNREACHABLE = {"score": "alignment.own", "min": 2, "model": "leaf:tiny-clip-1"}


def page(texts: list[str], number: int) -> list[tuple[str, bytes | None]]:
    return [
        (text, png((20 * number, 90, 40), dot=4 * at) if at % 2 else None) for at, text in enumerate(texts)
    ]


def own(folder: Path, pages: dict[str, list[str]], **filters: Any) -> Path:
    mmc4(
        folder / "data",
        {f"https://a.example/{name}": page(texts, at) for at, (name, texts) in enumerate(pages.items())},
    )
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={"min_words": 1, "judge": {"enabled": False}, **filters},
        rewrite={"tasks": [{"name": "quoted", "language": "any", "ask_untitled": ["“{opening}”"]}]},
        shard={"splits": {"train": 1.0}},
    )


def stages(path: Path) -> dict[str, Artifact]:
    return pipeline.artifacts(recipes.load(path))


def cells(path: Path) -> dict[str, list[Cell]]:
    """Last part of a document's URL -> its cells."""
    found = stages(path)
    names = {
        document.id: (document.url or "").rpartition("/")[2]
        for part in found["ingest"].parts()
        for document in table.documents(found["ingest"].file("documents", part))
    }
    by_name: dict[str, list[Cell]] = {name: [] for name in names.values()}
    for part in found["filter"].parts():
        for document, cell in table.scores(found["filter"].file("scores", part)):
            by_name[names[document]].append(cell)
    return by_name


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One page in German and one in English. No image reaches the bound of the rule."""
    pages = {code: SENTENCES[code] for code in ("de", "en")}
    return own(tmp_path, pages, alignment={"allow_toy": True}, rules=[UNREACHABLE])


def test_a_language_that_the_model_does_not_know_is_not_scored_and_its_rules_are_ignored(mixed):
    build(mixed)
    found = cells(mixed)
    of_clip = [cell for cell in found["de"] if cell.name.startswith("alignment.")]
    assert {cell.name for cell in of_clip} == {
        *("alignment.own", "alignment.beside", "alignment.margin"),
        *("alignment.mean", "alignment.min", "alignment.unknown_words"),
    }
    assert {(cell.value, cell.state, cell.detail) for cell in of_clip} == {
        (None, "not_scored", "the model does not know German (de)")
    }
    # images alone need no language
    adjacent = next(cell for cell in found["de"] if cell.name == "coherence.adjacent")
    assert adjacent.state == "ok"
    assert {cell.state for cell in found["en"] if cell.name == "alignment.own"} == {"ok"}
    filtered = stages(mixed)["filter"]
    totals = filtered.totals()
    assert (totals.counts["kept"], dict(totals.image_reasons)) == (1, {"alignment.own": 2})
    entries = status.entries(stages(mixed))
    lines = {step.what: step.documents for step in status.steps(entries)}
    assert lines["kept, alignment not scored: de"] == 1
    card = (stages(mixed)["shard"].path / "README.md").read_text(encoding="utf-8")
    assert "Alignment was not scored for 1 documents whose language the model does not know" in card
    rule = next(rule for rule in decision.rules(filtered, found["de"], []) if rule["rule"] == "alignment.own")
    assert (rule["outcome"], rule["min"]) == ("ignored", 2)
    records = gathered(stages(mixed), 10, lambda *_: None).records
    assert {record["language"]: record.get("ignored", []) for record in records} == {
        "German (de)": ["alignment"],
        "English (en)": [],
    }


def test_languages_of_the_recipe_replace_those_of_the_table(mixed):
    engine = InlineEngine()
    build(mixed, "filter.alignment.languages=[de]", engine=engine)
    found = cells(mixed)
    states = {
        name: {cell.state for cell in some if cell.name == "alignment.own"} for name, some in found.items()
    }
    assert states == {"de": {"ok"}, "en": {"not_scored"}}
    build(mixed, "filter.alignment.languages=[de, en]", "filter.rules=[]", engine=engine, rebuild=False)
    assert {cell.state for some in cells(mixed).values() for cell in some if is_ignored(cell)} == set()


@pytest.fixture
def unordered(tmp_path: Path) -> Path:
    """A document of four drawn steps of four lessons. MMC4 states for each image the text of another one."""
    lessons = [draft(Settings(seed=7, documents=4), index) for index in range(4)]
    texts = [lesson.steps[0].text for lesson in lessons]
    files = []
    for lesson in lessons:
        file = io.BytesIO()
        render(lesson.steps[0].scene, 128).save(file, "PNG")
        files.append(file.getvalue())
    mmc4(tmp_path / "data", {"https://a.example/lost": list(zip(texts, files[1:] + files[:1], strict=True))})
    weights = tmp_path / "own.pt"
    shutil.copy(tiny_clip.unpack(tmp_path), weights)
    return recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={
            "min_words": 1,
            "judge": {"enabled": False},
            "alignment": {"model": "./own.pt", "reassign": {"sources": ["own"], "stated": True}},
        },
        rewrite={"tasks": [{"name": "quoted", "language": "any", "ask_untitled": ["“{opening}”"]}]},
        shard={"splits": {"train": 1.0}},
    )


def only_kept(path: Path) -> Document:
    filtered = stages(path)["filter"]
    (document,) = [
        one for part in filtered.parts() for one in table.documents(filtered.file("documents", part))
    ]
    return document


def test_images_that_lost_their_order_are_assigned_again_and_every_report_shows_it(unordered):
    build(unordered)
    document = only_kept(unordered)
    assert [segment.position for segment in document.segments] == list(range(8))
    assert [(image.position, image.owner, image.owner_found) for image in document.images] == [
        *((0, 3, "matched"), (2, 5, "matched")),
        *((4, 7, "matched"), (6, 1, "matched")),
    ]
    own = [cell.value for cell in cells(unordered)["lost"] if cell.name == "alignment.own"]
    assert min(own) > 0.1  # the minimum that the model's card names
    lineage = explain.look(stages(unordered), document.id, Path("none"))["record"]
    line = "alignment.reassign: [0] belongs to [3] by the matrix, before to [1], stated"
    assert lineage["filter"]["reassigned"][0] == line
    assert any(line in shown for shown in story.story(lineage, 200))
    (record,) = gathered(stages(unordered), 10, lambda *_: None).records
    assert record["edits"][0] == ["alignment.reassign", line]
    lines = {step.what: step.images for step in status.steps(status.entries(stages(unordered)))}
    assert lines["kept, assigned to another text by alignment"] == 4
    card = (stages(unordered)["shard"].path / "README.md").read_text(encoding="utf-8")
    assert "4 were assigned to another text by the alignment model (`filter.alignment.reassign`)" in card
    build(unordered, "filter.alignment.reassign=null", rebuild=False)
    document = only_kept(unordered)
    assert [(image.owner, image.owner_found) for image in document.images] == [
        (position, "stated") for position in (1, 3, 5, 7)
    ]


def poisoned(folder: Path) -> Path:
    """The tiny model with weights that are not a number for the word `soup`."""
    from leafinstruct.filter.embedders.clip import load_clip

    load_clip()
    from clip.simple_tokenizer import SimpleTokenizer

    state = torch.load(tiny_clip.unpack(folder), map_location="cpu", weights_only=True)
    (word,) = SimpleTokenizer().encode("soup")
    state["token_embedding.weight"][word] = float("nan")
    path = folder / "poisoned.pt"
    torch.save(state, path)
    return path


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    pages = {
        name: [
            f"The {word} stands on the table and is {size}." for size in ("small", "large", "green", "red")
        ]
        for name, word in (("bowl", "bowl"), ("soup", "soup"), ("cup", "cup"))
    }
    rules = [{"score": "alignment.own", "min": -1, "uncalibrated": True}]
    return own(tmp_path, pages, alignment={"model": str(poisoned(tmp_path))}, rules=rules)


def test_a_record_on_which_the_model_fails_fails_alone_and_the_next_build_tries_again(fragile):
    build(fragile, "filter.images.tolerate_failures=1")
    found = cells(fragile)
    failed = [cell for cell in found["soup"] if cell.name == "alignment.own"]
    assert {(cell.value, cell.state, cell.detail) for cell in failed} == {
        (None, "failed", "the model gave values that are not finite")
    }
    assert not [cell for cell in found["soup"] if cell.name.startswith("coherence.")]
    for name in ("bowl", "cup"):
        assert {cell.state for cell in found[name] if cell.name.startswith("alignment.")} == {"ok"}
    filtered = stages(fragile)["filter"]
    assert dict(filtered.totals().reasons) == {"alignment.own": 1}
    assert [item["rule"] for item in filtered.record["failed"]] == ["alignment.own"]
    labels = {cell.model for cell in found["bowl"] if cell.name.startswith("alignment.")}
    assert labels == {f"poisoned.pt@{filtered.record['weights'][:12]}"}


def test_more_failures_than_tolerated_are_one_line_with_the_models_reason(fragile):
    with pytest.raises(SourceError, match=r"2 of 6 images could not be embedded") as caught:
        build(fragile)
    assert "the model failed (the model gave values that are not finite)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_processes_of_devices_write_the_files_of_one_process(mixed, tmp_path):
    build(mixed)
    loaded = recipes.load(mixed)
    settings, found = FilterSettings.of(loaded), stages(mixed)
    names = found["filter"].parts()
    files = [found["filter"].file(kind, name) for kind in ("embeddings", "keys") for name in names]
    kept = tmp_path / "kept"
    kept.mkdir()
    parts = []
    for file in files:
        shutil.move(file, kept / file.name)
    for name in names:
        key = (table.key_of(kept / f"keys-{name}.parquet") or "").partition(" ")[0]
        parts.append(Part(name, key))
    tasks = [partial(task, settings, found["ingest"], found["filter"]) for task in (run_models, gather)]
    needs = Needs("gpu", devices=("cpu", "cpu"), before=tasks[1])
    with LocalEngine(workers=1) as engine:
        results = list(engine.map(tasks[0], parts, needs))
    assert sum(result.counts["images_embedded"] for result in results) == 4  # coherence needs all
    for file in files:
        assert file.read_bytes() == (kept / file.name).read_bytes(), file.name


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_ends_the_build_before_an_image_is_read(mixed):
    engine = InlineEngine()
    with pytest.raises(RecipeError, match=r"device: cuda:1: torch finds no cuda device"):
        build(mixed, "filter.alignment.device=cuda:1", engine=engine)
    assert "looking" not in engine.reports


def test_the_index_of_a_device_changes_neither_the_key_nor_the_published_recipe(mixed):
    shapes = []
    for device in ("cuda", "cuda:0", "cuda:1", "cpu"):
        loaded = recipes.load(mixed, (f"filter.alignment.device={device}",))
        settings = FilterSettings.of(loaded)
        shapes.append((settings.shaping, settings.weights.identity, loaded.resolved))
    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0][1] != shapes[3][1]
