"""The main job through its public doors: what is built, what is kept, what a moved setting costs, what
another number of workers changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import leaf_process as leaf
from making import InlineEngine, build, mmc4, png, recipe, rows, shard_sums

from leafinstruct.records import table

STEPS = (
    "First, draw a red wall on the green grass of the meadow.",
    "Then add a brown roof on top of the red wall.",
    "Finally, paint a blue door in it.",
)


def pages(count: int, start: int = 0) -> dict[str, list[tuple[str, bytes | None]]]:
    """Documents that differ in words and images, on twelve hosts."""
    return {
        f"https://host{number % 12}.example/{number}": [
            (
                f"{step} Number {number}.{' It is an odd one.' * (number % 2)}",
                png((40 + number % 200, 20 * index, 90), dot=2 * index + 1),
            )
            for index, step in enumerate(STEPS)
        ]
        for number in range(start, start + count)
    }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A recipe over own MMC4 pages, with the toy CLIP allowed."""
    mmc4(tmp_path / "data", pages(24))
    return recipe(
        tmp_path,
        part_size=8,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={
            "min_words": 10,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "rules": [{"score": "text.links", "max": 5}, {"score": "duplicate.text", "max": 0}],
        },
    )


@pytest.fixture(scope="module")
def sketch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of a small Sketchbook, made by the command."""
    folder = tmp_path_factory.mktemp("sketch")
    assert leaf("init", folder / "my").returncode == 0
    done = leaf("build", "--workers", "2", cwd=folder / "my")
    assert done.returncode == 0, done.stderr
    return folder / "my"


@pytest.mark.slow
def test_init_writes_a_recipe_that_runs_as_it_is(sketch):
    assert {path.name for path in sketch.iterdir()} >= {"recipe.yaml", "prompts", "data_cards", "runs"}
    status = json.loads(leaf("status", "--json", cwd=sketch).stdout)
    stages = {entry["stage"]: entry for entry in status["stages"]}
    assert [entry["state"] for entry in status["stages"]] == ["done"] * 4
    assert stages["ingest"]["counts"]["documents"] == 152  # two of them videos
    assert stages["shard"]["counts"]["rows"] == stages["filter"]["counts"]["kept"] > 75
    again = leaf("init", sketch)
    assert again.returncode == 1
    assert "exists and is not empty" in again.stderr


def test_run_again_it_does_nothing_and_loads_nothing_heavy(sketch, monkeypatch):
    before = shard_sums(sketch / "runs/my-dataset/shard")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = leaf("build", cwd=sketch)
    assert done.returncode == 0
    loaded = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "leafinstruct.pipeline" in loaded
    assert not {"torch", "clip", "transformers", "datasets", "openai", "aiohttp"} & loaded
    assert "nothing to do: runs/my-dataset is up to date" in done.stderr
    assert shard_sums(sketch / "runs/my-dataset/shard") == before


def test_shards_open_with_datasets_and_images_are_decoded(sketch):
    from datasets import Image, load_dataset

    files = [str(path) for path in sorted((sketch / "runs/my-dataset/shard").glob("*.train-*.parquet"))]
    data = load_dataset("parquet", data_files=files, split="train", cache_dir=str(sketch / "cache"))
    assert data.features["images"].feature == Image()
    mixed = 0
    for row in data:
        shown = [part for turn in row["messages"] for part in turn["content"] if part["type"] == "image"]
        assert len(shown) == len(row["images"]) == len(row["image_info"])
        assert [info["width"] for info in row["image_info"]] == [image.width for image in row["images"]]
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
        mixed += any(part["type"] == "image" for part in row["messages"][1]["content"])
        assert row["provenance"]["recipe"] == "my-dataset@dev"
        assert row["license"] == "CC0-1.0"
    assert mixed == len(data) > 50


TEMPLATE = (
    "{% for turn in messages %}{{ turn['role'] }}: {% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %} {% endfor %}{% endfor %}"
)


def test_trls_vision_collator_encodes_the_rows_as_they_are(sketch):
    """A LLaVA processor of four patches an image, made here: no weights are needed to see whether every image
    finds its place."""
    from leafinstruct.filter.embedders.clip import load_clip

    load_clip()  # transformers imports torchvision, which wants the same hint on a CPU build
    from datasets import load_dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1, "<image>": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", additional_special_tokens=["<image>"]
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
        num_additional_image_tokens=0,
    )
    shards = sketch / "runs/my-dataset/shard"
    for task in ("guide", "continuation", "next_step"):
        data = load_dataset(
            "parquet",
            data_files=str(shards / f"{task}.train-*.parquet"),
            split="train",
            cache_dir=str(sketch / "cache"),
        )
        rows_ = [data[0], data[1], data[2]]
        batch = DataCollatorForVisionLanguageModeling(processor)(rows_)
        assert batch["pixel_values"].shape == (sum(len(row["images"]) for row in rows_), 3, 32, 32)
        assert (batch["input_ids"] == 2).sum(dim=1).tolist() == [4 * len(row["images"]) for row in rows_]


def test_the_card_reports_what_was_done(sketch):
    import yaml

    text = (sketch / "runs/my-dataset/shard/README.md").read_text(encoding="utf-8")
    counts = json.loads((sketch / "runs/my-dataset/shard/record.json").read_text())["counts"]
    assert f"{counts['rows']:,} interleaved" in text
    assert "offline-rules@4" in text
    assert "`alignment.own`" in text
    head = yaml.safe_load(text.split("---")[1])
    shards = sketch / "runs/my-dataset/shard"
    for configuration in head["configs"]:
        for split in configuration["data_files"]:
            assert list(shards.glob(split["path"]))
    assert {configuration["config_name"] for configuration in head["configs"]} == {
        "default",
        *(shards_.name.partition(".")[0] for shards_ in shards.glob("*.parquet")),
    }


def test_explain_shows_kept_and_dropped(sketch):
    run = sketch / "runs/my-dataset"
    row = rows(run / "shard")[0]
    reported = leaf("explain", row["id"], cwd=sketch).stdout
    assert f"document {row['document_id']}" in reported
    assert "filter: kept" in reported
    assert f"example {row['id']}" in reported
    assert "shard: " in reported
    dropped = next(
        item for path in sorted((run / "filter").rglob("dropped-*.parquet")) for item in table.read(path)
    )
    story = json.loads(leaf("explain", dropped["id"], "--json", cwd=sketch).stdout)
    assert [match["document"] for match in story["matches"]] == [dropped["id"]]
    assert story["record"]["fate"] == "dropped_by_filter"
    assert story["record"]["filter"]["verdict"] == "dropped"
    assert story["record"]["filter"]["drops"][0]["rule"] == dropped["drops"][0]["rule"]
    assert story["record"]["examples"] == []
    missing = leaf("explain", "0123456789abcdef", cwd=sketch)
    assert missing.returncode == 1
    assert "has this id" in missing.stderr


def test_stage_runs_up_to_and_including(own):
    build(own, until="filter")
    run = own.parent / "runs/t"
    assert (run / "filter/record.json").exists()
    assert not (run / "rewrite").exists()


@pytest.mark.slow
def test_workers_do_not_change_a_byte(tmp_path):
    sums = []
    for workers in ("1", "3"):
        folder = tmp_path / workers
        leaf("init", folder)
        done = leaf(
            "build",
            "--workers",
            workers,
            "--set",
            "ingest.sources[0].documents=50",
            "--set",
            "part_size=10",
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        sums.append(shard_sums(folder / "runs/my-dataset/shard"))
    assert sums[0] == sums[1]


def test_a_moved_threshold_reads_no_image_and_calls_no_model(own):
    first = InlineEngine()
    build(own, engine=first)
    assert first.total("looking", "images_read") == first.total("looking", "images_embedded") == 72
    tight = InlineEngine()
    rule = "filter.rules[2]={score: alignment.own, min: -1, uncalibrated: true}"
    build(own, rule, engine=tight)
    build(own, rule, "filter.rules[0].max=3", engine=tight)
    assert tight.total("looking", "documents") == 48  # both looked again, at intermediate files
    assert tight.total("looking", "images_read") == 0
    assert tight.total("looking", "images_embedded") == 0


def test_images_of_documents_that_text_rules_dropped_are_never_read(tmp_path):
    spam = {
        f"https://spam.example/{number}": [
            (f"Visit https://a{number}.shop and http://b.shop now now", png(dot=number))
        ]
        * 3
        for number in range(5)
    }
    mmc4(tmp_path / "data", {**pages(5), **spam})
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 5,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "rules": [{"score": "text.links", "max": 2}],
        },
    )
    engine = InlineEngine()
    build(path, engine=engine)
    assert engine.total("looking", "images_read") == 15
    read = [
        row["ref"]
        for file in (tmp_path / "runs/t/filter").rglob("images-*.parquet")
        for row in table.read(file)
    ]
    assert len(read) == 15
    loose = InlineEngine()
    build(path, "filter.rules[0].max=1000", "filter.min_words=1", engine=loose)
    assert loose.total("looking", "images_read") == 15  # only those that came back to life, each once
    assert loose.total("looking", "images_embedded") == 5  # the same five images stand three times each


def apart(count: int, start: int = 0) -> dict[str, list[tuple[str, bytes | None]]]:
    """Pages that are no near-duplicates: a new one would change what is known of others."""
    names = ("basalt", "flint", "marble", "slate", "chalk", "quartz")
    return {
        url: [
            (
                f"{text} {' '.join(f'{name}{number}{at}' for name in names)}.",
                png((9 * at, number, 90), dot=number),
            )
            for at, (text, _) in enumerate(steps)
        ]
        for number, (url, steps) in enumerate(pages(count, start).items(), start=start)
    }


def test_an_added_document_changes_its_part_and_one_shard(own):
    mmc4(own.parent / "data", apart(24))
    build(own, "shard.splits={train: 1}", "rewrite.tasks=[guide]", "shard.max_bytes=2000")
    run = own.parent / "runs/t"
    before = shard_sums(run / "shard")
    reports = {path: path.stat().st_mtime_ns for path in (run / "filter").rglob("report-*.json")}
    mmc4(own.parent / "data", apart(1, start=100), name="more.jsonl")
    engine = InlineEngine()
    build(own, "shard.splits={train: 1}", "rewrite.tasks=[guide]", "shard.max_bytes=2000", engine=engine)
    assert (
        len(engine.reports["reading"])
        == len(engine.reports["judging"])
        == len(engine.reports["deciding"])
        == len(engine.reports["rewriting"])
        == 1
    )
    assert {path: path.stat().st_mtime_ns for path in reports} == reports
    after = shard_sums(run / "shard")
    assert len(before) > 2
    assert sum(after[name] != before.get(name) for name in after) == 1


def test_a_changed_file_rebuilds_its_parts_and_a_removed_one_takes_its_documents_along(own):
    mmc4(own.parent / "data", pages(4, start=50), name="b.jsonl")
    build(own)
    assert len(rows(own.parent / "runs/t/shard")) == 28
    (own.parent / "data/b.jsonl").unlink()
    engine = InlineEngine()
    build(own, engine=engine)
    assert engine.reports.get("reading", []) == []
    assert len(rows(own.parent / "runs/t/shard")) == 24


@pytest.mark.slow
def test_a_named_version_refuses_to_change_and_names_the_change(own):
    build(own, "version=v1")
    done = leaf("build", own, "--set", "version=v1", "--set", "filter.min_words=11")
    assert done.returncode == 1
    assert "filter.min_words 10 -> 11" in done.stderr
    assert "--rebuild" in done.stderr
    assert (
        leaf("build", own, "--set", "version=v1", "--set", "filter.min_words=11", "--rebuild").returncode == 0
    )


def test_a_limit_is_a_run_of_its_own(own):
    build(own, limit=5)
    run = own.parent / "runs/t-limit5"
    assert json.loads((run / "ingest/record.json").read_text())["counts"]["documents"] == 5
    assert not (own.parent / "runs/t").exists()


def test_dry_run_makes_nothing_and_marks_what_it_estimates(own):
    llm = "llm={provider: openai, base_url: 'http://localhost:9/v1', model: m}"
    offline = json.loads(leaf("build", own, "--dry-run", "--json").stdout)
    assert (offline["documents"], offline["images"], offline["requests"]) == (24, 72, 0)
    assert "documents" in offline["estimated"]
    text = leaf("build", own, "--dry-run", "--set", llm).stdout
    assert "price unknown" in text
    priced = (
        "llm={provider: openai, base_url: 'http://localhost:9/v1', model: m, price: "
        "{input_per_million: 1000000, output_per_million: 0}}"
    )
    found = json.loads(leaf("build", own, "--dry-run", "--json", "--set", priced).stdout)
    # 24 of the judge, 24 to write and 24 to examine; half of the examples go back once
    assert (found["requests"], found["at_most"]["requests"]) == (24 + 48 + 24, 24 + 48 + 48)
    assert found["dollars"] == pytest.approx(found["input_tokens"], abs=1)
    assert found["input_tokens"] > 48 * 50
    assert not (own.parent / "runs").exists()
    build(own)
    exact = json.loads(leaf("build", own, "--dry-run", "--json").stdout)
    assert "documents" not in exact["estimated"]


def test_text_that_looks_like_a_placeholder_or_a_control_token_stays_text(tmp_path):
    odd = (
        "Then press <image> and <|image start|> <racm3:break> <|endoftext|> on the wall of the house, "
        "please do."
    )
    content = {
        url: [steps[0], (f"{odd} {url[-2:]}", steps[1][1]), steps[2]] for url, steps in pages(6).items()
    }
    mmc4(tmp_path / "data", content)
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True}},
    )
    build(path)
    found = rows(tmp_path / "runs/t/shard")
    assert len(found) == 6
    for row in found:
        parts = [part for turn in row["messages"] for part in turn["content"]]
        assert sum(part["type"] == "image" for part in parts) == len(row["images"]) == 3
        assert any(odd in (part["text"] or "") for part in parts)


def test_the_toy_is_named_in_every_row_and_on_the_card(own):
    build(own)
    folder = own.parent / "runs/t/shard"
    for row in rows(folder):
        models = {item["name"]: item["identity"] for item in row["provenance"]["models"]}
        assert "toy" in models["alignment"]
    assert "**Toy scores.**" in (folder / "README.md").read_text(encoding="utf-8")


def _kill_and_rerun(folder: Path, pauses: list[float]) -> dict[str, str]:
    """Start a build, kill -9 it after each pause, then let it finish."""
    settings = ["--workers", "2", "--set", "part_size=20", "--set", "ingest.sources[0].documents=60"]
    command = [sys.executable, "-c", "from leafinstruct.cli import main; main()", "build", *settings]
    for pause in pauses:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.kill()
        process.wait()
    done = leaf("build", *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    return shard_sums(folder / "runs/my-dataset/shard")


@pytest.mark.slow
def test_killed_twice_and_run_again_it_gives_the_same_shards(tmp_path):
    sums = []
    for name, pauses in (("straight", []), ("killed", [1.2, 4.0])):
        leaf("init", tmp_path / name)
        sums.append(_kill_and_rerun(tmp_path / name, pauses))
    assert sums[0] == sums[1]


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_gives_the_same_shards(tmp_path):
    from random import Random

    random = Random(7)
    leaf("init", tmp_path / "straight")
    wanted = _kill_and_rerun(tmp_path / "straight", [])
    for attempt in range(10):
        leaf("init", tmp_path / "killed")
        assert _kill_and_rerun(tmp_path / "killed", [random.uniform(0.3, 12)]) == wanted, f"attempt {attempt}"
        shutil.rmtree(tmp_path / "killed")
