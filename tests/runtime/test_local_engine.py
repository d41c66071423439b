"""The local engine: every part once, reports as they come, failures not swallowed."""

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from leafinstruct.errors import LeafInstructError, SourceError, WorkerError
from leafinstruct.runtime.engine.base import Found, Needs, Part, TaskResult
from leafinstruct.runtime.engine.device import assigned
from leafinstruct.runtime.engine.local import LocalEngine


def square(offset: int, part: Part) -> Found[dict[str, int]]:
    return Found(
        value={
            "value": part.payload**2 + offset,
            "process": os.getpid(),
            "threads": int(os.environ["OMP_NUM_THREADS"]),
        }
    )


def refuse(part: Part) -> TaskResult:
    raise SourceError(f"part {part.name} is broken")


def die(part: Part) -> TaskResult:
    os._exit(9)


def test_every_part_runs_once_in_other_processes_with_divided_threads():
    with LocalEngine(workers=2) as engine:
        parts = [Part(str(number), number) for number in range(9)]
        reports = list(engine.map(partial(square, 1), parts, Needs()))
        assert sorted(report.value["value"] for report in reports) == [number**2 + 1 for number in range(9)]
        assert os.getpid() not in {report.value["process"] for report in reports}
        assert {report.value["threads"] for report in reports} == {max(1, len(os.sched_getaffinity(0)) // 2)}
        again = list(engine.map(partial(square, 0), parts[:2], Needs()))
        assert {report.value["process"] for report in again} <= {
            report.value["process"] for report in reports
        } | {report.value["process"] for report in again}
        assert list(engine.map(partial(square, 0), [], Needs())) == []


def test_a_deliberate_error_crosses_the_process_as_itself():
    with LocalEngine(workers=1) as engine, pytest.raises(SourceError, match="part a is broken"):
        list(engine.map(refuse, [Part("a")], Needs()))


def test_a_dead_worker_is_one_line_with_a_hint():
    with (
        LocalEngine(workers=1) as engine,
        pytest.raises(LeafInstructError, match=r"a worker process died.*smaller part_size"),
    ):
        list(engine.map(die, [Part("a")], Needs()))


def die_of_memory(part: Part) -> TaskResult:
    """As the kernel ends it: SIGKILL, while another worker is in the middle of its part."""
    if part.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return sleep_long(part)


def test_a_killed_worker_is_reported_with_only_its_part_before_the_others_are_done(tmp_path):
    parts = [Part("a", str(tmp_path / "a")), Part("b")]
    with LocalEngine(workers=2) as engine, pytest.raises(WorkerError) as caught:
        list(engine.map(die_of_memory, parts, Needs(what="reading")))
    assert str(caught.value) == (
        "reading: part b: a worker process died, probably because it ran out of memory; finished "
        "parts are kept: "
        "run the same command again with fewer --workers or a smaller part_size"
    )
    assert not (tmp_path / "a").exists()


def test_io_tasks_share_one_loop_at_most_so_many_at_a_time_and_release_runs_last():
    running, peak, loops, released = 0, 0, set(), []

    async def wait(part: Part) -> Found[int]:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0.01)
        running -= 1
        assert not released
        return Found(value=part.payload)

    async def release() -> None:
        released.append(id(asyncio.get_running_loop()))

    with LocalEngine(workers=1) as engine:
        reports = list(
            engine.map(
                wait, [Part(str(n), n) for n in range(7)], Needs("io", parts_in_flight=3, release=release)
            )
        )
    assert sorted(report.value for report in reports) == list(range(7))
    assert peak == 3
    assert len(loops) == 1
    assert released == list(loops)


def test_a_failing_io_task_cancels_the_others_and_still_releases():
    released, cancelled = [], []

    async def wait(part: Part) -> TaskResult:
        if part.payload == 0:
            await asyncio.sleep(0.01)
            raise SourceError("first fails")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(part.payload)
            raise
        return TaskResult()

    async def release() -> None:
        released.append(True)

    with LocalEngine(workers=1) as engine, pytest.raises(SourceError, match="first fails"):
        list(engine.map(wait, [Part("a", 0), Part("b", 1)], Needs("io", release=release)))
    assert (released, cancelled) == ([True], [1])


def sleep_long(part: Part) -> TaskResult:
    """Ends with a file, after a minute."""

    time.sleep(60)
    Path(part.payload).touch()
    return TaskResult()


def test_an_interrupt_waits_for_no_running_part(tmp_path):
    class Interrupt(BaseException):
        pass

    def interrupted() -> None:
        with LocalEngine(workers=2) as engine:
            reports = engine.map(partial(square, 0), [Part("a", 1)], Needs())
            assert next(reports).value["value"] == 1
            for part in ("b", "c"):
                engine._processes().submit(sleep_long, Part(part, str(tmp_path / part)))
            raise Interrupt

    with pytest.raises(Interrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def waiting(part: Part) -> Found[tuple[str | None, bool]]:
    """How this worker's threads wait, as OpenMP read it when torch loaded it, and whether torch is loaded."""
    return Found(value=(os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_a_worker_do_not_spin_unless_the_user_wants_it(monkeypatch, workers, given, expected):
    """Set before torch is loaded, since OpenMP reads it once."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    with LocalEngine(workers=workers) as engine:
        reports = list(engine.map(waiting, [Part(str(number)) for number in range(4)], Needs()))
    assert {report.value for report in reports} == {(expected, False)}
    assert os.environ.get("OMP_WAIT_POLICY") == given


def on_device(part: Part) -> Found[dict[str, object]]:
    """As a task with a model: it loads nothing here, and waits for the task of the other device."""
    folder, devices = part.payload
    device = assigned()
    (Path(folder) / device.name.replace(":", "-")).touch()
    end = time.monotonic() + 60
    while len(list(Path(folder).iterdir())) < devices and time.monotonic() < end:
        time.sleep(0.01)
    value = {"device": device.name, "threads": device.threads, "process": os.getpid(), "part": part.name}
    return Found(value=value, counts={"embedded": 2, "documents": 1}, repaired={"a": 1})


def ahead(part: Part) -> TaskResult:
    assert assigned().name == "", "the cpu processes have no device"
    return TaskResult(counts={"documents": 3, "read": os.getpid()}, repaired={"b": 2})


def test_one_process_per_device_keeps_it_for_all_parts(tmp_path):
    parts = [Part(str(number), (str(tmp_path), 2)) for number in range(9)]
    needs = Needs("gpu", devices=("cpu:0", "cpu:1"))
    with LocalEngine(workers=1) as engine:
        found = [result.value for result in engine.map(on_device, parts, needs)]
        again = [result.value for result in engine.map(on_device, parts, needs)]
    assert sorted(one["part"] for one in found) == [str(number) for number in range(9)]
    owners = {(one["device"], one["process"]) for one in (*found, *again)}
    assert {device for device, _ in owners} == {"cpu:0", "cpu:1"}
    assert len(owners) == 2
    assert {one["threads"] for one in found} == {max(1, len(os.sched_getaffinity(0)) // 2)}


def test_what_needs_no_device_runs_before_in_another_process_and_both_results_are_summed(tmp_path):
    parts = [Part(str(number), (str(tmp_path), 1)) for number in range(5)]
    needs = Needs("gpu", devices=("cpu",), before=ahead)
    with LocalEngine(workers=2) as engine:
        found = list(engine.map(on_device, parts, needs))
    assert sorted(result.value["part"] for result in found) == ["0", "1", "2", "3", "4"]
    assert {(result.counts["documents"], result.counts["embedded"]) for result in found} == {(4, 2)}
    assert {tuple(sorted(result.repaired.items())) for result in found} == {(("a", 1), ("b", 2))}
    assert {result.counts["read"] for result in found}.isdisjoint(
        {result.value["process"] for result in found}
    )


def test_an_error_before_a_device_crosses_as_itself():
    needs = Needs("gpu", devices=("cpu",), before=refuse)
    with LocalEngine(workers=1) as engine, pytest.raises(SourceError, match="part a is broken"):
        list(engine.map(on_device, [Part("a")], needs))
