"""Answers are paid for once: the key, the files, killed processes, concurrent writers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import ask, ask_and_count, online, question
from llm.misbehaving import GOOD, Misbehaving, good

from leafinstruct.errors import SourceError
from leafinstruct.llm import lines
from leafinstruct.llm.cache import AnswerCache, Stored, cache_key, verify
from leafinstruct.llm.client import Client
from leafinstruct.llm.config import LlmConfig, Price
from leafinstruct.llm.request import Message, Request, SentImage
from leafinstruct.runtime.sealed import seal

URL = "http://localhost:1/v1"


# --- the key ---

PARTS = st.lists(
    st.text() | st.builds(SentImage, st.binary(max_size=8), st.sampled_from(["image/png", "image/jpeg"])),
    max_size=3,
).map(tuple)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["system", "user"]), PARTS), max_size=3).map(tuple)
SCHEMAS = st.sampled_from([{"type": "object"}, {"type": "object", "required": ["a"]}])
KEYED = st.fixed_dictionaries({"messages": MESSAGES, "schema": SCHEMAS, "sample": st.integers(0, 2)})
MODEL = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["a", "b"]),
        "base_url": st.sampled_from([URL, "http://localhost:2/v1"]),
        "temperature": st.sampled_from([0.0, 0.5]),
        "max_tokens": st.sampled_from([10, 20]),
    }
)
UNKEYED = st.fixed_dictionaries(
    {"timeout": st.floats(1, 9), "deadline": st.floats(1, 9), "max_in_flight": st.integers(1, 9)}
)


def request_of(keyed: dict[str, Any], purpose: str) -> Request:
    return Request(purpose, offline=dict, offline_name="offline-rules@1", **keyed)


@given(KEYED, KEYED, MODEL, MODEL, UNKEYED, UNKEYED, st.text(), st.text())
def test_the_key_changes_if_and_only_if_something_keyed_does(
    one: dict[str, Any],
    two: dict[str, Any],
    model: dict[str, Any],
    other: dict[str, Any],
    pace: Any,
    pace2: Any,
    why: str,
    why2: str,
) -> None:
    first = cache_key(LlmConfig(provider="openai", **model, **pace), request_of(one, why))
    second = cache_key(LlmConfig(provider="openai", **other, **pace2), request_of(two, why2))
    assert (first == second) == (one == two and model == other)


@given(KEYED, MODEL, UNKEYED)
def test_nothing_but_keyed_parts_enters_the_key(
    keyed: dict[str, Any], model: dict[str, Any], pace: dict[str, Any]
) -> None:
    """The other direction, where random pairs are rarely equal."""
    plain = cache_key(LlmConfig(provider="openai", **model), request_of(keyed, "judge"))
    paced = LlmConfig(
        provider="openai",
        **model,
        **pace,
        price=Price(input_per_million=1, output_per_million=1),
        key_env="K",
    )
    assert cache_key(paced, dataclasses.replace(request_of(keyed, "rewrite"), check=lambda _: None)) == plain


def test_each_keyed_part_alone_changes_the_key() -> None:
    """One change at a time, where the samples above differ in many parts at once."""
    png = SentImage(b"bytes", "image/png")
    questions = [
        question("a", images=[png]),
        question("b", images=[png]),
        question("a", images=[SentImage(b"other", "image/png")]),
        question("a", images=[SentImage(b"bytes", "image/jpeg")]),
        question("a", images=[png, png]),
        question("a", images=[png], sample=1),
        question("a" + png.sha256),
        dataclasses.replace(question("a", images=[png]), schema={"type": "object"}),
    ]
    models = [
        online(URL),
        online(URL, temperature=1),
        online(URL, max_tokens=1),
        online(URL, revision="r"),
        online(URL + "/2"),
    ]
    keys = {cache_key(config, asked) for config in models for asked in questions}
    assert len(keys) == len(models) * len(questions)


def test_a_declared_revision_replaces_server_and_name() -> None:
    here = online(URL, revision="tiny@abc")
    there = online("http://elsewhere/v1", revision="tiny@abc").model_copy(update={"model": "org/tiny"})
    assert cache_key(here, question()) == cache_key(there, question())
    assert cache_key(here, question()) != cache_key(online(URL, revision="tiny@abd"), question())
    assert cache_key(here, question()) != cache_key(online(URL), question())


def test_offline_the_answerers_name_is_the_model_and_sampling_is_nothing() -> None:
    plain = cache_key(LlmConfig(), question())
    assert cache_key(LlmConfig(temperature=1, max_tokens=5, model="unused"), question()) == plain
    assert cache_key(LlmConfig(), dataclasses.replace(question(), offline_name="offline-rules@4")) != plain
    assert cache_key(online(URL), question()) != plain


def test_the_key_is_the_same_in_every_process() -> None:
    """And in every release: a changed key is every answer paid for again. If this value must change, say so
    in the changelog."""
    program = (
        "from llm.asking import *; from leafinstruct.llm.cache import *; "
        "print(cache_key(online('http://localhost:1/v1'), question()))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": f"{Path(__file__).parents[1]}:{Path(__file__).parents[2]}",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert (
        keys
        == {cache_key(online(URL), question())}
        == {"cae4eab1e05c4979bb0ddcf017b9dfc7dbecddd2bc71e624f178d85912042a8d"}
    )


# --- the files ---


def put(cache: AnswerCache, number: int, value: dict[str, Any] | None = None) -> str:
    key = f"{number:064x}"
    cache.put(key, "tiny", "judge", value or {"n": number}, json.dumps(value or {"n": number}))
    return key


def values(folder: Path, key: str) -> list[dict[str, Any]]:
    return [stored.value for stored in AnswerCache(folder).get(key)]


def test_a_second_run_asks_nothing_and_one_more_record_costs_one_request(
    server: Misbehaving, tmp_path: Path
) -> None:
    requests = [question(str(number)) for number in range(20)]
    first, _ = ask_and_count(online(server.url), tmp_path, *requests)
    second, counts = ask_and_count(online(server.url), tmp_path, *requests)
    assert (counts.requests, counts.cache_hits, len(server.seen)) == (0, 20, 20)
    assert [answer.value for answer in second] == [answer.value for answer in first]
    assert all(answer.cached and answer.usage.input_tokens == 0 for answer in second)
    _, counts = ask_and_count(online(server.url), tmp_path, *requests, question("new"))
    assert (counts.requests, counts.cache_hits) == (1, 20)


def test_another_sample_is_another_answer(server: Misbehaving, tmp_path: Path) -> None:
    server.script(good({"score": 1, "reason": ""}), good({"score": 2, "reason": ""}))
    answers = ask(online(server.url, max_in_flight=1), tmp_path, question(sample=0), question(sample=1))
    assert [answer.value and answer.value["score"] for answer in answers] == [1, 2]


@pytest.mark.parametrize("torn", range(1, 60, 7))
def test_a_torn_last_line_loses_itself_and_nothing_else(tmp_path: Path, torn: int) -> None:
    """What a kill in the middle of a write leaves behind."""
    cache = AnswerCache(tmp_path)
    keys = [put(cache, number) for number in range(3)]
    cache.close()
    [path] = tmp_path.glob("answers-*.jsonl")
    path.write_bytes(path.read_bytes()[:-torn])
    assert [values(tmp_path, key) for key in keys] == [[{"n": 0}], [{"n": 1}], []]


def test_a_garbled_line_is_asked_again_and_the_others_are_kept(server: Misbehaving, tmp_path: Path) -> None:
    requests = [question(str(number)) for number in range(3)]
    ask(online(server.url, max_in_flight=1), tmp_path, *requests)
    [path] = tmp_path.glob("answers-*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:80] + b"\xff\x00" + lines[1][82:] + lines[2])
    answers, counts = ask_and_count(online(server.url), tmp_path, *requests)
    assert [answer.value for answer in answers] == [GOOD] * 3
    assert (counts.requests, counts.cache_hits) == (1, 2)


def test_a_changed_letter_in_an_answer_is_asked_again_and_counted(
    server: Misbehaving, tmp_path: Path
) -> None:
    """A letter changed on disk came back as the model's answer, valid under the schema."""
    server.script(good({"score": 4, "reason": "fine"}))
    ask(online(server.url), tmp_path, question())
    (path,) = tmp_path.glob("answers-*.jsonl")
    damaged = path.read_bytes().replace(b"fine", b"vile")
    path.write_bytes(damaged)
    (found,) = verify(tmp_path)
    assert found.file == path
    assert found.repair == "dropped; the next `leaf build` that needs the answer asks again"
    assert list(verify(tmp_path)) == []
    path.write_bytes(damaged)
    server.script(good({"score": 4, "reason": "fine"}))

    async def asked() -> tuple[Any, Any, Any]:
        client = Client(online(server.url), tmp_path)
        answer = await client.ask(question())
        repaired = client.repaired(), client.repaired()
        await client.close()
        return answer, *repaired

    answer, first, second = asyncio.run(asked())
    assert (answer.value, answer.cached) == ({"score": 4, "reason": "fine"}, False)
    assert (first, second) == ({"stored answers": 1}, {})
    assert list(verify(tmp_path)) == []
    assert ask(online(server.url), tmp_path, question())[0].cached


def test_an_answer_is_never_served_to_another_question(server: Misbehaving, tmp_path: Path) -> None:
    config, one, two = online(server.url, max_in_flight=1), question("one"), question("two")
    server.script(good({"score": 1, "reason": "of one"}), good({"score": 2, "reason": "of two"}))
    ask(config, tmp_path, one, two)
    (path,) = tmp_path.glob("answers-*.jsonl")
    keys = [cache_key(config, request).encode() for request in (one, two)]
    path.write_bytes(
        path.read_bytes().replace(keys[0], b"x" * 64).replace(keys[1], keys[0]).replace(b"x" * 64, keys[1])
    )
    server.script(good({"score": 1, "reason": "of one"}), good({"score": 2, "reason": "of two"}))
    answers, counts = ask_and_count(config, tmp_path, one, two)
    assert [answer.value and answer.value["score"] for answer in answers] == [1, 2]
    assert counts.requests == 2


def test_a_damage_after_the_index_was_made_is_found_on_reading(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    keys = [put(cache, number) for number in range(2)]
    (path,) = tmp_path.glob("answers-*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'{\\"n\\": 1}', b'{\\"n\\": 2}'))
    assert [list(cache.get(key)) != [] for key in keys] == [True, False]
    assert cache.repaired == 1
    cache.close()


def test_answers_of_the_time_before_digests_are_not_paid_again(server: Misbehaving, tmp_path: Path) -> None:
    requests = [question(str(number)) for number in range(3)]
    ask(online(server.url), tmp_path, *requests)
    for path in [*tmp_path.glob("*.jsonl")]:
        entries = [json.loads(line) for line in path.read_bytes().splitlines()]
        path.unlink()
        plain = [{name: value for name, value in entry.items() if name != "digest"} for entry in entries]
        stem = path.name.partition("-")[0]
        (tmp_path / f"{stem}-4711-deadbeef.jsonl").write_text(
            "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in plain)
        )
    answers, counts = ask_and_count(online(server.url), tmp_path, *requests)
    assert (counts.requests, counts.cache_hits) == (0, 3)
    assert [answer.value for answer in answers] == [GOOD] * 3
    assert len(list(lines.find(tmp_path, "exchanges", answers[0].key))) == 1
    (path,) = tmp_path.glob("answers-*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"judge", b"fudge", 1))
    assert len(list(verify(tmp_path))) == 1


def test_a_folder_in_the_place_of_a_file_is_passed_over_and_listed(tmp_path: Path) -> None:
    (tmp_path / "answers-1.jsonl").mkdir()
    cache = AnswerCache(tmp_path)
    key = put(cache, 3)
    cache.close()
    assert values(tmp_path, key) == [{"n": 3}]
    assert [damage.fault for damage in verify(tmp_path)] == ["is not a regular file"]


def test_two_writers_share_a_folder(tmp_path: Path) -> None:
    """Interleaved writes, no lock, and a third reader finds everything."""
    one, two = AnswerCache(tmp_path), AnswerCache(tmp_path)
    keys = [put(cache, 2 * number + which) for number in range(50) for which, cache in enumerate((one, two))]
    one.close()
    two.close()
    assert len(list(tmp_path.glob("answers-*.jsonl"))) == 2
    assert [values(tmp_path, key) for key in keys] == [[{"n": number}] for number in range(100)]


def test_a_writer_finds_its_own_answers_at_once(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    key = put(cache, 7)
    assert list(cache.get(key)) == [Stored({"n": 7}, '{"n": 7}', None)]
    cache.close()


def test_an_answer_that_fails_todays_check_is_asked_again_once(server: Misbehaving, tmp_path: Path) -> None:
    """The better answer is found behind the old one by every later run, whatever the files are called."""
    ask(online(server.url), tmp_path, question())
    server.script(good({"score": 1, "reason": "strict"}))
    strict = question(check=lambda value: None if value["score"] == 1 else "too kind")
    for expected in (1, 0, 0):
        [answer], counts = ask_and_count(online(server.url), tmp_path, strict)
        assert (answer.value, counts.requests) == ({"score": 1, "reason": "strict"}, expected)
    [lenient] = ask(online(server.url), tmp_path, question())
    assert lenient.cached


def test_a_better_parser_reads_stored_answers(server: Misbehaving, tmp_path: Path) -> None:
    """The raw text is kept: where the stored value no longer holds, the text is parsed again before
    any request."""
    ask(online(server.url), tmp_path, question())
    [path] = tmp_path.glob("answers-*.jsonl")
    entry = json.loads(path.read_text())
    assert (entry["value"], json.loads(entry["text"]), entry["purpose"]) == (GOOD, GOOD, "judge")
    entry["value"] = {"score": "four"}
    path.write_bytes(seal({name: value for name, value in entry.items() if name != "digest"}))
    [answer], counts = ask_and_count(online(server.url), tmp_path, question())
    assert (answer.value, counts.requests) == (GOOD, 0)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may grow to 400 bytes: a write beyond is cut short, then fails, as on a disk that fills up."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_one_line_and_stored_answers_are_kept(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    put(cache, 0)
    with pytest.raises(SourceError, match=r"an answer cannot be stored: .*Free some space"):
        put(cache, 1, {"text": "x" * 400})
    cache.close()
    assert values(tmp_path, f"{0:064x}") == [{"n": 0}]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be stored"):
        put(AnswerCache(tmp_path / "file" / "cache"), 1)
