"""All tries of one request: the only place that repeats anything.

A try ends in an Answer or in AgainError; tenacity decides by one clock (`llm.deadline`, from the first try on) if another follows:

    no answer (BusyError)          wait, at least as long as Retry-After says, backing off with jitter; at the deadline: failed
    cut at max_tokens              once more with twice as many; then: unparsed
    no valid answer                at once, with the bad answer and the reason appended, at most twice; then: unparsed
    form of the schema declined    at once, in the next form (json_schema -> json_object -> words), remembered by purpose
    request declined               at once: refused; a run whose first requests are ALL declined stops: its settings are wrong
    refusal, content filter        at once: refused

When is a 500 about the form? llama-cpp-python answers 500 to `json_schema`, and a server with a hiccup answers 500 to anything. So it is,
if it says so, or if the same form failed three times running and has never worked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from leafinstruct.errors import ProviderError, RecipeError
from leafinstruct.llm import clock
from leafinstruct.llm.budget import Budget, Counts
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.context import FILLER, with_filler
from leafinstruct.llm.faults import BusyError, DeclinedError, ServerError
from leafinstruct.llm.gate import Gate
from leafinstruct.llm.pace import Pace
from leafinstruct.llm.parse import is_object, read_answer
from leafinstruct.llm.request import Answer, AnswerState, Paid, Request, Usage
from leafinstruct.llm.server import Reply, Server
from leafinstruct.llm.tokens import size_of
from leafinstruct.llm.wire import Form, named, repair_turns, response_format, wire_messages

_REPAIRS = 2
_SERVER_ERRORS = 3  # in a row, in a form that has never worked, before the next form is tried
_ALL_DECLINED = 8  # first requests, all declined, before the settings are blamed
_UNANSWERED = 3  # questions in a row without an answer until their deadline, before the server counts as down
_CROWDED = 8  # tries of one question that may time out in company at no cost to its deadline; the limit is 1 long before
_PROOF_TOKENS = 16  # of an answer that is not read
_BACKOFF = wait_exponential(multiplier=0.25, max=30) + wait_random(0, 0.25)  # seconds


class AgainError(Exception):
    """This try gave no answer; the next may. after: None = back off, else seconds to wait at least."""

    def __init__(self, detail: str, after: float | None = None, silent: bool = False, outage: bool = False) -> None:
        super().__init__(detail)
        self.after, self.silent, self.outage = after, silent, outage


class Exchange:
    """One request and everything that is learnt between its tries."""

    def __init__(
        self, config: LlmConfig, server: Server, gate: Gate, pace: Pace, budget: Budget, counts: Counts, model: str, request: Request
    ) -> None:
        self._config, self._server, self._gate, self._pace = config, server, gate, pace
        self._budget, self._counts = budget, counts
        self._model, self._request = model, request
        self._size = size_of(request)
        self._form = server.forms.get(request.purpose, Form.SCHEMA)
        self._limit = config.max_tokens
        self._turns: list[dict[str, Any]] = []  # bad answers and the reasons against them
        self._server_errors = 0
        self._usage = Usage()
        self._began = 0.0  # monotonic seconds of the first try; 0 before it
        self._excused = 0.0  # seconds since then that the deadline does not count
        self._crowded = 0  # tries that timed out while others were in flight
        self._last: tuple[Form, int, int] | None = None  # form, number of turns and limit of the last try
        self.text = ""
        """The raw text of the last answer."""
        self.tries: list[dict[str, Any]] = []
        """Of every try, which is one request: `seconds` since the first, raw `text` (None for no answer), `fault` (what was said against it)."""

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the last try, pictures by name; empty before the first."""
        if self._last is None:
            return {}
        form, turns, limit = self._last
        return self._body(form, wire_messages(self._request, form, self._turns[:turns], named), limit)

    async def run(self) -> Answer:
        """The answer, in whatever state. Raises ProviderError, BudgetError and RecipeError, each of which ends the run."""
        if self._server.down is not None:
            return self._end("failed", self._server.down)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(AgainError), wait=_wait, stop=self._too_late, sleep=clock.CLOCK.sleep, reraise=True
        )
        try:
            return await retrying(self._try)
        except AgainError as last:
            tries = "1 try" if len(self.tries) == 1 else f"{len(self.tries)} tries"
            detail = f"{last}; {tries} in {clock.CLOCK.now() - self._began:.0f} s" if self.tries else str(last)
            self._server.unanswered += last.outage
            if (last.silent and self._server.heard < self._began) or self._server.unanswered >= _UNANSWERED:
                self._server.down = detail
            return self._end("failed", detail)

    def _too_late(self, state: RetryCallState) -> bool:
        return self._patience() < state.upcoming_sleep

    def _patience(self) -> float:
        """Seconds left before the deadline. The clock runs from the first try, and not while this question waits for its turn."""
        return self._config.deadline - (clock.CLOCK.now() - self._began - self._excused if self._began else 0.0)

    async def _try(self) -> Answer:
        try:
            reply = await self._send()
        except BusyError as busy:
            self._note(None, str(busy))
            raise self._after_busy(busy) from None
        except DeclinedError as declined:
            self._note(None, str(declined))
            return self._after_declined(declined)
        await self._prove_whole(reply)
        return self._judge(reply)

    def _note(self, text: str | None, fault: str) -> None:
        self.tries.append({"seconds": round(clock.CLOCK.now() - self._began, 3), "text": text, "fault": fault})

    async def _turn(self, tokens: int) -> None:
        """Wait for a start; a pause that outlasts the deadline is not waited for."""
        if not await self._pace.turn(tokens, self._patience()):
            pause = self._pace.paused_for
            raise AgainError(f"the server asks to wait {pause:.0f} s, longer than llm.deadline allows", after=pause)

    async def _send(self, *, proof: bool = False) -> Reply:
        """One HTTP request, its cost reserved before and settled after; one that is cancelled or lost settles for all it may have cost.

        proof: with a filler before it, see context.py.
        """
        limit = _PROOF_TOKENS if proof else self._limit
        messages = wire_messages(self._request, self._form, self._turns)
        size = self._size.longer([FILLER] if proof else [turn["content"] for turn in self._turns])
        waiting = clock.CLOCK.now()
        async with self._gate.flight(again=bool(self._began)):
            held = await self._budget.reserve(self._request.purpose, size, limit)
            tokens = held.likely.input_tokens + held.likely.output_tokens
            used = Usage()
            try:
                self._refuse_quota(tokens)
                await self._turn(tokens)
                began, company = clock.CLOCK.now(), self._gate.in_flight
                self._excused += began - waiting if self._began else 0.0
                self._began = self._began or began
                used = held.likely  # from here on somebody may charge for it
                self._counts.requests += 1
                if not proof:
                    self._last = (self._form, len(self._turns), limit)
                body = self._body(self._form, with_filler(messages) if proof else messages, limit)
                reply = await self._server.send(body, min(self._config.timeout, self._patience()))
                used = self._budget.used(held, reply.usage, reply.text)
                reply = replace(reply, read=0) if used.estimated else reply
                self._gate.answered(began)
            except Exception as fault:
                if not (isinstance(fault, BusyError) and fault.lost):
                    used = Usage()
                if isinstance(fault, BusyError):
                    self._heed_load(fault, began, company)
                raise
            finally:
                self._budget.settle(held, used)
                self._pace.correct(tokens, used.input_tokens + used.output_tokens)
                self._usage += used
        return reply

    def _refuse_quota(self, tokens: int) -> None:
        quota = self._config.tokens_per_minute
        if quota is not None and tokens > quota:
            raise RecipeError(
                f"llm.tokens_per_minute: one request ({self._request.purpose}) may take {tokens:,} tokens with its answer (llm.max_tokens: "
                f"{self._config.max_tokens:,}), more than {quota:,} a minute; raise it, or lower llm.max_tokens or the size of documents"
            )

    def _heed_load(self, busy: BusyError, began: float, company: int) -> None:
        """The client sends fewer requests to a server that is slow or full. A server's own queue is no fault of a document that waited in it."""
        if busy.load == "full":
            self._gate.overloaded(began)
        elif busy.load == "slow":
            if max(company, self._gate.in_flight) > 1 and self._crowded < _CROWDED:
                self._crowded += 1
                self._excused += clock.CLOCK.now() - began
            self._gate.timed_out(began)

    async def _prove_whole(self, reply: Reply) -> None:
        """Raises ProviderError for a server that reads only the beginning or the end of a prompt without saying so."""
        context = self._server.context
        if self._turns or not reply.read or not context.is_suspicious(self._request, reply.read):
            return
        async with context.proving:
            if context.is_settled(self._request, reply.read):
                return
            try:
                longer = await self._send(proof=True)
            except BusyError as busy:
                raise self._after_busy(busy) from None
            except DeclinedError:
                context.is_whole(self._request, reply.read)  # it says so when a prompt is too long
                return
            if longer.read and context.is_cut(self._request, reply.read, longer.read):
                raise ProviderError(
                    f"{self._config.base_url} cuts prompts without saying so: it counts {reply.read:,} tokens, and {longer.read:,} with 1,000 "
                    "words more. Raise its context length (Ollama: num_ctx or OLLAMA_CONTEXT_LENGTH; llama.cpp: --ctx-size; others: context or "
                    "max-model length) and run the same command again; answers to cut prompts are not kept."
                )

    def _body(self, form: Form, messages: list[dict[str, Any]], limit: int) -> dict[str, Any]:
        return {
            "model": self._config.model,
            "messages": messages,
            "temperature": self._config.temperature,
            self._server.limit_field: limit,
            **response_format(self._request, form),
        }

    def _judge(self, reply: Reply) -> Answer:
        """An answer, or AgainError with what the model must mend."""
        if reply.refusal or reply.finish == "content_filter":
            refusal = reply.refusal or "stopped by the provider's content filter"
            self._note(reply.text, refusal)
            return self._end("refused", refusal)
        self.text = reply.text
        value = read_answer(reply.text, self._request)
        if isinstance(value, dict):
            self._note(reply.text, "")
            self._learn_form(reply)
            return self._end("ok", "", value)
        self._note(reply.text, f"cut: {value}" if reply.finish == "length" else value)
        if reply.finish == "length":
            return self._lengthen()
        self._learn_form(reply)
        if len(self._turns) >= 2 * _REPAIRS:
            return self._end("unparsed", f"no valid answer after {_REPAIRS} repairs: {value}")
        self._turns += repair_turns(self._request, reply.text, value)
        raise AgainError(value, after=0)

    def _lengthen(self) -> Answer:
        if self._limit > self._config.max_tokens:
            return self._end("unparsed", f"cut at {self._limit} tokens, twice llm.max_tokens")
        self._limit *= 2
        raise AgainError("cut at llm.max_tokens", after=0)

    def _learn_form(self, reply: Reply) -> None:
        """The first finished reply tells: a server that puts words round the object ignores response_format, and needs it in words."""
        obeyed = self._form is Form.TEXT or is_object(reply.text)
        self._form = self._server.forms.setdefault(self._request.purpose, self._form if obeyed else Form.TEXT)

    def _after_busy(self, busy: BusyError) -> AgainError:
        self._end_if_hopeless(busy)
        self._server_errors = self._server_errors + 1 if isinstance(busy, ServerError) else 0
        about_form = isinstance(busy, ServerError) and busy.about_form
        if (about_form or self._server_errors >= _SERVER_ERRORS) and self._step_down():
            return AgainError(str(busy), after=0)
        if busy.after is not None:
            self._pace.pause(busy.after)
        return AgainError(str(busy), after=busy.after, silent=busy.silent, outage=True)

    def _end_if_hopeless(self, busy: BusyError) -> None:
        """Raises ProviderError when a server that never answered keeps sending what no working server sends."""
        server = self._server
        server.hopeless = server.hopeless + 1 if busy.hopeless and not server.accepted else 0
        if server.hopeless and server.hopeless >= busy.hopeless:
            raise ProviderError(
                f"{self._config.base_url} has never answered, and {server.hopeless} requests in a row ended with: {busy}. "
                "Check llm.base_url (usually .../v1) and the server's log, then run the same command again."
            )

    def _after_declined(self, declined: DeclinedError) -> Answer:
        """Tries what the server may want instead; else the verdict on this request."""
        if declined.wants and declined.wants != self._server.limit_field:
            self._server.limit_field = declined.wants
            raise AgainError(str(declined), after=0)
        if self._step_down():
            raise AgainError(str(declined), after=0)
        if self._limit > self._config.max_tokens:
            return self._end("unparsed", f"cut at llm.max_tokens, and twice as many are declined: {declined}")
        self._server.declined += 1
        if not self._server.accepted and self._server.declined >= _ALL_DECLINED:
            raise ProviderError(f"{self._config.base_url} declines every request: {declined} Check llm.model and the other llm settings.")
        return self._end("refused", str(declined))

    def _step_down(self) -> bool:
        """The next form, unless there is none or this purpose's form is known to work."""
        if self._form is Form.TEXT or self._request.purpose in self._server.forms:
            return False
        self._form, self._server_errors = Form(self._form + 1), 0
        return True

    def _end(self, state: AnswerState, detail: str, value: dict[str, Any] | None = None) -> Answer:
        used = self._usage
        paid = Paid(len(self.tries), used.input_tokens, used.output_tokens, used.estimated, self._budget.dollars(used))
        return Answer(state, value, self._model, detail, used, paid=paid)


def _wait(state: RetryCallState) -> float:
    """Seconds before the next try; Retry-After is a lower bound, with jitter so that not all come back in the same instant."""
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, AgainError) else None
    if after == 0:
        return 0.0
    backoff = _BACKOFF(state)
    return backoff if after is None else after + min(backoff, 0.5)
