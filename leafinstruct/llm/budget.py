"""What the requests of one run cost: bounded before they are sent, counted from the server's own figures
afterwards.

The budget is a promise, so each request first RESERVES the most it can cost (tokens.py: an upper bound of its
input + all of max_tokens) and settles for what it did cost. When a reservation would pass the budget while
others are open, it waits for them, since most answers are shorter than they may be. When nothing is open and
the bound does not fit, the likely cost is reserved instead: the largest that the server's counts suggest,
before the first answer the estimate. Only when that does not fit either is the budget used up.

Law: spent <= budget while bounds fit. A request reserved at its likely cost is alone in flight, and can pass
the budget by its bound minus its likely cost: the last one of a run, or the first one where the budget is
below its bound. A server that counts beyond the bound (more than one token a byte, or reasoning beyond
max_tokens) does so unseen for one request, the first (gate.py), and is then reserved for.

A try that was lost on the way (timeout, cut body) settles for its likely input and all of max_tokens: the
provider may have charged for what it generated unseen. Where a server reports no counts, or counts that
nothing sent can explain, the estimate is used and called one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from leafinstruct.errors import BudgetError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Usage
from leafinstruct.llm.tokens import Learned, Size, is_absurd


@dataclass
class Counts:
    """What one client did. Every count is of this run; the cache remembers no costs."""

    answered: int = 0
    """Questions worked out now, by a server or by an offline answerer."""
    cache_hits: int = 0
    requests: int = 0
    """HTTP requests sent, repeats included; always 0 offline."""
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """True once a server left out its token counts, so that some of these are estimates."""
    dollars: float | None = None
    """None while the price is unknown."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held back for one request. likely: what it costs if it is lost on the way."""

    purpose: str
    size: Size
    limit: int
    likely: Usage
    dollars: float


class Budget:
    """The one owner of the run's spending."""

    def __init__(self, config: LlmConfig, counts: Counts) -> None:
        self._price, self._limit, self._counts = config.price, config.budget, counts
        self._reserved, self._open = 0.0, 0  # dollars held, and by how many requests
        self._settled = asyncio.Event()
        self._order = asyncio.Lock()  # who came first is served first
        self._learned = Learned(images=config.budget is not None)
        if config.price is not None:
            counts.dollars = 0.0

    async def reserve(self, purpose: str, size: Size, limit: int) -> Reservation:
        """Hold the most that a request can cost. limit: tokens of its answer.

        Raises BudgetError when not even its likely cost fits and nothing in flight can still settle for less.
        """
        async with self._order:
            cost = 0.0 if self._limit is None else await self._room(self._limit, purpose, size, limit)
        self._reserved += cost
        self._open += 1
        return Reservation(purpose, size, limit, self._learned.likely(purpose, size, limit), cost)

    async def _room(self, budget: float, purpose: str, size: Size, limit: int) -> float:
        """Wait until the budget has room for a request. Returns the dollars to hold."""
        while True:
            cost = self._cost(self._learned.most(size, limit))
            if self._spent + self._reserved + cost <= budget:
                return cost
            if self._open == 0:
                break
            await self._settled.wait()
        cost = self._cost(self._learned.likely(purpose, size, limit))
        if self._spent + cost > budget:
            raise BudgetError(self._exhausted(cost, purpose))
        return cost

    def settle(self, held: Reservation, used: Usage) -> None:
        """Replace a reservation by what was used."""
        counts = self._counts
        self._open -= 1
        # Exactly zero when nothing is open: sums of floats that should cancel leave crumbs.
        self._reserved = self._reserved - held.dollars if self._open else 0.0
        counts.input_tokens += used.input_tokens
        counts.output_tokens += used.output_tokens
        counts.estimated |= used.estimated
        if self._price is not None:
            counts.dollars = self._spent + self._cost(used)
        self._settled.set()  # wakes all who wait now
        self._settled.clear()

    def used(self, held: Reservation, reported: Usage | None, text: str) -> Usage:
        """The usage of an answer: what the server reported, which later reservations learn from; else the
        estimate."""
        if reported is not None and is_absurd(reported, held.size, held.limit):
            reported = None
        self._learned.learn(held.purpose, held.size, reported)
        return reported or Usage(held.size.estimate, -(-len(text.encode()) // 4), estimated=True)

    @property
    def _spent(self) -> float:
        return self._counts.dollars or 0.0

    def dollars(self, usage: Usage) -> float | None:
        """What an answer cost; None while the price is unknown."""
        return None if self._price is None else self._cost(usage)

    def _cost(self, usage: Usage) -> float:
        """Dollars; 0 while the price is unknown, which only means that there is nothing to hold back."""
        if self._price is None:
            return 0.0
        return (
            usage.input_tokens * self._price.input_per_million
            + usage.output_tokens * self._price.output_per_million
        ) / 1e6

    def _exhausted(self, cost: float, purpose: str) -> str:
        return (
            f"llm.budget: the next request ({purpose}) may cost ${cost:.4f} and would pass "
            f"${self._limit:g}; ${self._spent:.4f} "
            f"spent on {self._counts.requests:,} requests. The answers are kept: raise llm.budget "
            "and run the same command again."
        )
