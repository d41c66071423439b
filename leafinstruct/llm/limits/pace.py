"""When the next request may start: one clock for all requests of a client.

A server that answers 429 speaks to the whole client, not to the one request it hit: without a common pause
the other 63 in flight burn their tries against the same wall. `requests_per_minute` and `tokens_per_minute`
space starts evenly: a request of a tenth of the tokens of a minute is followed by 6 s of rest. A token bucket
was refused because its first burst is exactly what small per-minute quotas punish. Tokens are reserved as
providers count them, the input and all of max_tokens, and corrected when the answer is counted.

A quota that a response's headers call used up is waited for before a request is declined for it (quota.py),
up to a minute: a header is a forecast, and a quota of a day is only believed once a request is declined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from leafinstruct.errors import RecipeError
from leafinstruct.llm import clock
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.limits import quota

_FORECAST = 60.0  # seconds


class Pace:
    """Grants starts, in order of arrival."""

    def __init__(self, config: LlmConfig) -> None:
        self._interval = 60 / config.requests_per_minute if config.requests_per_minute else 0.0
        self._token = 60 / config.tokens_per_minute if config.tokens_per_minute else 0.0  # seconds
        self._quota, self._max_tokens = config.tokens_per_minute, config.max_tokens
        self._forecast = min(_FORECAST, config.deadline / 2)
        self._order = asyncio.Lock()
        self._next = 0.0  # monotonic seconds: the next free start
        self._resume = 0.0  # monotonic seconds: no start before this
        self._tokens = 0  # of the latest request

    def pause(self, seconds: float) -> None:
        """No start for that long, as a server asked with Retry-After; never shortens a longer pause."""
        self._resume = max(self._resume, clock.CLOCK.now() + seconds)

    def heed(self, headers: Mapping[str, str]) -> None:
        """Pause while a quota is used up. headers: of any response."""
        if left := quota.wait(headers, self._tokens):
            self.pause(min(left, self._forecast))

    @property
    def paused_for(self) -> float:
        """Seconds of pause left; 0 if there is none."""
        return max(0.0, self._resume - clock.CLOCK.now())

    def refuse(self, tokens: int, purpose: str) -> None:
        """Raises RecipeError for a request of more tokens than a minute may have."""
        if self._quota is not None and tokens > self._quota:
            raise RecipeError(
                f"llm.tokens_per_minute: one request ({purpose}) may take {tokens:,} tokens with its "
                "answer (llm.max_tokens: "
                f"{self._max_tokens:,}), more than {self._quota:,} a minute; raise it, or lower "
                "llm.max_tokens or the size of documents"
            )

    async def turn(self, tokens: int, patience: float) -> bool:
        """Wait for this caller's start. A pause that comes up while it waits holds it too, and one of more
        than `patience` ends the wait: False."""
        if self._interval or self._token:
            async with self._order:
                start = max(clock.CLOCK.now(), self._next)
                self._next = start + max(self._interval, tokens * self._token)
                await clock.CLOCK.sleep(start - clock.CLOCK.now())
        while (left := self.paused_for) > 0:
            if left > patience:
                return False
            await clock.CLOCK.sleep(left)
        self._tokens = tokens
        return True

    def correct(self, reserved: int, used: int) -> None:
        """A request took `used` tokens instead of those reserved with its turn."""
        self._next -= (reserved - used) * self._token
