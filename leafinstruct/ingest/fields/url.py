"""Web URLs as pages write them: recognized, joined, compared."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from yarl import URL

from leafinstruct.ingest.fields.text import one_line

_IGNORED = re.compile(r"[\t\n\r]")
_PLAIN = re.compile(r"https?://((?:[a-z0-9_-]+\.)+[a-z0-9-]+)(/[A-Za-z0-9._~/-]*(?:\?[A-Za-z0-9._~=&-]+)?)?")
"""URLs that are their own normal form, up to the scheme."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def web(value: object) -> str | None:
    """Return the value if it is an http(s) URL, else None."""
    text = one_line(value) if isinstance(value, str) else ""
    return text if re.match(r"https?://[^/\s]", text, re.IGNORECASE) else None


def join(base: str | None, url: str) -> str:
    """Resolve a URL against base as browsers do: inner line breaks ignored, backslashes read as slashes.

    Raises ValueError if one of the two is malformed (`http://[`).
    """
    url = _IGNORED.sub("", url.strip()).replace("\\", "/")
    joined = urljoin(base, url) if base else url
    return f"https:{joined}" if joined.startswith("//") else joined


def key(url: str) -> str:
    """Key of a URL in an archive, equal for all spellings of one address: http and https, case and `xn--`
    spelling of the host, default ports, percent-escapes (case of their digits, characters that need none,
    spaces), dot segments, an empty path or query, fragments, a user name.

    Unlike `records.url.normal`, it distinguishes a slash at the end: they are two captures. Raises ValueError
    for a malformed URL. Sources: RFC 3986 section 6.2, RFC 3987; yarl quotes and encodes host names as
    browsers do.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is not None and "/." not in url:  # most URLs: 1 microsecond instead of 8
        return f"{plain[1]}{plain[2] or '/'}"
    parsed = URL(_SURROGATE.sub(_escaped, url.strip()))
    host = parsed.raw_host or ""
    if "%" in host and ":" not in host:
        host = URL(f"//{unquote(host)}").raw_host or ""
    host = f"[{host}]" if ":" in host else host.lower().rstrip(".")
    port = "" if parsed.explicit_port in (None, 80, 443) else f":{parsed.explicit_port}"
    path, sign, query = parsed.raw_path_qs.partition("?")
    return f"{host}{port}{path}{sign}{query.replace('%20', '+')}"  # servers read both as a space


def _escaped(byte: re.Match[str]) -> str:
    """Percent-escape a byte that is no UTF-8, which Python decodes to a surrogate."""
    return f"%{ord(byte[0]) & 0xFF:02X}"


def without_fragment(url: str) -> str:
    """The URL as it is requested from a server. Raises ValueError for a malformed one."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))
