"""What reaches a server beside the body (headers, proxies, connections), and bodies that cannot be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from llm.asking import ask, online, question
from llm.misbehaving import Misbehaving, depending, good, raw, status

from leafinstruct.errors import ProviderError
from leafinstruct.llm.client import Client

KEY = "sk-0123456789abcdef"


def test_a_server_gets_the_key_and_nothing_about_this_machine(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would add its own organization and the system that it runs on."""
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-server")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another-server")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-another-server")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ask(online(server.url, key_env="LEAF_TEST_KEY"), tmp_path, question())
    [seen] = server.seen
    names = {name.lower() for name in seen.headers}
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["User-Agent"].startswith("AsyncOpenAI/")
    assert not [name for name in names if name.startswith(("x-stainless", "openai-"))]
    assert "another" not in str(seen.headers)


def test_a_header_of_the_recipe_replaces_the_sdks_however_it_is_written(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    monkeypatch.setenv("LEAF_TEST_TOKEN", "Basic abcdefgh")
    headers = {"authorization": "env:LEAF_TEST_TOKEN", "user-agent": "leaf"}
    ask(online(server.url, key_env="LEAF_TEST_KEY", headers=headers), tmp_path, question())
    sent = [
        (name.lower(), value)
        for name, value in server.seen[0].headers.items()
        if name.lower() in ("authorization", "user-agent")
    ]
    assert sorted(sent) == [("authorization", "Basic abcdefgh"), ("user-agent", "leaf")]


def test_questions_share_their_connections_and_keep_no_cookies(server: Misbehaving, tmp_path: Path) -> None:
    ports: list[int] = []

    async def step(request, _body):  # type: ignore[no-untyped-def]
        ports.append(request.transport.get_extra_info("peername")[1])
        response = await good()(request, _body)
        response.headers["Set-Cookie"] = "session=1; Path=/"
        return response

    server.always = step

    async def one_after_another() -> None:
        client = Client(online(server.url), tmp_path)
        try:
            for number in range(4):
                await client.ask(question(str(number)))
        finally:
            await client.close()

    asyncio.run(one_after_another())
    assert len(ports) == 4
    assert len(set(ports)) == 1
    assert not [seen for seen in server.seen if "Cookie" in seen.headers]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable.lower(), f"http://user:word@127.0.0.1:{server.port}")
    [answer] = ask(online("http://model.invalid/v1"), tmp_path / "1", question())
    assert (answer.state, server.seen[0].headers["Host"]) == ("ok", "model.invalid")
    assert server.seen[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert "Authorization" not in server.seen[0].headers

    monkeypatch.setenv("no_proxy", "model.invalid")
    [answer] = ask(online("http://model.invalid/v1", deadline=1), tmp_path / "2", question())
    assert (answer.state, len(server.seen)) == ("failed", 1)
    assert answer.detail.startswith("unknown host")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zebra"])
def test_a_body_that_cannot_be_unpacked_is_asked_for_again(
    server: Misbehaving, tmp_path: Path, coding: str
) -> None:
    server.script(raw(b"not packed at all", headers={"Content-Encoding": coding}))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.state, len(server.seen)) == ("ok", 2)


def test_json_is_read_whatever_type_the_server_declares(server: Misbehaving, tmp_path: Path) -> None:
    async def plain(request, body):  # type: ignore[no-untyped-def]
        response = await good()(request, body)
        response.content_type = "text/plain"
        return response

    server.always = depending(lambda _: plain)
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.state, len(server.seen)) == ("ok", 1)


def test_a_redirect_is_not_followed(server: Misbehaving, tmp_path: Path) -> None:
    server.always = status(307, headers={"Location": f"{server.url}/elsewhere"})
    with pytest.raises(ProviderError, match="redirects to"):
        ask(online(server.url), tmp_path, question())
    assert len(server.seen) == 1
