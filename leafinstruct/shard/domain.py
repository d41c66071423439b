"""The web domain that a page belongs to: what its owner registered, so that `docs.maker.co.uk` and `shop.maker.co.uk` are one site.

Read off the Public Suffix List, its private section included: two people's pages on one hosting service (`alice.github.io`, `bob.github.io`) are two
sites. Where the list knows no suffix (`wiki.corp.internal`, `localhost`, an address), which part somebody registered cannot be known, and the
host itself is the domain; the list's own default, to take the last two labels, would make one site of a whole intranet.

Chosen: publicsuffixlist, because it carries the list (its version is the list's date), needs nothing else and never uses the network; tldextract
fetches the list unless told not to, keeps a cache in the user's home and brings requests. Cost: 6 microseconds a host.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList


def host_of(url: str | None) -> str | None:
    """Lower-case host of a web address without a leading `www.`; None when there is none."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def domains_of(hosts: Sequence[str]) -> list[str]:
    """The registered domain of each host, in the form that the name system uses: `münchen.de` and `xn--mnchen-3ya.de` are one."""
    names = [_ascii(host.rstrip(".")) for host in hosts]
    return [name if _is_address(name) else _suffixes().privatesuffix(name) or name for name in names]


@cache
def _suffixes() -> PublicSuffixList:
    """The list, parsed once a process: 0.1 s."""
    return PublicSuffixList(accept_unknown=False)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:  # a label too long or empty: no name that can be looked up, so it is compared as it is written
        return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
