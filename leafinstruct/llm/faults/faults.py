"""Convert a server's error to one of three exceptions:

    BusyError      repeat later: no connection, timeout, overload, rate limit, 5xx, or a body that is cut, too
                   large or no completion
    DeclinedError  this request is not accepted as it is; `kind` (declines.py) says what to change
    ProviderError  no request will be accepted: key, credit, account, model, a setting, redirect. The run
                   stops, because someone has to act

The SDK alone would retry `insufficient_quota` (useless), give up on a Retry-After beyond two minutes, and
accept a cut body as an answer. Texts from a server are quoted briefly, on one line, and without the key,
which some servers echo.
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
_OVERLOAD = {408, 429, 503, 529}  # a server that loads its model also answers 503
_NEVER = {501, 505, 511}  # not implemented, HTTP version, login to the network required
FEW = 3
"""Responses in a row that show that a server will never answer, of a kind that no working server sends."""
SEVERAL = 9
"""The same, of a kind that a server may send while it starts; with the pauses in between about a minute."""
_PAGE = re.compile(r"[\s\ufeff]*<(?:!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)

Load = Literal["", "slow", "full"]


class BusyError(Exception):
    """No answer now.

    after: seconds the server asked for.
    lost: the server may have worked on the request (and charged for it).
    silent: the server sent nothing.
    load: `slow` (no answer within the timeout), `full` (declined because of its load) or "".
    hopeless: number of such responses in a row, from a server that never answered, that show that it never
        will; 0 for an outage that is worth waiting for.
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
    """An error of the server itself, by its HTTP status. about_form: it names response_format, so it may
    mean that the form is declined."""

    def __init__(
        self, detail: str, *, after: float | None, about_form: bool, status: int, load: Load
    ) -> None:
        few = FEW if status in _NEVER else 0 if load else SEVERAL
        super().__init__(detail, after=after, load=load, hopeless=few)
        self.about_form, self.status = about_form, status


class DeclinedError(Exception):
    """This request is not accepted as it is. field: the unsupported field of the request; stops: message
    to raise if no request was ever accepted."""

    def __init__(self, detail: str, kind: Kind, field: str | None = None, stops: str | None = None) -> None:
        super().__init__(detail)
        self.kind, self.field, self.stops = kind, field, stops


@dataclass(frozen=True, slots=True)
class Quote:
    """Prepare a server's text for display and storage."""

    key: str
    others: tuple[str, ...] = ()
    """Further secrets: values of headers and of extra_body from the environment."""

    def scrub(self, text: str) -> str:
        """Remove the secrets, and half surrogate pairs, which no file or request can carry.

        A secret shorter than 8 characters is a dummy such as `ollama`; replacing it would only garble words.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")
        for secret in (self.key, *self.others):
            text = text.replace(secret, "[key]") if len(secret) >= 8 else text
        return text

    def line(self, body: object) -> str:
        """Return the message of an error body, wherever it is, on one line."""
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
    """Return the fault for an HTTP status that is no success; redirects are not followed. sent: the
    request's body."""
    message = quote.line(body)
    request_id = quote.scrub(headers.get("x-request-id", ""))
    where = f"HTTP {status}" + (f", request {request_id[:64]}" if request_id else "")
    if status < 400:
        return ProviderError(
            f"{config.base_url} redirects to {_target(config, quote, headers)}; write the final URL "
            "into llm.base_url"
        )
    error = complaint(body)
    kind = kind_of(status, error, sent)
    detail = f"{where}: {message}"
    if kind in STOPS:
        return ProviderError(_stopped(config, kind, where, message))
    load: Load = "full" if status in _OVERLOAD or asks_to_wait(error) else ""
    if status >= 500 and kind in (Kind.LATER, Kind.FORM):
        about_form = kind is Kind.FORM or status == 501  # not implemented: perhaps only this form
        return ServerError(
            detail, after=retry_after(headers), about_form=about_form, status=status, load=load
        )
    if kind is Kind.LATER:
        return BusyError(detail, after=retry_after(headers), load=load)
    stops = _stopped(config, Kind.KEY, where, message) if status == 403 and kind is Kind.UNKNOWN else None
    return DeclinedError(detail, kind, field_of(error, sent), stops)


def _target(config: LlmConfig, quote: Quote, headers: Mapping[str, str]) -> str:
    """Return the target of a redirect in the form of base_url: no password, no query, no path of the
    request."""
    try:
        url = urlsplit(urljoin(f"{config.base_url}/chat/completions", headers.get("location", "")))
    except ValueError:
        return "an invalid URL"
    if not url.hostname or "location" not in headers:
        return "no URL"
    host = url.netloc.rpartition("@")[2]
    return quote.line(f"{url.scheme}://{host}{url.path.rstrip('/').removesuffix('/chat/completions')}")


def _sentence(text: str) -> str:
    """Return the server's message with a period."""
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."


def _stopped(config: LlmConfig, kind: Kind, where: str, message: str) -> str:
    """Return the message for an error that no retry and no other document can avoid."""
    message = _sentence(message)
    if kind is Kind.KEY and config.key_env is None:
        return (
            f"{config.base_url} requires a key ({where}): {message} Write the name of the environment "
            "variable that holds it into llm.key_env."
        )
    what, hint = {
        Kind.CREDIT: (": no credit left", "Add credit and run the same command again."),
        Kind.KEY: (
            f" refused the key in {config.key_env}",
            f"Set {config.key_env} to a key for this server and run the same command again.",
        ),
        Kind.ACCOUNT: (
            ": this account is not accepted",
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
    return f"{config.base_url}{what} ({where}): {message} Answers so far are saved. {hint}"


def connection_fault(error: BaseException) -> BusyError:
    """Return the fault for a failed connection. The transport wraps the cause several times and reports a
    refusal as a timeout.

    The server cannot have worked on a request that failed before it was sent completely (no connection, no
    TLS, a reset while writing).
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
    """Return the seconds that the server asks to wait: `Retry-After` (seconds or a date),
    `retry-after-ms`, else the reset of a quota that is used up, else None."""
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
    """Whether a body is HTML, e.g. a login page, a proxy, or a web site under llm.base_url."""
    return isinstance(text, str) and bool(_PAGE.match(text[:1000]))


def first_choice(payload: Any) -> Mapping[str, Any] | None:
    """Return the first choice of a completion, None if the payload is no completion."""
    choices = payload.get("choices") if isinstance(payload, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping) else None
