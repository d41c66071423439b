"""The journal: exchanges word for word, good answers and bad ones, tries without an answer, and no key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llm.asking import ask, online, question
from llm.misbehaving import GOOD, Misbehaving, good, say, status

from leafinstruct.llm import journal, lines
from leafinstruct.llm.cache import cache_key, stored
from leafinstruct.llm.request import Paid, SentImage

KEY = "sk-very-secret"
PNG = SentImage(b"not really", "image/png")


def test_an_exchange_is_kept_with_its_tries_and_images_by_name(
    server: Misbehaving, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("LEAF_KEY", KEY)
    server.script(status(503), say("no JSON"), good())
    config = online(server.url, key_env="LEAF_KEY")
    asked = question("Bake.", images=[PNG])
    [answer] = ask(config, tmp_path, asked)
    (entry,) = journal.exchanges(tmp_path, cache_key(config, asked))
    assert answer.key == entry["key"] == cache_key(config, asked)
    assert (entry["state"], entry["purpose"], entry["model"]) == ("ok", "judge", answer.model)
    assert [(attempt["text"], bool(attempt["fault"])) for attempt in entry["tries"][:2]] == [
        (None, True),
        ("no JSON", True),
    ]
    assert json.loads(entry["tries"][2]["text"]) == GOOD
    assert entry["tries"][2]["fault"] == ""
    assert [attempt["seconds"] for attempt in entry["tries"]] == sorted(
        attempt["seconds"] for attempt in entry["tries"]
    )
    named = {"type": "image", "sha256": PNG.sha256, "media_type": "image/png", "bytes": len(PNG.data)}
    assert entry["sent"]["messages"][1]["content"] == [{"type": "text", "text": "Bake."}, named]
    assert [message["role"] for message in entry["sent"]["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert entry["sent"]["messages"][2:] == server.seen[-1].body["messages"][2:]
    assert entry["paid"]["requests"] == 3
    assert all(KEY not in path.read_text() for path in tmp_path.iterdir())


def test_an_answer_that_was_given_up_on_is_in_the_journal_alone(server: Misbehaving, tmp_path: Path) -> None:
    server.always = say("I would rather not.")
    [answer] = ask(online(server.url), tmp_path, question())
    (entry,) = journal.exchanges(tmp_path, answer.key)
    assert [attempt["text"] for attempt in entry["tries"]] == ["I would rather not."] * 3
    assert entry["state"] == "unparsed"
    assert list(stored(tmp_path, answer.key)) == []


def test_a_cached_answer_keeps_its_cost_and_is_no_new_exchange(server: Misbehaving, tmp_path: Path) -> None:
    config = online(server.url, price={"input_per_million": 10, "output_per_million": 100})
    [first] = ask(config, tmp_path, question())
    [again] = ask(config, tmp_path, question())
    assert again.cached
    assert first.paid is not None
    assert (
        first.paid
        == again.paid
        == Paid(1, 100, 20, estimated=False, dollars=pytest.approx(100 * 10e-6 + 20 * 100e-6))
    )
    assert len(list(journal.exchanges(tmp_path, first.key))) == 1


def test_an_offline_answer_took_nothing_and_has_no_exchange(tmp_path: Path) -> None:
    from leafinstruct.llm.config import LlmConfig

    [answer] = ask(LlmConfig(), tmp_path, question())
    assert answer.paid == Paid(0, 0, 0, estimated=False, dollars=0.0)
    assert list(journal.exchanges(tmp_path, answer.key)) == []
    assert [cached.value for cached in stored(tmp_path, answer.key)] == [answer.value]


def test_a_search_takes_whole_lines_of_all_writers_and_nothing_that_only_quotes_one(tmp_path: Path) -> None:
    key, other = "a" * 64, "b" * 64
    for number in range(2):
        writer = lines.Appender(tmp_path, "exchanges")
        writer.append(other, {"text": json.dumps({"key": key, "n": 9}, separators=(",", ":"))})
        writer.append(key, {"n": number})
        writer.close()
    (tmp_path / "exchanges-1-torn.jsonl").write_text(f'{{"key":"{key}","n":7}}\n{{"key":"{key}","n":8')
    (tmp_path / "exchanges-2-empty.jsonl").touch()
    (tmp_path / "exchanges-3-middle.jsonl").write_text(
        f'x{{"key":"{key}","n":5}}\n{{"key":"{key}",broken\n{{"key":"{key}","n":6}}\n'
    )
    assert sorted(entry["n"] for entry in lines.find(tmp_path, "exchanges", key)) == [0, 1, 6, 7]
    assert list(lines.find(tmp_path / "none", "exchanges", key)) == []
