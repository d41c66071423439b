"""A clock on which pauses cost no time: tests of deadlines and pauses do not depend on how busy the machine
is."""

from __future__ import annotations

import asyncio
import math

from leafinstruct.llm.clock import Clock


class FakeClock(Clock):
    """Time passes only in pauses, which end at once, and with `advance`. `slept`: lengths of the pauses in
    order.

    Time limits end when a test says so, with `expire` or `advance`.
    """

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._limits: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout, float]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, end)  # others may have slept meanwhile

    def limit(self, seconds: float) -> asyncio.Timeout:
        limit = asyncio.timeout(None)
        self._limits.append((asyncio.get_running_loop(), limit, self.time + seconds))
        return limit

    def expire(self) -> None:
        """End the time limits that are running. From any thread."""
        self._expire(math.inf)

    def advance(self, seconds: float) -> None:
        """Let time pass, and end the time limits that it reaches. From any thread."""
        self.time += seconds
        self._expire(self.time)

    def _expire(self, until: float) -> None:
        due = [entry for entry in self._limits if entry[2] <= until]
        self._limits = [entry for entry in self._limits if entry[2] > until]
        for loop, limit, _end_at in due:
            loop.call_soon_threadsafe(_end, limit)


def _end(limit: asyncio.Timeout) -> None:
    if limit.when() is None:
        limit.reschedule(asyncio.get_running_loop().time())
