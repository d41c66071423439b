"""`leaf build --dry-run` against the bill: what it estimates, and whether it says so when it cannot know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command import leaf
from e2e.test_build_llm import example, is_judge
from llm.fake_clock import FakeClock
from llm.judging import text_of, verdict
from llm.misbehaving import Body, Misbehaving, Step, depending, say, serving, status
from making import InlineEngine, build, mmc4, png, recipe, unjudged

from leafinstruct.cli.forecast import show_forecast
from leafinstruct.errors import ProviderError
from leafinstruct.forecast.run import Forecast, forecast
from leafinstruct.ingest import forecast as sampling
from leafinstruct.ingest.forecast import Sampled
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.llm import clock as clocks
from leafinstruct.recipe import load as recipes
from leafinstruct.records import removals
from leafinstruct.rewrite.checks.config import Checks
from leafinstruct.rewrite.refine.examine import FIELDS
from leafinstruct.runtime.artifact import Artifact

PRICE = {"input_per_million": 2, "output_per_million": 8}
WORDS = ("wall", "house", "board", "paint", "brush", "ladder", "window", "garden", "water", "stone")
SKETCHES = {"kind": "sketchbook", "name": "sketches", "seed": 5, "documents": 24, "videos": 0, "image_px": 64}


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "CLOCK", FakeClock())


def number_of(*what: object) -> float:
    """A number from 0 to 1 that depends on nothing but its arguments."""
    return int(hashlib.sha256(repr(what).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


@dataclass
class Model:
    """A model with a price. noise: share by which answers differ in length; sent_back: share of the examples
    that its examiner sends back; dropped: share of the documents that its judge rates low; wordy: tokens that
    it thinks about pages."""

    noise: float = 0.1
    sent_back: float = 0.0
    dropped: float = 0.0
    wordy: int = 400
    faulty: float = 0.0
    corrected: int = 0
    usage: list[tuple[int, int]] = field(default_factory=list)

    def answer(self, body: Body) -> Step:
        text = text_of(body)
        identity = text[-3_000:]
        of_pages = "Page " in text
        if is_judge(body):
            low = number_of(identity, "judge") < self.dropped
            value: dict[str, Any] = verdict(body, 1 if low else 4, "a reason " * (9 if of_pages else 4))
        elif "You examine one training example" in text:
            back = number_of(identity, "examine") < self.sent_back
            value = {field: {"reason": "It is so. " * 4, "score": 3 if back else 5} for field in FIELDS}
            value["critique"] = "Say more about the second step. " * 4 if back else ""
        else:
            value = example(body)
        said = json.dumps(value)
        if len(body["messages"]) == 2 and number_of(identity, "faulty") < self.faulty:
            self.corrected += 1
            said = said[: len(said) // 2] + " and so on."
        images = sum(
            item.get("type") == "image_url"
            for message in body["messages"]
            if isinstance(message["content"], list)
            for item in message["content"]
        )
        thought = self.wordy if of_pages else 40
        length = (len(said) / 3.4 + thought) * (1 + self.noise * (2 * number_of(identity, "length") - 1))
        usage = (120 + int(len(text) / 3.1) + 410 * images, int(length))
        self.usage.append(usage)
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        return say(said, usage=counts)

    @property
    def dollars(self) -> float:
        return sum(before * 2 + after * 8 for before, after in self.usage) / 1e6


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(model: Model) -> Iterator[Misbehaving]:
    with serving(depending(model.answer)) as server:
        yield server


def sentences(seed: str, count: int) -> str:
    words = [WORDS[int(number_of(seed, at) * len(WORDS)) % len(WORDS)] for at in range(9 * count)]
    return " ".join(f"{' '.join(words[at : at + 9]).capitalize()}." for at in range(0, len(words), 9))


def crawl(folder: Path, count: int) -> dict[str, Any]:
    pages = {
        f"https://host{number}.example/{number}": [
            (
                f"Step {at}. {sentences(f'{number}-{at}', 1 + int(6 * number_of(number)))}",
                png((7 * number % 255, 60 * at, 90), dot=2 * at + 1),
            )
            for at in range(2 + number % 4)
        ]
        for number in range(count)
    }
    mmc4(folder / "crawl", pages)
    return {"kind": "mmc4", "name": "crawl", "path": "crawl"}


def site(folder: Path, count: int) -> dict[str, Any]:
    for number in range(count):
        page = folder / f"site/{number}"
        page.mkdir(parents=True)
        body = [f"<h1>Page {number} of the site</h1>"]
        for at in range(2 + number % 3):
            (page / f"{at}.png").write_bytes(png((90, 7 * number % 255, 50 * at), dot=3 * at + 1))
            words = sentences(f"page {number} {at}", 3 + int(9 * number_of("page", number)))
            body.append(f'<p>{words}</p><p><img src="{at}.png" width="64" height="64"></p>')
        (page / "index.html").write_text(f"<html><body><main>{''.join(body)}</main></body></html>")
    return {"kind": "html", "name": "site", "path": "site"}


def own(folder: Path, server: Misbehaving, *sources: dict[str, Any], **sections: Any) -> Path:
    rules = sections.pop("rules", [])
    return recipe(
        folder,
        ingest={"sources": list(sources)},
        filter={
            "min_words": 5,
            "alignment": {"allow_toy": True, "model": None},
            "rules": rules,
            "judge": sections.pop("judge", {}),
        },
        rewrite={"checks": dict.fromkeys(Checks.model_fields), **sections.pop("rewrite", {})},
        llm={
            "provider": "openai",
            "base_url": server.url,
            "model": "m",
            "price": PRICE,
            **sections.pop("llm", {}),
        },
        **sections,
    )


def expected(path: Path, calibrate: int = 0, *changes: str) -> Forecast:
    return forecast(recipes.load(path, changes), InlineEngine(), calibrate)


def error_of(found: Forecast, model: Model) -> float:
    """Of the dollars, as a share of the bill."""
    assert found["dollars"] is not None
    return abs(found["dollars"] / model.dollars - 1)


def shown(found: Forecast, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    show_forecast(found, False)
    return capsys.readouterr().out


@pytest.mark.parametrize("corpus", ["crawl", "site", "sketches", "mixed"])
def test_three_documents_of_each_source_show_the_bill(
    tmp_path: Path, model: Model, server: Misbehaving, corpus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = {
        "crawl": lambda: [crawl(tmp_path, 30)],
        "site": lambda: [site(tmp_path, 30)],
        "sketches": lambda: [SKETCHES],
        "mixed": lambda: [crawl(tmp_path, 20), site(tmp_path, 20), SKETCHES],
    }[corpus]()
    path = own(tmp_path, server, *sources)
    rough = expected(path)
    assert server.seen == []
    assert (rough["error"], rough["answers"]) == (None, 0)
    assert "accuracy       rough" in shown(rough, capsys)
    found = expected(path, 3)
    assert found["error"] is not None
    assert found["error"] <= 0.1
    assert found["needed"] is None
    assert (found["answers"], found["paid"]["requests"]) == (3 * len(sources), 9 * len(sources))
    assert found["paid"]["dollars"] == pytest.approx(model.dollars, abs=1e-4)
    text = shown(found, capsys)
    assert "within 10% of the bill" in text
    assert "NOT" not in text
    build(path)
    assert error_of(found, model) <= found["error"]
    assert error_of(rough, model) > error_of(found, model)
    # nothing was asked twice
    assert len({seen.text for seen in server.seen}) == len(server.seen) == found["requests"]
    exact = expected(path)
    assert exact["dollars"] == pytest.approx(model.dollars, abs=1e-4)
    assert (exact["error"], exact["estimated"]) == (0.0, [])
    assert "accuracy       exact" in shown(exact, capsys)


def test_one_document_is_not_enough_and_is_said_to_be(
    tmp_path: Path, model: Model, server: Misbehaving, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own(tmp_path, server, crawl(tmp_path, 12))
    found = expected(path, 1)
    assert (found["error"], found["needed"], found["answers"]) == (None, 3, 1)
    text = shown(found, capsys)
    assert "accuracy       not known" in text
    assert "--calibrate 3" in text


@pytest.mark.slow
def test_answers_that_vary_are_not_within_ten_percent(
    tmp_path: Path, model: Model, server: Misbehaving, capsys: pytest.CaptureFixture[str]
) -> None:
    """Examples that go back, answers that are corrected, lengths that differ."""
    model.noise, model.sent_back, model.faulty = 0.8, 0.4, 0.3
    path = own(tmp_path, server, crawl(tmp_path, 25), site(tmp_path, 25))
    found = expected(path, 3)
    assert found["error"] is not None
    assert found["needed"] is not None
    assert found["error"] > 0.1
    assert 3 < found["needed"] <= 25
    assert "NOT within 10% of the bill" in shown(found, capsys)
    better = expected(path, found["needed"])
    assert better["error"] is not None
    assert better["error"] < found["error"]
    build(path)
    assert model.corrected > 5
    assert len(server.seen) > 50 * 3 * 1.15
    assert error_of(found, model) <= found["error"]
    assert error_of(better, model) <= better["error"]


def test_the_share_that_a_judge_drops_is_measured_and_exact_once_filter_is_done(
    tmp_path: Path, model: Model, server: Misbehaving
) -> None:
    model.dropped = 0.4
    rule = {"score": "judge.text_quality", "min": 3, "model": "m"}
    path = own(tmp_path, server, crawl(tmp_path, 40), rules=[rule])
    assert expected(path)["steps"]["rewrite"]["requests"] == 60
    found = expected(path, 6)
    assert found["error"] is not None
    assert found["error"] > 0.1
    build(path, until="filter")
    asked = len(server.seen)
    judged = expected(path)
    # nothing was rewritten in this run
    assert (judged["error"], judged["needed"]) == (None, 41)
    closer = expected(path, 4)
    assert closer["error"] is not None
    assert closer["error"] <= 0.1
    build(path)
    kept = (len(server.seen) - 40) // 2
    assert kept < 36
    assert closer["steps"]["judge m"]["requests"] == 40
    assert closer["steps"]["rewrite"]["requests"] == kept
    assert error_of(closer, model) <= closer["error"]
    assert asked < len(server.seen)


def test_half_a_build_shows_the_rest_of_the_bill(tmp_path: Path, model: Model, server: Misbehaving) -> None:
    """The rewriter goes away after some parts: their answers are enough, without further ones."""
    path = own(tmp_path, server, crawl(tmp_path, 24), part_size=4, llm={"deadline": 5})
    build(path, until="filter")
    left = 14 * 2

    def away(body: Body) -> Step:
        nonlocal left
        left -= 1
        return model.answer(body) if left >= 0 else status(503)

    server.always = depending(away)
    with pytest.raises(ProviderError):
        build(path)
    server.always = depending(model.answer)
    asked = len(server.seen)
    found = expected(path)
    assert len(server.seen) == asked
    assert found["steps"]["judge m"]["requests"] == 24
    assert 4 < found["paid"]["requests"] - 24 < 48
    assert found["error"] is not None
    assert found["error"] <= 0.1
    build(path)
    assert error_of(found, model) <= found["error"]


def test_a_panel_with_samples_and_a_batch_is_asked_directly_and_counted_at_its_prices(
    tmp_path: Path, model: Model, server: Misbehaving
) -> None:
    judges = [
        {"name": "one", "model": "a", "price": {"input_per_million": 1, "output_per_million": 2}},
        {"name": "other", "model": "b", "price": {"input_per_million": 3, "output_per_million": 9}},
    ]
    path = own(
        tmp_path,
        server,
        crawl(tmp_path, 8),
        judge={"judges": judges, "samples": 2},
        llm={"temperature": 0.7, "batch": {"price": 0.5}},
    )
    found = expected(path, 8)  # all documents; a server without a Batch API
    assert {name: step["requests"] for name, step in found["steps"].items()} == {
        "judge one": 16,
        "judge other": 16,
        "rewrite": 8,
        "examine": 8,
    }
    prices = {"a": (1, 2), "b": (3, 9), "m": (2, 8)}
    full = sum(
        before * prices[seen.body["model"]][0] + after * prices[seen.body["model"]][1]
        for seen, (before, after) in zip(server.seen, model.usage, strict=True)
    )
    assert found["dollars"] == pytest.approx(0.5 * full / 1e6, abs=1e-4)
    assert found["error"] == 0


def test_a_removed_record_is_neither_counted_nor_sent(
    tmp_path: Path, model: Model, server: Misbehaving
) -> None:
    path = own(tmp_path, server, crawl(tmp_path, 6))
    entry = {"url": "https://host2.example/2", "purged": True}
    removals.beside(path).write_text(json.dumps(entry) + "\n")
    found = expected(path, 6)
    assert (found["documents"], found["answers"], len(server.seen)) == (5, 5, 15)
    gone = sentences("2-0", 1)
    assert not any(gone in seen.text for seen in server.seen)


def test_a_sample_is_spread_over_a_source_and_knows_whether_it_is_whole(tmp_path: Path) -> None:
    def sampled(count: int, *changes: str, limit: int | None = None) -> Sampled:
        path = unjudged(tmp_path, {f"https://a.example/{at}": [("Some text.", None)] for at in range(60)})
        settings = IngestSettings.of(recipes.load(path, changes, limit))
        (found,) = sampling.sample(settings, Artifact(tmp_path / "scratch"), InlineEngine(), count)
        return found

    def places(found: Sampled) -> list[int]:
        return [int((document.url or "").rpartition("/")[2]) for document in found.documents]

    whole = sampled(60)
    assert (whole.whole, whole.planned, places(whole)) == (True, 60, list(range(60)))
    few = sampled(6)
    assert (few.whole, few.planned, places(few)) == (False, 60, [5, 15, 25, 35, 45, 55])
    parted = sampled(16, "part_size=4")  # 15 parts, of which 8 are read
    assert (parted.planned, len(parted.documents), parted.whole) == (60, 16, False)
    assert max(places(parted)) > 50
    limited = sampled(60, limit=7)
    assert (limited.whole, limited.planned, places(limited)) == (True, 7, list(range(7)))


def test_a_sample_decodes_no_more_videos_than_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of other sources it reads a few documents for each one that it takes, never whole parts."""
    path = unjudged(tmp_path, {f"https://a.example/{at}": [("Some text.", None)] for at in range(60)})
    settings = IngestSettings.of(recipes.load(path, ("part_size=30",)))
    read: list[object] = []
    original = sampling.read_unit

    def counted(*about: Any) -> Iterator[Any]:
        for document in original(*about):
            read.append(document)
            yield document

    monkeypatch.setattr(sampling, "read_unit", counted)
    (found,) = sampling.sample(settings, Artifact(tmp_path / "scratch"), InlineEngine(), 4)
    assert (len(found.documents), len(read)) == (4, 2 * 21)
    read.clear()
    monkeypatch.setattr(sampling, "COSTLY", {settings.config.sources[0].kind})
    (found,) = sampling.sample(settings, Artifact(tmp_path / "scratch"), InlineEngine(), 48)
    assert (len(found.documents), len(read), found.whole) == (
        sampling.COSTLY_SAMPLE,
        sampling.COSTLY_SAMPLE,
        False,
    )


def test_a_build_of_other_sources_is_no_part_of_the_bill(tmp_path: Path) -> None:
    path = unjudged(tmp_path, {"https://a.example/1": [("Some text.", None)]})
    sketches = f"ingest.sources=[{json.dumps(SKETCHES)}]"
    build(path, sketches)
    same = forecast(recipes.load(path, (sketches,)), InlineEngine())
    assert (same["documents"], same["estimated"], same["steps"]) == (24, [], {})
    more = f"ingest.sources=[{json.dumps({**SKETCHES, 'documents': 400})}]"
    other = forecast(recipes.load(path, (more,)), InlineEngine())
    assert (other["documents"], other["estimated"]) == (400, ["documents", "images"])


def test_calibration_is_part_of_a_dry_run(tmp_path: Path, model: Model, server: Misbehaving) -> None:
    path = own(tmp_path, server, crawl(tmp_path, 6))
    refused = leaf("build", path, "--calibrate", "2")
    assert refused.returncode == 2
    assert "needs --dry-run" in " ".join(refused.stderr.split())
    assert server.seen == []
    done = leaf("build", path, "--dry-run", "--calibrate", "2")
    assert done.returncode == 0, done.stderr
    assert len(server.seen) == 6
    assert "paid so far" in done.stdout
    assert not (path.parent / "runs/t").exists()
    offline = leaf("build", path, "--dry-run", "--calibrate", "2", "--set", "llm={provider: offline}")
    assert "0 (offline)" in offline.stdout
