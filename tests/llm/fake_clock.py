"""A clock on which pauses cost no time: tests of deadlines and pauses do not depend on how busy the machine is."""

from __future__ import annotations

import asyncio

from leafinstruct.llm.clock import Clock


class FakeClock(Clock):
    """Time passes only in pauses, which end at once. `slept`: their lengths in order. Time limits end when a test says so, with `expire`."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._limits: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, end)  # others may have slept meanwhile

    def limit(self, seconds: float) -> asyncio.Timeout:  # noqa: ARG002 - only `expire` ends it
        limit = asyncio.timeout(None)
        self._limits.append((asyncio.get_running_loop(), limit))
        return limit

    def expire(self) -> None:
        """End the time limits that are running. From any thread."""
        limits, self._limits = self._limits, []
        for loop, limit in limits:
            loop.call_soon_threadsafe(_end, limit)


def _end(limit: asyncio.Timeout) -> None:
    if limit.when() is None:
        limit.reschedule(asyncio.get_running_loop().time())
