"""A whole build whose language model declines: what stops it, what is asked again, what stays, and what a
user is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import leaf
from e2e.test_build import pages
from e2e.test_build_llm import answer, example, is_judge, text_of
from llm.misbehaving import Body, Misbehaving, Step, depending, good, say, status
from making import build, mmc4, recipe, rows

from leafinstruct import pipeline
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.report.status import entries

FILTERED = status(400, {"error": {"message": "The prompt was filtered.", "code": "content_filter"}})


@pytest.fixture
def own(tmp_path: Path, server: Misbehaving) -> Path:
    """Twelve documents of three images, judged and rewritten, in parts of six."""
    mmc4(tmp_path / "data", pages(12))
    return recipe(
        tmp_path,
        part_size=6,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"min_words": 10, "rules": [{"score": "judge.text_quality", "min": 3, "model": "m"}]},
        llm={"provider": "openai", "base_url": server.url, "model": "m", "deadline": 60, "timeout": 60},
        rewrite={"refine": None},
    )


def about(body: Body, *numbers: int) -> bool:
    return any(f"Number {number}." in text_of(body) for number in numbers)


def reported(path: Path) -> list[dict[str, object]]:
    return entries(pipeline.artifacts(recipes.load(path, ())))


def asked(path: Path, stage: str) -> list[dict[str, object]]:
    return [
        row
        for file in sorted((path.parent / "runs/t" / stage).rglob("asked-*.parquet"))
        for row in table.read(file)
    ]


def test_credit_that_ends_stops_the_build_and_the_same_command_goes_on(
    own: Path, server: Misbehaving
) -> None:
    message = (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
        "upgrade or purchase credits."
    )
    server.script(*[depending(answer)] * 5)
    server.always = status(400, {"error": {"type": "invalid_request_error", "message": message}})
    # one at a time: an answer that is on its way when the build stops is asked for again
    ended = leaf("build", own, "--set", "llm.max_in_flight=1")
    assert ended.returncode == 1
    [line] = [line for line in ended.stderr.splitlines() if "credit" in line]
    assert line == (
        f"leaf: {server.url}: no credit left (HTTP 400): {message} Answers so far are saved. Add credit "
        "and run the same command again."
    )
    assert not (own.parent / "runs/t/filter/record.json").exists()
    server.always = depending(answer)
    server.seen.clear()
    assert leaf("build", own).returncode == 0
    assert len(rows(own.parent / "runs/t/shard")) == 12
    assert len(server.seen) == 7 + 12  # what the judge had not answered, and all rewriting


def test_what_a_filter_refused_is_counted_with_its_message_and_asked_again_on_demand(
    own: Path, server: Misbehaving
) -> None:
    def choose(body: Body) -> Step:
        return (
            FILTERED if about(body, 1, 2) and is_judge(body) else FILTERED if about(body, 3) else answer(body)
        )

    server.always = depending(choose)
    built = leaf("build", own)
    assert built.returncode == 0
    assert len(rows(own.parent / "runs/t/shard")) == 9
    for text in (built.stdout, leaf("status", own).stdout):
        assert re.search(r"dropped by judge\.text_quality \(refused\) +-3\b", text)
        assert (
            "filter: 3 refused by the model or its content filter (most often: HTTP #: The prompt was "
            "filtered.)"
        ) in text
        assert "--retry-refused" in text
    stages = json.loads(leaf("status", own, "--json").stdout)["stages"]
    assert stages[1]["unanswered"] == {"refused": {"count": 3, "message": "HTTP #: The prompt was filtered."}}
    assert stages[2]["unanswered"] == {}
    card = (own.parent / "runs/t/shard/README.md").read_text(encoding="utf-8")
    assert "judge.text\\_quality (refused)" in card or "judge.text_quality (refused)" in card
    server.seen.clear()
    assert leaf("build", own, "--retry-failed").returncode == 0
    assert server.seen == []  # a refusal is no failure
    server.always = depending(answer)
    assert leaf("build", own, "--retry-refused").returncode == 0
    assert [is_judge(seen.body) for seen in server.seen] == [True] * 3 + [False] * 3
    assert len(rows(own.parent / "runs/t/shard")) == 12
    assert [entry["unanswered"] for entry in reported(own)[1:3]] == [{}, {}]


def test_an_answer_that_could_not_be_read_is_asked_for_again_on_demand(
    own: Path, server: Misbehaving
) -> None:
    def choose(body: Body) -> Step:
        if is_judge(body):
            return answer(body)
        return (
            say("I would rather not.")
            if about(body, 4)
            else FILTERED
            if about(body, 5)
            else good(example(body))
        )

    server.always = depending(choose)
    build(own, "rewrite.tasks=[guide]")
    assert len(rows(own.parent / "runs/t/shard")) == 10
    entry = reported(own)[2]
    assert entry["reasons"] == {"answer_unparsed": 1, "answer_refused": 1}
    assert entry["unanswered"] == {
        "refused": {"count": 1, "message": "HTTP #: The prompt was filtered."},
        "unparsed": {
            "count": 1,
            "message": (
                "no valid answer after # repairs: answer with one JSON object; there is no JSON object in it"
            ),
        },
    }
    server.always = depending(answer)
    server.seen.clear()
    build(own, "rewrite.tasks=[guide]", retry_refused=True)
    assert len(rows(own.parent / "runs/t/shard")) == 12
    assert sorted(number for seen in server.seen for number in (4, 5) if about(seen.body, number)) == [4, 5]
    assert len(server.seen) == 2


def test_a_decline_that_nobody_understands_ends_the_stage_resumable_and_can_be_tolerated(
    own: Path, server: Misbehaving
) -> None:
    server.always = depending(
        lambda body: (
            status(400, {"error": {"message": "Bad things happen."}}) if about(body, 7) else answer(body)
        )
    )
    ended = leaf("build", own)
    assert ended.returncode == 1
    assert (
        f"the judge at {server.url} declined 1 of 12 documents (HTTP 400: Bad things happen.); the "
        "others are judged and kept"
    ) in ended.stderr
    assert leaf("build", own, "--set", "llm.tolerate_failures=0.2").returncode == 0
    assert len(rows(own.parent / "runs/t/shard")) == 11
    assert reported(own)[1]["unanswered"] == {
        "declined": {"count": 1, "message": "HTTP #: Bad things happen."}
    }
    server.always = depending(answer)
    assert leaf("build", own, "--set", "llm.tolerate_failures=0.2", "--retry-failed").returncode == 0
    assert len(rows(own.parent / "runs/t/shard")) == 12


def test_a_server_that_takes_one_image_gets_one_and_the_rows_record_what_was_shown(
    own: Path, server: Misbehaving
) -> None:
    limit = status(
        400, {"object": "error", "message": "At most 1 image(s) may be provided in one request.", "code": 400}
    )
    server.always = depending(lambda body: limit if images(body) > 1 else answer(body))
    build(own)
    assert len(rows(own.parent / "runs/t/shard")) == 12
    for stage in ("filter", "rewrite"):
        assert {row["detail"] for row in asked(own, stage)} == {
            "shown: 1 of 3 images; the server takes no larger request"
        }
        assert {row["state"] for row in asked(own, stage)} == {"ok"}
    assert sorted({images(seen.body) for seen in server.seen}) == [1, 3]
    assert len(server.seen) == 2 * (1 + 12)  # one of each step finds it out
    build(own, rebuild=True)
    # the larger question is declined once more, the smaller ones are in the cache
    assert len(server.seen) == 2 * (1 + 12) + 2


def images(body: Body) -> int:
    return sum(part["type"] == "image_url" for part in body["messages"][1]["content"])


def test_the_settings_of_every_request_are_in_the_card_without_what_is_private(
    own: Path, server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_SECRET", "geheim-12345678")
    extra = "llm.extra_body={top_p: 0.25, provider: {token: env:LEAF_TEST_SECRET}}"
    build(own, extra, "llm.headers={api-key: env:LEAF_TEST_SECRET, X-Title: mine}", "llm.temperature=null")
    assert {
        (seen.body["top_p"], seen.headers["api-key"], "temperature" in seen.body) for seen in server.seen
    } == {(0.25, "geheim-12345678", False)}
    facts = json.loads((own.parent / "runs/t/shard/build.json").read_text(encoding="utf-8"))
    assert facts["recipe"]["llm"]["extra_body"] == {"top_p": 0.25}
    assert facts["recipe"]["llm"]["temperature"] is None
    for path in (own.parent / "runs").rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert b"geheim" not in held
        assert b"X-Title" not in held
        assert b"LEAF_TEST_SECRET" not in held or path.name.startswith("exchanges-")
    asked_before = len(server.seen)
    build(
        own,
        extra.replace("0.25", "0.5"),
        "llm.headers={api-key: env:LEAF_TEST_SECRET}",
        "llm.temperature=null",
    )
    assert len(server.seen) == 2 * asked_before  # another question; another header alone would not have been
