"""Which addresses may be asked: http and https, public hosts, ordinary ports. Pages are hostile, and so are
the servers they name.

A page can name `http://169.254.169.254/` (a cloud's secrets), a server can redirect there, and a name server
can answer with a public address first and a private one later. So literal addresses, which no resolver sees,
are checked in `refusal`, at every redirect; what a name stands for is checked in `names`, and the connection
goes to the very addresses that were checked.

Public is what the IANA registries call globally reachable, by the standard library's `ipaddress`, less
multicast, less IPv6 addresses that carry a private IPv4 address inside (mapped, 6to4, Teredo, NAT64,
IPv4-compatible), less local NAT64 prefixes, behind which anything may be, and less the one metadata service
that a cloud put at a public address. Odd spellings of IPv4 (`127.1`, `2130706433`, `0177.0.0.1`) are no
addresses to Python and are to the C library, which would connect to them: they are refused as they stand.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from yarl import URL

_CARRYING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""NAT64 (RFC 6052) and IPv4-compatible: the last 32 bits are an IPv4 address."""
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
"""RFC 8215: where in it the IPv4 address lies is a network's own affair."""
_NOT_FOR_IMAGES = (
    _LOCAL_NAT64,
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("168.63.129.16/32"),
)
"""Global by the letter, to some versions of Python: protocol assignments (RFC 6890; Oracle's metadata service
lies there), and Azure's platform service, at a public address that only its machines see."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_PORTS = frozenset({80, 443})
_LOWEST_HIGH_PORT = 1024
"""Below it, every port but those of the web belongs to another service (mail, shells), which a request must
not speak to."""

MAX_ADDRESS = 4096
"""Characters of an address that is still asked."""


def public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = _inside(found)
        if inner is not None:
            return public(str(inner))
        if found.is_site_local:
            return False
    if any(found in net for net in _NOT_FOR_IMAGES):
        return False
    return found.is_global and not (
        found.is_multicast
        or found.is_reserved
        or found.is_loopback
        or found.is_link_local
        or found.is_unspecified
    )


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in net for net in _CARRYING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def parsed(address: str) -> URL | str:
    """The address, or why it is none that is asked: a sentence."""
    if len(address) > MAX_ADDRESS:
        return f"longer than {MAX_ADDRESS:,} characters"
    try:
        url = URL(address)
        host, port = url.host, url.port
    except ValueError as error:
        return f"no address: {error}"
    if url.scheme not in ("http", "https"):
        return f"{url.scheme or 'no scheme'} is neither http nor https"
    if not host:
        return "it names no host"
    if url.user is not None or url.password is not None:
        return "it carries a name or password"
    if not literal(url) and (problem := _no_name(url.raw_host or "")):
        return problem
    if port is not None and port not in _PORTS and port < _LOWEST_HIGH_PORT:
        return f"port {port} belongs to another service"
    return url.with_fragment(None)


def _no_name(host: str) -> str | None:
    """Why a host that is no IP address is no name either. host: as it is asked for, in ASCII."""
    last = host.rstrip(".").rpartition(".")[2]
    # no top-level domain is a number (RFC 3696), so this is an address in disguise
    if last.isdigit() or last[:2].lower() == "0x":
        return f"{host[:60]} is an odd spelling of an IP address"
    return None if _NAME.fullmatch(host) else f"{host[:60]!r} is not the name of a host"


def origin(url: URL) -> str:
    """`host:port`, lower case: what is asked for its robots.txt, paced and allowed."""
    return f"{(url.host or '').lower()}:{url.port}"


def allowed(url: URL, hosts: Collection[str]) -> bool:
    """Whether the recipe allows the host by name, with or without its port."""
    return (url.host or "").lower() in hosts or origin(url) in hosts


def literal(url: URL) -> bool:
    """Whether the host is an IP address, so that no resolver will see it."""
    try:
        ipaddress.ip_address((url.host or "").partition("%")[0])
    except ValueError:
        return False
    return True


def refusal(url: URL, hosts: Collection[str]) -> str | None:
    """Why a host is refused by what it is called; None when it may be asked, or is a name that `names` will
    check."""
    host = (url.host or "").lower()
    if allowed(url, hosts):
        return None
    if literal(url):
        return None if public(host) else f"{host} is not an address of the public internet"
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return f"{host} is this machine (RFC 6761)"
    return None
