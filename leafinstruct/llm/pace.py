"""When the next request may start: one clock for all requests of a client.

A server that answers 429 speaks to the whole client, not to the one request it hit: without a common pause the other 63 in flight burn
their tries against the same wall. `requests_per_minute` spaces starts evenly; a token bucket was refused because its first burst is exactly
what small per-minute quotas punish.
"""

from __future__ import annotations

from leafinstruct.llm import clock


class Pace:
    """Grants starts, in order of arrival."""

    def __init__(self, per_minute: int | None) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._next = 0.0  # monotonic seconds: the next free start
        self._resume = 0.0  # monotonic seconds: no start before this

    def pause(self, seconds: float) -> None:
        """No start for that long, as a server asked with Retry-After; never shortens a longer pause."""
        self._resume = max(self._resume, clock.CLOCK.now() + seconds)

    @property
    def paused_for(self) -> float:
        """Seconds of pause left; 0 if there is none."""
        return max(0.0, self._resume - clock.CLOCK.now())

    async def turn(self) -> None:
        """Waits for this caller's start. A pause that comes up while it waits holds it too."""
        if self._interval:
            start = max(clock.CLOCK.now(), self._next)
            self._next = start + self._interval
            await clock.CLOCK.sleep(start - clock.CLOCK.now())
        while (left := self.paused_for) > 0:
            await clock.CLOCK.sleep(left)
