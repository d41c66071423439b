"""What comes of a server's error: asked again, asked otherwise, or the end of the run.

    BusyError       ask again later: no connection, timeout, a body that is cut, too large or no completion, overload, rate limit, 5xx
    DeclinedError   this request is not taken as it is; `kind` says what about it (declines.py), and so what can be done
    ProviderError   no request will be taken: key, credit, account, model, a setting, redirect; somebody has to act, so the run stops

The SDK alone would retry `insufficient_quota` (pointless), give up on a Retry-After beyond two minutes and
take a cut body for an answer. Texts from a server are quoted short, on one line, and without the key, which
some servers echo.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import aiohttp

from leafinstruct.errors import ProviderError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.faults.decline_words import STOPS, Kind
from leafinstruct.llm.faults.declines import asks_to_wait, complaint, field_of, kind_of
from leafinstruct.llm.limits import quota

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectionResetError)
_QUOTED = 300  # characters of a server's text in a message
_OVERLOAD = {408, 429, 503, 529}  # 503 is also what a server answers that loads its model
_NEVER = {501, 505, 511}  # not implemented, HTTP version, login to the network required
FEW = 3
"""Responses in a row that show a server will never answer, of a kind that no working server sends."""
SEVERAL = 9
"""The same, of a kind that a server may send while it starts; with the pauses between them about a minute."""
_PAGE = re.compile(r"[\s\ufeff]*<(?:!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)

Load = Literal["", "slow", "full"]


class BusyError(Exception):
    """No answer now. after: seconds the server asked for; lost: it may have worked (and charged) unseen;
    silent: it said nothing at all.

    load: `slow` (no answer within the timeout), `full` (declined for its load) or "".
    hopeless: how many such responses in a row, from a server that never answered, show that it never will; 0
    for an outage to be waited for.
    """

    def __init__(
        self,
        detail: str,
        *,
        after: float | None = None,
        lost: bool = False,
        silent: bool = False,
        load: Load = "",
        hopeless: int = 0,
    ) -> None:
        super().__init__(detail)
        self.after, self.lost, self.silent, self.load, self.hopeless = after, lost, silent, load, hopeless


class ServerError(BusyError):
    """An error of the server itself, by its HTTP status. about_form: it names response_format, so that it may
    be its way to decline a form."""

    def __init__(
        self, detail: str, *, after: float | None, about_form: bool, status: int, load: Load
    ) -> None:
        few = FEW if status in _NEVER else 0 if load else SEVERAL
        super().__init__(detail, after=after, load=load, hopeless=few)
        self.about_form, self.status = about_form, status


class DeclinedError(Exception):
    """This request is not taken as it is. field: of the request, which is not supported; stops: what to raise
    if no request was ever taken."""

    def __init__(self, detail: str, kind: Kind, field: str | None = None, stops: str | None = None) -> None:
        super().__init__(detail)
        self.kind, self.field, self.stops = kind, field, stops


@dataclass(frozen=True, slots=True)
class Quote:
    """Makes a server's text fit to be shown and stored."""

    key: str
    others: tuple[str, ...] = ()
    """Further secrets: values of headers and of extra_body that come from the environment."""

    def scrub(self, text: str) -> str:
        """Without the secrets, and without half surrogate pairs, which no file or request can carry.

        A secret shorter than 8 characters is a dummy such as `ollama`, and replacing it would only mangle
        words.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")
        for secret in (self.key, *self.others):
            text = text.replace(secret, "[key]") if len(secret) >= 8 else text
        return text

    def line(self, body: object) -> str:
        """The message of an error body, in any of its usual places, on one line."""
        if isinstance(body, list) and len(body) == 1 and isinstance(body[0], Mapping):  # as Gemini sends it
            [body] = body
        if isinstance(body, Mapping):
            inner = body.get("error", body)
            body = (
                inner.get("message") or inner.get("detail") or inner if isinstance(inner, Mapping) else inner
            )
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
        return " ".join(self.scrub(text).split())[:_QUOTED] or "(empty body)"


def status_fault(
    config: LlmConfig,
    quote: Quote,
    status: int,
    headers: Mapping[str, str],
    body: object,
    sent: Mapping[str, Any],
) -> Exception:
    """The fault behind any HTTP status that is no success; a redirect is one, as it is not followed. sent:
    the body of the request."""
    said = quote.line(body)
    request_id = quote.scrub(headers.get("x-request-id", ""))
    where = f"HTTP {status}" + (f", request {request_id[:64]}" if request_id else "")
    if status < 400:
        return ProviderError(
            f"{config.base_url} redirects to {_target(config, quote, headers)}; write the final address "
            "into llm.base_url"
        )
    meant = complaint(body)
    kind = kind_of(status, meant, sent)
    detail = f"{where}: {said}"
    if kind in STOPS:
        return ProviderError(_stopped(config, kind, where, said))
    load: Load = "full" if status in _OVERLOAD or asks_to_wait(meant) else ""
    if status >= 500 and kind in (Kind.LATER, Kind.FORM):
        about_form = kind is Kind.FORM or status == 501  # not implemented: perhaps only this form
        return ServerError(
            detail, after=retry_after(headers), about_form=about_form, status=status, load=load
        )
    if kind is Kind.LATER:
        return BusyError(detail, after=retry_after(headers), load=load)
    stops = _stopped(config, Kind.KEY, where, said) if status == 403 and kind is Kind.UNKNOWN else None
    return DeclinedError(detail, kind, field_of(meant, sent), stops)


def _target(config: LlmConfig, quote: Quote, headers: Mapping[str, str]) -> str:
    """Where a redirect leads, as base_url wants it: no password, no query, no path of the request."""
    try:
        url = urlsplit(urljoin(f"{config.base_url}/chat/completions", headers.get("location", "")))
    except ValueError:
        return "an address that is none"
    if not url.hostname or "location" not in headers:
        return "no address"
    host = url.netloc.rpartition("@")[2]
    return quote.line(f"{url.scheme}://{host}{url.path.rstrip('/').removesuffix('/chat/completions')}")


def _sentence(text: str) -> str:
    """A server's words with a period, so that ours can follow."""
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."


def _stopped(config: LlmConfig, kind: Kind, where: str, said: str) -> str:
    """The message of an error that no retry and no other document can repair: what, the server's own words,
    what to do."""
    said = _sentence(said)
    if kind is Kind.KEY and config.key_env is None:
        return (
            f"{config.base_url} wants a key ({where}): {said} Put the name of the variable that holds it "
            "into llm.key_env."
        )
    what, hint = {
        Kind.CREDIT: (": no credit left", "Add credit and run the same command again."),
        Kind.KEY: (
            f" refused the key in {config.key_env}",
            f"Set {config.key_env} to a key for this server and run the same command again.",
        ),
        Kind.ACCOUNT: (
            ": this account may not be used",
            "Settle it with the provider, or set another llm.key_env or llm.base_url.",
        ),
        Kind.MODEL: (
            f" has no model {config.model!r}",
            "Check llm.model and llm.base_url (usually .../v1), and that the server has loaded it.",
        ),
        Kind.VISION: (
            f": {config.model!r} reads no images",
            "Set llm.model to one that does, or filter.judge.max_images: 0 for the judge.",
        ),
        Kind.SETTING: (
            " does not accept a setting",
            "Check temperature, max_tokens, extra_body and model in the section llm.",
        ),
    }[kind]
    return f"{config.base_url}{what} ({where}): {said} Answers so far are kept. {hint}"


def connection_fault(error: BaseException) -> BusyError:
    """The fault behind a connection that failed; the transport wraps the cause several times and calls a
    refusal a timeout.

    What failed before the whole request was sent (no connection, no TLS, a reset while it was written) cannot
    have been worked on.
    """
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    cause = causes[-1]
    if isinstance(cause, ConnectionRefusedError):
        return BusyError("connection refused", silent=True)
    if isinstance(cause, socket.gaierror):
        return BusyError(f"unknown host ({cause.strerror})", silent=True)
    known = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(cause)
    detail = (known or type(cause).__name__)[:_QUOTED]
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return BusyError(f"no TLS connection: {str(cause)[:_QUOTED]}", silent=True, hopeless=FEW)
    if any(isinstance(one, _UNSENT) or "Can not write request body" in str(one) for one in causes):
        return BusyError(f"no connection: {detail}", silent=True)
    return BusyError(f"connection lost: {detail}", lost=True, silent=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait: `Retry-After` (seconds or a date), `retry-after-ms`, else the reset of
    a quota that is used up, else None."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return quota.wait(headers, 1)


def is_web_page(text: object) -> bool:
    """Whether a body is HTML: of a login page, a proxy, or a web site under llm.base_url."""
    return isinstance(text, str) and bool(_PAGE.match(text[:1000]))


def first_choice(payload: Any) -> Mapping[str, Any] | None:
    """The first choice of a completion, or None if the payload is no completion."""
    choices = payload.get("choices") if isinstance(payload, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping) else None
