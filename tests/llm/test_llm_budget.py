"""Money: estimated before, counted after, never passed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import ask, ask_and_count, online, question
from llm.misbehaving import Misbehaving, cut, good, status

from leafinstruct.errors import BudgetError
from leafinstruct.llm.client import Client, estimate_tokens
from leafinstruct.llm.request import Picture

PRICE = {"input_per_million": 10.0, "output_per_million": 100.0}  # 100 in + 20 out = $0.003


def test_dollars_follow_the_servers_own_token_counts(server: Misbehaving, tmp_path: Path) -> None:
    [_], counts = ask_and_count(online(server.url, price=PRICE), tmp_path, question())
    assert counts.dollars == pytest.approx(0.003)
    _, counts = ask_and_count(online(server.url, price=PRICE), tmp_path, question())
    assert counts.dollars == 0, "an answer from the cache is free"


def test_without_the_servers_counts_the_estimate_is_used_and_called_one(server: Misbehaving, tmp_path: Path) -> None:
    server.always = good(usage={"prompt_tokens": -5, "completion_tokens": "many"})
    request = question("x" * 4000)
    [answer], counts = ask_and_count(online(server.url, price=PRICE), tmp_path, request)
    assert counts.estimated
    assert answer.usage.estimated
    assert counts.input_tokens == estimate_tokens(request)


def test_a_declined_try_is_free_and_a_lost_one_costs_all_it_may_have(server: Misbehaving, tmp_path: Path) -> None:
    server.script(status(500))
    _, counts = ask_and_count(online(server.url, price=PRICE, max_tokens=1000), tmp_path / "1", question())
    assert counts.dollars == pytest.approx(0.003)
    server.script(cut())
    _, counts = ask_and_count(online(server.url, price=PRICE, max_tokens=1000), tmp_path / "2", question())
    assert counts.dollars is not None
    assert counts.dollars == pytest.approx(0.003 + 1000 * 100 / 1e6 + estimate_tokens(question()) * 10 / 1e6)


def test_the_budget_is_never_passed_and_its_end_says_what_was_spent(server: Misbehaving, tmp_path: Path) -> None:
    """Even with 50 slots, which could spend $0.15 at once; and answers that came before the end are kept."""
    server.always = good(delay=0.05)
    config = online(server.url, price=PRICE, budget=0.1, max_tokens=100, max_in_flight=50)

    async def spend() -> tuple[list[Any], Client]:
        client = Client(config, tmp_path)
        outcomes = await asyncio.gather(*[client.ask(question(str(number))) for number in range(100)], return_exceptions=True)
        await client.close()
        return outcomes, client

    outcomes, client = asyncio.run(spend())
    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetError)]
    assert client.spent is not None
    assert client.spent <= 0.1
    # One request is held back at $0.01 or more, so the last one that fits starts below $0.09 and settles for $0.003.
    assert client.spent > 0.085
    assert len(refused) == 100 - round(client.spent / 0.003)
    assert all(f"${client.spent:.4f} spent on {len(server.seen)} requests" in str(error) for error in refused[-1:])
    _, counts = ask_and_count(config, tmp_path, *[question(str(number)) for number in range(20)])
    assert counts.requests == 0


def test_a_request_that_alone_passes_the_budget_is_not_sent(server: Misbehaving, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"next request \(judge\) may cost \$0\.2.*would pass \$0\.01; \$0\.0000 spent on 0 requests"):
        ask(online(server.url, price=PRICE, budget=0.01), tmp_path, question())
    assert not server.seen


@given(st.text(), st.text())
def test_an_estimate_never_falls_when_the_text_grows(text: str, more: str) -> None:
    assert 0 < estimate_tokens(question(text)) <= estimate_tokens(question(text + more))


def test_a_picture_counts_by_its_size_in_bytes() -> None:
    bare = estimate_tokens(question())
    tokens = [estimate_tokens(question(pictures=[Picture(bytes(size), "image/png")])) - bare for size in (1, 20_001, 200_001)]
    assert tokens == [255, 765, 1105]
