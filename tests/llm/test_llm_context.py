"""A server that cuts prompts silently stops the run; an honest one never does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from llm.asking import ask, online, question
from llm.misbehaving import GOOD, Body, Misbehaving, Step, depending, good, say, status

from leafinstruct.errors import ProviderError
from leafinstruct.llm.cache import JOURNAL
from leafinstruct.llm.protocol.context import FILLER

WORDS = [
    "the",
    "leaf",
    "of",
    "a",
    "young",
    "birch",
    "turns",
    "yellow",
    "in",
    "early",
    "autumn",
    "before",
    "most",
    "other",
    "trees",
]
HINDI = ["पत्ता", "पेड़", "से", "गिरता", "है", "और", "हवा", "में", "उड़ता", "है"]
CHINESE = "树叶在秋天变黄然后从树上落下来"


def text_of(body: Body) -> str:
    parts = [message["content"] for message in body["messages"]]
    return " ".join(
        part if isinstance(part, str) else " ".join(piece.get("text", "") for piece in part) for part in parts
    )


def tokens(text: str) -> int:
    """As a tokenizer of 4 bytes a token, and at least one for each word, would count."""
    return max(len(text.encode()) // 4, len(text.split())) + 20


def counting(count: Callable[[Body], Body]) -> Step:
    """A server whose `usage` is what `count` says."""
    return depending(lambda body: say(json.dumps(GOOD), usage=count(body)))


def usage(prompt: int, **more: object) -> Body:
    return {"prompt_tokens": prompt, "completion_tokens": 20, "total_tokens": prompt + 20, **more}


def lessons(count: int, longest: int, words: list[str] = WORDS) -> list[str]:
    chooser = random.Random(7)
    return [
        " ".join(chooser.choices(words, k=chooser.randint(50, longest))) + f" {number}"
        for number in range(count)
    ]


def asked(server: Misbehaving) -> int:
    """Requests without the proofs."""
    return sum(FILLER not in text_of(seen.body) for seen in server.seen)


@pytest.mark.parametrize("window", [2048, 4096, 8192])
def test_a_cut_prompt_stops_the_run_with_a_hint_and_its_answer_is_not_kept(
    server: Misbehaving, tmp_path: Path, window: int
) -> None:
    """As Ollama does it: whatever is longer is cut to the window, silently."""
    server.always = counting(lambda body: usage(min(window, tokens(text_of(body)))))
    long = " ".join(WORDS * (2 * window // len(WORDS)))
    with pytest.raises(
        ProviderError,
        match=(
            rf"cuts prompts.*counts {window:,} tokens, and {window:,} with 1,000 words "
            r"more.*num_ctx.*--ctx-size"
        ),
    ):
        ask(
            online(server.url, max_in_flight=1),
            tmp_path,
            question("a short lesson"),
            question(long),
            *map(question, lessons(20, 99)),
        )
    assert asked(server) == 2
    assert len(server.seen) == 3
    kept = [json.loads(line) for path in tmp_path.glob("answers-*") for line in path.read_text().splitlines()]
    assert len(kept) == 1, "the short one"
    assert len(list(tmp_path.glob(f"{JOURNAL}-*"))) == 1


def test_a_window_of_any_size_is_found_by_the_words_that_are_missing(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Older llama.cpp drops half of a window at a time, so that counts differ from prompt to prompt."""

    def halved(body: Body) -> Body:
        count = tokens(text_of(body))
        while count > 3333:
            count -= 1666
        return usage(count)

    server.always = counting(halved)
    with pytest.raises(ProviderError, match="cuts prompts"):
        ask(online(server.url, max_in_flight=1), tmp_path, *map(question, lessons(50, 9_000)))
    assert len(server.seen) - asked(server) <= 3


def test_a_window_of_an_odd_size_is_found_by_two_prompts_that_count_the_same(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = counting(lambda body: usage(min(3001, tokens(text_of(body)))))
    texts = [" ".join(WORDS * count) for count in (20, 205, 220)]  # the longer ones by about a tenth
    with pytest.raises(ProviderError, match=r"cuts prompts.*counts 3,001 tokens"):
        ask(online(server.url, max_in_flight=1), tmp_path, *map(question, texts))
    assert asked(server) == 3


def test_a_server_that_counts_the_same_for_all_prompts_and_more_than_was_sent_cuts_nothing(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = good(usage=usage(4096))
    answers = ask(online(server.url), tmp_path, *map(question, lessons(30, 500)))
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.seen) == 30


@pytest.mark.parametrize(
    "words",
    [WORDS, HINDI, [CHINESE], ["=" * 80], ["https://example.org/a/b/c?d=e"]],
    ids=["en", "hi", "zh", "ruled", "urls"],
)
def test_an_honest_server_is_never_stopped_and_seldom_asked_for_a_proof(
    server: Misbehaving, tmp_path: Path, words: list[str]
) -> None:
    """One token a word where words are long, as in the newest tokenizers: four times fewer than a token for 4
    bytes."""
    server.always = counting(lambda body: usage(len(text_of(body).split()) + len(text_of(body)) // 12))
    answers = ask(online(server.url), tmp_path, *map(question, lessons(200, 3_000, words)))
    assert {answer.state for answer in answers} == {"ok"}
    assert asked(server) == 200
    assert len(server.seen) - 200 <= 3


def test_tokens_in_the_servers_cache_count_as_read(server: Misbehaving, tmp_path: Path) -> None:
    """Some servers count only what is new, with the rest in the details or nowhere."""
    before: list[str] = [""]

    def new_only(body: Body) -> Body:
        text, last = text_of(body), before[0]
        before[0] = text
        common = next(
            (at for at, (one, other) in enumerate(zip(text, last, strict=False)) if one != other), 0
        )
        return usage(tokens(text) - common // 4)

    server.always = counting(new_only)
    prompt = " ".join(WORDS * 100)
    answers = ask(
        online(server.url, max_in_flight=1),
        tmp_path,
        *[question(f"{prompt} {text}") for text in lessons(60, 2_000)],
    )
    assert {answer.state for answer in answers} == {"ok"}
    server.always = counting(
        lambda body: usage(300, prompt_tokens_details={"cached_tokens": tokens(text_of(body)) - 300})
    )
    answers = ask(
        online(server.url, max_in_flight=1), tmp_path, *[question(text) for text in lessons(60, 2_001)]
    )
    assert {answer.state for answer in answers} == {"ok"}


def test_the_proof_is_sent_as_the_server_wants_its_requests(server: Misbehaving, tmp_path: Path) -> None:
    """Without the field and the form that it declined, with the settings that every request carries."""

    def choose(body: Body) -> Step:
        if "max_tokens" in body:
            return status(
                400,
                {
                    "error": {
                        "message": "Unsupported parameter: 'max_tokens'.",
                        "code": "unsupported_parameter",
                    }
                },
            )
        if "response_format" in body:
            return status(
                400, {"error": {"message": "Unrecognized request argument supplied: response_format"}}
            )
        return good(usage=usage(min(2048, tokens(text_of(body)))))

    server.always = depending(choose)
    config = online(server.url, extra_body={"top_p": 0.5}, headers={"X-Title": "leaf"})
    with pytest.raises(ProviderError, match=r"cuts prompts.*counts 2,048 tokens, and 2,048 with"):
        ask(config, tmp_path, question(" ".join(WORDS * 300)))
    question_sent, proof = server.seen[-2:]
    assert FILLER in text_of(proof.body)
    assert (
        proof.body.keys()
        == question_sent.body.keys()
        == {"model", "messages", "temperature", "max_completion_tokens", "top_p"}
    )
    assert {name.lower(): value for name, value in proof.headers.items()}["x-title"] == "leaf"


def test_a_server_that_declines_what_is_too_long_cuts_nothing(server: Misbehaving, tmp_path: Path) -> None:
    too_long = status(400, {"error": {"message": "maximum context length is 2048 tokens"}})
    server.always = depending(
        lambda body: too_long if tokens(text_of(body)) > 2048 else good(usage=usage(2048))
    )
    answers = ask(
        online(server.url, max_in_flight=1), tmp_path, question(" ".join(WORDS * 100)), question("short")
    )
    assert [answer.state for answer in answers] == ["ok", "ok"]


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_count_that_is_no_window_proves_nothing(server: Misbehaving, tmp_path: Path, count: int) -> None:
    server.always = good(usage=usage(count))
    answers = ask(online(server.url), tmp_path, *map(question, lessons(10, 3_000)))
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.seen) == 10
