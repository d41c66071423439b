"""Text -> object: laws over any text, and the hostile cases."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import question

from leafinstruct.llm.parse import fault, first_object, is_object, read_answer

NO_BRACE = st.text(st.characters(exclude_characters="{<"))
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
OBJECT = st.dictionaries(st.text(), LEAF | st.lists(LEAF, max_size=2) | st.dictionaries(st.text(), LEAF, max_size=2), max_size=3)


@given(OBJECT, NO_BRACE, st.text(), st.booleans())
def test_the_first_object_is_found_whatever_stands_round_it(value: dict[str, object], before: str, after: str, pretty: bool) -> None:
    text = json.dumps(value, indent=2 if pretty else None)
    assert first_object(before + text + after) == value


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    value = first_object(text)
    assert value is None or isinstance(value, dict)


def test_a_draft_inside_a_thought_is_not_the_answer() -> None:
    assert first_object('<think>maybe {"score": 1}?</think>\n{"score": 4}') == {"score": 4}


def test_braces_that_are_no_json_are_passed_over() -> None:
    assert first_object('use {placeholders} like {{this}}: {"score": 4}') == {"score": 4}


@pytest.mark.parametrize("text", ['{"a":' * 20_000, "{" * 200_000, '{"a": ' + "[" * 200_000, '{"n": ' + "9" * 10_000 + "}"])
def test_a_bomb_is_no_answer_and_costs_little(text: str) -> None:
    began = time.process_time()
    assert first_object(text) is None
    assert not is_object(text)
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no JSON object in it"),
        ('["score", 4]', "there is no JSON object in it"),
        ('{"score": NaN, "reason": ""}', "there is no JSON object in it"),
        ('{"score": 0, "reason": ""}', "score: 0 is less than the minimum of 1"),
        ('{"score": 4}', "'reason' is a required property"),
        ('{"score": true, "reason": ""}', "score: True is not of type 'integer'"),
        ('{"score": 4, "reason": "", "extra": 1}', "Additional properties are not allowed ('extra' was unexpected)"),
        (r'{"score": 4, "reason": "\ud83d"}', "it is not plain JSON"),
    ],
)
def test_the_reason_names_the_place_and_the_rule(text: str, reason: str) -> None:
    answer = read_answer(text, question())
    assert isinstance(answer, str)
    assert answer.startswith(reason)


def test_a_reason_stays_short_however_long_the_value() -> None:
    assert len(str(read_answer(json.dumps({"score": "x" * 100_000, "reason": ""}), question()))) <= 300


def test_the_check_speaks_only_about_answers_that_fit_the_schema() -> None:
    """It may therefore read every required field."""
    request = question(check=lambda value: None if value["reason"] else "reason is empty")
    assert fault({"score": 4}, request) == "'reason' is a required property"
    assert fault({"score": 4, "reason": ""}, request) == "reason is empty"
    assert fault({"score": 4, "reason": "x"}, request) is None
