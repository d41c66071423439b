"""robots.txt of a host, asked once a day at most: RFC 9309.

4xx: everything is allowed. 5xx or no answer: nothing may be asked, which may pass. Files are kept in the store like pictures, with their age.

Chosen: protego, as Scrapy does: wildcards, the longest rule wins, Crawl-delay; urllib.robotparser knows no wildcards and takes the first rule.
Cost: 0.1 ms to parse an ordinary file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protego import Protego
from yarl import URL

from leafinstruct.pictures.web.address import origin
from leafinstruct.pictures.web.answer import Outcome
from leafinstruct.pictures.web.store import Fetched, Store, stored

AGENT = "leafinstruct"
MAX_BYTES = 500 << 10
"""Of a robots.txt; RFC 9309 asks for at least that much, and what follows is not read."""
AGE = timedelta(hours=24)


@dataclass(frozen=True)
class Rules:
    """What a host allows. problem: why nothing may be asked for now, None when the file was had (or there is none)."""

    parsed: Protego | None
    problem: Outcome | None = None

    def allows(self, url: URL) -> bool:
        """Whether our agent may ask for an address."""
        return self.parsed is None or bool(self.parsed.can_fetch(str(url), AGENT))

    @property
    def delay(self) -> float:
        """Seconds that the host wants between two requests."""
        found = self.parsed.crawl_delay(AGENT) if self.parsed is not None else None
        return float(found or 0.0)


class Robots:
    """The rules of all hosts of a run. get: asks for an address, without asking for its robots.txt."""

    def __init__(self, store: Store, get: Callable[[URL], Awaitable[Outcome]]) -> None:
        self._store, self._get = store, get
        self._rules: dict[str, asyncio.Future[Rules]] = {}

    async def rules(self, url: URL) -> Rules:
        """The rules of an address's host; asked once a run, whoever waits and whatever came of it."""
        key = f"{url.scheme}://{origin(url)}"
        if key not in self._rules:
            self._rules[key] = asyncio.ensure_future(self._ask(url.origin() / "robots.txt"))
        return await asyncio.shield(self._rules[key])

    async def _ask(self, url: URL) -> Rules:
        kept = self._kept(str(url))
        if kept is not None:
            return Rules(_read(kept))
        outcome = await self._get(url)
        if outcome.state == "failed":
            return Rules(None, outcome)
        body = outcome.body or b""
        entry = Fetched(str(url), "ok", outcome.reason, outcome.detail, outcome.url, outcome.status, at=now())
        self._store.put(entry, body)
        return Rules(_read(body))

    def _kept(self, url: str) -> bytes | None:
        """The file as it was fetched in the last 24 hours, also by another run."""
        kept = self._store.get(url)
        if kept is None or kept.segment is None or kept.sha256 is None or not _young(kept):
            return None
        try:
            return stored(self._store.folder, kept.segment, kept.offset or 0, kept.size or 0, kept.sha256)
        except OSError:
            return None


def now() -> str:
    """The moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _young(kept: Fetched) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(kept.at) < AGE
    except (ValueError, TypeError):
        return False


def _read(body: bytes) -> Protego | None:
    """The rules of a file; None for an empty one, and for what is no text."""
    text = body.decode("utf-8-sig", errors="replace")
    return Protego.parse(text) if text.strip() else None
