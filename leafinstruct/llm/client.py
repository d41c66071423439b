"""The door of the room: `await client.ask(request)`.

    cache hit -> answered at once          same question in flight -> shared          offline -> the caller's answerer
    else: the gate (as many as the server bears) -> a claim on the question -> exchange (terms, retries,
    repairs) -> journal -> cache too large for the server -> the smaller question, the same way; it goes first

An offline answer goes the same way as a server's: validated, stored, labeled with its own name; if it is
invalid, that is our defect and raises. One client lives in one event loop, owns rate and budget there, and
takes thousands of waiting `ask` calls. A question that is being answered is finished and stored even if its
asker goes away, because it is paid for; `close` stops it. A ProviderError is raised to every asker from then
on without another request, so that a bad key costs one try, not one per document.

Builds that share a folder of answers do not pay twice: one claims the question, the other waits and reads the
answer (claims.py).

The SDK (0.7 s to import) is loaded with the first question that really needs a server.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leafinstruct.errors import ProviderError
from leafinstruct.llm import clock
from leafinstruct.llm.answers.parse import read_answer
from leafinstruct.llm.answers.thoughts import LONGEST
from leafinstruct.llm.budget import Budget, Counts
from leafinstruct.llm.cache import AnswerCache, cache_key
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.journal import Journal
from leafinstruct.llm.limits.claims import Claims
from leafinstruct.llm.limits.gate import Gate
from leafinstruct.llm.limits.pace import Pace
from leafinstruct.llm.request import Answer, Excess, Paid, Request
from leafinstruct.llm.tokens import estimate_tokens

if TYPE_CHECKING:
    from leafinstruct.llm.protocol.server import Server

__all__ = ["Client", "Counts", "estimate_tokens"]

_CLAIMED = 0.5  # seconds between two looks at a question that another process asks


class Client:
    """Asks one model under one `llm` section."""

    def __init__(self, config: LlmConfig, cache: Path) -> None:
        """cache: folder of stored answers, shared freely between runs and processes. Opens no file and no
        connection yet."""
        self._config = config
        self._cache = AnswerCache(cache)
        self._journal = Journal(cache)
        self._counts = Counts()
        self._budget = Budget(config, self._counts)
        self._claims = Claims(cache)
        self._pace = Pace(config)
        self._gate = Gate(config.max_in_flight, config.timeout)
        self._in_flight: dict[str, asyncio.Task[Answer]] = {}
        self._server: Server | None = None
        self._broken: str | None = None
        self._too_many: int | None = None  # images: the smallest number that the server has declined

    @property
    def model_identity(self) -> str:
        """The name that answers carry into rows: declared revision, else the model's name, no server.
        Offline, each Answer names its own answerer."""
        if self._config.provider == "offline":
            return "offline"
        return self._config.known_as

    @property
    def counts(self) -> Counts:
        """Live counts of this client."""
        return self._counts

    def repaired(self) -> dict[str, dict[str, int]]:
        """Damaged stored answers that were dropped since the last call, as a task reports them."""
        count, self._cache.repaired = self._cache.repaired, 0
        return {"repaired": {"stored answers": count}} if count else {}

    @property
    def spent(self) -> float | None:
        """Dollars spent by this client; None while the price is unknown."""
        return self._counts.dollars

    async def ask(self, request: Request) -> Answer:
        """The answer, in whatever state: a bad one is data.

        Raises ProviderError, BudgetError, RecipeError (the key's variable is not set) or SourceError (the
        cache's disk): each ends the run.
        """
        return await self._ask(request, first=False)

    async def _ask(self, request: Request, *, first: bool) -> Answer:
        """first: before all questions that wait."""
        key = cache_key(self._config, request)
        if (known := self._recall(key, request)) is not None:
            return known
        if self._config.provider == "offline":
            return self._offline(key, request)
        running = self._in_flight.get(key)
        if running is not None:
            answer = await asyncio.shield(running)
            # Through the cache, since the same question may come with another check.
            return await self._ask(request, first=first) if answer.state == "ok" else answer
        task = asyncio.create_task(self._online(key, request, first))
        self._in_flight[key] = task
        task.add_done_callback(lambda _: self._in_flight.pop(key))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stops what is in flight, closes connections and files. The client is not used again."""
        running = list(self._in_flight.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._server is not None:
            await self._server.close()
        self._cache.close()
        self._claims.close()
        self._journal.close()

    def _recall(self, key: str, request: Request) -> Answer | None:
        """A stored answer whose text holds under today's schema, check and parser; None to ask (again)."""
        for stored in self._cache.get(key):
            held = read_answer(stored.text, request)  # not `value`: it may be an older parser's misreading
            if isinstance(held, dict):
                self._counts.cache_hits += 1
                return Answer(
                    "ok", held, self._label(request), request.shown, cached=True, key=key, paid=stored.paid
                )
        return None

    def _offline(self, key: str, request: Request) -> Answer:
        text = json.dumps(request.offline(), ensure_ascii=False)
        if len(text) > LONGEST:  # templates repeat the document's own text
            return Answer(
                "unparsed",
                None,
                request.offline_name,
                f"it has {len(text):,} characters; at most {LONGEST:,} are read",
                key=key,
            )
        value = read_answer(text, request)
        if isinstance(value, str):
            raise ValueError(
                f"{request.offline_name} gave an answer to {request.purpose!r} that cannot be used: {value}"
            )
        self._counts.answered += 1
        return self._keep(request, Answer("ok", value, request.offline_name, key=key, paid=Paid()), text)

    async def _online(self, key: str, request: Request, first: bool) -> Answer:
        server = self._open()
        while True:
            outcome: Answer | Request | None = None
            # No deadlock: all take their place in the gate first, one of them negotiates, and nobody waits
            # for a claim while holding a place.
            async with self._gate.exchange(first=first), server.negotiation.first(request.purpose):
                if self._broken is not None:
                    raise ProviderError(self._broken)
                if (outcome := self._fewer_images(request)) is None:
                    with self._claims.claim(key) as granted:
                        if granted:
                            outcome = self._answer_of_others(key, request) or await self._exchange(
                                key, request, server
                            )
            first = True
            if isinstance(outcome, Answer):
                return outcome
            if outcome is not None:
                return await self._ask(outcome, first=True)
            await clock.CLOCK.sleep(_CLAIMED)

    def _answer_of_others(self, key: str, request: Request) -> Answer | None:
        """What another process stored since the question was asked here."""
        if self._claims.news():
            self._cache.refresh()
        return self._recall(key, request)

    async def _exchange(self, key: str, request: Request, server: Server) -> Answer | Request:
        """The answer, or the smaller question to ask instead."""
        from leafinstruct.llm.exchange import Exchange  # brings openai, which an offline run never loads

        exchange = Exchange(
            self._config,
            server,
            self._gate,
            self._pace,
            self._budget,
            self._counts,
            self.model_identity,
            request,
        )
        try:
            answer = replace(await exchange.run(), key=key)
            smaller = self._smaller(request, exchange.excess, answer.detail, server)
        except ProviderError as error:
            self._broken = str(error)
            raise
        if exchange.excess == "format":
            answer = replace(answer, state="declined")  # not even as JPEG: it is no question of size
        if answer.state == "ok":
            answer = replace(answer, detail=request.shown)
            self._counts.answered += 1
            self._keep(request, answer, exchange.text)  # before the journal: it is paid for
            self._claims.stored()
        self._journal.put(request, answer, exchange.sent, exchange.tries)
        return smaller or answer

    def _smaller(self, request: Request, excess: Excess | None, said: str, server: Server) -> Request | None:
        """What to ask instead of a question that is too large. Raises ProviderError where nothing was ever
        small enough."""
        if excess is None:
            return None
        if excess == "images":
            self._too_many = min(request.images, self._too_many or request.images)
        smaller = request.smaller(excess) if request.smaller else None
        while smaller is not None and cache_key(self._config, smaller) == cache_key(self._config, request):
            smaller = smaller.smaller(excess) if smaller.smaller else None  # images may be that small already
        if smaller is None and excess == "format":
            server.repeated.check(self._config.base_url, said, "Set llm.model to one that reads JPEG images")
        elif smaller is None and not server.accepted:
            server.repeated.check(
                self._config.base_url, said, "Raise the context of the server or lower llm.max_tokens"
            )
        return smaller

    def _fewer_images(self, request: Request) -> Request | None:
        """The next smaller question, where this server has declined as many images: it would be asked in the
        end."""
        if self._too_many is None or request.smaller is None or request.images < self._too_many:
            return None
        return request.smaller("images")

    def _open(self) -> Server:
        if self._server is None:
            from leafinstruct.llm.protocol.server import Server

            self._server = Server(self._config)
            self._server.heed = self._pace.heed
        return self._server

    def _keep(self, request: Request, answer: Answer, text: str) -> Answer:
        if answer.value is not None:
            self._cache.put(answer.key, answer.model, request.purpose, answer.value, text, answer.paid)
        return answer

    def _label(self, request: Request) -> str:
        return request.offline_name if self._config.provider == "offline" else self.model_identity
