"""Every provider, played by a server that refuses, ignores and leaves out what the provider does: the answers
are right, or the run ends with one line that says what to do.

The refusals are worded as the providers word them (docs/providers.md); no test asks a real service.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llm.asking import ask, ask_and_count, question
from llm.misbehaving import GOOD, Body, Misbehaving, Step, completion, depending, good, raw, say, status

from leafinstruct.errors import ProviderError, RecipeError
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import SentImage

LONG = " ".join(f"word{number}" for number in range(6_000))
IMAGE = SentImage(b"\xff\xd8image", "image/jpeg")
KEY = "key-of-this-test-only"


def form_of(body: Body) -> str:
    return str(body.get("response_format", {}).get("type", "none"))


def in_words(body: Body) -> bool:
    return "It must fit this JSON schema" in json.dumps(body["messages"])


def refusal(message: str, **fields: object) -> Step:
    return status(400, {"error": {"message": message, "type": "invalid_request_error", **fields}})


def anthropic(body: Body) -> Step:
    """Ignores response_format without an error."""
    return good() if in_words(body) else say('{"rating": "very good", "why": "clear steps"}')


def gemini(body: Body) -> Step:
    """Knows a part of the protocol, sends its errors in a list, and no count of an answer."""
    unknown = ["schema"] if "schema" in body.get("response_format", {}) else []
    if "additionalProperties" in json.dumps(body.get("response_format", {}).get("json_schema", {})):
        unknown = ["additionalProperties"]
    if unknown:
        message = (
            f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at 'response_format': Cannot find "
            "field."
        )
        return status(400, [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}])
    return good(usage={"prompt_tokens": 100, "total_tokens": 180})


def vllm(body: Body) -> Step:
    """Takes one image a prompt, and no field that it does not know."""
    if "guided_json" in body:
        detail = "[{'type': 'extra_forbidden', 'loc': ('body', 'guided_json'), 'msg': 'Extra inputs are not permitted'}]"  # noqa: E501 - as vLLM sends it
        return status(400, {"object": "error", "message": detail, "type": "BadRequestError", "code": 400})
    if json.dumps(body["messages"]).count("image_url") > 2:  # the type and the key of one
        message = "At most 1 image(s) may be provided in one prompt."
        return status(400, {"object": "error", "message": message, "code": 400})
    return good()


def ollama(body: Body) -> Step:
    """Reads 4,096 tokens, and does not say that there were more."""
    read = min(4_096, len(json.dumps(body["messages"]).split()))
    return good(usage={"prompt_tokens": read, "completion_tokens": 20, "total_tokens": read + 20})


def llamacpp(body: Body) -> Step:
    """Cannot make a grammar of this schema."""
    if form_of(body) == "json_schema":
        return refusal("Failed to initialize samplers: failed to parse grammar", code=400)
    return good()


def lmstudio(body: Body) -> Step:
    """Knows json_schema and text only."""
    if form_of(body) not in ("json_schema", "none"):
        return status(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})
    return good()


def lmstudio_without_schema(body: Body) -> Step:
    """The same with a runtime that has no structured output."""
    if form_of(body) == "json_schema":
        return status(400, {"error": "Structured output is not supported: response_format"})
    return lmstudio(body)


def openai(body: Body) -> Step:
    """A reasoning model."""
    if "max_tokens" in body:
        return refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if body.get("temperature", 1) != 1:
        return refusal(
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value "
            "is supported.",
            param="temperature",
            code="unsupported_value",
        )
    return good()


def keyed(step: Step, header: str = "Authorization", value: str = f"Bearer {KEY}") -> Step:
    """Refuses requests without the key, and those that carry it elsewhere."""

    async def checked(request: Any, body: Body) -> Any:
        found = {name for name in ("Authorization", "api-key", "x-api-key") if name in request.headers}
        if found != {header} or request.headers[header] != value:
            return await refusal("Incorrect API key provided", code="invalid_api_key")(request, body)
        return await step(request, body)

    return checked


def of(server: Misbehaving, provider: Any, **settings: Any) -> LlmConfig:
    values = {"base_url": server.url, "model": "m", "deadline": 20, **settings}
    return LlmConfig(provider=provider, **values)


@pytest.mark.parametrize(
    ("provider", "plays", "key_env", "forms", "field"),
    [
        ("openai", openai, None, ["json_schema"] * 4, "max_completion_tokens"),
        ("anthropic", anthropic, "ANTHROPIC_API_KEY", ["none"] * 2, "max_tokens"),
        ("gemini", gemini, "GEMINI_API_KEY", ["json_schema", *["json_object"] * 3], "max_tokens"),
        ("vllm", vllm, None, ["json_schema"] * 2, "max_tokens"),
        ("ollama", ollama, None, ["json_schema"] * 2, "max_tokens"),
        ("llamacpp", llamacpp, None, ["json_schema", "json_object", "json_object"], "max_tokens"),
        ("lmstudio", lmstudio, None, ["json_schema"] * 2, "max_tokens"),
        (
            "lmstudio",
            lmstudio_without_schema,
            None,
            ["json_schema", "json_object", "json_object", "none", "none"],
            "max_tokens",
        ),
    ],
)
def test_two_questions_are_answered_and_the_second_costs_one_request(
    server: Misbehaving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    plays: Any,
    key_env: str | None,
    forms: list[str],
    field: str,
) -> None:
    server.always = depending(plays)
    if key_env is not None:
        monkeypatch.setenv(key_env, KEY)
        server.always = keyed(server.always)
    answers = ask(of(server, provider), tmp_path, question("one"), question("two"))
    assert [(answer.state, answer.value) for answer in answers] == [("ok", GOOD)] * 2
    assert [form_of(seen.body) for seen in server.seen] == forms
    assert field in server.seen[-1].body
    again = ask_and_count(of(server, provider), tmp_path, question("one"), question("two"))[1]
    assert (again.cache_hits, again.requests) == (2, 0)


def test_a_server_that_ignores_the_form_is_found_out_under_any_name(server, tmp_path):
    """One question is repaired, and the others get the schema in words."""
    server.always = depending(anthropic)
    answers = ask(of(server, "openai"), tmp_path, *(question(str(number)) for number in range(4)))
    assert [answer.value for answer in answers] == [GOOD] * 4
    assert [form_of(seen.body) for seen in server.seen] == ["json_schema", *["none"] * 4]


def test_an_answer_of_gemini_without_its_count_is_counted_from_the_total(server, tmp_path):
    server.always = depending(gemini)
    _, counts = ask_and_count(of(server, "gemini", key_env=None), tmp_path, question())
    assert (counts.input_tokens, counts.output_tokens, counts.estimated) == (100, 80, False)


@pytest.mark.parametrize("version", [None, "2024-10-21"])
def test_azure_gets_its_path_its_version_and_its_header(server, tmp_path, monkeypatch, version):
    path = (
        f"/openai/deployments/m/chat/completions?api-version={version}"
        if version
        else "/openai/v1/chat/completions"
    )

    async def plays(request: Any, body: Body) -> Any:
        if request.path_qs != path:
            return await status(404, {"error": {"code": "404", "message": "Resource not found"}})(
                request, body
            )
        return await good()(request, body)

    server.always = keyed(plays, "api-key", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    config = of(server, "azure", base_url=server.url.removesuffix("/v1"), api_version=version)
    assert ask(config, tmp_path, question())[0].value == GOOD
    assert [seen.path for seen in server.seen] == [path]


def test_ollama_that_cuts_the_prompt_stops_the_run_with_the_setting(server, tmp_path):
    server.always = depending(ollama)
    with pytest.raises(ProviderError, match=r"cuts prompts silently.*OLLAMA_CONTEXT_LENGTH"):
        ask(of(server, "ollama"), tmp_path, question(LONG))


def test_a_field_that_vllm_refuses_ends_the_run_with_its_name(server, tmp_path):
    server.always = depending(vllm)
    with pytest.raises(ProviderError, match=r"does not accept guided_json.*Remove it from llm.extra_body"):
        ask(of(server, "vllm", extra_body={"guided_json": {}}), tmp_path, question())
    assert len(server.seen) == 1


def test_an_error_of_openrouter_in_a_body_of_status_200_is_an_error(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    busy = {"error": {"code": 429, "message": "Rate limit exceeded"}}
    partial = completion("", finish="error")
    partial["choices"][0]["error"] = {"code": 502, "message": "Provider returned error"}
    server.script(*(raw(json.dumps(body).encode()) for body in (busy, partial)))
    server.always = keyed(good())
    assert ask(of(server, "openrouter"), tmp_path, question())[0].value == GOOD
    assert len(server.seen) == 3
    server.script(raw(json.dumps({"error": {"code": 402, "message": "Insufficient credits"}}).encode()))
    with pytest.raises(ProviderError, match=r"no credit left.*Add credit"):
        ask(of(server, "openrouter"), tmp_path, question("another"))


@pytest.mark.parametrize(
    ("provider", "key_env"),
    [
        ("azure", "AZURE_OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
    ],
)
def test_a_missing_key_is_named_before_a_request_and_a_wrong_one_after_it(
    server, tmp_path, monkeypatch, provider, key_env
):
    monkeypatch.delenv(key_env, raising=False)
    with pytest.raises(RecipeError, match=f"{key_env} is not set"):
        ask(of(server, provider), tmp_path, question())
    assert not server.seen
    monkeypatch.setenv(key_env, KEY)
    server.always = status(401, {"error": {"message": f"invalid key {KEY}", "code": "invalid_api_key"}})
    with pytest.raises(ProviderError, match=f"refused the key in {key_env}") as caught:
        ask(of(server, provider), tmp_path, question())
    assert KEY not in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("provider", "message", "excess"),
    [
        ("vllm", "At most 1 image(s) may be provided in one prompt.", "images"),
        (
            "anthropic",
            "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 "
            "bytes",
            "pixels",
        ),
        (
            "anthropic",
            "messages.0.content.21.image.source.base64.data: At least one of the image dimensions exceed max "
            "allowed size for many-image requests: 2000 pixels",
            "pixels",
        ),
        ("openai", "Too many images in request: 501, the maximum is 500", "images"),
    ],
)
def test_a_limit_on_images_asks_a_smaller_question(server, tmp_path, provider, message, excess):
    asked_for = []

    def smaller(found: str) -> Any:
        asked_for.append(found)
        return question("one image", images=[IMAGE])

    two = question("two images", images=[IMAGE, SentImage(b"\xff\xd8other", "image/jpeg")])
    request = type(two)(two.purpose, two.messages, two.schema, two.offline, two.offline_name, smaller=smaller)
    server.script(refusal(message))
    config = of(server, provider, key_env=None)
    assert ask(config, tmp_path, request)[0].value == GOOD
    assert asked_for == [excess]


def test_answers_are_kept_under_the_server_and_the_model_whatever_the_providers_name(server, tmp_path):
    """Recipes of before name `openai` and a URL."""
    assert ask(of(server, "openai"), tmp_path, question())[0].value == GOOD
    found = ask(of(server, "ollama"), tmp_path, question())[0]
    assert (found.value, found.cached, len(server.seen)) == (GOOD, True, 1)
