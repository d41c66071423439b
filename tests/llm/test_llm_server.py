"""The client against a real server that misbehaves: what is sent, what is repeated, what is repaired."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from llm.asking import SCHEMA, ask, ask_and_count, online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import (
    GOOD,
    Body,
    Misbehaving,
    Step,
    completion,
    cut,
    depending,
    flood,
    good,
    raw,
    say,
    status,
    trickle,
)

from leafinstruct.llm import clock as clocks
from leafinstruct.llm.clock import Clock
from leafinstruct.llm.protocol.wire_schema import wire_schema
from leafinstruct.llm.request import SentImage


def test_a_good_answer_costs_one_request_and_counts_the_servers_own_tokens(
    server: Misbehaving, tmp_path: Path
) -> None:
    [answer], counts = ask_and_count(online(server.url), tmp_path, question())
    assert (answer.state, answer.value, answer.cached) == ("ok", GOOD, False)
    assert answer.model == "tiny"
    assert (counts.requests, counts.answered, counts.input_tokens, counts.output_tokens) == (1, 1, 100, 20)
    assert not counts.estimated
    assert counts.dollars is None


def test_images_travel_as_bytes_in_their_true_places(server: Misbehaving, tmp_path: Path) -> None:
    first, second = SentImage(b"\x89PNG-1", "image/png"), SentImage(b"\xff\xd8-2", "image/jpeg")
    request = question("before", images=[first, second])
    ask(online(server.url), tmp_path, request)
    parts = server.seen[0].body["messages"][1]["content"]
    assert parts == [
        {"type": "text", "text": "before"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORy0x"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9gtMg=="}},
    ]


def test_half_a_surrogate_pair_in_a_page_can_be_sent(server: Misbehaving, tmp_path: Path) -> None:
    [answer] = ask(online(server.url), tmp_path, question("broken \ud83d emoji"))
    assert answer.state == "ok"
    assert "broken ? emoji" in server.seen[0].text


def test_half_a_surrogate_pair_in_an_answer_can_be_counted_repaired_and_stored(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.script(
        say('{"score": 9, "reason": "\ud83d"}', usage={"none": 1}),
        say('{"score": 4, "reason": "\ud83d"}', usage={"none": 1}),
    )
    [answer] = ask(online(server.url), tmp_path, question())
    assert answer.value == {"score": 4, "reason": "?"}


def test_an_answer_in_parts_is_one_answer(server: Misbehaving, tmp_path: Path) -> None:
    """Some servers send content as a list of parts, with more in it than text."""
    half = len(text := json.dumps(GOOD)) // 2
    server.script(
        say([{"type": "text", "text": text[:half]}, {"type": "audio"}, "junk", {"text": text[half:]}])
    )
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.value, len(server.seen)) == (GOOD, 1)


# --- what is repeated ---


@pytest.mark.parametrize(
    "step",
    [
        status(500),
        status(503, "<html><body>Bad gateway</body></html>"),
        status(408),
        status(409),
        cut(),
        raw(b"<html><body>Sign in to the hotel network</body></html>", "text/html"),
        raw(b'{"choices": [{"mess'),
        raw(b"\xff\xfe\x00"),
        raw(b"[" * 100_000),
        raw(b'{"choices": []}'),
        raw(b'{"error": {"message": "upstream is gone"}}'),
        raw(b"null"),
    ],
    ids=[
        "500",
        "503-html",
        "408",
        "409",
        "cut",
        "html",
        "cut-json",
        "no-utf8",
        "deep",
        "no-choice",
        "error-as-200",
        "null",
    ],
)
def test_a_lost_answer_is_asked_for_again(server: Misbehaving, tmp_path: Path, step: Step) -> None:
    server.script(step)
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.state, answer.value, len(server.seen)) == ("ok", GOOD, 2)


def test_two_server_errors_do_not_change_the_form_of_the_question(
    server: Misbehaving, tmp_path: Path
) -> None:
    """A hiccup is no statement about response_format."""
    server.script(status(500), status(500))
    [answer] = ask(online(server.url), tmp_path, question())
    assert answer.state == "ok"
    assert [seen.body["response_format"]["type"] for seen in server.seen] == ["json_schema"] * 3


def test_a_body_that_trickles_past_the_timeout_is_given_up(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """`timeout` bounds the whole try: a read timeout would restart with each byte."""
    server.script(trickle(500, lambda number: clock.expire() if number == 3 else None))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.state, len(server.seen)) == ("ok", 2)


def test_a_try_lasts_as_long_as_timeout_and_deadline_allow(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shorter of `timeout` and what is left of `deadline`; the real clock ends it."""
    asked: list[float] = []
    real = Clock()

    class Counting(FakeClock):
        def limit(self, seconds: float) -> asyncio.Timeout:
            asked.append(seconds)
            return real.limit(0)

    counting = Counting()
    monkeypatch.setattr(clocks, "CLOCK", counting)
    [answer] = ask(online(server.url, timeout=3, deadline=4), tmp_path, question())
    assert answer.detail.startswith("no answer within ")
    assert asked[0] == 3
    assert 0 < asked[-1] < 3
    assert asked == sorted(asked, reverse=True)


def test_retry_after_holds_every_request_of_the_client(server: Misbehaving, tmp_path: Path) -> None:
    """429 means the whole client: nothing starts before the second is over, and no other question loses a
    try."""
    server.script(status(429, headers={"Retry-After": "1"}))
    requests = [question(f"lesson {number}") for number in range(8)]
    answers, counts = ask_and_count(online(server.url, max_in_flight=2), tmp_path, *requests)
    assert {answer.state for answer in answers} == {"ok"}
    # The second may be on its way already when the first has to wait; the third is not.
    assert server.seen[2].at - server.seen[0].at >= 1.0
    assert counts.requests == len(server.seen) == 9


def test_a_pause_longer_than_the_deadline_fails_at_once(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    server.always = status(429, headers={"Retry-After": "3600"})
    answers = ask(
        online(server.url, max_in_flight=1, deadline=60),
        tmp_path,
        *[question(str(number)) for number in range(4)],
    )
    assert {answer.state for answer in answers} == {"failed"}
    assert all(answer.retryable for answer in answers)
    assert "longer than llm.deadline" in answers[1].detail
    assert len(server.seen) == 1
    assert clock.slept == []


def test_without_an_answer_at_the_deadline_the_state_is_failed_and_the_detail_counts_the_tries(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = status(500, {"error": {"message": "out of memory"}})
    [answer] = ask(online(server.url, deadline=1.5), tmp_path, question())
    assert (answer.state, answer.value, answer.retryable) == ("failed", None, True)
    assert answer.detail.startswith("HTTP 500: out of memory; ")
    assert f"{len(server.seen)} tries" in answer.detail


def test_a_dead_server_is_waited_for_once_and_not_once_per_question(tmp_path: Path, clock: FakeClock) -> None:
    """Connection refused for a whole deadline: those that still queue fail at once, or a run of thousands
    would take a day to stop."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    began = clock.now()
    answers = ask(
        online(url, deadline=1, max_in_flight=1), tmp_path, *[question(str(number)) for number in range(20)]
    )
    assert {answer.state for answer in answers} == {"failed"}
    assert all(answer.detail.startswith("connection refused; ") for answer in answers)
    assert clock.now() - began <= 1


def test_a_server_that_drops_connections_is_asked_again(server: Misbehaving, tmp_path: Path) -> None:
    async def hang_up(request: Any, _body: Body) -> Any:
        request.transport.close()
        await asyncio.sleep(0)
        return None

    server.script(hang_up)
    [answer] = ask(online(server.url), tmp_path, question())
    assert answer.state == "ok"


# --- what is too large ---

SIZE = 64 << 20


def peak_of(server: Misbehaving, cache: Path, step: Step) -> int:
    """Peak memory of this process beyond the start, in bytes, the server's thread included, for one such
    body and then a good one."""
    ask(online(server.url), cache / "warm", question("warm"))
    server.seen.clear()
    server.script(step)
    tracemalloc.start()
    try:
        [answer] = ask(online(server.url), cache / "large", question())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.state, answer.value, len(server.seen)) == ("ok", GOOD, 2)
    return peak


@pytest.mark.parametrize("headers", [{"Content-Length": str(SIZE)}, {}], ids=["announced", "chunked"])
def test_a_body_that_is_too_large_is_hung_up_on_and_asked_for_again(
    server: Misbehaving, tmp_path: Path, headers: dict[str, str]
) -> None:
    sent: list[int] = []
    assert peak_of(server, tmp_path, flood(SIZE, sent, headers)) < 30 << 20
    assert sum(sent) < SIZE / 2


def test_a_body_that_never_ends_is_left(server: Misbehaving, tmp_path: Path) -> None:
    sent: list[int] = []
    assert peak_of(server, tmp_path, flood(1 << 40, sent)) < 30 << 20


@pytest.mark.parametrize("code", [200, 500])
def test_a_body_that_unpacks_to_too_much_is_not_unpacked(
    server: Misbehaving, tmp_path: Path, code: int
) -> None:
    """64 kB of gzip; an error's body is no exception."""
    packed = gzip.compress(bytes(SIZE))
    assert peak_of(server, tmp_path, raw(packed, headers={"Content-Encoding": "gzip"}, code=code)) < 30 << 20


def test_an_answer_that_is_always_too_large_fails_and_may_be_retried(
    server: Misbehaving, tmp_path: Path
) -> None:
    """One byte above the limit; it may have been charged for."""
    server.always = raw(b" " * ((8 << 20) + 1))
    [answer], counts = ask_and_count(online(server.url, deadline=0.5), tmp_path, question())
    assert (answer.state, answer.retryable) == ("failed", True)
    assert answer.detail.startswith("an answer above 8 MB; ")
    assert counts.output_tokens > 0


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=["plain", "gzip"])
def test_an_answer_just_below_the_limit_is_read(
    server: Misbehaving, tmp_path: Path, headers: dict[str, str]
) -> None:
    body = json.dumps(completion(json.dumps(GOOD))).encode().ljust(8 << 20)
    server.script(raw(gzip.compress(body) if headers else body, headers=headers))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.value, len(server.seen)) == (GOOD, 1)


# --- the form of the schema ---


def test_a_server_that_answers_500_to_json_schema_is_asked_in_the_next_form_and_remembered(
    server: Misbehaving, tmp_path: Path
) -> None:
    """As llama-cpp-python does it. The second question knows at once."""
    message = (
        "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'input': 'json_schema'}]"
    )
    refused = status(500, {"error": {"message": message, "type": "internal_server_error"}})
    server.always = depending(
        lambda body: refused if body["response_format"]["type"] == "json_schema" else good()
    )
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question("one"), question("two"))
    assert [answer.state for answer in answers] == ["ok", "ok"]
    forms = [seen.body["response_format"] for seen in server.seen]
    assert [form["type"] for form in forms] == ["json_schema", "json_object", "json_object"]
    assert forms[1]["schema"] == wire_schema(SCHEMA)
    assert "JSON schema" in server.seen[1].text


def test_a_mute_500_to_json_schema_is_understood_after_three(server: Misbehaving, tmp_path: Path) -> None:
    server.always = depending(
        lambda body: status(500) if body["response_format"]["type"] == "json_schema" else good()
    )
    [answer] = ask(online(server.url), tmp_path, question())
    assert answer.state == "ok"
    assert [seen.body["response_format"]["type"] for seen in server.seen] == ["json_schema"] * 3 + [
        "json_object",
        "json_schema",
    ]


def test_a_server_that_knows_no_response_format_gets_the_schema_in_words(
    server: Misbehaving, tmp_path: Path
) -> None:
    declined = status(400, {"error": {"message": "unexpected field response_format"}})
    fenced = say('Sure! ```json\n{"score": 2, "reason": "x"}\n```')
    server.always = depending(lambda body: declined if "response_format" in body else fenced)
    image = SentImage(b"bytes", "image/png")
    [answer] = ask(online(server.url), tmp_path, question(images=[image]))
    assert answer.value == {"score": 2, "reason": "x"}
    assert [seen.body.get("response_format", {}).get("type") for seen in server.seen] == [
        "json_schema",
        "json_object",
        "json_object",
        None,
    ]
    parts = server.seen[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert json.dumps(SCHEMA, sort_keys=True) in parts[-1]["text"]


def test_chatter_round_the_object_is_read_and_shows_that_the_server_ignores_response_format(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.script(say(f"Here is my judgement: {json.dumps(GOOD)} I hope it helps {{}}!"))
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question("one"), question("two"))
    assert [answer.value for answer in answers] == [GOOD, GOOD]
    assert "response_format" in server.seen[0].body
    assert "response_format" not in server.seen[1].body
    assert "JSON schema" in server.seen[1].text


def test_newer_models_that_want_max_completion_tokens_get_it(server: Misbehaving, tmp_path: Path) -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    )
    declined = status(
        400, {"error": {"message": message, "code": "unsupported_parameter", "param": "max_tokens"}}
    )
    server.always = depending(lambda body: declined if "max_tokens" in body else good())
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question("one"), question("two"))
    assert [answer.state for answer in answers] == ["ok", "ok"]
    assert len(server.seen) == 3
    assert server.seen[-1].body["max_completion_tokens"] == 2048
    assert server.seen[-1].body["response_format"]["type"] == "json_schema"


# --- what is repaired ---


def test_a_broken_schema_is_repaired_with_the_reason_in_front_of_the_model(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.script(good({"score": 9, "reason": "great"}))
    [answer], counts = ask_and_count(online(server.url), tmp_path, question())
    assert answer.value == GOOD
    shown = server.seen[1].body["messages"]
    assert shown[:2] == server.seen[0].body["messages"]
    assert shown[2] == {"role": "assistant", "content": '{"score": 9, "reason": "great"}'}
    assert shown[3]["content"].startswith(
        "Rule: score must be an integer from 1 to 5; your value began with: 9. "
    )
    assert (answer.usage.input_tokens, counts.input_tokens) == (200, 200)


def test_the_callers_own_check_is_repaired_the_same_way(server: Misbehaving, tmp_path: Path) -> None:
    def no_praise(value: dict[str, Any]) -> str | None:
        return "reason must not praise" if "great" in value["reason"] else None

    server.script(good({"score": 5, "reason": "great"}))
    [answer] = ask(online(server.url), tmp_path, question(check=no_praise))
    assert answer.value == GOOD
    assert "reason must not praise" in server.seen[1].text


def test_after_two_repairs_an_answer_is_unparsed_and_not_stored(server: Misbehaving, tmp_path: Path) -> None:
    server.always = say("I would rather not use JSON.")
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.state, answer.value, answer.retryable) == ("unparsed", None, False)
    assert "there is no JSON object in it" in answer.detail
    assert len(server.seen) == 3
    assert not list(tmp_path.glob("answers-*"))


def test_a_cut_answer_is_asked_for_once_more_with_twice_the_tokens(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.script(say('{"score": 4, "reas', finish="length"))
    [answer] = ask(online(server.url, max_tokens=50), tmp_path, question())
    assert answer.value == GOOD
    assert [seen.body["max_tokens"] for seen in server.seen] == [50, 100]
    assert server.seen[1].body["messages"] == server.seen[0].body["messages"]


@pytest.mark.parametrize(
    "second",
    [say('{"score": 4, "reas', finish="length"), status(400, {"error": {"message": "context is 64"}})],
)
def test_an_answer_cut_twice_is_unparsed(server: Misbehaving, tmp_path: Path, second: Step) -> None:
    server.script(good(), say('{"score": 4, "reas', finish="length"), second)
    answers = ask(
        online(server.url, max_tokens=50, max_in_flight=1), tmp_path, question("one"), question("two")
    )
    assert (answers[1].state, len(server.seen)) == ("unparsed", 3)
    assert "twice" in answers[1].detail
