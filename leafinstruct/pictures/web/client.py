"""Addresses -> what became of them: many at a time, in one event loop.

    fetch(address)  store? -> host's turn -> robots.txt -> request -> redirect? (from the top, another host may be) -> headers -> body -> store

Thousands of fetches may wait at once: each is a coroutine, not a thread (names are resolved in the loop's own few threads). What waits for a host
holds nothing that others need, so a slow host slows only itself; what waits for a redirect's host has let go of the first one's slot, so two
hosts that point at each other cannot block one another. Nothing that the web does raises here.

Redirects are followed by hand, because each hop is an address of its own: checked, asked for its robots.txt, paced. No cookies, no proxy or
password from the environment, certificates verified, no decompression beyond the size limit.

Chosen: aiohttp, 0.26 ms a request against 1.25 for httpx2, and its resolver can be replaced, which is what makes the address check hold.
tenacity for tries: exponential waits with jitter, so that failures of one moment do not come back in one moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_random_exponential
from yarl import URL

from leafinstruct import __version__
from leafinstruct.pictures.config import FetchConfig
from leafinstruct.pictures.web import answer
from leafinstruct.pictures.web.address import PrivateAddressError, PublicResolver, origin, parsed, refusal
from leafinstruct.pictures.web.answer import Outcome
from leafinstruct.pictures.web.hosts import LONGEST_WAIT, Host
from leafinstruct.pictures.web.robots import MAX_BYTES, Robots, now
from leafinstruct.pictures.web.store import Fetched, Store

CHUNK = 64 << 10
FIRST_WAIT = 1.0
"""Seconds at most before the second try."""
_OURS = frozenset({"private_address", "bad_address", "robots", "opt_out", "too_large", "too_many_redirects"})
"""Refusals of ours, which stand only under the terms they were made under."""
_NO_SECOND_TRY = frozenset({"host_down", "asks_to_wait", "robots_unknown"})
_NO_SUCH_HOST = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_ROBOTS_REDIRECTS = 5


class Web:
    """Fetches pictures. Use within one event loop, and close it there. answered: fetches that came to an end, kept ones included."""

    def __init__(self, config: FetchConfig, store: Store) -> None:
        self.answered = 0
        self._config = config
        self._store = store
        self._terms = hashlib.sha256(json.dumps(config.shaping, sort_keys=True).encode()).hexdigest()[:12]
        self._hosts: dict[str, Host] = {}
        self._running: dict[str, asyncio.Task[Fetched]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(config.in_flight)
        self._robots = Robots(store, self._robots_file)

    async def fetch(self, url: str) -> Fetched:
        """What became of an address: kept, or asked now. The same address asked twice at once is asked once. Raises OSError when the disk
        refuses what is to be kept."""
        task = self._running.get(url)
        if task is None:
            task = self._running[url] = asyncio.ensure_future(self._fetch(url))
        found = await asyncio.shield(task)
        self._running.pop(url, None)
        self.answered += 1
        return found

    async def close(self) -> None:
        """End what is running, close all connections and the store's files."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._store.close()

    async def _fetch(self, url: str) -> Fetched:
        kept = self._store.get(url)
        if kept is not None and kept.state == "ok" and (kept.reason not in _OURS or kept.terms == self._terms):
            return kept
        started, attempts = time.monotonic(), 0

        async def once() -> Outcome:
            nonlocal attempts
            attempts += 1
            return await self._follow(url, self._config.max_bytes, robots=True)

        outcome = await self._tried(once)
        entry = Fetched(
            url,
            outcome.state,
            outcome.reason,
            outcome.detail,
            outcome.url,
            outcome.status,
            outcome.media,
            at=now(),
            seconds=round(time.monotonic() - started, 3),
            attempts=attempts,
            terms=self._terms if outcome.reason in _OURS else "",
        )
        return self._store.put(entry, outcome.body)

    async def _robots_file(self, url: URL) -> Outcome:
        async def once() -> Outcome:
            return await self._follow(str(url), MAX_BYTES, robots=False)

        return await self._tried(once)

    async def _tried(self, once: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """One try, and further ones after failures that may pass; most fetches are spared tenacity's bookkeeping, a tenth of their cost."""
        first = await once()
        if not _may_be_tried_again(first) or not self._config.retries:
            return first
        tries = AsyncRetrying(
            retry=retry_if_result(_may_be_tried_again),
            stop=stop_after_attempt(self._config.retries),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            retry_error_callback=_last,
        )
        await asyncio.sleep(random.uniform(0, FIRST_WAIT))  # noqa: S311 - spreads tries, guards nothing
        outcome: Outcome = await tries(once)
        return outcome

    async def _follow(self, address: str, limit: int, robots: bool) -> Outcome:
        """One try, through its redirects. robots: whether this is a picture, for which robots.txt is asked; else it is a robots.txt."""
        left = self._config.timeout
        hops = self._config.max_redirects if robots else _ROBOTS_REDIRECTS
        for _ in range(hops + 1):
            url = parsed(address)
            if isinstance(url, str):
                return Outcome("ok", "bad_address", url)
            if literal := refusal(url, self._config.allow_hosts):
                return Outcome("ok", "private_address", literal, str(url))
            host = self._host(url)
            if robots and (no := await self._forbidden(url, host)):
                return no
            async with host.turn(), self._slots:
                began = time.monotonic()
                if host.down:
                    return Outcome("failed", "host_down", f"{origin(url)} does not answer; it is not asked again in this run", str(url))
                found = await self._request(url, host, limit, left, picture=robots)
            left -= time.monotonic() - began
            if isinstance(found, Outcome):
                return replace(found, url=str(url))
            address = found
        return Outcome("ok", "too_many_redirects", f"more than {hops}", address)

    async def _forbidden(self, url: URL, host: Host) -> Outcome | None:
        """Why the host's robots.txt keeps an address from us; None when it does not, or is not asked."""
        if not self._config.robots:
            return None
        rules = await self._robots.rules(url)
        if rules.problem is not None:
            return replace(rules.problem, reason="robots_unknown", detail=f"robots.txt: {rules.problem.detail}", url=str(url))
        if not rules.allows(url):
            return Outcome("ok", "robots", f"the robots.txt of {origin(url)} does not allow it", str(url))
        if rules.delay > LONGEST_WAIT:
            return Outcome("ok", "robots", f"the robots.txt of {origin(url)} asks for {rules.delay:g} s between requests", str(url))
        host.delay = max(self._config.delay, rules.delay)
        return None

    async def _request(self, url: URL, host: Host, limit: int, seconds: float, picture: bool) -> Outcome | str:
        """One request: what it gave, or the address that it redirects to."""
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                async with self._connected().get(url, allow_redirects=False) as response:
                    host.answered()
                    return await self._read(url, response, host, limit, picture)
        except TimeoutError:
            host.was_silent()
            return Outcome("failed", "timeout", f"no whole answer within {self._config.timeout:g} s")
        except Exception as error:  # a server can make a client raise whatever it likes
            outcome = _of_error(error)
            if outcome.state == "failed":
                host.was_silent()
            return outcome

    async def _read(self, url: URL, response: aiohttp.ClientResponse, host: Host, limit: int, picture: bool) -> Outcome | str:
        headers = response.headers
        if response.status in answer.REDIRECTS:
            target = headers.get("Location", "")
            return str(url.join(URL(target))) if target else Outcome("ok", "bad_address", "a redirect to nowhere", status=response.status)
        if outcome := answer.of_status(response.status, headers):
            if outcome.wait is not None:
                host.pause(outcome.wait)
            too_long = outcome.wait is not None and outcome.wait > LONGEST_WAIT
            return replace(outcome, reason="asks_to_wait", detail=f"for {outcome.wait:,.0f} s") if too_long else outcome
        if picture and (outcome := answer.of_headers(headers, self._config.opt_out, limit)):
            return outcome
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > limit:
                break
        data = answer.unpacked(bytes(body), headers, limit)
        if data is None:
            return Outcome("ok", "broken_encoding", "the body is not encoded as its headers say", status=200)
        if picture and len(data) > limit:
            return Outcome("ok", "too_large", f"more than {limit:,} bytes", status=200, media=answer.media_of(headers))
        return Outcome("ok", status=200, media=answer.media_of(headers), body=data[:limit])

    def _host(self, url: URL) -> Host:
        key = origin(url)
        if key not in self._hosts:
            self._hosts[key] = Host(self._config.per_host, self._config.delay)
        return self._hosts[key]

    def _connected(self) -> aiohttp.ClientSession:
        """The session, made in the loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=PublicResolver(self._config.allow_hosts), ttl_dns_cache=600),
                headers={
                    "User-Agent": f"leafinstruct/{__version__} (+{self._config.contact})",
                    "Accept": "image/*,*/*;q=0.1",
                    "Accept-Encoding": "identity",
                },
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        return self._session


def _may_be_tried_again(outcome: Outcome) -> bool:
    return outcome.state == "failed" and outcome.reason not in _NO_SECOND_TRY


def _last(state: RetryCallState) -> Any:
    """After the last try, its outcome."""
    assert state.outcome is not None
    return state.outcome.result()


def _of_error(error: Exception) -> Outcome:
    """What an error of the client means; certificates and malformed answers will be so tomorrow, connections may not."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, PrivateAddressError) or isinstance(error, PrivateAddressError):
        return Outcome("ok", "private_address", str(cause or error))
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)) or isinstance(cause, ssl.SSLError):
        return Outcome("ok", "bad_certificate", f"{error}"[:200])
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        gone = getattr(cause, "errno", None) in _NO_SUCH_HOST
        return Outcome("ok" if gone else "failed", "no_such_host" if gone else "name_not_resolved", f"{error}"[:200])
    if isinstance(error, (aiohttp.InvalidURL, UnicodeError)):
        return Outcome("ok", "bad_address", f"{error}"[:200])
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome("ok", "bad_answer", f"{error.message}"[:200])
    return Outcome("failed", "connection", f"{type(error).__name__}: {error}"[:200])
