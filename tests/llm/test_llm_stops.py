"""Verdicts on one request, errors that stop the run, and the secrecy of the key."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from llm.asking import ask, online, question
from llm.misbehaving import Misbehaving, Step, depending, good, say, status

from leafinstruct.errors import ProviderError, RecipeError
from leafinstruct.llm.client import Client

KEY = "sk-test-1234567890abcdef"


# --- what is a verdict ---


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        (say(None, refusal="I cannot judge this."), "I cannot judge this."),
        (say("", finish="content_filter"), "content filter"),
        (status(403, {"error": {"message": "your input was flagged"}}), "flagged"),
    ],
    ids=["refusal", "content-filter", "moderation"],
)
def test_a_refusal_is_final(server: Misbehaving, tmp_path: Path, step: Step, detail: str) -> None:
    server.script(good(), step)
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question("one"), question("two"))
    assert (answers[1].state, answers[1].value, answers[1].retryable) == ("refused", None, False)
    assert detail in answers[1].detail
    assert len(server.seen) == 2


def test_a_request_that_is_too_long_and_cannot_be_shorter_says_so(
    server: Misbehaving, tmp_path: Path
) -> None:
    too_long = status(
        400,
        {"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}},
    )
    server.always = depending(lambda body: too_long if "long" in json.dumps(body["messages"]) else good())
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question("long"), question("short"))
    assert [answer.state for answer in answers] == ["too_large", "ok"]
    assert "maximum context length" in answers[0].detail
    assert not answers[0].retryable


# --- what stops the run ---


def test_settings_that_every_request_is_declined_for_stop_the_run(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Else each document of the dataset would be refused, for a reason that is none of its own."""
    server.always = status(400, {"error": {"message": "temperature 0 is not supported by this model"}})
    with pytest.raises(ProviderError, match=r"declines every request.*temperature 0 is not supported"):
        ask(online(server.url, max_in_flight=1), tmp_path, *[question(str(number)) for number in range(50)])
    assert len(server.seen) <= 3 * 8


def test_an_unknown_model_stops_the_run(server: Misbehaving, tmp_path: Path) -> None:
    server.always = status(404, {"error": {"message": "The model `tiny` does not exist"}})
    with pytest.raises(ProviderError, match=r"has no model 'tiny' \(HTTP 404\).*llm\.base_url"):
        ask(online(server.url), tmp_path, question())


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_stops_the_run_and_nothing_is_sent_to_its_target(
    server: Misbehaving, tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 307 would carry the whole prompt, images and all, to whatever address the server names."""
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.setblocking(False)
        host = f"127.0.0.1:{target.getsockname()[1]}"
        server.always = status(
            code, headers={"Location": f"http://user:secret@{host}/v1/chat/completions?key={KEY}"}
        )
        with pytest.raises(ProviderError) as raised:
            ask(online(server.url, key_env="LEAF_TEST_KEY", deadline=2), tmp_path, question())
        with pytest.raises(BlockingIOError):
            target.accept()
    assert (
        str(raised.value)
        == f"{server.url} redirects to http://{host}/v1; write the final URL into llm.base_url"
    )
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ({}, "no URL"),
        ({"Location": "http://["}, "an invalid URL"),
        ({"Location": "/v2/chat/completions/"}, "http://127.0.0.1:{port}/v2"),
        ({"Location": f"https://{KEY}.example/"}, "https://[key].example"),
    ],
    ids=["none", "broken", "relative", "key"],
)
def test_a_redirect_to_anything_is_one_line(
    server: Misbehaving, tmp_path: Path, headers: dict[str, str], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    server.always = status(307, headers=headers)
    with pytest.raises(ProviderError) as raised:
        ask(online(server.url, key_env="LEAF_TEST_KEY"), tmp_path, question())
    shown = target.format(port=server.port)
    assert str(raised.value) == f"{server.url} redirects to {shown}; write the final URL into llm.base_url"


@pytest.mark.parametrize("code", [402, 429])
def test_no_credit_stops_the_run_at_once(server: Misbehaving, tmp_path: Path, code: int) -> None:
    body = {
        "error": {
            "message": "You exceeded your current quota",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
        }
    }
    server.always = status(code, body, headers={"x-request-id": "req_77"})
    with pytest.raises(ProviderError, match=r"no credit left \(HTTP \d+, request req_77\)"):
        ask(online(server.url), tmp_path, question())
    assert len(server.seen) == 1


def test_a_refused_key_costs_one_try_and_is_never_shown(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the message, not in what it was raised from, not in the objects at hand, not on disk."""
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    server.always = status(
        401,
        {"error": {"message": f"Incorrect API key provided: {KEY}"}},
        headers={"x-request-id": f"r-{KEY}"},
    )

    async def ask_all() -> list[object]:
        client = Client(online(server.url, key_env="LEAF_TEST_KEY", max_in_flight=1), tmp_path)
        outcomes = await asyncio.gather(
            *[client.ask(question(str(number))) for number in range(30)], return_exceptions=True
        )
        shown: list[object] = [*outcomes, client, client.counts]
        await client.close()
        return shown

    *outcomes, client, counts = asyncio.run(ask_all())
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert len(server.seen) == 1
    for outcome in outcomes:
        assert isinstance(outcome, ProviderError)
        assert "refused the key in LEAF_TEST_KEY (HTTP 401" in str(outcome)
        assert outcome.__cause__ is None
        assert outcome.__context__ is None
    assert KEY not in repr([outcomes, client, counts])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("claims", b"")]


def test_a_key_that_a_server_echoes_into_an_answer_is_not_stored(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    server.script(good({"score": 1, "reason": f"you are {KEY}"}))
    [answer] = ask(online(server.url, key_env="LEAF_TEST_KEY"), tmp_path, question())
    assert answer.value == {"score": 1, "reason": "you are [key]"}
    assert all(KEY not in path.read_text() for path in tmp_path.iterdir())


def test_a_retryable_error_that_echoes_the_key_keeps_it_out_of_the_detail(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    server.always = status(500, f"<p>bad header Bearer {KEY}</p>")
    [answer] = ask(online(server.url, key_env="LEAF_TEST_KEY", deadline=0.5), tmp_path, question())
    assert "bad header Bearer [key]" in answer.detail
    assert KEY not in repr(answer)


def test_no_key_is_sent_unless_the_recipe_names_one(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would send what it finds in its own variables, to whatever server base_url names."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    ask(online(server.url), tmp_path, question())
    assert KEY not in repr(server.seen[0].headers)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "not set; export"), ("  ", "not set; export"), ("sk-a b", "no key has; export")],
)
def test_a_missing_key_names_the_variable_and_the_hint(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, reason: str
) -> None:
    monkeypatch.delenv("LEAF_TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("LEAF_TEST_KEY", value)
    with pytest.raises(RecipeError, match=rf"llm\.key_env: .*LEAF_TEST_KEY.*{reason}"):
        ask(online(server.url, key_env="LEAF_TEST_KEY"), tmp_path, question())
    assert not server.seen
