"""The states of stages, from their records alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from leafinstruct.report import status
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.stage_report import StageReport

STAGES = ("ingest", "filter", "rewrite", "shard")


@pytest.fixture
def chain(tmp_path: Path) -> dict[str, Artifact]:
    """Four finished stages, each made from the one before."""
    stages: dict[str, Artifact] = {}
    upstream = None
    for name in STAGES:
        out = stages[name] = Artifact(tmp_path / name, upstream)
        finish(out, f"{name} 1")
        upstream = out
    return stages


def finish(out: Artifact, content: str) -> None:
    above = None if out.upstream is None else out.upstream.record
    fingerprint = {"code": 1} if above is None else {"input": above["output"]}
    out.begin(fingerprint)
    path = out.path / "guide.train-00000-of-00001.parquet"
    path.write_text(content, encoding="utf-8")
    out.commit("p", content, StageReport(counts={"documents": 1}), [path])
    out.finish(fingerprint)


def states(stages: dict[str, Artifact]) -> list[str]:
    return [entry["state"] for entry in status.entries(stages)]


def test_finished_stages_are_done(chain):
    assert states(chain) == ["done"] * 4


def test_a_stage_whose_input_changed_is_stale_and_so_is_all_below(chain):
    finish(chain["filter"], "filter 2")
    assert states(chain) == ["done", "done", "stale", "stale"]
    finish(chain["rewrite"], "rewrite 2")
    assert states(chain) == ["done", "done", "done", "stale"]


def test_an_input_that_came_out_the_same_leaves_nothing_stale(chain):
    finish(chain["filter"], "filter 1")
    assert states(chain) == ["done"] * 4


def test_a_stage_over_one_that_is_being_made_is_stale(chain):
    chain["ingest"].begin({"code": 2})
    assert states(chain) == ["unfinished", "stale", "stale", "stale"]


def test_nothing_built_is_missing(tmp_path):
    upstream, stages = None, {}
    for name in STAGES:
        upstream = stages[name] = Artifact(tmp_path / name, upstream)
    assert states(stages) == ["missing"] * 4
    assert list(status.steps(status.entries(stages))) == []


def test_a_stage_without_parts_has_no_counts(chain):
    chain["filter"].begin({"code": 2})
    chain["filter"].keep_only({})
    entries = status.entries(chain)
    assert [(entry["state"], entry["parts"]) for entry in entries][1] == ("unfinished", 0)
    assert [step.what for step in status.steps(entries)] == ["read", "examples", "in shards"]


def test_examples_of_cut_documents_are_no_share_of_what_was_read():
    entries = [
        {
            **{"stage": stage, "parts": 1, "counts": counts},
            **{"reasons": reasons, "image_reasons": {}, "unaligned": {}, "edits": {}},
        }
        for stage, counts, reasons in (
            ("ingest", {"documents": 5}, {}),
            ("filter", {"kept": 4}, {"min_images": 1}),
            ("rewrite", {"documents": 4, "examples": 9}, {"too_long": 1}),
            ("shard", {"rows": 9}, {}),
        )
    ]
    found = [(step.what, step.documents, step.cut) for step in status.steps(entries) if not step.lost]
    assert found == [
        ("read", 5, False),
        ("kept", 4, False),
        ("documents with examples", 3, False),
        ("examples", 9, True),
        ("in shards", 9, True),
    ]
    entries[2]["counts"]["examples"] = 3
    assert not any(step.cut for step in status.steps(entries))


def test_images_that_cannot_be_decoded_are_split_by_reason(tmp_path):
    """Documents and images, the most frequent first; a report of an older build has no reasons."""
    stages = {name: Artifact(tmp_path / name) for name in STAGES}
    new = StageReport(
        counts={"kept": 1},
        reasons={"image.decoded": 5, "text.links": 1},
        image_reasons={"image.decoded": 4, "image.side": 2},
        undecoded={"documents": {"heic": 4, "truncated": 1}, "images": {"missing": 3}},
    )
    for part, report in (("a", new), ("b", StageReport(counts={"kept": 1}, reasons={"image.decoded": 2}))):
        stages["filter"].commit(part, part, report, [])
    lines = [(step.what, step.documents, step.images) for step in status.steps(status.entries(stages))]
    assert lines == [
        ("dropped by image.decoded: heic", 4, None),
        ("dropped by image.decoded: truncated", 1, None),
        ("dropped by image.decoded: others", 2, None),
        ("dropped by text.links", 1, None),
        ("images dropped by image.decoded: missing", None, 3),
        ("images dropped by image.decoded: others", None, 1),
        ("images dropped by image.side", None, 2),
        ("kept", 2, 0),
    ]


def test_a_long_reason_against_an_answer_is_shortened():
    """The form of an answer in words has a thousand characters, and a notice is one line."""
    message = "no valid answer after # repairs: " + "the answer must be an object " * 100 + "; missing: turns"
    entry = {"stage": "rewrite", "counts": {}, "unfetched": 0, "rejected": []}
    [line] = status.notices(
        [entry | {"unanswered": {"unparsed": {"count": 11, "message": message}}}], "leaf build"
    )
    assert len(line) < 400
    assert line.startswith(
        "rewrite: 11 without a readable answer (most often: no valid answer after # repairs"
    )
    assert line.endswith("; missing: turns); to ask again: leaf build --retry-refused")
