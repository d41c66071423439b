"""The Ray engine on a cluster of this machine: where parts run, errors as they are, lost parts that run
again, and the bytes of a build while nodes die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray_tasks
from command import COMMAND, leaf, leaf_process
from making import InlineEngine, build, recipe
from ray_tasks import ahead, damaged, die, on_device, strange, wait_long, where

import leafinstruct
from leafinstruct.errors import DamagedError, RecipeError, WorkerError
from leafinstruct.runtime.artifact import STAGES
from leafinstruct.runtime.engine import remote
from leafinstruct.runtime.engine.base import Needs, Part, TaskResult
from leafinstruct.runtime.engine.config import EngineConfig
from leafinstruct.runtime.engine.ray import RayEngine
from leafinstruct.runtime.engine.ray_pools import TRIES
from leafinstruct.runtime.engine.watched import Progressed

pytest.importorskip("ray", reason="the extra leafinstruct[ray] is not installed")

NODES = 3
STORE = 80_000_000


class Nodes:
    """A cluster of this machine: a head without CPUs, to which drivers connect, and nodes of one CPU."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, **options: Any) -> Any:
        node = self.cluster.add_node(**{"num_cpus": 1, "object_store_memory": STORE, **options})
        self.nodes.append(node)
        return node

    def kill(self, node: Any) -> None:
        """End a node as a power cut does, with all its processes."""
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)

    def engine(self, directory: Path, workers: int | None = None, **options: Any) -> RayEngine:
        return RayEngine(EngineConfig(kind="ray", address=self.address, **options), workers, directory)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(ray_tasks.__file__).parent), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Nodes()
        try:
            for _ in range(NODES):
                nodes.add()
            yield nodes
        finally:
            nodes.cluster.shutdown()


@pytest.fixture(scope="module")
def engine(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayEngine]:
    """One connection for the tests of single maps: each connection starts workers of its own."""
    with nodes.engine(tmp_path_factory.mktemp("run"), cpus=1) as engine:
        yield engine


def numbered(count: int) -> list[Part]:
    return [Part(str(number), number) for number in range(count)]


def test_every_part_runs_once_on_all_nodes_with_the_threads_of_its_cpus(engine):
    found = [report.value for report in engine.map(partial(where, 1), numbered(24), Needs())]
    assert sorted(one["value"] for one in found) == [number + 1 for number in range(24)]
    assert len({one["node"] for one in found}) == NODES
    assert {(one["threads"], one["waiting"]) for one in found} == {("1", "PASSIVE")}
    assert os.getpid() not in {one["process"] for one in found}


class Pickled:
    """A payload that counts in this process how often it was sent."""

    sent = 0

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        Pickled.sent += 1
        return int, (0,)


def test_only_two_parts_per_place_are_submitted_before_a_result_is_read(engine):
    parts = [Part(str(number), Pickled()) for number in range(40)]
    results = engine.map(partial(where, 0), parts, Needs())
    next(results)
    assert Pickled.sent <= 2 * NODES
    assert len(list(results)) == 39
    assert Pickled.sent == 40


def test_an_error_is_the_exception_of_the_task_with_its_attributes_and_the_remote_traceback(engine):
    with pytest.raises(DamagedError, match=r"/run/a.parquet: its bytes differ") as caught:
        list(engine.map(damaged, numbered(1), Needs()))
    assert type(caught.value) is DamagedError
    assert (caught.value.path, caught.value.fault) == (Path("/run/a.parquet"), "its bytes differ")
    (note,) = caught.value.__notes__
    assert note.startswith("part 0 on node ")
    assert "in damaged" in note
    with pytest.raises(RuntimeError, match="StrangeError: 1 and 2"):
        list(engine.map(strange, numbered(1), Needs()))


def test_a_part_that_loses_its_worker_is_run_again_but_not_forever(engine, tmp_path):
    once = [Part("a", (str(tmp_path), 1)), Part("b", (str(tmp_path), 0))]
    assert [report.counts["documents"] for report in engine.map(die, once, Needs())] == [1, 1]
    with pytest.raises(WorkerError) as caught:
        list(engine.map(die, [Part("c", (str(tmp_path), 99))], Needs(what="reading")))
    assert str(caught.value) == (
        f"reading: part c: its worker process died, {TRIES} times, probably for lack of memory; finished "
        "parts are kept: run the same command again with a smaller part_size or more memory for a part "
        "(engine.memory)"
    )
    assert len(list(tmp_path.glob("c-*"))) == TRIES


def test_parts_end_with_their_map(engine, tmp_path):
    """As an interrupt does it: a progress callback raises, and the map is closed."""
    parts = [Part("a"), *(Part(str(number), str(tmp_path)) for number in range(2))]
    results = engine.map(wait_long, parts, Needs())
    next(results)
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("*-begun"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 30, "it does not wait for the minute"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-begun", "1-begun"]
    assert len(list(engine.map(partial(where, 0), numbered(3), Needs()))) == 3


def test_a_node_with_another_version_or_without_the_files_is_named(engine, nodes, tmp_path, monkeypatch):
    """A second engine on the connection of the first: its workers check again, for another build."""
    with monkeypatch.context() as patch:
        patch.setattr(remote, "__version__", "9.9")
        with nodes.engine(tmp_path) as other, pytest.raises(WorkerError) as caught:
            list(other.map(partial(where, 0), numbered(1), Needs()))
    assert f"has leafinstruct {leafinstruct.__version__} on Python " in str(caught.value)
    assert "the build runs leafinstruct 9.9 on Python " in str(caught.value)
    with nodes.engine(tmp_path / "own") as other:
        other._connected()
        (marker,) = (tmp_path / "own").glob(".nodes-*")
        marker.write_text("as another disk has it")
        with pytest.raises(WorkerError, match=r"does not see the files of this build in .*own; set workdir"):
            list(other.map(partial(where, 0), numbered(1), Needs()))
    assert not list((tmp_path / "own").glob(".nodes*"))
    assert list(engine.map(partial(where, 0), numbered(1), Needs())), "the connection is the first engine's"


@pytest.mark.slow
def test_a_node_without_this_leafinstruct_is_named(engine, nodes, tmp_path):
    """The node has a package of this name, without the module that runs parts."""
    (tmp_path / "leafinstruct").mkdir()
    (tmp_path / "leafinstruct/__init__.py").touch()
    strange = nodes.add(num_cpus=4, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        with nodes.engine(tmp_path, cpus=4) as other, pytest.raises(WorkerError) as caught:
            list(other.map(partial(where, 0), numbered(1), Needs()))
    finally:
        nodes.kill(strange)
    assert str(caught.value) == (
        f"node {strange.node_ip_address} cannot run this build: ModuleNotFoundError: No module named "
        "'leafinstruct.runtime'; install the same version of leafinstruct and of its extensions on every node"
    )


def test_no_place_in_the_cluster_is_one_line_with_a_hint(engine, nodes, tmp_path):
    with pytest.raises(RecipeError, match=r"no node of the Ray cluster has 1 GPU for .*device: cpu"):
        list(engine.map(on_device, numbered(1), Needs("gpu", devices=("cuda",))))
    with nodes.engine(tmp_path, cpus=2, memory=10**15) as other, pytest.raises(RecipeError) as caught:
        list(other.map(partial(where, 0), numbered(1), Needs()))
    assert str(caught.value) == (
        "engine: no node of the Ray cluster has 2 CPU and 1,000,000,000,000,000 bytes of memory for a part; "
        "add one, or lower engine.cpus and engine.memory"
    )


def test_actors_share_a_gpu_and_keep_their_process_while_cpu_tasks_run_ahead(
    engine, nodes, tmp_path, monkeypatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)  # a logical GPU, which no driver knows
    gpu = nodes.add(num_cpus=0, num_gpus=1)
    try:
        parts = [Part(str(number), (str(tmp_path), 2)) for number in range(9)]
        with nodes.engine(tmp_path.parent / "gpu", gpus=0.5, cpus=1) as other:
            found = list(other.map(on_device, parts, Needs("gpu", devices=("cuda",), before=ahead)))
            values = [result.value for result in found]
            assert sorted(one["part"] for one in values) == [str(number) for number in range(9)]
            assert {(one["device"], one["threads"]) for one in values} == {("cuda:0", 1)}
            assert {(one.counts["documents"], one.counts["embedded"]) for one in found} == {(4, 2)}
            assert {tuple(sorted(one.repaired.items())) for one in found} == {(("a", 1), ("b", 2))}
            processes = {one["process"] for one in values}
            assert len(processes) == 2
            assert processes.isdisjoint({one.counts["read"] for one in found})
            with pytest.raises(DamagedError):
                list(other.map(on_device, parts, Needs("gpu", devices=("cuda",), before=damaged)))
        lost = tmp_path / "lost"
        lost.mkdir()
        with nodes.engine(tmp_path.parent / "gpu", gpus=1) as other:
            again = [Part("a", (str(lost), 1)), Part("b", (str(lost), 0))]
            done: list[TaskResult] = list(other.map(die, again, Needs("gpu", devices=("cuda",))))
            assert [one.counts["documents"] for one in done] == [1, 1]
    finally:
        nodes.kill(gpu)


def sketchbook(folder: Path, **sections: object) -> Path:
    source = {"kind": "sketchbook", "name": "s", "documents": 36, "seed": 1}
    return recipe(folder, part_size=6, ingest={"sources": [source]}, **sections)


def built_files(folder: Path) -> dict[str, bytes]:
    """All data of a run, and the dataset's card. Reports state seconds, which are not the same twice."""
    run = folder / "runs/t"
    names = [path for stage in STAGES for path in (run / stage).rglob("*.parquet")]
    names += [*run.glob("shard/*.md"), *run.glob("shard/croissant.json")]
    return {str(path.relative_to(run)): path.read_bytes() for path in names}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the parts give in this process, in order."""
    folder = tmp_path_factory.mktemp("reference")
    build(sketchbook(folder), engine=InlineEngine())
    found = built_files(folder)
    assert {name.partition("/")[0] for name in found} == set(STAGES)
    return found


class Replacing:
    """Progress callback that kills a node after the first part of each stage of `stages`, and then adds one.

    killed: stages in which it did. seen: stages with progress by parts."""

    def __init__(self, nodes: Nodes, *stages: str) -> None:
        self.nodes, self.stages = nodes, stages
        self.killed: list[str] = []
        self.seen: list[str] = []

    def __call__(self, now: Progressed) -> None:
        if now.done == 1 and now.total > 1:
            self.seen.append(now.stage)
            if now.stage in self.stages and now.stage not in self.killed:
                self.killed.append(now.stage)
                self.nodes.kill(self.nodes.nodes[0])
                self.nodes.add()


def test_a_build_has_the_same_bytes_while_a_node_dies_in_each_stage(nodes, reference, tmp_path):
    replacing = Replacing(nodes, *STAGES)
    changes = ["engine.kind=ray", f"engine.address={nodes.address}"]
    leafinstruct.build(sketchbook(tmp_path), changes=changes, on_progress=replacing)
    assert replacing.killed == list(STAGES)
    assert built_files(tmp_path) == reference
    assert not (tmp_path / "runs/t/.nodes").exists()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("stage", [None, *STAGES])
def test_bytes_do_not_depend_on_nodes_and_kills(nodes, reference, tmp_path, count, stage):
    while len(nodes.nodes) > count:
        nodes.kill(nodes.nodes[0])
    while len(nodes.nodes) < count:
        nodes.add()
    replacing = Replacing(nodes, *([stage] if stage else []))
    changes = ["engine.kind=ray", f"engine.address={nodes.address}"]
    path = sketchbook(tmp_path, engine={"cpus": 1})
    leafinstruct.build(path, changes=changes, workers=count, on_progress=replacing)
    assert replacing.killed == ([stage] if stage else [])
    assert built_files(tmp_path) == reference


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_ray_of_this_machine_gives_the_same_bytes(reference, tmp_path, workers):
    done = leaf_process("build", sketchbook(tmp_path), "--engine", "ray", "--workers", str(workers))
    assert done.returncode == 0, done.stderr
    assert built_files(tmp_path) == reference


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_of_ray_and_the_next_build_continues(reference, tmp_path):
    """As the terminal sends it: to every process of the group. The next build runs elsewhere."""
    path = sketchbook(tmp_path)
    command = [*COMMAND, "build", str(path), "--engine", "ray", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        end = time.monotonic() + 200
        while not list(tmp_path.rglob("report-*.json")) and time.monotonic() < end:
            time.sleep(0.05)
        started = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "interrupted" in errors, "Traceback" in errors) == (130, True, False)
    assert started
    _, left = psutil.wait_procs(started, timeout=30)
    assert left == []
    build(path, engine=InlineEngine())
    assert built_files(tmp_path) == reference


@pytest.mark.parametrize("starting", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_command_prints_nothing_of_ray(nodes, tmp_path, starting):
    """starting: with a Ray of this machine, which takes more CPU time."""
    path = sketchbook(tmp_path, engine={"kind": "ray"})
    place = () if starting else ("--address", nodes.address)
    done = leaf_process("build", path, "--stage", "ingest", "--json", *place, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"]
    assert not [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("leaf: ")]
    again = leaf("build", path, "--stage", "ingest", "--address", "127.0.0.1:9", cwd=tmp_path)
    assert again.returncode == 0
    (line,) = again.stderr.splitlines()
    assert line.endswith("runs/t is up to date"), "no Ray is needed for that"


def test_no_cluster_is_one_line(tmp_path):
    path = sketchbook(tmp_path)
    done = leaf_process("build", path, "--engine", "ray", "--address", "127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "leaf: engine.address: 127.0.0.1:9: cannot connect to Ray: [Errno 111] Connection refused; "
        "`ray start --head` starts a cluster"
    )
