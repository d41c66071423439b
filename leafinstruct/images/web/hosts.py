"""Hosts, each with its own pace: how many requests at a time, how far apart, when to wait, when to give up.

A host is `name:port`. A server that answers 429 or 503 speaks to all requests for it, not to the one it hit,
so the host waits as a whole: for as long as Retry-After says, else twice as long each time. Who asks for more
than LONGEST_WAIT, or pushes back DOWN times on end, is not asked again in this run. Neither is a host that
gave no whole answer to DOWN requests on end, silent or dripping: ten thousand images of such a server then
cost minutes, not days. All these are failures that may pass, since tomorrow it may be there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DOWN = 8
"""Requests without a whole answer, or pauses asked for, one after another, before a host is given up."""
LONGEST_WAIT = 120.0
"""Seconds of Retry-After, or of Crawl-delay, that are waited for; who asks for more is asked in another
run."""
FIRST_PAUSE = 1.0
"""Seconds of pause after the first 429 or 503 that names none; twice as long each time."""


class Host:
    """The pace of one host. per_host: requests at a time; delay: seconds between two starts."""

    def __init__(self, per_host: int, delay: float) -> None:
        self.delay = delay
        self._slots = asyncio.Semaphore(per_host)
        self._next = 0.0  # monotonic seconds: the next free start
        self._resume = 0.0  # monotonic seconds: no start before this
        self._silent = self._pushes = 0
        self._longest = 0.0  # seconds: the longest pause it asked for

    @property
    def given_up(self) -> tuple[str, str] | None:
        """Reason and detail, when it is not asked again in this run."""
        if self._longest > LONGEST_WAIT:
            return "asks_to_wait", f"it asked to be left alone for {self._longest:,.0f} s"
        if self._pushes >= DOWN:
            return "asks_to_wait", f"it answered 429 or 503 {self._pushes} times on end"
        if self._silent >= DOWN:
            return "host_down", f"it gave no whole answer {self._silent} times on end"
        return None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of its slots, at its pace. What waits here holds nothing that requests to other hosts need."""
        async with self._slots:
            while not self.given_up and (left := max(self._next, self._resume) - time.monotonic()) > 0:  # noqa: ASYNC110 - a sleep of known length
                await asyncio.sleep(left)
            self._next = time.monotonic() + self.delay
            yield

    def answered(self) -> None:
        """It gave a whole answer that does not ask for a pause."""
        self._silent = self._pushes = 0

    def pushed_back(self, seconds: float | None) -> None:
        """It answered 429 or 503. seconds: of its Retry-After; never shortens a longer pause, and answers
        within one pause count once."""
        self._silent = 0
        now = time.monotonic()
        if now >= self._resume:
            self._pushes += 1
        wait = FIRST_PAUSE * 2 ** (self._pushes - 1) if seconds is None else seconds
        self._longest = max(self._longest, seconds or 0.0)
        self._resume = max(self._resume, now + min(wait, LONGEST_WAIT))

    def was_silent(self) -> None:
        """It gave no whole answer to a request."""
        self._silent += 1
