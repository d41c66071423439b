"""Why an image's bytes cannot be had: data, shared by everything in this room that looks for bytes."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 64 << 20
"""Of one image. The largest photographs of the web are below 50 MB; what is larger is not an image or not
wanted."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No bytes. reason: a short stable name that reports count by; detail: for a person; retryable: whether
    another try may go better."""

    reason: str
    detail: str
    retryable: bool = False
