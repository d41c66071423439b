"""The budget: costs are bounded before, counted after, and never exceed it."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import ask, ask_and_count, online, question
from llm.misbehaving import Body, Misbehaving, Step, cut, depending, good, status
from PIL import Image

from leafinstruct.errors import BudgetError
from leafinstruct.llm.client import Client, Counts, estimate_tokens
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Answer, Request, SentImage, Usage
from leafinstruct.llm.tokens import read_usage

PRICE = {"input_per_million": 10.0, "output_per_million": 100.0}  # 100 in + 20 out = $0.003


def test_dollars_follow_the_servers_own_token_counts(server: Misbehaving, tmp_path: Path) -> None:
    [_], counts = ask_and_count(online(server.url, price=PRICE), tmp_path, question())
    assert counts.dollars == pytest.approx(0.003)
    _, counts = ask_and_count(online(server.url, price=PRICE), tmp_path, question())
    assert counts.dollars == 0, "an answer from the cache is free"


def test_without_the_servers_counts_the_estimate_is_used_and_marked(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = good(usage={"prompt_tokens": -5, "completion_tokens": "many"})
    request = question("x" * 4000)
    [answer], counts = ask_and_count(online(server.url, price=PRICE), tmp_path, request)
    assert counts.estimated
    assert answer.usage.estimated
    assert counts.input_tokens == estimate_tokens(request)


def test_a_declined_try_is_free_and_a_lost_one_costs_all_it_may_have(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.script(status(500))
    _, counts = ask_and_count(online(server.url, price=PRICE, max_tokens=1000), tmp_path / "1", question())
    assert counts.dollars == pytest.approx(0.003)
    server.script(cut())
    _, counts = ask_and_count(online(server.url, price=PRICE, max_tokens=1000), tmp_path / "2", question())
    assert counts.dollars is not None
    assert counts.dollars == pytest.approx(0.003 + 1000 * 100 / 1e6 + estimate_tokens(question()) * 10 / 1e6)


def test_the_budget_is_never_exceeded_and_its_end_reports_what_was_spent(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Even with 50 slots, which could spend $0.15 at once; and answers that came before the end are kept."""
    server.always = good(delay=0.05)
    config = online(server.url, price=PRICE, budget=0.1, max_tokens=100, max_in_flight=50)

    async def spend() -> tuple[list[Any], Client]:
        client = Client(config, tmp_path)
        outcomes = await asyncio.gather(
            *[client.ask(question(str(number))) for number in range(100)], return_exceptions=True
        )
        await client.close()
        return outcomes, client

    outcomes, client = asyncio.run(spend())
    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetError)]
    assert client.spent is not None
    assert client.spent <= 0.1
    # One request is reserved at $0.01 or more, so the last one that fits starts below $0.09 and settles for
    # $0.003.
    assert client.spent > 0.085
    assert len(refused) == 100 - round(client.spent / 0.003)
    assert all(
        f"${client.spent:.4f} spent on {len(server.seen)} requests" in str(error) for error in refused[-1:]
    )
    _, counts = ask_and_count(config, tmp_path, *[question(str(number)) for number in range(20)])
    assert counts.requests == 0


def test_a_request_that_alone_exceeds_the_budget_is_not_sent(server: Misbehaving, tmp_path: Path) -> None:
    with pytest.raises(
        BudgetError,
        match=r"next request \(judge\) may cost \$0\.2.*would pass \$0\.01; \$0\.0000 spent on 0 requests",
    ):
        ask(online(server.url, price=PRICE, budget=0.01), tmp_path, question())
    assert not server.seen


@given(st.text(), st.text())
def test_an_estimate_never_falls_when_the_text_grows(text: str, more: str) -> None:
    assert 0 < estimate_tokens(question(text)) <= estimate_tokens(question(text + more))


def test_an_image_counts_by_its_size_in_bytes() -> None:
    bare = estimate_tokens(question())
    tokens = [
        estimate_tokens(question(images=[SentImage(bytes(size), "image/png")])) - bare
        for size in (1, 20_001, 200_001)
    ]
    assert tokens == [255, 765, 1105]


# --- a server that counts more than we do ---


def spend(config: LlmConfig, cache: Path, requests: list[Request]) -> tuple[list[object], Counts]:
    async def all_at_once() -> tuple[list[object], Counts]:
        client = Client(config, cache)
        outcomes = await asyncio.gather(*map(client.ask, requests), return_exceptions=True)
        await client.close()
        return outcomes, client.counts

    return asyncio.run(all_at_once())


def image(side: int) -> SentImage:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG")
    return SentImage(buffer.getvalue(), "image/png")


IMAGE = image(512)


@pytest.mark.parametrize("images", [0, 4], ids=["text", "images"])
@pytest.mark.parametrize("times", [0.5, 1, 4, 10])
def test_the_budget_holds_where_the_server_counts_another_number(
    server: Misbehaving, tmp_path: Path, times: float, images: int
) -> None:
    """Ten times the estimate of a text is 2.5 tokens a byte, more than any tokenizer makes: the first request
    alone may pay for that."""
    requests = [
        question(f"{number} " + "A leaf falls. " * (50 + number % 100), images=[IMAGE] * images)
        for number in range(300)
    ]
    estimates = {request.messages[1].parts[0]: estimate_tokens(request) for request in requests}

    def counted(body: Body) -> Step:
        content = body["messages"][1]["content"]
        text = content if isinstance(content, str) else content[0]["text"]
        tokens = int(times * (estimates[text] + len(body["messages"][0]["content"]) // 4))
        return good(usage={"prompt_tokens": tokens, "completion_tokens": 20, "total_tokens": tokens + 20})

    server.always = depending(counted)
    price = {"input_per_million": 30.0, "output_per_million": 30.0}
    outcomes, counts = spend(online(server.url, price=price, budget=1.2, max_tokens=100), tmp_path, requests)
    assert counts.dollars is not None
    assert counts.dollars <= 1.2
    assert counts.dollars > 0.8 * min(
        1.2, sum(times * tokens + 20 for tokens in estimates.values()) * 30 / 1e6
    ), "and it is used"
    assert counts.requests == len(server.seen)
    refused = [str(outcome) for outcome in outcomes if not isinstance(outcome, Answer)]
    assert all(
        re.search(
            r"\(judge\) may cost \$0\.\d+ and would pass \$1\.2; \$[01]\.\d+ spent on \d+ requests\.", text
        )
        for text in refused
    )


def test_growing_images_and_another_writing_system_keep_the_budget(
    server: Misbehaving, tmp_path: Path
) -> None:
    """What was learned from short English questions with small images does not hold for the later ones."""

    def counted(body: Body) -> Step:
        content = body["messages"][1]["content"]
        text = len(content[0]["text"].encode())
        tokens = text // 5 + 85 if text < 1000 else text + 1445
        return good(usage={"prompt_tokens": tokens, "completion_tokens": 20, "total_tokens": tokens + 20})

    server.always = depending(counted)
    early = [question(f"{number} leaf", images=[IMAGE]) for number in range(50)]
    late = [question(f"{number} " + "ใบไม้" * 200, images=[image(1024)]) for number in range(200)]
    price = {"input_per_million": 30.0, "output_per_million": 30.0}
    _, counts = spend(online(server.url, price=price, budget=1.0, max_tokens=100), tmp_path, early + late)
    assert counts.dollars is not None
    assert 0.8 < counts.dollars <= 1.0


def test_a_budget_below_the_bound_of_the_first_request_is_used_one_by_one(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Its estimate fits, so it is sent, alone; a server that counts more can pass the budget by this one
    request."""
    counted = {"prompt_tokens": 3_000, "completion_tokens": 20, "total_tokens": 3_020}
    server.always = good(delay=0.02, usage=counted)
    price = {"input_per_million": 1000.0, "output_per_million": 1000.0}
    requests = [question(str(number), images=[IMAGE] * 4) for number in range(20)]
    _, counts = spend(online(server.url, price=price, budget=2.5, max_tokens=100), tmp_path, requests)
    assert (len(server.seen), server.most_at_once) == (1, 1)
    assert counts.dollars == pytest.approx(3.02)


def test_reasoning_beyond_max_tokens_is_paid_once_and_then_reserved(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Counted in total_tokens alone, as some servers do it: 100 + 20 + 5,000."""
    server.always = good(usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 5120})
    price = {"input_per_million": 10.0, "output_per_million": 100.0}
    requests = [question(str(number)) for number in range(50)]
    _, counts = spend(online(server.url, price=price, budget=2.2, max_tokens=100), tmp_path, requests)
    assert counts.output_tokens == 4 * 5020
    assert counts.dollars == pytest.approx(4 * (100 * 10 + 5020 * 100) / 1e6)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**15, "completion_tokens": 20},
        {"prompt_tokens": 100, "completion_tokens": 10**15},
        {"prompt_tokens": True, "completion_tokens": 20},
        {"prompt_tokens": 100.5, "completion_tokens": 20},
        {"prompt_tokens": None, "completion_tokens": None},
        {"none": 1},
    ],
)
def test_counts_that_cannot_be_true_are_not_counted(server: Misbehaving, tmp_path: Path, usage: Body) -> None:
    server.always = good(usage=usage)
    requests = [question(str(number)) for number in range(10)]
    outcomes, counts = spend(online(server.url, price=PRICE, budget=1.0, max_tokens=100), tmp_path, requests)
    assert all(isinstance(outcome, Answer) and outcome.state == "ok" for outcome in outcomes)
    assert counts.estimated
    assert counts.input_tokens == sum(map(estimate_tokens, requests))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, Usage(100, 20)),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 620}, Usage(100, 520)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 90},
            },
            Usage(100, 20),
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 90},
            },
            Usage(100, 20),
        ),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 3}, Usage(100, 20)),
    ],
)
def test_the_larger_reading_of_a_count_is_used_and_a_discount_is_not(usage: Body, expected: Usage) -> None:
    assert read_usage(usage) == expected
