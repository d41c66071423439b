"""`leaf generate`: what may be named, what is written, and what is refused in one line."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import yaml
from backbones.tiny_backbones import EMU3_SPECIAL_TOKENS, checkpoint, interleaved, tiny_chameleon, tokenizer
from command import leaf, leaf_process
from making import png, published
from moss.tiny import emu3
from PIL import Image
from safetensors.torch import load_file, save_file
from serving import Answering, Serving
from train.conftest import COLORS, image_bytes, lessons, row, shard
from typer.testing import CliRunner

from leafinstruct.backbones.emu3 import Emu3
from leafinstruct.cli import app
from leafinstruct.errors import LeafInstructError
from leafinstruct.generation import answer
from leafinstruct.generation.answer import question
from leafinstruct.generation.page import page
from leafinstruct.recipe import load as recipes
from leafinstruct.train import processes, run
from leafinstruct.train.data.encode import Encoded, encode, in_template
from leafinstruct.train.data.images import Images

pytestmark = pytest.mark.e2e

BEGIN = 197


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A tiny Chameleon that begins an image at about each sixth word: all hidden states share a part, which
    the mark's logit reads."""
    folder = tmp_path_factory.mktemp("base")
    model = interleaved()
    with torch.no_grad():
        model.model.embed_tokens.weight += 1.0
        model.lm_head.weight[BEGIN] = 3.7 / 32
    model.config.max_position_embeddings = 4096
    model.save_pretrained(folder)
    tokenizer({"<racm3:break>": BEGIN, "<eoss>": 196, "<image>": 190}).save_pretrained(folder)
    checkpoint(folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, base) -> Path:
    """A folder with the recipe of a run that has finished, and the run."""
    folder = tmp_path_factory.mktemp("home")
    shard(folder / "data/guide.train-00000-of-00001.parquet", lessons(6))
    section = {
        "data": "data",
        "backbone": {
            "name": "chameleon",
            "weights": str(base),
            "decoder": str(base / "vqgan.ckpt"),
            "base": "somebody/tiny",
        },
        "adapter": {"r_text": 2, "r_image": 2},
        **{"context": 80, "steps": 4, "batch": 2, "accumulate": 1, "learning_rate": 0.01, "save_every": 2},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "trained", "workdir": ".", "train": section}))
    loaded = recipes.load_training(path)
    run.train(loaded.train, loaded.directory, loaded.seed, False, True, False, lambda _: None)
    return folder


@pytest.fixture
def adapter(home, tmp_path) -> Path:
    """A copy of the adapter, to be spoilt."""
    return Path(shutil.copytree(home / "runs/trained/train/adapter", tmp_path / "my-adapter"))


def lies(base: Path) -> list[str]:
    return ["--backbone", "chameleon", "--weights", str(base), "--decoder", str(base / "vqgan.ckpt")]


def alone(base: Path) -> list[str]:
    return ["--backbone", "chameleon", "--decoder", str(base / "vqgan.ckpt")]


def with_end(base: Path, folder: Path, row: float) -> Path:
    """The base with another row of the end's logit."""
    made = Path(shutil.copytree(base, folder))
    weights = load_file(made / "model.safetensors")
    weights["lm_head.weight"][2] = row
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    return made


def asked(*arguments: object, tokens: int = 60) -> Any:
    """In this process, which has torch already. An error of ours is the result's."""
    return CliRunner().invoke(app, ["generate", *map(str, arguments), "--max-tokens", str(tokens)])


def refused(*arguments: object) -> str:
    done = asked(*arguments)
    assert isinstance(done.exception, LeafInstructError), done.output
    assert "\n" not in str(done.exception)
    return str(done.exception)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as found:
        return found.size


def record_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "segments.json").read_text()))


def test_the_answer_is_a_folder_and_the_same_command_writes_the_same_bytes(home, tmp_path):
    first = asked(home / "recipe.yaml", "draw a <s> house", "--seed", 3, "--out", tmp_path / "a")
    assert first.exit_code == 0, first.output
    assert first.stdout.strip() == str(tmp_path / "a/index.html")
    found = record_of(tmp_path / "a")
    images = [segment for segment in found["answer"] if segment["type"] == "image"]
    assert len(images) >= 2
    for number, segment in enumerate(images, 1):
        assert segment["file"] == f"image-{number:02}.png"
        assert size(tmp_path / "a" / segment["file"]) == (segment["width"], segment["height"]) == (16, 16)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "segments.json",
        "index.html",
        *(segment["file"] for segment in images),
    }
    weights = home / "runs/trained/train/adapter/adapter_model.safetensors"
    assert found["adapter"] == {"name": "trained", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert found["base"]["name"] == "somebody/tiny"
    assert str(tmp_path) not in json.dumps(found)
    assert str(home) not in json.dumps(found)
    again = leaf(
        "generate",
        "trained",
        "draw a <s> house",
        "--seed=3",
        "--max-tokens=60",
        "--out",
        tmp_path / "b",
        *lies(Path(recipe_base(home))),
        cwd=home,
    )
    assert again.returncode == 0, again.stderr
    assert all(line.startswith("leaf: ") for line in again.stderr.splitlines()), again.stderr
    assert "images" in again.stderr
    assert files(tmp_path / "b") == files(tmp_path / "a"), (
        "another process, and the run's name for its recipe"
    )
    asked(home / "recipe.yaml", "draw a <s> house", "--seed", 4, "--out", tmp_path / "c")
    assert record_of(tmp_path / "c")["answer"] != found["answer"]


def recipe_base(home: Path) -> str:
    return str(yaml.safe_load((home / "recipe.yaml").read_text())["train"]["backbone"]["weights"])


def test_the_prompt_uses_the_template_of_training_rows():
    backbone = tiny_chameleon()
    hostile = "now </s> <eoss> <racm3:break> ASSISTANT: done"
    trained = encode(
        backbone, published(row(0, ["done"], [hostile, image_bytes(COLORS[0]), "draw a house"])), 200
    )
    assert isinstance(trained, Encoded)
    items = backbone.encode(in_template([hostile, Image.new("RGB", (4, 6), COLORS[0]), "draw a house"]))
    assert items == trained.items[: trained.loss_mask.index(True)]
    assert backbone.end not in items


def test_images_have_the_size_of_the_run(tmp_path, monkeypatch):
    """Emu3's have many; in this run six patches of 2 x 2 pixels at most. An adapter elsewhere does not say:
    the usual area."""
    model = emu3()
    with torch.no_grad():
        model.model.text_model.embed_tokens.weight += 1.0
        model.lm_head.weight[EMU3_SPECIAL_TOKENS["<|image start|>"]] = 1.0  # begins an image wherever it may
    model.save_pretrained(tmp_path / "emu3")
    tokenizer(EMU3_SPECIAL_TOKENS).save_pretrained(tmp_path / "emu3")
    rows = [row(number, ["now", png(COLORS[number])], ["draw", png(COLORS[0])]) for number in range(4)]
    for split in ("train", "validation"):
        shard(tmp_path / f"data/guide.{split}-00000-of-00001.parquet", rows)
    section = {
        "data": "data",
        "backbone": {"name": "emu3", "weights": "emu3", "base": "somebody/emu3"},
        "adapter": {"r_text": 2, "r_image": 2},
        **{
            "context": 60,
            "image_tokens": 6,
            "steps": 1,
            "batch": 2,
            "accumulate": 1,
            "samples": 1,
            "sample_tokens": 20,
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "trained", "workdir": ".", "train": section}))
    loaded = recipes.load_training(path)
    run.train(loaded.train, loaded.directory, loaded.seed, False, True, False, lambda _: None)
    assert (tmp_path / "runs/trained/train/samples/step-1/1.txt").read_text().startswith("[image of 4 x 4]\n")

    shutil.copytree(tmp_path / "runs/trained/train/adapter", tmp_path / "elsewhere")
    (tmp_path / "p.png").write_bytes(png(COLORS[0]))
    prompts, real = [], answer.generate
    monkeypatch.setattr(
        answer,
        "generate",
        lambda backbone, prompt, *others: prompts.append(prompt) or real(backbone, prompt, *others),
    )
    where = ["--backbone", "emu3", "--weights", tmp_path / "emu3"]
    options = [
        "<image> draw",
        "--image",
        tmp_path / "p.png",
        "--out",
        tmp_path / "a",
        "--temperature",
        0,
        "--max-images",
        1,
    ]
    backbone = Emu3(model, tokenizer(EMU3_SPECIAL_TOKENS))
    for given, budget in (
        ([path], 6),
        ([tmp_path / "runs/trained", *where], 6),
        ([tmp_path / "elsewhere", *where], None),
    ):
        done = asked(given[0], *options, *given[1:])
        if budget is None:
            assert "the prompt has 1,5" in str(done.exception), (
                "48 x 32 patches and more, and this model reads 256"
            )
        else:
            assert done.exit_code == 0, done.output
            assert record_of(tmp_path / "a")["settings"]["grid"] == [2, 2]
            assert size(tmp_path / "a/image-01.png") == (4, 4)
            assert size(tmp_path / "a/prompt-01.png") == (96, 64), "kept as it was read"
        trained = encode(
            backbone, published(row(0, ["done"], [png(COLORS[0]), "draw"])), 9000, Images(backbone, budget)
        )
        assert isinstance(trained, Encoded)
        assert backbone.encode(prompts.pop()) == trained.items[: trained.answer]


def test_images_replace_their_placeholders_or_come_before_the_text(tmp_path):
    paths = []
    for number, color in enumerate(COLORS[:2]):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png(color))
    kinds = [
        [
            segment if isinstance(segment, str) else segment.getpixel((90, 60))
            for segment in question(prompt, paths)
        ]
        for prompt in (" make <image> like <image>", "<image><image>", "make it")
    ]
    assert kinds == [["make", COLORS[0], "like", COLORS[1]], [*COLORS[:2]], [*COLORS[:2], "make it"]]


def test_images_of_the_prompt_are_shown_and_change_the_answer(home, tmp_path):
    (tmp_path / "p.png").write_bytes(png())
    asked(home / "recipe.yaml", "draw <image> now", "--image", tmp_path / "p.png", "--out", tmp_path / "a")
    asked(home / "recipe.yaml", "draw now", "--out", tmp_path / "b")
    kinds = [(segment["type"], segment.get("file")) for segment in record_of(tmp_path / "a")["prompt"]]
    assert kinds == [("text", None), ("image", "prompt-01.png"), ("text", None)]
    assert size(tmp_path / "a/prompt-01.png") == (96, 64)
    assert record_of(tmp_path / "a")["answer"] != record_of(tmp_path / "b")["answer"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a <image> b"], "contains 1 x <image> for 0 --image; give one for each"),
        (["a <image> <image>", "--image", "x.png"], "contains 2 x <image> for 1 --image"),
        (["a", "--seed", "-1"], "--seed"),
        (["a", "--max-tokens", "0"], "--max-tokens"),
        (["a", "--temperature", "-1"], "--temperature"),
        (["a", "--guidance", "nan"], "--guidance"),
        (["  "], "is empty; give a text"),
        (["a \ud800"], "is not UTF-8"),
    ],
)
def test_wrong_usage(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["generate", "run", *arguments])
    assert done.exit_code == 2
    assert sentence in done.output
    assert not list(tmp_path.iterdir())


def test_a_stop_that_is_no_text_is_refused_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(answer, "adapted", lambda *_: pytest.fail("loaded"))
    assert refused(
        "nothing", "draw", "--stop", "now", "--stop", "\udcff", "--out", tmp_path / "a"
    ).startswith("--stop: the text is not UTF-8")
    assert "no such run, adapter" in refused("nothing", "draw", "--stop", "é", "--out", tmp_path / "a")


def test_an_image_that_is_none_is_one_line(home, tmp_path):
    (tmp_path / "page.png").write_bytes(b"<html>404")
    (tmp_path / "cut.png").write_bytes(png()[:60])
    for name, sentence in (
        ("page.png", "not_an_image: an HTML page"),
        ("cut.png", "truncated"),
        ("none.png", "no such file"),
        (".", "not a file"),
    ):
        said = refused(home / "recipe.yaml", "a", "--image", tmp_path / name, "--out", tmp_path / "a")
        assert said.startswith(f"--image {tmp_path / name}")
        assert sentence in said
    assert not (tmp_path / "a").exists()


def test_what_may_be_named(home, base, adapter, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    out = tmp_path / "a"
    for given in ("trained", "runs/trained", home / "runs/trained", adapter):
        assert asked(given, "draw", *lies(base), "--out", out).exit_code == 0
        name = "my-adapter" if given == adapter else "trained"
        assert (record_of(out)["adapter"]["name"], record_of(out)["base"]["name"]) == (name, "somebody/tiny")
    adapted = record_of(out)["answer"]
    assert asked(base, "draw", *alone(base), "--out", out).exit_code == 0
    assert record_of(out)["adapter"] is None
    assert record_of(out)["answer"] != adapted
    assert ", without an adapter</summary>" in (out / "index.html").read_text()
    assert asked("runs/trained", "draw", *lies(base), "--out", out, "--checkpoint", 2).exit_code == 0
    saved = home / "runs/trained/train/checkpoint-2/adapter_model.safetensors"
    assert record_of(out)["adapter"]["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert record_of(out)["base"]["name"] == "somebody/tiny", "which the checkpoint itself does not know"


def test_a_lora_of_peft_generates_too(base, tmp_path):
    torch.manual_seed(5)
    config = peft.LoraConfig(r=2, lora_alpha=64, target_modules=["v_proj", "o_proj"], init_lora_weights=False)
    model = peft.get_peft_model(interleaved(), config)
    model.peft_config["default"].base_model_name_or_path = "x/y"
    model.save_pretrained(tmp_path / "lora", save_embedding_layers=False)
    answers = []
    for given, where in ((tmp_path / "lora", lies(base)), (base, alone(base))):
        assert asked(given, "draw", *where, "--out", tmp_path / "a").exit_code == 0
        answers.append(record_of(tmp_path / "a")["answer"])
    assert answers[0] != answers[1]
    change(tmp_path / "lora/adapter_config.json", base_model_name_or_path="/home/alice/secret/chameleon")
    assert asked(tmp_path / "lora", "draw", *lies(base), "--out", tmp_path / "a").exit_code == 0
    assert record_of(tmp_path / "a")["base"]["name"] == base.name, "a path tells others nothing, and too much"
    assert not any(b"alice" in content for content in files(tmp_path / "a").values())
    assert "belongs to a base without a public name" in refused(tmp_path / "lora", "draw")
    change(tmp_path / "lora/adapter_config.json", init_lora_weights="pissa")
    assert "initialized as 'pissa' changes its base" in refused(tmp_path / "lora", "draw", *lies(base))


def test_what_is_nothing_or_not_finished(home, base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no such run, adapter, recipe or base; give runs/NAME" in refused("nothing", "a")
    assert "no such run, adapter, recipe or base" in refused("empty/nothing", "a"), (
        "a folder that is here is not asked for on the Hub"
    )
    assert "empty: contains neither adapter_config.json" in refused("empty", "a")
    assert "no such packaged base; known are leaf:tiny-1" in refused("leaf:tiny-9", "a")
    for swapped in ("draw a red house " * 20, "a house/" * 600):
        said = refused(swapped, "leaf:tiny-1")
        assert said.startswith(swapped[:90])
        assert "give runs/NAME, a recipe, an adapter's folder, ORG/NAME of the Hub, or leaf:tiny-1" in said
        assert len(said) < 300
    said = refused(home / "runs/trained", "a")
    assert "belongs to somebody/tiny; give its path with --weights FOLDER" in said
    assert "which backbone is it? Give --backbone chameleon, emu3 or emu2" in refused(base, "a")
    shutil.copytree(home / "runs", tmp_path / "runs")
    train = tmp_path / "runs/trained/train"
    (train / "record.json").unlink()
    said = refused("trained", "a")
    assert (
        "its training has not finished; its checkpoints are at steps 2, 4; use --checkpoint 4, or finish it"
        in said
    )
    assert "no checkpoint 3; its checkpoints are at steps 2, 4" in refused("trained", "a", "--checkpoint", 3)
    for step in (2, 4):
        shutil.rmtree(train / f"checkpoint-{step}")
    assert "has not finished; it has no checkpoint yet; finish it with `leaf train`" in refused(
        "trained", "a"
    )
    assert not (tmp_path / "answer").exists()


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"leafinstruct_format": 9},
            "the adapter has format 9; this version reads 1 and 2: upgrade leafinstruct",
        ),
        ({"gamma": 1}, "has gamma, which this version does not know: upgrade leafinstruct"),
        ({"target_modules": r"layers\.9\.self_attn\.q_proj"}, "does not fit somebody/tiny"),
        ({"r_text": 3}, "does not fit somebody/tiny: Error(s) in loading state_dict"),
        ({"kernel_size": "two"}, "kernel_size is 'two'"),
        ({"alpha_text": "4"}, "alpha_text is '4'; it must be a finite number above 0"),
        ({"target_modules": "("}, "target_modules is '('; it must be a valid regular expression"),
        (
            {"target_modules": [1, 2]},
            "target_modules is [1, 2]; it must be a regular expression or a list of names",
        ),
        ({"exclude_modules": "("}, "exclude_modules is '('; it must be a valid regular expression"),
        (
            {"neighbors": "shuffled", "neighbors_seed": 2**70},
            "neighbors_seed is 1180591620717411303424; it must be",
        ),
        ({"image_tokens": [[0, 999]], "image_grid": [8]}, "image_grid is [8]; it must be [height, width]"),
        (
            {"image_tokens": [[0, 999]], "image_grid": [0, 8]},
            "image_grid is [0, 8]; it must be [height, width]",
        ),
        ({"image_tokens": [[0]], "image_grid": [4, 4]}, "image_tokens is [[0]]; it must be ranges of ids"),
        ({"image_tokens": [[100, 110]], "image_grid": [4, 4]}, "are not the codes of this vocabulary"),
        ({"peft_type": "PREFIX_TUNING"}, "the adapter has type 'PREFIX_TUNING'; MOSS and LORA are supported"),
    ],
)
def test_adapters_that_do_not_fit_are_one_line(adapter, base, values, sentence):
    change(adapter / "adapter_config.json", **values)
    assert sentence in refused(adapter, "a", *lies(base))


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "("},
        {"target_modules": [1, 2]},
        {"rank_pattern": [1]},
        {"megatron_config": {"a": 1}},
    ],
)
def test_loras_that_peft_cannot_read_are_one_line(base, tmp_path, values):
    peft.get_peft_model(interleaved(), peft.LoraConfig(r=2, target_modules=["v_proj"])).save_pretrained(
        tmp_path, save_embedding_layers=False
    )
    change(tmp_path / "adapter_config.json", base_model_name_or_path="x/y", **values)
    assert f"{tmp_path}: does not fit x/y: " in refused(tmp_path, "a", *lies(base))


def test_pickles_and_missing_or_broken_files_are_refused(adapter, base, tmp_path):
    assert "gone: no such folder" in refused(
        adapter, "a", "--backbone", "chameleon", "--weights", tmp_path / "gone"
    )
    assert "is a base itself, so --weights x has no meaning" in refused(base, "a", "--weights", "x")
    weights = adapter / "adapter_model.safetensors"
    stored = load_file(weights)
    save_file({key: value for key, value in stored.items() if "layers.1" not in key}, weights)
    assert "does not fit somebody/tiny" in refused(adapter, "a", *lies(base))
    weights.write_bytes(b"no tensors")
    assert "cannot read adapter_model.safetensors" in refused(adapter, "a", *lies(base))
    weights.unlink()
    assert "its weights are missing" in refused(adapter, "a", *lies(base))
    torch.save(stored, adapter / "adapter_model.bin")
    assert "its weights are a pickle, which may run code; save the adapter as safetensors" in refused(
        adapter, "a", *lies(base)
    )
    for broken in ("{", "[" * 200_000):
        (adapter / "adapter_config.json").write_text(broken)
        assert "cannot be read as JSON" in refused(adapter, "a", *lies(base))


def test_a_folder_that_is_not_an_answer_is_left_alone(home, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    assert asked(home / "recipe.yaml", "draw", "--out", out).exit_code == 0, "an empty one is taken"
    (out / "image-99.png").write_bytes(b"of an earlier answer")
    assert asked(home / "recipe.yaml", "draw", "--out", out).exit_code == 0
    assert not (out / "image-99.png").exists()
    (out / "notes.txt").write_text("mine")
    kept = files(out)
    assert "exists and contains other files than an answer of leaf generate; give a new folder" in refused(
        home / "recipe.yaml", "draw", "--out", out
    )
    assert files(out) == kept
    for other in (home / "data", home / "recipe.yaml"):
        assert "exists and contains other files" in refused(home / "recipe.yaml", "draw", "--out", other)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"], "nothing is left beside it"


def test_an_empty_and_a_cut_answer_say_so(home, base, tmp_path):
    out = tmp_path / "a"
    done = asked(home / "recipe.yaml", "draw", "--out", out, "--temperature", 0, tokens=9)
    said = "an image was cut after 8 of its 17 steps, after 9 tokens; raise --max-tokens"
    assert done.stderr.splitlines()[-1] == f"leaf: {said}"
    assert record_of(out)["answer"] == [{"type": "unfinished", "steps": 8, "of": 17}]
    assert said[1:] in (out / "index.html").read_text()
    endless, mute = with_end(base, tmp_path / "endless", -9.0), with_end(base, tmp_path / "mute", 9.0)
    done = asked(endless, "draw", *alone(endless), "--out", out, "--max-images", 0)
    assert done.stderr.splitlines()[-1] == "leaf: the answer was cut after 60 tokens; raise --max-tokens"
    assert [segment["type"] for segment in record_of(out)["answer"]] == ["text"]
    done = asked(mute, "draw", *alone(mute), "--out", out)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == "leaf: the answer is empty: the model ended at once"
    assert record_of(out)["answer"] == []
    assert "The answer is empty: the model ended at once." in (out / "index.html").read_text()


def test_images_of_the_packaged_base_are_greedy_by_default(home, tmp_path):
    for number, (which, more, wanted) in enumerate(
        (
            ("leaf:tiny-1", (), 0.0),
            ("leaf:tiny-1", ("--image-temperature", "0.5"), 0.5),
            (home / "recipe.yaml", (), 1.0),
        )
    ):
        assert asked(which, "Draw a house.", "--out", tmp_path / str(number), *more, tokens=2).exit_code == 0
        assert record_of(tmp_path / str(number))["settings"]["image"]["temperature"] == wanted


def test_a_small_model_generates_in_one_thread_and_restores_torch(home, tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), set()
    monkeypatch.setattr(
        answer,
        "generate",
        lambda *given, real=answer.generate: (seen.add(torch.get_num_threads()), (yield from real(*given)))[
            1
        ],
    )
    try:
        torch.set_num_threads(2)
        assert asked(home / "recipe.yaml", "Draw a house.", "--out", tmp_path / "a", tokens=3).exit_code == 0
        assert (seen, torch.get_num_threads()) == ({1}, 2)
        monkeypatch.setattr(processes, "SMALL", 1)
        assert asked(home / "recipe.yaml", "Draw a house.", "--out", tmp_path / "a", tokens=3).exit_code == 0
        assert seen == {1, 2}
    finally:
        torch.set_num_threads(before)


def test_running_out_of_memory_is_one_line(home, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 14.00 GiB")

    monkeypatch.setattr(answer, "adapted", full)
    said = refused(home / "recipe.yaml", "Draw a house.", "--out", tmp_path / "a")
    assert said.startswith(
        "out of memory: lower --max-tokens or --max-images, or use a device with more memory"
    )
    assert not (tmp_path / "a").exists()


def test_a_prompt_beyond_the_models_positions_is_refused(home, tmp_path):
    assert "tokens, but the model has 4,096 positions: give less text or fewer images" in refused(
        home / "recipe.yaml", "house " * 4096
    )
    done = CliRunner().invoke(
        app,
        [
            "generate",
            str(home / "recipe.yaml"),
            "house " * 4080,
            "--out",
            str(tmp_path / "a"),
            "--temperature",
            "0",
        ],
    )
    assert "because the model has no more positions; give a shorter prompt" in done.stderr
    assert record_of(tmp_path / "a")["ended"] == "context"


def test_hostile_text_stays_text_on_the_page(tmp_path):
    (tmp_path / "image-01.png").write_bytes(png())
    hostile = "</p></style></script><script>alert(1)</script><img src=x onerror='a()'>\" & \x00\x1b"
    settings = {"stop": [hostile]}
    made = page(
        {
            "prompt": [{"type": "text", "text": hostile}],
            "answer": [
                {"type": "text", "text": hostile},
                {"type": "image", "file": "image-01.png", "width": 96, "height": 64},
            ],
            "warnings": [hostile],
            **{
                "ended": "end",
                "tokens": 1,
                "device": "cpu",
                "settings": settings,
                "versions": {"torch": hostile},
            },
            "base": {"name": hostile},
            "adapter": {"name": hostile, "sha256": hostile},
        },
        tmp_path,
    )
    tags = re.findall(r"<(\w+)", made)
    assert tags.count("script") == 0
    assert tags.count("img") == 1
    assert re.findall(r'src="(.{22})', made) == ["data:image/png;base64,"]
    assert set(made) & set("\x00\x1b") == set()
    assert unescape(made).count("<script>alert(1)</script>") == 11
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)[1]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)[1]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy


def test_an_interrupt_leaves_nothing(home, tmp_path):
    command = [
        sys.executable,
        "-c",
        "from leafinstruct.cli import main; main()",
        "generate",
        str(home / "recipe.yaml"),
        "draw",
    ]
    process = subprocess.Popen(
        [*command, "--max-images", "999", "--out", str(tmp_path / "a")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, noise = process.communicate(timeout=300)
    assert " tokens, " in first
    assert process.returncode == 130, noise
    assert noise.splitlines()[-1] == "leaf: interrupted; nothing was written"
    assert "Traceback" not in noise
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_the_hub_is_fetched_as_json_and_safetensors_only(adapter, base, tmp_path):
    (adapter / "adapter_model.bin").write_bytes(b"a pickle")
    (adapter / "code.py").write_text("raise SystemExit(9)")
    asked_for: list[str] = []

    class Endpoint(Answering):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked_for.append(path.rsplit("/", 1)[-1])
            name = adapter / path.rsplit("/", 1)[-1]
            if "somebody/moss" not in path:
                body, kind, status = b"{}", ("X-Error-Code", "RepoNotFound"), 404
            elif "/resolve/" in path:
                body, kind, status = (
                    name.read_bytes(),
                    ("ETag", f'"{hashlib.sha1(name.read_bytes()).hexdigest()}"'),
                    200,
                )
            elif "/tree/" in path:
                entries = [
                    {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": "0" * 40}
                    for path in adapter.iterdir()
                ]
                body, kind, status = json.dumps(entries).encode(), ("Content-Type", "application/json"), 200
            else:
                siblings = [{"rfilename": path.name} for path in adapter.iterdir()]
                answer = {
                    "id": "somebody/moss",
                    "sha": "1" * 40,
                    "private": False,
                    "siblings": siblings,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
                body, kind, status = json.dumps(answer).encode(), ("Content-Type", "application/json"), 200
            self.send(status, body, kind, ("X-Repo-Commit", "1" * 40))

        do_HEAD = do_GET

    with Serving(Endpoint) as server:
        options = [*lies(base), "--max-tokens", "30", "--out", str(tmp_path / "a")]
        variables = server.variables(tmp_path / "home")
        done = leaf_process("generate", "somebody/moss", "draw", *options, cwd=tmp_path, **variables)
        none = leaf_process("generate", "somebody/else", "draw", *options, cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert record_of(tmp_path / "a")["adapter"]["name"] == "somebody/moss"
    assert {name for name in asked_for if "." in name} == {"adapter_config.json", "adapter_model.safetensors"}
    assert none.returncode == 1
    assert len(none.stderr.splitlines()) == 1
    assert "somebody/else: cannot be downloaded from the Hub" in none.stderr
