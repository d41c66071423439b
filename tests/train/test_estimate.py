"""What a dry run says that a run will take, against what it takes."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import peft
import pytest
import torch
from train.conftest import row, shard
from train.test_train import train

from leafinstruct.errors import TrainError

pytestmark = pytest.mark.e2e

MEASURED = """
import re, resource, sys, torch
torch.set_num_threads(1)
from pathlib import Path
from leafinstruct.recipe import load as recipes
from leafinstruct.train import run
loaded = recipes.load_training(Path(sys.argv[1]))
run.train(loaded.train, loaded.directory, loaded.seed, False, True, sys.argv[2] == "dry", print)
print("peak", 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))  # ru_maxrss holds the parent's, too
"""  # noqa: E501
LIMITED = (
    MEASURED.replace("import re,", "import ctypes, re,")
    .replace("print)", "told)")
    .replace(
        "loaded =",
        """
def told(line):
    if line.startswith("step 2 "):
        ctypes.CDLL(None).malloc_trim(0)  # what the process keeps for the next step
        used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, -1))
loaded =""",
    )
)
UNITS = {"MB": 1e6, "GB": 1e9}


def large(root, count: int = 8) -> None:
    """Rows of about 1,900 tokens."""
    shard(
        root / "runs/demo/shard/guide.train-00000-of-00001.parquet",
        [row(number, ["then " * 1900]) for number in range(count)],
    )


def sizes(lines: list[str]) -> dict[str, float]:
    found = [re.fullmatch(r"(\D+?) +([\d,.]+) (MB|GB)", line) for line in lines]
    return {match[1]: float(match[2].replace(",", "")) * UNITS[match[3]] for match in found if match}


def run(path, how: str, layout: str = MEASURED) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", layout, str(path), how],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_peak_memory_is_what_was_estimated(recipe, tmp_path):
    large(tmp_path)
    path = recipe(
        context=2048, batch=8, accumulate=1, steps=2, evaluate_every=0, adapter={"r_text": 8, "r_image": 8}
    )
    said = run(path, "dry").stdout.splitlines()
    parts = sizes(said)
    assert parts.pop("peak memory, estimated") == pytest.approx(sum(parts.values()), rel=0.1)
    assert parts["activations"] > 50e6
    assert re.search(
        (
            r"^about [\d.,]+ (seconds|minutes|hours) on this cpu: [\d,]+ tokens/s, measured over 2 "
            r"passes of 1,024$"
        ),
        said[-2],
        re.M,
    )
    peak = float(run(path, "train").stdout.splitlines()[-1].split()[1])
    assert sum(parts.values()) == pytest.approx(peak, rel=0.3)


def test_checkpointing_and_batch_change_what_is_kept(recipe, tmp_path):
    large(tmp_path, 2)
    settings = {"context": 2048, "steps": 1, "accumulate": 1}
    plain, double, kept = (
        sizes(train(recipe(**settings, **more), dry_run=True))["activations"]
        for more in ({"batch": 1}, {"batch": 2}, {"batch": 1, "gradient_checkpointing": True})
    )
    assert double == pytest.approx(2 * plain, rel=0.02)
    assert kept < 0.5 * plain


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="limits an address space, and trims the heap")
def test_out_of_memory_says_what_to_lower(recipe, tmp_path):
    large(tmp_path)
    path = recipe(context=2048, batch=8, accumulate=1, steps=4, evaluate_every=0, save_every=4)
    done = run(path, "train", LIMITED)
    last = done.stderr.splitlines()[-1]
    assert last == (
        "leafinstruct.errors.TrainError: out of memory: set train.gradient_checkpointing: true and run again "
        "to continue with less memory; "
        "or lower train.batch or context and start over (--rebuild)"
    ), done.stderr


@pytest.mark.parametrize(
    ("dry", "hint"),
    [(True, "lower train.context, or set"), (False, "set train.gradient_checkpointing: true and run again")],
)
def test_a_model_that_does_not_fit_a_gpu_is_reported(recipe, monkeypatch, dry, hint):
    """The first thing that runs out on a small one; here said by hand."""

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    path = recipe(evaluate_every=0)
    monkeypatch.setattr(peft.PeftModel, "to", full, raising=False)
    with pytest.raises(TrainError, match=f"^out of memory: {hint}"):
        train(path, dry_run=dry)
