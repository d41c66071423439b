"""An engine that measures another one: what it measures, and that results are those of the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from leafinstruct.runtime.engine.base import Needs, Part, TaskResult
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.runtime.engine.metered import Metered, Used

PARTS = [Part("a", 0.02), Part("b", 0.2)]
BIG = 150_000_000


def work(part: Part) -> TaskResult:
    """Use so many CPU seconds, and BIG bytes in the second part."""
    block = bytearray(BIG) if part.name == "b" else b""
    end = time.process_time() + part.payload
    while time.process_time() < end:
        pass
    return TaskResult(counts={"documents": 1 + len(block) // BIG})


async def wait(part: Part) -> TaskResult:
    return work(part)


def waited() -> tuple[list[TaskResult], list[Used]]:
    """Run io parts in this process, and return what was measured."""
    meter = Metered(LocalEngine(1))
    results = list(meter.map(wait, PARTS, Needs("io", what="working")))
    return results, meter.used


def prepare(_: Part) -> TaskResult:
    return TaskResult(counts={"read": 3}, repaired={"images": 1})


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(1) as engine:
        yield engine


@pytest.mark.parametrize("kind", ["cpu", "io"])
def test_every_part_has_its_own_figures(engine: LocalEngine, kind: str) -> None:
    if kind == "io":  # in a process without the memory of other tests
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            results, measured = pool.submit(waited).result()
    else:
        meter = Metered(engine)
        results, measured = list(meter.map(work, PARTS, Needs(what="working"))), meter.used
    assert sorted(result.counts["documents"] for result in results) == [1, 2]
    of = {used.part: used for used in measured if used.step == "working"}
    assert [of[name].kind for name in ("a", "b")] == [kind, kind]
    assert 0.02 <= of["a"].cpu < 0.2 <= of["b"].cpu
    assert of["b"].seconds >= 0.2
    assert of["b"].memory - of["a"].memory > 0.8 * BIG, "the peak is of the part"


def test_what_this_process_does_between_maps_is_a_step(engine: LocalEngine) -> None:
    meter = Metered(engine)
    work(Part("here", 0.1))
    list(meter.map(work, [Part("a", 0.0)], Needs(what="working")))
    work(Part("here", 0.1))
    meter.between("before the end")
    here = {used.step: used.cpu for used in meter.used if used.kind == "here"}
    assert here.keys() == {"before working", "before the end"}
    assert all(cpu >= 0.1 for cpu in here.values())


def test_work_beside_a_device_is_a_step_of_its_own(engine: LocalEngine) -> None:
    meter = Metered(engine)
    needs = Needs("gpu", what="looking", devices=("cpu",), before=prepare)
    (result,) = meter.map(work, [Part("a", 0.02)], needs)
    assert (result.counts, result.repaired) == ({"documents": 1, "read": 3}, {"images": 1})
    steps = {(used.step, used.kind) for used in meter.used if used.part}
    assert steps == {("looking: reading", "cpu"), ("looking", "gpu")}


def test_a_skipped_step_runs_nothing(engine: LocalEngine) -> None:
    meter = Metered(engine, frozenset({"working"}))
    assert list(meter.map(work, PARTS, Needs(what="working"))) == []
    assert not [used for used in meter.used if used.part]
