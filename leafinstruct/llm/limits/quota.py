"""Read a server's rate-limit headers: how much of which quota is left, and when it is reset.

    x-ratelimit-remaining-requests, x-ratelimit-reset-requests, -tokens   OpenAI, Azure, Groq, vLLM gateways
    anthropic-ratelimit-input-tokens-remaining, -reset                    Anthropic
    ratelimit-remaining, x-ratelimit-reset                                IETF draft, GitHub, OpenRouter

A reset is a duration ("20ms", "1s", "6m0s", "1h2m3.5s"), seconds ("7.66"), seconds or milliseconds since
1970, or a date in RFC 3339. Other values are ignored.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_NAME = re.compile(r"(?:x-|anthropic-)?ratelimit-([a-z0-9-]+)", re.IGNORECASE)
_STEP = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EPOCH = 1e9  # a number above it is a time, not a duration of 30 years
_EPOCH_MILLISECONDS = 1e12
_FIELDS = {"remaining", "reset"}


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota. kind: `requests`, `tokens`, `input-tokens`, or "" if the header does not say; reset:
    seconds from now, None if unknown."""

    kind: str
    remaining: float
    reset: float | None


def quotas(headers: Mapping[str, str]) -> list[Quota]:
    """Return every quota whose remaining amount is stated."""
    found: dict[str, dict[str, str]] = {}
    for name in headers:
        if match := _NAME.fullmatch(name):
            words = match[1].lower().split("-")
            for field in _FIELDS & set(words):
                found.setdefault("-".join(word for word in words if word != field), {})[field] = headers[name]
    known = (
        (kind, _number(fields.get("remaining", "")), seconds(fields.get("reset", "")))
        for kind, fields in found.items()
    )
    return [Quota(kind, left, reset) for kind, left, reset in known if left is not None]


def wait(headers: Mapping[str, str], tokens: float) -> float | None:
    """Return the seconds until a request of that many tokens fits every quota again; None if it fits now
    or no header states a time."""
    resets = [
        quota.reset for quota in quotas(headers) if quota.remaining < (tokens if "token" in quota.kind else 1)
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def seconds(text: str) -> float | None:
    """Return the seconds until the time that a reset header states, at least 0; None if it states none."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        if number > _EPOCH_MILLISECONDS:
            number /= 1000
        return max(0.0, number - time.time() if number > _EPOCH else number)
    steps = _STEP.findall(text) if re.fullmatch(rf"(?:{_STEP.pattern})+", text) else []
    if steps:
        return sum(float(count) * _SECONDS[unit] for count, unit in steps)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - time.time())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
