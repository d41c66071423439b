"""A build whose rewriter misbehaves: what its checks correct, refuse and keep, and what the reports show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command import leaf
from e2e.test_build import pages
from e2e.test_build_llm import answer, example, is_judge, text_of
from llm.misbehaving import Body, Step, depending, good
from making import build, mmc4, recipe, rows

from leafinstruct.records import table
from leafinstruct.records.rows import Drop


def misbehaving(body: Body) -> Step:
    """A rewriter that does something else with each page, whatever is sent back."""
    if is_judge(body):
        return answer(body)
    text, value = text_of(body), example(body)
    texts = [part for part in value["response"] if part["type"] == "text"]
    if "Number 0." in text:
        value["response"] = [part for part in value["response"] if part["type"] == "image"]
        value["response"].insert(0, {"type": "text", "text": "So:"})
    elif "Number 1." in text:
        texts[-1]["text"] += " It costs 7391 dollars."
    elif "Number 2." in text and "is required" not in text:
        texts[-1]["text"] += " It costs 7391 dollars."  # corrected when it is sent back
    elif "Number 3." in text:
        value |= {"fit": False, "because": "It is only an advertisement."}
    elif "Number 4." in text:
        gone = [part for part in value["response"] if part["type"] == "image"][-1]
        value["response"].remove(gone)
        value["leave_out"] = [{"image": gone["image"], "because": "the logo of a shop"}]
    return good(value)


def dropped(run: Path) -> dict[str, list[Drop]]:
    """Number of the page -> what rewrite dropped."""
    found: dict[str, list[Drop]] = {}
    for path in sorted((run / "rewrite").rglob("dropped-*.parquet")):
        for document, drops in table.decisions(path):
            found.setdefault(str(document.url)[-1], []).extend(drops)
    return found


def test_each_answer_is_corrected_refused_or_kept_for_its_own_reason(tmp_path, server):
    mmc4(tmp_path / "data", pages(6))
    server.always = depending(misbehaving)
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"min_words": 10, "alignment": {"allow_toy": True}, "rules": []},
        rewrite={"tasks": ["guide", "report"], "refine": None},
        llm={"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60},
    )
    build(path)
    run = tmp_path / "runs/t"
    found = dropped(run)
    assert {page: [drop.rule for drop in drops] for page, drops in found.items()} == {
        "0": ["rewrite.spread"],
        "1": ["rewrite.faithful"],
        "3": ["unfit"],
        "4": ["rewrite.left_out"],
    }
    spread, faithful, unfit, left = (drops[0] for drops in found.values())
    assert (spread.threshold, spread.state) == (0.6, "unparsed")
    assert spread.value is not None
    assert spread.value < 0.6
    assert faithful.threshold == 1.0
    assert faithful.detail.endswith("it does not have 7391 dollars")
    assert (unfit.detail, unfit.state, unfit.position) == ("It is only an advertisement.", "ok", None)
    assert left.detail == "the logo of a shop"
    published = {row["url"][-1]: row for row in rows(run / "shard")}
    assert published.keys() == {"2", "4", "5"}
    lacking = [info["source_position"] for info in published["4"]["image_info"]]
    whole = [info["source_position"] for info in published["5"]["image_info"]]
    assert lacking == whole[:-1]
    assert left.position == whole[-1]
    scores = {score["name"]: score["value"] for score in published["2"]["scores"]}
    assert (scores["rewrite.faithful"], scores["rewrite.kept"], scores["rewrite.question"]) == (1.0, 1.0, 1.0)
    reports = [json.loads(file.read_text("utf-8")) for file in (run / "rewrite").rglob("report-*.json")]
    assert [report["reasons"] for report in reports] == [
        {"rewrite.spread": 1, "rewrite.faithful": 1, "unfit": 1}
    ]
    assert reports[0]["image_reasons"] == {"rewrite.left_out": 1}
    shown = leaf("explain", published["4"]["document_id"], path).stdout
    assert f"image [{left.position}] left out: the logo of a shop" in shown
    assert "rewrite.faithful 1" in shown
    record: dict[str, Any] = json.loads(leaf("explain", published["2"]["document_id"], path, "--json").stdout)
    assert "rewrite.leak" in [item["name"] for item in record["record"]["examples"][0]["scores"]]
    assert "min_faithful 1" in (run / "shard/README.md").read_text("utf-8")
    asked = len(server.seen)
    build(path, "rewrite.checks.min_faithful=null")  # the refused answers were not stored
    assert dropped(run).keys() == {"0", "3", "4"}
    assert len(server.seen) == asked + 3 + 1, "one page is refused three times again, the other passes"
