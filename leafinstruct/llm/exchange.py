"""All tries of one request: the only module that repeats requests.

A try ends in an Answer or in AgainError; one deadline (`llm.deadline`, counted from the first try) decides
whether another follows:

    no answer (BusyError)          wait at least Retry-After, back off with jitter; at the deadline: failed
    cut at max_tokens              once more with twice as many; then: unparsed
    cut before an answer begins    the same; if most answers end like this, the run stops: the model thinks,
                                   and max_tokens is too small for it
    no valid answer                at once, with the bad answer and the reason appended, at most twice;
                                   then: unparsed
    a field or form declined       at once, with what the server may accept instead (negotiation.py)
    request too large              too_large at once; the client then asks the smaller question (fitting.py)
    content declined, refusal      at once: refused
    declined for another reason    at once: declined; equal ones in a row stop the run (declines.Repeated)
    account, model, settings       the run stops
    no answer in a batch           in the next batch, three in all; then: failed
    never an answer, only errors   the run stops after a few (BusyError.hopeless)

A plain loop: tenacity cost 0.1 ms a request, a fifth of all that this package adds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from leafinstruct.errors import BudgetError, ProviderError
from leafinstruct.llm import clock
from leafinstruct.llm.answers.parse import is_writing, read_answer
from leafinstruct.llm.batch.collector import BatchError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.faults.again import AgainError, pause
from leafinstruct.llm.faults.decline_words import SIZE, Kind
from leafinstruct.llm.faults.faults import BusyError, DeclinedError, ServerError
from leafinstruct.llm.journal import Try
from leafinstruct.llm.limits.pace import Pace
from leafinstruct.llm.protocol.negotiation import Ladder
from leafinstruct.llm.protocol.server import FINISHED, Reply, Server
from leafinstruct.llm.protocol.wire import WireMessage, repair_turns
from leafinstruct.llm.request import Answer, AnswerState, Excess, Paid, Request
from leafinstruct.llm.sender import Sender

_REPAIRS = 2
_ROUNDS = 3  # batches without an answer to one question
_UNANSWERED = 3  # questions in a row that reach their deadline unanswered before the server counts as down


class Exchange:
    """One request and everything learned between its tries."""

    def __init__(
        self, config: LlmConfig, server: Server, pace: Pace, sender: Sender, model: str, request: Request
    ) -> None:
        self._config, self._server, self._pace, self._sender = config, server, pace, sender
        self._model, self._request = model, request
        self._ladder = Ladder(server.negotiation, request)
        self._limit = config.max_tokens
        self._turns: list[WireMessage] = []  # bad answers and the reasons against them
        self.excess: Excess | None = None
        """What was too large; set if the answer's state is `too_large`."""
        self.text = ""
        """The raw text of the last answer."""
        self.tries: list[Try] = []
        """All tries; each is one request."""

    async def run(self) -> Answer:
        """Return the answer in whatever state. Raises ProviderError, BudgetError and RecipeError; each
        ends the run."""
        if self._server.down is not None:
            return self._end("failed", self._server.down)
        try:
            answer = await self._answered()
            return (
                await self._confirm_form(answer)
                if self._ladder.before is not None and answer.state == "ok"
                else answer
            )
        except AgainError as last:
            return self._failed(last)

    async def _answered(self) -> Answer:
        """Try until there is an answer. Raises the last AgainError if the next try would be too late."""
        tries = 0
        while True:
            try:
                return await self._try()
            except AgainError as again:
                tries += 1
                seconds = pause(again, tries)
                if self._sender.patience() < seconds:
                    raise
            await clock.CLOCK.sleep(seconds)

    def _failed(self, last: AgainError) -> Answer:
        """Return the answer of a question that reached its deadline."""
        self._server.negotiation.open(self._request.purpose)
        tries = "1 try" if len(self.tries) == 1 else f"{len(self.tries)} tries"
        detail = (
            f"{last}; {tries} in {clock.CLOCK.now() - self._sender.began:.0f} s" if self.tries else str(last)
        )
        self._server.unanswered += last.outage
        if (
            last.silent and self._server.heard < self._sender.began
        ) or self._server.unanswered >= _UNANSWERED:
            self._server.down = detail
        return self._end("failed", detail)

    async def _try(self) -> Answer:
        try:
            reply = await self._sender.send(self._ladder.terms, self._turns, self._limit)
        except BusyError as busy:
            self._note(None, str(busy))
            raise self._after_busy(busy) from None
        except DeclinedError as declined:
            self._note(None, str(declined))
            return self._after_declined(declined)
        await self._prove_whole(reply)
        return self._judge(reply)

    def _note(self, text: str | None, fault: str) -> None:
        self.tries.append(
            {"seconds": round(clock.CLOCK.now() - self._sender.began, 3), "text": text, "fault": fault}
        )

    async def _prove_whole(self, reply: Reply) -> None:
        """Raises ProviderError for a server that silently reads only the beginning or the end of a prompt."""
        if self._turns or not reply.read:
            return
        fault = await self._server.context.fault(self._request, reply.read, self._count_longer)
        if fault is not None:
            raise ProviderError(f"{self._config.base_url} {fault}")

    async def _count_longer(self) -> int | None:
        """The server's count of this prompt with a filler, 0 if it reports none; None if it declines a
        prompt of this length."""
        try:
            return (await self._sender.prove(self._ladder.terms)).read
        except BusyError as busy:
            raise self._after_busy(busy) from None
        except DeclinedError:
            return None

    def _judge(self, reply: Reply) -> Answer:
        """Return an answer, or raise AgainError with what the model must correct."""
        if reply.refusal or reply.finish == "content_filter":
            refusal = reply.refusal or "stopped by the provider's content filter"
            self._note(reply.text, refusal)
            return self._end("refused", refusal)
        self.text = reply.text
        is_cut = reply.finish == "length" or (
            reply.usage is not None and reply.usage.output_tokens >= self._limit
        )
        value = read_answer(reply.text, self._request, is_cut)
        self._server.thinking.finished += not is_cut
        if isinstance(value, dict):
            self._note(reply.text, "")
            self._ladder.learn(reply.text)
            return self._end("ok", "", value)
        if reply.finish not in FINISHED:
            raise self._unfinished(reply)
        self._note(reply.text, f"cut: {value}" if is_cut else value)
        if is_cut:
            return self._lengthen(reply)
        self._ladder.learn(reply.text)
        if len(self._turns) >= 2 * _REPAIRS:
            return self._end("unparsed", f"no valid answer after {_REPAIRS} repairs: {value}")
        self._turns += repair_turns(self._request, reply.text, value)
        raise AgainError(value, after=0)

    def _lengthen(self, reply: Reply) -> Answer:
        hint = "" if is_writing(reply.text, self._request) else self._server.thinking.used_up()
        if self._limit > self._config.max_tokens:
            return self._end("unparsed", f"cut at {self._limit} tokens, twice llm.max_tokens{hint}")
        self._limit *= 2
        raise AgainError("cut at llm.max_tokens", after=0)

    def _unfinished(self, reply: Reply) -> AgainError:
        """An unknown finish reason without a valid answer counts as an outage."""
        detail = f"an answer that ended with {reply.finish[:40]!r}"
        self._note(reply.text, detail)
        return AgainError(detail)

    def _after_busy(self, busy: BusyError) -> AgainError:
        """Return the error for another try. Raises ProviderError if a server never answered and keeps
        sending what no working server sends."""
        server = self._server
        if self._sender.rounds:
            final = self._sender.rounds >= _ROUNDS or (isinstance(busy, BatchError) and busy.final)
            return AgainError(str(busy), after=math.inf if final else 0)
        server.hopeless = server.hopeless + 1 if busy.hopeless and not server.accepted else 0
        about_form = isinstance(busy, ServerError) and busy.about_form
        other_form = (
            isinstance(busy, ServerError)
            and not busy.load
            and self._ladder.after_error(busy.status, about_form)
        )
        if 0 < busy.hopeless <= server.hopeless and not (about_form and other_form):
            raise ProviderError(
                f"{self._config.base_url} has never answered, and {server.hopeless} requests in a "
                f"row ended with: {busy}. "
                "Check llm.base_url (usually .../v1) and the server's log, then run the same command again."
            )
        if other_form:
            return AgainError(str(busy), after=0)
        if busy.after is not None:
            self._pace.pause(busy.after)
        return AgainError(str(busy), after=busy.after, silent=busy.silent, outage=True)

    async def _confirm_form(self, answer: Answer) -> Answer:
        """After an answer in a lower form, try the failed form once more; the lower one is kept only if it
        fails again."""
        ladder = self._ladder
        assert ladder.before is not None, "another form was tried"
        lower, sent, ladder.terms, self._turns = ladder.terms, self._sender.last, ladder.before, []
        try:
            await self._sender.send(self._ladder.terms, self._turns, self._limit)
        except ServerError as again:
            self._note(None, str(again))
            ladder.settle(lower)
        except (BusyError, DeclinedError, AgainError, BudgetError) as other:
            self._note(None, str(other))  # unrelated to the form, and the answer exists
        else:
            self._note(None, "asked once more in the first form, which now works")
            ladder.settle(ladder.terms)
        self._sender.last = sent
        return self._end("ok", "", answer.value)

    def _after_declined(self, declined: DeclinedError) -> Answer:
        """Try what the server may accept instead; else return the state of this request."""
        kind = declined.kind
        if kind in (Kind.FIELD, Kind.FORM) and self._ladder.without(declined.field or "response_format"):
            raise AgainError(str(declined), after=0)
        if kind is Kind.FIELD and declined.field in self._config.extra_body:
            raise ProviderError(
                f"{self._config.base_url} does not accept {declined.field}: {declined} Remove it from "
                "llm.extra_body."
            )
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
        fresh = not self._server.negotiation.is_settled(
            self._request.purpose
        ) and not self._server.repeated.seen(str(declined))
        if fresh and self._ladder.without("response_format"):
            raise AgainError(str(declined), after=0)  # a server may decline a schema without naming it
        self._server.repeated.check(
            self._config.base_url, str(declined), "Check the account and the section llm"
        )
        return self._end("declined", str(declined))

    def _end(self, state: AnswerState, detail: str, value: Mapping[str, object] | None = None) -> Answer:
        used, dollars = self._sender.usage, self._sender.dollars
        paid = Paid(len(self.tries), used.input_tokens, used.output_tokens, used.estimated, dollars)
        return Answer(state, value, self._model, detail, used, paid=paid)
