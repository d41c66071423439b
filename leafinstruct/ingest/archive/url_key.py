"""The key under which a URL is found in an archive: one for all spellings of an address."""

from __future__ import annotations

import re
from urllib.parse import unquote

from yarl import URL

_PLAIN = re.compile(r"https?://((?:[a-z0-9_-]+\.)+[a-z0-9-]+)(/[A-Za-z0-9._~/-]*(?:\?[A-Za-z0-9._~=&-]+)?)?")
"""URLs that are their own normal form, up to the scheme."""
_SURROGATE = re.compile("[\ud800-\udfff]")


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
