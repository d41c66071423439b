"""The limits of one share of a divided build: its part of requests, tokens and dollars.

The limits of an `llm` section count for a whole build, and shares do not talk to each other. So each client
of a share gets the n-th part of `budget`, `requests_per_minute`, `tokens_per_minute` and `max_in_flight`; the
section itself, which is compared and published, stays as it is. A share keeps what it has spent in a ledger,
so that it goes on with the rest of its budget when it is started again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.lines import Appender
from leafinstruct.runtime import sealed

COUNTS = ("requests_per_minute", "tokens_per_minute", "max_in_flight")
"""Limits that are whole numbers."""


@dataclass(frozen=True, slots=True)
class Division:
    """How a build is divided: among `of` shares. spent: path of this share's ledger."""

    of: int
    spent: Path

    def part(self, llm: LlmConfig) -> LlmConfig:
        """The section with this share's part of the limits."""
        counts = {name: getattr(llm, name) for name in COUNTS}
        divided: dict[str, float] = {
            name: max(1, value // self.of) for name, value in counts.items() if value is not None
        }
        if llm.budget is not None:
            divided["budget"] = llm.budget / self.of
        return llm.model_copy(update=divided)


class Ledger:
    """What one share has spent in one stage: sealed lines {"key": request, "dollars"}, a file per process.

    A request has a line when it is sent, with its likely cost, and one when it is answered, with its cost;
    the last one counts. So a request that was in flight when the process was killed counts at its likely
    cost. A line takes about 130 bytes.
    """

    def __init__(self, path: Path) -> None:
        """path: of its files, without `-<random>.jsonl`."""
        self._path = path
        self._own = Appender(path.parent, path.name)

    def spent(self) -> float:
        """Dollars of all processes so far. Raises SourceError."""
        costs: dict[str, float] = {}
        for path in sorted(self._path.parent.glob(f"{self._path.name}-*.jsonl")):
            try:
                entries = [sealed.opened(line or b"") for _, line in sealed.lines(path)]
            except OSError as error:
                raise SourceError(f"{path}: cannot be read: {error.strerror}; check the disk") from error
            costs |= {str(entry["key"]): float(str(entry["dollars"])) for entry in entries if entry}
        return sum(costs.values())

    def sent(self, dollars: float) -> str:
        """Record a request at its likely cost. Returns its name. Raises SourceError."""
        name = secrets.token_hex(8)
        self.answered(name, dollars)
        return name

    def answered(self, request: str, dollars: float) -> None:
        """Record the cost of a request. Raises SourceError."""
        self._own.append(request, {"dollars": dollars})

    def close(self) -> None:
        """Close the file."""
        self._own.close()
