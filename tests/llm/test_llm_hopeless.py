"""A server that will never answer ends the run after a few requests; an outage is waited for."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import aiohttp
import pytest
from llm.asking import ask, ask_and_count, online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import Misbehaving, Step, good, raw, status

from leafinstruct.errors import ProviderError
from leafinstruct.llm.faults.faults import connection_fault

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
QUESTIONS = [question(str(number)) for number in range(30)]


@pytest.mark.parametrize(
    ("step", "requests", "detail"),
    [
        (raw(PAGE.encode(), "text/html"), 3, "a web page instead of a completion"),
        (raw(b"\xef\xbb\xbf\n<html>", "text/plain"), 3, "a web page instead of a completion"),
        (raw(PAGE.encode()), 3, "a web page instead of a completion"),
        (status(501), 4, "HTTP 501: no"),  # once in each form
        (status(505), 3, "HTTP 505: no"),
        (status(511, PAGE), 3, "HTTP 511"),
        (status(500, {"error": {"message": "model.bin is missing"}}), 9, "HTTP 500: model.bin is missing"),
        (status(502, "<html><h1>502 Bad Gateway</h1></html>"), 9, "HTTP 502"),
        (raw(b'{"status": "ok"}'), 9, "a body that is no completion"),
    ],
    ids=["page", "page-as-text", "page-as-json", "501", "505", "511", "500", "502", "other-json"],
)
def test_a_server_that_never_answers_ends_the_run_with_one_line(
    server: Misbehaving, tmp_path: Path, clock: FakeClock, step: Step, requests: int, detail: str
) -> None:
    server.always = step
    began = clock.now()
    with pytest.raises(
        ProviderError,
        match=rf"has never answered, and {requests} requests in a row ended with: {detail}.*llm\.base_url",
    ) as raised:
        ask(online(server.url, deadline=600), tmp_path, *QUESTIONS)
    assert "\n" not in str(raised.value)
    assert len(server.seen) == requests
    assert clock.now() - began < 120


@pytest.mark.parametrize(
    "step",
    [status(503, PAGE), status(500), status(502, PAGE), status(501), raw(PAGE.encode(), "text/html")],
    ids=["503", "500", "502", "501", "page"],
)
def test_an_outage_of_a_server_that_has_answered_is_waited_for(
    server: Misbehaving, tmp_path: Path, step: Step
) -> None:
    server.script(good(), *[step] * 12)
    answers = ask(online(server.url, deadline=600, max_in_flight=1), tmp_path, *QUESTIONS)
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.seen) == 30 + 12


@pytest.mark.parametrize(
    "step",
    [
        status(503, {"error": {"message": "Loading model"}}),
        status(500, {"error": {"message": "model is currently loading"}}),
        status(500, {"error": {"message": "Sorry.", "type": "overloaded_error"}}),
        raw(b'{"error": {"message": "Service temporarily unavailable"}}'),
    ],
    ids=["503", "500-words", "500-code", "200"],
)
def test_a_server_that_loads_its_model_for_minutes_is_waited_for(
    server: Misbehaving, tmp_path: Path, step: Step
) -> None:
    server.script(*[step] * 15)
    answers = ask(online(server.url, deadline=600), tmp_path, *QUESTIONS)
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.seen) == 30 + 15
    assert {seen.body["response_format"]["type"] for seen in server.seen} == {"json_schema"}


def test_an_outage_that_lasts_is_not_waited_for_by_every_question(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """Three in a row wait for their deadline; the others fail at once, to be asked again by the next run."""
    server.script(good())
    server.always = status(503)
    began = clock.now()
    answers = ask(online(server.url, deadline=60, max_in_flight=1), tmp_path, *QUESTIONS)
    assert [answer.state for answer in answers] == ["ok"] + ["failed"] * 29
    assert all(answer.retryable for answer in answers[1:])
    assert clock.now() - began < 3 * 60 + 1


# --- what a broken connection costs ---

PRICE = {"input_per_million": 10.0, "output_per_million": 100.0}


def test_a_connection_that_is_refused_costs_nothing(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    _, counts = ask_and_count(online(url, price=PRICE, budget=1, deadline=5), tmp_path, *QUESTIONS)
    assert (counts.dollars, counts.input_tokens, counts.output_tokens) == (0, 0, 0)
    assert counts.requests > 3


def test_an_unknown_host_costs_nothing(tmp_path: Path) -> None:
    [answer], counts = ask_and_count(
        online("http://nowhere.invalid/v1", price=PRICE, budget=1, deadline=1), tmp_path, question()
    )
    assert answer.detail.startswith("unknown host")
    assert counts.dollars == 0


def test_tls_to_a_server_without_it_costs_nothing_and_ends_the_run(
    server: Misbehaving, tmp_path: Path
) -> None:
    url = server.url.replace("http://", "https://")
    with pytest.raises(
        ProviderError, match=r"has never answered, and 3 requests in a row ended with: no TLS connection"
    ):
        ask(online(url, price=PRICE, budget=1), tmp_path, *QUESTIONS)
    assert not server.seen


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), False),
        (aiohttp.ClientOSError(errno.EPIPE, "Can not write request body for http://x/"), False),
        (aiohttp.ConnectionTimeoutError("Connection timeout to host"), False),
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), True),
        (aiohttp.ClientPayloadError("Response payload is not completed"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_request_that_was_not_sent_completely_is_not_lost(error: Exception, lost: bool) -> None:
    """Only what a server can have worked on may have been charged for."""
    wrapped = RuntimeError("Request timed out.")
    wrapped.__cause__ = error
    assert connection_fault(wrapped).lost is lost
