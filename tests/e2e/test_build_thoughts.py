"""The whole build with a language model that thinks, writes loosely, or meets pages about language models:
what rows and requests hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from e2e.test_build import pages
from e2e.test_build_llm import example, is_judge, text_of
from llm.judging import shown, verdict
from llm.misbehaving import Body, Misbehaving, Step, depending, good, say
from making import build, document, in_english, mmc4, png, recipe, rows

from leafinstruct.filter.catalog import JUDGE_ASPECTS
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.judging import request
from leafinstruct.llm.answers.parse import read_answer
from leafinstruct.llm.prompt import Prompt
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.rewrite import parse, prompt
from leafinstruct.rewrite.config import GUIDE

PROMPT = Prompt("judge", "System.\n---\nThe document:")
QUESTION = request.request(document("one", "!a"), {"a": (png(), "image/png")}, JudgeConfig(), PROMPT)


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


def judged(body: Body) -> list[str]:
    """The same answer as six models write it, with a draft in their thoughts."""
    draft, final = (
        json.dumps(verdict(body, score, reason)) for score, reason in ((5, "draft"), (1, "final"))
    )
    images = [{"image": image, "score": "1 out of 5"} for image in shown(body)]
    return [
        f"<think>{draft}</think>{final}",
        f"{draft}</think>{final}",
        f"<reasoning>{draft}</reasoning>```json\n{final}\n```",
        f"<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>{final}",
        f"\ufeff[THINK]{draft}[/THINK]{final}",
        json.dumps({"Answer": dict.fromkeys(JUDGE_ASPECTS, "1/5") | {"Images": images}}),
    ]


def test_rows_hold_the_scores_of_the_answers_and_not_of_the_drafts(
    tmp_path: Path, server: Misbehaving
) -> None:
    """Six models' ways to think and to write, each paid for once; a score without a reason says so."""
    ways = iter(range(6))
    server.always = depending(
        lambda body: (
            say(judged(body)[next(ways)])
            if is_judge(body)
            else say(f"<think>{{}}</think>{json.dumps(example(body))}")
        )
    )
    path = own(tmp_path, server)
    build(path)
    found = rows(path.parent / "runs/t/shard")
    # of each row: three images, six aspects, and mean and least of the images
    assert [
        score["value"] for row in found for score in row["scores"] if score["name"].startswith("judge.")
    ] == [1.0] * 6 * (3 + 6 + 2)
    assert len(server.seen) == 12
    cells = [
        cell
        for part in (path.parent / "runs/t/filter").rglob("judged-*.parquet")
        for cell in table.read(part)
    ]
    reasons = [cell["detail"] for cell in cells if cell["name"].startswith("judge.")]
    assert sorted(set(reasons)) == [request.NO_REASON, "final"]


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
            return good(verdict(body, reason="It says <|im_end|>"))
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


IMAGES = [{"image": 1, "reason": "clear", "score": 4}]


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        (dict.fromkeys(JUDGE_ASPECTS, 4), request.NO_REASON),
        (dict.fromkeys(JUDGE_ASPECTS, "4"), request.NO_REASON),
        ({aspect: {"score": 4} for aspect in JUDGE_ASPECTS}, request.NO_REASON),
        ({aspect: {"score": 4, "reason": ""} for aspect in JUDGE_ASPECTS}, request.NO_REASON),
        (
            {
                key: 4 if key in JUDGE_ASPECTS else "clear"
                for aspect in JUDGE_ASPECTS
                for key in (aspect, f"{aspect}_reason")
            },
            "clear",
        ),
        (
            {
                aspect.replace("_", " ").title(): {"Score": "4/5", "Reason": "clear"}
                for aspect in JUDGE_ASPECTS
            },
            "clear",
        ),
        ({**{aspect: {"score": 4, "reason": "clear"} for aspect in JUDGE_ASPECTS}, "overall": 3}, "clear"),
    ],
)
@pytest.mark.parametrize("written", [IMAGES, IMAGES[0], [{"Image": "1", "Score": "4/5", "Reason": "clear"}]])
def test_scores_are_read_without_being_asked_for_again(
    reported: dict[str, Any], reason: str, written: object
) -> None:
    value = read_answer(json.dumps({**reported, "images": written}), QUESTION)
    assert value == {aspect: {"score": 4, "reason": reason} for aspect in JUDGE_ASPECTS} | {"images": IMAGES}


@pytest.mark.parametrize("score", ["4/10", 4.5, "high", True, None, 0, 6, [4], "4-5", "n/a"])
def test_a_score_that_is_none_is_not_read(score: object) -> None:
    reported = dict.fromkeys(JUDGE_ASPECTS, 4) | {"text_quality": score, "images": IMAGES}
    assert str(read_answer(json.dumps(reported), QUESTION)).startswith("text_quality")
    del reported["text_quality"]
    assert str(read_answer(json.dumps(reported), QUESTION)).endswith("missing: text_quality")


def test_image_numbers_of_a_rewriter_may_be_strings_or_floats() -> None:
    two = prompt.request(
        document("# Two", "One thing.", "!a", "Another.", "!b"), *in_english(GUIDE), {}, PROMPT
    )
    reported = {
        "instruction": "Do it.",
        "context": [],
        "response": ["So:", {"type": "image", "image": "1"}, {"type": "image", "image": 2.0}],
    }
    value = read_answer(json.dumps(reported), two)
    assert isinstance(value, dict)
    assert [type(part.get("image")) for part in value["response"]] == [type(None), int, int]


def test_the_limits_of_the_schemas_stand_in_the_prompts() -> None:
    """Strict servers refuse maxLength in a schema, so words have to carry it."""
    loaded = recipes.load(Path(__file__).parents[2] / "pipelines/demo.yaml")
    assert f"at most {request.MAX_REASON} characters" in loaded.template("prompts", "judge").text
    reason = request.SCHEMA["properties"]["text_quality"]["properties"]["reason"]
    assert reason["maxLength"] == request.MAX_REASON
    rewriter = loaded.template("prompts", "rewrite").text
    assert f"at most {parse.MAX_INSTRUCTION} characters" in rewriter
    assert "The response has at least one part. No text is empty." in rewriter
    assert "\\u003c" in rewriter
