"""Apply /.well-known/tdmrep.json of a host: which of its files are reserved from text and data mining
(TDMRep, W3C community group report).

The file is a list of rules `{"location": "/photos/*.jpg", "tdm-reservation": 1}`. The first rule whose
pattern matches a URL's path counts; patterns are those of robots.txt (`*`, and `$` for the end). Following
the report, a missing or malformed file reserves nothing, and neither does an error answer of the server. Only
if the server gives no answer, or asks for a pause, the reservation is unknown, which is temporary.

The report lets an image's own header override the file. A reserved image is not requested to find out whether
its header does. If the file does not reserve an image, its header is checked.
"""

from __future__ import annotations

import json

from yarl import URL

from leafinstruct.images.web.answer import PUSHING, Outcome
from leafinstruct.images.web.ip import origin
from leafinstruct.images.web.store import Store
from leafinstruct.images.web.wellknown import Get, HostFile

MAX_RULES = 10_000
"""Maximum rules of a file; later ones are not read."""


class Reservations:
    """The reservations of all hosts of a run."""

    def __init__(self, store: Store, get: Get) -> None:
        self._files = HostFile(".well-known/tdmrep.json", store, get)
        self._rules: dict[str, list[tuple[str, bool]]] = {}

    async def reserved(self, url: URL) -> bool | Outcome:
        """Return whether a URL is reserved, or the temporary failure to find out."""
        body = await self._files.of(url)
        if isinstance(body, Outcome):
            return body if body.status is None or body.status in PUSHING else False
        key = f"{url.scheme}://{origin(url)}"
        if key not in self._rules:
            self._rules[key] = rules(body)
        return reserves(self._rules[key], url)


def rules(body: bytes) -> list[tuple[str, bool]]:
    """Return (pattern, whether it reserves) in the file's order; invalid rules are ignored."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    items = [item for item in found[:MAX_RULES] if isinstance(item, dict)] if isinstance(found, list) else []
    pairs = ((item.get("location"), item.get("tdm-reservation")) for item in items)
    return [
        (place, value in (1, "1"))
        for place, value in pairs
        if isinstance(place, str) and value in (0, 1, "0", "1")
    ]


def reserves(found: list[tuple[str, bool]], url: URL) -> bool:
    """Apply the first rule that matches a URL; False if none does."""
    path = url.raw_path_qs
    return next((reserved for pattern, reserved in found if _matches(pattern, path)), False)


def _matches(pattern: str, path: str) -> bool:
    """Whether a path begins as a pattern describes. Each piece is searched from the end of the one before:
    linear for any pattern."""
    whole = pattern.endswith("$")
    first, *rest = [_plain(piece) for piece in pattern.removesuffix("$").split("*")]
    first = first if first.startswith("/") or (rest and not first) else f"/{first}"
    if not path.startswith(first):
        return False
    at = len(first)
    last = rest.pop() if whole and rest else None
    for piece in rest:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if last is not None:
        return len(path) - at >= len(last) and path.endswith(last)
    return not whole or at == len(path)


def _plain(piece: str) -> str:
    """Spell a piece of a pattern as yarl spells paths."""
    try:
        return URL(f"http://h/{piece}").raw_path_qs[1:]
    except ValueError:
        return piece
