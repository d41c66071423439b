"""The `llm` section: what is refused, in which words, and what loading it costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from leafinstruct.llm.config import LlmConfig

SERVER = {"provider": "openai", "base_url": "http://localhost:11434/v1", "model": "qwen3-vl"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"provider": "openai"}, "needs base_url and model"),
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
