"""Apply robots.txt of a host: RFC 9309.

4xx: everything is allowed. 5xx or no answer: nothing is allowed, which is temporary.

Chosen: protego, as Scrapy does: wildcards, the longest rule wins, Crawl-delay; urllib.robotparser knows no
wildcards and uses the first rule. Cost: 0.1 ms to parse an ordinary file, once a host.
"""

from __future__ import annotations

from protego import Protego
from yarl import URL

from leafinstruct.images.web.answer import Outcome
from leafinstruct.images.web.ip import origin
from leafinstruct.images.web.store import Store
from leafinstruct.images.web.wellknown import Get, HostFile

AGENT = "leafinstruct"


class Rules:
    """The rules of a host. body: its robots.txt, empty if there is none."""

    def __init__(self, body: bytes) -> None:
        text = body.decode("utf-8-sig", errors="replace")
        self._parsed = Protego.parse(text) if text.strip() else None

    def allows(self, url: URL) -> bool:
        """Whether this program's user agent may request a URL."""
        return self._parsed is None or bool(self._parsed.can_fetch(str(url), AGENT))

    @property
    def delay(self) -> float:
        """Seconds that the host requires between two requests."""
        found = self._parsed.crawl_delay(AGENT) if self._parsed is not None else None
        return float(found or 0.0)


class Robots:
    """The rules of all hosts of a run."""

    def __init__(self, store: Store, get: Get) -> None:
        self._files = HostFile("robots.txt", store, get)
        self._rules: dict[str, Rules] = {}

    async def rules(self, url: URL) -> Rules | Outcome:
        """Return the rules of a URL's host, or the temporary failure to read them."""
        body = await self._files.of(url)
        if isinstance(body, Outcome):
            return body
        key = f"{url.scheme}://{origin(url)}"
        if key not in self._rules:
            self._rules[key] = Rules(body)
        return self._rules[key]
