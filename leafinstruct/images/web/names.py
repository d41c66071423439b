"""Resolve names to the IP addresses that are connected to, and interpret a failure to find any.

A host that does not exist is a verdict; a broken resolver is not, and getaddrinfo hardly separates the two:
in a container without network, on a laptop offline, behind a hotel's portal every name "does not exist" or
has a private IP address. So a negative answer counts only beside a positive one: WITNESSES, names that
certainly exist, are resolved at the same time, and unless one of them has a public IP address, the failure is
temporary.

aiohttp resolves through `Names.resolve`, which returns what was found here without private IP addresses: the
connection goes to what was checked, whatever the name server answers a second time. Names are resolved before
a request uses its host's turn or its time, so that slow name servers of dead hosts cost other hosts nothing.

Chosen: getaddrinfo in a few threads over aiodns: it knows /etc/hosts and needs no dependency.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from leafinstruct.images.web.answer import Outcome
from leafinstruct.images.web.ip import allowed, literal, public

WITNESSES = ("iana.org", "example.org", "wikipedia.org")
"""If none of these names is found, the resolver is broken."""
THREADS = 16
"""Concurrent lookups; a dead name server occupies a thread for some 10 seconds."""
AGE = 600.0
"""Seconds that an answer is cached."""
WITNESS_AGE = 30.0
"""Seconds that the answer for a witness is cached."""
_DENIALS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

Ask = Callable[[str], list[str]]
"""Resolves a name to its IP addresses. Raises socket.gaierror, OSError or UnicodeError. Blocks."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Result of a lookup. addresses: as the resolver gave them; error: why there are none; denied: whether
    the resolver states that there is no such name; at: monotonic seconds."""

    addresses: tuple[str, ...]
    at: float
    error: str = ""
    denied: bool = False


def getaddrinfo(host: str) -> list[str]:
    """Ask the system's resolver."""
    return list(
        dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    )


class Names(AbstractResolver):
    """The names of a run. hosts: those that may have any IP address (`name` or `name:port`); retries:
    further lookups after a failed one."""

    def __init__(self, hosts: Collection[str], retries: int, ask: Ask = getaddrinfo) -> None:
        self._hosts, self._retries, self._ask = hosts, retries, ask
        self._known: dict[str, asyncio.Task[_Found]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "names")

    async def problem(self, url: URL) -> Outcome | None:
        """Return why a URL's host cannot be connected to; None if it can, and for literal IP addresses,
        which need no lookup."""
        if literal(url):
            return None
        host = url.raw_host or ""
        found = await self._found(host, AGE)
        if self._usable(host, url.port or 0, found):
            return None
        if found.error and not found.denied:
            return Outcome("failed", "name_not_resolved", f"{host}: {found.error}", str(url))
        reason, detail = "no_such_host", f"{host}: {found.error}"
        if not found.error:
            reason, detail = (
                "private_address",
                f"{host} is at {', '.join(found.addresses[:3])}, not an IP address of the public internet",
            )
        if await self._resolver_works():
            return Outcome("ok", reason, detail, str(url))
        return Outcome(
            "failed", "name_not_resolved", f"{detail}; but names that do exist are not found either", str(url)
        )

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """For aiohttp: return IP addresses that may be connected to. Raises OSError if there are none."""
        addresses = self._usable(host, port, await self._found(host, AGE))
        kinds = [(address, socket.AF_INET6 if ":" in address else socket.AF_INET) for address in addresses]
        good = [(address, kind) for address, kind in kinds if family in (socket.AF_UNSPEC, kind)]
        if not good:
            raise OSError(None, f"{host} has no IP address that may be connected to")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address, kind in good
        ]

    async def close(self) -> None:
        """Release the threads without waiting for a lookup that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _usable(self, host: str, port: int, found: _Found) -> list[str]:
        free = allowed(URL.build(scheme="http", host=host, port=port or 80), self._hosts)
        return [address for address in found.addresses if free or public(address)]

    async def _resolver_works(self) -> bool:
        """Whether a name that exists is found now."""
        for name in WITNESSES:
            if any(public(address) for address in (await self._found(name, WITNESS_AGE)).addresses):
                return True
        return False

    async def _found(self, host: str, age: float) -> _Found:
        """Return what is known of a name, at most that many seconds old. Concurrent callers share a
        lookup."""
        key = host.lower()
        task = self._known.get(key)
        if task is None or (task.done() and (task.cancelled() or task.result().at + age < time.monotonic())):
            task = self._known[key] = asyncio.ensure_future(self._look_up(host))
        return await asyncio.shield(task)

    async def _look_up(self, host: str) -> _Found:
        loop = asyncio.get_running_loop()
        for tries in range(self._retries + 1):
            try:
                addresses = await loop.run_in_executor(self._threads, self._ask, host)
                return _Found(tuple(addresses), time.monotonic())
            except (OSError, UnicodeError) as error:
                denied = isinstance(error, socket.gaierror) and error.errno in _DENIALS
                found = _Found(
                    (), time.monotonic(), getattr(error, "strerror", None) or f"{error}"[:100], denied
                )
            if tries < self._retries:
                await asyncio.sleep(random.uniform(0.5, 1.0) * 2**tries)  # noqa: S311 - spreads tries, guards nothing
        return found
