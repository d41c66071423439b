"""The words by which a page or an image opts out of training: in a server's answer, an archived one, a page's
<meta>, or a robots.txt.

`noai` and `noimageai` of X-Robots-Tag and <meta name=robots> are a convention without a standard;
`tdm-reservation: 1` belongs to the TDM Reservation Protocol (TDMRep, W3C community group report);
`Content-Signal: ai-train=no` to contentsignals.org; `Content-Usage: train-ai=n` to the drafts of the IETF's
AI Preferences group (draft-ietf-aipref-attach; `ai=n` in earlier ones); DisallowAITraining to
draft-canel-robots-ai-control.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = frozenset({"noai", "noimageai", "disallowaitraining"})
_RESERVED = "tdm-reservation"
SIGNALS = frozenset({"content-signal", "content-usage"})
"""Headers, and fields of robots.txt, that hold preferences."""
_TRAINING = frozenset({"ai-train", "train-ai", "ai"})
_VALUES = {"no": False, "n": False, "yes": True, "y": True}
_SEPARATORS = re.compile(r"[,;:\s]+")


def withheld(headers: Iterable[tuple[str, str]], robots: str = "x-robots-tag") -> str:
    """Return the opt-outs in some headers (name, value; names may repeat) as text, empty if there are none.

    robots: the name, in lower case, of the header for robots. A word for one robot only (`somebot: noai`)
        counts too.
    """
    found: set[str] = set()
    for name, value in headers:
        header = name.strip().lower()
        if header == robots:
            found |= _WORDS.intersection(_SEPARATORS.split(value.lower()))
        elif header == _RESERVED:
            found |= {f"{_RESERVED}: 1"} if "1" in _SEPARATORS.split(value) else set()
        elif header in SIGNALS and permits_training(value) is False:
            found.add(f"{header}: {value.strip()[:60]}")
    return ", ".join(sorted(found))


def permits_training(preferences: str) -> bool | None:
    """Return whether preferences (`search=yes, ai-train=no`) permit training; None if they do not state it.
    Of several statements the strictest counts."""
    stated = set()
    for item in re.split(r"[,;]", preferences.lower()):
        name, _, value = item.partition("=")
        if name.strip().replace("_", "-") in _TRAINING:
            stated.add(_VALUES.get(value.strip().strip("\"'?")))
    stated.discard(None)
    return None if not stated else False not in stated
