"""Send the tries of one question, directly or in a batch: each with its cost reserved, in its turn, within
the deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from leafinstruct.llm import clock
from leafinstruct.llm.batch.collector import Collector, item_of
from leafinstruct.llm.budget import Budget, Counts, Reservation
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.faults.again import AgainError
from leafinstruct.llm.faults.faults import BusyError
from leafinstruct.llm.limits.gate import Gate
from leafinstruct.llm.limits.pace import Pace
from leafinstruct.llm.protocol.context import FILLER, with_filler
from leafinstruct.llm.protocol.negotiation import Terms
from leafinstruct.llm.protocol.server import Reply, Server
from leafinstruct.llm.protocol.wire import Form, WireMessage, named, response_format, wire_messages
from leafinstruct.llm.request import Request, Usage
from leafinstruct.llm.tokens import size_of

# tries of one question that may time out beside others without cost to its deadline; by then the gate is at 1
_CROWDED = 8
_PROOF_TOKENS = 16  # of an answer that is not read

Sent = tuple[Terms, tuple[WireMessage, ...], int]
"""Terms, repair turns and limit of a request."""


class Sender:
    """The requests of one question, and what they cost."""

    def __init__(
        self,
        config: LlmConfig,
        server: Server,
        gate: Gate,
        pace: Pace,
        budget: Budget,
        counts: Counts,
        request: Request,
        key: str,
        batches: Collector | None,
    ) -> None:
        """key: of the question; batches: None sends each request directly."""
        self._config, self._server, self._gate, self._pace = config, server, gate, pace
        self._budget, self._counts, self._request = budget, counts, request
        self._key, self._batches = key, batches
        self._size = size_of(request)
        self._excused = 0.0  # seconds since the first try that the deadline does not count
        self._crowded = 0  # tries that timed out while others were in flight
        # the last request without images and its body, which then need not be built again
        self._built: tuple[Sent, dict[str, object]] | None = None
        self._formats: dict[Form, dict[str, object]] = {}
        self.began = 0.0
        """Monotonic seconds of the first try; 0 before it."""
        self.usage = Usage()
        self.dollars = None if config.price is None else 0.0
        """Cost of all tries; None if the price is unknown."""
        self.last: Sent | None = None
        """The last try."""
        self.items: list[str] = []
        """The requests that were sent in batches."""
        self.rounds = 0
        """Batches without an answer."""

    @property
    def sent(self) -> Mapping[str, object]:
        """The body of the last try, with images by name; empty before the first."""
        if self.last is None:
            return {}
        if self._built is not None and self._built[0] == self.last:
            return self._built[1]
        terms, turns, limit = self.last
        return self._body(terms, wire_messages(self._request, terms.form, turns, named), limit)

    def patience(self) -> float:
        """Return the seconds left before the deadline. The clock starts with the first try and stops while
        this question waits for its turn."""
        return self._config.deadline - (clock.CLOCK.now() - self.began - self._excused if self.began else 0.0)

    async def send(self, terms: Terms, turns: Sequence[WireMessage], limit: int) -> Reply:
        """Send the question. turns: bad answers and the reasons against them; limit: tokens of the answer.

        Raises what Server.send raises; AgainError for a pause beyond the deadline; BudgetError.
        """
        tried: Sent = (terms, tuple(turns), limit)
        if self._batches is not None:
            item = item_of(self._key, turns, limit)
            if self._batches.knows(item) or self._server.negotiation.is_open(self._request.purpose):
                return await self._send_in_batch(self._batches, item, tried)
        body = self._body(terms, wire_messages(self._request, terms.form, turns), limit)
        if not self._size.sent:
            self._built = tried, body
        return await self._send(body, [str(turn["content"]) for turn in turns], limit, tried)

    async def prove(self, terms: Terms) -> Reply:
        """Send the question with a filler before the prompt, see context.py."""
        messages = with_filler(wire_messages(self._request, terms.form, ()))
        return await self._send(self._body(terms, messages, _PROOF_TOKENS), [FILLER], _PROOF_TOKENS, None)

    async def _send(
        self, body: Mapping[str, object], more: Sequence[str], limit: int, tried: Sent | None
    ) -> Reply:
        """Send one HTTP request. Its cost is reserved before and settled after; one that is cancelled or lost
        settles for all that it may have cost. more: texts beside the question; tried: None for a proof."""
        size = self._size.longer(more)
        waiting = clock.CLOCK.now()
        async with self._gate.flight(again=bool(self.began)):
            reserved = await self._budget.reserve(self._request.purpose, size, limit)
            tokens = reserved.likely.input_tokens + reserved.likely.output_tokens
            used = Usage()
            try:
                self._pace.refuse(tokens, self._request.purpose)
                await self._turn(tokens)
                began, in_flight = clock.CLOCK.now(), self._gate.in_flight
                self._excused += began - waiting if self.began else 0.0
                self.began = self.began or began
                used = reserved.likely  # from here on the provider may charge for it
                self._counts.requests += 1
                self.last = tried or self.last
                reply = await self._server.send(body, min(self._config.timeout, self.patience()))
                used, reply = self._used(reserved, reply)
                self._gate.answered(began)
            except Exception as fault:
                if not (isinstance(fault, BusyError) and fault.lost):
                    used = Usage()
                if isinstance(fault, BusyError):
                    self._adapt_to_load(fault, began, in_flight)
                raise
            finally:
                self._settle(reserved, used)
                self._pace.correct(tokens, used.input_tokens + used.output_tokens)
        return reply

    async def _send_in_batch(self, batches: Collector, item: str, tried: Sent) -> Reply:
        """Send one request in a batch. Gate, pace and deadline do not count it, since it may wait for a
        day."""
        assert self._config.batch is not None
        terms, turns, limit = tried
        size = self._size.longer(str(turn["content"]) for turn in turns)
        reserved = await self._budget.reserve(self._request.purpose, size, limit, self._config.batch.price)
        began = clock.CLOCK.now()
        self.began = self.began or began
        used = reserved.likely
        try:
            self._counts.requests += 1
            self.last = tried
            self.items.append(item)
            body = self._body(terms, wire_messages(self._request, terms.form, turns), limit)
            used, reply = self._used(reserved, await batches.send(item, self._request.purpose, terms, body))
        except Exception as fault:
            self.rounds += isinstance(fault, BusyError)
            if not (isinstance(fault, BusyError) and fault.lost):
                used = Usage()
            raise
        finally:
            self._settle(reserved, used)
            self._excused += clock.CLOCK.now() - began
        return reply

    async def _turn(self, tokens: int) -> None:
        """Wait for a start. Raises AgainError for a pause beyond the deadline."""
        if not await self._pace.turn(tokens, self.patience()):
            pause = self._pace.paused_for
            raise AgainError(
                f"the server asks to wait {pause:.0f} s, longer than llm.deadline allows", after=pause
            )

    def _used(self, reserved: Reservation, reply: Reply) -> tuple[Usage, Reply]:
        used = self._budget.used(reserved, reply.usage, reply.text)
        return used, replace(reply, usage=None, read=0) if used.estimated else reply

    def _settle(self, reserved: Reservation, used: Usage) -> None:
        cost = self._budget.settle(reserved, used)
        self.usage += used
        self.dollars = None if cost is None or self.dollars is None else self.dollars + cost

    def _adapt_to_load(self, busy: BusyError, began: float, in_flight: int) -> None:
        """Send fewer requests to a server that is slow or full. Time in the server's own queue does not
        count against the deadline."""
        if busy.load == "full":
            self._gate.overloaded(began)
        elif busy.load == "slow":
            if max(in_flight, self._gate.in_flight) > 1 and self._crowded < _CROWDED:
                self._crowded += 1
                self._excused += clock.CLOCK.now() - began
            self._gate.timed_out(began)

    def _body(self, terms: Terms, messages: Sequence[WireMessage], limit: int) -> dict[str, object]:
        if terms.form not in self._formats:
            self._formats[terms.form] = response_format(
                self._request, terms.form, integer_enums=self._config.served_by.integer_enums
            )
        temperature = self._config.temperature if terms.temperature else None
        return {
            **self._config.extra_body,
            "model": self._config.model,
            "messages": messages,
            **({} if temperature is None else {"temperature": temperature}),
            **({terms.limit: limit} if terms.limit else {}),
            **self._formats[terms.form],
        }
