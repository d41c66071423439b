"""Decide which URLs may be requested: http and https, public hosts, ordinary ports. Pages are hostile, and so
are the servers that they name.

A page can name `http://169.254.169.254/` (a cloud's secrets), a server can redirect there, and a name server
can answer with a public IP address first and a private one later. So literal IP addresses, which no resolver
sees, are checked in `refusal`, at every redirect. The IP addresses of a name are checked in `names`, and the
connection goes to exactly those.

Public is what the IANA registries call globally reachable, by the standard library's `ipaddress`, except:
multicast; IPv6 addresses that contain a private IPv4 address (mapped, 6to4, Teredo, NAT64, IPv4-compatible);
local NAT64 prefixes, which may lead anywhere; and one cloud's metadata service at a public IP address. Odd
spellings of IPv4 (`127.1`, `2130706433`, `0177.0.0.1`) are not addresses to Python but are to the C library,
which would connect to them; they are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from yarl import URL

_CARRYING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""NAT64 (RFC 6052) and IPv4-compatible: the last 32 bits are an IPv4 address."""
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
"""RFC 8215: each network decides where the IPv4 address is inside."""
_NOT_FOR_IMAGES = (
    _LOCAL_NAT64,
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("168.63.129.16/32"),
)
"""Formally global to some versions of Python: protocol assignments (RFC 6890, includes Oracle's metadata
service), and Azure's platform service, a public IP address that only its machines reach."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_PORTS = frozenset({80, 443})
_LOWEST_HIGH_PORT = 1024
"""Below it, every port but those of the web belongs to another service (mail, shells), which must not
receive a request."""

MAX_URL = 4096
"""Maximum characters of a URL."""


def public(address: str) -> bool:
    """Whether an IP address belongs to the public internet."""
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
    """Return the IPv4 address that an IPv6 address contains, if any."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in net for net in _CARRYING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def parsed(text: str) -> URL | str:
    """Return the parsed URL, or a sentence why it is not requested."""
    if len(text) > MAX_URL:
        return f"longer than {MAX_URL:,} characters"
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError as error:
        return f"no URL: {error}"
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
    """Return why a host that is no IP address is no name either. host: in ASCII, as it is resolved."""
    last = host.rstrip(".").rpartition(".")[2]
    # no top-level domain is a number (RFC 3696), so this is a disguised IP address
    if last.isdigit() or last[:2].lower() == "0x":
        return f"{host[:60]} is an odd spelling of an IP address"
    return None if _NAME.fullmatch(host) else f"{host[:60]!r} is not the name of a host"


def origin(url: URL) -> str:
    """Return `host:port` in lower case, the key for robots.txt, pace and allowed hosts."""
    return f"{(url.host or '').lower()}:{url.port}"


def allowed(url: URL, hosts: Collection[str]) -> bool:
    """Whether the recipe allows the host by name, with or without its port."""
    return (url.host or "").lower() in hosts or origin(url) in hosts


def literal(url: URL) -> bool:
    """Whether the host is an IP address, so that no resolver sees it."""
    try:
        ipaddress.ip_address((url.host or "").partition("%")[0])
    except ValueError:
        return False
    return True


def refusal(url: URL, hosts: Collection[str]) -> str | None:
    """Return why a host is refused by its spelling; None if it may be requested, or is a name that `names`
    will check."""
    host = (url.host or "").lower()
    if allowed(url, hosts):
        return None
    if literal(url):
        return None if public(host) else f"{host} is not an IP address of the public internet"
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return f"{host} is this machine (RFC 6761)"
    return None
