"""The words by which a page or an image opts out of training, in a server's answer, an archived one or a
page's <meta>.

`noai` and `noimageai` of X-Robots-Tag and <meta name=robots> are a convention without a standard;
`tdm-reservation: 1` belongs to the TDM Reservation Protocol (TDMRep, W3C community group report).
"""

from __future__ import annotations

from collections.abc import Iterable

_WORDS = frozenset({"noai", "noimageai"})
_RESERVED = "tdm-reservation"


def withheld(headers: Iterable[tuple[str, str]], robots: str = "x-robots-tag") -> str:
    """Return the opt-outs in some headers (name, value; names may repeat) as text, empty if there are none.

    robots: the name, in lower case, of the header for robots. A word for one robot only (`somebot: noai`)
        counts too.
    """
    found = set()
    for name, value in headers:
        match name.strip().lower():
            case header if header == robots:
                found |= {
                    word.strip().lower() for part in value.split(",") for word in part.split(":")
                } & _WORDS
            case header if header == _RESERVED and value.strip() == "1":
                found.add(f"{_RESERVED}: 1")
    return ", ".join(sorted(found))
