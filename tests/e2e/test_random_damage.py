"""Two hundred flipped bits and two hundred kills, all from a seed: nothing is silently wrong, nothing is
lost, nothing is paid for twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import leaf_process as leaf
from making import shard_sums
from small_run import MOST, World, counting, killing, prepared, published, restored, run, warm

ATTEMPTS = 200
RULE = ("--set", "filter.rules[0].max=6")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    warm()
    with World() as world:
        yield world


def built(folder: Path, *changes: str) -> None:
    done = run(folder, "build", *changes)
    assert done.code == 0, done.err


def read_again(file: str) -> tuple[list[str], tuple[str, ...]]:
    """What goes, so that a build reads a file of the run, and what the build is asked: a moved threshold
    reads all intermediate files of filter."""
    stages = ["ingest", "filter", "rewrite", "shard"]
    stage = file.split("/")[1] if file.startswith("t/") else file.split("/", maxsplit=1)[0]
    if stage == "filter":
        return ["t/filter/record.json", "t/rewrite", "t/shard"], RULE
    if stage == "shard":
        return ["t/shard/record.json"], ()
    if stage in ("ingest", "rewrite"):
        return [f"t/{stage}/record.json", *(f"t/{later}" for later in stages[stages.index(stage) + 1 :])], ()
    return [f"t/{later}" for later in stages[1:]], ()


def forget(runs: Path, names: list[str]) -> None:
    for name in names:
        path = runs / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.slow
def test_two_hundred_flipped_bits_are_never_silently_wrong(tmp_path, world):
    """A damaged unit is made or asked for again, or the build ends with one line; it never publishes other
    bytes."""
    prepared(tmp_path, world, drawn=4, videos=0, own=2)
    built(tmp_path)
    runs, pristine = tmp_path / "runs", tmp_path / "pristine"
    shutil.copytree(runs, pristine, copy_function=shutil.copy2)
    files = [
        name
        for path in sorted(pristine.rglob("*"))
        if path.is_file()
        and path.stat().st_size
        and not (name := path.relative_to(pristine).as_posix()).startswith("t/sketchbook")
    ]
    right: dict[tuple[str, ...], dict[str, str]] = {}
    chance, outcomes, wrong = random.Random(19), Counter[str](), []
    for attempt in range(ATTEMPTS):
        file = chance.choice(files)
        gone, changes = read_again(file)
        if (key := (*gone, *changes)) not in right:
            restored(pristine, runs)
            forget(runs, gone)
            built(tmp_path, *changes)
            right[key] = published(runs / "t/shard")
        restored(pristine, runs)
        data = bytearray((runs / file).read_bytes())
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        data[at] ^= 1 << bit
        (runs / file).write_bytes(data)
        forget(runs, gone)
        done = run(tmp_path, "build", *changes)
        what = f"attempt {attempt}: {file}, byte {at}, bit {bit}"
        if done.code == 0:
            outcome = "right" if published(runs / "t/shard") == right[key] else "silently wrong"
        else:
            outcome = (
                "one line"
                if done.code == 1 and "Traceback" not in done.err and done.messages
                else "traceback"
            )
        outcomes[outcome] += 1
        if outcome in ("silently wrong", "traceback"):
            wrong.append(f"{what}: {outcome} {''.join(done.messages[-1:])[:200]}")
    assert not wrong, f"{dict(outcomes)}\n" + "\n".join(wrong)


def gone_on(
    folder: Path,
    world: World,
    kill: Callable[[], None],
    what: str,
    sums: dict[str, str],
    questions: Counter[str],
) -> bool:
    """Kill a build of an empty folder and run it again; returns whether it was killed. The shards are right
    and nothing is asked for twice."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    world.asked.clear()
    killed = run(folder, "build", before=kill)
    assert killed.code in (0, -signal.SIGKILL), f"{what}: {killed.err}"
    built(folder)
    assert shard_sums(folder / "runs/t/shard") == sums, what
    assert world.asked.keys() == questions.keys(), what
    twice = {
        question: count
        for question, count in world.asked.items()
        if count > questions[question] and not question.endswith((".txt", ".json"))
    }
    assert sum(question.startswith("model ") for question in twice) <= MOST, f"{what}: {twice}"
    assert all(count == 2 for count in twice.values()), f"{what}: {twice}"
    assert not list((folder / "runs/t").rglob("*.tmp")), what
    return killed.code != 0


@pytest.mark.slow
def test_two_hundred_kills_leave_the_same_shards_and_nothing_asked_for_twice(tmp_path, world):
    """SIGKILL at the n-th operation on a file of the run, n spread over the whole build: the same kill each
    time."""
    prepared(tmp_path, world, drawn=4, videos=0, own=1)
    count = tmp_path / "count"
    world.asked.clear()
    assert run(tmp_path, "build", before=counting(tmp_path / "runs", count)).code == 0
    operations, sums, questions = (
        int(count.read_text()),
        shard_sums(tmp_path / "runs/t/shard"),
        Counter(world.asked),
    )
    assert operations > 300
    chance = random.Random(84)
    killed = 0
    for attempt in range(ATTEMPTS - 10):
        at = 1 + attempt * operations // (ATTEMPTS - 10) + chance.randrange(operations // ATTEMPTS)
        killed += gone_on(
            tmp_path,
            world,
            killing(tmp_path / "runs", at),
            f"operation {at} of {operations}",
            sums,
            questions,
        )
    assert killed > 0.95 * (ATTEMPTS - 10)


@pytest.mark.slow
def test_ten_true_kills_of_the_command_and_its_workers_leave_the_same_shards(tmp_path, world):
    """From outside, at moments spread over the command, two worker processes included."""
    prepared(tmp_path, world, drawn=4, videos=0, own=1)
    built(tmp_path)
    sums = shard_sums(tmp_path / "runs/t/shard")
    command = [sys.executable, "-c", "from leafinstruct.cli import main; main()", "build", "--workers", "2"]
    chance = random.Random(3)
    for attempt in range(10):
        shutil.rmtree(tmp_path / "runs")
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )
        time.sleep(chance.uniform(0.5, 1 + attempt))
        process.kill()
        process.wait()
        done = leaf("build", "--workers", "2", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert shard_sums(tmp_path / "runs/t/shard") == sums, attempt
