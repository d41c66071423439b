"""All tries of one request: the only place that repeats anything.

A try ends in an Answer or in AgainError; tenacity decides by one clock (`llm.deadline`, from the first try on) if another follows:

    no answer (BusyError)          wait, at least as long as Retry-After says, backing off with jitter; at the deadline: failed
    cut at max_tokens              once more with twice as many; then: unparsed
    cut before an answer is begun  the same; a run where this is the rule stops: the model thinks, and max_tokens is too small for it
    no valid answer                at once, with the bad answer and the reason appended, at most twice; then: unparsed
    a field or form declined       at once, with what the server may want instead (negotiation.py)
    request too large              too_large at once; the client then asks the smaller question (fitting.py)
    content declined, refusal      at once: refused
    declined for another reason    at once: declined; equal ones in a row stop the run (declines.Repeated)
    account, model, settings       the run stops

When is a 500 about the form? llama-cpp-python answers 500 to `json_schema`, and a server with a hiccup answers 500 to anything. So it is, if it
says so, or if the same form failed three times running, the same request is then answered in another form, and the first form still fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from leafinstruct.errors import BudgetError, ProviderError
from leafinstruct.llm import clock
from leafinstruct.llm.budget import Budget, Counts, estimate_tokens
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.decline_words import SIZE, Kind
from leafinstruct.llm.faults import BusyError, DeclinedError, ServerError
from leafinstruct.llm.negotiation import Terms
from leafinstruct.llm.pace import Pace
from leafinstruct.llm.parse import is_object, is_writing, read_answer
from leafinstruct.llm.request import Answer, AnswerState, Excess, Paid, Request, Usage
from leafinstruct.llm.server import FINISHED, Reply, Server
from leafinstruct.llm.wire import Form, named, repair_turns, response_format, wire_messages

_REPAIRS = 2
_SERVER_ERRORS = 3  # in a row, in a form that has never worked, before the next form is tried
_MOST_TERMS = 8  # changes of terms in one exchange; there are 3 forms, 2 limits and a temperature to give up
_ALL_THOUGHTS = 4  # answers that end in thoughts, at least half of all, before the settings are blamed
_BACKOFF = wait_exponential(multiplier=0.25, max=30) + wait_random(0, 0.25)  # seconds


class AgainError(Exception):
    """This try gave no answer; the next may. after: None = back off, else seconds to wait at least."""

    def __init__(self, detail: str, after: float | None = None, silent: bool = False) -> None:
        super().__init__(detail)
        self.after, self.silent = after, silent


class Exchange:
    """One request and everything that is learnt between its tries."""

    def __init__(self, config: LlmConfig, server: Server, pace: Pace, budget: Budget, counts: Counts, model: str, request: Request) -> None:
        self._config, self._server, self._pace, self._budget, self._counts = config, server, pace, budget, counts
        self._model, self._request = model, request
        self._input = estimate_tokens(request)
        self._terms = server.negotiation.terms(request.purpose)
        self._before: Terms | None = None  # the terms that mute errors 500 were tried against, while others are tried
        self._changes = 0  # of terms
        self._limit = config.max_tokens
        self._turns: list[dict[str, Any]] = []  # bad answers and the reasons against them
        self._server_errors = 0
        self._usage = Usage()
        self._began = 0.0  # monotonic seconds of the first try; 0 before it
        self._last: tuple[Terms, int, int] | None = None  # terms, number of turns and limit of the last try
        self.excess: Excess | None = None
        """What was too much, of an answer in state `too_large`."""
        self.text = ""
        """The raw text of the last answer."""
        self.tries: list[dict[str, Any]] = []
        """Of every try, which is one request: `seconds` since the first, raw `text` (None for no answer), `fault` (what was said against it)."""

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the last try, pictures by name; empty before the first."""
        if self._last is None:
            return {}
        terms, turns, limit = self._last
        return self._body(terms, wire_messages(self._request, terms.form, self._turns[:turns], named), limit)

    async def run(self) -> Answer:
        """The answer, in whatever state. Raises ProviderError, BudgetError and RecipeError, each of which ends the run."""
        if self._server.down is not None:
            return self._end("failed", self._server.down)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(AgainError), wait=_wait, stop=self._too_late, sleep=clock.CLOCK.sleep, reraise=True
        )
        try:
            answer: Answer = await retrying(self._try)
            return await self._confirm_form(answer) if self._before is not None and answer.state == "ok" else answer
        except AgainError as last:
            self._server.negotiation.open(self._request.purpose)
            tries = "1 try" if len(self.tries) == 1 else f"{len(self.tries)} tries"
            detail = f"{last}; {tries} in {clock.CLOCK.now() - self._began:.0f} s" if self.tries else str(last)
            if last.silent and self._server.heard < self._began:
                self._server.down = detail
            return self._end("failed", detail)

    def _too_late(self, state: RetryCallState) -> bool:
        return self._patience() < state.upcoming_sleep

    def _patience(self) -> float:
        """Seconds left before the deadline. The clock starts with the first try: waiting for one's turn is not the server's fault."""
        return self._config.deadline - (clock.CLOCK.now() - self._began if self._began else 0.0)

    async def _try(self) -> Answer:
        try:
            reply = await self._send()
        except BusyError as busy:
            self._note(None, str(busy))
            raise self._after_busy(busy) from None
        except DeclinedError as declined:
            self._note(None, str(declined))
            return self._after_declined(declined)
        return self._judge(reply)

    def _note(self, text: str | None, fault: str) -> None:
        self.tries.append({"seconds": round(clock.CLOCK.now() - self._began, 3), "text": text, "fault": fault})

    async def _turn(self) -> None:
        """Waits for a start; a pause that outlasts the deadline is not waited for."""
        if self._pace.paused_for > self._patience():
            pause = self._pace.paused_for
            raise AgainError(f"the server asks to wait {pause:.0f} s, longer than llm.deadline allows", after=pause)
        await self._pace.turn()
        self._began = self._began or clock.CLOCK.now()
        if self._patience() <= 0:
            raise AgainError("no turn before the deadline")

    async def _send(self) -> Reply:
        """One HTTP request, its cost reserved before and settled after; one that is cancelled or lost settles for all it reserved."""
        most = Usage(self._input + sum(len(str(turn)) for turn in self._turns) // 4, self._limit, estimated=True)
        await self._budget.reserve(most, self._request.purpose)
        used = Usage()
        try:
            await self._turn()
            used = most  # from here on somebody may charge for it
            self._counts.requests += 1
            self._last = (self._terms, len(self._turns), self._limit)
            messages = wire_messages(self._request, self._terms.form, self._turns)
            reply = await self._server.send(self._body(self._terms, messages, self._limit), min(self._config.timeout, self._patience()))
            used = reply.usage or Usage(most.input_tokens, -(-len(reply.text.encode()) // 4), estimated=True)
        except Exception as fault:
            if not (isinstance(fault, BusyError) and fault.lost):
                used = Usage()
            raise
        finally:
            self._budget.settle(most, used)
            self._usage += used
        return reply

    def _body(self, terms: Terms, messages: list[dict[str, Any]], limit: int) -> dict[str, Any]:
        temperature = self._config.temperature if terms.temperature else None
        return {
            **self._config.extra_body,
            "model": self._config.model,
            "messages": messages,
            **({} if temperature is None else {"temperature": temperature}),
            **({terms.limit: limit} if terms.limit else {}),
            **response_format(self._request, terms.form),
        }

    def _judge(self, reply: Reply) -> Answer:
        """An answer, or AgainError with what the model must mend."""
        if reply.refusal or reply.finish == "content_filter":
            refusal = reply.refusal or "stopped by the provider's content filter"
            self._note(reply.text, refusal)
            return self._end("refused", refusal)
        self.text = reply.text
        is_cut = reply.finish == "length" or (reply.usage is not None and reply.usage.output_tokens >= self._limit)
        value = read_answer(reply.text, self._request, is_cut)
        self._server.finished += not is_cut
        if isinstance(value, dict):
            self._note(reply.text, "")
            self._learn_form(reply)
            return self._end("ok", "", value)
        if reply.finish not in FINISHED:
            raise self._unfinished(reply)
        self._note(reply.text, f"cut: {value}" if is_cut else value)
        if is_cut:
            return self._lengthen(reply)
        self._learn_form(reply)
        if len(self._turns) >= 2 * _REPAIRS:
            return self._end("unparsed", f"no valid answer after {_REPAIRS} repairs: {value}")
        self._turns += repair_turns(self._request, reply.text, value)
        raise AgainError(value, after=0)

    def _lengthen(self, reply: Reply) -> Answer:
        hint = "" if is_writing(reply.text, self._request) else self._thought_out()
        if self._limit > self._config.max_tokens:
            return self._end("unparsed", f"cut at {self._limit} tokens, twice llm.max_tokens{hint}")
        self._limit *= 2
        raise AgainError("cut at llm.max_tokens", after=0)

    def _unfinished(self, reply: Reply) -> AgainError:
        """An end that no protocol knows, without a valid answer: an outage."""
        detail = f"an answer that ended with {reply.finish[:40]!r}"
        self._note(reply.text, detail)
        return AgainError(detail)

    def _thought_out(self) -> str:
        """What to do about an answer whose tokens all went into thoughts. Raises ProviderError where most do: all would be paid for twice."""
        server = self._server
        server.thought_out += 1
        hint = (
            "Raise llm.max_tokens, or switch thinking off, e.g. llm.extra_body: {chat_template_kwargs: {enable_thinking: false}} "
            "or {reasoning_effort: low}."
        )
        if server.thought_out < _ALL_THOUGHTS or server.thought_out < server.finished:
            return f", before an answer was begun. {hint}"
        raise ProviderError(
            f"{self._config.base_url}: {server.thought_out} of {server.thought_out + server.finished} answers used up "
            f"llm.max_tokens ({self._config.max_tokens}) for thoughts, before an answer was begun. {hint}"
        )

    def _learn_form(self, reply: Reply) -> None:
        """The first finished reply tells: a server that puts words round the object ignores response_format, and needs it in words. An empty one says
        nothing, and one after mute errors must be confirmed."""
        if not reply.text.strip() or self._before is not None:
            return
        obeyed = self._terms.form is Form.TEXT or is_object(reply.text)
        terms = self._terms if obeyed else replace(self._terms, form=Form.TEXT)
        self._terms = self._server.negotiation.settle(self._request.purpose, terms)

    def _after_busy(self, busy: BusyError) -> AgainError:
        if isinstance(busy, ServerError) and self._other_form(busy):
            return AgainError(str(busy), after=0)
        if busy.after is not None:
            self._pace.pause(busy.after)
        return AgainError(str(busy), after=busy.after, silent=busy.silent)

    def _other_form(self, busy: ServerError) -> bool:
        """Whether another form is tried now: the server names the form, or has failed in this one for a while without a word."""
        if busy.status not in (500, 501) or self._server.negotiation.is_settled(self._request.purpose):
            return False
        self._server_errors += 1
        if busy.about_form:
            return self._change("response_format")
        if self._before is not None and self._terms.form is not Form.TEXT:
            self._terms = replace(self._terms, form=Form(self._terms.form + 1))
            return True
        if self._before is not None:  # no form is answered: it is no question of forms
            self._terms, self._before, self._server_errors = self._before, None, 0
            return False
        lower = self._terms.lower_form() if self._server_errors >= _SERVER_ERRORS else None
        if lower is not None:
            self._before, self._terms = self._terms, lower
        return lower is not None

    async def _confirm_form(self, answer: Answer) -> Answer:
        """After an answer in a lower form: the form that failed is asked once more, and the lower one holds only if it fails again."""
        assert self._before is not None, "another form was tried"
        lower, sent, self._terms, self._turns = self._terms, self._last, self._before, []
        try:
            await self._send()
        except ServerError as again:
            self._note(None, str(again))
            self._server.negotiation.settle(self._request.purpose, lower)
        except (BusyError, DeclinedError, AgainError, BudgetError) as other:
            self._note(None, str(other))  # it says nothing about forms, and the answer is there
        else:
            self._note(None, "asked once more in the first form, which now works")
            self._server.negotiation.settle(self._request.purpose, self._terms)
        self._last = sent
        return self._end("ok", "", answer.value)

    def _after_declined(self, declined: DeclinedError) -> Answer:
        """Tries what the server may want instead; else what becomes of this request."""
        kind = declined.kind
        if kind in (Kind.FIELD, Kind.FORM) and self._change(declined.field or "response_format"):
            raise AgainError(str(declined), after=0)
        if kind is Kind.FIELD and declined.field in self._config.extra_body:
            raise ProviderError(f"{self._config.base_url} does not accept {declined.field}: {declined} Take it out of llm.extra_body.")
        if self._limit > self._config.max_tokens:
            return self._end("unparsed", f"cut at llm.max_tokens, and twice as many are declined: {declined}")
        if kind in SIZE:
            self.excess = cast("Excess", kind.value)
            return self._end("too_large", str(declined))
        if kind is Kind.CONTENT:
            return self._end("refused", str(declined))
        if kind is Kind.BAD_ANSWER:
            if len(self.tries) > _REPAIRS:
                return self._end("unparsed", str(declined))
            raise AgainError(str(declined), after=0)
        if declined.stops and not self._server.accepted:
            raise ProviderError(declined.stops)
        fresh = not self._server.negotiation.is_settled(self._request.purpose) and not self._server.repeated.seen(str(declined))
        if fresh and self._change("response_format"):
            raise AgainError(str(declined), after=0)  # a schema may be declined without a word about it
        self._server.repeated.check(self._config.base_url, str(declined), "Check the account and the section llm")
        return self._end("declined", str(declined))

    def _change(self, field: str) -> bool:
        """Go on without a field that is not supported; False if it is needed or has no substitute. What is settled holds for the run, and this one
        exchange may still differ, as a gateway may route it to another server."""
        self._changes += 1
        settled = self._server.negotiation.terms(self._request.purpose)
        other = settled if self._sends_less(settled, field) else self._terms.without(field)
        if other is None or self._changes > _MOST_TERMS:
            return False
        self._terms, self._server_errors = other, 0
        return True

    def _sends_less(self, terms: Terms, field: str) -> bool:
        """Whether others have learnt meanwhile what this request was declined for."""
        if not self._server.negotiation.is_settled(self._request.purpose):
            return False
        mine = self._terms
        return (
            terms.form > mine.form
            if field == "response_format"
            else terms.limit != mine.limit
            if field == mine.limit
            else not terms.temperature
        )

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
