"""Licenses by name: which of them let anybody hand a work on, and when two names are one. Pure, for configs
and rooms alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

OPEN = (
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-2.0",
    "CC-BY-2.5",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-2.0",
    "CC-BY-SA-2.5",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "ODC-By-1.0",
    "PDDL-1.0",
    "Unlicense",
)
"""SPDX names of licenses under which anybody may hand on copies and changed copies, for any purpose."""

_BLANKS = re.compile(r"[\s_-]+")


def key(name: str) -> str:
    """What is compared of a license's name: `CC BY 4.0` and `cc-by-4.0` are one; nothing else is guessed, so
    `CC-BY-3.0-DE` is no CC-BY-3.0."""
    return _BLANKS.sub("-", name.strip()).casefold()


def keys(names: Iterable[str]) -> frozenset[str]:
    """A list of licenses, to look names up in."""
    return frozenset(key(name) for name in names)
