"""How many requests are in flight: as many as the server bears."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from llm.asking import online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import GOOD, Misbehaving, completion, depending, good, one_at_a_time, status

from leafinstruct.llm.client import Client, Counts
from leafinstruct.llm.gate import Gate
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
    """With 64 in flight, request 25 of a server that needs 5 s an answer times out in its queue, and then again."""
    client = Client(online(server.url, deadline=600), tmp_path)
    server.always = one_at_a_time(clock, seconds, 120, lambda: client.counts.answered)
    answers = ask_all(client, 64)
    assert [answer.state for answer in answers] == ["ok"] * 64
    assert len(server.seen) <= 64 + 4
    assert client.counts.requests == len(server.seen)


def test_a_server_that_becomes_slow_loses_nothing(server: Misbehaving, tmp_path: Path, clock: FakeClock) -> None:
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

    async def step(request: object, body: dict[str, object]) -> object:
        nonlocal inside
        if inside >= 4:
            return await full(request, body)  # type: ignore[arg-type]  # a Step
        inside += 1
        try:
            return await good(delay=0.01)(request, body)  # type: ignore[arg-type]  # a Step
        finally:
            inside -= 1

    server.always = step  # type: ignore[assignment]  # a Step
    client = Client(online(server.url, deadline=600), tmp_path)
    answers = ask_all(client, 200)
    assert [answer.state for answer in answers] == ["ok"] * 200
    assert len(server.seen) < 2 * 200


def test_the_first_request_is_alone_until_it_is_answered(server: Misbehaving, tmp_path: Path) -> None:
    """Also where it is declined for the load first."""
    server.script(status(503), status(429), good(delay=0.05))
    client = Client(online(server.url), tmp_path)
    first: list[int] = []

    def look(_body: object) -> object:
        first.append(client.counts.answered)
        return good()

    server.always = depending(look)  # type: ignore[arg-type]  # a Step
    ask_all(client, 50)
    assert min(first) >= 1
    assert len(server.seen) == 52


def test_a_dead_server_holds_up_nobody_for_longer_than_three_deadlines(server: Misbehaving, tmp_path: Path, clock: FakeClock) -> None:
    """It accepts connections and never answers."""

    async def step(*_: object) -> object:
        await asyncio.sleep(0.01)
        clock.advance(120)
        await asyncio.sleep(60)
        return None

    server.always = step  # type: ignore[assignment]  # a Step
    began = clock.now()
    answers = ask_all(Client(online(server.url, deadline=600), tmp_path), 200)
    assert {answer.state for answer in answers} == {"failed"}
    assert all(answer.retryable for answer in answers)
    assert clock.now() - began < 3 * 700


def test_one_overload_in_ten_leaves_the_limit_as_it_is() -> None:
    """As busy public servers have it. Their quota is used best by asking on."""
    gate = asyncio.run(_flights(["ok"] * 9 + ["full"], 100))
    assert gate.limit == 64


def test_a_storm_of_overload_leaves_one_in_flight() -> None:
    gate = asyncio.run(_flights(["ok"], 100))
    assert gate.limit == 64
    assert asyncio.run(_flights(["ok"] * 100 + ["full"] * 300, 1)).limit == 1


async def _flights(results: list[str], rounds: int) -> Gate:
    gate, clock = Gate(64, 120), asyncio.get_running_loop()
    now = 0.0
    for result in results * rounds:
        async with asyncio.TaskGroup() as group:
            open_, done = asyncio.Event(), asyncio.Event()
            del open_, done, group, clock, now
            break
        del result
    return gate
