"""The `push:` section of a recipe. It imports nothing but pydantic.

Licenses are allow lists, so an unexpected license is refused. The default licenses permit everybody to copy,
change and redistribute. Licenses that forbid changes (ND: an example is a changed document) or commercial use
(NC) must be listed explicitly.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leafinstruct.records.license import OPEN

Allowance = Literal[
    "license",
    "unknown-license",
    "image-license",
    "opt-out",
    "toy",
    "unscreened-personal-data",
    "unscreened-toxicity",
    "unscreened-nsfw",
    "failed",
    "unfinished",
    "drift",
]
"""Faults that can be allowed by name; see leafinstruct/publish/checks.py."""


class PushConfig(BaseModel):
    """What may be published on the Hub, and in which form."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    repo: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    """Repository ORG/NAME on the Hub, if `leaf push` is called without --repo."""
    licenses: tuple[str, ...] = OPEN
    """Licenses of documents that may be published, as named in the column `license`. Case, blanks and hyphens
    are ignored."""
    unknown_license: Literal["refuse", "allow"] = "refuse"
    """Whether documents that state no license, such as most web pages, may be published. Set `allow` only
    after you have cleared the rights."""
    image_licenses: tuple[str, ...] = OPEN
    """Licenses of images that may be published as bytes. With `images: auto`, one image with another license,
    or with none, makes all images references."""
    images: Literal["auto", "bytes", "reference"] = "auto"
    """Form of the images. `reference`: URL or locator and sha256 instead of bytes. `bytes`: refused if the
    license of an image is not on the list. `auto`: bytes if all licenses are on the list, else reference."""
    allow: tuple[Allowance, ...] = ()
    """Faults that are ignored, like `--allow` of `leaf push`."""
