"""The error that ends a stage with too many unanswered questions."""

from __future__ import annotations

from collections.abc import Mapping

from leafinstruct.errors import ProviderError
from leafinstruct.llm.config import LlmConfig


def too_many_failed(
    config: LlmConfig,
    counts: Mapping[str, int],
    asked: int,
    why: str,
    who: str,
    done: str,
    what: str = "documents",
) -> ProviderError:
    """Return the error.

    counts: `failed`, and how many of these the server `declined`.
    why: the detail of one of them.
    who, done: `judge`, `judged`.
    what: what is counted.
    """
    failed = counts["failed"]
    if counts["declined"] == failed:
        return ProviderError(
            f"the {who} at {config.base_url} declined {failed:,} of {asked:,} {what} ({why}); the "
            f"others are {done} and kept: run the same "
            "command again to ask about them once more, or let them pass with llm.tolerate_failures"
        )
    return ProviderError(
        f"the {who} at {config.base_url} stopped answering ({why}); {asked - failed:,} of {asked:,} "
        f"{what} are {done} and kept: "
        "run the same command again when it is back"
    )
