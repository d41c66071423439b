"""Interpret a server's answer: an image, a redirect, a final verdict, or a temporary failure. No I/O.

A verdict will be the same tomorrow (404, a page instead of an image, an opt-out); a failure may not (429,
5xx, no answer). As in browsers, the first bytes decide whether a body is an image, unless the server states
an image type: scripts send images as text/html, stores as application/octet-stream or without a type.
Sources: RFC 9309 for robots.txt, RFC 9110 for statuses and Retry-After; `optout` defines opt-outs.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp
from yarl import URL

from leafinstruct.images import encodings
from leafinstruct.images.encodings import EncodingError, encodings_of
from leafinstruct.images.formats.signature import is_image
from leafinstruct.images.optout import withheld

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PUSHING = frozenset({429, 503})
"""Statuses by which a server asks for a pause."""
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one try. url: the last URL requested; body: None without an image; wait: seconds that
    the server asks for."""

    state: Literal["ok", "failed"]
    reason: str = ""
    detail: str = ""
    url: str | None = None
    status: int | None = None
    media: str | None = None
    body: bytes | None = None
    wait: float | None = None


def of_status(status: int, headers: Mapping[str, str]) -> Outcome | None:
    """Interpret a status other than a redirect; None for 200."""
    if status == 200:
        return None
    passing = status in _PASSING or status >= 500
    wait = retry_after(headers.get("Retry-After", "")) if passing else None
    return Outcome(
        "failed" if passing else "ok",
        f"http_{status}",
        f"the server answered {status}",
        status=status,
        wait=wait,
    )


def of_headers(headers: Mapping[str, str], opt_out: bool, limit: int) -> Outcome | None:
    """Return why the body is not read, else None: an opt-out, an encoding that is not supported, an image
    that is too large."""
    media = media_of(headers)
    if opt_out and (opt_outs := withheld(headers.items())):
        return Outcome("ok", "opt_out", f"its headers say {printable(opt_outs)}", status=200, media=media)
    stated = _encodings(headers)
    if encodings.UNSUPPORTED.intersection(stated):
        detail = f"the body is encoded as {', '.join(stated)[:60]}"
        return Outcome("ok", "unknown_encoding", detail, status=200, media=media)
    return _too_large(headers, limit) if media.startswith("image/") else None


def of_beginning(headers: Mapping[str, str], body: bytes, limit: int) -> Outcome | None:
    """Return why only the beginning is read of a body whose stated type is no image type, else None."""
    if not encodings.KNOWN.intersection(_encodings(headers)) and not is_image(body):
        return _no_image(headers)
    return _too_large(headers, limit)


def _too_large(headers: Mapping[str, str], limit: int) -> Outcome | None:
    declared = headers.get("Content-Length", "")
    if not declared.isascii() or not declared.isdigit() or (len(declared) <= 18 and int(declared) <= limit):
        return None
    detail = f"{declared[:20]} bytes declared, more than {limit:,}"
    return Outcome("ok", "too_large", detail, status=200, media=media_of(headers))


def _no_image(headers: Mapping[str, str]) -> Outcome:
    media = media_of(headers)
    what = media[:60] or "a body without a type"
    return Outcome(
        "ok", "not_an_image", f"the server sent {what}, which is no image", status=200, media=media
    )


def of_redirect(url: URL, location: str, status: int) -> Outcome | str:
    """Return the URL that a redirect leads to, or the outcome of an invalid one."""
    try:
        return (
            str(url.join(URL(location)))
            if location
            else Outcome("ok", "bad_url", "a redirect without a target", status=status)
        )
    except ValueError as error:
        return Outcome("ok", "bad_url", f"a redirect to no URL: {error}", status=status)


def of_error(error: Exception, certified: bool) -> Outcome:
    """Interpret an error of the client: malformed answers are final, connection failures are temporary.

    certified: whether another certificate was valid in this run. Until then the cause may be the local clock,
        or a proxy that replaces all certificates.
    """
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    if isinstance(cause, ssl.CertificateError):
        return Outcome("ok" if certified else "failed", "bad_certificate", f"{error}"[:200])
    if isinstance(error, (aiohttp.InvalidURL, UnicodeError)):
        return Outcome("ok", "bad_url", f"{error}"[:200])
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome("ok", "bad_answer", f"{error.message}"[:200])
    return Outcome("failed", "connection", f"{type(error).__name__}: {error}"[:200])


def media_of(headers: Mapping[str, str]) -> str:
    """Return the media type without parameters, in lower case; empty if not given."""
    return printable(headers.get("Content-Type", "")).partition(";")[0].strip().lower()[:100]


def printable(text: str) -> str:
    """Make a server's text valid in any table: aiohttp returns bytes that are not UTF-8 as lone
    surrogates."""
    return text.encode("utf-8", "replace").decode()


def unpacked(body: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body of an image without its content encodings, at most `limit` bytes. Raises
    EncodingError."""
    return encodings.decoded(body, _encodings(headers), limit, is_image)


def image_of(body: bytes, headers: Mapping[str, str], limit: int) -> Outcome:
    """Return the outcome of a whole body: an image without its encodings, at most `limit` bytes; or why it is
    none."""
    media = media_of(headers)
    try:
        data = unpacked(body, headers, limit)
    except EncodingError as error:
        reason = "broken_encoding" if error.reason == "cut_encoding" else error.reason
        detail = f"more than {limit:,} bytes" if reason == "too_large" else error.detail
        return Outcome("ok", reason, printable(detail), status=200, media=media)
    if not media.startswith("image/") and not is_image(data):
        return _no_image(headers)
    return Outcome("ok", status=200, media=media, body=data)


def file_of(body: bytes, headers: Mapping[str, str], limit: int) -> Outcome:
    """Return the outcome of a whole body of a file about the host: its first `limit` bytes without encodings.
    An encoding that was not applied is no permission to guess, unless its name means nothing (`none`)."""
    media = media_of(headers)
    stated = [name for name in _encodings(headers) if name in encodings.KNOWN | encodings.UNSUPPORTED]
    try:
        data = encodings.decoded(body, stated, limit, lambda _: False)
    except EncodingError as error:
        if error.reason == "too_large":
            data = encodings.beginning(body, stated, limit)
        else:
            reason = "broken_encoding" if error.reason == "cut_encoding" else error.reason
            return Outcome("ok", reason, printable(error.detail), status=200, media=media)
    return Outcome("ok", status=200, media=media, body=data)


def _encodings(headers: Mapping[str, str]) -> list[str]:
    found = [value for name, value in headers.items() if name.lower() == "content-encoding"]
    return encodings_of(printable(",".join(found)))


def retry_after(value: str) -> float | None:
    """Return the seconds of a Retry-After, from a number or a date; None if it has neither."""
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
