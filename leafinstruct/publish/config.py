"""The `push:` section of a recipe. Loads pydantic and nothing else.

Licenses are lists of what may go out, never of what may not: a license that nobody thought of is refused. The
defaults permit everybody to copy, change and hand on; licenses that forbid changes (ND: an example is a
changed document) or trade (NC) are a person's decision, so they have to be listed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leafinstruct.records.license import OPEN

Allowance = Literal[
    "license", "unknown-license", "image-license", "opt-out", "toy", "failed", "unfinished", "drift"
]
"""What may be published all the same, each said by name."""


class PushConfig(BaseModel):
    """What may go to the Hub, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    repo: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    """ORG/NAME on the Hub, for `leaf push` without --repo."""
    licenses: tuple[str, ...] = OPEN
    """Licenses of documents that may be published, as the column `license` names them; upper and lower case,
    blanks and hyphens are alike."""
    unknown_license: Literal["refuse", "allow"] = "refuse"
    """Documents that state no license: most of the web. `allow` is for who has cleared the rights
    otherwise."""
    image_licenses: tuple[str, ...] = OPEN
    """Licenses of images that may go out as bytes. One image of another license, or of none, and all go out
    as references."""
    images: Literal["auto", "bytes", "reference"] = "auto"
    """`reference`: address or locator and sha256 instead of bytes. `auto`: bytes where every image's license
    is on the list, else reference. `bytes` insists, and is refused where one is not."""
    allow: tuple[Allowance, ...] = ()
    """Faults that are published all the same, as `--allow` of the command."""
