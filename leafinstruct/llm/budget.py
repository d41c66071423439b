"""Bound the cost of a run's requests before they are sent, and count it afterwards from the server's figures.

Each request first RESERVES the most it can cost (tokens.py: an upper bound of its input plus all of
max_tokens). Its answer replaces the reservation by the real cost. If a reservation would exceed the budget
while other requests are open, it waits for them, because most answers are shorter than their limit. If no
request is open and the bound does not fit, the likely cost is reserved instead: the largest that the server's
counts suggest, or the estimate before the first answer. If that does not fit either, the budget is used up.

Law: spent <= budget while bounds fit. A request reserved at its likely cost is alone in flight and can exceed
the budget by its bound minus its likely cost. This happens to the last request of a run, or to the first one
if the budget is below its bound. A server that counts beyond the bound (more than one token a byte, or
reasoning beyond max_tokens) exceeds it in one request, the first (gate.py); later reservations include it.

A try that was lost (timeout, cut body) counts as its likely input and all of max_tokens, because the provider
may have charged for it. If a server reports no counts, or impossible ones, the estimate is used and marked as
such.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from leafinstruct.errors import BudgetError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.limits.division import Ledger
from leafinstruct.llm.request import Usage
from leafinstruct.llm.tokens import Learned, Size, is_absurd


@dataclass
class Counts:
    """What one client did in this run. The cache remembers no costs."""

    answered: int = 0
    """Questions answered now, by a server or by an offline answerer."""
    cache_hits: int = 0
    requests: int = 0
    """HTTP requests sent, repeats included; always 0 offline."""
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """True if a server left out token counts, so that some of these are estimates."""
    dollars: float | None = None
    """None while the price is unknown."""


@dataclass
class Open:
    """Requests in flight of all clients that share one budget: dollars reserved, and their number."""

    reserved: float = 0.0
    count: int = 0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    order: asyncio.Lock = field(default_factory=asyncio.Lock)
    """First come, first served."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money reserved for one request. likely: what the request counts for if it is lost; share: of the price
    that it costs; entry: of the ledger, "" without one."""

    purpose: str
    size: Size
    limit: int
    likely: Usage
    dollars: float
    share: float
    entry: str = ""


class Budget:
    """The owner of the run's spending at one price. Several share `counts` and `opened`, and so one limit."""

    def __init__(
        self,
        config: LlmConfig,
        counts: Counts,
        opened: Open,
        ledger: Ledger | None = None,
        spent: float = 0.0,
    ) -> None:
        """ledger: of a share of a build. spent: dollars in it, of earlier processes."""
        self._price, self._limit, self._counts, self._open = config.price, config.budget, counts, opened
        self._ledger, self._before = ledger if config.price is not None else None, spent
        self._learned = Learned(images=config.budget is not None)
        if config.price is not None:
            counts.dollars = counts.dollars or 0.0

    async def reserve(self, purpose: str, size: Size, limit: int, share: float = 1.0) -> Reservation:
        """Reserve the most that a request can cost. limit: tokens of its answer; share: of the price, below 1
        in a batch.

        Raises BudgetError if not even the likely cost fits and no request in flight can still turn out
        cheaper.
        """
        async with self._open.order:
            cost = 0.0
            if self._limit is not None:
                cost = await self._affordable(self._limit, purpose, size, limit, share)
        likely = self._learned.likely(purpose, size, limit)
        entry = "" if self._ledger is None else self._ledger.sent(share * self._cost(likely))
        self._open.reserved += cost
        self._open.count += 1
        return Reservation(purpose, size, limit, likely, cost, share, entry)

    async def _affordable(self, budget: float, purpose: str, size: Size, limit: int, share: float) -> float:
        """Wait until a request fits into the budget. Returns the dollars to reserve."""
        while True:
            cost = share * self._cost(self._learned.most(size, limit))
            if self._paid + self._open.reserved + cost <= budget:
                return cost
            if self._open.count == 0:
                break
            await self._open.settled.wait()
        cost = share * self._cost(self._learned.likely(purpose, size, limit))
        if self._paid + cost > budget:
            raise BudgetError(self._exhausted(cost, purpose))
        return cost

    def settle(self, reserved: Reservation, used: Usage) -> float | None:
        """Replace a reservation by what was used. Returns its cost in dollars; None if the price is
        unknown."""
        counts, opened, cost = self._counts, self._open, None
        opened.count -= 1
        # Exactly zero when nothing is open: sums of floats that should cancel leave crumbs.
        opened.reserved = opened.reserved - reserved.dollars if opened.count else 0.0
        counts.input_tokens += used.input_tokens
        counts.output_tokens += used.output_tokens
        counts.estimated |= used.estimated
        if self._price is not None:
            cost = reserved.share * self._cost(used)
            counts.dollars = self._spent + cost
            if self._ledger is not None:
                self._ledger.answered(reserved.entry, cost)
        opened.settled.set()  # wakes all who wait now
        opened.settled.clear()
        return cost

    def used(self, reserved: Reservation, reported: Usage | None, text: str) -> Usage:
        """Return the usage of an answer: what the server reported, else the estimate. Later reservations
        learn from it."""
        if reported is not None and is_absurd(reported, reserved.size, reserved.limit):
            reported = None
        self._learned.learn(reserved.purpose, reserved.size, reported)
        return reported or Usage(reserved.size.estimate, -(-len(text.encode()) // 4), estimated=True)

    @property
    def _spent(self) -> float:
        return self._counts.dollars or 0.0

    @property
    def _paid(self) -> float:
        """Dollars that count for the budget, those of earlier processes of the share included."""
        return self._before + self._spent

    def _cost(self, usage: Usage) -> float:
        """Dollars; 0 if the price is unknown, since then nothing is reserved."""
        if self._price is None:
            return 0.0
        return (
            usage.input_tokens * self._price.input_per_million
            + usage.output_tokens * self._price.output_per_million
        ) / 1e6

    def _exhausted(self, cost: float, purpose: str) -> str:
        return (
            f"llm.budget: the next request ({purpose}) may cost ${cost:.4f} and would pass "
            f"${self._limit:g}; ${self._paid:.4f} "
            f"spent on {self._counts.requests:,} requests. Answers so far are saved. Raise llm.budget "
            "and run the same command again."
        )
