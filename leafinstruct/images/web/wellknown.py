"""Files in which a host states rules for all its content (robots.txt, tdmrep.json): each read once a run, at
most once a day.

They are kept in the store like images, with their age, so another run does not request them again. Temporary
failures are cached for the run only, so that a host whose robots.txt fails costs a few requests, not a few an
image.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from yarl import URL

from leafinstruct.images.web.answer import Outcome
from leafinstruct.images.web.ip import origin
from leafinstruct.images.web.store import Fetched, Store, stored

MAX_BYTES = 500 << 10
"""Maximum bytes of such a file; RFC 9309 requires at least that much of a robots.txt. The rest is not
read."""
AGE = timedelta(hours=24)

Get = Callable[[URL], Awaitable[Outcome]]
"""Requests a URL without reading the files of its host first."""


class HostFile:
    """One such file of all hosts of a run. path: of the file, from the host's root."""

    def __init__(self, path: str, store: Store, get: Get) -> None:
        self._path, self._store, self._get = path, store, get
        self._asked: dict[str, asyncio.Future[bytes | Outcome]] = {}

    async def of(self, url: URL) -> bytes | Outcome:
        """Return the file of a URL's host, empty if there is none; or the temporary failure to read it."""
        key = f"{url.scheme}://{origin(url)}"
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(self._ask(url.origin() / self._path))
        return await asyncio.shield(self._asked[key])

    async def _ask(self, url: URL) -> bytes | Outcome:
        kept = self._kept(str(url))
        if kept is not None:
            return kept
        outcome = await self._get(url)
        if outcome.state == "failed":
            return outcome
        # there is a file, but its rules are unknown
        if outcome.reason in ("broken_encoding", "unknown_encoding"):
            return replace(outcome, state="failed")
        body = outcome.body or b""
        self._store.put(
            Fetched(str(url), "ok", outcome.reason, outcome.detail, outcome.url, outcome.status, at=now()),
            body,
        )
        return body

    def _kept(self, url: str) -> bytes | None:
        """Return the file as fetched in the last 24 hours, also by another run."""
        kept = self._store.intact(url)
        if kept is None or kept.segment is None or kept.sha256 is None or not _young(kept):
            return None
        try:
            return stored(self._store.folder, kept.segment, kept.offset or 0, kept.size or 0, kept.sha256)
        except OSError:
            return None


def now() -> str:
    """The current time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _young(kept: Fetched) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(kept.at) < AGE
    except (ValueError, TypeError):
        return False
