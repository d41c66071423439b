"""Addresses of the web, as pages write them: joined, told apart, compared."""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from leafinstruct.ingest.fields.text import one_line

_IGNORED = re.compile(r"[\t\n\r]")
_DEFAULT_PORTS = re.compile(r":(80|443)$")
_KEPT = "/%:@!$&'()*+,;=~-._"
"""Characters that a path keeps as they are; `%` among them, so that what is quoted already is not quoted
twice."""


def web(value: object) -> str | None:
    """The value, if it is an http(s) address; whatever else a record may hold is none."""
    text = one_line(value) if isinstance(value, str) else ""
    return text if re.match(r"https?://[^/\s]", text, re.IGNORECASE) else None


def join(base: str | None, url: str) -> str:
    """The address seen from base, as browsers join them: inner line breaks ignored, backslashes read as
    slashes.

    Raises ValueError when one of the two is malformed (`http://[`).
    """
    url = _IGNORED.sub("", url.strip()).replace("\\", "/")
    joined = urljoin(base, url) if base else url
    return f"https:{joined}" if joined.startswith("//") else joined


def key(url: str) -> str:
    """Equal for addresses that name the same thing in an archive: http and https, fragments, quoting of
    spaces, default ports.

    Raises ValueError for a malformed address.
    """
    parts = urlsplit(url)
    host = _DEFAULT_PORTS.sub("", parts.netloc.lower())
    query = f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else ""
    return f"{host}{quote(parts.path or '/', safe=_KEPT)}{query}"


def without_fragment(url: str) -> str:
    """The address as a server is asked for it. Raises ValueError for a malformed one."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))
