"""The words by which a page or an image withholds itself from training: read alike in a server's answer, an
archived one and a page's <meta>.

`noai` and `noimageai` of X-Robots-Tag and <meta name=robots> are a convention without a standard;
`tdm-reservation: 1` is of the TDM Reservation Protocol (TDMRep, W3C community group report).
"""

from __future__ import annotations

from collections.abc import Iterable

_WORDS = frozenset({"noai", "noimageai"})
_RESERVED = "tdm-reservation"


def withheld(headers: Iterable[tuple[str, str]], robots: str = "x-robots-tag") -> str:
    """What of some headers (name, value; a name may come again) withholds, for a person; empty where nothing
    does.

    robots: the name that holds words for robots, in lower case. A word that is said to one robot only
    (`somebot: noai`) counts too.
    """
    said = set()
    for name, value in headers:
        match name.strip().lower():
            case header if header == robots:
                said |= {
                    word.strip().lower() for part in value.split(",") for word in part.split(":")
                } & _WORDS
            case header if header == _RESERVED and value.strip() == "1":
                said.add(f"{_RESERVED}: 1")
    return ", ".join(sorted(said))
