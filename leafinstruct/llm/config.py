"""The recipe's `llm` section: which model answers, how fast it may be asked, what it may cost.

Two providers. `offline` needs no model: the room that asks brings its own answerer (rules, templates). `openai` is every server that speaks
the chat-completions protocol (OpenAI, vLLM, Ollama, llama.cpp, ...); one protocol covers them, so there is no provider per vendor.

A recipe never holds a key, only the NAME of the variable that does: recipes are committed, copied into dataset cards and pasted into
issues. For the same reason validation errors do not show the value they refuse.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_KEY_PREFIXES = ("sk-", "sk_", "hf_", "gsk_", "xai-", "AIza", "Bearer ")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Price(BaseModel):
    """What the provider charges, in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_million: float = Field(ge=0, allow_inf_nan=False)
    output_per_million: float = Field(ge=0, allow_inf_nan=False)


class LlmConfig(BaseModel):
    """Who answers, and within which limits. Rate, timeout and budget shape no answer; the fields of `model` and `sampling` do."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    provider: Literal["offline", "openai"] = "offline"
    base_url: str | None = None
    """Root of the API, usually ending in /v1: `https://api.openai.com/v1`, `http://localhost:11434/v1` (Ollama)."""
    model: str | None = Field(default=None, min_length=1)
    """The name under which the server knows the model."""
    revision: str | None = Field(default=None, min_length=1)
    """Declared identity of model and weights in full, e.g. `Qwen2.5-VL-7B-Instruct@cc59489`. Answers are then shared between all servers
    that serve these weights; without it an answer belongs to base_url + model."""
    key_env: str | None = None
    """NAME of the environment variable that holds the key; None sends no key, as local servers want it."""
    price: Price | None = None
    """None means the price is unknown, which reports say; it is never taken for free."""
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Dollars that one run may spend; needs `price`. Answers from the cache cost nothing."""
    max_in_flight: int = Field(default=64, ge=1, le=4096)
    """Maximum number of requests awaiting an answer. The number starts at 1 and adapts to the server. 64 keeps one vLLM replica's batch full."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Upper bound on started requests, repeats included; None leaves the pace to max_in_flight and the server's Retry-After."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Upper bound on tokens, input and max_tokens of each request, corrected by what the server counts. None leaves it to the server."""
    timeout: float = Field(default=120, gt=0, allow_inf_nan=False)
    """Seconds for one try, from connecting to the last byte."""
    deadline: float = Field(default=600, gt=0, allow_inf_nan=False)
    """Seconds for all tries of one request and the waits between them; counted from its first try, without its time in our own queues and
    without tries that timed out while others were in flight."""
    temperature: float = Field(default=0, ge=0, le=2, allow_inf_nan=False)
    """0: a judge should say the same thing twice."""
    max_tokens: int = Field(default=2048, ge=1)
    """Tokens of one answer; an answer cut there is asked for once more with twice as many."""
    tolerate_failures: float = Field(default=0.0, ge=0, le=1)
    """Share of requests that may stay unanswered before the stage ends without a record. 0: an unanswered question is not a verdict."""

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        """Without a trailing slash, so that two spellings of one server share their answers."""
        if value is None:
            return None
        if not re.match(r"https?://[^/\s]+", value) or re.search(r"[\s?#@]", value):
            raise ValueError("must be http(s)://HOST/v1 without user name, password or query; a key goes through llm.key_env")
        return value.rstrip("/")

    @field_validator("key_env")
    @classmethod
    def _name_not_key(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith(_KEY_PREFIXES) or not _VARIABLE.fullmatch(value)):
            raise ValueError(
                "must be the NAME of an environment variable, e.g. OPENAI_API_KEY, and this looks like a key itself; "
                "export the key under a name, write that name here, and replace the key if this file was ever shared"
            )
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in ("base_url", "model") if getattr(self, name) is None]
        if self.provider == "openai" and missing:
            raise ValueError(f"provider openai needs {' and '.join(missing)}, e.g. base_url: http://localhost:11434/v1, model: qwen3-vl")
        if self.budget is not None and self.price is None:
            raise ValueError("budget is in dollars and needs price: {input_per_million: ..., output_per_million: ...}")
        return self
