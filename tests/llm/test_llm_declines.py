"""Error bodies of providers are classified by their subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.llm.faults.decline_words import Kind
from leafinstruct.llm.faults.declines import complaint, kind_of, normal

SENT = {"model": "m", "messages": [], "temperature": 0, "max_tokens": 9, "response_format": {}}


def error(
    message: str, code: object = None, kind: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """An error as OpenAI sends it."""
    return {"error": {"message": message, "code": code, "type": kind, "param": param}}


BODIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "provider_errors.jsonl").read_text(encoding="utf-8").splitlines()
]
"""Error bodies in the words of their providers, each with its HTTP status and the kind of error that it
is."""


@pytest.mark.parametrize(
    "case", BODIES, ids=[f"{number}-{case['kind']}" for number, case in enumerate(BODIES)]
)
def test_an_error_is_classified(case: dict[str, Any]) -> None:
    assert kind_of(case["status"], complaint(case["body"]), SENT) is Kind(case["kind"])


def test_an_unsupported_field_that_was_not_sent_is_ignored() -> None:
    body = error(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    )
    assert kind_of(400, complaint(body), {"model": "m", "messages": [], "max_tokens": 9}) is Kind.FIELD
    assert kind_of(400, complaint(body), {"model": "m", "messages": []}) is Kind.UNKNOWN


PAGE = (
    "The minister said that our credit balance is too low and that the account was suspended; all this "
    "content was flagged."
)


@pytest.mark.parametrize(
    "body",
    [
        error(f'cannot tokenize "{PAGE}"'),
        error("bad request; " + "x" * 700 + PAGE),
        {"detail": [{"loc": ["body", "messages"], "msg": "field required", "input": PAGE}]},
        {"error": {"message": "bad request", "failed_generation": PAGE, "messages": [{"content": PAGE}]}},
    ],
    ids=["quoted", "far behind", "input", "echo"],
)
def test_the_words_of_a_page_decide_nothing(body: Any) -> None:
    assert kind_of(400, complaint(body), SENT) is Kind.UNKNOWN


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.text() | st.sampled_from(["error", "message", "code", "metadata", "raw"]), inner
            )
        ),
        max_leaves=8,
    ),
    st.integers(400, 599),
)
def test_any_body_is_of_some_kind(body: Any, status: int) -> None:
    assert isinstance(kind_of(status, complaint(body), SENT), Kind)


def test_a_body_of_many_brackets_is_read_in_bounds() -> None:
    assert kind_of(400, complaint("{" * 100_000), SENT) is Kind.UNKNOWN
    deep: Any = "credit"
    for _ in range(400):
        deep = {"error": deep}
    assert kind_of(400, complaint(deep), SENT) is Kind.UNKNOWN


def test_equal_declines_are_equal_whatever_their_numbers() -> None:
    one = normal("HTTP 400, request req_81: Policy engine refuses request 7f3a-11 of 'lesson 1' (code 4711)")
    assert one == normal(
        "HTTP 400, request req_92: Policy engine refuses request 9bcd-42 of 'lesson 22' (code 4711)"
    )
    assert one != normal("HTTP 400, request req_92: The storage engine is full")
