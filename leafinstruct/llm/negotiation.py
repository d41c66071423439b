"""What one server and model accepts of a request, found out by the first question before the others start.

    form          json_schema in the subset that strict modes share -> json_object with the schema -> json_object -> words
    limit         max_tokens -> max_completion_tokens -> none
    temperature   as in the recipe -> none

The first question of a purpose goes out alone, the others wait for it. It walks down these ladders as the server declines what it sent, and the terms
of its first completion hold for the run. A decline counts only against what the declined request itself sent. Overload, an error of the server and an
empty answer say nothing about terms; a 500 without a word about them does so only if the same request, in another form, is answered while the first
form still fails (exchange.py).

Terms are kept for a client, so for a server, a model and a run, and not on disk: all that a second run would save is one to three declined requests,
for which no provider charges, and a server that was upgraded or serves another model under the same name would keep terms that it had once declined.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from leafinstruct.llm.wire import Form

_LIMITS = ("max_tokens", "max_completion_tokens", "")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request sends. limit: name of the field that bounds the answer, "" for none; temperature: whether it is sent."""

    form: Form = Form.SCHEMA
    limit: str = _LIMITS[0]
    temperature: bool = True

    def lower_form(self) -> Terms | None:
        """With the next form, None after the last."""
        return None if self.form is Form.TEXT else replace(self, form=Form(self.form + 1))

    def without(self, field: str) -> Terms | None:
        """With what is sent instead of a field that is not supported; None if nothing is."""
        if field == "response_format":
            return self.lower_form()
        if field == self.limit:
            return replace(self, limit=_LIMITS[_LIMITS.index(field) + 1])
        if field == "temperature" and self.temperature:
            return replace(self, temperature=False)
        return None


class Negotiation:
    """The terms of one client, by purpose, since each has its own schema."""

    def __init__(self) -> None:
        self._settled: dict[str, Terms] = {}
        self._open: set[str] = set()
        self._first: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def first(self, purpose: str) -> AsyncGenerator[None, None]:
        """Hold back the other questions of this purpose until one has shown what the server accepts, or has failed for want of a server."""
        lock = self._first.setdefault(purpose, asyncio.Lock())
        if purpose not in self._open:
            async with lock:
                if purpose not in self._open:
                    yield
                    return
        yield

    def open(self, purpose: str) -> None:
        """Let the other questions go, though nothing is known."""
        self._open.add(purpose)

    def is_settled(self, purpose: str) -> bool:
        return purpose in self._settled

    def settle(self, purpose: str, terms: Terms) -> Terms:
        """The first terms that gave a completion hold. Returns those that do."""
        self._open.add(purpose)
        return self._settled.setdefault(purpose, terms)

    def terms(self, purpose: str) -> Terms:
        """Those to start with; limit and temperature are known from any purpose."""
        if purpose in self._settled:
            return self._settled[purpose]
        known = next(iter(self._settled.values()), Terms())
        return replace(known, form=Form.SCHEMA)
