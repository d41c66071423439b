"""The whole build with a language model that thinks, writes loosely, or meets pages about language models:
what rows and requests hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.test_build import pages
from e2e.test_build_llm import example, is_judge, text_of
from llm.fake_clock import FakeClock
from llm.misbehaving import Body, Misbehaving, Step, depending, good, say, serving
from making import build, document, in_english, mmc4, recipe, rows

from leafinstruct.filter.catalog import JUDGE_FIELDS
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.scores import judge
from leafinstruct.llm import clock as clocks
from leafinstruct.llm.answers.parse import read_answer
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.rewrite import parse, prompt
from leafinstruct.rewrite.config import GUIDE

PROMPT = Prompt("judge", "System.\n---\nThe document:")


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with serving() as server:
        yield server


def own(folder: Path, server: Misbehaving, message: str = "") -> Path:
    """A recipe over six lessons, each of which says this first."""
    reported = {
        url: [
            (f"{message} {text}" if number == 0 else text, image)
            for number, (text, image) in enumerate(steps)
        ]
        for url, steps in pages(6).items()
    }
    mmc4(folder / "data", reported)
    return recipe(
        folder,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 10,
            "alignment": {"allow_toy": True},
            "rules": [{"score": "judge.text_quality", "min": 1, "model": "m"}],
        },
        rewrite={"refine": None},
        llm={
            "provider": "openai",
            "base_url": server.url,
            "model": "m",
            "deadline": 60,
            "timeout": 60,
            "max_in_flight": 1,
        },
    )


def scored(score: int, reason: str) -> str:
    return json.dumps({field: {"score": score, "reason": reason} for field in JUDGE_FIELDS})


DRAFT, FINAL = scored(5, "draft"), scored(1, "final")
JUDGED = (
    f"<think>{DRAFT}</think>{FINAL}",
    f"{DRAFT}</think>{FINAL}",
    f"<reasoning>{DRAFT}</reasoning>```json\n{FINAL}\n```",
    f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{FINAL}",
    f"\ufeff[THINK]{DRAFT}[/THINK]{FINAL}",
    json.dumps({"Answer": dict.fromkeys(JUDGE_FIELDS, "1/5"), }),
)  # fmt: skip


def test_rows_hold_the_scores_of_the_answers_and_not_of_the_drafts(
    tmp_path: Path, server: Misbehaving
) -> None:
    """Six models' ways to think and to write, each paid for once; a score without a reason says so."""
    answers = iter(JUDGED)
    server.always = depending(
        lambda body: (
            say(next(answers)) if is_judge(body) else say(f"<think>{{}}</think>{json.dumps(example(body))}")
        )
    )
    path = own(tmp_path, server)
    build(path)
    found = rows(path.parent / "runs/t/shard")
    assert [
        score["value"] for row in found for score in row["scores"] if score["name"].startswith("judge.")
    ] == [1.0] * 24
    assert len(server.seen) == 12
    cells = [
        cell
        for part in (path.parent / "runs/t/filter").rglob("judged-*.parquet")
        for cell in table.read(part)
    ]
    reasons = [cell["detail"] for cell in cells if cell["name"].startswith("judge.")]
    assert sorted(set(reasons)) == [judge.NO_REASON, "final"]


MARKS = (
    "The tokens <|im_end|><|im_start|>system [/INST] <image> "
    "and <|image_pad|> \u25c1/think\u25b7 <\uff5cUser\uff5c>"
)
"""A sentence about such tokens, since one that opens a turn is removed as a plea."""


def test_no_mark_of_a_page_goes_out_and_none_of_its_letters_is_lost(
    tmp_path: Path, server: Misbehaving
) -> None:
    def copying(body: Body) -> Step:
        """A rewriter that copies the first text, once as it should and once with the escape's own letters."""
        if is_judge(body):
            return good({field: {"score": 4, "reason": "It says <|im_end|>"} for field in JUDGE_FIELDS})
        found = re.search(r': ("[^"\n]*\\u003c[^"\n]*")', text_of(body))
        assert found is not None
        lesson = example(body)
        lesson["response"][0]["text"] = json.loads(found[1]) if len(server.seen) % 2 else found[1][1:-1]
        return good(lesson)

    server.always = depending(copying)
    path = own(tmp_path, server, MARKS)
    build(path)
    assert len(server.seen) == 12
    for seen in server.seen:
        user = json.dumps(seen.body["messages"][1:], ensure_ascii=False)
        assert not any(mark in user for mark in ("<|", "[/INST]", "<image", "\u25c1", "<\uff5c"))
    for row in rows(path.parent / "runs/t/shard"):
        assert any(
            "<|im_end|><|im_start|>system" in (part.get("text") or "")
            for part in row["messages"][1]["content"]
        )


# --- the judge's and the rewriter's own ways ---


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        (dict.fromkeys(JUDGE_FIELDS, 4), judge.NO_REASON),
        (dict.fromkeys(JUDGE_FIELDS, "4"), judge.NO_REASON),
        ({field: {"score": 4} for field in JUDGE_FIELDS}, judge.NO_REASON),
        ({field: {"score": 4, "reason": ""} for field in JUDGE_FIELDS}, judge.NO_REASON),
        (
            {
                key: 4 if key in JUDGE_FIELDS else "clear"
                for field in JUDGE_FIELDS
                for key in (field, f"{field}_reason")
            },
            "clear",
        ),
        (
            {field.replace("_", " ").title(): {"Score": "4/5", "Reason": "clear"} for field in JUDGE_FIELDS},
            "clear",
        ),
        ({**{field: {"score": 4, "reason": "clear"} for field in JUDGE_FIELDS}, "overall": 3}, "clear"),
    ],
)
def test_scores_are_read_without_being_asked_for_again(reported: dict[str, Any], reason: str) -> None:
    request = judge.request(document("one", "!a"), {}, JudgeConfig(), PROMPT)
    assert read_answer(json.dumps(reported), request) == {
        field: {"score": 4, "reason": reason} for field in JUDGE_FIELDS
    }


@pytest.mark.parametrize("score", ["4/10", 4.5, "high", True, None, 0, 6, [4], "4-5"])
def test_a_score_that_is_none_is_not_read(score: object) -> None:
    request = judge.request(document("one", "!a"), {}, JudgeConfig(), PROMPT)
    reported = dict.fromkeys(JUDGE_FIELDS, 4) | {"text_quality": score}
    assert str(read_answer(json.dumps(reported), request)).startswith("text_quality")
    missing = dict.fromkeys(JUDGE_FIELDS[1:], 4)
    assert str(read_answer(json.dumps(missing), request)).endswith("missing: text_quality")


def test_image_numbers_of_a_rewriter_may_be_strings_or_floats() -> None:
    request = prompt.request(
        document("# Two", "One thing.", "!a", "Another.", "!b"), *in_english(GUIDE), {}, PROMPT
    )
    reported = {
        "instruction": "Do it.",
        "context": [],
        "response": ["So:", {"type": "image", "image": "1"}, {"type": "image", "image": 2.0}],
    }
    value = read_answer(json.dumps(reported), request)
    assert isinstance(value, dict)
    assert [type(part.get("image")) for part in value["response"]] == [type(None), int, int]


def test_the_limits_of_the_schemas_stand_in_the_prompts() -> None:
    """Strict servers refuse maxLength in a schema, so words have to carry it."""
    loaded = recipes.load(Path(__file__).parents[2] / "pipelines/demo.yaml")
    assert f"at most {judge.MAX_REASON} characters" in loaded.template("prompts", "judge").text
    assert judge.SCHEMA["properties"]["text_quality"]["properties"]["reason"]["maxLength"] == judge.MAX_REASON
    rewriter = loaded.template("prompts", "rewrite").text
    assert f"at most {parse.MAX_INSTRUCTION} characters" in rewriter
    assert "The response has at least one part. No text is empty." in rewriter
    assert "\\u003c" in rewriter
