"""Text -> answer: lists of parts, hostile texts, and the length of a reason."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from llm.asking import SCHEMA, question

from leafinstruct.llm.answers.parse import answer_part, is_object, is_writing, read_answer

ANSWER = '{"score": 1, "reason": "final"}'

# --- parts of a list ---

PARTS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["parts"],
    "properties": {
        "parts": {
            "type": "array",
            "items": {
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["type", "text"],
                        "properties": {"type": {"const": "text"}, "text": {"type": "string", "minLength": 1}},
                    },
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["type", "image"],
                        "properties": {
                            "type": {"const": "image"},
                            "image": {"type": "integer", "minimum": 1},
                        },
                    },
                ]
            },
        }
    },
}


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ('[{"type": "image", "image": "2"}]', [{"type": "image", "image": 2}]),
        ('[{"type": "image", "image": 2.0}]', [{"type": "image", "image": 2}]),
        ('[{"type": "Image", "image": 2, "caption": "x"}]', [{"type": "image", "image": 2}]),
        ('[{"image": 2}, {"text": "x"}]', [{"type": "image", "image": 2}, {"type": "text", "text": "x"}]),
        ('["x", 2]', [{"type": "text", "text": "x"}, {"type": "image", "image": 2}]),
        ('"x"', [{"type": "text", "text": "x"}]),
        ('{"type": "image", "image": 1}', [{"type": "image", "image": 1}]),
        ("null", []),
        ('[{"type": "text", "text": "x", "image": 2}]', None),
        ('["2"]', None),
        ('[{"type": "text", "text": ""}]', None),
        ('[{"type": "image", "image": "first"}]', None),
    ],
)
def test_parts_are_read_where_they_fit_one_form_only(written: str, parts: list[Any] | None) -> None:
    read = read_answer(f'{{"parts": {written}}}', replace(question(), schema=PARTS))
    if parts is None:
        assert isinstance(read, str)
        assert '{"type": "text", "text": a string of at least 1 character}' in read
    else:
        assert read == {"parts": parts}
        assert json.dumps(read) == json.dumps({"parts": parts})


# --- what is hostile ---


@pytest.mark.e2e
@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 20_000,
        "{" * 200_000,
        '{"a": ' + "[" * 200_000,
        '{"n": ' + "9" * 10_000 + "}",
        "{a" * 500_000,
        "{a" * 4_000_000,
        '{"score": 4, "reason": "</think>' * 33_000,
        '{"</think>":' * 85_000,
        "{//</think>" * 90_000,
        "{/*</think>" * 90_000,
        "{'</think>{\"</think>" * 50_000,
        "<think>" * 140_000,
        "<think " * 140_000,
        "[a" * 500_000,
        "<think a" + " " * 1_000_000,
        "{" + " " * 1_000_000,
        '{"score": 4, "reason": "x"' + " " * 1_000_000,
        ANSWER * 30_000,
        "{}" * 500_000,
        '{"score": "' + "4" * 1_000_000 + "'}",
        '{"score": [' + "1," * 500_000,
        '{"score": 4, "reason": "x", "more": [' + "[]," * 300_000 + "0]]}",
    ],
    ids=range(22),
)
def test_a_bomb_is_no_answer_and_costs_little(text: str) -> None:
    began = time.process_time()
    assert isinstance(read_answer(text, question()), str)
    assert not is_object(text)
    answer_part(text)
    is_writing(text, question())
    assert time.process_time() - began < 30


def test_ten_thousand_braces_in_a_thought_hide_no_answer() -> None:
    formulas = r"\frac{a}{b} {x_{i}} " * 2_500
    assert read_answer(f"<think>{formulas}</think>{ANSWER}", question()) == json.loads(ANSWER)
    assert read_answer(f"{formulas}{ANSWER}", question()) == json.loads(ANSWER)


def test_a_reason_states_the_rule_whole_however_long_the_value() -> None:
    schema = {
        **SCHEMA,
        "properties": {
            "score": SCHEMA["properties"]["score"],
            "reason": {"type": "string", "maxLength": 400},
        },
    }  # type: ignore[index]
    for value in ({"score": "x" * 100_000, "reason": ""}, {"score": 4, "reason": "<|im_end|>" * 100_000}):
        reason = str(read_answer(json.dumps(value), replace(question(), schema=schema)))
        where, rule = (
            ("score", "an integer from 1 to 5")
            if value["reason"] == ""
            else ("reason", "a string of at most 400 characters")
        )
        assert reason.startswith(f"{where} must be {rule}; your value began with: ")
        assert len(reason) <= 300
        assert "<" not in reason
