"""What may not be published: each fault by name, how many, which, and the hint; and that each is let through
by its own name only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import leaf
from making import build, rows

from leafinstruct.errors import PublishError
from leafinstruct.publish.checks import Terms, refuse, survey
from leafinstruct.publish.config import PushConfig
from leafinstruct.records import public
from leafinstruct.records.removals import Suppressed, entry


def row(number: int, **changes: Any) -> dict[str, Any]:
    info = {
        "sha256": "ab" * 32,
        "ref": "https://pics.example/a.png",
        "url": None,
        "license": "CC0-1.0",
        **changes.pop("image", {}),
    }
    whole = {"source_position": 0, "frame_time": None, "width": 4, "height": 4}
    return {
        "id": f"row{number}", "document_id": f"d{number}", "source": "web", "task": "guide", "url": None, "license": "CC-BY-4.0",  # noqa: E501
        "messages": [], "images": [None], "image_info": [{**info, **whole}], "scores": [], "provenance": None, **changes,  # noqa: E501
    }  # fmt: skip


def surveyed(folder: Path, given: list[dict[str, Any]], **terms: Any):
    pq.write_table(pa.Table.from_pylist(given, schema=public.schema()), folder / "a.parquet")
    return survey([folder / "a.parquet"], Terms(**{"config": PushConfig(), **terms}))


def faults_of(
    folder: Path, given: list[dict[str, Any]], *allowed: str, with_bytes: bool = True, **terms: Any
) -> list[str]:
    try:
        refuse(surveyed(folder, given, **terms), allowed, with_bytes)
    except PublishError as error:
        return str(error).splitlines()[1:]
    return []


def test_a_license_that_is_not_listed_is_named_with_its_records_and_the_hint(tmp_path):
    given = [
        row(0),
        *(row(number, license="CC-BY-NC-4.0") for number in range(1, 6)),
        row(7, license="All rights reserved"),
    ]
    assert faults_of(tmp_path, given) == [
        "license: 6 records: CC-BY-NC-4.0 (5), All rights reserved (1); for example row1, row2, row3; "
        "list it in push.licenses if you may redistribute it, or remove the records with `leaf remove`, "
        "or give --allow license"
    ]
    assert faults_of(tmp_path, given, "license") == []
    assert (
        faults_of(
            tmp_path, given, config=PushConfig(licenses=("cc by nc 4.0", "CC-BY-4.0", "all rights RESERVED"))
        )
        == []
    )


@pytest.mark.parametrize("near", ["CC-BY-3.0-DE", "CC-BY-NC-ND-4.0", "CC-BY-4.0-or-not", "CC-BY"])
def test_nothing_is_guessed_of_a_license(tmp_path, near):
    assert [line.partition(":")[0] for line in faults_of(tmp_path, [row(0, license=near)])] == ["license"]


@pytest.mark.parametrize("stated", [None, "", "  "])
def test_no_license_is_a_state_of_its_own(tmp_path, stated):
    given = [row(0, license=stated)]
    assert [line.partition(":")[0] for line in faults_of(tmp_path, given)] == ["unknown-license"]
    assert faults_of(tmp_path, given, "unknown-license") == []
    assert faults_of(tmp_path, given, config=PushConfig(unknown_license="allow")) == []
    assert len(faults_of(tmp_path, given, "license")) == 1


def test_a_license_that_holds_for_documents_does_not_for_images(tmp_path):
    given = [row(0, image={"license": "CC-BY-ND-4.0"}), row(1, image={"license": None})]
    (line,) = faults_of(tmp_path, given)
    assert line.startswith(
        "image-license: 2 records: CC-BY-ND-4.0 (1), no license stated (1); for example row0, row1; "
        "set push.images: auto"
    )
    assert faults_of(tmp_path, given, with_bytes=False) == []


def test_ignored_opt_outs_are_a_fault_of_the_source(tmp_path):
    given = [row(0), row(1, source="pages", image={"ref": "a.png"})]
    assert faults_of(tmp_path, given, ignored_opt_out=frozenset({"pages"}))[0].startswith(
        "opt-out: 1 record: source pages (1); for example row1"
    )
    assert faults_of(tmp_path, given, ignored_web_opt_out=True)[0].startswith(
        "opt-out: 1 record: source web (1); for example row0"
    )


def test_a_failed_score_is_a_fault_and_a_refused_one_is_a_verdict(tmp_path):
    scores = [
        {"name": "judge.text_quality", "image": None, "value": None, "state": state}
        for state in ("failed", "refused", "not_scored")
    ]
    assert faults_of(tmp_path, [row(0, scores=scores)]) == [
        (
            "failed: 1 record: judge.text_quality (1); for example row0; run `leaf build "
            "--retry-failed`, or give --allow failed"
        )
    ]


def test_what_was_removed_is_let_through_by_nothing(tmp_path):
    terms = Suppressed((entry("url", "http://PICS.example/a.png"),))
    (line,) = faults_of(tmp_path, [row(0)], "license", "drift", "suppressed", suppressed=terms)
    assert line.startswith(
        "suppressed: 1 record: url http://PICS.example/a.png (1); for example row0; run `leaf build`"
    )
    assert "--allow suppressed" not in line


def test_toy_scores_are_refused_until_they_are_named(push, hub):
    with pytest.raises(
        PublishError,
        match=r"toy: the tiny CLIP scored images .*ViT-B/32 and build again, or give --allow toy",
    ):
        push("push.allow=[]")
    assert hub.asked.total() == 0
    assert push("push.allow=[]", allowed=["toy"]).commit


def test_a_build_that_was_cut_is_refused_until_it_is_named(push, hub, shards):
    (shards / "record.json").unlink()
    (shards / "README.md").unlink()  # written behind the shards, too
    with pytest.raises(
        PublishError, match=r"unfinished: .*; run `leaf build` until it finishes, or give --allow unfinished"
    ):
        push()
    assert push(allowed=["unfinished"]).commit
    assert push("push.images=reference", allowed=["unfinished"]).commit
    assert "README.md" not in hub.repos["me/demo"].files


def test_a_recipe_that_moved_on_is_refused_with_what_changed(push, hub):
    with pytest.raises(
        PublishError, match=r"drift: filter\.min_words 10 -> 11; run `leaf build`, or give --allow drift$"
    ):
        push("filter.min_words=11")
    with pytest.raises(PublishError, match=r"drift: shard\.max_bytes 1500 -> 9000"):
        push("shard.max_bytes=9000")
    assert push("filter.min_words=11", allowed=["drift"]).commit


def test_a_stage_that_is_behind_the_one_before_it_is_named(built, push, hub):
    source = built.parent / "data/docs.jsonl"
    source.write_text(
        "".join(source.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8"
    )
    build(built, until="filter")
    with pytest.raises(
        PublishError, match=r"drift: rewrite: its input; run `leaf build`, or give --allow drift$"
    ):
        push()


def test_a_dataset_that_was_never_built_names_the_hint(push, hub):
    with pytest.raises(PublishError, match="runs/other: has not been built yet; run `leaf build`"):
        push("name=other")
    assert hub.asked.total() == 0


def test_all_faults_are_reported_together_one_per_line(built, hub):
    done = leaf("push", built, "--repo", "me/demo", "--set", "push.allow=[]", "--set", "push.licenses=[MIT]")
    assert done.returncode == 1
    found = [line for line in done.stderr.splitlines() if not line.startswith("leaf: push: checking")]
    assert [line.split(": ")[1] for line in found] == ["this dataset cannot be published:", "license", "toy"]
    assert "license: 12 records: CC0-1.0 (12); for example " in found[1]


def test_an_unknown_fault_is_wrong_usage(built):
    done = leaf("push", built, "--repo", "me/demo", "--allow", "everything")
    assert done.returncode == 2
    assert "'everything' is none of license, unknown-license" in " ".join(
        done.stderr.replace("│", "").split()
    )


def test_shards_that_still_hold_what_was_removed_are_refused_until_they_are_built_again(
    built, push, hub, shards
):
    """Also where drift is allowed: there is no way round the list but to take the line out."""
    record = rows(shards)[0]
    (built.parent / "recipe.suppressed.jsonl").write_text(json.dumps({"id": record["document_id"]}) + "\n")
    with pytest.raises(PublishError, match=rf"suppressed: 1 record: id {record['document_id']}"):
        push(allowed=["drift"])
    assert hub.asked.total() == 0
    build(built)
    push()
    assert record["id"] not in {row["id"] for row in rows(shards)}
