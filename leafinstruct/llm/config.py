"""The recipe's `llm` section: which model answers, how fast it may be asked, what it may cost.

`offline` needs no model: each stage brings its own answerer (rules, templates). Every other provider speaks
the chat-completions protocol; its name only sets defaults (protocol/providers.py). `openai` with a base_url
is any server that speaks it.

A recipe never holds a key, only the NAME of the environment variable that does, because recipes are
committed, copied into dataset cards and pasted into issues. For the same reason validation errors do not show
the refused value. A secret header, or a secret text in `extra_body`, is written `env:NAME` and read from the
environment when it is sent. Everything that the recipe states itself is taken for public.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from leafinstruct.errors import RecipeError
from leafinstruct.llm.protocol.providers import PROVIDERS, Provider, ProviderName, with_defaults

_KEY_PREFIXES = ("sk-", "sk_", "hf_", "gsk_", "xai-", "AIza", "Bearer ")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_OURS = {"content-type", "content-length", "host", "transfer-encoding", "connection", "accept-encoding"}
_SECRET_HEADERS = {"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"}
_FIELDS = {
    "model": "llm.model",
    "messages": "the prompt",
    "temperature": "llm.temperature",
    "max_tokens": "llm.max_tokens",
    "max_completion_tokens": "llm.max_tokens",
    "response_format": "the question",
    "stream": "the client, which reads whole answers",
    "n": "the client, which reads one answer",
}
"""Fields of a request that extra_body may not contain, and what sets them."""


def basename(model: str) -> str:
    """Return the name of a model that may be a path on its server: `m` for `/srv/models/m`; `org/m` is
    unchanged."""
    local = (
        model.startswith(("/", "~", "./", "../", "file:")) or "\\" in model or re.match(r"[A-Za-z]:", model)
    )
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1] if local else model


class Price(BaseModel):
    """The provider's price in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    input_per_million: float = Field(ge=0, allow_inf_nan=False)
    """Dollars per million tokens of requests."""
    output_per_million: float = Field(ge=0, allow_inf_nan=False)
    """Dollars per million tokens of answers."""


class BatchConfig(BaseModel):
    """OpenAI's Batch API: answers within a day, at a lower price. `batch: true` takes the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_requests: int = Field(default=50_000, ge=1, le=50_000)
    """Maximum number of requests in one batch."""
    max_megabytes: int = Field(default=200, ge=1, le=200)
    """Maximum size of the file of one batch, in MB, images included."""
    parts: int = Field(default=8, ge=1)
    """Parts whose questions are collected at the same time. Their images are in memory: about 1 GB for 8
    parts of 500 documents with four images."""
    poll: float = Field(default=30, gt=0, allow_inf_nan=False)
    """Seconds between the first two looks at a batch; the pauses grow to ten times as long."""
    price: float = Field(default=0.5, ge=0, le=1)
    """Share of `llm.price` that a request in a batch costs."""


class LlmConfig(BaseModel):
    """The model that answers, and its limits. The fields of `model` and `sampling` shape answers; rate,
    timeout and budget do not."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    provider: ProviderName = "offline"
    """`offline`: rules judge and templates rewrite, without a model. Others set the defaults of base_url,
    key_env and max_in_flight, and how the key and the schema are sent; `openai` with a base_url is any server
    that speaks the chat-completions protocol."""
    base_url: str | None = None
    """Root of the API, usually ending in /v1; by default that of the provider. Azure: the URL of the
    resource, `https://NAME.openai.azure.com`."""
    api_version: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")
    """Azure's `api-version`, e.g. `2024-10-21`; then `model` is the name of the deployment. None uses version
    1 of the API, which needs none."""
    model: str | None = Field(default=None, min_length=1)
    """The model's name on the server."""
    revision: str | None = Field(default=None, min_length=1)
    """Declared full identity of model and weights, e.g. `Qwen2.5-VL-7B-Instruct@cc59489`. All servers with
    these weights then share cached answers. Without it, answers are cached by base_url + model."""
    key_env: str | None = None
    """NAME of the environment variable that holds the key, by default that of the provider. None sends no
    key, as for local servers."""
    price: Price | None = None
    """None means that the price is unknown (reports say so), not that it is zero."""
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Maximum dollars of one run; needs `price`. Cached answers cost nothing."""
    max_in_flight: int = Field(default=64, ge=1, le=4096)
    """Maximum number of requests awaiting an answer. The number starts at 1 and adapts to the server. 64
    keeps one vLLM replica's batch full; 4 for Ollama, llama.cpp and LM Studio."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of requests started per minute, repeats included. None leaves the pace to
    max_in_flight and the server's Retry-After."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of tokens per minute: input and max_tokens of each request, corrected by the server's
    counts. None leaves it to the server."""
    timeout: float = Field(default=120, gt=0, allow_inf_nan=False)
    """Seconds for one try, from connecting to the last byte."""
    deadline: float = Field(default=600, gt=0, allow_inf_nan=False)
    """Seconds for all tries of one request and the waits between them, from its first try. Time in this
    client's queues is not counted, nor are tries that timed out while other requests were in flight."""
    temperature: float | None = Field(default=0, ge=0, le=2, allow_inf_nan=False)
    """0 lets a judge give the same verdict twice. null sends none, for models that accept only their
    default."""
    max_tokens: int = Field(default=2048, ge=1)
    """Maximum tokens of one answer. An answer cut there is requested once more with twice as many."""
    headers: dict[str, str] = {}
    """HTTP headers of every request, e.g. `{X-Title: leaf, api-key: env:AZURE_KEY}`. `env:NAME` is read
    from the environment. Headers do not enter the cache key."""
    extra_body: dict[str, JsonValue] = {}
    """Further fields of every request, e.g. `{reasoning_effort: low}` or `{provider: {order: [...]}}`.
    They enter the cache key. A text `env:NAME` is read from the environment."""
    batch: BatchConfig | None = None
    """Ask through the provider's Batch API. The first question of each stage is sent directly, at the full
    price."""
    tolerate_failures: float = Field(default=0.0, ge=0, le=1)
    """Share of requests that may stay unanswered before the stage fails. 0: an unanswered question is not
    a verdict."""

    @model_validator(mode="before")
    @classmethod
    def _of_provider(cls, section: Any) -> Any:
        return with_defaults(section) if isinstance(section, dict) else section

    @property
    def served_by(self) -> Provider:
        """What is known about the provider."""
        return PROVIDERS[self.provider]

    @property
    def known_as(self) -> str:
        """The model's name in rows, cards and reports: its declared revision, else its name without any
        host or folder."""
        return self.revision or basename(self.model or "")

    @property
    def answerer(self) -> str:
        """Identity for the keys of parts, which are not published: the declared revision, else model and
        server."""
        return self.revision or f"{self.model} at {self.base_url}"

    @field_validator("base_url")
    @classmethod
    def _normalized_url(cls, value: str | None) -> str | None:
        """Remove a trailing slash, so that two spellings of one server share their answers."""
        if value is None:
            return None
        if not re.match(r"https?://[^/\s]+", value) or re.search(r"[\s?#@]", value):
            raise ValueError(
                "must be http(s)://HOST/v1 without user name, password or query; a key goes through "
                "llm.key_env"
            )
        return value.rstrip("/")

    @field_validator("key_env")
    @classmethod
    def _name_not_key(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith(_KEY_PREFIXES) or not _VARIABLE.fullmatch(value)):
            raise ValueError(
                "must be the NAME of an environment variable, e.g. OPENAI_API_KEY, and this looks "
                "like a key itself; "
                "export the key under a name, write that name here, and replace the key if this file "
                "was ever shared"
            )
        return value

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(
                    "a header needs a name of letters, digits and dashes, and a value of one line in ASCII"
                )
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by the client")
            if name.lower() in _SECRET_HEADERS and not _named(value):
                raise ValueError(
                    f"the value of {name} is secret: export it under a name and write env:NAME here"
                )
        _no_keys(list(headers.values()))
        return headers

    @field_validator("batch", mode="before")
    @classmethod
    def _switched(cls, value: object) -> object:
        """`true` takes the defaults, `false` none."""
        return {} if value is True else None if value is False else value

    @field_validator("extra_body")
    @classmethod
    def _others_fields(cls, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in body:
            if name in _FIELDS:
                raise ValueError(f"{name} is set by {_FIELDS[name]}")
        _no_keys(_texts(body))
        return body

    @property
    def sampling(self) -> dict[str, object]:
        """What shapes an answer besides model and messages."""
        extra = {"extra_body": self.extra_body} if self.extra_body else {}
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, **extra}

    @property
    def sampling_identity(self) -> dict[str, object]:
        """`sampling` for fingerprints, which are published: extra_body as its digest."""
        sampling = self.sampling
        if self.extra_body:
            sampling["extra_body"] = hashlib.sha256(
                json.dumps(self.extra_body, sort_keys=True).encode()
            ).hexdigest()
        return sampling

    @property
    def public_extra_body(self) -> dict[str, JsonValue]:
        """extra_body for a card, without fields that contain a value from the environment."""
        return {name: value for name, value in self.extra_body.items() if not any(map(_named, _texts(value)))}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in ("base_url", "model") if getattr(self, name) is None]
        if self.provider != "offline" and missing:
            url = "https://NAME.openai.azure.com" if self.provider == "azure" else "http://localhost:11434/v1"
            raise ValueError(
                f"provider {self.provider} needs {' and '.join(missing)}, e.g. base_url: {url}, "
                "model: qwen3-vl"
            )
        if self.api_version is not None and self.provider != "azure":
            raise ValueError("api_version is a setting of provider azure")
        if self.provider == "azure" and "/openai/deployments/" in str(self.base_url) and not self.api_version:
            raise ValueError("the URL of a deployment needs api_version, e.g. api_version: 2024-10-21")
        if self.batch is not None and self.provider == "offline":
            raise ValueError("batch needs a provider with a Batch API, e.g. provider: openai")
        if self.batch is not None and self.api_version is not None:
            raise ValueError(
                "the Batch API is not reached through the URL of a deployment; leave out api_version, which "
                "uses version 1 of the API"
            )
        if self.batch is not None and self.public_extra_body != self.extra_body:
            raise ValueError("extra_body with env:NAME would be stored in the file of a batch; remove one")
        if self.budget is not None and self.price is None:
            raise ValueError(
                "budget is in dollars and needs price: {input_per_million: ..., output_per_million: ...}"
            )
        return self


def from_environment(values: Mapping[str, Any], setting: str) -> tuple[dict[str, object], list[str]]:
    """Replace every text `env:NAME` by the variable's value. Returns the values and the secrets among
    them. Raises RecipeError for a variable that is not set."""
    secrets: list[str] = []

    def filled(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        if not isinstance(value, str) or not (name := _named(value)):
            return value
        secret = os.environ.get(name, "").strip()
        if not secret or not secret.isascii() or not secret.isprintable():
            raise RecipeError(
                f"llm.{setting}: the environment variable {name} is not set to one line in ASCII; "
                f"export {name}=... and run again"
            )
        secrets.append(secret)
        return secret

    return filled(values), secrets


def _named(value: str) -> str | None:
    """Return the NAME of a text `env:NAME`, else None."""
    name = value.removeprefix("env:")
    return name if name != value and _VARIABLE.fullmatch(name) else None


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _no_keys(texts: list[str]) -> None:
    if any(text.startswith(_KEY_PREFIXES) for text in texts):
        raise ValueError(
            "a value looks like a key; export it under a name, write env:NAME here, and replace the "
            "key if this file was ever shared"
        )
