"""Names of licenses: which ones are equal, which are open, SPDX identifiers of Creative Commons URLs, and the
license fields of a card on the Hub. Pure.

The Hub's `license` takes one identifier of its own list. It is stated only if every record and every image
states that one license:

    all state the same, and the Hub knows it       license: cc-by-4.0
    all state the same, and the Hub does not       license: other, license_name: <what they state>
    some state another, or none                    license: other, license_name: mixed, license_details:
                                                   counts by license
    none states any                                license: unknown

A list of licenses (`license: [mit, cc-by-4.0]`) was rejected: on the Hub it reads as a choice, and here each
record has its own license. Source: the identifiers of huggingface.co/docs/hub/repositories-licenses that are
licenses of works. Families without a version (`cc`, `bsd`, `gpl`) are too vague to be stated, and licenses of
models do not apply to pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from leafinstruct.records.printable import printable

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
"""SPDX names of licenses that let anybody hand on copies and changed copies, for any purpose."""

Counted = Mapping[str | None, tuple[int, int]]
"""License as stated (None: none) -> number of records, number of images."""

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
"""SPDX names that the Hub has in lower case."""
_OTHERWISE = {"ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl", "PDDL-1.0": "pddl", "C-UDA-1.0": "c-uda"} | {
    f"{name}-{suffix}": name.lower()
    for name in ("AGPL-3.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0")
    for suffix in ("only", "or-later")
}
"""SPDX names -> the identifiers of the Hub that differ from them."""

DETAILS = 10
"""Maximum number of licenses in `license_details`."""

_KNOWN = {name.lower(): (name, name.lower()) for name in _SPDX} | {
    name.lower(): (name, hub) for name, hub in _OTHERWISE.items()
}
"""Key -> SPDX name, the Hub's identifier."""
_FAMILIES = frozenset(_OTHERWISE.values())

_BLANKS = re.compile(r"[\s_-]+")
_CREATIVE_COMMONS = re.compile(
    r"^(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licenses/(?P<kind>by(?:-nc)?(?:-sa|-nd)?)|"
    r"publicdomain/(?P<public>zero))"
    r"/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,3}))?(?:/(?:deed|legalcode)(?:\.[a-z-]+)?)?/?$",
    re.IGNORECASE,
)


KNOWN = tuple(sorted({*OPEN, *_SPDX, *_OTHERWISE}))
"""SPDX names that a recipe may name, and those of Creative Commons of every version and country."""
_NAMED_COMMONS = re.compile(r"cc-by(?:-nc)?(?:-sa|-nd)?-\d\.\d(?:-[a-z]{2,4})?")


def is_known(name: str) -> bool:
    """Whether a name is an SPDX name of KNOWN or of Creative Commons, in any spelling."""
    return key(name) in _KNOWN_KEYS or _NAMED_COMMONS.fullmatch(key(name)) is not None


def key(name: str) -> str:
    """Normalize a license's name for comparison: `CC BY 4.0` and `cc-by-4.0` are equal. `CC-BY-3.0-DE` does
    not equal `CC-BY-3.0`."""
    return _BLANKS.sub("-", name.strip()).casefold()


def keys(names: Iterable[str]) -> frozenset[str]:
    """The keys of a list of licenses."""
    return frozenset(key(name) for name in names)


_OPEN_KEYS = keys(OPEN)
_KNOWN_KEYS = keys(KNOWN)


def named(stated: str | None) -> str | None:
    """Return the SPDX identifier of a Creative Commons URL, so that one license counts as one in cards and
    rules.

    A URL that does not state the exact license, and any other text, is returned unchanged. Source: the URL
    scheme of creativecommons.org and the SPDX license list (`CC-BY-SA-4.0`, `CC0-1.0`).
    """
    found = _CREATIVE_COMMONS.match(stated.strip()) if stated else None
    if found is None:
        return stated
    kind = "0" if found["public"] else f"-{found['kind'].upper()}"
    port = f"-{found['port'].upper()}" if found["port"] else ""
    return f"CC{kind}-{found['version']}{port}"


def identifier(stated: str) -> str | None:
    """Return the Hub's identifier of a license, or None if the Hub has none."""
    name = key(stated)
    return _KNOWN[name][1] if name in _KNOWN else name if name in _FAMILIES else None


def spdx(stated: str) -> str | None:
    """Return the SPDX name of a license that the Hub also knows, else None."""
    return _KNOWN.get(key(stated), (None, None))[0]


def showable(stated: str | None) -> bool:
    """Whether a card may show a record or an image under this license, which is one of OPEN.

    A card's image is scaled, so licenses without derivatives are excluded. A card has readers of every kind,
    so non-commercial licenses are excluded, too.
    """
    return stated is not None and key(stated) in _OPEN_KEYS


def hub_fields(counted: Counted) -> dict[str, str]:
    """Return `license` of the card's front matter, with `license_name` and `license_details` if needed."""
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
    return printable(" ".join(printable(text).split()), limit)


def most_first(counted: Counted) -> list[tuple[str | None, tuple[int, int]]]:
    """Sort by number of records, then images, the largest first, then by name; None is last among equals."""
    return sorted(
        counted.items(), key=lambda item: (-item[1][0], -item[1][1], item[0] is None, item[0] or "")
    )


def _details(counted: Counted) -> str:
    ordered = most_first(counted)
    lines = [
        f"{'none stated' if stated is None else one_line(stated, 60)}: {_amount(*counts)}"
        for stated, counts in ordered[:DETAILS]
    ]
    if others := [counts for _, counts in ordered[DETAILS:]]:
        records, images = (sum(counts[at] for counts in others) for at in (0, 1))
        lines.append(f"{len(others):,} others: {_amount(records, images)}")
    return "; ".join(lines)


def _amount(records: int, images: int) -> str:
    return f"{records:,} record{'s' if records != 1 else ''}, {images:,} image{'s' if images != 1 else ''}"


def _slug(name: str) -> str:
    """A license name that the Hub accepts as `license_name`: lower-case letters, digits, hyphens, dots."""
    kept: Iterable[str] = (
        sign if sign.isascii() and (sign.isalnum() or sign in ".-") else "-" for sign in name
    )
    return re.sub(r"-+", "-", "".join(kept)).strip("-.")[:64].strip("-.") or "stated-in-the-records"
