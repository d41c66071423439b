"""The `llm` section: what is refused, in which words, and what loading it costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from leafinstruct.llm.config import LlmConfig

SERVER = {"provider": "openai", "base_url": "http://localhost:11434/v1", "model": "qwen3-vl"}

AZURE = {"provider": "azure", "base_url": "https://r.openai.azure.com", "model": "d"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"provider": "openai"}, "needs model"),
        ({"provider": "azure"}, "needs base_url and model, e.g. base_url: https://NAME.openai.azure.com"),
        ({"provider": "gpt", "model": "m"}, "'offline', 'openai', 'azure'"),
        ({**SERVER, "api_version": "2024-10-21"}, "a setting of provider azure"),
        ({**AZURE, "base_url": "https://r.openai.azure.com/openai/deployments/d"}, "needs api_version"),
        ({**AZURE, "api_version": "latest"}, "should match pattern"),
        ({"provider": "openai", "base_url": "http://localhost:1/v1"}, "needs model"),
        ({**SERVER, "base_url": "localhost:11434"}, "must be http"),
        ({**SERVER, "base_url": "http://me:secret@localhost/v1"}, "a key goes through llm.key_env"),
        ({**SERVER, "base_url": "http://localhost/v1?api-key=1"}, "a key goes through llm.key_env"),
        ({**SERVER, "budget": 1.0}, "needs price"),
        (
            {**SERVER, "price": {"input_per_million": -1, "output_per_million": 0}},
            "greater than or equal to 0",
        ),
        ({**SERVER, "tolerate_failures": 2}, "less than or equal to 1"),
        ({**SERVER, "retries": 3}, "Extra inputs are not permitted"),
        ({**SERVER, "extra_body": {"messages": []}}, "messages is set by the prompt"),
        ({**SERVER, "extra_body": {"model": "x"}}, "model is set by llm.model"),
        ({**SERVER, "extra_body": {"stream": True}}, "stream is set by the client"),
        ({**SERVER, "extra_body": {"provider": {"key": "sk-abc"}}}, "write env:NAME here"),
        ({**SERVER, "headers": {"Authorization": "Bearer abc"}}, "secret: export it"),
        ({**SERVER, "headers": {"X-Key": "sk-abc"}}, "write env:NAME here"),
        ({**SERVER, "headers": {"X-A": "one\ntwo"}}, "a value of one line"),
        ({**SERVER, "headers": {"Content-Length": "1"}}, "set by the client"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_hint(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        LlmConfig(**settings)


@pytest.mark.parametrize(
    "key", ["sk-proj-abc123", "hf_abcdefghijk", "sk_live_1", "AIzaSyA1", "MY KEY", "MY-KEY"]
)
def test_a_key_in_the_recipe_is_refused_and_not_repeated(key: str) -> None:
    """The message ends up in terminals and CI logs."""
    with pytest.raises(ValidationError, match="NAME of an environment variable") as caught:
        LlmConfig(**SERVER, key_env=key)  # type: ignore[arg-type]  # a mapping of mixed settings
    assert key not in str(caught.value)


def test_two_spellings_of_one_server_are_one_server() -> None:
    assert LlmConfig(**{**SERVER, "base_url": "http://localhost:11434/v1/"}) == LlmConfig(**SERVER)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("provider", "url", "key", "in_flight"),
    [
        ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", 64),
        ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", 64),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", 64),
        ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", 64),
        ("vllm", "http://localhost:8000/v1", None, 64),
        ("ollama", "http://localhost:11434/v1", None, 4),
        ("llamacpp", "http://localhost:8080/v1", None, 4),
        ("lmstudio", "http://localhost:1234/v1", None, 4),
    ],
)
def test_a_provider_is_one_line_and_its_defaults_can_be_changed(
    provider: Any, url: str, key: str | None, in_flight: int
) -> None:
    found = LlmConfig(provider=provider, model="m")
    assert (found.base_url, found.key_env, found.max_in_flight) == (url, key, in_flight)
    other = LlmConfig(
        provider=provider, model="m", base_url="http://gpu:1/v1", key_env="MINE", max_in_flight=9
    )
    assert (other.base_url, other.key_env, other.max_in_flight) == ("http://gpu:1/v1", "MINE", 9)
    assert LlmConfig(provider=provider, model="m", key_env=None).key_env is None


def test_the_key_of_openai_is_not_sent_to_another_server() -> None:
    assert LlmConfig(**SERVER).key_env is None  # type: ignore[arg-type]  # as above
    own = LlmConfig(provider="gemini", model="m", headers={"Authorization": "env:TOKEN"})
    assert own.key_env is None  # the header carries it


@pytest.mark.parametrize(
    ("url", "version", "whole"),
    [
        ("https://r.openai.azure.com/", None, "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/openai/v1/", None, "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com", "2024-10-21", "https://r.openai.azure.com/openai/deployments/d"),
        ("https://gateway.example/team/v1", None, "https://gateway.example/team/v1"),
    ],
)
def test_the_url_of_an_azure_resource_is_completed(url: str, version: str | None, whole: str) -> None:
    found = LlmConfig(provider="azure", base_url=url, model="d", api_version=version)
    assert (found.base_url, found.api_version) == (whole, version)
    pasted = f"{whole}/chat/completions" + (f"?api-version={version}" if version else "")
    assert LlmConfig(provider="azure", base_url=pasted, model="d") == found


def test_neither_recipes_nor_offline_runs_load_the_sdk(tmp_path: object) -> None:
    """`leaf --help` and a build without a model must not pay for openai, and config and request not even for
    jsonschema."""
    program = f"""
import asyncio, pathlib, sys
import leafinstruct.llm.config, leafinstruct.llm.request
heavy = {{"openai", "tenacity", "jsonschema", "aiohttp", "httpx2"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from leafinstruct.llm.client import Client
from leafinstruct.llm.request import Message, Request
client = Client(leafinstruct.llm.config.LlmConfig(), pathlib.Path({str(tmp_path)!r}))
request = Request("judge", (Message("user", ("x",)),), {{"type": "object"}}, lambda: {{"a": 1}}, "offline-rules@1")
assert asyncio.run(client.ask(request)).value == {{"a": 1}}
assert not {{"openai", "aiohttp", "httpx2"}} & set(sys.modules)
"""  # noqa: E501
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
