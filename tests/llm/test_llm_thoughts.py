"""Models that think, behind a real server: what is stored, what is paid for, and when the run stops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llm.asking import SCHEMA, ask, ask_and_count, online, question
from llm.misbehaving import GOOD, Body, Misbehaving, Step, depending, good, say

from leafinstruct.errors import ProviderError
from leafinstruct.llm.cache import AnswerCache

DRAFT = '{"score": 5, "reason": "draft"}'
FINAL = '{"score": 1, "reason": "final"}'
ANSWER = {"score": 1, "reason": "final"}


def questions(count: int) -> list[Any]:
    return [question(f"lesson {number}") for number in range(count)]


# --- what is stored ---


@pytest.mark.parametrize(
    "step",
    [
        say(f"<think>{DRAFT}</think>\n{FINAL}"),
        say(f"\ufeff\n<Thinking>{DRAFT}</Thinking>{FINAL}"),
        say(f"{DRAFT} hm, no\n</think>\n{FINAL}"),
        say(f"<reasoning>\n```json\n{DRAFT}\n```\n</reasoning>\n```json\n{FINAL}\n```"),
        say(f"[THINK]{DRAFT}[/THINK]{FINAL}"),
        say(
            f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{FINAL}<|return|>"
        ),
        say(FINAL, reasoning_content=f"maybe {DRAFT}"),
        say(FINAL, reasoning=DRAFT, reasoning_details=[{"type": "reasoning.text", "text": DRAFT}]),
        say(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]},
                {"type": "text", "text": FINAL},
            ]
        ),
        say([{"type": "reasoning", "text": DRAFT}, {"type": "output_text", "text": FINAL}]),
        say([{"text": DRAFT, "thought": True}, {"text": FINAL}]),
        say({"type": "text", "text": FINAL}),
        say("{'score': '1', 'reason': 'final', 'confidence': 0.9,}"),
        say('{"Result": {"Score": "1/5", "Reason": "final"}}'),
    ],
    ids=range(14),
)
def test_the_answer_is_stored_and_not_its_draft(server: Misbehaving, tmp_path: Path, step: Step) -> None:
    server.script(step)
    for requests in (1, 0):
        [answer], counts = ask_and_count(online(server.url), tmp_path, question())
        assert (answer.state, answer.value, counts.requests) == ("ok", ANSWER, requests)
    [path] = tmp_path.glob("answers-*.jsonl")
    assert json.loads(path.read_text(encoding="utf-8"))["value"] == ANSWER


@pytest.mark.parametrize(
    "text",
    [
        f"{DRAFT} or rather {FINAL}",
        f'The page says "{DRAFT}", but I say {FINAL}',
        f"<think>{DRAFT} so {FINAL}",
    ],
)
def test_what_has_two_readings_is_asked_again_with_the_rule(
    server: Misbehaving, tmp_path: Path, text: str
) -> None:
    server.script(say(text))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.value, len(server.seen)) == (GOOD, 2)
    echo, rule = server.seen[1].body["messages"][-2:]
    assert rule["content"].startswith("Rule: answer with one JSON object")
    assert json.dumps(SCHEMA, sort_keys=True) in rule["content"]
    assert "<" not in echo["content"]


def test_an_older_parsers_misreading_is_not_what_the_cache_answers(
    server: Misbehaving, tmp_path: Path
) -> None:
    """The raw text counts: it is read again, and asked again only where it has two readings."""
    names = ("one", "two", "three")
    keys = {
        name: answer.key
        for name, answer in zip(names, ask(online(server.url), tmp_path, *map(question, names)), strict=True)
    }
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    cache = AnswerCache(tmp_path)
    for name, text in (
        ("one", f"<reasoning>{DRAFT}</reasoning>{FINAL}"),
        ("two", f"{DRAFT} no: {FINAL}"),
        ("three", "{'score': 3, 'reason': 'read'}"),
    ):
        cache.put(keys[name], "tiny", "judge", json.loads(DRAFT), text)
    cache.close()
    server.always = good({"score": 2, "reason": "asked"})
    answers, counts = ask_and_count(online(server.url), tmp_path, *map(question, names))
    assert [answer.value and answer.value["score"] for answer in answers] == [1, 2, 3]
    assert counts.requests == 1


def test_a_length_limit_is_the_rule_and_not_the_value(server: Misbehaving, tmp_path: Path) -> None:
    long = replace(
        question(),
        schema={
            **SCHEMA,
            "properties": {**SCHEMA["properties"], "reason": {"type": "string", "maxLength": 400}},
        },
    )  # type: ignore[dict-item]
    server.script(good({"score": 4, "reason": "so " * 400}))
    [answer] = ask(online(server.url), tmp_path, long)
    assert answer.value == GOOD
    rule = server.seen[1].body["messages"][-1]["content"]
    assert rule.startswith(
        'Rule: reason must be a string of at most 400 characters; your value began with: "so so '
    )
    assert "(1200 characters)" in rule


# --- thinking that uses up max_tokens ---


def used(tokens: int, **details: int) -> Body:
    return {"prompt_tokens": 100, "completion_tokens": tokens, "completion_tokens_details": details}


THOUGHTS = {
    "nothing": say("", finish="length", usage=used(50, reasoning_tokens=50)),
    "null": say(None, finish="length", usage=used(50), reasoning_content="Let me think about"),
    "unended": say(f"<think>Perhaps {DRAFT}? But", finish="length", usage=used(50)),
    "unmarked": say("Let me think about the steps of this", finish="length", usage=used(50)),
    "draft": say(f"Perhaps {DRAFT}? But on the other hand", finish="length", usage=used(50)),
    "not-stated": say("<think>Perhaps", usage=used(100)),
    "uncounted": say("", finish="length", usage={"none": 1}),
}


@pytest.mark.parametrize("step", THOUGHTS.values(), ids=THOUGHTS)
def test_thinking_that_uses_up_max_tokens_stops_the_run_after_a_few_answers(
    server: Misbehaving, tmp_path: Path, step: Step
) -> None:
    server.always = step
    with pytest.raises(
        ProviderError,
        match=r"4 of 4 answers used up llm\.max_tokens \(50\) for thoughts.*Raise llm\.max_tokens.*extra_body",  # noqa: E501
    ):
        ask(online(server.url, max_tokens=50, max_in_flight=1), tmp_path, *questions(40))
    assert len(server.seen) == 4
    assert not list(tmp_path.glob("answers-*"))


def test_answers_that_always_need_the_second_try_stop_the_run_too(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Else every document would be paid for three times. What was answered is kept, and a larger max_tokens
    goes on."""
    server.always = depending(lambda body: say("", finish="length") if body["max_tokens"] == 50 else good())
    with pytest.raises(ProviderError, match="4 of 7 answers used up"):
        ask(online(server.url, max_tokens=50, max_in_flight=1), tmp_path, *questions(40))
    assert len(server.seen) == 7
    answers = ask(online(server.url, max_tokens=200), tmp_path, *questions(40))
    assert {answer.state for answer in answers} == {"ok"}


def test_a_document_that_is_thought_about_for_long_is_unparsed_alone(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = depending(
        lambda body: THOUGHTS["nothing"] if body["messages"][1]["content"] == "lesson 3" else good()
    )
    answers = ask(online(server.url, max_tokens=50, max_in_flight=1), tmp_path, *questions(40))
    assert [number for number, answer in enumerate(answers) if answer.state != "ok"] == [3]
    assert answers[3].state == "unparsed"
    assert answers[3].detail.startswith(
        "cut at 100 tokens, twice llm.max_tokens, before an answer was begun. Raise llm.max_tokens"
    )


def test_answers_that_are_cut_are_no_thoughts(server: Misbehaving, tmp_path: Path) -> None:
    """Each is asked for once more, as before, and the run goes on: the documents may be long."""
    server.always = say('<think>hm</think>{"score": 4, "reas', finish="length", usage=used(50))
    answers = ask(online(server.url, max_tokens=50), tmp_path, *questions(12))
    assert {(answer.state, answer.detail) for answer in answers} == {
        ("unparsed", "cut at 100 tokens, twice llm.max_tokens")
    }
    assert len(server.seen) == 24


def test_a_thought_that_ends_without_an_answer_is_asked_for_it(server: Misbehaving, tmp_path: Path) -> None:
    server.script(say("", reasoning_content=f"I would say {DRAFT}"), say("<think>That is all.</think>"))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.value, len(server.seen)) == (GOOD, 3)
    assert server.seen[2].body["messages"][-2] == {"role": "assistant", "content": "(no answer)"}
    assert "behind your thoughts" in server.seen[2].body["messages"][-1]["content"]
