"""Number of requests in flight: an adaptive limit between 1 and `llm.max_in_flight`.

    first answer   1 until the server has completed one request: its counts and limits are unknown before
    after it       as many as a server that handles one request at a time would answer within half of
                   `llm.timeout`, at most 8
    each answer    +1 until the first sign of overload (doubling in each round), then +1 in each round
    latency        no growth while the mean is above a quarter of `llm.timeout` and 1.5 x the lowest mean; -1
                   for each answer while it is above half of the timeout and twice the lowest mean
    timeout        at most half as many, and half of the number of answers within the last `llm.timeout`
    429, 503, ...  half as many once most recent responses are of this kind; one in ten, as from busy public
                   servers, changes nothing

Without this, a server that queues (Ollama handles one request at a time) spends the timeout of request 25 on
the first 24. A limit of requests per second cannot replace it: the rate of such a server is unknown and
differs between documents.

Source: additive increase, multiplicative decrease (Chiu and Jain 1989), slow start as in TCP. Cost: 6 us a
request.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable

from leafinstruct.llm import clock

_FIRST = 8  # in flight after the first answer, at most
# share of recent responses that report overload: growth below the first, half as many above the second
_GROW, _SHRINK = 0.2, 0.4
_WEIGHT = 0.1  # of one response in that share
_RECENT = 0.3  # weight of one answer in the mean latency


class Queue:
    """Admits in order of arrival, at most `limit()` at once."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.inside = 0

    @contextlib.asynccontextmanager
    async def enter(self, *, first: bool = False) -> AsyncGenerator[None]:
        """first: before all that wait."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(place)
        else:
            self._waiting.append(place)
        self.admit()
        try:
            await place
            yield
        finally:
            if place.done() and not place.cancelled():
                self.inside -= 1
            place.cancel()
            self.admit()

    def admit(self) -> None:
        """Admit as many as the limit allows now."""
        while self._waiting and self.inside < self._limit():
            place = self._waiting.popleft()
            if not place.done():  # its task was cancelled
                self.inside += 1
                place.set_result(None)


class Gate:
    """The limit of one client, and its queues. An exchange is one question with all its tries; a flight is
    one request."""

    def __init__(self, most: int, timeout: float) -> None:
        self._most, self._timeout = most, timeout
        self._limit = 1.0
        self._doubling_to = float(most)  # below it, each answer adds 1
        # the limit at which a request timed out; not reached again by a server with latencies above a
        # quarter of the timeout
        self._too_many = math.inf
        self._cut = 0.0  # when the limit was last lowered; older requests do not lower it again
        self._overload = 0.0  # share of recent responses
        self._mean = self._lowest = 0.0  # seconds; 0 before the first answer
        self._answers: deque[float] = deque(maxlen=most)  # when the latest arrived
        self._exchanges = Queue(self._begun)
        self._flights = Queue(lambda: self.limit)

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Requests in flight, including those that wait for the budget or the pace."""
        return self._flights.inside

    def exchange(self, *, first: bool = False) -> contextlib.AbstractAsyncContextManager[None]:
        """One question. One more than may be in flight is started, so that a question that only waits does
        not delay the others."""
        return self._exchanges.enter(first=first)

    def flight(self, *, again: bool) -> contextlib.AbstractAsyncContextManager[None]:
        """One request. again: not the first try of its question, whose deadline is running, so it goes
        first."""
        return self._flights.enter(first=again)

    def answered(self, began: float) -> None:
        """Record a completion, while its flight is open. began: time when it was sent."""
        now = clock.CLOCK.now()
        seconds = now - began
        first = not self._answers
        self._answers.append(now)
        self._overload *= 1 - _WEIGHT
        self._mean = seconds if first else self._mean + _RECENT * (seconds - self._mean)
        self._lowest = self._mean if first else min(self._lowest, self._mean)
        if first:
            self._set(min(_FIRST, self._timeout / (2 * seconds) if seconds > 0 else _FIRST))
        elif self._mean > max(self._timeout / 2, 2 * self._lowest):
            self._set(self._limit - 1)
        elif self._overload < _GROW and 2 * self._flights.inside >= self.limit:
            if self._mean < self._timeout / 4:
                self._set(self._limit + (1 if self._limit < self._doubling_to else 1 / self._limit))
            elif self._mean < 1.5 * self._lowest and self._limit + 1 / self._limit < self._too_many:
                self._set(self._limit + 1 / self._limit)

    def overloaded(self, began: float) -> None:
        """Record that the server declined a request because of its load."""
        self._overload += _WEIGHT * (1 - self._overload)
        if self._overload > _SHRINK and began >= self._cut:
            self._lower(self._limit / 2)

    def timed_out(self, began: float) -> None:
        """Record a request without an answer within the timeout."""
        if began >= self._cut:
            self._too_many = max(2.0, self._limit)
            since = clock.CLOCK.now() - self._timeout
            self._lower(min(self._limit, sum(at > since for at in self._answers)) / 2)

    def _begun(self) -> int:
        return min(self._most, self.limit + 1) if self._answers else 1

    def _lower(self, limit: float) -> None:
        # otherwise it is the same episode, and the earlier target stays
        if self._answers and self._answers[-1] >= self._cut:
            self._doubling_to = max(1.0, self._limit / 2)
        self._cut = clock.CLOCK.now()
        self._set(limit)

    def _set(self, limit: float) -> None:
        self._limit = min(float(self._most), max(1.0, limit))
        self._exchanges.admit()
        self._flights.admit()
