"""Several processes, as torchrun starts them, give what one gives; a run that is killed goes on."""

from __future__ import annotations

import json
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from train.conftest import killed
from train.test_progress import held_out
from train.test_train import train

from leafinstruct.errors import RecipeError
from leafinstruct.recipe.load import load_training
from leafinstruct.train import run

pytestmark = pytest.mark.e2e


def two_processes(recipe: Path) -> list[str]:
    """The command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(port),
    ]
    return [*command, "-m", "leafinstruct.cli", "train", str(recipe)]


def test_two_processes_learn_what_one_learns_and_go_on_after_a_kill(recipe, tmp_path):
    held_out(tmp_path)
    settings = {"context": 160, "steps": 8, "evaluate_every": 2, "sample_tokens": 20, "samples": 1}
    train(recipe(**settings, accumulate=2))
    folder = tmp_path / "runs/trained/train"
    wanted = load_file(folder / "adapter/adapter_model.safetensors")
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    path = recipe(**settings, accumulate=1)
    section = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**section, "name": "two"}))
    reached = killed(two_processes(path), "step 3 of 8", tmp_path / "runs/two/train")
    assert 2 <= reached < 8
    again = subprocess.run(
        two_processes(path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert again.returncode == 0, again.stdout
    lines = again.stdout.splitlines()
    assert f"leaf: continuing from checkpoint-{reached}" in lines
    assert [line.split(":")[1] for line in lines if "leaf: step " in line and "validation" not in line] == [
        f" step {step} of 8" for step in range(reached + 1, 9)
    ], "one process speaks"
    assert lines[-1] == "runs/two/train/adapter"
    alone = [line for line in lines if "12 rows of" in line and "packed into rows of 160" in line]
    assert len(alone) == 1
    assert "; 8 steps see each row" in alone[0]
    found = load_file(tmp_path / "runs/two/train/adapter/adapter_model.safetensors")
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)
    pace = ("tokens_per_second", "images_per_second", "waiting")
    for one, two in zip(
        log, map(json.loads, (tmp_path / "runs/two/train/log.jsonl").read_text().splitlines()), strict=True
    ):
        assert {name: two[name] for name in two if name not in pace} == pytest.approx(
            {name: one[name] for name in one if name not in pace}, rel=1e-3
        )
    assert (tmp_path / "runs/two/train/samples/step-8/1.txt").read_text() == (
        folder / "samples/step-8/1.txt"
    ).read_text()


def test_shared_out_weights_are_refused_where_they_would_not_be(recipe):
    path = recipe(fsdp={})
    with pytest.raises(RecipeError, match=r"^train\.fsdp: accelerate only shards weights over several GPUs"):
        train(path)
    assert any("peak memory" in line for line in train(path, dry_run=True))


def test_sharding_options_of_the_recipe_are_not_changed(recipe, tmp_path):
    """TrainingArguments adds its defaults to the dictionary that it gets."""
    config = load_training(recipe(fsdp={"version": 2})).train
    assert run._arguments(config, tmp_path, 0, False).fsdp_config["min_num_params"] == 0
    assert config.fsdp == {"version": 2}


STEPS = """
import resource, torch
from leafinstruct.train import processes
if {kept}:
    processes.keep_freed_memory()
for step in range(30):
    torch.ones(25_000_000)
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_memory_that_a_step_frees_is_there_for_the_next():
    """100 MB thirty times. Counted are the pages that the kernel gives for the last nine; the heap grows in
    the first few."""
    faults = {
        kept: int(
            subprocess.run(
                [sys.executable, "-c", STEPS.format(kept=kept)], capture_output=True, text=True, check=True
            ).stdout
        )
        for kept in (True, False)
    }
    assert faults[True] * 10 < faults[False], faults
