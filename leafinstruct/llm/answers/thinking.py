"""Count answers that use up max_tokens for thoughts before the answer begins. If most do, the run stops,
since each is paid for twice."""

from __future__ import annotations

from leafinstruct.errors import ProviderError
from leafinstruct.llm.config import LlmConfig

_LEAST = 4  # such answers, at least half of all, before the run stops
_HINT = (
    "Raise llm.max_tokens, or switch thinking off, e.g. llm.extra_body: {chat_template_kwargs: "
    "{enable_thinking: false}} "
    "or {reasoning_effort: low}."
)


class Thinking:
    """How the answers of one server end."""

    def __init__(self, config: LlmConfig) -> None:
        self._config = config
        self.finished = 0
        """Answers that were not cut at max_tokens."""
        self._used_up = 0

    def used_up(self) -> str:
        """Count an answer that was cut before it began. Returns what to do about it; raises ProviderError
        if most answers end like this."""
        self._used_up += 1
        if self._used_up < max(_LEAST, self.finished):
            return f", before an answer was begun. {_HINT}"
        raise ProviderError(
            f"{self._config.base_url}: {self._used_up} of {self._used_up + self.finished} answers used up "
            f"llm.max_tokens ({self._config.max_tokens}) for thoughts, before an answer was begun. {_HINT}"
        )
