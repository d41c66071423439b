"""The entry point of this package: `await client.ask(request)`.

    cached -> returned at once     same question in flight -> shared     offline -> the caller's answerer
    else: gate (limits requests in flight) -> claim on the question -> exchange (terms, retries, repairs)
    -> journal -> cache; if it is too large for the server, the smaller question goes next, before all others

Offline answers are validated and stored like a server's; an invalid one is a defect of this package and
raises. One client belongs to one event loop, owns rate and budget there, and takes thousands of waiting `ask`
calls. A question in flight is finished and stored even if its caller is cancelled, because it is paid for;
only `close` stops it. After a ProviderError every caller gets that error without another request, so that a
bad key costs one try, not one a document.

Builds that share a folder of answers do not pay twice: one claims the question, the other waits and reads the
answer (claims.py). The SDK (0.7 s to import) is loaded with the first question that needs a server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leafinstruct.errors import ProviderError
from leafinstruct.llm import clock
from leafinstruct.llm.answers.parse import read_answer
from leafinstruct.llm.answers.thoughts import LONGEST
from leafinstruct.llm.budget import Budget, Counts, Open
from leafinstruct.llm.cache import AnswerCache, cache_key
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.journal import Journal
from leafinstruct.llm.limits.claims import Claims
from leafinstruct.llm.limits.division import Division, Ledger
from leafinstruct.llm.limits.gate import Gate
from leafinstruct.llm.limits.pace import Pace
from leafinstruct.llm.request import Answer, Excess, Paid, Request
from leafinstruct.llm.tokens import estimate_tokens
from leafinstruct.runtime.engine.base import Needs

if TYPE_CHECKING:
    from leafinstruct.llm.batch.collector import Collector
    from leafinstruct.llm.protocol.server import Server

__all__ = ["Client", "Counts", "estimate_tokens", "needs_of"]

_CLAIMED = 0.5  # seconds between checks for the answer to a question that another process asks


class Client:
    """Ask one model, as one `llm` section configures it."""

    def __init__(
        self, config: LlmConfig, cache: Path, beside: Client | None = None, division: Division | None = None
    ) -> None:
        """cache: folder of stored answers; runs and processes may share it. beside: the client of another
        model in the same run, whose counts and budget this one shares. division: of a divided build, of whose
        limits this client gets a part. Opens no file and no connection yet, but reads what a share has
        spent."""
        self._config = config if division is None else division.part(config)
        self._folder = cache
        self._cache = AnswerCache(cache)
        self._journal = Journal(cache)
        self._counts: Counts = Counts() if beside is None else beside._counts
        self._open_requests: Open = Open() if beside is None else beside._open_requests
        self._ledger: Ledger | None = None if division is None else Ledger(division.spent)
        self._paid: float = 0.0 if self._ledger is None else self._ledger.spent()
        if beside is not None:
            self._ledger, self._paid = beside._ledger, beside._paid
        self._budget = Budget(self._config, self._counts, self._open_requests, self._ledger, self._paid)
        self._claims = Claims(cache)
        self._pace = Pace(self._config)
        self._gate = Gate(self._config.max_in_flight, config.timeout)
        self._in_flight: dict[str, asyncio.Task[Answer]] = {}
        self._server: Server | None = None
        self._batches: Collector | None = None
        self._broken: str | None = None
        self._too_many: int | None = None  # the smallest number of images that the server has declined

    @property
    def model_identity(self) -> str:
        """The model's name in rows: the declared revision, else the model's name; never the server.
        Offline, each Answer names its own answerer."""
        if self._config.provider == "offline":
            return "offline"
        return self._config.known_as

    @property
    def counts(self) -> Counts:
        """This client's counts so far; the object is updated."""
        return self._counts

    def repaired(self) -> dict[str, int]:
        """Damaged stored answers that were dropped since the last call, by what they are."""
        count, self._cache.repaired = self._cache.repaired, 0
        return {"stored answers": count} if count else {}

    @property
    def spent(self) -> float | None:
        """Dollars spent by this client; None if the price is unknown."""
        return self._counts.dollars

    def needs(self, what: str) -> Needs:
        """Return how an engine runs parts that ask this client. what: for the progress line."""
        needs = Needs("io", what=what, release=self.close)
        if self._config.batch is None:
            return needs
        return replace(needs, parts_in_flight=self._config.batch.parts, state=self._state)

    def _state(self) -> str:
        return self._batches.state if self._batches is not None else ""

    async def ask(self, request: Request) -> Answer:
        """Return the answer in whatever state; a bad answer is data and does not raise.

        Raises ProviderError, BudgetError, RecipeError (the key's variable is not set) or SourceError (the
        cache cannot be written). Each ends the run.
        """
        return await self._ask(request, first=False)

    async def _ask(self, request: Request, *, first: bool) -> Answer:
        """first: before all waiting questions."""
        key = cache_key(self._config, request)
        if (known := self._recall(key, request)) is not None:
            return known
        if self._config.provider == "offline":
            return self._offline(key, request)
        running = self._in_flight.get(key)
        if running is not None:
            answer = await asyncio.shield(running)
            # Read through the cache, since the same question may come with another check.
            return await self._ask(request, first=first) if answer.state == "ok" else answer
        task = asyncio.create_task(self._online(key, request, first))
        self._in_flight[key] = task
        task.add_done_callback(lambda _: self._in_flight.pop(key))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is in flight; close connections and files. The client cannot be used again."""
        running = list(self._in_flight.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._batches is not None:
            await self._batches.close()
        if self._server is not None:
            await self._server.close()
        self._cache.close()
        self._claims.close()
        self._journal.close()
        if self._ledger is not None:
            self._ledger.close()

    def _recall(self, key: str, request: Request) -> Answer | None:
        """Return a stored answer that is valid under the current schema, check and parser."""
        label = request.offline_name if self._config.provider == "offline" else self.model_identity
        for stored in self._cache.get(key):
            value = read_answer(stored.text, request)  # `stored.value` may be an older parser's misreading
            if isinstance(value, dict):
                self._counts.cache_hits += 1
                return Answer("ok", value, label, request.shown, cached=True, key=key, paid=stored.paid)
        return None

    def _offline(self, key: str, request: Request) -> Answer:
        text = json.dumps(request.offline(), ensure_ascii=False)
        if len(text) > LONGEST:  # templates repeat the document's text
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
            # No deadlock: each question enters the gate first, one of them negotiates, and none waits
            # for a claim while it occupies a place in the gate.
            async with self._turn(first), server.negotiation.first(request.purpose):
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

    def _turn(self, first: bool) -> AbstractAsyncContextManager[None]:
        """A place in the gate; a batch takes all questions at once."""
        return nullcontext() if self._batches is not None else self._gate.exchange(first=first)

    def _answer_of_others(self, key: str, request: Request) -> Answer | None:
        """Return an answer stored by another process since the question was asked here."""
        if self._claims.news():
            self._cache.refresh()
        return self._recall(key, request)

    async def _exchange(self, key: str, request: Request, server: Server) -> Answer | Request:
        """Return the answer, or the smaller question to ask instead."""
        # these import openai, which an offline run never needs
        from leafinstruct.llm.exchange import Exchange
        from leafinstruct.llm.sender import Sender

        sender = Sender(
            self._config,
            server,
            self._gate,
            self._pace,
            self._budget,
            self._counts,
            request,
            key,
            self._batches,
        )
        exchange = Exchange(self._config, server, self._pace, sender, self.model_identity, request)
        try:
            answer = replace(await exchange.run(), key=key)
            smaller = self._smaller(request, exchange.excess, answer.detail, server)
        except ProviderError as error:
            self._broken = str(error)
            raise
        if exchange.excess == "format":
            answer = replace(answer, state="declined")  # not even as JPEG: a smaller request does not help
        if answer.state == "ok":
            answer = replace(answer, detail=request.shown)
            self._counts.answered += 1
            self._keep(request, answer, exchange.text)  # before the journal: it is paid for
            self._claims.stored()
        self._journal.put(request, answer, sender.sent, exchange.tries)
        if self._batches is not None:
            self._batches.finished(sender.items)
        return smaller or answer

    def _smaller(
        self, request: Request, excess: Excess | None, message: str, server: Server
    ) -> Request | None:
        """Return the question to ask instead of one that is too large. Raises ProviderError if none was
        ever small enough."""
        if excess is None:
            return None
        if excess == "images":
            self._too_many = min(request.images, self._too_many or request.images)
        smaller = request.smaller(excess) if request.smaller else None
        while smaller is not None and cache_key(self._config, smaller) == cache_key(self._config, request):
            smaller = smaller.smaller(excess) if smaller.smaller else None  # images may already be that small
        if smaller is None and excess == "format":
            server.repeated.check(
                self._config.base_url, message, "Set llm.model to one that reads JPEG images"
            )
        elif smaller is None and not server.accepted:
            server.repeated.check(
                self._config.base_url, message, "Raise the context of the server or lower llm.max_tokens"
            )
        return smaller

    def _fewer_images(self, request: Request) -> Request | None:
        """Return the smaller question if this server has declined as many images."""
        if self._too_many is None or request.smaller is None or request.images < self._too_many:
            return None
        return request.smaller("images")

    def _open(self) -> Server:
        if self._server is None:
            from leafinstruct.llm.protocol.server import Server

            self._server = Server(self._config)
            self._server.observe = self._pace.observe
            if self._config.batch is not None:
                from leafinstruct.llm.batch.collector import Collector

                self._batches = Collector(self._config, self._config.batch, self._server, self._folder)
                self._batches.questions = lambda: len(self._in_flight)
        return self._server

    def _keep(self, request: Request, answer: Answer, text: str) -> Answer:
        if answer.value is not None:
            self._cache.put(answer.key, answer.model, request.purpose, answer.value, text, answer.paid)
        return answer


def needs_of(clients: Sequence[Client], what: str) -> Needs:
    """Return how an engine runs parts that ask all these clients. what: for the progress line."""
    each = [client.needs(what) for client in clients]

    async def close() -> None:
        async with AsyncExitStack() as stack:  # closes the others if one raises
            for client in clients:
                stack.push_async_callback(client.close)

    def state() -> str:
        return "; ".join(filter(None, (needs.state() for needs in each if needs.state is not None)))

    parts = max(needs.parts_in_flight for needs in each)
    return replace(each[0], parts_in_flight=parts, release=close, state=state)
