"""Whether a licence is on a list of licences. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BLANKS = re.compile(r"[\s_-]+")


def key(name: str) -> str:
    """What is compared of a licence's name: `CC BY 4.0` and `cc-by-4.0` are one; nothing else is guessed, so `CC-BY-3.0-DE` is no CC-BY-3.0."""
    return _BLANKS.sub("-", name.strip()).casefold()


def keys(names: Iterable[str]) -> frozenset[str]:
    """A list of licences, to look names up in."""
    return frozenset(key(name) for name in names)
