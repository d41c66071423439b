"""Find out which request fields a server and model accept, with the first question, before the others start.

    form          json_schema in the subset that strict modes share -> json_object with the schema
                  -> json_object -> words (at once for a provider that ignores response_format)
    limit         max_tokens -> max_completion_tokens -> none
    temperature   as in the recipe -> none

The first question of a purpose is sent alone, and the others wait for it. It steps down these ladders when
the server declines a field, and the terms of its first completion are used for the run. A decline counts only
against what the declined request itself sent. Overload, a server error and an empty answer show nothing about
terms. An answer to json_schema that is no object, or one without the schema's properties, shows that the
server ignores the form; from then on the schema is sent in words.

When is a 500 about the form? llama-cpp-python answers 500 to `json_schema`, and a failing server answers 500
to anything. So a 500 is about the form if the message says so, or if the same form failed three times in a
row, the same request is then answered in another form, and the first form still fails. A 501 (not
implemented) counts as a message; a message about loading or overload does not count.

Terms are kept for a client, thus for one server, model and run, and not on disk. A second run would save only
one to three declined requests, which no provider charges, and terms once declined would remain for a server
that was upgraded or serves another model under the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from leafinstruct.llm.answers.parse import is_object
from leafinstruct.llm.protocol.wire import Form
from leafinstruct.llm.request import Request

_LIMITS = ("max_tokens", "max_completion_tokens", "")
_SERVER_ERRORS = 3  # in a row, in a form that has never worked, before the next form is tried
_MOST_CHANGES = 8  # of terms in one exchange; there are 3 forms, 2 limits and a temperature to give up


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request sends. limit: name of the field that bounds the answer, "" for none; temperature:
    whether it is sent."""

    form: Form = Form.SCHEMA
    limit: str = _LIMITS[0]
    temperature: bool = True

    def lower_form(self) -> Terms | None:
        """Return the terms with the next form, None after the last."""
        return None if self.form is Form.TEXT else replace(self, form=Form(self.form + 1))

    def without(self, field: str) -> Terms | None:
        """Return the terms without an unsupported field, or with its substitute; None if there are none."""
        if field == "response_format":
            return self.lower_form()
        if field == self.limit:
            return replace(self, limit=_LIMITS[_LIMITS.index(field) + 1])
        if field == "temperature" and self.temperature:
            return replace(self, temperature=False)
        return None


class Negotiation:
    """The terms of one client, by purpose, since each has its own schema."""

    def __init__(self, *, ignores_form: bool = False) -> None:
        """ignores_form: the server is known to ignore response_format without an error."""
        self._form = Form.TEXT if ignores_form else Form.SCHEMA
        self._settled: dict[str, Terms] = {}
        self._open: set[str] = set()
        self._first: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def first(self, purpose: str) -> AsyncGenerator[None, None]:
        """Hold back the other questions of this purpose until one has found what the server accepts, or
        has failed without an answer."""
        lock = self._first.setdefault(purpose, asyncio.Lock())
        if purpose not in self._open:
            async with lock:
                if purpose not in self._open:
                    yield
                    return
        yield

    def open(self, purpose: str) -> None:
        """Release the other questions although nothing is known."""
        self._open.add(purpose)

    def is_open(self, purpose: str) -> bool:
        """Whether the questions of this purpose need not wait for the first."""
        return purpose in self._open

    def is_settled(self, purpose: str) -> bool:
        return purpose in self._settled

    def settle(self, purpose: str, terms: Terms) -> Terms:
        """Keep the first terms that gave a completion. Returns the terms that are kept."""
        self._open.add(purpose)
        return self._settled.setdefault(purpose, terms)

    def terms(self, purpose: str) -> Terms:
        """Return the terms to start with; limit and temperature are known from any purpose."""
        if purpose in self._settled:
            return self._settled[purpose]
        known = next(iter(self._settled.values()), Terms())
        return replace(known, form=self._form)


class Ladder:
    """The terms of one exchange, and its steps down while none are settled."""

    def __init__(self, negotiation: Negotiation, request: Request) -> None:
        self._negotiation, self._purpose, self._schema = negotiation, request.purpose, request.schema
        self.terms = negotiation.terms(request.purpose)
        self.before: Terms | None = None
        """The terms that got errors 500 without a reason, while others are tried. An answer in other terms
        must be confirmed."""
        self._changes = 0
        self._server_errors = 0

    def settle(self, terms: Terms) -> None:
        """Record that these terms gave a completion, and use the ones that are kept."""
        self.terms = self._negotiation.settle(self._purpose, terms)

    def learn(self, text: str) -> None:
        """Learn from a finished answer: a server that puts words around the object, or leaves out required
        properties, ignores response_format and needs the schema in words. An empty answer shows nothing, and
        one after errors without a reason must be confirmed."""
        if text.strip() and self.before is None:
            required = self._schema.get("required", ()) if self.terms.form is Form.SCHEMA else ()
            obeyed = self.terms.form is Form.TEXT or is_object(text, required)
            self.settle(self.terms if obeyed else replace(self.terms, form=Form.TEXT))

    def without(self, field: str) -> bool:
        """Continue without an unsupported field. Returns False if it is required or has no substitute.
        Settled terms are kept for the run, but this exchange may differ, since a gateway may route it to
        another server."""
        self._changes += 1
        settled = self._negotiation.terms(self._purpose)
        other = settled if self._sends_less(settled, field) else self.terms.without(field)
        if other is None or self._changes > _MOST_CHANGES:
            return False
        self.terms, self._server_errors = other, 0
        return True

    def after_error(self, status: int, about_form: bool) -> bool:
        """Whether to try another form now: the server names the form, or has failed in this one repeatedly
        without a reason."""
        if status not in (500, 501) or self._negotiation.is_settled(self._purpose):
            return False
        self._server_errors += 1
        if about_form:
            return self.without("response_format")
        lower = self.terms.lower_form()
        if self.before is None:
            if self._server_errors < _SERVER_ERRORS or lower is None:
                return False
            self.before = self.terms
        elif lower is None:  # no form is answered, so the form is not the cause
            self.terms, self.before, self._server_errors = self.before, None, 0
            return False
        self.terms = lower
        return True

    def _sends_less(self, terms: Terms, field: str) -> bool:
        """Whether other exchanges have meanwhile found out what this request was declined for."""
        if not self._negotiation.is_settled(self._purpose):
            return False
        if field == "response_format":
            return terms.form > self.terms.form
        return terms.limit != self.terms.limit if field == self.terms.limit else not terms.temperature
