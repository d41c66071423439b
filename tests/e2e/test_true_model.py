"""Builds with a true model server: a decoder with random weights, constrained to the schema of each question.

All other tests script what a model answers. Here nobody chose the texts and scores: what the server generates
must arrive in the dataset, its tokens in the report, and texts without sense must end with a reason.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from e2e.test_build import pages
from e2e.test_build_refine import number
from llm.grammar import Automaton, Schema, UnsupportedError
from llm.judging import shown, text_of
from llm.true_server import Asked, Body, TrueServer
from making import build, mmc4, recipe, rows

from leafinstruct import pipeline
from leafinstruct.errors import LeafInstructError
from leafinstruct.filter.catalog import JUDGE_ASPECTS
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.report.status import entries
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.refine.examine import FIELDS

PAGES = 3

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture(autouse=True)
def _one_thread():
    """A decoder of this size is fastest on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def obeying(body: Body, schema: Schema) -> Schema:
    """The schema with what the question demands in words: scores from 1 to 5, an entry for each image that is
    shown, every image once and in order."""
    properties = dict(schema["properties"])
    if "fit" in properties:
        text, image = properties["response"]["items"]["anyOf"]
        images = sum(part["type"] == "image_url" for part in body["messages"][1]["content"])
        parts = [
            part
            for index in range(1, images + 1)
            for part in (
                _with(text, text={"type": "string", "minLength": 4}),
                _with(image, image={"const": index}),
            )
        ]
        return _with(
            schema,
            fit={"const": True},
            because={"const": ""},
            leave_out={"type": "array", "maxItems": 0},
            instruction={"type": "string", "minLength": 4},
            context={"type": "array", "maxItems": 0},
            response={"type": "array", "prefixItems": parts, "items": False},
        )
    score = {"type": "integer", "minimum": 1, "maximum": 5}
    reason = {"type": "string", "minLength": 1}
    for name, inner in properties.items():
        if name == "images":
            entries = [
                _with(inner["items"], image={"const": place}, reason=reason, score=score)
                for place in shown(body)
            ]
            properties[name] = {"type": "array", "prefixItems": entries, "items": False}
        elif name != "critique":
            properties[name] = _with(inner, reason=reason, score=score)
    return _with(schema, **properties)


def _with(schema: Schema, **properties: object) -> dict[str, Any]:
    return {**schema, "properties": {**schema["properties"], **properties}}


def purpose(asked: Asked) -> str:
    properties = asked.schema["properties"] if asked.schema else ()
    return "rewrite" if "fit" in properties else "examine" if "critique" in properties else "judge"


def made(folder: Path, server: TrueServer, count: int = PAGES) -> Path:
    """A recipe without checks of the texts."""
    mmc4(folder / "data", pages(count))
    return recipe(
        folder,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"min_words": 10, "rules": [{"score": "judge.text_quality", "min": 1, "model": "m"}]},
        rewrite={"tasks": ["guide"], "checks": dict.fromkeys(Checks.model_fields)},
        llm={
            "provider": "openai",
            "base_url": server.url,
            "model": "m",
            "temperature": 1,
            "max_tokens": 1024,
        },
    )


def by_document(server: TrueServer) -> dict[int, dict[str, list[Asked]]]:
    """Number of the document -> purpose -> its answers, in order."""
    found: dict[int, dict[str, list[Asked]]] = defaultdict(lambda: defaultdict(list))
    for asked in server.asked:
        found[number(asked.body)][purpose(asked)].append(asked)
    return found


def dropped(own: Path, stage: str) -> dict[int, str]:
    """Number of a dropped document -> the rule."""
    paths = (own.parent / "runs/t" / stage).rglob("dropped-*.parquet")
    return {
        int(row["url"].rpartition("/")[2]): row["drops"][0]["rule"]
        for path in paths
        for row in table.read(path)
    }


def test_what_a_model_generates_is_what_the_dataset_and_the_report_state(tmp_path: Path) -> None:
    with TrueServer(obeying) as server:
        own = made(tmp_path, server)
        build(own)
        found = by_document(server)
        published = {int(row["url"].rpartition("/")[2]): row for row in rows(tmp_path / "runs/t/shard")}
        assert sorted(published) == sorted(found) == [*range(PAGES)]
        for index, row in published.items():
            _is_as_generated(row, found[index])
        assert max(len(kinds["examine"]) for kinds in found.values()) == 2
        stages = pipeline.artifacts(recipes.load(own))
        costs = {entry["stage"]: entry["cost"] for entry in entries(stages)}
        for stage, purposes in (("filter", {"judge"}), ("rewrite", {"rewrite", "examine"})):
            mine = [asked for asked in server.asked if purpose(asked) in purposes]
            assert costs[stage]["requests"] == len(mine)
            assert costs[stage]["input_tokens"] == sum(asked.input_tokens for asked in mine)
            assert costs[stage]["output_tokens"] == sum(asked.output_tokens for asked in mine)
        asked = len(server.asked)
        build(own, rebuild=True)
        assert len(server.asked) == asked
        # random letters repeat nothing of the document: corrected twice in vain, in each of two rounds
        with pytest.raises(LeafInstructError, match="rewrite"):
            build(own, "rewrite.checks.min_kept=0.2")
        assert dropped(own, "rewrite") == dict.fromkeys(range(PAGES), "rewrite.kept")
        again = server.asked[asked:]
        assert {purpose(one) for one in again} == {"rewrite"}
        assert sorted(len(one.body["messages"]) for one in again) == sorted([2, 4, 6] * 2 * PAGES)


def _is_as_generated(row: dict[str, Any], asked: dict[str, list[Asked]]) -> None:
    """One judge's answer, two rounds at most, none repaired; the row has their scores and the text of the
    best."""
    scores = {score["name"]: score["value"] for score in row["scores"] if score["state"] == "ok"}
    (verdict,) = (one.value for one in asked["judge"])
    for aspect in JUDGE_ASPECTS:
        assert scores[f"judge.{aspect}"] == verdict[aspect]["score"]
    assert scores["judge.least_image_relevance"] == min(entry["score"] for entry in verdict["images"])
    kept = int(scores["examined.round"])
    examined = [{field: one.value[field]["score"] for field in FIELDS} for one in asked["examine"]]
    assert len(examined) == len(asked["rewrite"]) == (1 if min(examined[0].values()) >= 4 else 2)
    assert {field: scores[f"examined.{field}"] for field in FIELDS} == examined[kept]
    assert min(examined[kept].values()) == max(min(values.values()) for values in examined)
    answer = asked["rewrite"][kept].value
    question, response = (message["content"] for message in row["messages"])
    assert [part["text"] for part in question] == [answer["instruction"].strip()]
    assert [part["text"] for part in response] == [part.get("text") for part in answer["response"]]


def test_answers_that_only_fit_the_schema_as_sent_end_with_a_reason(tmp_path: Path) -> None:
    """The schema as sent states no bounds of texts and lists (wire_schema.py): a decoder that reads no
    question breaks them, is corrected twice, and the document has no verdict. No score is out of bounds."""
    with TrueServer() as server:
        own = made(tmp_path, server, 1)
        with pytest.raises(LeafInstructError, match=r"judge\.text_quality \(unparsed\) removed 1"):
            build(own)
        assert len({asked.text for asked in server.asked}) == 3
        for asked in server.asked:
            assert purpose(asked) == "judge"
            assert asked.schema is not None
            jsonschema.validate(asked.value, dict(asked.schema))
            given = [asked.value[aspect]["score"] for aspect in JUDGE_ASPECTS]
            given += [entry["score"] for entry in asked.value["images"]]
            assert set(given) <= {1, 2, 3, 4, 5, "n/a"}
        assert dropped(own, "filter") == {0: "judge.text_quality"}
        (cost,) = [
            e["cost"] for e in entries(pipeline.artifacts(recipes.load(own))) if e["stage"] == "filter"
        ]
        assert cost["output_tokens"] == sum(asked.output_tokens for asked in server.asked)


def test_a_server_without_json_schema_decodes_by_the_schema_of_json_object(tmp_path: Path) -> None:
    with TrueServer(obeying, accepts=["json_object"]) as server:
        own = made(tmp_path, server, 1)
        build(own)
        assert len(rows(tmp_path / "runs/t/shard")) == 1
        forms = [body["response_format"]["type"] for body in server.declined]
        assert forms == ["json_schema"] * 3  # one for each purpose
        assert [asked.body["response_format"]["type"] for asked in server.asked] == ["json_object"] * len(
            server.asked
        )


def test_a_server_without_constrained_decoding_is_asked_in_words(tmp_path: Path) -> None:
    """Every form is declined once, then random bytes come, which are no answer."""
    with TrueServer(accepts=["text"]) as server:
        own = made(tmp_path, server, 1)
        with pytest.raises(LeafInstructError, match=r"judge\.text_quality \(unparsed\) removed 1"):
            build(own)
        forms = [body["response_format"] for body in server.declined]
        assert [form["type"] for form in forms] == ["json_schema", "json_object", "json_object"]
        assert ["schema" in form for form in forms] == [False, True, False]
        assert len(server.asked) == 3
        for asked in server.asked:
            assert "response_format" not in asked.body
            assert "image_consistency" in text_of(asked.body)
        assert dropped(own, "filter") == {0: "judge.text_quality"}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "number"}, "type 'number'"),
        ({"type": "string", "pattern": "a"}, "pattern"),
        ({"type": "string", "minLength": 100}, "100 characters"),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, "optional"),
    ],
)
def test_the_server_refuses_schemas_that_it_cannot_enforce(schema: Schema, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        Automaton(schema)


def test_a_schema_that_the_server_cannot_enforce_ends_the_test(tmp_path: Path) -> None:
    with (
        pytest.raises(UnsupportedError, match="type 'number'"),
        TrueServer(lambda _, schema: _with(schema, safety={"type": "number"})) as server,
    ):
        build(made(tmp_path, server, 1))
