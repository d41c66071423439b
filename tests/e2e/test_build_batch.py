"""Builds through a Batch API: the rows of a direct build, a batch a step, and what an interrupt leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, leaf
from e2e.test_build import pages
from e2e.test_build_llm import example, is_judge
from llm.batch_server import BatchServer, Result, batching
from llm.fake_clock import FakeClock
from llm.judging import text_of, verdict
from llm.misbehaving import Body, completion, depending, say
from making import build, mmc4, recipe, rows

from leafinstruct.llm import clock as clocks
from leafinstruct.rewrite.refine.examine import FIELDS

pytestmark = pytest.mark.e2e


def answer(body: Body) -> str:
    if is_judge(body):
        return json.dumps(verdict(body, 4, "fine"))
    if "You examine one training example" in text_of(body):
        return json.dumps({field: {"reason": "fine", "score": 5} for field in FIELDS} | {"critique": ""})
    return json.dumps(example(body))


def result(body: Body) -> Result:
    return 200, completion(answer(body))


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batching() as server:
        server.always = depending(lambda body: say(answer(body)))
        server.answer = result
        yield server


def own(folder: Path, server: BatchServer, **llm: Any) -> Path:
    folder.mkdir()
    mmc4(folder / "data", pages(6))
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={
            "min_words": 10,
            "alignment": {"allow_toy": True},
            "rules": [{"score": "judge.text_quality", "min": 3, "model": "m"}],
        },
        llm={"provider": "openai", "base_url": server.url, "model": "m", **llm},
    )


def test_a_build_in_batches_gives_the_rows_of_a_direct_one(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())
    build(own(tmp_path / "direct", server))
    direct = len(server.seen)
    build(own(tmp_path / "batch", server, batch=True))
    assert rows(tmp_path / "batch/runs/t/shard") == rows(tmp_path / "direct/runs/t/shard")
    # all parts of a step in one batch, but for its first question; the examiner reads what the rewriter wrote
    assert len(server.seen) - direct == 3
    assert [len(server.requests_in(number)) for number in range(len(server.batches))] == [5, 5, 5]


def test_the_dry_run_counts_the_share_of_the_price(server: BatchServer, tmp_path: Path) -> None:
    path = own(tmp_path / "own", server, price={"input_per_million": 100, "output_per_million": 100})
    direct, batch = (
        json.loads(leaf("build", path, "--dry-run", "--json", *changes).stdout)
        for changes in ([], ["--set", "llm.batch={price: 0.25}"])
    )
    assert (batch["requests"], batch["input_tokens"]) == (direct["requests"], direct["input_tokens"])
    assert batch["dollars"] == pytest.approx(direct["dollars"] / 4, abs=1e-4)
    assert direct["dollars"] > 0
    assert server.seen == []


def test_an_interrupt_leaves_the_batch_and_the_same_command_reads_it(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.polls = 1_000
    path = own(tmp_path / "own", server, batch={"poll": 0.3})
    running = subprocess.Popen([*COMMAND, "build", str(path)], stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not (server.batches and server.batches[0]["looks"] >= 6):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 130, errors
    assert "The provider goes on with batch batch_0 (in_progress), 0 of 5 requests answered" in errors
    assert "run the same command again" in errors

    server.polls = 1
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())
    build(path)
    assert len(rows(tmp_path / "own/runs/t/shard")) == 6
    assert [len(server.requests_in(number)) for number in range(len(server.batches))] == [5, 5, 5]
    assert len(server.seen) == 3
