"""Creative Commons addresses -> SPDX identifiers, so that one license counts as one in cards and rules.

Only addresses that say exactly which license they are; everything else stays as the page wrote it. Source:
the address scheme of creativecommons.org and the SPDX license list (`CC-BY-SA-4.0`, `CC0-1.0`).
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(
    r"^(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licenses/(?P<kind>by(?:-nc)?(?:-sa|-nd)?)|publicdomain/(?P<public>zero))"
    r"/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,3}))?(?:/(?:deed|legalcode)(?:\.[a-z-]+)?)?/?$",
    re.IGNORECASE,
)


def named(stated: str | None) -> str | None:
    """The SPDX identifier of a Creative Commons address; anything else unchanged."""
    found = _ADDRESS.match(stated.strip()) if stated else None
    if found is None:
        return stated
    kind = "0" if found["public"] else f"-{found['kind'].upper()}"
    port = f"-{found['port'].upper()}" if found["port"] else ""
    return f"CC{kind}-{found['version']}{port}"
