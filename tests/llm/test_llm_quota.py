"""Rate limits: those that headers state, and tokens a minute."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import ask, ask_and_count, online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import Misbehaving, Step, raw, status

from leafinstruct.errors import RecipeError
from leafinstruct.llm.client import estimate_tokens
from leafinstruct.llm.limits import quota


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("1d", 86400.0),
        ("7.66", 7.66),
        ("0", 0.0),
        ("-5", 0.0),
        ("1000000001", 0.0),
        ("2001-01-01T00:00:00Z", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("s1", None),
    ],
)
def test_a_reset_is_read_in_every_form(text: str, seconds: float | None) -> None:
    assert quota.seconds(text) == (None if seconds is None else pytest.approx(seconds))


def test_a_reset_may_be_a_time() -> None:
    at = time.time() + 90
    for text in (f"{at:.0f}", f"{at * 1000:.0f}", (datetime.now(UTC) + timedelta(seconds=90)).isoformat()):
        assert quota.seconds(text) == pytest.approx(90, abs=2)


@given(st.text())
def test_no_header_breaks_the_reader(text: str) -> None:
    left = quota.wait(
        {"x-ratelimit-remaining-tokens": text, "x-ratelimit-reset-tokens": text, "x-ratelimit-" + text: "1"},
        10,
    )
    assert left is None or left >= 0


def completion_with(headers: dict[str, str]) -> Step:
    message = {"content": '{"score": 4, "reason": ""}'}
    body = json.dumps(
        {"choices": [{"message": message}], "usage": {"prompt_tokens": 90, "completion_tokens": 9}}
    ).encode()
    return raw(body, headers=headers)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8s"}, 8),
        # a forecast: half the deadline at most
        ({"x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "6m0s"}, 10),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "3",
            },
            3,
        ),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5"}, 5),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "8s"}, 0),
        ({"x-ratelimit-remaining-requests": "0"}, 0),
        ({"x-ratelimit-remaining-tokens": "many", "x-ratelimit-reset-tokens": "8s"}, 0),
    ],
)
def test_a_quota_that_is_used_up_is_waited_for_before_a_request_is_declined(
    server: Misbehaving, tmp_path: Path, clock: FakeClock, headers: dict[str, str], wait: float
) -> None:
    server.script(completion_with(headers))
    began = clock.now()
    answers = ask(
        online(server.url, deadline=20, max_in_flight=1), tmp_path, question("one"), question("two")
    )
    assert [answer.state for answer in answers] == ["ok", "ok"]
    assert server.seen[1].at - began == pytest.approx(wait, abs=0.01)
    assert len(server.seen) == 2


def test_a_declined_request_waits_for_the_reset_where_no_retry_after_says_how_long(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    server.script(
        status(429, headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"})
    )
    began = clock.now()
    ask(online(server.url), tmp_path, question())
    assert 9 <= server.seen[1].at - began < 10


def test_tokens_per_minute_spaces_the_starts_and_is_corrected_by_the_servers_count(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """Reserved: input and max_tokens, above 1,000 tokens, a tenth of a minute; used: 120 tokens, 0.72 s."""
    began = clock.now()
    config = online(server.url, tokens_per_minute=10_000, max_tokens=1000, max_in_flight=1)
    _, counts = ask_and_count(config, tmp_path, *[question(str(number)) for number in range(11)])
    assert len(server.seen) == 11
    assert clock.now() - began == pytest.approx(10 * 120 * 60 / 10_000)
    assert counts.input_tokens + counts.output_tokens == 11 * 120


def test_a_request_above_the_tokens_of_a_minute_is_one_line_and_no_hang(
    server: Misbehaving, tmp_path: Path
) -> None:
    tokens = estimate_tokens(question()) + 1000
    with pytest.raises(
        RecipeError,
        match=(
            rf"llm\.tokens_per_minute: one request \(judge\) may take {tokens:,} tokens.*more than 1,000 "
            r"a minute"
        ),
    ):
        ask(online(server.url, tokens_per_minute=1000, max_tokens=1000), tmp_path, question())
    assert not server.seen
