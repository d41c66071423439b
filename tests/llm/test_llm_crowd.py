"""Many questions at once: slots, pace, the same question twice, askers that go away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from llm.asking import ask, ask_and_count, online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import GOOD, Misbehaving, after_gate, good, together

from leafinstruct.llm.client import Client


async def until(happened: Callable[[], object]) -> None:
    """Wait for something that other tasks or threads do."""
    while not happened():  # noqa: ASYNC110  nobody could set an Event
        await asyncio.sleep(0.005)


def test_thousands_may_wait_while_max_in_flight_are_asked(server: Misbehaving, tmp_path: Path) -> None:
    server.script(*[good()] * 200)  # the limit grows with answers
    server.always = together(32)
    requests = [question(str(number)) for number in range(1000)]
    answers, counts = ask_and_count(online(server.url, max_in_flight=32), tmp_path, *requests)
    assert {answer.state for answer in answers} == {"ok"}
    assert counts.requests == len(server.seen) == 1000
    assert server.most_at_once == 32


def test_requests_per_minute_spaces_the_starts(server: Misbehaving, tmp_path: Path, clock: FakeClock) -> None:
    """One every 50 ms, of twelve that come at once."""
    began = clock.now()
    ask(
        online(server.url, requests_per_minute=1200),
        tmp_path,
        *[question(str(number)) for number in range(12)],
    )
    assert clock.now() - began == pytest.approx(11 * 0.05)
    assert len(clock.slept) == len(server.seen) == 12


def test_the_same_question_in_flight_is_sent_once(server: Misbehaving, tmp_path: Path) -> None:
    server.always = good(delay=0.2)
    answers, counts = ask_and_count(online(server.url), tmp_path, *[question() for _ in range(10)])
    assert [answer.value for answer in answers] == [GOOD] * 10
    assert counts.requests == len(server.seen) == 1
    assert sum(not answer.cached for answer in answers) == 1
    assert sum(answer.usage.input_tokens for answer in answers) == 100


def test_a_shared_answer_must_pass_each_askers_own_check(server: Misbehaving, tmp_path: Path) -> None:
    server.script(good(delay=0.2), good({"score": 1, "reason": "strict"}))
    strict = question(check=lambda value: "too kind" if value["score"] > 1 else None)
    lenient, strictly = ask(online(server.url), tmp_path, question(), strict)
    assert (lenient.value, strictly.value) == (GOOD, {"score": 1, "reason": "strict"})


def test_an_answer_that_is_paid_for_is_kept_though_its_asker_went_away(
    server: Misbehaving, tmp_path: Path
) -> None:
    gate = threading.Event()
    server.always = after_gate(gate)

    async def leave() -> None:
        client = Client(online(server.url), tmp_path)
        asker = asyncio.create_task(client.ask(question()))
        await until(lambda: server.seen)
        asker.cancel()
        gate.set()
        await until(lambda: client.counts.answered)
        await client.close()

    asyncio.run(leave())
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.cached, len(server.seen)) == (True, 1)


def test_close_ends_what_is_in_flight(server: Misbehaving, tmp_path: Path) -> None:
    server.always = good(delay=30)

    async def leave() -> None:
        client = Client(online(server.url), tmp_path)
        askers = [asyncio.create_task(client.ask(question(str(number)))) for number in range(100)]
        await until(lambda: server.seen)
        await client.close()
        outcomes = await asyncio.gather(*askers, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)

    asyncio.run(leave())
