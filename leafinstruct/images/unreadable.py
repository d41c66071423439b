"""Why an image's bytes are unavailable, as data, shared by all modules of this package that read bytes."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 64 << 20
"""Maximum bytes of one image. The largest photographs of the web are below 50 MB; anything larger is not
an image or not wanted."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No bytes. reason: a short stable name that reports count by; detail: for a person; retryable:
    whether another try may succeed."""

    reason: str
    detail: str
    retryable: bool = False
