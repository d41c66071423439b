"""Artifacts: whole or absent, whatever happens in between."""

import errno
import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from leafinstruct.errors import DriftError, LeafInstructError, SourceError
from leafinstruct.runtime.artifact import Artifact, digest, drift
from leafinstruct.runtime.files import load, save, scratch, writing
from leafinstruct.runtime.locks import Fence, one_build, one_share
from leafinstruct.runtime.stage_report import Loss, StageReport


@dataclass(frozen=True, kw_only=True)
class Weighed(StageReport):
    """A report with a field of its own."""

    weight: int = 0


def placed(artifact: Artifact, kind: str, part: str) -> Path:
    with writing(path := artifact.file(kind, part)) as temporary:
        temporary.write_bytes(b"data")
    return path


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a" / "x.bin"

    def fail_half_way() -> None:
        with writing(path) as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert list(path.parent.iterdir()) == []
    with writing(path) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert [item.name for item in path.parent.iterdir()] == ["x.bin"]


def test_a_full_disk_is_one_line_with_file_and_hint(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with (
        pytest.raises(SourceError, match=r"x\.json: cannot write: No space left on device.*free some space"),
        writing(tmp_path / "x.json"),
    ):
        full.write_text("x" * 10000)


def test_a_directory_of_another_format_is_refused_with_the_hint(tmp_path):
    artifact = Artifact(tmp_path / "run" / "filter")
    artifact.begin({"filter": {"min_images": 1}})
    assert artifact.fingerprint == {"filter": {"min_images": 1}}
    artifact.finish({"filter": {"min_images": 1}})
    for name in ("fingerprint.json", "record.json"):
        value = load(artifact.path / name)
        assert value is not None
        save(artifact.path / name, {key: item for key, item in value.items() if key != "format"})
    for read in (lambda: artifact.fingerprint, lambda: artifact.record, lambda: artifact.is_whole):
        with pytest.raises(
            DriftError, match=r"run/filter: was made by another version of leafinstruct.*--rebuild"
        ):
            read()
    artifact.begin({})
    assert (artifact.fingerprint, artifact.record) == ({}, None)


def test_a_part_is_up_to_date_by_its_key_and_without_failures(tmp_path):
    artifact = Artifact(tmp_path)
    path = placed(artifact, "documents", "p")
    assert not artifact.is_up_to_date("p", "k")
    artifact.commit("p", "k", StageReport(counts={"documents": 1}), [path])
    assert artifact.is_up_to_date("p", "k")
    assert not artifact.is_up_to_date("p", "other")
    artifact.commit("p", "k", StageReport(counts={"documents": 1, "failed": 1}), [path])
    assert not artifact.is_up_to_date("p", "k")


def test_totals_are_sums_of_reports_and_the_record_comes_last(tmp_path):
    artifact = Artifact(tmp_path)
    artifact.begin({"a": 1})
    for part, count in (("p", 2), ("q", 3)):
        artifact.commit(
            part,
            "k",
            StageReport(counts={"documents": count}, reasons={"r": 1}, image_reasons={"s": count}),
            [],
        )
    assert artifact.record is None
    record = artifact.finish({"a": 1}, {"schema": "x"}, seconds=0.5)
    assert record == artifact.record
    assert (
        record["counts"],
        record["reasons"],
        record["image_reasons"],
        record["schema"],
        record["seconds"],
    ) == ({"documents": 5}, {"r": 2}, {"s": 5}, "x", 0.5)
    artifact.begin({"a": 2})
    assert artifact.record is None


def test_parts_that_left_the_plan_leave_the_disk_and_others_stay(tmp_path):
    artifact = Artifact(tmp_path)
    for part in ("p", "q", "old-q", "q-1", "q.b"):
        placed(artifact, "documents", part)
        artifact.commit(part, "k", StageReport(), [])
    (tmp_path / ".x.tmp").write_bytes(b"left by a killed writer")
    artifact.keep_only(["p", "old-q", "q-1", "q.b"])
    kept = ("old-q", "p", "q-1", "q.b")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        name for part in kept for name in (f"documents-{part}.parquet", f"report-{part}.json")
    )


def test_no_folder_of_a_stage_has_a_thousand_files(tmp_path):
    """At 200,000 parts of 500 documents, the largest run that is planned for; names as readers give them."""
    artifact = Artifact(tmp_path)
    parts = [f"web-{digest(number)}" for number in range(100_000)] + [f"x-{n:06}" for n in range(100_000)]
    folders = Counter(
        artifact.file(kind, part, suffix).parent
        for part in parts
        for kind, suffix in (("report", ".json"), ("scores", ".parquet"))
    )
    assert sum(folders.values()) == 400_000
    assert max(folders.values()) < 1_000
    assert len(folders) == 512


def test_the_files_of_a_kind_are_listed_by_name_and_no_other_file(tmp_path):
    artifact = Artifact(tmp_path)
    parts = ["b", "a-1", "a", "images-a"]
    made = {placed(artifact, "images", part) for part in parts} | {placed(artifact, "image", "a")}
    (tmp_path / "images/14").mkdir()
    for foreign in (".images-p.parquet.12.tmp", "notes-p.txt"):
        (tmp_path / "images/14" / foreign).write_bytes(b"x")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/0-0-0.png").write_bytes(b"x")
    assert artifact.files("image") == [artifact.file("image", "a")]
    assert [path.stem for path in artifact.files("images")] == [
        f"images-{part}" for part in ("a-1", "a", "b", "images-a")
    ]
    assert set(artifact.files()) == made
    assert all(map(artifact.is_of, made))
    assert not artifact.is_of(tmp_path / "examples/0-0-0.png")
    assert not artifact.is_of(tmp_path / "images/00/images-a.parquet")


def test_drift_names_the_leaf_and_both_values():
    old = {"filter": {"rules": [{"min": 0.22}, {"max": 1}]}, "code": 1}
    new = {"filter": {"rules": [{"min": 0.25}, {"max": 1}]}, "code": 1}
    assert drift(old, new) == ["filter.rules[0].min 0.22 -> 0.25"]
    assert drift({"a": [1]}, {"a": [1, 2]}) == ["a: 1 entries -> 2"]
    assert drift(old, old) == []


def test_digests_ignore_key_order_and_nothing_else():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest([1, 2]) != digest([2, 1])


def _hold(
    folder: str, ready: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event"
) -> None:
    with one_build(Path(folder)):
        ready.set()
        done.wait(30)


def test_a_second_build_is_refused_while_the_first_runs_and_a_kill_frees_the_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path), ready, done))
    process.start()
    assert ready.wait(30)
    with pytest.raises(LeafInstructError, match="another `leaf build` is running here"), one_build(tmp_path):
        pass
    process.kill()
    process.join()
    with one_build(tmp_path):
        pass


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_lets_the_newest_build_go_on_and_stops_the_others(tmp_path, monkeypatch, error):
    def flock(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_build(tmp_path):
        first = Fence(tmp_path)
        first.check()
        with one_build(tmp_path):
            second = Fence(tmp_path)
            second.check()
            with pytest.raises(LeafInstructError, match="another `leaf` began to work here"):
                first.check()
    with one_share(tmp_path, 1), one_share(tmp_path, 2):
        shares = [Fence(tmp_path, number) for number in (1, 2)]
        for share in shares:
            share.check()
        with pytest.raises(LeafInstructError):
            second.check()
        with one_share(tmp_path, 2):
            Fence(tmp_path, 2).check()
        shares[0].check()
        with pytest.raises(LeafInstructError):
            shares[1].check()
        Fence(tmp_path)
        with pytest.raises(LeafInstructError):
            shares[0].check()


def test_another_error_of_a_lock_names_the_folder(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(SourceError, match="cannot write here: Input/output error"), one_build(tmp_path):
        pass


def test_scratch_folders_of_two_processes_are_two_and_what_a_kill_left_is_removed(tmp_path):
    artifact = Artifact(tmp_path)
    kept = placed(artifact, "images", "p")
    with scratch(tmp_path, "images") as one, scratch(tmp_path, "images") as other:
        assert one != other
        (one / "left").write_bytes(b"x")
        shutil.copytree(one, tmp_path / ".images.0123456789ab.tmp")
    artifact.keep_only(["p"])
    assert not list(tmp_path.rglob("*.tmp"))
    assert kept.read_bytes() == b"data"


def test_json_is_written_readably(tmp_path):
    save(tmp_path / "x.json", {"größe": 1})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert '"größe": 1' in text
    assert load(tmp_path / "x.json") == {"größe": 1}
    assert json.loads(text)["sha256"] == hashlib.sha256('{\n "größe": 1'.encode()).hexdigest()


def test_a_report_is_read_as_it_was_written_without_empty_fields(tmp_path):
    artifact = Artifact(tmp_path)
    data = placed(artifact, "documents", "p")
    loss: Loss = {"reason": "truncated", "detail": "", "file": "a.warc", "locator": "3", "whole": True}
    report = StageReport(counts={"documents": 1}, repaired={"stored answers": 2}, rejected=[loss])
    written = artifact.commit("p", "k", report, [data])
    assert artifact.report("p") == replace(written, repaired={})
    assert load(artifact.file("report", "p", ".json")) == {
        "part": "p",
        "key": "k",
        "counts": {"documents": 1},
        "rejected": [loss],
        "files": {"documents/14/documents-p.parquet": hashlib.sha256(b"data").hexdigest()},
    }


def test_a_report_of_one_stage_is_read_by_all_and_its_own_fields_by_the_stage(tmp_path):
    artifact = Artifact(tmp_path)
    artifact.commit("p", "k", Weighed(counts={"rows": 2}, seconds=0.5, weight=7), [])
    assert artifact.report("p") == StageReport(part="p", key="k", counts={"rows": 2}, seconds=0.5)
    assert [report.weight for report in artifact.reports_as(Weighed)] == [7]
