"""The pace of each host: how many requests at a time, how far apart, when to wait, when to give up.

A host is `name:port`. A server that answers 429 or 503 means all requests for it, not only the one, so the
whole host pauses: as long as Retry-After says, else twice as long each time. A host that asks for more than
LONGEST_WAIT, or asks for a pause DOWN times in a row, gets no further requests in this run. The same applies
to a host that gave no complete answer to DOWN requests in a row, silent or slow: ten thousand images of such
a server then cost minutes, not days. All these failures are temporary, since the host may be back tomorrow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DOWN = 8
"""Requests without a complete answer, or requested pauses, in a row, before a host is given up."""
LONGEST_WAIT = 120.0
"""Maximum seconds of Retry-After or Crawl-delay; a host that asks for more has to wait for another run."""
FIRST_PAUSE = 1.0
"""Seconds of pause after the first 429 or 503 that states none; doubled each time."""


class Host:
    """The pace of one host. per_host: concurrent requests; delay: seconds between two starts."""

    def __init__(self, per_host: int, delay: float) -> None:
        self.delay = delay
        self._slots = asyncio.Semaphore(per_host)
        self._next = 0.0  # monotonic seconds: the next free start
        self._resume = 0.0  # monotonic seconds: no start before this
        self._silent = self._pushes = 0
        self._longest = 0.0  # seconds: the longest pause it asked for

    @property
    def given_up(self) -> tuple[str, str] | None:
        """Reason and detail if the host gets no further requests in this run."""
        if self._longest > LONGEST_WAIT:
            return "asks_to_wait", f"it asked for a pause of {self._longest:,.0f} s"
        if self._pushes >= DOWN:
            return "asks_to_wait", f"it answered 429 or 503 {self._pushes} times in a row"
        if self._silent >= DOWN:
            return "host_down", f"it gave no complete answer {self._silent} times in a row"
        return None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Occupy one of the host's slots, at its pace. Waiting here blocks no requests to other hosts."""
        async with self._slots:
            while not self.given_up and (left := max(self._next, self._resume) - time.monotonic()) > 0:  # noqa: ASYNC110 - a sleep of known length
                await asyncio.sleep(left)
            self._next = time.monotonic() + self.delay
            yield

    def answered(self) -> None:
        """Record a complete answer that does not ask for a pause."""
        self._silent = self._pushes = 0

    def pushed_back(self, seconds: float | None) -> None:
        """Record a 429 or 503. seconds: of its Retry-After. Never shortens a longer pause; answers within
        one pause count once."""
        self._silent = 0
        now = time.monotonic()
        if now >= self._resume:
            self._pushes += 1
        wait = FIRST_PAUSE * 2 ** (self._pushes - 1) if seconds is None else seconds
        self._longest = max(self._longest, seconds or 0.0)
        self._resume = max(self._resume, now + min(wait, LONGEST_WAIT))

    def was_silent(self) -> None:
        """Record a request without a complete answer."""
        self._silent += 1
