"""Compare URLs: their normal form, their host, and the registered domain. One definition for look-ups,
removals, canonical links and splits.

Normal form (`normal`): two URLs are equal if they differ only in http and https, case of the host, `xn--`
spelling, a port 80 or 443, percent-escapes, dot segments, the fragment, a user name, a slash at the end, or
in the Unicode form of their letters (NFC, as in links, or NFD, as in names of files copied from a Mac).
RFC 3986 distinguishes the slash, but sites serve `/page` and `/page/` alike, and a removal that misses one is
worse than one that covers both. `www.` is a host of its own; remove the domain to cover both.

Registered domain: what its owner registered, so `docs.maker.co.uk` and `shop.maker.co.uk` are one site. It is
taken from the Public Suffix List with its private section: two people's pages on one hosting service
(`alice.github.io`, `bob.github.io`) are two sites. If the list has no suffix for a host
(`wiki.corp.internal`, `localhost`, an IP address), the host itself is the domain. The list's own default, the
last two labels, would make one site of a whole intranet.

Chosen: publicsuffixlist, because it contains the list (its version is the list's date), has no dependencies
and never uses the network; tldextract downloads the list by default, keeps a cache in the user's home and
depends on requests. Cost: 6 microseconds per host. yarl for the normal form: it quotes and encodes host names
as browsers do, and is a dependency of aiohttp, which fetches images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from ipaddress import ip_address
from urllib.parse import quote

from publicsuffixlist import PublicSuffixList
from yarl import URL

from leafinstruct.records.text.words import normalized

_ESCAPED = re.compile(r"(?:%[89A-F][0-9A-F])+")
_ASCII = "".join(map(chr, range(128)))
_PARTS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}(?P<host>[^/\\?#]*)(?P<rest>[^#]*)", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def normal(url: str) -> str:
    """Return the normal form of a URL (see above). A text that is not a URL is returned unchanged."""
    text = url.strip()
    try:
        parsed = URL(text)
        if parsed.raw_host:
            port = "" if parsed.port in (80, 443, None) else f":{parsed.port}"
            path, sign, query = _composed(parsed.raw_path_qs).partition("?")
            # yarl writes a space as `+`, browsers as %20, and servers read both as a space
            query = query.replace("%20", "+")
            return f"{parsed.raw_host.lower().rstrip('.')}{port}{path.rstrip('/') or '/'}{sign}{query}"
    except ValueError:  # a port of six digits, an unfinished IPv6 address
        pass
    found = _PARTS.match(text)
    return f"{found['host'].lower()}{found['rest'].rstrip('/')}" if found else url


def _composed(escaped: str) -> str:
    """A path and query with the letters that are escaped in UTF-8 in NFC. Other escapes are unchanged."""
    letters = _ESCAPED.sub(_decoded, escaped)
    return escaped if letters.isascii() else quote(normalized(letters, "NFC"), safe=_ASCII)


def _decoded(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(escapes[0].replace("%", "")).decode()
    except UnicodeDecodeError:
        return escapes[0]


@lru_cache(maxsize=1 << 16)
def full_host(url: str) -> str:
    """Lower-case ASCII host of a URL, with `[...]` around IPv6; empty if it has none."""
    text = url.strip()
    try:
        host = (URL(text).raw_host or "").rstrip(".").lower()
    except ValueError:
        found = _PARTS.match(text)
        name = found["host"].rpartition("@")[2].lower() if found else ""
        host = re.sub(r":[^:\]]*$", "", name).rstrip(".") if "[" not in name else ""
    return f"[{host}]" if ":" in host else host


def spellings(url: str) -> set[str]:
    """The spellings of the host of a URL, in lower case: in ASCII and in its own letters. Empty if it has
    none."""
    host = full_host(url).strip("[]")
    try:
        return {host, (URL(f"//{host}").host or host).lower()} - {""}
    except ValueError:
        return {host} - {""}


def host_of(url: str | None) -> str | None:
    """Host of a URL without a leading `www.`, or None."""
    host = full_host(url or "").strip("[]")
    return host.removeprefix("www.") if host else None


def domain_of(host: str) -> str:
    """The registered domain of one host."""
    return domains_of([host])[0]


def domains_of(hosts: Sequence[str]) -> list[str]:
    """The registered domain of each host, in its ASCII form: `münchen.de` and `xn--mnchen-3ya.de` are
    equal."""
    return [_domain(host) for host in hosts]


@lru_cache(maxsize=1 << 16)
def _domain(host: str) -> str:
    name = _ascii(host.rstrip("."))
    return name if _is_address(name) else _suffixes().privatesuffix(name) or name


def one_domain(first: str | None, second: str | None) -> bool:
    """Whether two URLs are on one registered domain. False if one of them has no host."""
    hosts = host_of(first), host_of(second)
    return hosts[0] is not None and hosts[1] is not None and domain_of(hosts[0]) == domain_of(hosts[1])


def is_public(host: str) -> bool:
    """Whether the list has the suffix of a host, so that it can be a name on the internet."""
    return _suffixes().publicsuffix(_ascii(host.rstrip(".").lower())) is not None


@cache
def _suffixes() -> PublicSuffixList:
    """The list, parsed once per process: 0.1 s."""
    return PublicSuffixList(accept_unknown=False)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:  # a label is too long or empty, so the name cannot be resolved
        return host


def _is_address(host: str) -> bool:
    if ":" not in host and not host[-1:].isdigit():  # most hosts are names
        return False
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
