"""The Batch API against a local server: batches for all questions, kills, and results that are missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from llm.asking import ask_and_count, online, question
from llm.batch_server import BatchServer, Fault, Result, batching, hang_up, instead, well
from llm.fake_clock import FakeClock
from llm.misbehaving import GOOD, Body, completion, depending, good, status
from pydantic import ValidationError

from leafinstruct.errors import ProviderError
from leafinstruct.llm.batch.jobs import Job, Jobs
from leafinstruct.llm.client import Client, Counts
from leafinstruct.llm.config import LlmConfig
from leafinstruct.llm.request import Answer, Request, SentImage

KEY = "sk-0123456789abcdef"
PRICE = {"input_per_million": 1000.0, "output_per_million": 0.0}
"""A dollar for 1,000 tokens of input; each answer counts 100 of them."""


@pytest.fixture
def server(clock: FakeClock) -> Iterator[BatchServer]:
    with batching(now=clock.now) as server:
        yield server


def questions(count: int, **settings: Any) -> list[Request]:
    return [question(f"lesson {number}", **settings) for number in range(count)]


def run(server: BatchServer, cache: Path, *requests: Request, **settings: Any) -> tuple[list[Answer], Counts]:
    return ask_and_count(online(server.url, **{"batch": True, **settings}), cache, *requests)


def of(text: str, otherwise: Callable[[Body], Result]) -> Callable[[Body], Result]:
    """Answer well where the prompt contains the text, else `otherwise`."""
    return lambda body: (well if text in json.dumps(body["messages"]) else otherwise)(body)


def test_all_questions_but_the_first_are_one_batch_and_share_the_cache_with_direct_requests(
    server: BatchServer, tmp_path: Path
) -> None:
    answers, counts = run(server, tmp_path, *questions(20))
    assert [answer.value for answer in answers] == [GOOD] * 20
    assert (len(server.seen), len(server.batches), len(server.requests_in(0))) == (1, 1, 19)
    assert counts.requests == 20
    line = server.requests_in(0)[0]
    assert (line["method"], line["url"], len(line["custom_id"])) == ("POST", "/v1/chat/completions", 64)
    # the same body as a direct request, but for the text
    assert line["body"].keys() == server.seen[0].body.keys()

    answers, counts = ask_and_count(online(server.url), tmp_path, *questions(20))
    assert (counts.requests, counts.cache_hits) == (0, 20)
    answers, counts = run(server, tmp_path, *questions(20))
    assert (counts.requests, len(server.batches)) == (0, 1)


def test_a_batch_costs_its_share_of_the_price_and_the_budget_is_reserved_when_it_is_collected(
    server: BatchServer, tmp_path: Path
) -> None:
    settings = {"price": PRICE, "batch": {"price": 0.5}}
    answers, counts = run(server, tmp_path / "1", *questions(11), **settings)
    assert counts.dollars == pytest.approx(0.1 + 10 * 0.05)
    paid = sorted(answer.paid.dollars or 0 for answer in answers if answer.paid)
    assert paid == [pytest.approx(0.05)] * 10 + [pytest.approx(0.1)]

    # A request may cost $0.5, and only some fit at once: the others wait for the first batch.
    answers, counts = run(server, tmp_path / "2", *questions(11), **settings, budget=2.0)
    assert {answer.state for answer in answers} == {"ok"}
    assert counts.dollars == pytest.approx(0.6)
    assert len(server.batches) > 2


def test_bounds_of_a_file_make_several_batches(server: BatchServer, tmp_path: Path) -> None:
    answers, _ = run(server, tmp_path / "1", *questions(8), batch={"max_requests": 3})
    assert {answer.state for answer in answers} == {"ok"}
    assert sorted(len(server.requests_in(number)) for number in range(3)) == [1, 3, 3]

    server.batches.clear()
    image = SentImage(bytes(300_000), "image/png")  # 400 kB as text
    answers, _ = run(server, tmp_path / "2", *questions(6, images=[image]), batch={"max_megabytes": 1})
    assert {answer.state for answer in answers} == {"ok"}
    assert sorted(len(server.requests_in(number)) for number in range(3)) == [1, 2, 2]
    assert all(len(data) <= 1_000_000 for data in server.files.values())

    big = question("x", images=[SentImage(bytes(800_000), "image/png")])
    [_, answer], _ = run(server, tmp_path / "3", question("first"), big, batch={"max_megabytes": 1})
    assert (answer.state, answer.retryable) == ("too_large", False)
    assert "llm.batch.max_megabytes" in answer.detail


def test_an_answer_that_fails_the_schema_is_asked_again_in_the_next_batch(
    server: BatchServer, tmp_path: Path
) -> None:
    bad = 200, completion('{"score": 9, "reason": "x"}')
    server.answer = lambda body: well(body) if len(body["messages"]) > 2 or "lesson 1" in str(body) else bad
    answers, counts = run(server, tmp_path, *questions(4))
    assert [answer.value for answer in answers] == [GOOD] * 4
    assert [len(server.requests_in(number)) for number in range(2)] == [3, 2]
    assert "from 1 to 5" in server.requests_in(1)[0]["body"]["messages"][-1]["content"]
    assert counts.requests == 6

    server.answer = lambda _: bad
    answers, _ = run(server, tmp_path / "bad", *questions(2))
    assert (answers[1].state, answers[1].detail[:30]) == ("unparsed", "no valid answer after 2 repair")


# --- results that are missing ---


@pytest.mark.parametrize(
    ("result", "state", "detail", "batches"),
    [
        ((429, {"error": {"message": "slow down"}}), "failed", "HTTP 429: slow down; 3 tries", 3),
        ((500, {"error": {"message": "oops"}}), "failed", "HTTP 500: oops; 3 tries", 3),
        ((200, {"nonsense": 1}), "failed", "a body that is no completion", 3),
        ({"code": "batch_expired", "message": "too late"}, "failed", "batch_expired: too late; 3 tries", 3),
        ((400, {"error": {"message": "content_filter", "code": "content_filter"}}), "refused", "HTTP 400", 1),
        (
            (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            "too_large",
            "HTTP 400",
            1,
        ),
        ((200, completion(None, refusal="no")), "refused", "no", 1),
    ],
    ids=["429", "500", "no-completion", "expired", "content", "length", "refusal"],
)
def test_a_request_without_an_answer_ends_with_a_reason_and_the_others_have_theirs(
    server: BatchServer, tmp_path: Path, result: Result, state: str, detail: str, batches: int
) -> None:
    server.answer = lambda body: result if "lesson 2" in str(body["messages"]) else well(body)
    answers, _ = run(server, tmp_path, *questions(4))
    assert [answer.state for answer in answers] == ["ok", "ok", state, "ok"]
    assert answers[2].detail.startswith(detail)
    assert len(server.batches) == batches
    assert [len(server.requests_in(number)) for number in range(batches)] == [3, 1, 1][:batches]


def test_what_has_expired_is_in_the_next_batch(server: BatchServer, tmp_path: Path) -> None:
    server.status, server.unanswered = "expired", 2
    answers, counts = run(server, tmp_path, *questions(6))
    assert {answer.state for answer in answers[:4]} == {"ok"}
    assert {answer.state for answer in answers[4:]} == {"failed"}
    assert [len(server.requests_in(number)) for number in range(3)] == [5, 2, 2]

    server.status, server.unanswered = "completed", 0
    answers, counts = run(server, tmp_path, *questions(6))
    assert {answer.state for answer in answers} == {"ok"}
    assert (counts.cache_hits, counts.requests) == (4, 2)


def test_a_batch_that_was_read_stays_read(tmp_path: Path) -> None:
    """Whatever another process, or a clock that goes back, writes about it later."""
    jobs, job = Jobs(tmp_path, "s"), Job("file-1", "batch-1", ("a",), {})
    jobs.put(job)
    assert jobs.known() == ([job], [])
    jobs.put(job, "read")
    jobs.put(job)
    assert jobs.known()[0] == []
    jobs.close()


def test_files_that_two_processes_read_answers_from_are_all_deleted(tmp_path: Path) -> None:
    one, two = Jobs(tmp_path, "s"), Jobs(tmp_path, "s")
    one.put(Job("file-1", "batch-1", ("a", "b"), {}))
    one.answered(Job("file-1", "batch-1", ("a", "b"), {}, ("results-1",)), ["a"])
    two.answered(Job("file-1", "batch-1", ("a", "b"), {}, ("errors-1",)), ["b"])
    unread, [read] = one.known()
    assert (unread, read.files) == ([], ("file-1", "errors-1", "results-1"))
    one.close()
    two.close()


def test_what_was_cancelled_is_not_asked_again_in_this_run(server: BatchServer, tmp_path: Path) -> None:
    server.status, server.unanswered = "cancelled", 2
    answers, _ = run(server, tmp_path, *questions(6))
    assert [answer.state for answer in answers] == ["ok"] * 4 + ["failed"] * 2
    assert answers[5].detail.startswith("batch batch_0 cancelled")
    assert answers[5].retryable
    assert len(server.batches) == 1


def test_a_batch_that_fails_gives_its_reason(server: BatchServer, tmp_path: Path) -> None:
    server.status = "failed"
    server.errors = [{"code": "invalid_model", "message": "no batches for this model", "line": 1}]
    answers, counts = run(server, tmp_path, *questions(4), price=PRICE)
    assert [answer.state for answer in answers] == ["ok"] + ["failed"] * 3
    assert answers[1].detail.startswith("batch batch_0 failed: no batches for this model")
    assert counts.dollars == pytest.approx(0.1)  # only the direct request


def test_a_full_queue_of_the_provider_is_waited_for(
    server: BatchServer, tmp_path: Path, clock: FakeClock
) -> None:
    server.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
    server.status = lambda: "failed" if len(server.batches) < 3 else "completed"
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads()) == (3, 1)
    assert clock.slept.count(300) == 2


@pytest.mark.parametrize("name", ["output_file_id", "error_file_id"])
def test_results_that_are_gone_are_asked_for_again(server: BatchServer, tmp_path: Path, name: str) -> None:
    failing = (500, {"error": {"message": "oops"}})
    server.answer = of("lesson 1", lambda body: failing if len(server.batches) == 1 else well(body))
    lost = {"output_file_id": 0, "error_file_id": 1}[name]
    downloads = [Fault("GET", "/v1/files/file-", instead(404, "No such File object")) for _ in range(1)]
    if lost:
        downloads.insert(0, Fault("GET", "/v1/files/file-1", _passed(server), after=False))
    server.faults = downloads
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.batches) == 2


def _passed(server: BatchServer) -> Any:
    """The file as it is."""

    async def step(request: web.Request) -> web.Response:
        return web.Response(body=server.files[request.path.split("/")[3]])

    return step


def test_damaged_results_are_asked_for_again(server: BatchServer, tmp_path: Path) -> None:
    async def step(_request: web.Request) -> web.Response:
        [first, *_] = [line["custom_id"] for line in server.requests_in(0)]
        lines = [
            b"not json",
            b"[1]",
            json.dumps({"custom_id": "f" * 64, "response": None}).encode(),
            json.dumps({"custom_id": ["x"]}).encode(),
            b"[" * 100_000,
            json.dumps(
                {"custom_id": first, "response": {"status_code": 200, "body": well({})[1]}}  # type: ignore[index]
            ).encode(),
            b'{"custom_id": "cut',
        ]
        return web.Response(body=b"\n".join(lines))

    server.faults = [Fault("GET", "/v1/files/file-1", step)]
    answers, counts = run(server, tmp_path, *questions(4), price=PRICE)
    assert {answer.state for answer in answers} == {"ok"}
    assert [len(server.requests_in(number)) for number in range(2)] == [3, 2]
    # two answers were paid for that did not arrive, by the estimate of their 125 tokens at half the price
    assert counts.dollars == pytest.approx(0.1 + 3 * 0.05 + 2 * 0.0625)
    assert [answer.paid and answer.paid.dollars for answer in answers] == [0.1, 0.05, 0.1125, 0.1125]


# --- a server that misbehaves meanwhile ---


def test_polls_that_are_limited_or_fail_are_repeated(
    server: BatchServer, tmp_path: Path, clock: FakeClock
) -> None:
    server.faults = [
        Fault("POST", "/v1/files", instead(503)),
        Fault("POST", "/v1/batches", instead(500)),
        Fault("GET", "/v1/batches/", instead(429, headers={"Retry-After": "17"})),
        Fault("GET", "/v1/batches/", instead(502)),
        Fault("GET", "/v1/batches/", hang_up),
        Fault("GET", "/v1/files/", hang_up),
    ]
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads(), server.faults) == (1, 2, [])
    assert any(17 <= seconds < 18 for seconds in clock.slept)


def test_pauses_between_polls_grow_to_ten_times_the_first(
    server: BatchServer, tmp_path: Path, clock: FakeClock
) -> None:
    server.polls = 12
    run(server, tmp_path, *questions(3), batch={"poll": 20})
    pauses = [seconds for seconds in clock.slept if seconds >= 20]
    assert (pauses[0], pauses[1], pauses[-1], len(pauses)) == (20, 30, 200, 11)


def test_a_created_batch_whose_response_was_lost_is_found_and_not_created_twice(
    server: BatchServer, tmp_path: Path
) -> None:
    server.faults = [Fault("POST", "/v1/batches", hang_up, after=True)]
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads()) == (1, 1)


def test_an_outage_while_polling_stops_the_run_and_the_next_one_goes_on(
    server: BatchServer, tmp_path: Path
) -> None:
    server.faults = [Fault("GET", "/v1/batches/", instead(500, "down")) for _ in range(500)]
    with pytest.raises(ProviderError, match=r"Batch API does not answer: HTTP 500: down; .* goes on"):
        run(server, tmp_path, *questions(4), deadline=60)
    server.faults = []
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads(), len(server.seen)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("POST", "/v1/files", instead(404)), "has no Batch API .* Remove llm.batch"),
        (Fault("POST", "/v1/files", instead(401, "bad key")), "refused the key|requires a key"),
        (Fault("POST", "/v1/batches", instead(400, "bad window")), "declines a request: .*bad window"),
    ],
    ids=["no-batches", "key", "declined"],
)
def test_a_server_that_takes_no_batch_stops_the_run_with_a_hint(
    server: BatchServer, tmp_path: Path, fault: Fault, message: str
) -> None:
    server.faults = [fault]
    with pytest.raises(ProviderError, match=message):
        run(server, tmp_path, *questions(4))


def test_a_batch_that_the_server_does_not_know_any_longer_is_made_again(
    server: BatchServer, tmp_path: Path
) -> None:
    crash(server, tmp_path, questions(4), Fault("GET", "/v1/batches/", _never))
    server.batches.clear()
    server.files.clear()
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads()) == (1, 2)


# --- kills ---


async def _never(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


def crash(server: BatchServer, cache: Path, requests: list[Request], fault: Fault) -> None:
    """Run until the server meets this request, and end then without closing anything."""
    server.faults = [fault]

    async def until_it_is_met() -> None:
        client = Client(online(server.url, batch=True), cache)
        asking = asyncio.ensure_future(asyncio.gather(*map(client.ask, requests)))
        await asyncio.to_thread(fault.met.wait, 60)
        assert not asking.done()
        await asyncio.sleep(0.05)  # what follows the request if it is answered
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking

    asyncio.run(until_it_is_met())


@pytest.mark.parametrize(
    ("fault", "uploads", "direct"),
    [
        # nothing is paid for before the batch is created
        (Fault("POST", "/v1/files", _never, after=True), 2, 2),
        (Fault("POST", "/v1/batches", _never), 1, 1),
        (Fault("POST", "/v1/batches", _never, after=True), 1, 1),
        (Fault("GET", "/v1/batches/", _never), 1, 1),
        (Fault("GET", "/v1/files/", _never), 1, 1),
    ],
    ids=["uploaded", "before-create", "created", "polling", "reading"],
)
def test_a_killed_run_is_continued_without_a_second_batch(
    server: BatchServer, tmp_path: Path, fault: Fault, uploads: int, direct: int
) -> None:
    crash(server, tmp_path, questions(8), fault)
    answers, counts = run(server, tmp_path, *questions(8))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads()) == (1, uploads)
    assert len(server.seen) == direct
    assert counts.requests == 7

    run(server, tmp_path, *questions(9))
    assert len(server.seen) == direct + 1  # the batch is read, and its terms are no longer known
    assert len(server.batches) == 1


def test_a_run_that_was_killed_between_two_batches_repeats_neither(
    server: BatchServer, tmp_path: Path
) -> None:
    """The bad answer is read again from the first batch, and its repair from the second."""
    bad = 200, completion('{"score": 9, "reason": "x"}')
    server.answer = lambda body: well(body) if len(body["messages"]) > 2 else bad
    polls = [Fault("GET", "/v1/batches/batch_1", _never)]
    crash(server, tmp_path, questions(5), polls[0])
    assert len(server.batches) == 2
    answers, _ = run(server, tmp_path, *questions(5))
    assert {answer.state for answer in answers} == {"ok"}
    assert (len(server.batches), server.uploads(), len(server.seen)) == (2, 2, 1)


def test_a_continued_run_keeps_the_terms_that_were_negotiated(server: BatchServer, tmp_path: Path) -> None:
    message = {"message": "Unsupported parameter: 'max_tokens'", "code": "unsupported_parameter"}
    declined = status(400, {"error": {**message, "param": "max_tokens"}})
    server.always = depending(lambda body: declined if "max_tokens" in body else good())
    server.answer = lambda body: (400, {"error": message}) if "max_tokens" in body else well(body)
    crash(server, tmp_path, questions(4), Fault("GET", "/v1/batches/", _never))
    requests = len(server.seen)
    answers, _ = run(server, tmp_path, *questions(6))
    assert {answer.state for answer in answers} == {"ok"}
    assert len(server.seen) == requests
    assert [len(server.requests_in(number)) for number in range(2)] == [3, 2]
    assert all("max_completion_tokens" in line["body"] for line in server.requests_in(1))


def test_another_model_does_not_take_the_batch(server: BatchServer, tmp_path: Path) -> None:
    crash(server, tmp_path, questions(4), Fault("GET", "/v1/batches/", _never))
    run(server, tmp_path, *questions(4), model="other")
    assert (len(server.batches), server.uploads()) == (2, 2)


# --- files at the provider ---


def deletions(server: BatchServer) -> int:
    return sum(method == "DELETE" for method, _ in server.asked)


def test_requests_and_results_are_deleted_at_the_provider_when_every_answer_is_in_the_cache(
    server: BatchServer, tmp_path: Path
) -> None:
    bad = 200, completion('{"score": 9, "reason": "x"}')
    server.answer = lambda body: (
        well(body)
        if len(body["messages"]) > 2
        else bad
        if "lesson 1" in str(body)
        else (400, {"error": {"message": "no"}})
        if "lesson 2" in str(body)
        else well(body)
    )
    run(server, tmp_path, *questions(5))
    assert len(server.batches) == 2
    # requests, results and errors of the first batch; requests and results of the second
    assert sorted(server.deleted) == sorted(server.files)
    assert len(server.files) == 5
    answers, _ = run(server, tmp_path, question("lesson 0"), question("lesson 1"), question("another"))
    assert [answer.state for answer in answers] == ["ok"] * 3
    assert deletions(server) == 5


def test_a_batch_with_an_open_question_keeps_its_files(server: BatchServer, tmp_path: Path) -> None:
    bad = 200, completion('{"score": 9, "reason": "x"}')
    server.answer = lambda body: bad if "lesson 1" in str(body) and len(body["messages"]) == 2 else well(body)
    crash(server, tmp_path, questions(4), Fault("GET", "/v1/batches/batch_1", _never))
    assert server.deleted == []
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    assert sorted(server.deleted) == sorted(server.files)


@pytest.mark.parametrize("kept", ["killed", "down"])
def test_files_that_a_run_left_are_deleted_by_the_next_one(
    server: BatchServer, tmp_path: Path, kept: str
) -> None:
    fault = Fault("DELETE", "/v1/files/", _never if kept == "killed" else instead(503, "down"))
    server.faults = [fault]

    async def until_it_is_met() -> None:
        client = Client(online(server.url, batch=True), tmp_path)
        await asyncio.gather(*map(client.ask, questions(4)))
        assert await asyncio.to_thread(fault.met.wait, 60)
        if kept == "down":
            await client.close()

    asyncio.run(until_it_is_met())
    assert len(server.deleted) < len(server.files)
    run(server, tmp_path, question("another"))
    assert sorted(server.deleted) == sorted(server.files)
    before = deletions(server)
    run(server, tmp_path, question("one more"))
    assert deletions(server) == before


def test_a_server_that_deletes_no_files_is_asked_once(server: BatchServer, tmp_path: Path) -> None:
    server.faults = [Fault("DELETE", "/v1/files/", instead(405)) for _ in range(2)]
    answers, _ = run(server, tmp_path, *questions(4))
    assert {answer.state for answer in answers} == {"ok"}
    run(server, tmp_path, question("another"))
    assert (deletions(server), server.deleted) == (2, [])


# --- what is stored and sent ---


def test_no_key_reaches_a_file_or_the_journal(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAF_TEST_KEY", KEY)
    server.answer = of("lesson 1", lambda _: (500, {"error": {"message": f"your key {KEY}"}}))
    answers, _ = run(server, tmp_path, *questions(3), key_env="LEAF_TEST_KEY")
    assert [answer.state for answer in answers] == ["ok", "ok", "failed"]
    assert all(head["Authorization"] == f"Bearer {KEY}" for head in server.heads)
    assert not [data for data in server.files.values() if KEY.encode() in server_lines(data)]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"batches" in b"".join(str(path).encode() for path in tmp_path.iterdir())
    assert KEY.encode() not in stored
    assert KEY not in str(answers)


def server_lines(data: bytes) -> bytes:
    """Requests of a file, without results, in which this server echoes the key."""
    return b"\n".join(line for line in data.splitlines() if b'"method"' in line)


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        ({"batch": True}, "batch needs a provider"),
        ({"batch": {"max_requests": 60_000}}, "less than or equal to 50000"),
        ({"batch": {"poll": 0}}, "greater than 0"),
        (
            {
                "provider": "azure",
                "base_url": "https://a.openai.azure.com",
                "model": "m",
                "api_version": "2024-10-21",
                "batch": True,
            },
            "leave out api_version",
        ),
        (
            {
                "provider": "openai",
                "base_url": "http://h/v1",
                "model": "m",
                "batch": {},
                "extra_body": {"user": "env:WHO"},
            },
            "extra_body with env:NAME",
        ),
    ],
)
def test_bad_settings_are_refused_with_a_hint(section: Body, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        LlmConfig(**section)


def test_batch_false_is_no_batch() -> None:
    assert LlmConfig(batch=False).batch is None  # type: ignore[arg-type]


def test_the_state_of_a_batch_is_shown(server: BatchServer, tmp_path: Path) -> None:
    server.faults = [Fault("GET", "/v1/files/", _never)]
    states: list[str] = []

    async def watch() -> None:
        client = Client(online(server.url, batch=True), tmp_path)
        state = client.needs("judging").state
        assert state is not None
        states.append(state())
        asking = asyncio.gather(*map(client.ask, questions(5)))
        await asyncio.to_thread(server.faults[0].met.wait, 60)
        states.append(state())
        await client.close()
        with contextlib.suppress(asyncio.CancelledError):
            await asking

    asyncio.run(watch())
    assert states == ["", "batch batch_0 (completed), 4 of 4 requests answered"]
    assert server.batches[0]["status"] == "completed"
