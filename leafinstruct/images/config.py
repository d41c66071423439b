"""The `filter.images.fetch:` section of a recipe. Loads pydantic and nothing else.

Adding the section is the consent: without it nothing is fetched from the web. A contact is required, because
a crawler that nobody can write to is blocked, and deserves it.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

_CONTACT = re.compile(r"[^@\s()]+@[^@\s()]+\.[^@\s()]+|https?://[^\s()]+")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?", re.IGNORECASE)


class FetchConfig(BaseModel):
    """How images on the web are fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    contact: str
    """An e-mail address or a web page, sent in the User-Agent, so that site owners can reach you."""
    in_flight: int = Field(default=256, ge=1, le=10_000)
    """Maximum concurrent requests over all hosts."""
    per_host: int = Field(default=2, ge=1, le=64)
    """Maximum concurrent requests to one host."""
    delay: float = Field(default=0.0, ge=0, le=60)
    """Seconds between the starts of two requests to one host; a longer Crawl-delay of its robots.txt takes
    precedence."""
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds for one image, from the first byte sent to the last one read, redirects included."""
    max_bytes: int = Field(default=20_000_000, ge=1, le=64 << 20)
    """Maximum bytes of one image; reading stops there."""
    max_redirects: int = Field(default=5, ge=0, le=20)
    """Maximum redirects of one image; each target is checked like the first URL."""
    retries: int = Field(default=2, ge=0, le=10)
    """Further tries after a temporary failure."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts (`name` or `name:port`) that may have an IP address of a private network, such as your own
    mirror."""
    robots: bool = True
    """Read robots.txt of each host and obey it; what it states about training belongs to `opt_out`."""
    opt_out: bool = True
    """Refuse images whose headers state noai or noimageai (X-Robots-Tag) or reserve text and data mining
    (tdm-reservation: 1), those that their host's /.well-known/tdmrep.json reserves, and those for which its
    robots.txt or their headers refuse training (Content-Signal: ai-train=no, Content-Usage: train-ai=n,
    DisallowAITraining)."""

    @field_validator("contact")
    @classmethod
    def _reachable(cls, contact: str) -> str:
        if not _CONTACT.fullmatch(contact):
            raise ValueError("give an e-mail address or a web page, so that site owners can reach you")
        return contact

    @field_validator("allow_hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"{host!r} is not a host: write name or name:port, one host each, no wildcard"
                )
        return tuple(host.lower() for host in hosts)

    @property
    def shaping(self) -> dict[str, Any]:
        """The settings that can change which images a dataset contains; speed and politeness cannot."""
        return self.model_dump(
            mode="json", include={"max_bytes", "max_redirects", "allow_hosts", "robots", "opt_out"}
        )
