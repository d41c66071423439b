"""Signals, lost workers and lost readers of the output: what a build, a push, a training leave behind, and
with which exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import COMMAND
from command import leaf_process as leaf
from making import build, png, rows, shard_sums, unjudged
from small_run import Done, hub, run

pytestmark = pytest.mark.e2e

TEXTS = (
    "First, draw a red wall on the grass of the meadow.",
    "Then add a brown roof on top of it.",
    "Finally, paint a blue door in it.",
)
PATIENCE = 300


def pages(count: int) -> dict[str, list[tuple[str, bytes | None]]]:
    return {
        f"https://host{number}.example/": [
            (f"{text} Number {number}.", png((9 * number % 250, 60 * at, 90), dot=at))
            for at, text in enumerate(TEXTS)
        ]
        for number in range(count)
    }


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A recipe that is built in a second, in a folder of its own."""
    return unjudged(tmp_path, pages(4), part_size=2, push={"allow": ["toy"]})


def started(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def until(process: subprocess.Popen[str], true: Callable[[], Any]) -> Any:
    """What a condition gives once it holds, while the process runs."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Worker processes that have begun, in the order of their start."""
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if any("spawn_main" in word for word in child.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.parametrize("begun", ["locked", "working"])
@pytest.mark.parametrize(
    "pair", [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)], ids=["int-term", "term-int"]
)
def test_two_signals_in_quick_succession_are_one_interrupt(tmp_path, begun, pair):
    """An impatient person, or a scheduler that sends both: 130 at once, no traceback."""
    leaf("init", tmp_path / "a")
    process = started(tmp_path / "a", "build")
    until(process, (tmp_path / "a/runs/my-dataset/.lock").exists)
    if begun == "working":
        until(process, lambda: workers(process))
    process.send_signal(pair[0])
    process.send_signal(pair[1])
    _, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, noise
    assert "run the same command again to continue" in noise
    assert "Traceback" not in noise


def test_an_interrupt_that_an_event_loop_swallowed_stops_the_build_at_the_next_part(tmp_path):
    """Such a loop leaves nothing but the signals ignored, which is the state that this process starts in."""
    leaf("init", tmp_path / "a")
    script = (
        "import signal; real = signal.signal; signal.signal = lambda number, handler: real(number, "
        "signal.SIG_IGN)\n"
        "from leafinstruct.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "build"],
        cwd=tmp_path / "a",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_ends_a_build_as_termination_does_and_it_can_be_continued(tmp_path, number):
    leaf("init", tmp_path / "a")
    # also where the tests run under nohup
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}
    process = started(tmp_path / "a", "build", "--workers", "1", start_new_session=True, **listening)
    until(process, lambda: list((tmp_path / "a/runs/my-dataset/ingest").rglob("report-*.json")))
    os.killpg(process.pid, number)  # as the kernel signals every process of a terminal
    _, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, noise
    assert (
        noise.splitlines()[-1]
        == "leaf: interrupted; finished work is kept, run the same command again to continue"
    )
    assert "Traceback" not in noise
    assert not (tmp_path / "a/runs/my-dataset/shard/record.json").exists()


def test_a_process_that_ignores_a_closed_terminal_continues(small):
    """As nohup asks for it."""
    process = started(small.parent, "build", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    until(process, (small.parent / "runs/t/.lock").exists)
    process.send_signal(signal.SIGHUP)
    _, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, noise
    assert len(rows(small.parent / "runs/t/shard")) == 4


def test_a_closed_terminal_cannot_be_written_to(small):
    """Its other end is closed, then SIGHUP comes: the build ends, whichever it meets first, and can be gone
    on with."""
    reading, writing = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "build"],
        cwd=small.parent,
        stdin=writing,
        stdout=writing,
        stderr=writing,
        start_new_session=True,
    )
    os.close(writing)
    while not (small.parent / "runs/t/.lock").exists():
        assert process.poll() is None
        time.sleep(0.005)
    os.close(reading)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) in (0, 1, 130)
    assert leaf("build", cwd=small.parent).returncode == 0
    assert len(rows(small.parent / "runs/t/shard")) == 4


def at_last(name: str, times: int = 1) -> Callable[[], None]:
    """For `run`: signals right before the rename that makes a file of this name."""

    def install() -> None:
        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "os.rename" and os.fspath(arguments[1]).endswith(name):
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGTERM)

        sys.addaudithook(hook)

    return install


def ended_well(done: Done) -> None:
    assert done.code == 0, done.err
    assert "interrupted" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("times", [1, 3])
def test_a_signal_at_the_last_write_of_a_build_an_export_or_a_removal_does_not_make_it_fail(small, times):
    folder = small.parent
    done = run(folder, "build", before=at_last("shard/record.json", times))
    ended_well(done)
    assert "4 shards" in done.out or "shard" in done.out
    assert len(rows(folder / "runs/t/shard")) == 4
    done = run(
        folder, "export", "--to", "conversations", "--out", "out", before=at_last("out/record.json", times)
    )
    ended_well(done)
    assert "4 rows" in done.out
    done = run(
        folder, "remove", "--domain", "host1.example", before=at_last("recipe.suppressed.jsonl", times)
    )
    ended_well(done)
    assert "1 of 1 new" in done.err
    done = run(folder, "inspect", before=at_last("inspect.html", times))
    ended_well(done)


def test_a_signal_before_the_last_write_is_an_interrupt(small):
    done = run(small.parent, "build", before=at_last("rewrite/record.json"))
    assert done.code == 130
    assert not (small.parent / "runs/t/shard").exists()
    done = run(small.parent, "build", "--stage", "rewrite", before=at_last("rewrite/record.json"))
    ended_well(done)


def test_a_signal_while_the_hub_commits_does_not_make_the_push_fail(small, tmp_path):
    """The Hub sends it once it has made the commit, before it answers."""
    with hub(tmp_path / "home") as server:
        assert run(small.parent, "build").code == 0
        child = tmp_path / "child"

        def after(kind: str) -> None:
            if kind == "commit":
                os.kill(int(child.read_text()), signal.SIGTERM)

        server.after = after
        done = run(
            small.parent,
            "push",
            "recipe.yaml",
            "--repo",
            "me/x",
            before=lambda: child.write_text(str(os.getpid())) and None,
        )
        ended_well(done)
        assert done.out.strip().endswith("me/x")
        (repo,) = server.repos.values()
        assert "SHA256SUMS" in repo.files


def test_a_killed_worker_is_one_line_with_its_stage_and_a_hint_and_the_run_continues(tmp_path):
    leaf("init", tmp_path / "a")
    process = started(tmp_path / "a", "build", "--workers", "2")
    killed = until(process, lambda: workers(process)[:1])[0]
    until(process, lambda: list((tmp_path / "a/runs/my-dataset").glob("sketchbook/*/labels/*.jsonl")))
    killed.kill()
    _, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, noise
    (line,) = [line for line in noise.splitlines() if not re.search(r"\d of \d", line)]
    assert line.startswith("leaf: ingest: ")
    assert line.endswith(
        "a worker process died, probably because it ran out of memory; finished parts are kept: "
        "run the same command again with fewer --workers or a smaller part_size"
    )
    done = leaf("build", "--workers", "1", "--stage", "ingest", cwd=tmp_path / "a")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_while_the_workers_start_is_one_line(tmp_path):
    leaf("init", tmp_path / "a")
    process = started(tmp_path / "a", "build", "--workers", "2", start_new_session=True)
    until(process, lambda: workers(process))
    os.killpg(process.pid, signal.SIGINT)
    _, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, noise
    assert [line for line in noise.splitlines() if not re.search(r"\d of \d", line)] == [
        "leaf: interrupted; finished work is kept, run the same command again to continue"
    ]


def test_workers_end_with_a_killed_parent(tmp_path):
    leaf("init", tmp_path / "a")
    process = started(tmp_path / "a", "build", "--workers", "2")
    begun = until(process, lambda: len(found := workers(process)) == 2 and found)
    until(process, lambda: list((tmp_path / "a/runs/my-dataset").glob("sketchbook/*/labels/*.jsonl")))
    process.kill()
    process.communicate(timeout=PATIENCE)
    _, running = psutil.wait_procs(begun, timeout=PATIENCE)
    assert not running


@pytest.mark.parametrize("reader", ["head -1", "true", "head -c 5"])
def test_a_reader_that_closes_the_output_leaves_no_traceback(small, reader):
    build(small)
    for verb in ("status", "status --json", "build"):
        done = subprocess.run(
            [
                "sh",
                "-c",
                f'"$0" -c "from leafinstruct.cli import main; main()" {verb} | {reader}',
                sys.executable,
            ],
            cwd=small.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
        assert "rror" not in done.stderr


def test_a_full_disk_under_the_output_is_one_line(small):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "status"],
            cwd=small.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "leaf: No space left on device; finished work is kept, free some space and run the same "
        "command again\n"
    )


def test_the_same_bytes_after_an_interrupt_at_every_stage(tmp_path):
    sums = []
    for name in ("straight", "stopped"):
        path = unjudged(tmp_path / name, pages(4), part_size=2) if (tmp_path / name).mkdir() is None else None
        assert path is not None
        for stage in ("ingest", "filter", "rewrite") if name == "stopped" else ():
            assert run(path.parent, "build", before=at_last(f"{stage}/record.json")).code == 130
        assert run(path.parent, "build").code == 0
        sums.append(shard_sums(path.parent / "runs/t/shard"))
    assert sums[0] == sums[1]
