"""Interpret a server's answer: an image, a redirect, a final verdict, or a temporary failure. No I/O.

A verdict will be the same tomorrow (404, a page instead of an image, an opt-out); a failure may not (429,
5xx, no answer). Sources: RFC 9309 for robots.txt, RFC 9110 for statuses and Retry-After; `optout` defines
opt-outs.
"""

from __future__ import annotations

import re
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp
from yarl import URL

from leafinstruct.images.optout import withheld

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PUSHING = frozenset({429, 503})
"""Statuses by which a server asks for a pause."""
_PASSING = frozenset({408, 425, 429})
_PLAIN_MEDIA = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})


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
    """Return why the body is not read, else None: an opt-out, no image, too large, an encoding that is not
    supported."""
    media = media_of(headers)
    if opt_out and (opt_outs := withheld(headers.items())):
        return Outcome("ok", "opt_out", f"its headers say {opt_outs}", status=200, media=media)
    if media not in _PLAIN_MEDIA and not media.startswith("image/"):
        return Outcome("ok", "not_an_image", f"the server sent {media[:60]}", status=200, media=media)
    declared = headers.get("Content-Length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        return Outcome(
            "ok", "too_large", f"{declared[:20]} bytes declared, more than {limit:,}", status=200, media=media
        )
    coding = headers.get("Content-Encoding", "identity").lower().strip()
    if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        return Outcome(
            "ok", "unknown_encoding", f"the body is encoded as {coding[:40]}", status=200, media=media
        )
    return None


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


def unpacked(body: bytes, headers: Mapping[str, str], limit: int) -> bytes | None:
    """Decode the body's content encoding, at most one byte more than `limit`; None if it is damaged or cut
    off."""
    coding = headers.get("Content-Encoding", "identity").lower().strip()
    if coding in ("identity", ""):
        return body
    unpacking = zlib.decompressobj(wbits=47)  # gzip or zlib, detected from the header
    try:
        data = unpacking.decompress(body, limit + 1)
    except zlib.error:
        return None
    return data if unpacking.eof or len(data) > limit else None


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
