"""Fetch many URLs at a time, in one event loop, and return the outcome of each.

    fetch(url)  store? -> name -> robots.txt, tdmrep.json -> host's turn -> request
                -> redirect? (from the top) -> headers -> body -> store

Thousands of fetches may wait at once: each is a coroutine, not a thread (names are resolved in a few
threads). A fetch that waits for a host occupies nothing that others need, so a slow host slows only itself. A
fetch that waits for a redirect's host has released the first host's slot, so two hosts that redirect to each
other cannot block one another. Nothing that a server does raises here.

Redirects are followed here, because each is a URL of its own: checked, looked up in its robots.txt, paced. No
cookies, no proxy or password from the environment, certificates verified, no decompression beyond the limit.

Chosen: aiohttp, 0.26 ms a request against 1.25 for httpx2; its resolver can be replaced, which makes the
check of IP addresses reliable. tenacity for tries: exponential waits with jitter, so that simultaneous
failures are not repeated simultaneously.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)
from yarl import URL

from leafinstruct import __version__
from leafinstruct.images.config import FetchConfig
from leafinstruct.images.formats import signature
from leafinstruct.images.web import answer
from leafinstruct.images.web.answer import PUSHING, Outcome, printable
from leafinstruct.images.web.hosts import LONGEST_WAIT, Host
from leafinstruct.images.web.ip import origin, parsed, refusal
from leafinstruct.images.web.names import Ask, Names, getaddrinfo
from leafinstruct.images.web.robots import Robots
from leafinstruct.images.web.store import Fetched, Store
from leafinstruct.images.web.tdmrep import Reservations
from leafinstruct.images.web.wellknown import MAX_BYTES, now

CHUNK = 64 << 10
LARGE = 1 << 20
"""Bytes from which on a body occupies one of the slots for large bodies."""
LARGE_AT_ONCE = 16
"""Maximum number of large bodies at a time: 256 in flight, each of the maximum size, would be 5 GB."""
FIRST_WAIT = 1.0
"""Maximum seconds before the second try."""
_OURS = frozenset(
    {
        *("private_address", "bad_url", "robots", "opt_out", "too_large", "too_many_redirects"),
        *("unknown_encoding", "broken_encoding", "not_an_image"),
    }
)
"""Refusals of this client, valid only under the settings and the rules that they were made under."""
_RULES = 2
"""Increased when refusals of the same answers change."""
_NO_SECOND_TRY = frozenset(
    {"host_down", "asks_to_wait", "robots_unknown", "opt_out_unknown", "name_not_resolved"}
)
"""Failures that were already tried again, for the host as a whole."""
_FILE_REDIRECTS = 5
"""Maximum redirects of a robots.txt (RFC 9309) and of a tdmrep.json."""


class Web:
    """Fetches images. Use and close it within one event loop. answered: completed fetches, stored ones
    included.

    ask: the resolver of names.
    refused: sha256 of images whose bytes must not be kept.
    """

    def __init__(
        self, config: FetchConfig, store: Store, ask: Ask = getaddrinfo, refused: frozenset[str] = frozenset()
    ) -> None:
        self.answered = 0
        self._config = config
        self._store = store
        self._not_kept = refused
        self._terms = hashlib.sha256(
            json.dumps([_RULES, config.shaping], sort_keys=True).encode()
        ).hexdigest()[:12]
        self._hosts: dict[str, Host] = {}
        self._running: dict[str, asyncio.Task[Fetched]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(config.in_flight)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._names = Names(config.allow_hosts, config.retries, ask)
        self._robots = Robots(store, self._file)
        self._reservations = Reservations(store, self._file)
        self._certified = False  # whether a certificate was found good in this run

    async def fetch(self, url: str) -> Fetched:
        """Return the outcome of a URL, stored or requested now. Concurrent calls for one URL share a
        request. Raises OSError if the result cannot be written to disk."""
        task = self._running.get(url)
        if task is None:
            task = self._running[url] = asyncio.ensure_future(self._fetch(url))
        found = await asyncio.shield(task)
        self._running.pop(url, None)
        self.answered += 1
        return found

    def repaired(self) -> dict[str, int]:
        """Damaged entries that were dropped since the last call, by what they are."""
        count, self._store.repaired = self._store.repaired, 0
        return {"fetched images": count} if count else {}

    async def close(self) -> None:
        """Cancel what is running; close all connections and the store's files."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._names.close()
        self._store.close()

    async def _fetch(self, url: str) -> Fetched:
        kept = self._up_to_date(url)
        if kept is not None:
            return kept
        started, attempts = time.monotonic(), 0

        async def once() -> Outcome:
            nonlocal attempts
            attempts += 1
            return await self._follow(url, self._config.max_bytes, image=True)

        outcome = await self._tried(once)
        entry = Fetched(
            url,
            outcome.state,
            outcome.reason,
            printable(outcome.detail),
            outcome.url,
            outcome.status,
            outcome.media,
            at=now(),
            seconds=round(time.monotonic() - started, 3),
            attempts=attempts,
            terms="" if self._strict and outcome.reason not in _OURS else self._terms,
        )
        if (
            outcome.body is not None
            and self._not_kept
            and hashlib.sha256(outcome.body).hexdigest() in self._not_kept
        ):
            return replace(entry, reason="removed_by_request", detail="these bytes were removed permanently")
        return self._store.put(entry, outcome.body)

    def _up_to_date(self, url: str) -> Fetched | None:
        """Return the stored outcome of a URL if a new request under the current settings would give the
        same."""
        kept = self._store.intact(url)
        if kept is None or kept.state == "failed":
            return None
        if kept.terms != self._terms and (kept.terms or kept.reason in _OURS):
            return None
        if (kept.size or 0) <= self._config.max_bytes:
            return kept
        detail = f"{kept.size:,} bytes, more than {self._config.max_bytes:,}"
        return replace(
            kept, reason="too_large", detail=detail, sha256=None, size=None, segment=None, offset=None
        )

    @property
    def _strict(self) -> bool:
        """Whether every refusal of the host is obeyed: any run may use the images of such a run."""
        return self._config.robots and self._config.opt_out

    async def _file(self, url: URL) -> Outcome:
        async def once() -> Outcome:
            return await self._follow(str(url), MAX_BYTES, image=False)

        return await self._tried(once)

    async def _tried(self, once: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Try once, and again after temporary failures. Most fetches avoid tenacity's bookkeeping, a tenth
        of their cost."""
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

    async def _follow(self, target: str, limit: int, image: bool) -> Outcome:
        """Make one try, through its redirects. image: False for a file about the host, for which no such
        file is read."""
        left = self._config.timeout
        hops = self._config.max_redirects if image else _FILE_REDIRECTS
        for _ in range(hops + 1):
            url = parsed(target)
            if isinstance(url, str):
                return Outcome("ok", "bad_url", url)
            if no := await self._refused(url, image):
                return no
            host = self._host(url)
            async with host.turn(), self._slots:
                began = time.monotonic()
                if why := host.given_up:
                    return Outcome(
                        "failed",
                        why[0],
                        f"{origin(url)}: {why[1]}; it is not asked again in this run",
                        str(url),
                    )
                found = await self._request(url, host, limit, left, image)
            left -= time.monotonic() - began
            if isinstance(found, Outcome):
                return replace(found, url=str(url))
            target = found
        return Outcome("ok", "too_many_redirects", f"more than {hops}", target)

    async def _refused(self, url: URL, image: bool) -> Outcome | None:
        """Return why a URL is not requested, if so."""
        if private := refusal(url, self._config.allow_hosts):
            return Outcome("ok", "private_address", private, str(url))
        if no := await self._names.problem(url):
            return no
        if not image:
            return None
        return await self._forbidden(url) or await self._reserved(url)

    async def _forbidden(self, url: URL) -> Outcome | None:
        """Return why the host's robots.txt forbids a URL, if it does."""
        if not self._config.robots:
            return None
        rules = await self._robots.rules(url)
        if isinstance(rules, Outcome):
            return replace(rules, reason="robots_unknown", detail=f"robots.txt: {rules.detail}", url=str(url))
        if not rules.allows(url, opt_out=False):
            return Outcome("ok", "robots", f"the robots.txt of {origin(url)} does not allow it", str(url))
        if rules.delay > LONGEST_WAIT:
            return Outcome(
                "ok",
                "robots",
                f"the robots.txt of {origin(url)} asks for {rules.delay:g} s between requests",
                str(url),
            )
        if self._config.opt_out and (stated := rules.opts_out(url)):
            detail = f"the robots.txt of {origin(url)} states {stated}"
            return Outcome("ok", "opt_out", detail, str(url))
        self._host(url).delay = max(self._config.delay, rules.delay)
        return None

    async def _reserved(self, url: URL) -> Outcome | None:
        """Return why the host's tdmrep.json forbids a URL, if it does."""
        if not self._config.opt_out:
            return None
        reserved = await self._reservations.reserved(url)
        if isinstance(reserved, Outcome):
            return replace(
                reserved, reason="opt_out_unknown", detail=f"tdmrep.json: {reserved.detail}", url=str(url)
            )
        return (
            Outcome("ok", "opt_out", f"the tdmrep.json of {origin(url)} reserves it", str(url))
            if reserved
            else None
        )

    async def _request(self, url: URL, host: Host, limit: int, seconds: float, image: bool) -> Outcome | str:
        """Make one request; return its outcome, or the URL that it redirects to."""
        try:
            async with asyncio.timeout(max(seconds, 0.001)) as clock:
                async with self._connected().get(url, allow_redirects=False) as response:
                    self._certified |= url.scheme == "https"
                    found = await self._read(url, response, limit, image, clock)
        except TimeoutError:
            host.was_silent()
            return Outcome("failed", "timeout", f"no whole answer within {self._config.timeout:g} s")
        except Exception as error:  # a server can make a client raise whatever it likes
            outcome = answer.of_error(error, self._certified)
            if outcome.state == "failed":
                host.was_silent()
            return outcome
        if isinstance(found, str) or found.status not in PUSHING:
            host.answered()
            return found
        host.pushed_back(found.wait)
        return replace(found, reason="asks_to_wait") if (found.wait or 0) > LONGEST_WAIT else found

    async def _read(
        self, url: URL, response: aiohttp.ClientResponse, limit: int, image: bool, clock: asyncio.Timeout
    ) -> Outcome | str:
        headers = response.headers
        if response.status in answer.REDIRECTS:
            return answer.of_redirect(url, headers.get("Location", ""), response.status)
        if outcome := answer.of_status(response.status, headers):
            return outcome
        if image and (outcome := answer.of_headers(headers, self._config.opt_out, limit)):
            return outcome
        body = bytearray()
        if image and not answer.media_of(headers).startswith("image/"):
            body += await self._body(response, signature.LENGTH)
            if outcome := answer.of_beginning(headers, bytes(body), limit):
                return outcome
        body += await self._body(response, min(limit, LARGE) - len(body))
        if len(body) > LARGE:
            async with self._large_slot(clock):
                body += await self._body(response, limit - len(body))
        return (answer.image_of if image else answer.file_of)(bytes(body), headers, limit)

    @staticmethod
    async def _body(response: aiohttp.ClientResponse, limit: int) -> bytearray:
        """Return the next bytes of a body: all remaining, or a little more than `limit`."""
        body = bytearray()
        while len(body) <= limit and (chunk := await response.content.read(CHUNK)):
            body += chunk
        return body

    @asynccontextmanager
    async def _large_slot(self, clock: asyncio.Timeout) -> AsyncIterator[None]:
        """Wait for one of the slots for large bodies; the wait does not count as the server's time."""
        loop = asyncio.get_running_loop()
        left = (clock.when() or 0.0) - loop.time()
        clock.reschedule(None)
        async with self._large:
            clock.reschedule(loop.time() + left)
            yield

    def _host(self, url: URL) -> Host:
        key = origin(url)
        if key not in self._hosts:
            self._hosts[key] = Host(self._config.per_host, self._config.delay)
        return self._hosts[key]

    def _connected(self) -> aiohttp.ClientSession:
        """Return the session, created in the loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=self._names, use_dns_cache=False),
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
    assert state.outcome is not None
    return state.outcome.result()
