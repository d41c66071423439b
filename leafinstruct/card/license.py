"""What a dataset's records say of their licenses, in the Hub's words. Pure.

The Hub's `license` takes one identifier of its own list. It is claimed only where every record and every
image states that one license:

    all state the same, and the Hub knows it       license: cc-by-4.0
    all state the same, and the Hub does not       license: other, license_name: <what they state>
    some state another, or none                    license: other, license_name: mixed, license_details: who states what
    none states any                                license: unknown, which means that nobody said, not that there is none

A list of licenses (`license: [mit, cc-by-4.0]`) was refused: on the Hub it reads as a choice, and here each
record has its own.
Source: the identifiers of huggingface.co/docs/hub/repositories-licenses that are licenses of works. Families
without a version (`cc`, `bsd`, `gpl`) say too little to be claimed, and licenses of models are none of a
page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from leafinstruct.records.license import OPEN, key, keys

Counted = Mapping[str | None, tuple[int, int]]
"""License as stated (None: none is) -> records, images."""

_SPDX = [
    "Apache-2.0",
    "MIT",
    "AFL-3.0",
    "Artistic-2.0",
    "BSL-1.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "CC0-1.0",
    "CC-BY-2.0",
    "CC-BY-2.5",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-2.0",
    "CC-BY-NC-3.0",
    "CC-BY-NC-4.0",
    "CC-BY-ND-4.0",
    "CC-BY-NC-ND-3.0",
    "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-2.0",
    "CC-BY-NC-SA-3.0",
    "CC-BY-NC-SA-4.0",
    "CDLA-Sharing-1.0",
    "CDLA-Permissive-1.0",
    "CDLA-Permissive-2.0",
    "WTFPL",
    "ECL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "etalab-2.0",
    "EUPL-1.1",
    "AGPL-3.0",
    "GPL-2.0",
    "GPL-3.0",
    "LGPL-2.1",
    "LGPL-3.0",
    "ISC",
    "LPPL-1.3c",
    "MS-PL",
    "MPL-2.0",
    "OSL-3.0",
    "PostgreSQL",
    "OFL-1.1",
    "NCSA",
    "Unlicense",
    "Zlib",
]
"""Names that the Hub has too, in small letters."""
_OTHERWISE = {"ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl", "PDDL-1.0": "pddl", "C-UDA-1.0": "c-uda"} | {
    f"{name}-{suffix}": name.lower()
    for name in ("AGPL-3.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0")
    for suffix in ("only", "or-later")
}
"""SPDX names that the Hub spells otherwise."""

_SHOWABLE = keys(OPEN)
"""Anybody may hand on copies and changed copies for any purpose. A card's image is scaled, so no-derivatives
licenses are not among them, and a card has readers of every kind, so neither are non-commercial ones."""

DETAILS = 10
"""Licenses that `license_details` names."""

_KNOWN = {name.lower(): (name, name.lower()) for name in _SPDX} | {
    name.lower(): (name, hub) for name, hub in _OTHERWISE.items()
}
"""Key -> SPDX's spelling, the Hub's identifier."""
_FAMILIES = frozenset(_OTHERWISE.values())


def identifier(stated: str) -> str | None:
    """The Hub's identifier of a license, None where the Hub has none."""
    name = key(stated)
    return _KNOWN[name][1] if name in _KNOWN else name if name in _FAMILIES else None


def spdx(stated: str) -> str | None:
    """SPDX's spelling of a license that the Hub knows, too."""
    return _KNOWN.get(key(stated), (None, None))[0]


def showable(stated: str | None) -> bool:
    """Whether a record or an image under this license may be shown in a card."""
    return stated is not None and key(stated) in _SHOWABLE


def hub_fields(counted: Counted) -> dict[str, str]:
    """`license` of the card's front matter, where needed with `license_name` and `license_details`."""
    if set(counted) == {None}:
        return {"license": "unknown"}
    names = {None if stated is None else identifier(stated) or key(stated) for stated in counted}
    (first, *others) = names
    if others or first is None:
        return {"license": "other", "license_name": "mixed", "license_details": _details(counted)}
    if any(identifier(stated or "") for stated in counted):
        return {"license": first}
    return {
        "license": "other",
        "license_name": _slug(first),
        "license_details": one_line(min(stated for stated in counted if stated is not None)),
    }


def one_line(text: str, limit: int = 200) -> str:
    """A stated license as one printable line."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def most_first(counted: Counted) -> list[tuple[str | None, tuple[int, int]]]:
    """The most records first, equals by name, what states none last among equals."""
    return sorted(
        counted.items(), key=lambda item: (-item[1][0], -item[1][1], item[0] is None, item[0] or "")
    )


def _details(counted: Counted) -> str:
    ordered = most_first(counted)
    told = [
        f"{'none stated' if stated is None else one_line(stated, 60)}: {_amount(*counts)}"
        for stated, counts in ordered[:DETAILS]
    ]
    rest = [counts for _, counts in ordered[DETAILS:]]
    if rest:
        told.append(
            f"{len(rest):,} others: "
            f"{_amount(sum(records for records, _ in rest), sum(images for _, images in rest))}"
        )
    return "; ".join(told)


def _amount(records: int, images: int) -> str:
    return f"{records:,} record{'s' if records != 1 else ''}, {images:,} image{'s' if images != 1 else ''}"


def _slug(name: str) -> str:
    """What the Hub takes as `license_name`: small letters, digits, hyphens, dots."""
    kept: Iterable[str] = (
        sign if sign.isascii() and (sign.isalnum() or sign in ".-") else "-" for sign in name
    )
    return re.sub(r"-+", "-", "".join(kept)).strip("-.")[:64].strip("-.") or "stated-in-the-records"
