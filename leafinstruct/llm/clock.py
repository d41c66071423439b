"""The clock for all waiting in this package: current time, pause, time limit. Tests replace it."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """A monotonic clock, in seconds."""

    def now(self) -> float:
        """The current time in seconds, from an unspecified start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Pause this task."""
        await asyncio.sleep(seconds)

    def limit(self, seconds: float) -> asyncio.Timeout:
        """A context that raises TimeoutError when its body takes longer."""
        return asyncio.timeout(seconds)


CLOCK = Clock()
