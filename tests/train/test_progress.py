"""What is seen of a run while it learns: losses of each modality and image, validation, samples, the log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from backbones.tiny_backbones import tiny_chameleon, tiny_emu2, tiny_emu3
from moss.exact import close
from PIL import Image
from torch.nn.functional import cross_entropy
from train.conftest import COLORS, image_bytes, row, shard
from train.test_train import train, trained

from leafinstruct.errors import LeafInstructError, TrainError
from leafinstruct.train.samples import Sample, sheet
from leafinstruct.train.tally import IMAGES, Tally, ordinals

pytestmark = pytest.mark.e2e


def lines(root: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (root / "runs/trained/train/log.jsonl").read_text().splitlines()]


def held_out(root: Path, count: int = 5) -> None:
    answers = [
        [
            "now the door",
            image_bytes(COLORS[n % 4]),
            "then it is done",
            image_bytes(COLORS[(n + 1) % 4]),
            "done",
        ]
        for n in range(count)
    ]
    rows = [
        row(100 + number, answer, ["draw a red house", image_bytes(COLORS[2])])
        for number, answer in enumerate(answers)
    ]
    shard(root / "runs/demo/shard/guide.validation-00000-of-00001.parquet", rows)


def test_images_are_counted_within_each_answer():
    begin, end = 9, 2
    said = torch.tensor(
        [
            [-100, 5, 9, 6, 6, 7, 9, 6, 2, -100, -100, 9, 6, 9, 6, end],
            [9, 6, 6, 9, 6, -100, -100, 6, 9, 6, 2] + [-100] * 5,
        ]
    )
    assert ordinals(said, begin).tolist() == [
        [0, 0, 1, 1, 1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 0, 0, 0, 1, 1, 1] + [0] * 5,
    ]


@pytest.mark.parametrize("make", [tiny_chameleon, tiny_emu3, tiny_emu2])
def test_means_are_those_of_the_items_and_the_normalizer_is_that_of_the_loss(make):
    backbone = make()
    segments = [
        "now",
        *[Image.new("RGB", (6, 6), COLORS[number % 4]) for number in range(IMAGES + 2)],
        "done",
    ]
    inputs = backbone.inputs([*backbone.encode(segments), backbone.end])
    labels = inputs["input_ids"].clone()
    labels[:, :2] = -100
    with torch.no_grad():
        losses = backbone.losses(inputs, labels)
        logits = backbone.model(**inputs, use_cache=False).logits[:, :-1].float()
    which = losses.text | losses.image if make is not tiny_emu2 else losses.text
    close(losses.norm.double(), (logits.logsumexp(-1) * which).double(), torch.float32)
    plain = cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
    close(losses.value[which].double(), plain[which].double(), torch.float32)
    tally = Tally()
    tally.add(losses, labels, backbone.image_layout(None).begin)
    tally.add(losses, labels, backbone.image_layout(None).begin, weight=0.0)
    means = tally.means(lambda sums: sums, torch.device("cpu"))
    each = int(losses.image.sum()) // (IMAGES + 2)
    values = losses.value[losses.image].split(each)
    wanted = {f"image_loss_{number}": float(values[number - 1].mean()) for number in range(1, IMAGES)}
    wanted[f"image_loss_{IMAGES}"] = float(torch.cat(values[IMAGES - 1 :]).mean())
    wanted |= {
        "text_loss": float(losses.value[losses.text].mean()),
        "image_loss": float(losses.value[losses.image].mean()),
    }
    wanted["z"] = float(losses.norm[which].square().mean())
    assert means == pytest.approx(wanted, rel=1e-4)
    assert tally.means(lambda sums: sums, torch.device("cpu")) == {}


def test_validation_and_samples_change_nothing_of_what_is_learnt(recipe, tmp_path):
    told = train(recipe(context=160, evaluate_every=0))
    assert not any("validation" in line for line in told)
    wanted = trained(tmp_path)
    held_out(tmp_path)
    told = train(
        recipe(context=160, evaluate_every=4, evaluate_rows=3, samples=2, sample_tokens=60), rebuild=True
    )
    assert "validation: 3 of 5 rows, every 4 steps and at the end" in told
    assert all(torch.equal(value, wanted[name]) for name, value in trained(tmp_path).items())
    evaluated = [line for line in lines(tmp_path) if "eval_loss" in line]
    assert [line["step"] for line in evaluated] == [4, 6]
    assert {
        "eval_text_loss",
        "eval_image_loss",
        "eval_image_loss_1",
        "eval_image_loss_2",
        "eval_z",
    } <= evaluated[0].keys()
    assert "eval_image_loss_3" not in evaluated[0]
    assert evaluated[0]["eval_loss"] == pytest.approx(
        evaluated[0]["eval_text_loss"] + evaluated[0]["eval_image_loss"], rel=1e-4
    )
    assert sum("validation:" in line and "image loss 2 " in line for line in told) == 2
    sheets = sorted((tmp_path / "runs/trained/train/samples").rglob("*.png"))
    assert [path.relative_to(tmp_path / "runs/trained/train/samples").as_posix() for path in sheets] == [
        "step-4/1.png",
        "step-4/2.png",
        "step-6/1.png",
        "step-6/2.png",
    ]
    with Image.open(sheets[0]) as found:
        pixels = found.convert("RGB")
        assert pixels.width == 1000
        seen = {color for _, color in pixels.getcolors(1 << 20)}
    assert {COLORS[0], COLORS[1], COLORS[2]} <= seen, "what was asked, and the dataset's answer"
    assert sheets[0].with_suffix(".txt").read_text().strip()


def test_a_log_continues_from_the_checkpoint(recipe, tmp_path):
    held_out(tmp_path)
    path = recipe(context=160, evaluate_every=3, samples=0, steps=5)
    folder = tmp_path / "runs/trained/train"
    train(path)
    whole, wanted = lines(tmp_path), trained(tmp_path)
    pace = ("tokens_per_second", "images_per_second", "waiting")
    assert all(
        line["tokens_per_second"] > 0 and 0 <= line["waiting"] <= 1 for line in whole if "loss" in line
    )
    shutil.rmtree(folder / "adapter")
    shutil.rmtree(folder / "checkpoint-5")
    (folder / "record.json").unlink()
    shutil.copytree(folder / "checkpoint-4", folder / "checkpoint-9")
    (folder / "checkpoint-9/trainer_state.json").write_text('{"global_st')  # killed as it was written
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 5, "loss"')
    told = train(path)
    assert "continuing from checkpoint-4" in told
    assert not (folder / "checkpoint-9").exists()
    again = lines(tmp_path)
    steps = [(line["step"], "eval_loss" in line) for line in again]
    assert steps == [(1, False), (2, False), (3, False), (3, True), (4, False), (5, False), (5, True)]
    for old, new in zip(whole, again, strict=True):
        assert {name: value for name, value in new.items() if name not in pace} == {
            name: value for name, value in old.items() if name not in pace
        }
    assert all(torch.equal(value, wanted[name]) for name, value in trained(tmp_path).items())


def test_z_loss_makes_the_normalizer_small(recipe, tmp_path):
    found = {}
    for weight in (0.0, 0.1):
        train(recipe(steps=12, z_loss=weight, evaluate_every=0), rebuild=True)
        found[weight] = lines(tmp_path)
    assert found[0.1][0]["z"] == pytest.approx(found[0.0][0]["z"])
    assert found[0.1][-1]["z"] < found[0.0][-1]["z"]
    first = found[0.1][0]
    assert first["loss"] == pytest.approx(
        first["text_loss"] + first["image_loss"] + 0.1 * first["z"], rel=1e-3
    )


def test_without_a_validation_split_one_line_says_so(recipe):
    told = train(recipe(steps=1))
    (line,) = [line for line in told if line.startswith("no validation: train.data run:demo: no shard ")]
    assert line.endswith(
        "/runs/demo/shard/*.validation-*.parquet; with shard.splits of the recipe demo it has no rows"
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_and_gradients_that_are_no_numbers(recipe, tmp_path, precision):
    train(recipe(steps=2, precision=precision, evaluate_every=0))
    assert all(value.dtype == torch.float32 for value in trained(tmp_path).values())
    path = recipe(steps=4, precision=precision, evaluate_every=0, text_loss=1e30, save_every=1)
    with pytest.raises(
        TrainError,
        match=r"^the norm of the gradients is (inf|nan) at step 1; earlier checkpoints are kept. Lower",
    ):
        train(path, rebuild=True)
    assert not list((tmp_path / "runs/trained/train").glob("checkpoint-*"))


def test_a_damaged_or_strange_checkpoint_without_sums_is_one_line(recipe, tmp_path):
    """Of an earlier version, which recorded no sha256."""
    path = recipe(steps=4, evaluate_every=0)
    train(path)
    folder = tmp_path / "runs/trained/train"
    (folder / "record.json").unlink()
    for recorded in folder.glob("checkpoint-*/sums.json"):
        recorded.unlink()
    weights = folder / "checkpoint-4/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(
        TrainError,
        match=r"checkpoint-4/adapter_model\.safetensors: cannot be read: .*; remove checkpoint-4 to continue",
    ):
        train(path)
    shutil.rmtree(folder / "checkpoint-4")
    from safetensors.torch import load_file, save_file

    weights = folder / "checkpoint-2/adapter_model.safetensors"
    save_file({name: value[:1].clone() for name, value in load_file(weights).items()}, weights)
    with pytest.raises(
        TrainError, match=r"belongs to another adapter or backbone: [0-9]+ weights differ, first .*expected"
    ):
        train(path)


def test_a_tokenizer_of_another_vocabulary_and_a_backbone_without_images(recipe, chameleon_folder, tmp_path):
    other = shutil.copytree(chameleon_folder, tmp_path / "other")
    stored = json.loads((other / "tokenizer.json").read_text())
    stored["model"]["vocab"]["draw"] = 5000
    (other / "tokenizer.json").write_text(json.dumps(stored))
    backbone = {"name": "chameleon", "weights": str(other), "decoder": str(other / "vqgan.ckpt")}
    with pytest.raises(
        LeafInstructError, match="the tokenizer gives id 5,000, but the model's vocabulary has 200"
    ):
        train(recipe(backbone=backbone))
    config = json.loads((other / "config.json").read_text())
    config["vocabulary_map"] = {
        name: number for name, number in config["vocabulary_map"].items() if not name.startswith("IMGIMG")
    }
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(LeafInstructError) as caught:
        train(recipe(backbone=backbone))
    assert "\n" not in str(caught.value)
    assert "the vocabulary has no ids for image codes, so this backbone only reads and writes text" in str(
        caught.value
    )


@pytest.mark.parametrize("base", ["/home/me/anole", "../models/anole", "a/b/c"])
def test_a_base_is_a_name_and_no_path(recipe, base, chameleon_folder):
    path = recipe()
    section = yaml.safe_load(path.read_text())
    section["train"]["backbone"]["base"] = base
    path.write_text(yaml.safe_dump(section))
    with pytest.raises(LeafInstructError, match=r"train\.backbone\.base: "):
        train(path)


def test_a_sheet_wraps_its_text_and_marks_what_was_cut():
    long = "word " * 80 + "x" * 400
    sample = Sample("r1", [long, Image.new("RGB", (900, 300), COLORS[0])], [], ["short"])
    found = sheet(sample, ["[an image was cut: 3 of 17 tokens]", Image.new("RGB", (8, 8), COLORS[1])], 1200)
    assert found.width == 1000
    ink = [x for x in range(986, 1000) if any(min(found.getpixel((x, y))) < 200 for y in range(found.height))]
    assert not ink, "nothing runs into the margin"
    colors = {color for _, color in found.getcolors(1 << 20)}
    assert {COLORS[0], COLORS[1]} <= colors
