"""Declined questions at default concurrency: the run ends, or a smaller question, a verdict or another try
follows."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import ask, ask_and_count, online, question
from llm.misbehaving import GOOD, Body, Misbehaving, Step, completion, depending, good, raw, say, status
from PIL import Image as Pil

from leafinstruct.errors import ProviderError
from leafinstruct.images.send import smaller
from leafinstruct.llm.client import Client
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.journal import exchanges
from leafinstruct.llm.request import Request, SentImage

FORTY = [question(f"lesson {number}") for number in range(40)]


def error(message: str, code: object = None, kind: str | None = None) -> Body:
    return {"error": {"message": message, "code": code, "type": kind}}


def in_200(body: Any) -> Step:
    """Any body with status 200."""
    return raw(json.dumps(body).encode())


# --- the account and the settings ---


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (
            status(
                400,
                error(
                    "Your credit balance is too low to access the Anthropic API.",
                    None,
                    "invalid_request_error",
                ),
            ),
            "no credit left",
        ),
        (
            status(402, error("Insufficient Balance", "invalid_request_error", "unknown_error")),
            "no credit left",
        ),
        (
            status(412, error("Account a is suspended, possibly due to reaching the monthly spending limit")),
            "no credit left",
        ),
        (status(429, {"code": "x", "error": "Your team has used all available credits."}), "no credit left"),
        (in_200(error("Insufficient credits", 402)), "no credit left"),
        (status(400, error("This organization has been disabled.")), "this account is not accepted"),
        (status(400, [error("API key expired. Please renew the API key.")]), "requires a key"),
        (status(400, {"error": "Model unloaded."}), "has no model 'tiny'"),
        (status(404, error("The model `tiny` does not exist.")), "has no model 'tiny'"),
        (status(404, error("No endpoints found that support image input", 404)), "reads no images"),
        (
            status(
                500, error("image input is not supported - hint: you may need to provide the mmproj", 500)
            ),
            "reads no images",
        ),
        (status(400, error("System role not supported")), "does not accept a setting"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_an_error_of_account_or_settings_stops_the_run_and_refuses_nothing(
    server: Misbehaving, tmp_path: Path, step: Step, what: str
) -> None:
    """After ten answers. Those that had arrived are kept, and the next run asks the other questions."""
    server.script(*[good()] * 10)
    server.always = step
    with pytest.raises(ProviderError, match=f"{what}.*(?:Answers so far are saved|llm.key_env)") as raised:
        ask(online(server.url, max_in_flight=1), tmp_path, *FORTY)  # none is on its way when the run stops
    assert "\n" not in str(raised.value)
    assert len(server.seen) <= 50
    journal = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("exchanges-*"))
    assert '"state":"refused"' not in journal
    kept = sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("answers-*"))
    assert 0 < kept <= 10  # some may have been on their way when the run stopped
    server.seen.clear()
    server.always = good()
    answers = ask(online(server.url), tmp_path, *FORTY)
    assert ({answer.state for answer in answers}, len(server.seen)) == ({"ok"}, 40 - kept)


def test_equal_declines_in_a_row_stop_the_run_whatever_their_words(
    server: Misbehaving, tmp_path: Path
) -> None:
    numbers = iter(range(1000))
    server.script(*[good()] * 10)
    server.always = depending(lambda _: status(400, error(f"request {next(numbers)} met policy engine nine")))
    with pytest.raises(
        ProviderError,
        match=(
            r"declines every request: HTTP 400: request \d+ met policy engine nine\. Answers so far are "
            r"saved"
        ),
    ):
        # one at a time: how many more are on their way at the stop depends on the machine
        ask(online(server.url, max_in_flight=1), tmp_path, *FORTY)
    assert len(server.seen) == 10 + 8


def test_a_decline_that_nobody_understands_is_no_verdict(server: Misbehaving, tmp_path: Path) -> None:
    server.script(good())
    server.always = depending(
        lambda body: status(400, error("Bad things happen.")) if "lesson 7" in str(body) else good()
    )
    answers, counts = ask_and_count(online(server.url), tmp_path, *FORTY)
    assert Counter(answer.state for answer in answers) == {"ok": 39, "declined": 1}
    assert (answers[7].retryable, answers[7].detail) == (True, "HTTP 400: Bad things happen.")
    assert counts.requests == 40


def test_different_declines_between_answers_stop_nothing(server: Misbehaving, tmp_path: Path) -> None:
    """Every second document is declined, each for its own reason: twenty verdicts are missing, and the others
    are there."""
    words = ("cat", "dog", "owl", "fox", "elk", "bee", "ant", "cow", "pig", "hen")
    server.script(good())
    server.always = depending(
        lambda body: (
            status(400, error(f"the {words[sum(map(ord, str(body))) % 10]} objects"))
            if "odd" in str(body)
            else good()
        )
    )
    texts = [question(f"{'odd' if number % 2 else 'even'} {number}") for number in range(40)]
    answers = ask(online(server.url, max_in_flight=1), tmp_path, *texts)
    assert Counter(answer.state for answer in answers) == {"ok": 20, "declined": 20}


def test_a_plain_403_stops_the_run_only_while_nothing_was_answered(
    server: Misbehaving, tmp_path: Path
) -> None:
    """A firewall before the server may reject one document; a server that never answered needs another
    key."""
    forbidden = status(403, "<html><body>403 Forbidden</body></html>")
    server.script(good())
    server.always = depending(lambda body: forbidden if "lesson 7" in str(body) else good())
    answers = ask(online(server.url), tmp_path / "one", *FORTY)
    assert Counter(answer.state for answer in answers) == {"ok": 39, "declined": 1}
    server.always = forbidden
    with pytest.raises(ProviderError, match="requires a key"):
        ask(online(server.url), tmp_path / "two", *FORTY)


# --- the content ---


AZURE = status(
    400,
    {
        "error": {
            "message": "filtered",
            "code": "content_filter",
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        }
    },
)


@pytest.mark.parametrize(
    "step", [AZURE, say("", finish="content_filter"), say("", finish="SAFETY")], ids=["400", "200", "Gemini"]
)
def test_eight_filtered_documents_at_the_start_stop_nothing(
    server: Misbehaving, tmp_path: Path, step: Step
) -> None:
    server.script(*[step] * 12)
    answers, counts = ask_and_count(online(server.url), tmp_path, *FORTY)
    assert Counter(answer.state for answer in answers) == {"refused": 12, "ok": 28}
    assert counts.requests == 40


# --- outages that come as answers ---


@pytest.mark.parametrize(
    "step",
    [
        say("", finish="error"),
        say('{"score": 1, "reason": "half', finish="abort"),
        say("", finish="insufficient_system_resource"),
        say("", finish="what_is_this"),
        in_200(error("Rate limited upstream", 429)),
        in_200({"error": {"message": "Provider returned error", "code": 502}}),
        in_200(
            {
                **completion("", "error"),
                "choices": [
                    {**completion("", "error")["choices"][0], "error": {"code": 502, "message": "gone"}}
                ],
            }
        ),
    ],
    ids=["error", "abort", "resources", "unknown", "429 in 200", "502 in 200", "in the choice"],
)
def test_an_outage_in_an_answer_is_asked_again(server: Misbehaving, tmp_path: Path, step: Step) -> None:
    server.script(good(), step, step)
    answers, counts = ask_and_count(online(server.url), tmp_path, *FORTY)
    assert {answer.state for answer in answers} == {"ok"}
    assert counts.requests == 42


def test_an_unknown_end_with_a_valid_answer_is_an_answer(server: Misbehaving, tmp_path: Path) -> None:
    server.script(say('{"score": 4, "reason": "the steps follow each other"}', finish="what_is_this"))
    [answer] = ask(online(server.url), tmp_path, question())
    assert (answer.value, len(server.seen)) == (GOOD, 1)


# --- the size ---


def large(
    count: int, words: int, px: int = 512, text: str = "lesson", size: tuple[int, int] = (500, 333)
) -> Request:
    """A question that shows so much, with the smaller ones behind it."""
    buffer = io.BytesIO()
    Pil.linear_gradient("L").resize(size).convert("RGB").save(buffer, "PNG")
    images = {str(number): (buffer.getvalue(), "image/png") for number in range(count)}

    def make(shown: Shown) -> Request:
        sent = smaller(
            {str(number): images[str(number)] for number in range(shown.images)}, shown.px, shown.jpeg
        )
        return question(
            f"{text} " + "word " * (shown.words or words),
            images=[SentImage(*sent[name]) for name in sorted(sent)],
        )

    return fitted(make, Shown(count, px, words))


def images_of(body: Body) -> list[str]:
    return [
        part["image_url"]["url"] for part in body["messages"][1]["content"] if part["type"] == "image_url"
    ]


def side(url: str) -> int:
    """Longer side of an image as it was sent, pixels."""
    return max(Pil.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size)


TOO_MANY = status(
    400, {"object": "error", "message": "At most 4 image(s) may be provided in one request.", "code": 400}
)
TOO_LONG = status(400, error("maximum context length is 8192 tokens", "context_length_exceeded"))
TOO_LARGE = status(413, "<html><h1>413 Request Entity Too Large</h1></html>")
NO_PNG = status(400, error("Unsupported image format.", "invalid_image_format"))


@pytest.mark.parametrize(
    ("step", "fits", "shown", "requests"),
    [
        (
            TOO_MANY,
            lambda body: len(images_of(body)) <= 4,
            "shown: 4 of 16 images; the server takes no larger request",
            3,
        ),
        (
            TOO_LARGE,
            lambda body: max(map(side, images_of(body))) <= 256,
            "shown: images of at most 256 pixels; the server takes no larger request",
            2,
        ),
        (
            TOO_LONG,
            lambda body: len(images_of(body)) <= 4 and str(body).count("word ") <= 500,
            (
                "shown: 4 of 16 images, images of at most 256 pixels, at most 500 words; the server "
                "takes no larger request"
            ),
            4,
        ),
        (
            NO_PNG,
            lambda body: "image/png" not in str(body),
            "shown: images encoded anew; the server takes no larger request",
            2,
        ),
    ],
    ids=["images", "bytes", "tokens", "format"],
)
def test_a_question_that_is_too_large_is_reduced_until_it_fits_and_reports_it(
    server: Misbehaving, tmp_path: Path, step: Step, fits: Any, shown: str, requests: int
) -> None:
    server.always = depending(lambda body: good() if fits(body) else step)
    [answer] = ask(online(server.url), tmp_path, large(16, 2000))
    assert (answer.state, answer.value, answer.detail, len(server.seen)) == ("ok", GOOD, shown, requests)
    [asked] = list(exchanges(tmp_path, answer.key))
    assert asked["state"] == "ok"
    assert len([part for part in asked["sent"]["messages"][1]["content"] if part["type"] == "image"]) == len(
        images_of(server.seen[-1].body)
    )
    [again] = ask(online(server.url), tmp_path, large(16, 2000))
    assert (again.cached, again.key, again.detail) == (True, answer.key, shown)


def test_a_number_of_images_that_was_declined_is_not_sent_again(server: Misbehaving, tmp_path: Path) -> None:
    """Each number is declined once; what is shown of the others is the same as if each had found it out
    itself."""
    server.always = depending(lambda body: good() if len(images_of(body)) <= 4 else TOO_MANY)
    numbers = (16, 16, 12, 8, 6, 4, 3)
    answers = ask(
        online(server.url),
        tmp_path,
        *[large(images, 100, text=f"lesson {at}") for at, images in enumerate(numbers)],
    )
    assert [answer.state for answer in answers] == ["ok"] * 7
    assert [answer.detail.partition(" images")[0] for answer in answers] == [
        *["shown: 4 of 16"] * 2,
        "shown: 3 of 12",
        "shown: 4 of 8",
        "shown: 3 of 6",
        "",
        "",
    ]
    assert Counter(len(images_of(seen.body)) for seen in server.seen) == {
        16: 1,
        12: 1,
        8: 1,
        6: 1,
        4: 4,
        3: 3,
    }


def test_an_image_that_is_not_even_read_as_jpeg_is_declined_and_many_stop_the_run(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = depending(lambda body: NO_PNG if "broken" in str(body) else good())
    answers = ask(online(server.url), tmp_path, large(1, 10), large(1, 10, text="broken"))
    assert [answer.state for answer in answers] == ["ok", "declined"]
    with pytest.raises(
        ProviderError,
        match=r"declines every request: HTTP 400: Unsupported image format\. .* one that reads JPEG images",
    ):
        ask(online(server.url), tmp_path, *[large(1, 10, text=f"broken {number}") for number in range(20)])


def test_images_that_are_small_already_are_not_sent_again_as_they_are(
    server: Misbehaving, tmp_path: Path
) -> None:
    """Half of 512 pixels changes nothing about an image of 96: the next question has fewer images."""
    server.always = depending(lambda body: good() if len(images_of(body)) <= 1 else TOO_LONG)
    [answer] = ask(online(server.url), tmp_path, large(3, 100, size=(96, 64)))
    assert (answer.state, [len(images_of(seen.body)) for seen in server.seen]) == ("ok", [3, 1])


def test_two_builds_that_must_ask_less_pay_for_each_answer_once(server: Misbehaving, tmp_path: Path) -> None:
    server.always = depending(lambda body: good(delay=0.02) if len(images_of(body)) <= 1 else TOO_MANY)
    requests = [large(4, 10, text=f"lesson {number}") for number in range(8)]

    async def both() -> list[Any]:
        clients = [Client(online(server.url), tmp_path) for _ in range(2)]
        answers = await asyncio.gather(*[client.ask(request) for request in requests for client in clients])
        for client in clients:
            await client.close()
        return answers

    assert {(answer.state, answer.detail.partition(" images")[0]) for answer in asyncio.run(both())} == {
        ("ok", "shown: 1 of 4")
    }
    assert sum(len(images_of(seen.body)) == 1 for seen in server.seen) == 8


def test_a_question_that_never_fits_is_too_large(server: Misbehaving, tmp_path: Path) -> None:
    server.always = depending(lambda body: TOO_LONG if "huge" in str(body) else good())
    answers = ask(online(server.url), tmp_path, large(1, 10), large(2, 400, text="huge"))
    assert [answer.state for answer in answers] == ["ok", "too_large"]
    assert (answers[1].retryable, answers[1].detail) == (
        False,
        "HTTP 400: maximum context length is 8192 tokens",
    )


def test_a_server_for_which_everything_is_too_large_stops_the_run_with_a_hint(
    server: Misbehaving, tmp_path: Path
) -> None:
    server.always = TOO_LONG
    with pytest.raises(
        ProviderError,
        match=r"declines every request: .* Raise the context of the server or lower llm\.max_tokens",
    ):
        ask(online(server.url), tmp_path, *FORTY)
    assert len(server.seen) == 8


@given(
    st.integers(0, 40),
    st.integers(1, 2000),
    st.none() | st.integers(1, 5000),
    st.lists(st.sampled_from(["length", "images", "pixels", "format"])),
)
def test_smaller_is_smaller_and_comes_to_an_end(
    images: int, px: int, words: int | None, excesses: list[Any]
) -> None:
    now: Shown | None = Shown(images, px, words)
    for excess in [*excesses, *["length"] * 30]:
        before, now = now, now.less(excess) if now else None
        if before and now:
            assert now != before
            assert (now.images, now.px, now.words or 0, not now.jpeg) <= (
                before.images,
                before.px,
                before.words or 0,
                not before.jpeg,
            )
            assert now.images >= min(1, before.images)
    assert now is None
