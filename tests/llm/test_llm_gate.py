"""The number of requests in flight adapts to the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from llm.asking import online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import Body, Misbehaving, Step, depending, good, one_at_a_time, status

from leafinstruct.llm.client import Client
from leafinstruct.llm.limits.gate import Gate
from leafinstruct.llm.request import Answer


def ask_all(client: Client, count: int) -> list[Answer]:
    async def all_at_once() -> list[Answer]:
        answers = await asyncio.gather(*[client.ask(question(f"lesson {number}")) for number in range(count)])
        await client.close()
        return answers

    return asyncio.run(all_at_once())


@pytest.mark.parametrize("seconds", [2, 5, 30, 70, 110])
def test_a_server_that_works_on_one_request_at_a_time_answers_all(
    server: Misbehaving, tmp_path: Path, clock: FakeClock, seconds: float
) -> None:
    """With 64 in flight, request 25 of a server that needs 5 s an answer times out in its queue, and then
    again."""
    client = Client(online(server.url, deadline=600), tmp_path)
    server.always = one_at_a_time(clock, seconds, 120, lambda: client.counts.answered)
    answers = ask_all(client, 64)
    assert [answer.state for answer in answers] == ["ok"] * 64
    assert len(server.seen) <= 64 + 4
    assert client.counts.requests == len(server.seen)


def test_a_server_that_becomes_slow_loses_nothing(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """200 fast answers, 64 in flight, and then a model in its place that needs 50 s for each."""
    client = Client(online(server.url, deadline=600), tmp_path)
    server.script(*[good()] * 200)
    server.always = one_at_a_time(clock, 50, 120, lambda: client.counts.answered - 200)
    answers = ask_all(client, 264)
    assert [answer.state for answer in answers] == ["ok"] * 264
    assert len(server.seen) < 264 + 64 + 32


@pytest.mark.parametrize(("code", "headers"), [(429, {"Retry-After": "1"}), (429, {}), (503, {})])
def test_a_server_that_takes_four_at_once_answers_all(
    server: Misbehaving, tmp_path: Path, code: int, headers: dict[str, str]
) -> None:
    """It declines the fifth. The limit comes down to what it takes instead of asking 64 times in vain."""
    full, inside = status(code, headers=headers), 0

    async def step(request: web.Request, body: Body) -> web.StreamResponse:
        nonlocal inside
        if inside >= 4:
            return await full(request, body)
        inside += 1
        try:
            return await good(delay=0.01)(request, body)
        finally:
            inside -= 1

    server.always = step
    client = Client(online(server.url, deadline=600), tmp_path)
    answers = ask_all(client, 200)
    assert [answer.state for answer in answers] == ["ok"] * 200
    assert len(server.seen) < 2 * 200


def test_the_first_request_is_alone_until_it_is_answered(server: Misbehaving, tmp_path: Path) -> None:
    """Also where it is declined for the load first."""
    server.script(status(503), status(429), good(delay=0.05))
    client = Client(online(server.url), tmp_path)
    first: list[int] = []

    def look(_body: Body) -> Step:
        first.append(client.counts.answered)
        return good()

    server.always = depending(look)
    ask_all(client, 50)
    assert min(first) >= 1
    assert len(server.seen) == 52


def test_a_dead_server_delays_nothing_for_longer_than_three_deadlines(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """It accepts connections and never answers."""

    async def step(_request: web.Request, _body: Body) -> web.StreamResponse:
        clock.advance(120)
        await asyncio.sleep(60)
        raise AssertionError("the client waits longer than its timeout")

    server.always = step
    began = clock.now()
    answers = ask_all(Client(online(server.url, deadline=600), tmp_path), 200)
    assert {answer.state for answer in answers} == {"failed"}
    assert all(answer.retryable for answer in answers)
    assert clock.now() - began < 3 * 700


def test_one_overload_in_ten_leaves_the_limit_as_it_is(clock: FakeClock) -> None:
    """As busy public servers have it. Their quota is used best by asking on."""
    assert asyncio.run(after(clock, ([True] * 9 + [False]) * 100)).limit == 64


def test_heavy_overload_leaves_one_in_flight_and_its_end_restores_half_at_once(clock: FakeClock) -> None:
    assert asyncio.run(after(clock, [True] * 200)).limit == 64
    assert asyncio.run(after(clock, [True] * 200 + [False] * 300)).limit == 1
    assert asyncio.run(after(clock, [True] * 200 + [False] * 300 + [True] * 80)).limit >= 32


async def after(clock: FakeClock, results: list[bool]) -> Gate:
    """The gate after these responses, True for an answer, 10 ms of the clock between them."""
    gate, rest = Gate(64, 120), iter(results)

    async def fly(good: bool) -> None:
        async with gate.exchange(), gate.flight(again=False):
            began = clock.now()
            await asyncio.sleep(0)
            clock.advance(0.01)
            if good:
                gate.answered(began)
            else:
                gate.overloaded(began)

    await asyncio.gather(*map(fly, rest))
    return gate
