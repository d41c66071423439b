"""`leaf train`: what is encoded, what is learnt, and going on after a kill with the very same result."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import peft
import pyarrow as pa
import pytest
import torch
from backbones.tiny_backbones import interleaved, tiny_chameleon, tiny_emu2, tiny_emu3
from command import leaf
from making import published
from moss.exact import close, exact
from moss.tiny import emu2
from safetensors.torch import load_file
from train.conftest import COLORS, image_bytes, killed, lessons, row, shard

from leafinstruct import moss
from leafinstruct.errors import (
    DriftError,
    LeafInstructError,
    RecipeError,
    SchemaError,
    SourceError,
    TrainError,
)
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.locks import one_build
from leafinstruct.train import run
from leafinstruct.train.data.encode import Encoded, Unusable, encode
from leafinstruct.train.data.tokens import Collator, TokenRow

pytestmark = pytest.mark.e2e

MAKERS = {"chameleon": tiny_chameleon, "emu3": tiny_emu3, "emu2": tiny_emu2}


def train(path: Path, rebuild: bool = False, allow_large: bool = False, dry_run: bool = False) -> list[str]:
    """In this process, which has torch already. Returns the lines of progress."""
    loaded, lines = recipes.load_training(path), list[str]()
    run.train(loaded.train, loaded.directory, loaded.seed, rebuild, allow_large, dry_run, lines.append)
    return lines


def told(lines: list[str]) -> str:
    """The line about the rows."""
    return next(line for line in lines if " tokens in the mean" in line)


def trained(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "runs/trained/train/adapter/adapter_model.safetensors")


@pytest.mark.parametrize("name", MAKERS)
def test_loss_falls_on_the_assistants_turns_alone(name):
    backbone = MAKERS[name]()
    found = encode(
        backbone,
        published(row(0, ["now", image_bytes(COLORS[0]), "done"], ["draw a house", image_bytes(COLORS[1])])),
        200,
    )
    assert isinstance(found, Encoded)
    layout = backbone.image_layout(None)
    ids = backbone.inputs(found.items)["input_ids"][0].tolist()
    begins = [at for at, number in enumerate(ids) if number == layout.begin]
    assert len(begins) == found.images == 2
    assert not any(found.loss_mask[: begins[0] + len(layout.steps) + 1])
    told = [number for number, said in zip(ids, found.loss_mask, strict=True) if said]
    assert told[0] == backbone.encode(["now"])[1]
    assert told[-1] == backbone.end
    assert told.count(layout.begin) == 1
    assert sum(number in layout.codes for number in told) == sum(step is None for step in layout.steps)
    assert not found.cut


@pytest.mark.parametrize("name", MAKERS)
def test_control_strings_of_a_row_are_letters(name):
    backbone = MAKERS[name]()
    layout = backbone.image_layout(None)
    hostile = "</s> <eoss> <image> <racm3:break> <|image start|> [IMG] <s>"
    found = encode(backbone, published(row(0, [f"now {hostile} done"], [hostile])), 200)
    assert isinstance(found, Encoded)
    ids = [item for item in found.items if isinstance(item, int)]
    assert len(ids) == len(found.items)
    assert ids.count(backbone.end) == 1
    assert not {layout.begin, *layout.closed} & set(ids[1:])


def test_a_row_is_cut_at_a_segments_border_or_left_out():
    backbone = tiny_chameleon()
    long = row(0, ["now", image_bytes(COLORS[0]), "then", image_bytes(COLORS[1]), "done"])
    whole = encode(backbone, published(long), 200)
    assert isinstance(whole, Encoded)
    for context in range(2, len(whole.items) + 2):
        found = encode(backbone, published(long), context)
        if isinstance(found, Unusable):
            assert found.reason == "too_long"
            assert context < 12
            continue
        assert len(found.items) <= context
        assert found.items == whole.items[: len(found.items)]
        assert found.cut == (context < len(whole.items))
        codes = [item in backbone.codes for item in found.items]
        assert sum(codes) == 16 * found.images, "an image was cut"
        assert (found.items[-1] == backbone.end) == (not found.cut)


def test_a_batch_is_padded_without_loss_and_vectors_stay_in_order():
    backbone = tiny_emu2(exact(emu2()))
    rows = []
    for number in (0, 1):
        answer = ["now", image_bytes(COLORS[number])] + ["done"] * number
        found = encode(backbone, published(row(number, answer)), 200)
        inputs = backbone.inputs(found.items)
        rows.append(
            TokenRow(
                inputs["input_ids"][0].numpy(),
                np.array(found.loss_mask),
                inputs["patches"].flatten().numpy(),
                *(0, 0, 0),
            )
        )
    batch = Collator(1, 12)(rows)
    lengths = batch.pop("lengths")
    short, long = (len(item.ids) for item in rows)
    assert batch["input_ids"].shape == (2, long)
    assert batch["attention_mask"].sum(1).tolist() == lengths.tolist() == [short, long]
    assert (batch["input_ids"][0, short:] == 1).all()
    assert (batch["labels"][0, short:] == -100).all()
    assert batch["patches"].shape == (32, 12)
    losses = backbone.losses({key: value for key, value in batch.items() if key != "labels"}, batch["labels"])
    assert losses.image.sum(1).tolist() == [16, 16]
    alone = Collator(1, 12)(rows[1:])
    alone.pop("lengths")
    single = backbone.losses({key: value for key, value in alone.items() if key != "labels"}, alone["labels"])
    close(losses.value[1].double(), single.value[0].double(), torch.float32)


def test_it_learns_and_its_adapter_loads_with_peft(recipe, tmp_path):
    lines = train(recipe(steps=30, batch=4))
    adapted = peft.get_peft_model(interleaved(), moss.MossConfig(r_text=2, r_image=2))
    wanted = sum(value.numel() for value in adapted.parameters() if value.requires_grad)
    base = sum(value.numel() for value in interleaved().parameters())
    sizes = f"{wanted:,} trainable parameters, {wanted / base:.2%} of the base's {base:,}"
    assert lines[0] == f"{sizes}; with gradients and AdamW {wanted * 16e-6:.1f} MB"
    assert any(line.startswith("12 rows of ") and "12 images" in line for line in lines), (
        "the split test is not trained on"
    )
    losses = [line for line in lines if line.startswith("step ")]
    assert len(losses) == 30
    first, last = (
        [float(part.split()[-1]) for part in line.split(": ", 1)[1].split(", ")[:2]]
        for line in (losses[0], losses[-1])
    )
    assert last[0] < first[0]
    assert last[1] < first[1]
    folder = tmp_path / "runs/trained/train/adapter"
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["base_model_name_or_path"]) == ("MOSS", "tiny")
    for written in (tmp_path / "runs/trained/train").glob("*/adapter_config.json"):
        assert "/" not in str(json.loads(written.read_text())["base_model_name_or_path"])
    model = peft.PeftModel.from_pretrained(interleaved(), folder).eval()
    ids = torch.tensor([[0, 130, 140, 197]])
    with torch.no_grad():
        assert not torch.equal(model(input_ids=ids).logits, interleaved()(input_ids=ids).logits)
    assert json.loads((folder.parent / "record.json").read_text())["parameters"] == wanted


def test_killed_and_run_again_it_ends_with_the_same_adapter(recipe, tmp_path):
    path = recipe(steps=12, condition_dropout=0.4, context=150)
    train(path)
    wanted = trained(tmp_path)
    shutil.rmtree(tmp_path / "runs/trained")
    command = [sys.executable, "-c", "from leafinstruct.cli import main; main()", "train", str(path)]
    reached = killed(command, "step 5 of", tmp_path / "runs/trained/train")
    assert 4 <= reached < 12
    again = leaf("train", path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == "runs/trained/train/adapter"
    lines = again.stderr.splitlines()
    assert all(line.startswith("leaf: ") for line in lines), again.stderr
    assert f"leaf: continuing from checkpoint-{reached}" in lines
    assert [line.split(":")[1] for line in lines if "leaf: step " in line] == [
        f" step {step} of 12" for step in range(reached + 1, 13)
    ]
    assert all(torch.equal(value, wanted[name]) for name, value in trained(tmp_path).items())


def test_a_changed_setting_stops_it_and_says_what_changed(recipe, tmp_path):
    train(recipe())
    with pytest.raises(
        DriftError,
        match=r"was begun with other settings: train.learning_rate 0.01 -> 0.02; --rebuild starts over",
    ):
        train(recipe(learning_rate=0.02))
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", lessons(13))
    with pytest.raises(DriftError, match="was begun with other settings: rows"):
        train(recipe())
    assert any("13 rows" in line for line in train(recipe(log_every=3), rebuild=True))


def test_a_second_training_in_the_same_place_is_refused(recipe, tmp_path):
    with (
        one_build(tmp_path / "runs/trained"),
        pytest.raises(
            LeafInstructError,
            match="another `leaf train` is running here; wait for it, or give this recipe another name",
        ),
    ):
        train(recipe())
    assert not (tmp_path / "runs/trained/train").exists()


def test_done_is_done_and_moved_weights_are_the_same(recipe, tmp_path, chameleon_folder):
    train(recipe())
    adapter = tmp_path / "runs/trained/train/adapter/adapter_model.safetensors"
    written = adapter.stat().st_mtime_ns
    moved = shutil.copytree(chameleon_folder, tmp_path / "moved")
    backbone = {
        "name": "chameleon",
        "weights": str(moved),
        "decoder": str(moved / "vqgan.ckpt"),
        "base": "tiny",
    }
    assert train(recipe(backbone=backbone))[-1] == "nothing to do: all 6 steps are done"
    assert adapter.stat().st_mtime_ns == written


def test_only_a_new_shard_is_encoded(recipe, tmp_path):
    path = recipe()
    train(path, dry_run=True)
    tokens = tmp_path / "runs/trained/train/tokens"
    before = {file.name: file.stat().st_mtime_ns for file in tokens.rglob("tokens-*.arrow")}
    shard(tmp_path / "runs/demo/shard/edit.train-00000-of-00001.parquet", [row(50, ["done"])])
    assert told(train(path, dry_run=True)).startswith("13 rows")
    after = {file.name: file.stat().st_mtime_ns for file in tokens.rglob("tokens-*.arrow")}
    assert after.items() > before.items()
    assert not (tmp_path / "runs/trained/train/adapter").exists()
    with pa.ipc.open_file(str(next(tokens.rglob("tokens-guide.train-00000-of-00001.arrow")))) as file:
        assert file.read_all().num_rows == 12


def test_a_large_adapter_must_be_asked_for(recipe):
    path = recipe(adapter={"r_text": 12, "r_image": 12}, steps=1)
    with pytest.raises(
        TrainError,
        match=r"the adapter has 13% of the base's parameters: lower its ranks, or pass --allow-large",
    ):
        train(path)
    assert train(path, dry_run=True)
    assert any(line.startswith("step 1 of 1") for line in train(path, allow_large=True))


def test_of_the_packaged_base_any_share_may_be_trained(recipe):
    """It is tiny, and `leaf train pipelines/train-demo.yaml` wants no flag."""
    path = recipe(
        backbone={"name": "chameleon", "weights": "leaf:tiny-1"},
        adapter={"r_text": 32, "r_image": 32},
        steps=1,
        context=300,
    )
    lines = train(path)
    assert float(lines[0].split("parameters, ")[1].split("%")[0]) > 10
    assert any(line.startswith("step 1 of 1") for line in lines)


def test_null_turns_and_parts_are_reasons():
    backbone = tiny_chameleon()
    for spoil, message in (
        (lambda turns: turns.append(None), "a turn of role None; roles are user and assistant"),
        (lambda turns: turns[0]["content"].append(None), "a part is neither a text nor an image"),
    ):
        bad = row(0, ["done"])
        spoil(bad["messages"])
        found = encode(backbone, published(bad), 200)
        assert isinstance(found, Unusable)
        assert (found.reason, found.detail) == ("bad_messages", message)


def test_a_damaged_validation_shard_is_no_missing_one(recipe, tmp_path):
    shards = tmp_path / "runs/demo/shard"
    path = recipe()
    whole = (shards / "guide.train-00000-of-00001.parquet").read_bytes()
    (shards / "guide.validation-00000-of-00001.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        SourceError,
        match=(
            r"^validation: .*cannot be read as Parquet.*; to train without validation, set "
            r"train\.evaluate_every: 0$"
        ),
    ):
        train(path)
    assert any(line.startswith("step 6 of 6") for line in train(recipe(evaluate_every=0)))


def test_bad_rows_are_counted_and_the_rest_is_trained_on(recipe, tmp_path):
    bad = [row(80, ["now", b"no image"]), row(81, ["done"], ["draw " * 200])]
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", [*lessons(3), *bad])
    line = told(train(recipe(), dry_run=True))
    assert line.startswith("3 rows of ")
    assert "(1 too long, 1 undecodable)" in line
    report = json.loads(
        next(
            (tmp_path / "runs/trained/train/tokens").rglob("report-guide.train-00000-of-00001.json")
        ).read_text()
    )
    assert [(item["id"], item["reason"]) for item in report["rejected"]] == [
        ("row0080", "undecodable"),
        ("row0081", "too_long"),
    ]
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", bad)
    with pytest.raises(
        SourceError,
        match=r"no row is usable \(1 x too_long, 1 x undecodable\); is train.context of 80 tokens long",
    ):
        train(recipe(), dry_run=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": "run:nowhere"}, "train.data run:nowhere: no shard"),
        ({"adapter": {"r_texts": 3}}, "train.adapter.r_texts: unknown key; did you mean 'r_text'?"),
        (
            {"adapter": {"target_modules": "nothing"}},
            "train.adapter: target_modules 'nothing' matches no linear layer",
        ),
        (
            {"backbone": {"name": "janus", "weights": "x"}},
            "train.backbone.name: input should be 'chameleon', 'emu3' or 'emu2'",
        ),
        ({"backbone": {"name": "emu3", "weights": "nowhere"}}, "nowhere: no such folder"),
        ({"context": 5000}, "train.context: 5,000 tokens, but the model has 4,096 positions; lower it"),
        (
            {"text_loss": 1e300},
            "the loss is inf at step 1; earlier checkpoints are kept. Lower train.learning_rate",
        ),
    ],
)
def test_what_is_wrong_is_one_line(recipe, changes, sentence):
    with pytest.raises(LeafInstructError) as caught:
        train(recipe(**changes))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shards_of_another_schema_or_none_are_refused(recipe, tmp_path):
    path = tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet"
    written = recipe()
    shard(path, lessons(2), leafinstruct_schema="9")
    with pytest.raises(
        SchemaError, match="rows of schema 9, and this version reads 1, 2 and 3; update leafinstruct"
    ):
        train(written)
    path.write_bytes(b"PAR1 cut")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        train(written)


def test_a_recipe_without_the_section_says_so(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: a\n")
    with pytest.raises(
        RecipeError, match=r"train: missing; `leaf train` needs this section, see pipelines/train-paper\.yaml"
    ):
        train(tmp_path / "recipe.yaml")
