"""When a try without an answer is repeated."""

from __future__ import annotations

import random

_FIRST, _LONGEST, _JITTER = 0.25, 30.0, 0.25  # seconds


class AgainError(Exception):
    """This try gave no answer; the next may. after: minimum seconds to wait, None to back off."""

    def __init__(
        self, detail: str, after: float | None = None, silent: bool = False, outage: bool = False
    ) -> None:
        super().__init__(detail)
        self.after, self.silent, self.outage = after, silent, outage


def pause(error: AgainError, tries: int) -> float:
    """Return the seconds before the next try. tries: so far, at least 1. Retry-After is a lower bound; jitter
    spreads the returns."""
    if error.after == 0:
        return 0.0
    jitter = random.uniform(0, _JITTER)  # noqa: S311 - spreads tries, guards nothing
    backoff = min(_FIRST * 2.0 ** min(tries - 1, 16), _LONGEST) + jitter
    return backoff if error.after is None else error.after + min(backoff, 0.5)
