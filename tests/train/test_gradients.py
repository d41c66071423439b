"""The gradient of a step does not depend on how its rows are cut into passes and processes, and the logged
losses neither."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from train.conftest import COLORS, image_bytes, row, shard
from train.stepping import CUTS, WEIGHTS, backbone_of, rows_of, steps
from train.test_packing import MAKERS, collator
from train.test_train import train

from leafinstruct.errors import TrainError
from leafinstruct.train.trainer import InterleavedTrainer

pytestmark = pytest.mark.e2e

MEANS = ("text_loss", "image_loss", "z", "loss", *(f"image_loss_{number}" for number in range(1, 9)))


def by_hand(name, backbone, rows):
    """One pass over all rows; means of its tokens, weighted."""
    batch = collator(name)(rows)
    labels, _ = batch.pop("labels"), batch.pop("lengths")
    losses = backbone.losses(batch, labels)
    ids = losses.text if name == "emu2" else losses.text | losses.image
    means = {
        "text": losses.value[losses.text].mean(),
        "image": losses.value[losses.image].mean(),
        "z": losses.norm[ids].square().mean(),
    }
    total = sum(WEIGHTS[key] * value for key, value in means.items() if torch.isfinite(value))
    weights = {key: value for key, value in backbone.model.named_parameters() if value.requires_grad}
    gradients = torch.autograd.grad(total, list(weights.values()))
    return dict(zip(weights, (value.double() for value in gradients), strict=True)), {
        key if key in ("loss", "z") else f"{key}_loss": float(value.detach())
        for key, value in {**means, "loss": total}.items()
    }


def check_same(found, wanted, tolerance=1e-5):
    """As vectors: of all weights, of the text half, of the image half."""
    assert found.keys() == wanted.keys()
    for half in ("moss_", "moss_text_", "moss_image_"):
        one, other = (
            torch.cat([value.flatten() for key, value in sorted(which.items()) if half in key])
            for which in (found, wanted)
        )
        if not other.any():
            assert not one.any()
            continue
        assert torch.dot(one, other) / (one.norm() * other.norm()) >= 1 - tolerance
        assert one.norm() / other.norm() == pytest.approx(1, rel=tolerance)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_a_step_is_that_of_all_its_rows_at_once(name, packed, tmp_path):
    """Passes without images, without text to learn and without any label; z-loss and weights; vectors;
    packing; gradient checkpointing."""
    backbone = backbone_of(name)
    rows = rows_of(name, backbone, tmp_path, packed)
    wanted = [by_hand(name, backbone, rows[:4]), by_hand(name, backbone, rows[4:])]
    settings = {"activation_checkpointing": True, "activation_checkpointing_kwargs": {"use_reentrant": False}}
    for batch, accumulate, more in ((4, 1, {}), (2, 2, {}), (1, 4, {}), (1, 4, settings)):
        found = steps(name, backbone, rows, tmp_path, batch, accumulate, **more)
        assert len(found) == 2
        for (gradients, logged), (right, means) in zip(found, wanted, strict=True):
            check_same(gradients, right)
            assert {key: logged[key] for key in means} == pytest.approx(means, rel=1e-4)


def test_the_last_step_of_an_epoch_has_fewer_rows(tmp_path):
    backbone = backbone_of("chameleon")
    rows = rows_of("chameleon", backbone, tmp_path)[:7]
    for batch, accumulate in ((4, 1), (2, 2), (1, 4)):
        (gradients, logged) = steps("chameleon", backbone, rows, tmp_path, batch, accumulate)[-1]
        right, means = by_hand("chameleon", backbone, rows[4:])
        check_same(gradients, right)
        assert logged["loss"] == pytest.approx(means["loss"], rel=1e-4)


@pytest.mark.matrix(2)
@pytest.mark.parametrize("name", ["chameleon", "emu2"])
def test_two_processes_step_as_one(name, tmp_path):
    """One of them has no images, or no text to learn, or no label at all."""
    layout = Path(__file__).parent / "stepping.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(layout), name, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    backbone = backbone_of(name)
    rows = rows_of(name, backbone, tmp_path / "alone")
    for (batch, accumulate), found in zip(
        CUTS, torch.load(tmp_path / "two.pt", weights_only=True), strict=True
    ):
        size = 2 * batch * accumulate
        assert len(found) == 8 // size
        for number, (gradients, logged) in enumerate(found):
            right, means = by_hand(name, backbone, rows[number * size : (number + 1) * size])
            check_same(gradients, right)
            known = {key: value for key, value in means.items() if not math.isnan(value)}
            assert {key: logged[key] for key in known} == pytest.approx(known, rel=1e-4)


def test_bfloat16_is_the_same_but_for_its_roundings(tmp_path):
    backbone = backbone_of("chameleon")
    backbone.model.float()
    rows = rows_of("chameleon", backbone, tmp_path)
    wanted = steps("chameleon", backbone, rows, tmp_path, 4, 1, bf16=True)
    for (gradients, _), (right, _) in zip(
        steps("chameleon", backbone, rows, tmp_path, 1, 4, bf16=True), wanted, strict=True
    ):
        check_same(gradients, right, tolerance=0.02)


def unlike(root):
    """Text alone, one image, three, a long text."""
    answers = [
        ["done"],
        ["now", image_bytes(COLORS[0])],
        [image_bytes(COLORS[number]) for number in range(3)],
        ["it is then the red door " * 4],
    ]
    rows = [row(number, answers[number % 4]) for number in range(12)]
    shard(root / "runs/demo/shard/guide.train-00000-of-00001.parquet", rows)
    shard(
        root / "runs/demo/shard/guide.validation-00000-of-00001.parquet",
        [row(100 + number, answers[number % 4]) for number in range(6)],
    )


def test_a_run_is_the_same_however_its_steps_are_cut(recipe, tmp_path):
    """Through the recipe: the first gradient, as the optimizer's first moment holds it, the norm before
    clipping, training and validation losses."""
    unlike(tmp_path)
    found = []
    for batch, accumulate in ((4, 1), (2, 2), (1, 4)):
        settings = {
            "packing": False,
            "steps": 2,
            "save_every": 1,
            "schedule": "constant",
            "warmup": 0,
            "learning_rate": 1e-4,
        }
        more = {"image_loss": 3.0, "z_loss": 0.01, "evaluate_every": 1, "samples": 0}
        train(recipe(**settings, **more, batch=batch, accumulate=accumulate), rebuild=True)
        folder = tmp_path / "runs/trained/train"
        log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        state = torch.load(folder / "checkpoint-1/optimizer.pt", weights_only=True)["state"]
        found.append((torch.cat([state[at]["exp_avg"].flatten() for at in sorted(state)]).double(), log))
    vector, wanted = found[0]
    assert any("eval_image_loss_3" in line for line in wanted)
    for other, log in found[1:]:
        assert torch.dot(vector, other) / (vector.norm() * other.norm()) >= 0.99999
        assert other.norm() / vector.norm() == pytest.approx(1, rel=1e-5)
        for one, two in zip(log, wanted, strict=True):
            names = [key for key in two if key.removeprefix("eval_") in (*MEANS, "grad_norm")]
            assert {key: one[key] for key in names} == pytest.approx(
                {key: two[key] for key in names}, rel=2e-5
            )


@pytest.fixture
def gpus(monkeypatch):
    """Four; that CUDA works is not needed to be refused."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    return monkeypatch


def test_several_gpus_without_torchrun_are_refused_before_anything_is_loaded(gpus, recipe, tmp_path):
    path = recipe()
    gpus.setattr("leafinstruct.train.model.load", lambda *_: pytest.fail("weights were loaded"))
    gpus.setattr("leafinstruct.train.run.shards.files", lambda *_: pytest.fail("shards were looked for"))
    with pytest.raises(TrainError) as caught:
        train(path)
    assert str(caught.value).startswith(
        "found 4 GPUs, but one process trains on one: run `torchrun --nproc-per-node 4 -m leafinstruct.cli "
        "train RECIPE`"
    )
    assert not (tmp_path / "runs/trained").exists()


FOUR = "import torch; torch.cuda.device_count = lambda: 4; from leafinstruct.cli import main; main()"


def test_the_refusal_has_the_command_as_it_was_given(recipe):
    path = recipe()
    given = ["train", str(path), "--rebuild", "--set", "train.steps=3", "--set", "train.data=a b"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FOUR, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    wanted = (
        f"train {path} --rebuild --set train.steps=3 --set 'train.data=a b'`, or choose one GPU with "
        "CUDA_VISIBLE_DEVICES=0"
    )
    assert done.stderr == (
        "leaf: found 4 GPUs, but one process trains on one: run `torchrun --nproc-per-node 4 -m "
        f"leafinstruct.cli {wanted}\n"
    )


LAUNCHED = """
import torch
torch.cuda.device_count = lambda: 4
from leafinstruct.train import processes
processes.check_gpus(("train",))
print(processes.state().distributed_type)
"""


def test_a_process_of_a_launcher_goes_on():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    command = [sys.executable, "-W", "ignore", "-c", LAUNCHED]
    done = subprocess.run(
        command, env={**os.environ, **launcher}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("DistributedType.MULTI_"), done.stderr


def test_one_gpu_goes_on(gpus, recipe):
    gpus.setattr(torch.cuda, "device_count", lambda: 1)
    assert any("step 1 of 1" in line for line in train(recipe(steps=1)))


def test_the_trainer_alone_refuses_several_gpus(tmp_path):
    from transformers import TrainingArguments

    backbone = backbone_of("chameleon")
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to=[])
    arguments._n_gpu = 2  # as TrainingArguments counts them
    with pytest.raises(TrainError, match="found 2 GPUs, but one process trains on one"):
        InterleavedTrainer(backbone.model, arguments, backbone=backbone, weights=WEIGHTS)
