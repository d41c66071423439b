"""Questions for the tests, and one event loop around asking them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leafinstruct.llm.client import Client, Counts
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Answer, Message, Request, SentImage

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}, "reason": {"type": "string"}},
    "required": ["score", "reason"],
    "additionalProperties": False,
}
OFFLINE = {"score": 3, "reason": "rules"}


def question(
    text: str = "Bake a cake.",
    *,
    images: Sequence[SentImage] = (),
    check: Callable[[dict[str, Any]], str | None] | None = None,
    purpose: str = "judge",
    sample: int = 0,
    offline: Callable[[], dict[str, Any]] = lambda: dict(OFFLINE),
) -> Request:
    messages = (Message("system", ("You judge lessons.",)), Message("user", (text, *images)))
    return Request(purpose, messages, SCHEMA, offline, "offline-rules@1", check, sample)


def online(url: str, **settings: Any) -> LlmConfig:
    return LlmConfig(**{"provider": "openai", "base_url": url, "model": "tiny", "deadline": 20, **settings})


def ask(config: LlmConfig, cache: Path, *requests: Request) -> list[Answer]:
    """The answers of one client, asked all at once."""
    return ask_and_count(config, cache, *requests)[0]


def ask_and_count(config: LlmConfig, cache: Path, *requests: Request) -> tuple[list[Answer], Counts]:
    async def all_at_once() -> tuple[list[Answer], Counts]:
        client = Client(config, cache)
        try:
            return list(await asyncio.gather(*map(client.ask, requests))), client.counts
        finally:
            await client.close()

    return asyncio.run(all_at_once())
