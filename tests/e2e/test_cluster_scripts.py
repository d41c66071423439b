"""The scripts examples/cluster_* with processes of this machine as nodes, and four shares at the same time,
of which one is killed.

A verb is a fork of this process (small_run), also where a script calls `leaf`: that is a small program which
asks this process for the fork.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.test_shares import copied, pages
from making import build, shard_sums
from small_run import Done, killing, run

SCRIPTS = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.e2e

LEAF = """#!{python} -SE
import json, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({place!r})
server.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
code, out, err = json.loads(server.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
SBATCH = """#!/bin/bash
# run the array at once, and say its number
echo "$@" >> "$LOG"
for word; do case $word in --array=1-*) last=${word#--array=1-};; --*) shift;; esac; done
while [[ $1 == --* ]]; do shift; done
for task in $(seq "$last"); do SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=1 bash "$@" >&2 & done
wait
wc -l < "$LOG"
"""
SRUN = """#!/bin/bash
exec "$@"
"""
HF = """#!/bin/bash
# run a job with the bucket at $BUCKET, and say its number
echo "$@" >> "$LOG"
[[ $1 == jobs ]] || exit 2
if [[ $2 == wait ]]; then exit 0; fi
while [[ $1 != *:0.1.0 ]]; do shift; done
shift
"${@/#\\/data/$BUCKET}" >&2 || exit 1
wc -l < "$LOG"
"""


class Forking:
    """Runs `leaf` of scripts in forks of this process."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.done: list[Done] = []
        self._folder, self._count = folder, 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(place))
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Forking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            while True:
                try:
                    caller, _ = self._socket.accept()
                except OSError:
                    return
                self._count += 1
                pool.submit(self._answer, caller, f"-{self._count}")

    def _answer(self, caller: socket.socket, name: str) -> None:
        with caller, caller.makefile() as lines:
            done = run(self._folder, *json.loads(lines.readline()), name=name)
            self.done.append(done)
            caller.sendall(json.dumps([done.code, done.out, done.err]).encode() + b"\n")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A recipe without results, and the shards of its undivided build."""
    path = pages(tmp_path_factory.mktemp("whole"), 8, filter={"host_paragraphs": None})
    clean = copied(path, tmp_path_factory.mktemp("clean") / "r")
    build(path)
    return clean, shard_sums(path.parent / "runs" / "t" / "shard")


@pytest.fixture
def nodes(
    tmp_path: Path, whole: tuple[Path, dict[str, str]]
) -> Iterator[tuple[Path, Forking, dict[str, str]]]:
    """A recipe, the forks of its verbs, and an environment with the programs of a cluster."""
    path, _ = whole
    path = copied(path, tmp_path / "data")
    programs, place = tmp_path / "bin", tmp_path / "s"
    programs.mkdir()
    leaf = LEAF.format(python=sys.executable, place=str(place))
    for name, text in {"leaf": leaf, "sbatch": SBATCH, "srun": SRUN, "hf": HF}.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "BUCKET": str(path.parent),
    }
    with Forking(path.parent, place) as forks:
        yield path, forks, env


def done(command: list[str], env: dict[str, str]) -> str:
    """The output of a script that succeeds."""
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_slurm_script_chains_an_array_for_each_round(nodes, whole):
    path, forks, env = nodes
    out = done(["bash", str(SCRIPTS / "cluster_slurm.sh"), str(path), "2"], env)
    assert out.splitlines() == [f"round {at} of 6: job {at}" for at in range(1, 7)]
    arrays = Path(env["LOG"]).read_text(encoding="utf-8").splitlines()
    assert [shlex.split(line)[:3] for line in arrays] == [
        ["--parsable", "--array=1-2", str(SCRIPTS / "cluster_slurm.sh")],
        *(["--parsable", "--array=1-2", f"--dependency=afterany:{at}"] for at in range(1, 6)),
    ]
    assert {one.code for one in forks.done} == {0}
    assert shard_sums(path.parent / "runs" / "t" / "shard") == whole[1]


def test_the_pods_of_the_kubernetes_job_repeat_their_share_until_the_build_is_done(nodes, whole):
    path, forks, env = nodes
    job = yaml.safe_load((SCRIPTS / "cluster_kubernetes.yaml").read_text(encoding="utf-8"))["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 16, 16)
    (container,) = job["template"]["spec"]["containers"]
    stated = {entry["name"]: entry["value"] for entry in container["env"]}
    assert int(stated["SHARES"]) == job["completions"]
    here = {"RECIPE": str(path), "RUN": str(path.parent / "runs" / "t"), "SHARES": "2", "PAUSE": "0.2"}
    assert here.keys() < stated.keys()
    pods = [
        subprocess.Popen(
            [*container["command"], *container["args"]],
            env={**env, **stated, **here, "JOB_COMPLETION_INDEX": str(index)},
            stderr=subprocess.DEVNULL,
        )
        for index in range(2)
    ]
    assert [pod.wait(240) for pod in pods] == [0, 0]
    assert {one.code for one in forks.done} == {0}
    assert shard_sums(path.parent / "runs" / "t" / "shard") == whole[1]


def test_the_script_for_hugging_face_jobs_starts_the_jobs_of_a_round_after_those_before(nodes, whole):
    path, forks, env = nodes
    out = done(["bash", str(SCRIPTS / "cluster_hf_jobs.sh"), str(path), "org/bucket", "2"], env)
    assert [line.partition(":")[0] for line in out.splitlines()] == [f"round {at} of 6" for at in range(1, 7)]
    calls = [shlex.split(line) for line in Path(env["LOG"]).read_text(encoding="utf-8").splitlines()]
    assert [call[1] for call in calls] == ["run", "run", "wait"] * 6
    assert calls[0][calls[0].index("--volume") + 1] == "hf://buckets/org/bucket:/data"
    assert calls[2][2:] == ["1", "2"]
    assert {one.code for one in forks.done} == {0}
    assert shard_sums(path.parent / "runs" / "t" / "shard") == whole[1]


def test_four_shares_at_the_same_time_of_which_one_is_killed(tmp_path, whole):
    path, expected = whole
    path = copied(path, tmp_path / "data")
    runs = path.parent / "runs"

    def one(number: int, before: Callable[[], None]) -> Any:
        share = f"{number}/4"
        return run(path.parent, "build", "--share", share, "--json", before=before, name=share[0])

    kills, codes = [40, 25, 60], set()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(12):
            kill = killing(runs, kills.pop()) if kills else lambda: None
            ended = list(pool.map(one, range(1, 5), [lambda: None, lambda: None, kill, lambda: None]))
            codes |= {result.code for result in ended}
            states = [json.loads(result.out) for result in ended if result.code == 0]
            assert all("stages" in state or state["waits_for"] for state in states)
            if all(result.code == 0 and "stages" in json.loads(result.out) for result in ended):
                break
    assert codes == {0, -9}
    assert shard_sums(runs / "t" / "shard") == expected
    assert not (runs / "t" / "shares").exists()
