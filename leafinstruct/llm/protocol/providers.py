"""What one `llm.provider` sets that the recipe leaves out: data, no code of its own per provider.

All of them speak chat completions, so a provider is a row of this table and not a client. What a server
accepts is found out with its first request (negotiation.py); a row holds only what a request cannot reveal:
where the server is, which header carries the key, that a server ignores `response_format` without an error,
and how many requests a server on one machine answers at once.

Sources are in docs/providers.md, with their date. No row was measured against the service itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

ProviderName = Literal[
    "offline",
    "openai",
    "azure",
    "anthropic",
    "gemini",
    "vllm",
    "ollama",
    "llamacpp",
    "lmstudio",
    "openrouter",
]

_KEY_HEADERS = {"authorization", "api-key", "x-api-key"}
_REPLICA = 64  # requests that keep the batch of one vLLM replica full
_ONE_MACHINE = 4  # slots of a local server for one user; more requests only wait in its queue


@dataclass(frozen=True, slots=True)
class Provider:
    """Defaults of one provider.

    base_url: root of the API, None if every user has another.
    key_env: variable that holds the key, None if the server needs none.
    key_header: header of the key; `Authorization` carries it as a bearer token.
    max_in_flight: maximum number of requests awaiting an answer.
    ignores_form: the server accepts `response_format` and does not obey it, so the schema is sent in words.
    integer_enums: the server accepts enums of integers; one that does not would reject the whole schema.
    """

    base_url: str | None
    key_env: str | None = None
    key_header: str = "Authorization"
    max_in_flight: int = _REPLICA
    ignores_form: bool = False
    integer_enums: bool = True


PROVIDERS: dict[str, Provider] = {
    "offline": Provider(None),
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "azure": Provider(None, "AZURE_OPENAI_API_KEY", "api-key"),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", ignores_form=True),
    "gemini": Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", integer_enums=False
    ),
    "vllm": Provider("http://localhost:8000/v1"),
    "ollama": Provider("http://localhost:11434/v1", max_in_flight=_ONE_MACHINE),
    "llamacpp": Provider("http://localhost:8080/v1", max_in_flight=_ONE_MACHINE),
    "lmstudio": Provider("http://localhost:1234/v1", max_in_flight=_ONE_MACHINE),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
}


def with_defaults(section: dict[str, object]) -> dict[str, object]:
    """Return an `llm` section with what its provider sets. Values of the section, null included, are kept.

    The key of `openai` goes only to OpenAI's own server: with another base_url, as for local servers, no key
    is sent unless `key_env` names one. Nor is there a default if the section's headers carry a key.
    """
    provider = PROVIDERS.get(str(section.get("provider", "offline")))
    if provider is None:
        return section
    defaults: dict[str, object] = {"max_in_flight": provider.max_in_flight}
    elsewhere = section.get("base_url") is not None
    if provider.base_url is not None and not elsewhere:
        defaults["base_url"] = provider.base_url
    headers = section.get("headers")
    sent = {str(name).lower() for name in headers} if isinstance(headers, dict) else set()
    if not (elsewhere and section["provider"] == "openai") and not sent & _KEY_HEADERS:
        defaults["key_env"] = provider.key_env
    stated = {key: value for key, value in section.items() if key != "base_url" or elsewhere}
    section = {**defaults, **stated}
    return _azure(section) if section.get("provider") == "azure" else section


def without_deployment(url: str) -> str:
    """The URL of an Azure resource without the path of a deployment, which is another for another model."""
    return re.sub(r"/openai/deployments/[^/]+$", "", url)


def _azure(section: dict[str, object]) -> dict[str, object]:
    """Complete the URL of an Azure resource: with `api_version` the path of the deployment, else the path
    of API version 1. A whole target URI, as Azure's pages show it, is taken apart."""
    url = section.get("base_url")
    if not isinstance(url, str) or not re.match(r"https?://", url):
        return section
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if set(query) == {"api-version"}:
        section = {"api_version": query["api-version"], **section}
        url = url.partition("?")[0]
    url = re.sub(r"(/chat/completions)?/*$", "", url)
    if re.fullmatch(r"https?://[^/]+(?:/openai)?", url):
        root = url.removesuffix("/openai") + "/openai"
        version = section.get("api_version")
        url = f"{root}/deployments/{section.get('model')}" if version else f"{root}/v1"
    return {**section, "base_url": url}
