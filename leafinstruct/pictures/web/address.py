"""Which addresses may be asked: http and https, public hosts, ordinary ports. Pages are hostile, and so are the servers they name.

A page can name `http://169.254.169.254/` (a cloud's secrets), a server can redirect there, and a name server can answer with a public
address first and a private one later. So a host is resolved once per connection and the connection goes to the very addresses that were
checked (`PublicResolver`); literal addresses, which no resolver sees, are checked in `refusal`, at every redirect.

Public is what the IANA registries call globally reachable, by the standard library's `ipaddress`, less multicast, and less IPv6 addresses
that carry a private IPv4 address inside (mapped, 6to4, Teredo, NAT64, IPv4-compatible). Odd spellings of IPv4 (`0x7f.1`, `2130706433`) are names
to Python and addresses to the C library, so they reach the resolver and are checked there.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")
_PORTS = frozenset({80, 443})
_LOWEST_HIGH_PORT = 1024
"""Below it, every port but those of the web belongs to another service (mail, shells), which a request must not speak to."""

MAX_ADDRESS = 4096
"""Characters of an address that is still asked."""


class PrivateAddressError(OSError):
    """A host's addresses are all private. An OSError, as a resolver's failures are."""


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
    return found.is_global and not (
        found.is_multicast or found.is_reserved or found.is_loopback or found.is_link_local or found.is_unspecified
    )


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in net for net in (*_NAT64, _COMPATIBLE)):
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
    if port is not None and port not in _PORTS and port < _LOWEST_HIGH_PORT:
        return f"port {port} belongs to another service"
    return url.with_fragment(None)


def origin(url: URL) -> str:
    """`host:port`, lower case: what is asked for its robots.txt, paced and allowed."""
    return f"{(url.host or '').lower()}:{url.port}"


def allowed(url: URL, hosts: Collection[str]) -> bool:
    """Whether the recipe allows the host by name, with or without its port."""
    return (url.host or "").lower() in hosts or origin(url) in hosts


def refusal(url: URL, hosts: Collection[str]) -> str | None:
    """Why a literal address is refused; None when it may be asked, or is a name that the resolver will check."""
    host = url.host or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return None if public(host) or allowed(url, hosts) else f"{host} is not an address of the public internet"


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only; hosts that the recipe allows may have any.

    Chosen: getaddrinfo in the loop's few threads over aiodns: it knows /etc/hosts and costs no dependency; aiohttp keeps answers for a run.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = hosts
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Addresses that may be connected to. Raises OSError when there is none, PrivateAddressError when all are private."""
        found = await self._inner.resolve(host, port, family)
        if host.lower() in self._hosts or f"{host.lower()}:{port}" in self._hosts:
            return found
        good = [item for item in found if public(item["host"])]
        if not good:
            raise PrivateAddressError(None, f"{host} is at no address of the public internet")
        return good

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()
