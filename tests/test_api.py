"""The Python API does what `leaf` does, in a script and in a notebook."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from making import InlineEngine, build, document, png, shard_sums, unjudged
from PIL import Image
from typer.testing import CliRunner

import leafinstruct
import leafinstruct.ingest.reading
import leafinstruct.report.tables
from leafinstruct.cli import app
from leafinstruct.errors import LeafInstructError, RecipeError, SourceError
from leafinstruct.pipeline import Outcome
from leafinstruct.runtime.engine import local
from leafinstruct.runtime.engine.watched import Progressed
from leafinstruct.runtime.locks import one_build

STEPS = [
    ("Draw a red wall on the green grass of the meadow.", png()),
    ("Then add a brown roof on top of the red wall.", png((9, 9, 90), (80, 50), dot=30)),
]
SHORT = [("Short.", png(dot=3)), ("A wall.", png(dot=4))]


class Here(InlineEngine):
    """Takes the place of LocalEngine: starts no process."""

    def __init__(self, _: int | None = None) -> None:
        super().__init__()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(local, "LocalEngine", Here)
    return


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    pages = {f"https://h.example/{number}": STEPS for number in range(3)}
    path = unjudged(folder, {**pages, "https://h.example/short": SHORT})
    with (folder / "data/docs.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    return path


def test_build_gives_the_bytes_of_the_command_and_reports_progress(tmp_path):
    path = made(tmp_path / "api")
    seen: list[Progressed] = []
    outcomes: list[Outcome] = []
    run = leafinstruct.build(str(path), "rewrite", on_progress=seen.append, on_outcome=outcomes.append)
    assert [outcome.stage for outcome in outcomes] == ["ingest", "filter", "rewrite"]
    assert {(now.stage, now.what, now.done, now.total) for now in seen} >= {
        ("ingest", "reading", 0, 1),
        ("ingest", "reading", 1, 1),
        ("rewrite", "rewriting", 1, 1),
    }
    assert not run.stages["shard"].path.exists()
    again = leafinstruct.build(path, on_outcome=outcomes.append)
    assert [outcome.up_to_date for outcome in outcomes[3:]] == [True, True, True, False]
    assert run.directory == again.directory == tmp_path / "api/runs/t"
    build(made(tmp_path / "cli"))
    assert shard_sums(run.directory / "shard") == shard_sums(tmp_path / "cli/runs/t/shard") != {}


def test_a_recipe_may_be_a_mapping_whose_paths_start_here(tmp_path, monkeypatch):
    path = made(tmp_path)
    monkeypatch.chdir(tmp_path)
    recipe = yaml.safe_load(path.read_text())
    before = json.dumps(recipe)
    run = leafinstruct.build(recipe, "filter", limit=2, changes=["filter.min_words=0"])
    assert run.funnel().set_index("step").documents[["read", "kept"]].tolist() == [2, 2]
    assert run.directory == tmp_path / "runs/t-limit2"
    assert json.dumps(recipe) == before, "the caller's mapping is not changed"
    for wrong, fault in (
        ({**recipe, "filtre": {}}, "recipe, filtre: unknown key; did you mean 'filter'?"),
        ("nowhere.yaml", "nowhere.yaml: cannot be read: No such file or directory"),
    ):
        with pytest.raises(RecipeError) as raised:
            leafinstruct.build(wrong)
        assert str(raised.value) == fault
    with pytest.raises(RecipeError, match="stage 'shards': there is no such stage; did you mean 'shard'"):
        leafinstruct.build(path, "shards")


def test_one_process_builds_a_run_at_a_time(tmp_path):
    path = made(tmp_path)
    with one_build(tmp_path / "runs/t"), pytest.raises(LeafInstructError, match="another `leaf build`"):
        leafinstruct.build(path)


@pytest.mark.parametrize("notebook", [False, True])
def test_an_interrupt_keeps_finished_work_and_the_same_call_continues(tmp_path, notebook):
    path = made(tmp_path)

    def interrupt(now: Progressed) -> None:
        if now.stage == "filter":
            raise KeyboardInterrupt

    async def cell() -> None:
        leafinstruct.build(path, on_progress=interrupt)

    call = (
        (lambda: asyncio.run(cell()))
        if notebook
        else partial(leafinstruct.build, path, on_progress=interrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        call()
    outcomes: list[Outcome] = []
    run = leafinstruct.build(path, on_outcome=outcomes.append)
    assert [outcome.up_to_date for outcome in outcomes] == [True, False, False, False]
    assert len(run.examples()) == 3


def test_a_notebook_builds_and_scores_in_its_own_event_loop(tmp_path):
    path = made(tmp_path)

    async def cell() -> tuple[int, list[float]]:
        judged = leafinstruct.score(leafinstruct.read(path.parent / "data"), ["rules.text_quality"])
        return len(leafinstruct.build(path).examples()), judged.value.tolist()

    count, values = asyncio.run(cell())
    assert count == 3
    assert len(values) == 4
    assert set(values) <= {1.0, 2.0, 3.0, 4.0, 5.0}


def test_read_gives_the_documents_of_a_build_and_counts_what_it_cannot_read(tmp_path, monkeypatch):
    path = made(tmp_path)
    section = yaml.safe_load(path.read_text())["ingest"]["sources"][0]
    monkeypatch.chdir(tmp_path)
    pages = leafinstruct.read(section)
    documents = list(pages)
    run = leafinstruct.build(path, "ingest")
    assert documents == [
        found
        for part in run.stages["ingest"].parts()
        for found in leafinstruct.report.tables.table.documents(run.stages["ingest"].file("documents", part))
    ]
    assert dict(pages.losses.reasons) == {"broken_json": 1}
    assert pages.losses.listed[0]["locator"] == "line=5"
    assert pages.roots == {"own": tmp_path / "data"}
    assert list(pages) == documents, "read again"
    assert pages.losses.reasons.total() == 1
    found = leafinstruct.read("data")
    assert [item.texts for item in found] == [item.texts for item in documents]
    assert [[image.ref for image in item.images] for item in found] == [
        [image.ref for image in item.images] for item in documents
    ]
    assert {item.source for item in found} == {"mmc4"}
    with pytest.raises(RecipeError) as raised:
        leafinstruct.read({"kind": "mmc4", "pth": "data"})
    assert str(raised.value).splitlines()[1] == (
        "recipe, ingest.sources[0].pth: unknown key; did you mean 'path'?"
    )
    with pytest.raises(SourceError, match="nowhere: no such file or folder"):
        leafinstruct.read("nowhere")


def test_a_score_has_the_value_of_a_build(tmp_path):
    path = made(tmp_path)
    clip = {"alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True}}
    names = ["text.words", "image.side", "alignment.own", "duplicate.text", "rules.text_quality"]
    run = leafinstruct.build(
        path, "filter", changes=["filter.alignment.model=leaf:tiny-clip-1", "filter.min_words=0"]
    )
    built = run.scores(names)
    source = yaml.safe_load(path.read_text())["ingest"]["sources"][0]
    pages = leafinstruct.read({**source, "path": str(tmp_path / "data")})
    dropping = {**clip, "min_words": 1000, "rules": [{"score": "text.words", "min": 1000}]}
    scored = leafinstruct.score(pages, names, dropping)
    columns = ["document_id", "name", "position", "value", "state", "model", "detail"]
    assert list(scored) == columns
    key = ["document_id", "name", "position"]
    assert scored.sort_values(key).astype(object).values.tolist() == (
        built.sort_values(key).astype(object).values.tolist()
    )
    assert len(scored) == 4 * (1 + 2 + 2 + 1 + 1)
    assert scored[scored.name == "image.side"].value.tolist() == [64, 50] * 3 + [64, 64]
    texts = leafinstruct.score(list(pages), ["text.words"])
    assert texts.value.tolist() == built[built.name == "text.words"].value.tolist()
    some = leafinstruct.score(list(pages)[:2], ["image.aspect"], roots=pages.roots)
    assert some.value.tolist() == [1.5, 1.6, 1.5, 1.6]
    assert not (tmp_path / "runs/score").exists()


def test_what_cannot_be_scored_is_one_sentence(tmp_path):
    page = document("A red wall.", "!a")
    for names, settings, fault in (
        (["text.word"], {}, "unknown score 'text.word'; did you mean 'text.words'?"),
        (["alignment.own"], {}, "alignment.* and coherence.* need a CLIP model; give filter="),
        (["judge.text_quality"], {}, "judge.* is computed with llm={...}, the section of a recipe, only"),
        (["rules.text_quality"], {"judge": [3]}, "recipe, filter.judge"),
        (["text.words"], {"alignmen": {}}, "recipe, filter.alignmen: unknown key; did you mean 'alignment'?"),
        (["image.side"], {}, f"document {page.id}: its images are in files of the source 'made'; give"),
    ):
        with pytest.raises(LeafInstructError) as raised:
            leafinstruct.score([page], names, settings)
        assert str(raised.value).startswith(fault)
    with pytest.raises(LeafInstructError, match=f"two documents have the id {page.id}"):
        leafinstruct.score([page, page], ["image.side"], roots={"made": tmp_path})
    assert leafinstruct.score([page], ["image.decoded"], roots={"made": tmp_path}).value.tolist() == [0.0]
    assert leafinstruct.score([], ["image.side"]).empty


def test_generate_gives_the_answer_of_the_command(tmp_path):
    backbone = leafinstruct.load_backbone("chameleon", "leaf:tiny-1", device="cpu")
    Image.new("RGB", (64, 64), (250, 250, 245)).save(tmp_path / "p.png")
    prompt = "How do I draw a red house with a blue door?"
    counts: list[tuple[int, int]] = []
    answer = leafinstruct.generate(
        backbone, [Image.open(tmp_path / "p.png"), prompt], max_images=1, max_tokens=220, seed=3,
        on_token=lambda *now: counts.append(now),
    )  # fmt: skip
    options = ("--max-images", "1", "--max-tokens", "220", "--seed", "3", "--device", "cpu")
    where = ("--image", str(tmp_path / "p.png"), "--out", str(tmp_path / "a"))
    done = CliRunner().invoke(app, ["generate", "leaf:tiny-1", prompt, *where, *options])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "a/segments.json").read_text())
    shown = [part.get("text") or part["type"] for part in record["answer"]]
    assert [one if isinstance(one, str) else "image" for one in answer.segments] == shown
    assert (answer.ended, answer.tokens) == (record["ended"], record["tokens"])
    assert list(answer.warnings) == record["warnings"]
    assert len(counts) == answer.tokens
    images = sorted((tmp_path / "a").glob("image-*.png"))
    assert [image.tobytes() for image in answer.images] == [Image.open(path).tobytes() for path in images]
    assert len(images) == 1


def test_the_example_prints_what_is_beside_it(tmp_path, monkeypatch, capsys):
    """The session of examples/look_at_a_run.py. The answer at its end is sampled, so it may differ on another
    processor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(leafinstruct.ingest.reading, "LocalEngine", Here)
    example = Path(leafinstruct.__file__).parent.parent / "examples/look_at_a_run.py"
    session = runpy.run_path(str(example))
    session["main"]()
    shown, expected = capsys.readouterr().out, example.with_suffix(".txt").read_text(encoding="utf-8")
    last = "\nAn answer of the packaged model"
    assert shown.split(last)[0].splitlines() == expected.split(last)[0].splitlines()
    assert shown.splitlines()[-1].endswith(" | [(64, 64)] | end")
