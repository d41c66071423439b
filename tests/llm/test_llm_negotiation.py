"""Negotiation at default concurrency: the first question finds what a server accepts, and only a decline
changes it."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llm.asking import SCHEMA, ask, ask_and_count, online, question
from llm.fake_clock import FakeClock
from llm.misbehaving import GOOD, Body, Misbehaving, Step, depending, good, say, status

from leafinstruct.errors import ProviderError, RecipeError
from leafinstruct.filter.judging.request import SCHEMA as JUDGE
from leafinstruct.llm.protocol.wire_schema import wire_schema
from leafinstruct.rewrite.parse import SCHEMA as REWRITE

FORTY = [question(f"lesson {number}") for number in range(40)]

NO_LIMIT = status(
    400,
    {
        "error": {
            "message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "code": "unsupported_parameter",
        }
    },
)
NO_LIMIT_AT_ALL = status(
    400,
    {
        "error": {
            "message": "Unsupported parameter: 'max_completion_tokens'.",
            "code": "unsupported_parameter",
        }
    },
)
NO_TEMPERATURE = status(
    400,
    {"error": {"message": "`temperature` is deprecated for this model.", "type": "invalid_request_error"}},
)
NO_SCHEMA = status(400, {"error": {"message": "response_format json_schema is not supported"}})
NO_INNER_SCHEMA = status(
    400,
    {"error": {"message": "Unknown parameter: 'response_format.schema'.", "param": "response_format.schema"}},
)
NO_FORM = status(400, {"error": {"message": "Unrecognized request argument supplied: response_format"}})


def form(body: Body) -> str:
    return str(body.get("response_format", {}).get("type", "text"))


def newest(body: Body) -> Step:
    """Takes neither max_tokens nor a temperature."""
    return NO_LIMIT if "max_tokens" in body else NO_TEMPERATURE if "temperature" in body else good()


def no_limit(body: Body) -> Step:
    return (
        NO_LIMIT if "max_tokens" in body else NO_LIMIT_AT_ALL if "max_completion_tokens" in body else good()
    )


def plain_object(body: Body) -> Step:
    """As Groq and OpenAI's older models: json_object, and no schema in it."""
    return (
        NO_SCHEMA
        if form(body) == "json_schema"
        else NO_INNER_SCHEMA
        if "schema" in body.get("response_format", {})
        else good()
    )


@pytest.mark.parametrize(
    ("choose", "declined", "sent"),
    [
        (
            lambda body: NO_LIMIT if "max_tokens" in body else good(),
            1,
            {"max_completion_tokens", "temperature", "json_schema"},
        ),
        (no_limit, 2, {"temperature", "json_schema"}),
        (lambda body: NO_TEMPERATURE if "temperature" in body else good(), 1, {"max_tokens", "json_schema"}),
        (newest, 2, {"max_completion_tokens", "json_schema"}),
        (plain_object, 2, {"max_tokens", "temperature", "json_object"}),
        (
            lambda body: NO_FORM if "response_format" in body else good(),
            3,
            {"max_tokens", "temperature", "text"},
        ),
    ],
    ids=["max_tokens", "no limit", "temperature", "both", "json_object", "no response_format"],
)
def test_what_a_server_declines_costs_the_first_question_alone(
    server: Misbehaving, tmp_path: Path, choose: Any, declined: int, sent: set[str]
) -> None:
    """Forty questions at default concurrency: all are answered, and only the first is ever declined."""
    server.always = depending(choose)
    answers, counts = ask_and_count(online(server.url), tmp_path, *FORTY)
    assert [answer.value for answer in answers] == [GOOD] * 40
    assert counts.requests == len(server.seen) == 40 + declined
    for seen in server.seen[declined:]:
        assert {
            name for name in ("max_tokens", "max_completion_tokens", "temperature") if name in seen.body
        } | {form(seen.body)} == sent


def test_a_server_behind_a_gateway_that_declines_only_some_loses_none(
    server: Misbehaving, tmp_path: Path
) -> None:
    """The first completion came with max_tokens; whoever is routed to another server goes on without it,
    alone."""
    server.script(good())
    server.always = depending(
        lambda body: NO_LIMIT if "max_tokens" in body and int(str(body["messages"])[-4]) % 2 else good()
    )
    texts = [question(f"lesson {number}") for number in range(10, 50)]
    answers, counts = ask_and_count(online(server.url), tmp_path, *texts)
    assert {answer.state for answer in answers} == {"ok"}
    odd = sum(number % 2 for number in range(11, 50))
    assert counts.requests == len(server.seen) == 40 + odd
    assert Counter("max_tokens" in seen.body for seen in server.seen) == {True: 40, False: odd}


@pytest.mark.parametrize(
    "step",
    [
        status(500, {"error": {"message": "Internal Server Error"}}),
        status(503, {"error": {"message": "Loading model"}}),
        status(429),
        say(""),
        say(None),
    ],
    ids=["500", "503", "429", "empty", "null"],
)
def test_a_server_that_is_loading_keeps_its_strict_schema(
    server: Misbehaving, tmp_path: Path, step: Step
) -> None:
    """Two answers that say nothing about forms, then good ones: every request was sent in the strict form."""
    server.script(step, step)
    answers = ask(online(server.url), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"ok"}
    assert {form(seen.body) for seen in server.seen} == {"json_schema"}


def test_a_form_that_was_tried_while_a_server_was_failing_does_not_hold(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Three errors without a word, an answer in another form; then the strict form works, and holds."""
    failing = status(500, {"error": {"message": "Internal Server Error"}})
    server.script(failing, failing, failing)
    answers = ask(online(server.url), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"ok"}
    assert [form(seen.body) for seen in server.seen] == ["json_schema"] * 3 + ["json_object"] + [
        "json_schema"
    ] * 40


def test_a_form_that_fails_without_a_word_is_left_if_another_is_answered_meanwhile(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = depending(lambda body: status(500) if form(body) != "text" else good())
    answers = ask(online(server.url), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"ok"}
    forms = [form(seen.body) for seen in server.seen]
    assert forms == ["json_schema"] * 3 + ["json_object"] * 2 + ["text", "json_schema"] + ["text"] * 39


def test_each_purpose_finds_its_own_form_and_shares_the_rest(server: Misbehaving, tmp_path: Path) -> None:
    def choose(body: Body) -> Step:
        named = body.get("response_format", {}).get("json_schema", {}).get("name")
        return NO_LIMIT if "max_tokens" in body else NO_SCHEMA if named == "rewrite" else good()

    server.always = depending(choose)
    mixed = [
        question("one"),
        question("two", purpose="rewrite"),
        question("three"),
        question("four", purpose="rewrite"),
    ]
    answers = ask(online(server.url, max_in_flight=1), tmp_path, *mixed)
    assert {answer.state for answer in answers} == {"ok"}
    assert [("max_tokens" in seen.body, form(seen.body)) for seen in server.seen] == [
        (True, "json_schema"),
        (False, "json_schema"),
        (False, "json_schema"),
        (False, "json_object"),
        (False, "json_schema"),
        (False, "json_object"),
    ]


def test_a_key_that_is_refused_costs_one_request_at_default_concurrency(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = status(401, {"error": {"message": "Unauthorized"}})
    with pytest.raises(ProviderError, match="requires a key"):
        ask(online(server.url), tmp_path, *FORTY)
    assert len(server.seen) == 1


def test_when_the_first_questions_fail_the_others_do_not_wait_one_by_one(
    server: Misbehaving, tmp_path: Path, clock: FakeClock
) -> None:
    """Three wait for their deadline, one after the other; then the server counts as down."""
    server.always = status(503)
    began = clock.now()
    answers = ask(online(server.url, deadline=2), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"failed"}
    lessons = [re.findall(r"lesson \d+", seen.text)[0] for seen in server.seen]
    assert len(set(lessons)) == len(list(groupby(lessons))) == 3
    assert clock.now() - began < 3 * 2 + 1


def test_a_form_that_is_not_implemented_is_left_at_once(server: Misbehaving, tmp_path: Path) -> None:
    server.always = depending(lambda body: status(501) if form(body) != "text" else good())
    answers = ask(online(server.url), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"ok"}
    assert [form(seen.body) for seen in server.seen] == ["json_schema", "json_object", "json_object"] + [
        "text"
    ] * 40


# --- the schema on the wire ---

BOUNDS = {
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "pattern",
    "const",
    "format",
    "default",
    "title",
}


def nodes(schema: Any) -> Any:
    """All schemas in a schema."""
    yield schema
    for inner in [
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        *([schema["items"]] if "items" in schema else []),
    ]:
        yield from nodes(inner)


@pytest.mark.parametrize("schema", [JUDGE, REWRITE, SCHEMA], ids=["judge", "rewrite", "test"])
def test_a_schema_travels_in_the_subset_that_strict_modes_share(schema: dict[str, Any]) -> None:
    wire = wire_schema(schema)
    Draft202012Validator.check_schema(wire)
    for node in nodes(wire):
        assert not BOUNDS & node.keys()
        assert "type" in node or "anyOf" in node
        if node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
    assert wire["type"] == "object"


@pytest.mark.parametrize(
    ("schema", "wire"),
    [
        ({"const": "text"}, {"type": "string", "enum": ["text"]}),
        ({"enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
        (
            {"enum": [True, None]},
            {"anyOf": [{"type": "boolean", "enum": [True]}, {"type": "null", "enum": [None]}]},
        ),
        ({"type": ["string", "null"], "maxLength": 9}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"oneOf": [{"const": 1}, {"type": "array", "items": {"pattern": "a"}, "maxItems": 2}]},
            {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "array", "items": {"type": "string"}}]},
        ),
        ({"maximum": 5, "description": "1 to 5"}, {"type": "number", "description": "1 to 5"}),
        (
            {"type": "integer", "minimum": 1, "maximum": 3, "description": "grade"},
            {"type": "integer", "enum": [1, 2, 3], "description": "grade"},
        ),
        ({"type": "integer", "minimum": 0, "maximum": 16}, {"type": "integer"}),
        ({"type": "integer", "minimum": 0}, {"type": "integer"}),
        ({"type": "number", "minimum": 0, "maximum": 1}, {"type": "number"}),
        (
            {"properties": {"a": {"type": "integer"}}},
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    ],
    ids=[
        "const",
        "enum",
        "mixed enum",
        "types",
        "oneOf",
        "no type",
        "few",
        "many",
        "open",
        "number",
        "no object",
    ],
)
def test_what_strict_modes_refuse_is_put_otherwise(schema: dict[str, Any], wire: dict[str, Any]) -> None:
    assert wire_schema({"properties": {"it": schema}})["properties"]["it"] == wire


def test_gemini_gets_no_enum_of_integers(server: Misbehaving, tmp_path: Path) -> None:
    ask(online(server.url, provider="gemini", key_env=None), tmp_path, question())
    ask(online(server.url, model="other"), tmp_path, question())
    sent = [seen.body["response_format"]["json_schema"]["schema"]["properties"] for seen in server.seen]
    assert [schema["score"] for schema in sent] == [
        {"type": "integer"},
        {"type": "integer", "enum": [1, 2, 3, 4, 5]},
    ]


def test_a_bound_that_does_not_travel_is_checked_here(server: Misbehaving, tmp_path: Path) -> None:
    server.script(good({"score": 9, "reason": "great"}))
    [answer] = ask(online(server.url), tmp_path, question())
    assert answer.value == GOOD
    assert "maximum" not in json.dumps(server.seen[0].body["response_format"])
    assert "score must be an integer from 1 to 5" in server.seen[1].text


# --- settings that travel with every request ---


def test_temperature_extra_fields_and_headers_are_sent_as_set(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_SECRET", "geheim-12345678")
    extra = {"reasoning_effort": "low", "provider": {"token": "env:LEAF_TEST_SECRET", "order": ["a"]}}
    headers = {"X-Title": "leaf", "api-key": "env:LEAF_TEST_SECRET", "authorization": "env:LEAF_TEST_SECRET"}
    server.script(
        good({"score": 4, "reason": "geheim-12345678"}),
        status(400, {"error": {"message": "no geheim-12345678"}}),
    )
    config = online(server.url, temperature=None, extra_body=extra, headers=headers, max_in_flight=1)
    answers = ask(config, tmp_path, question("one"), question("two"))
    body, sent = server.seen[0].body, {name.lower(): value for name, value in server.seen[0].headers.items()}
    assert "temperature" not in body
    assert (body["reasoning_effort"], body["provider"]) == (
        "low",
        {"token": "geheim-12345678", "order": ["a"]},
    )
    assert (sent["x-title"], sent["api-key"], sent["authorization"]) == (
        "leaf",
        "geheim-12345678",
        "geheim-12345678",
    )
    assert answers[0].value == {"score": 4, "reason": "[key]"}
    assert "no [key]" in answers[1].detail
    stored = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert "geheim" not in stored
    assert "env:LEAF_TEST_SECRET" in stored  # the journal shows the question as the recipe states it


def test_extra_fields_keep_answers_apart_and_headers_do_not(server: Misbehaving, tmp_path: Path) -> None:
    ask(online(server.url), tmp_path, question())
    ask(online(server.url, headers={"X-Title": "leaf"}), tmp_path, question())
    assert len(server.seen) == 1
    ask(online(server.url, extra_body={"top_p": 0.5}), tmp_path, question())
    ask(online(server.url, extra_body={"top_p": 0.9}), tmp_path, question())
    ask(online(server.url, temperature=None), tmp_path, question())
    assert len(server.seen) == 4


def test_an_extra_field_that_is_declined_stops_the_run_and_is_named(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = status(
        400, {"error": {"message": "Unrecognized request argument supplied: reasoning_effort"}}
    )
    with pytest.raises(
        ProviderError, match=r"does not accept reasoning_effort: .* Remove it from llm\.extra_body"
    ):
        ask(online(server.url, extra_body={"reasoning_effort": "low"}), tmp_path, *FORTY)
    assert len(server.seen) == 1


def test_a_secret_whose_variable_is_not_set_is_named(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEAF_TEST_SECRET", raising=False)
    with pytest.raises(
        RecipeError, match=r"llm\.headers: the environment variable LEAF_TEST_SECRET is not set"
    ):
        ask(online(server.url, headers={"api-key": "env:LEAF_TEST_SECRET"}), tmp_path, question())
    assert not server.seen
