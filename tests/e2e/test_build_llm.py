"""The whole build with a language model behind a real HTTP server: what is sent, what a repeat costs, what an
outage leaves."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import leaf
from e2e.test_build import pages
from llm.judging import text_of, verdict
from llm.misbehaving import Body, Misbehaving, Step, depending, good, say, status
from making import build, mmc4, recipe, rows
from report.looking import Page

from leafinstruct import pipeline
from leafinstruct.filter.catalog import JUDGE_ASPECTS
from leafinstruct.llm.request import SentImage
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.report.explain import lineage
from leafinstruct.report.inspect import page as inspection
from leafinstruct.report.status import entries


def is_judge(body: Body) -> bool:
    return "You rate web documents" in text_of(body)


def answer(body: Body) -> Step:
    """What a willing model says: fours for the judge; for the rewriter every image in order."""
    if is_judge(body):
        return good(verdict(body))
    return good(example(body))


QUESTION = "Show me how it goes on."
_SHOWN = re.compile(r"^image (\d+)(?: \(belongs to \[\d+\]\))?:$|^\[\d+\] \w+: (\".*\")$", re.MULTILINE)


def example(body: Body, shuffle: bool = False) -> dict[str, Any]:
    """The document's texts and images in their order, divided where the task says."""
    given = re.search(
        r"the context is the beginning of the document with images? (?:1 to )?(\d+)", text_of(body)
    )
    asked = body["messages"][1]["content"]  # a repair repeats the schema, not the document
    shown = [asked] if isinstance(asked, str) else [item["text"] for item in asked if "text" in item]
    context: list[dict[str, Any]] = []
    response: list[dict[str, Any]] = []
    place = context if given else response
    for number, words in _SHOWN.findall("\n".join(shown)):
        if number:
            place.append({"type": "image", "image": int(number)})
        else:
            place.append({"type": "text", "text": json.loads(words)})
        if given and number == given[1]:
            place = response
    if shuffle:
        images = [part for part in response if part["type"] == "image"]
        for part, moved in zip(images, [part["image"] for part in reversed(images)], strict=True):
            part["image"] = moved
    return {"instruction": QUESTION, "context": context, "response": response}


@pytest.fixture
def own(tmp_path: Path, server: Misbehaving) -> Path:
    mmc4(tmp_path / "data", pages(6))
    return recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 10,
            "alignment": {"allow_toy": True},
            "rules": [{"score": "judge.text_quality", "min": 3, "model": "m"}],
        },
        llm={"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60},
        rewrite={"refine": None},
    )


def test_judge_and_rewriter_see_the_images_in_their_places_and_a_repeat_costs_nothing(own, server):
    build(own)
    assert len(server.seen) == 12
    for seen in server.seen:
        shown = [part["type"] for part in seen.body["messages"][1]["content"]]
        assert shown.count("image_url") == 3
        assert shown[0] == "text"
        assert shown[1] == "image_url"
    found = rows(own.parent / "runs/t/shard")
    assert len(found) == 6
    for row in found:
        scores = {score["name"]: score["value"] for score in row["scores"]}
        assert scores["judge.text_quality"] == 4.0
        assert not any(name.startswith("rules.") for name in scores)
        assert {item["name"]: item["identity"] for item in row["provenance"]["models"]}["rewrite"] == "m"
        assert row["messages"][0]["content"][0]["text"] == QUESTION
        assert [item["name"] for item in row["provenance"]["prompts"]] == ["judge", "rewrite"]
    build(own, rebuild=True)
    build(own, "filter.rules[0].min=2")
    assert len(server.seen) == 12


def test_the_page_shows_the_judges_answer_and_runs_none_of_it(own, server, tmp_path):
    sentence = "It tells </script><b>three</b> steps, each with its image."
    server.always = depending(
        lambda body: good(verdict(body, 5, sentence, text_quality=2)) if is_judge(body) else answer(body)
    )
    build(own, "filter.rules[0].min=1")
    inspection.inspect(pipeline.artifacts(recipes.load(own)), tmp_path / "page.html", 100, lambda *_: None)
    scripts = dict(Page((tmp_path / "page.html").read_text(encoding="utf-8")).scripts)
    records = json.loads(scripts["data"])
    explained = [record["explanations"] for record in records]
    assert [{name: text for name, text in item.items() if "judge." in name} for item in explained] == [
        dict.fromkeys((f"judge.{aspect}" for aspect in JUDGE_ASPECTS), sentence)
        | dict.fromkeys(("judge.text_image_relevance", "judge.least_image_relevance"), "of 3 images")
    ] * 6
    names = [score["name"] for score in json.loads(scripts["meta"])["scores"]["own"]]
    assert [record["scores"][names.index("judge.text_quality")] for record in records] == [2.0] * 6
    assert all(record["examples"][0]["turns"][0]["parts"][0]["text"] == QUESTION for record in records)


def test_one_added_document_costs_one_question_of_each_kind(own, server):
    build(own)
    mmc4(own.parent / "data", pages(1, start=70), name="more.jsonl")
    build(own)
    assert [is_judge(seen.body) for seen in server.seen[12:]] == [True, False]


def test_a_moved_threshold_asks_nobody_and_a_loosened_one_only_about_those_it_brings_back(own, server):
    build(
        own,
        "filter.rules[1]={score: text.words, max: 40}",
        "filter.rules[2]={score: text.repetition, max: 1}",
    )
    asked = len(server.seen)
    build(
        own,
        "filter.rules[1]={score: text.words, max: 40}",
        "filter.rules[2]={score: text.repetition, max: 0.99}",
    )
    assert len(server.seen) == asked
    build(own, "filter.min_words=1")
    assert len(server.seen) == 12


def test_an_answer_that_reorders_images_is_repaired_with_the_reason_and_else_dropped(own, server):
    stubborn = "host3.example/3"

    def choose(body: Body) -> Step:
        if is_judge(body):
            return answer(body)
        repaired = "once each and in this order" in text_of(body)
        return good(example(body, shuffle=not repaired or "Number 3." in text_of(body)))

    server.always = depending(choose)
    build(own, "rewrite.tasks=[guide]")
    run = own.parent / "runs/t"
    assert len(rows(run / "shard")) == 5
    dropped = [row for path in (run / "rewrite").rglob("dropped-*.parquet") for row in table.read(path)]
    assert [row["url"] for row in dropped] == [f"https://{stubborn}"]
    assert dropped[0]["drops"][0]["rule"] == "answer_unparsed"
    assert "in this order" in dropped[0]["drops"][0]["detail"]


def named(body: Body) -> Body:
    """A body as the journal has it: images by the sha256 of the bytes that were sent."""

    def reported(part: Any) -> Any:
        if not isinstance(part, dict) or part["type"] != "image_url":
            return part
        head, _, data = part["image_url"]["url"].partition(",")
        image = SentImage(base64.b64decode(data), head.removeprefix("data:").removesuffix(";base64"))
        return {
            "type": "image",
            "sha256": image.sha256,
            "media_type": image.media_type,
            "bytes": len(image.data),
        }

    messages = body["messages"]
    return {
        **body,
        "messages": [
            {
                **m,
                "content": [*map(reported, m["content"])] if isinstance(m["content"], list) else m["content"],
            }
            for m in messages
        ],
    }


def test_what_was_asked_is_explained_as_sent_with_every_try_and_what_it_took(own, server):
    """Number 3 is repaired once, number 4 twice in vain; the bodies are those that the server saw."""

    def choose(body: Body) -> Step:
        if is_judge(body):
            return answer(body)
        tries = text_of(body).count("once each and in this order")
        return good(
            example(
                body, shuffle="Number 4." in text_of(body) or ("Number 3." in text_of(body) and tries == 0)
            )
        )

    server.always = depending(choose)
    price = "llm.price={input_per_million: 2, output_per_million: 8}"
    build(own, "rewrite.tasks=[guide]", price)
    loaded = recipes.load(own, ())
    stages, kept = pipeline.artifacts(loaded), loaded.answers

    def reported(number: int) -> dict[str, Any]:
        record = lineage.look(stages, f"https://host{number}.example/{number}", kept)["record"]
        assert record is not None
        return dict(record)

    def seen(number: int, judging: bool) -> list[Body]:
        return [
            named(item.body)
            for item in server.seen
            if f"Number {number}." in text_of(item.body) and is_judge(item.body) == judging
        ]

    for number, fate, tries in ((2, "sharded", 1), (3, "sharded", 2), (4, "dropped_by_rewrite", 3)):
        record = reported(number)
        asked = record["rewrite"]["asked"]
        (exchange,) = asked["exchanges"]
        assert record["fate"] == fate
        assert exchange["sent"] == seen(number, judging=False)[-1]
        assert len(exchange["tries"]) == tries == len(seen(number, judging=False))
        assert [attempt["fault"] == "" for attempt in exchange["tries"]] == [False] * (tries - 1) + [
            fate == "sharded"
        ]
        assert json.loads(exchange["tries"][0]["text"])["instruction"] == QUESTION
        assert asked["paid"] == {
            "requests": tries,
            "input_tokens": 100 * tries,
            "output_tokens": 20 * tries,
            "estimated": False,
        } | {"dollars": pytest.approx(tries * (100 * 2 + 20 * 8) / 1e6)}
        judged = record["filter"]["judge"]
        assert judged["exchanges"][0]["sent"] == seen(number, judging=True)[-1]
        assert judged["answers"][0]["value"]["text_quality"] == {"reason": "fine", "score": 4}
        assert record["cost"]["requests"] == tries + 1
    assert reported(4)["rewrite"]["asked"]["answers"] == []
    costs = {entry["stage"]: entry["cost"] for entry in entries(stages)}
    assert costs["rewrite"]["requests"] == 6 + 1 + 2
    assert costs["rewrite"]["dollars"] == pytest.approx(9 * 360 / 1e6)
    # the answers come from the cache, the price with them
    build(own, "rewrite.tasks=[guide]", price, rebuild=True)
    assert entries(stages)[1]["cost"] == costs["filter"]
    shown = leaf("explain", "https://host3.example/3", own).stdout
    assert "rewrite: one guide" in shown
    assert "2 requests, 200 tokens in, 40 out, $0.000720" in shown
    assert "filter: 6 answers in 6 requests, 600 tokens in, 120 out, $0.0022" in leaf("status", own).stdout


def test_an_outage_is_no_verdict_it_ends_the_run_resumable(own, server):
    server.always = depending(lambda body: answer(body) if "Number 1." in text_of(body) else status(503))
    first = leaf("build", own, "--set", "llm.deadline=8")
    assert first.returncode == 1
    assert "stopped answering" in first.stderr
    assert "1 of 6 documents are judged and kept: run the same command again" in first.stderr
    assert "Traceback" not in first.stderr
    assert not (own.parent / "runs/t/filter/record.json").exists()
    asked_well = sum("Number 1." in text_of(seen.body) for seen in server.seen)
    server.always = depending(answer)
    assert leaf("build", own).returncode == 0
    assert len(rows(own.parent / "runs/t/shard")) == 6
    # its rewriting only
    assert sum("Number 1." in text_of(seen.body) for seen in server.seen) == asked_well + 1


def test_a_tolerated_outage_drops_with_its_state_and_retry_failed_asks_again(own, server):
    server.always = depending(lambda body: status(503) if "Number 1." in text_of(body) else answer(body))
    two = (
        "filter.rules=[{score: judge.text_quality, min: 3, model: m}, {score: judge.instruction_value, "
        "min: 3, model: m}]"
    )
    build(own, "llm.tolerate_failures=0.5", "llm.deadline=1", two)
    run = own.parent / "runs/t"
    dropped = [row for path in (run / "filter").rglob("dropped-*.parquet") for row in table.read(path)]
    assert [(drop["rule"], drop["value"]) for row in dropped for drop in row["drops"]] == [
        ("judge.text_quality", None)
    ]
    reported = lineage.look(
        pipeline.artifacts(recipes.load(own, ())), dropped[0]["id"], own.parent / "runs/.answers"
    )["record"]
    ends = {rule["rule"]: rule["outcome"] for rule in reported["filter"]["rules"]}
    assert (ends["judge.text_quality"], ends["judge.instruction_value"]) == (
        "dropped_document",
        "not_reached",
    )
    assert ends["min_words"] == "passed"
    assert len(rows(run / "shard")) == 5
    server.always = depending(answer)
    build(own, "llm.tolerate_failures=0.5", "llm.deadline=1", two)
    assert len(rows(run / "shard")) == 5
    build(own, "llm.tolerate_failures=0.5", "llm.deadline=1", two, retry_failed=True)
    assert len(rows(run / "shard")) == 6


def test_a_refused_key_and_a_missing_variable_are_one_line_and_no_key_is_written(own, server):
    server.always = status(
        401, {"error": {"message": "Incorrect API key provided: sk-topsecret", "code": "invalid_api_key"}}
    )
    setting = ("--set", "llm.key_env=LEAF_TEST_KEY")
    missing = leaf("build", own, *setting)
    assert missing.returncode == 1
    assert "LEAF_TEST_KEY" in missing.stderr
    refused = leaf("build", own, *setting, LEAF_TEST_KEY="sk-topsecret")
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert server.url in refused.stderr
    everything = refused.stdout + refused.stderr
    for path in own.parent.rglob("*"):
        if path.is_file():
            everything += path.read_bytes().decode("latin-1")
    assert "topsecret" not in everything
    assert len([line for line in refused.stderr.splitlines() if "401" in line]) == 1


def test_a_budget_ends_the_run_before_it_is_passed(own, server):
    """The first answer costs $3.52 and shows that the second may cost over $5: 2,048 tokens for its answer
    and 3,500 for the question."""
    usage = {"prompt_tokens": 3500, "completion_tokens": 20, "total_tokens": 3520}
    server.always = depending(lambda body: good(verdict(body), usage=usage))
    found = leaf(
        "build",
        own,
        "--set",
        "llm.price={input_per_million: 1000, output_per_million: 1000}",
        "--set",
        "llm.budget=6",
    )
    assert found.returncode == 1
    assert "would pass $6; $3.5200 spent on 1 requests" in found.stderr
    assert len(server.seen) == 1


def test_a_model_that_never_answers_in_json_gives_unparsed_cells(own, server):
    server.always = depending(lambda body: say("I like it.") if is_judge(body) else answer(body))
    found = leaf("build", own)
    assert found.returncode == 1
    assert "no document is left after filter: judge.text_quality (unparsed) removed 6" in found.stderr
    scores = [
        row for path in (own.parent / "runs/t/filter").rglob("scores-*.parquet") for row in table.read(path)
    ]
    assert {row["state"] for row in scores if row["name"].startswith("judge.")} == {"unparsed"}
    assert json.loads(leaf("status", own, "--json").stdout)["stages"][1]["state"] == "unfinished"
