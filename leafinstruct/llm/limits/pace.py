"""When the next request may start: one schedule for all requests of a client.

A server that answers 429 means the whole client, not the one request: without a common pause the other 63 in
flight would waste their tries. `requests_per_minute` and `tokens_per_minute` space starts evenly: after a
request with a tenth of a minute's tokens, nothing starts for 6 s. Chosen over a token bucket, whose first
burst is what small per-minute quotas punish. Tokens are reserved as providers count them, the input and all
of max_tokens, and corrected when the answer is counted.

If a response's headers report that a quota is used up, the client waits for it before a request is declined
(quota.py), but at most a minute: a header is a forecast, and a daily quota is believed only after a request
was declined.
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
        """Start nothing for that long, as a server requests with Retry-After. Never shortens a longer
        pause."""
        self._resume = max(self._resume, clock.CLOCK.now() + seconds)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Pause while a quota is used up. headers: of any response."""
        if left := quota.wait(headers, self._tokens):
            self.pause(min(left, self._forecast))

    @property
    def paused_for(self) -> float:
        """Seconds of pause left; 0 if there is none."""
        return max(0.0, self._resume - clock.CLOCK.now())

    def refuse(self, tokens: int, purpose: str) -> None:
        """Raises RecipeError for a request with more tokens than one minute allows."""
        if self._quota is not None and tokens > self._quota:
            raise RecipeError(
                f"llm.tokens_per_minute: one request ({purpose}) may take {tokens:,} tokens with its "
                "answer (llm.max_tokens: "
                f"{self._max_tokens:,}), more than {self._quota:,} a minute; raise it, or lower "
                "llm.max_tokens or the size of documents"
            )

    async def turn(self, tokens: int, patience: float) -> bool:
        """Wait for this caller's start; pauses that begin meanwhile are included. Returns False for a
        pause of more than `patience` seconds."""
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
        """Replace the tokens reserved for a request by those it used."""
        self._next -= (reserved - used) * self._token
