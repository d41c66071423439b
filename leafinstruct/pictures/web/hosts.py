"""Hosts, each with its own pace: how many requests at a time, how far apart, when to wait, when to give up.

A host is `name:port`. A server that answers 429 or 503 with Retry-After speaks to all requests for it, not to the one it hit, so the host waits
as a whole. A host that gave no answer to DOWN requests on end is not asked again in this run: ten thousand pictures of a dead server
then cost seconds, not days. They count as failures that may pass, since tomorrow it may be there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DOWN = 8
"""Requests without an answer, one after another, before a host counts as down."""
LONGEST_WAIT = 120.0
"""Seconds of Retry-After, or of Crawl-delay, that are waited for; who asks for more is asked in another run."""


class Host:
    """The pace of one host. per_host: requests at a time; delay: seconds between two starts."""

    def __init__(self, per_host: int, delay: float) -> None:
        self.delay = delay
        self._slots = asyncio.Semaphore(per_host)
        self._next = 0.0  # monotonic seconds: the next free start
        self._resume = 0.0  # monotonic seconds: no start before this
        self._silent = 0

    @property
    def down(self) -> bool:
        """Whether it has not answered for so long that it is given up for this run."""
        return self._silent >= DOWN

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of its slots, at its pace. What waits here holds nothing that requests to other hosts need."""
        async with self._slots:
            while (left := max(self._next, self._resume) - time.monotonic()) > 0:  # noqa: ASYNC110 - a sleep of known length
                await asyncio.sleep(left)
            self._next = time.monotonic() + self.delay
            yield

    def pause(self, seconds: float) -> None:
        """No start for that long; never shortens a longer pause."""
        self._resume = max(self._resume, time.monotonic() + min(seconds, LONGEST_WAIT))

    def answered(self) -> None:
        """It speaks, whatever it says."""
        self._silent = 0

    def was_silent(self) -> None:
        """It did not answer a request."""
        self._silent += 1
