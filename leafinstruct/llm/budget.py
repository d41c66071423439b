"""What the requests of one run cost: estimated before they are sent, counted from the server's own figures afterwards.

The budget is a promise, so each request first RESERVES the most it can cost (estimated input + all of max_tokens) and settles for what it
did cost. When a reservation would pass the budget while others are open, it waits for them, since most answers are shorter than they may
be; only when nothing is open is the budget really used up. A try that was lost on the way (timeout, cut body) settles for its whole
reservation: the provider may have charged for what it generated unseen.

The estimate is rough, and where it is shown it is called an estimate: UTF-8 bytes / 4 for text (English: 4 characters a token; a Chinese
character: 3 bytes, about 0.75 token) and a constant per picture by file size, after the 85 + 170 per 512-px tile that OpenAI's vision guide
charges: 255 (one tile), 765 (four), 1,105 (six). A tokenizer per model (tiktoken) was refused: it is right for one vendor only.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from leafinstruct.errors import BudgetError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Picture, Request, Usage

_BYTES_PER_TOKEN = 4
_MESSAGE_TOKENS = 4  # role and separators
_PICTURE_TOKENS = ((20_000, 255), (200_000, 765))  # (file bytes up to, tokens)
_LARGE_PICTURE_TOKENS = 1_105


def estimate_tokens(request: Request) -> int:
    """Input tokens of one request, estimated: text, schema and pictures. The answer adds up to `llm.max_tokens`."""
    parts = [part for message in request.messages for part in message.parts]
    text = sum(len(part.encode("utf-8", "replace")) for part in parts if isinstance(part, str)) + len(json.dumps(request.schema))
    pictures = sum(_picture_tokens(part) for part in parts if isinstance(part, Picture))
    return -(-text // _BYTES_PER_TOKEN) + _MESSAGE_TOKENS * len(request.messages) + pictures


def _picture_tokens(picture: Picture) -> int:
    return next((tokens for limit, tokens in _PICTURE_TOKENS if len(picture.data) <= limit), _LARGE_PICTURE_TOKENS)


@dataclass
class Counts:
    """What one client did. Every count is of this run; the cache remembers no costs."""

    answered: int = 0
    """Questions worked out now, by a server or by an offline answerer."""
    cache_hits: int = 0
    requests: int = 0
    """HTTP requests sent, repeats included; always 0 offline."""
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """True once a server left out its token counts, so that some of these are estimates."""
    dollars: float | None = None
    """None while the price is unknown."""


class Budget:
    """The one owner of the run's spending."""

    def __init__(self, config: LlmConfig, counts: Counts) -> None:
        self._price, self._limit, self._counts = config.price, config.budget, counts
        self._reserved, self._open = 0.0, 0  # dollars held, and by how many requests
        self._settled = asyncio.Event()
        if config.price is not None:
            counts.dollars = 0.0

    async def reserve(self, most: Usage, purpose: str) -> None:
        """Holds the cost of `most`; raises BudgetError when it would pass the budget and nothing in flight can still settle for less."""
        cost = self._cost(most)
        while self._limit is not None and self._spent + self._reserved + cost > self._limit:
            if self._open == 0:
                raise BudgetError(self._exhausted(cost, purpose))
            await self._settled.wait()
        self._reserved += cost
        self._open += 1

    def settle(self, most: Usage, used: Usage) -> None:
        """Replaces a reservation by what was used."""
        counts = self._counts
        self._open -= 1
        # Exactly zero when nothing is open: sums of floats that should cancel leave crumbs.
        self._reserved = self._reserved - self._cost(most) if self._open else 0.0
        counts.input_tokens += used.input_tokens
        counts.output_tokens += used.output_tokens
        counts.estimated |= used.estimated
        if self._price is not None:
            counts.dollars = self._spent + self._cost(used)
        self._settled.set()  # wakes all who wait now
        self._settled.clear()

    @property
    def _spent(self) -> float:
        return self._counts.dollars or 0.0

    def dollars(self, usage: Usage) -> float | None:
        """What an answer cost; None while the price is unknown."""
        return None if self._price is None else self._cost(usage)

    def _cost(self, usage: Usage) -> float:
        """Dollars; 0 while the price is unknown, which only means that there is nothing to hold back."""
        if self._price is None:
            return 0.0
        return (usage.input_tokens * self._price.input_per_million + usage.output_tokens * self._price.output_per_million) / 1e6

    def _exhausted(self, cost: float, purpose: str) -> str:
        return (
            f"llm.budget: the next request ({purpose}) may cost ${cost:.4f} and would pass ${self._limit:g}; ${self._spent:.4f} "
            f"spent on {self._counts.requests:,} requests. The answers are kept: raise llm.budget and run the same command again."
        )
