"""Without a model: the answer of the caller's answerer is handled like a server's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llm.asking import OFFLINE, ask_and_count, question

from leafinstruct.llm.config import LlmConfig


def test_an_offline_answer_is_validated_stored_and_labeled_like_a_servers(tmp_path: Path) -> None:
    calls = []

    def answer() -> dict[str, Any]:
        calls.append(1)
        return dict(OFFLINE)

    [first], counts = ask_and_count(LlmConfig(), tmp_path, question(offline=answer))
    assert (first.state, first.value, first.model, first.cached) == ("ok", OFFLINE, "offline-rules@1", False)
    assert (counts.answered, counts.requests, counts.dollars) == (1, 0, None)
    [second], counts = ask_and_count(LlmConfig(), tmp_path, question(offline=answer))
    assert (second.value, second.model, second.cached, counts.cache_hits) == (
        OFFLINE,
        "offline-rules@1",
        True,
        1,
    )
    assert len(calls) == 1


@pytest.mark.parametrize("wrong", [{"score": 9, "reason": ""}, {"score": 3}])
def test_an_invalid_offline_answer_is_our_own_defect(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="offline-rules@1 gave an answer to 'judge' that cannot be used"):
        ask_and_count(LlmConfig(), tmp_path, question(offline=lambda: wrong))
    assert not list(tmp_path.iterdir())


def test_an_offline_answer_must_pass_the_check_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="placeholder 2 is missing"):
        ask_and_count(LlmConfig(), tmp_path, question(check=lambda _: "placeholder 2 is missing"))


def test_an_offline_answer_that_repeats_more_text_than_is_read_is_data(tmp_path: Path) -> None:
    [answer], counts = ask_and_count(
        LlmConfig(), tmp_path, question(offline=lambda: {**OFFLINE, "reason": "x" * (1 << 20)})
    )
    assert (answer.state, answer.value, counts.answered) == ("unparsed", None, 0)
    assert "at most 1,048,576 are read" in answer.detail
