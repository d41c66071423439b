"""URLs compared: their normal form, their host, and the registered domain, one definition for look-ups,
take-downs, canonical links and splits.

Normal form (`normal`): two URLs that differ only in http and https, case of the host, `xn--` spelling, a port
80 or 443, percent-escapes, dot segments, the fragment, a user name, or a slash at the end are one. For a
take-down the slash matters more than the letter of RFC 3986: sites serve `/page` and `/page/` alike, and a
removal that misses is worse than one that takes both. `www.` is a host of its own; remove a domain to take
both.

Registered domain: what its owner registered, so that `docs.maker.co.uk` and `shop.maker.co.uk` are one site.
Read off the Public Suffix List, its private section included: two people's pages on one hosting service
(`alice.github.io`, `bob.github.io`) are two sites. Where the list knows no suffix (`wiki.corp.internal`,
`localhost`, an IP address), which part somebody registered cannot be known, and the host itself is the
domain; the list's own default, to take the last two labels, would make one site of a whole intranet.

Chosen: publicsuffixlist, because it carries the list (its version is the list's date), needs nothing else and
never uses the network; tldextract fetches the list unless told not to, keeps a cache in the user's home and
brings requests. Cost: 6 microseconds a host. yarl for the normal form: it re-quotes and encodes host names as
browsers do, and aiohttp, which fetches images, brings it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from ipaddress import ip_address

from publicsuffixlist import PublicSuffixList
from yarl import URL

_PARTS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}(?P<host>[^/\\?#]*)(?P<rest>[^#]*)", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def normal(url: str) -> str:
    """A URL without what makes no difference (see above); a text that is none, as it is."""
    text = url.strip()
    try:
        parsed = URL(text)
        if parsed.raw_host:
            port = "" if parsed.port in (80, 443, None) else f":{parsed.port}"
            path, mark, query = parsed.raw_path_qs.partition("?")
            # of a space yarl makes `+`, browsers make %20, and servers read both as a space
            query = query.replace("%20", "+")
            return f"{parsed.raw_host.lower().rstrip('.')}{port}{path.rstrip('/') or '/'}{mark}{query}"
    except (
        ValueError
    ):  # a port of six digits, an unfinished IPv6 address: what such a URL names is still compared
        pass
    found = _PARTS.match(text)
    return f"{found['host'].lower()}{found['rest'].rstrip('/')}" if found else url


@lru_cache(maxsize=1 << 16)
def full_host(url: str) -> str:
    """Lower-case ASCII host of a URL, `[...]` around IPv6; empty when it has none."""
    text = url.strip()
    try:
        host = (URL(text).raw_host or "").rstrip(".").lower()
    except ValueError:
        found = _PARTS.match(text)
        name = found["host"].rpartition("@")[2].lower() if found else ""
        host = re.sub(r":[^:\]]*$", "", name).rstrip(".") if "[" not in name else ""
    return f"[{host}]" if ":" in host else host


def spellings(url: str) -> set[str]:
    """The ways in which the host of a URL may be written, in lower case: in ASCII and in letters of its own.
    Empty where it has none."""
    host = full_host(url).strip("[]")
    try:
        return {host, (URL(f"//{host}").host or host).lower()} - {""}
    except ValueError:
        return {host} - {""}


def host_of(url: str | None) -> str | None:
    """Host of a URL without a leading `www.`; None when there is none."""
    host = full_host(url or "").strip("[]")
    return host.removeprefix("www.") if host else None


def domain_of(host: str) -> str:
    """The registered domain of one host."""
    return domains_of([host])[0]


def domains_of(hosts: Sequence[str]) -> list[str]:
    """The registered domain of each host, in the form that the name system uses: `münchen.de` and
    `xn--mnchen-3ya.de` are one."""
    names = [_ascii(host.rstrip(".")) for host in hosts]
    return [name if _is_address(name) else _suffixes().privatesuffix(name) or name for name in names]


def one_domain(first: str | None, second: str | None) -> bool:
    """Whether two URLs lie on one registered domain. Never where one of them has no host."""
    hosts = host_of(first), host_of(second)
    return hosts[0] is not None and hosts[1] is not None and domain_of(hosts[0]) == domain_of(hosts[1])


@cache
def _suffixes() -> PublicSuffixList:
    """The list, parsed once a process: 0.1 s."""
    return PublicSuffixList(accept_unknown=False)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except (
        UnicodeError
    ):  # a label too long or empty: no name that can be looked up, so it is compared as it is written
        return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
