"""A run that was interrupted goes on as if it had not been, whatever may be changed meanwhile; what may not
stops it, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from train.conftest import lessons, row, shard
from train.test_progress import held_out, lines
from train.test_train import trained

from leafinstruct.errors import DriftError, RecipeError, SourceError, TrainError
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train import run

pytestmark = pytest.mark.e2e

PACE = ("tokens_per_second", "images_per_second", "waiting")


class StoppedError(Exception):
    """By the test."""


def train(path: Path, until: str = "", rebuild: bool = False) -> list[str]:
    """As of test_train, stopped behind the line that begins so."""
    loaded, told = recipes.load_training(path), list[str]()

    def log(line: str) -> None:
        told.append(line)
        if until and line.startswith(until):
            raise StoppedError

    if until:
        with pytest.raises(StoppedError):
            run.train(loaded.train, loaded.directory, loaded.seed, rebuild, False, False, log)
    else:
        run.train(loaded.train, loaded.directory, loaded.seed, rebuild, False, False, log)
    return told


def steps(told: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in told if line.startswith("step ") and "validation" not in line]


def without_pace(root: Path) -> list[dict[str, float]]:
    return [{name: value for name, value in line.items() if name not in PACE} for line in lines(root)]


def test_the_curve_is_that_of_an_uninterrupted_run_wherever_lines_and_checkpoints_fall(recipe, tmp_path):
    """A line is a mean since the last one, so there is one at each checkpoint."""
    path = recipe(steps=8, save_every=5, log_every=4)
    assert steps(train(path)) == [4, 5, 8]
    whole, wanted = without_pace(tmp_path), trained(tmp_path)
    shutil.rmtree(tmp_path / "runs/trained")
    path = recipe(steps=8, save_every=5, log_every=2)
    assert steps(train(path, until="step 6 ")) == [2, 4, 5, 6]
    path = recipe(steps=8, save_every=5, log_every=4)
    told = train(path)
    assert "continuing from checkpoint-5" in told
    assert steps(told) == [8], "as often as is said now, not as before"
    assert without_pace(tmp_path)[-1] == whole[-1]
    assert all(torch.equal(value, wanted[name]) for name, value in trained(tmp_path).items())


def test_what_teaches_nothing_may_change_meanwhile(recipe, tmp_path):
    held_out(tmp_path)
    given: dict[str, Any] = {"context": 160, "steps": 6, "samples": 0}
    train(recipe(**given, evaluate_every=0))
    wanted = trained(tmp_path)
    shutil.rmtree(tmp_path / "runs/trained")
    train(recipe(**given, evaluate_every=0), until="step 3 ")
    shutil.move(tmp_path / "runs/demo/shard", tmp_path / "moved")
    data = str(tmp_path / "moved")
    told = train(recipe(**given, data=data, evaluate_every=1, save_every=1, gradient_checkpointing=True))
    assert "continuing from checkpoint-2" in told
    assert [line.split(":")[0] for line in told if "validation: " in line and line.startswith("step")] == [
        f"step {step} of 6, validation" for step in (3, 4, 5, 6)
    ]
    assert {path.name for path in (tmp_path / "runs/trained/train").glob("checkpoint-*")} == {
        "checkpoint-5",
        "checkpoint-6",
    }
    for name, value in trained(tmp_path).items():
        torch.testing.assert_close(value, wanted[name], atol=1e-6, rtol=1e-5)


def test_other_weights_of_the_same_size_are_another_base(recipe, tmp_path, chameleon_folder):
    other = shutil.copytree(chameleon_folder, tmp_path / "other")
    backbone = {
        "name": "chameleon",
        "weights": str(other),
        "decoder": str(other / "vqgan.ckpt"),
        "base": "tiny",
    }
    (other / "README.md").write_text("a card")
    (other / ".cache").mkdir()
    (other / ".cache/state").write_text("of a download")
    train(recipe(), until="step 3 ")
    assert "continuing from checkpoint-2" in train(recipe(backbone=backbone), until="step 4 ")
    weights = load_file(other / "model.safetensors")
    save_file(
        {name: value + 0.5 for name, value in weights.items()}, other / "model.safetensors", {"format": "pt"}
    )
    assert (other / "model.safetensors").stat().st_size == (
        chameleon_folder / "model.safetensors"
    ).stat().st_size
    with pytest.raises(DriftError, match=r"was begun with other settings: .*weights"):
        train(recipe(backbone=backbone))


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(recipe, tmp_path):
    train(recipe(), until="step 5 ")
    path = tmp_path / "runs/trained/train/checkpoint-4/adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # a weight: safetensors notices nothing
    path.write_bytes(data)
    told = train(recipe())
    assert (
        "removing checkpoint-4, which is damaged: adapter_model.safetensors: its sha256 is not the "
        "recorded one"
    ) in told
    assert "continuing from checkpoint-2" in told


def test_a_checkpoint_that_lacks_a_part_is_not_gone_on_from_silently(recipe, tmp_path):
    """One of an earlier version, which states no sha256."""
    train(recipe(), until="step 5 ")
    folder = tmp_path / "runs/trained/train/checkpoint-4"
    (folder / "sums.json").unlink()
    (folder / "optimizer.pt").write_bytes((folder / "optimizer.pt").read_bytes()[:200])
    with pytest.raises(
        TrainError,
        match=(
            r"optimizer\.pt: cannot be read: .*; remove checkpoint-4 to continue from the checkpoint "
            r"before it$"
        ),
    ):
        train(recipe())
    shutil.rmtree(folder)
    assert "continuing from checkpoint-2" in train(recipe())


def test_a_damaged_adapter_is_saved_again_to_the_byte(recipe, tmp_path):
    train(recipe())
    path = tmp_path / "runs/trained/train/adapter/adapter_model.safetensors"
    before = path.read_bytes()
    path.write_bytes(bytes([*before[:-5], before[-5] ^ 1, *before[-4:]]))
    assert (
        "adapter/adapter_model.safetensors: its sha256 is not the recorded one; the adapter is saved "
        "again from "
        "the last checkpoint"
    ) in train(recipe())
    assert path.read_bytes() == before
    assert "nothing to do: all 6 steps are done" in train(recipe())


def test_folders_that_are_named_like_checkpoints_stay(recipe, tmp_path):
    train(recipe(), until="step 3 ")
    folder = tmp_path / "runs/trained/train"
    mine = folder / "checkpoint-200-adapter"
    mine.mkdir()
    (mine / "adapter_model.safetensors").write_bytes(b"mine")
    (folder / "checkpoint-notes.txt").write_text("mine, too")
    assert "continuing from checkpoint-2" in train(recipe())
    assert (mine / "adapter_model.safetensors").read_bytes() == b"mine"
    assert (folder / "checkpoint-notes.txt").exists()


def test_rebuild_forgets_nothing_while_the_data_cannot_be_used(recipe, tmp_path):
    train(recipe())
    folder = tmp_path / "runs/trained/train"
    adapter = folder / "adapter/adapter_model.safetensors"
    before = adapter.read_bytes()
    file = tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet"
    shard(file, [row(0, ["now", b"no image"])])
    with pytest.raises(SourceError, match="no row is usable"):
        train(recipe(), rebuild=True)
    assert adapter.read_bytes() == before
    assert (folder / "record.json").exists()
    shard(file, lessons(12))
    train(recipe(), rebuild=True)
    (folder / "old").mkdir()
    tokens = Artifact(folder / "tokens").file("tokens", "guide.train-00000-of-00001", ".arrow")
    written = tokens.stat().st_mtime_ns
    assert steps(train(recipe(learning_rate=0.02), rebuild=True)) == [1, 2, 3, 4, 5, 6]
    assert adapter.read_bytes() != before
    assert not (folder / "old").exists()
    assert tokens.stat().st_mtime_ns == written, "rows that stand are not encoded again"


def test_a_loss_that_becomes_no_number_leaves_the_checkpoints_before_it(recipe, tmp_path, monkeypatch):
    from leafinstruct.train.trainer import InterleavedTrainer

    check = InterleavedTrainer._check
    monkeypatch.setattr(
        InterleavedTrainer,
        "_check",
        lambda self, number, what: check(
            self, number * (torch.nan if self.state.global_step == 4 else 1), what
        ),
    )
    with pytest.raises(
        TrainError,
        match=(
            r"^the loss is nan at step 5; earlier checkpoints are kept\. Lower train\.learning_rate, and "
            r"give"
        ),
    ):
        train(recipe())
    kept = sorted(path.name for path in (tmp_path / "runs/trained/train").glob("checkpoint-*"))
    assert kept == ["checkpoint-2", "checkpoint-4"]
    assert all(
        torch.isfinite(value).all()
        for value in load_file(
            tmp_path / "runs/trained/train/checkpoint-4/adapter_model.safetensors"
        ).values()
    )


def test_out_of_memory_leaves_the_checkpoints_and_its_hint_goes_on_from_them(recipe, tmp_path, monkeypatch):
    from leafinstruct.train.trainer import InterleavedTrainer

    learn = InterleavedTrainer.compute_loss

    def full(self, *given, **more):
        if self.state.global_step == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return learn(self, *given, **more)

    monkeypatch.setattr(InterleavedTrainer, "compute_loss", full)
    with pytest.raises(TrainError, match=r"^out of memory: set train\.gradient_checkpointing: true and run"):
        train(recipe())
    monkeypatch.undo()
    assert "continuing from checkpoint-4" in train(recipe(gradient_checkpointing=True))
    with pytest.raises(DriftError, match=r"train\.context 80 -> 70; --rebuild starts over"):
        train(recipe(context=70))


def test_rows_stay_where_a_shard_of_a_like_name_goes(recipe, tmp_path):
    shards = tmp_path / "runs/demo/shard"
    path = recipe()
    for name, count in (("image-edit", 5), ("edit", 4)):
        shard(shards / f"{name}.train-00000-of-00001.parquet", lessons(count))
    assert any(line.startswith("21 rows ") for line in train(path))
    (shards / "edit.train-00000-of-00001.parquet").unlink()
    assert any(line.startswith("17 rows ") for line in train(path, rebuild=True))
    parts = json.loads((tmp_path / "runs/trained/train/record.json").read_text())["fingerprint"]["rows"]
    assert len(parts) == 2


@pytest.mark.parametrize("seed", [-1, 1 << 33])
def test_a_seed_that_no_generator_takes_is_refused_at_once(recipe, seed):
    path = recipe()
    path.write_text(path.read_text() + f"seed: {seed}\n")
    with pytest.raises(RecipeError, match=r"seed: input should be (greater|less) than"):
        train(path)
