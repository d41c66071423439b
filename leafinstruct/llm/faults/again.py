"""When a try without an answer is repeated."""

from __future__ import annotations

from tenacity import RetryCallState, wait_exponential, wait_random

_BACKOFF = wait_exponential(multiplier=0.25, max=30) + wait_random(0, 0.25)  # seconds


class AgainError(Exception):
    """This try gave no answer; the next may. after: minimum seconds to wait, None to back off."""

    def __init__(
        self, detail: str, after: float | None = None, silent: bool = False, outage: bool = False
    ) -> None:
        super().__init__(detail)
        self.after, self.silent, self.outage = after, silent, outage


def pause(state: RetryCallState) -> float:
    """Seconds before the next try. Retry-After is a lower bound; jitter spreads the returns."""
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, AgainError) else None
    if after == 0:
        return 0.0
    backoff = _BACKOFF(state)
    return backoff if after is None else after + min(backoff, 0.5)
