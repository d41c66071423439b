"""A build that is divided into shares: the same bytes as an undivided one, in any order of the shares, after
kills, with one budget and one process for each host."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import leaf
from e2e.test_build_llm import example, is_judge
from llm.judging import verdict
from making import InlineEngine, build, mmc4, png, recipe, shard_sums
from serving import Answering, Serving

from leafinstruct import pipeline
from leafinstruct.errors import BudgetError, DriftError, LeafInstructError, RecipeError, SourceError
from leafinstruct.filter import fetching
from leafinstruct.filter.fetching import share_of
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.records.files import checked
from leafinstruct.runtime.engine import share as shares
from leafinstruct.runtime.engine.share import Share, Step, Waiting
from leafinstruct.runtime.files import load
from leafinstruct.runtime.locks import Fence, one_build, one_share

pytestmark = pytest.mark.e2e

STEPS = (
    "First, draw a red wall on the green grass of the large garden.",
    "Then add a brown roof on top of the wall with a wide brush.",
    "Finally, paint a small blue door in the middle of the wall.",
)


def pages(folder: Path, count: int = 20, **sections: Any) -> Path:
    """A recipe of pages in parts of two: the last page repeats the first one."""
    made = {
        f"https://site{number % 3}.example/{number}": [
            (f"{step} Page {number % (count - 1)}.", png((9 * number % 250, 60 * at, 90), dot=at))
            for at, step in enumerate(STEPS)
        ]
        for number in range(count)
    }
    mmc4(folder / "data", made)
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    passing = {
        "min_words": 10,
        "min_images": 2,
        "rules": [{"score": "duplicate.text", "max": 0}],
        "host_paragraphs": {"pages": 5, "share": 0.9},
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
    }
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": [source]},
        filter=passing | sections.pop("filter", {}),
        **({"rewrite": {"tasks": ["guide"]}, "shard": {"max_bytes": 20_000}} | sections),
    )


class KilledError(Exception):
    """Takes the place of a kill."""


def killing(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Die before a file of this process appears, after some others have."""
    left, rename = [files], Path.replace

    def replace(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


def run_share(path: Path, share: str, *changes: str, engine: InlineEngine | None = None) -> Step | None:
    """One process of a share. Returns the step that it waits for, None if the build is done."""
    try:
        build(path, *changes, engine=engine, share=Share.parse(share))
    except Waiting as waiting:
        return waiting.step
    return None


def run_all(path: Path, of: int, *changes: str, seed: int = 0) -> list[Step]:
    """Rounds of all shares, each in another order. Returns the steps at which the rounds ended."""
    order = random.Random(seed)
    met: list[Step] = []
    while True:
        numbers = list(range(1, of + 1))
        order.shuffle(numbers)
        waits = [run_share(path, f"{number}/{of}", *changes) for number in numbers]
        if waits[-1] is None:
            return met
        met.append(waits[-1])
        assert len(met) < 20


def copied(path: Path, folder: Path) -> Path:
    """The recipe and its sources in another folder."""
    shutil.copytree(path.parent, folder)
    return folder / path.name


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A recipe without results, and the shards of its undivided build."""
    path = pages(tmp_path_factory.mktemp("whole"))
    clean = copied(path, tmp_path_factory.mktemp("clean") / "recipe")
    build(path)
    return clean, shard_sums(path.parent / "runs" / "t" / "shard")


def test_shares_in_any_order_give_the_bytes_of_an_undivided_build(tmp_path, undivided):
    path, expected = undivided
    path = copied(path, tmp_path / "divided")
    run_all(path, 4)
    assert shard_sums(path.parent / "runs" / "t" / "shard") == expected
    assert not (path.parent / "runs" / "t" / "shares").exists()
    (again,) = {outcome.up_to_date for outcome in build(path)}
    assert again


def test_rounds_end_with_the_steps_that_a_dry_run_lists(tmp_path, undivided):
    path = copied(undivided[0], tmp_path / "divided")
    steps = pipeline.steps(recipes.load(path))
    assert [step.name for step in steps] == ["end", "hosts", "duplicates", "end", "end", "splits", "end"]
    # the last share of a round does its step, and waits at the next one
    met = run_all(path, 3)
    assert [steps[0], *met] == steps


def test_sixteen_shares_killed_at_random_give_the_same_bytes(tmp_path, undivided, monkeypatch):
    path, expected = undivided
    path = copied(path, tmp_path / "divided")
    chance, killed, waits = random.Random(26), 0, [shares.INGESTED]
    while None not in waits:
        order = chance.sample(range(1, 17), 16)
        waits = []
        for number in order:
            with monkeypatch.context() as patch:
                killing(patch, chance.choice((0, 2, 9, 99, 99)))
                try:
                    waits.append(run_share(path, f"{number}/16"))
                except KilledError:
                    killed += 1
        assert killed < 300
    assert killed > 10
    assert shard_sums(path.parent / "runs" / "t" / "shard") == expected


def test_a_share_waits_for_those_that_are_not_done_and_names_them(tmp_path, undivided):
    path = copied(undivided[0], tmp_path / "divided")
    for share in ("2/4", "2/4"):  # a second time it finds its parts done
        with pytest.raises(Waiting) as waiting:
            build(path, share=Share.parse(share))
        assert waiting.value.step == shares.INGESTED
        assert waiting.value.shares == (1, 3, 4)
        assert str(waiting.value) == (
            "share 2/4 is done before finishing ingest (ingest) and waits for shares 1, 3 and 4; the same "
            "command continues when they are done"
        )
    assert len(list((path.parent / "runs" / "t" / "ingest").rglob("documents-*"))) == 3


def test_a_lost_part_is_made_again_by_its_share(tmp_path, undivided):
    path, expected = undivided
    path = copied(path, tmp_path / "divided")
    assert [run_share(path, f"{number}/2") for number in (1, 2, 1)][-1] is not None
    ingest = pipeline.artifacts(recipes.load(path))["ingest"]
    name = sorted(ingest.parts())[1]  # of share 2
    (ingest.path / "record.json").unlink()
    ingest.open(name)
    with pytest.raises(Waiting) as waiting:
        build(path, share=Share(1, 2))
    assert (waiting.value.step, waiting.value.shares) == (shares.INGESTED, (2,))
    run_all(path, 2)
    assert shard_sums(path.parent / "runs" / "t" / "shard") == expected


def test_shares_of_another_number_or_recipe_are_refused(tmp_path, undivided):
    path = copied(undivided[0], tmp_path / "divided")
    run_share(path, "1/2")
    with pytest.raises(DriftError, match=r"a build of 2 shares is unfinished, and this is share 1/3; start"):
        build(path, share=Share(1, 3))
    with pytest.raises(DriftError, match=r"share 2/2: other shares build ingest with .*truncated"):
        build(path, "ingest.truncated=keep", share=Share(2, 2))
    run_share(path, "2/2")  # nothing of the first share was changed
    assert run_share(path, "1/2") == shares.DUPLICATES
    build(path)  # an undivided build goes on with their parts, and ends the divided one
    assert not (path.parent / "runs" / "t" / "shares").exists()


def test_shares_and_an_undivided_build_exclude_each_other(tmp_path, undivided):
    path = copied(undivided[0], tmp_path / "divided")
    folder = recipes.load(path).directory
    with one_share(folder, 1):
        with pytest.raises(LeafInstructError, match="share 1 is running already"):
            build(path, share=Share(1, 2))
        with pytest.raises(LeafInstructError, match="a share of a build is running here"):
            build(path)
        assert run_share(path, "2/2") == shares.INGESTED
    with one_build(folder):
        Fence(folder)  # as a build does
        with pytest.raises(LeafInstructError, match="another `leaf` without --share"):
            build(path, share=Share(1, 2))


@pytest.mark.parametrize("flag", ["rebuild", "retry_failed", "retry_refused"])
def test_a_share_neither_rebuilds_nor_retries(tmp_path, flag):
    path = pages(tmp_path, 2)
    with pytest.raises(RecipeError, match="shares neither rebuild nor retry"):
        build(path, share=Share(1, 2), **{flag: True})


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "1/100000", "", "-1/4", "1/4/4"])
def test_a_share_is_a_number_of_a_number(text):
    with pytest.raises(RecipeError, match="write K/N"):
        Share.parse(text)


def test_a_limited_build_and_a_single_stage_are_divided_too(tmp_path, undivided):
    path = copied(undivided[0], tmp_path / "divided")
    whole = copied(undivided[0], tmp_path / "whole")
    build(whole, limit=8, until="filter")
    for share in (Share(1, 2), Share(2, 2), Share(1, 2), Share(2, 2), Share(1, 2), Share(2, 2)):
        try:
            build(path, limit=8, until="filter", share=share)
        except Waiting:
            continue
    records = [
        load(folder.parent / "runs" / "t-limit8" / "filter" / "record.json") for folder in (path, whole)
    ]
    assert records[0]["output"] == records[1]["output"]
    assert "seconds" not in records[0]


class Endpoint(Serving):
    """A web server of images on several names of this machine, and a language model. asked: requests by path;
    when: (host, time) of each request for an image."""

    def __init__(self) -> None:
        super().__init__(_Answer)
        self.asked: Counter[str] = Counter()
        self.hosts: list[str] = []
        self.down = False


class _Answer(Answering):
    server: Endpoint

    def do_GET(self) -> None:
        host = str(self.headers["Host"])
        self.server.asked[f"{host}{self.path}"] += 1
        found = self.path.endswith(".png")
        if found:
            self.server.hosts.append(host)
        status = 503 if found and self.server.down else 200 if found else 404
        body = png(dot=sum(self.path.encode()) % 60) if status == 200 else b""
        self.send(status, body, ("Content-Type", "image/png" if body else "text/plain"))

    def do_POST(self) -> None:
        self.server.asked["model"] += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        value = verdict(body) if is_judge(body) else example(body)
        message = {"role": "assistant", "content": json.dumps(value)}
        answer = {
            "id": "a",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 50},
        }
        self.send(200, json.dumps(answer).encode(), ("Content-Type", "application/json"))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


def web_pages(folder: Path, endpoint: Endpoint, count: int = 8, **fetch: Any) -> Path:
    """Pages whose images are on two hosts, some on both pages of a part."""
    port = endpoint.name.rpartition(":")[2]
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
    lines = [
        {
            "url": f"https://site{number}.example/{number}",
            "text_list": [f"{step} Page {number}." for step in STEPS],
            "image_info": [
                {"raw_url": f"http://{hosts[at % 2]}/{number * (at < 2)}-{at}.png", "matched_text_index": at}
                for at in range(3)
            ],
        }
        for number in range(count)
    ]
    (folder / "web.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    source = {"kind": "mmc4", "name": "web", "path": "web.jsonl", "license": "CC0-1.0"}
    settings = {"contact": "crew@example.org", "allow_hosts": [*hosts], "retries": 0, **fetch}
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": [source]},
        filter={
            "min_words": 10,
            "min_images": 2,
            "rules": [{"score": "duplicate.images", "max": 5}],
            "alignment": {"allow_toy": True},
            "images": {"fetch": settings, "tolerate_failures": 0},
            "judge": {"enabled": False},
        },
        rewrite={"tasks": ["guide"]},
    )


def test_each_host_is_asked_by_one_share_and_each_image_once(tmp_path, endpoint, monkeypatch):
    whole = web_pages(tmp_path, endpoint)
    path = copied(whole, tmp_path / "divided" / "r")
    build(whole)
    undivided, endpoint.asked = endpoint.asked, Counter()
    port = endpoint.name.rpartition(":")[2]
    # of these two hosts, in a build of three shares
    owners = {share_of(f"http://{host}:{port}/", 3) for host in ("127.0.0.1", "localhost")}
    met, used = [], Counter()
    for _ in range(9):
        for number in (1, 2, 3):
            before = len(endpoint.hosts)
            met.append(run_share(path, f"{number}/3"))
            used[number] += len(endpoint.hosts) - before
    assert None in met
    assert endpoint.asked == undivided
    assert {number for number, count in used.items() if count} == owners
    assert {shares.URLS, shares.FETCHED} <= set(met)
    assert shard_sums(path.parent / "runs" / "t" / "shard") == shard_sums(
        whole.parent / "runs" / "t" / "shard"
    )
    assert not list((path.parent / "runs" / "t" / "filter").rglob("urls-*"))


def test_the_outcomes_of_all_shares_are_read_about_once_by_each(tmp_path, endpoint, monkeypatch):
    """However few parts are written at a time."""
    path = web_pages(tmp_path, endpoint, 12)
    monkeypatch.setattr(fetching, "AT_ONCE", 1)
    monkeypatch.setattr(checked, "ROWS_A_GROUP", 4)
    read, values = [0], checked._values

    def counting(file: Any, names: Any, groups: Any = None) -> Iterator[Any]:
        for row in values(file, names, groups):
            read[0] += file.schema_arrow.names == table.OUTCOMES.names and "url" in names
            yield row

    monkeypatch.setattr(checked, "_values", counting)
    while len(list((tmp_path / "runs/t/filter").rglob("fetches-*"))) < 6:
        for number in (1, 2):
            run_share(path, f"{number}/2")
    listed = sum(table.count(file) for file in (tmp_path / "runs/t/filter").rglob("fetches-*"))
    # each share reads its own half; a row group that two parts share is read for both
    assert listed <= read[0] <= 2 * listed


@pytest.mark.parametrize("begun", [False, True], ids=["emptied-before", "damaged-within"])
def test_bytes_that_the_store_lost_are_fetched_again_by_the_share_of_their_host(tmp_path, endpoint, begun):
    """Before the divided build, and while some of its shares have written their outcomes."""
    (tmp_path / "whole").mkdir()
    whole = web_pages(tmp_path / "whole", endpoint, 6)
    clean = copied(whole, tmp_path / "clean")
    build(whole)
    path = clean if begun else copied(whole, tmp_path / "built")
    expected, run = shard_sums(whole.parent / "runs/t/shard"), path.parent / "runs/t"
    asked = {name for name in endpoint.asked if name.endswith(".png")}
    if begun:
        while not list(run.glob("filter/**/fetches-*")):
            for number in (1, 2, 3):
                run_share(path, f"{number}/3")
    else:
        (run / "filter/record.json").unlink()
    for file in run.glob("filter/**/*-*.parquet"):
        if not file.name.startswith(("fetches-", "urls-")):
            file.unlink()
    for blob in (path.parent / "runs/.fetched").glob("*.bin"):
        blob.write_bytes(bytes(blob.stat().st_size) if begun else b"")
    endpoint.asked.clear()
    done, failed = set[int](), []
    while len(done) < 3 and len(failed) < 4:
        for number in (1, 2, 3):
            try:
                done |= {number} if run_share(path, f"{number}/3") is None else set()
            except SourceError as error:  # of a share that had written no outcomes
                failed.append(str(error).partition("images ")[2][:30])
    assert set(failed) <= ({"could not be read just now, mo"} if begun else set())
    assert {name: endpoint.asked[name] for name in asked} == dict.fromkeys(asked, 1)
    assert shard_sums(run / "shard") == expected


def test_a_share_whose_hosts_are_down_fails_and_the_others_wait_for_it(tmp_path, endpoint):
    path = web_pages(tmp_path, endpoint, 4)
    endpoint.down = True
    owners = {share_of(f"http://{host}/", 3) for host in ("127.0.0.1", "localhost")}
    failed, reasons = set(), set()
    for number in (1, 2, 3) * 4:
        try:
            run_share(path, f"{number}/3")
        except SourceError as error:
            failed.add(number)
            reasons.add(str(error).partition(" (")[0].partition(" images ")[2])
    assert failed == owners
    assert reasons == {"on the web could not be fetched just now"}
    endpoint.down = False
    assert run_all(path, 3)[-1] == shares.SHARDED


def model_recipe(folder: Path, endpoint: Endpoint, count: int = 8, **llm: Any) -> Path:
    return pages(
        folder,
        count,
        filter={
            "judge": {"enabled": True},
            "rules": [{"score": "judge.text_quality", "min": 1, "model": "m"}],
        },
        llm={
            "provider": "openai",
            "base_url": f"http://{endpoint.name}/v1",
            "model": "m",
            "revision": "m@1",
            "max_in_flight": 16,
            **llm,
        },
        rewrite={"tasks": ["guide"], "refine": None},
    )


def test_shares_with_servers_of_their_own_give_the_bytes_of_one_server(tmp_path, endpoint):
    whole = model_recipe(tmp_path, endpoint)
    path = copied(whole, tmp_path / "divided" / "r")
    build(whole)
    undivided = endpoint.asked["model"]
    with Endpoint() as other:
        met: list[Step | None] = [shares.INGESTED]
        while None not in met:
            met = [run_share(path, "1/2"), run_share(path, "2/2", f"llm.base_url=http://{other.name}/v1")]
        assert other.asked["model"] > 0
        assert endpoint.asked["model"] + other.asked["model"] <= 2 * undivided + 2
    sums = [shard_sums(one.parent / "runs" / "t" / "shard") for one in (path, whole)]
    assert sums[0] == sums[1]


def test_a_model_without_revision_and_limits_below_the_number_of_shares_are_refused(tmp_path, endpoint):
    path = model_recipe(tmp_path, endpoint, 2)
    with pytest.raises(RecipeError, match=r"llm.revision: missing; shares need it"):
        build(path, "llm.revision=null", share=Share(1, 2))
    with pytest.raises(RecipeError, match=r"llm.max_in_flight: 16 cannot be divided among 17 shares"):
        build(path, share=Share(1, 17))
    assert endpoint.asked["model"] == 0
    judge = '[{"name": "a", "model": "n"}]'
    with pytest.raises(RecipeError, match=r"filter.judge.judges\[0\].revision: missing"):
        build(path, f"filter.judge.judges={judge}", "filter.rules=[]", share=Share(1, 2))


def test_shares_keep_one_budget_also_when_they_are_started_again(tmp_path, endpoint):
    # a question costs $0.00105
    price = {"input_per_million": 1, "output_per_million": 1}
    path = model_recipe(tmp_path, endpoint, 40, price=price, budget=0.016, max_tokens=50)
    ended = []
    for number in (1, 2, 3, 4) * 6:
        try:
            run_share(path, f"{number}/4")
        except BudgetError:
            ended.append(number)
    assert {number: ended.count(number) > 1 for number in (1, 2, 3, 4)} == dict.fromkeys((1, 2, 3, 4), True)
    assert 8 <= endpoint.asked["model"] <= 0.016 / 0.00105


def test_generated_sources_a_reference_and_preference_rows_are_divided_too(tmp_path):
    whole = pages(
        tmp_path,
        8,
        filter={
            "reference": [{"kind": "mmc4", "name": "bench", "path": "bench", "license": "CC0-1.0"}],
            "rules": [{"score": "contamination.text", "max": 0.99}],
            "host_paragraphs": None,
        },
        shard={"preference": ["shuffled_steps", "other_text"], "max_bytes": 20_000},
    )
    mmc4(tmp_path / "bench", {"https://b.example/": [(f"{step} Page 3.", png()) for step in STEPS]})
    drawn = '{"kind": "sketchbook", "name": "drawn", "seed": 7, "documents": 6, "videos": 0, "image_px": 32}'
    path = copied(whole, tmp_path / "divided" / "r")
    build(whole, f"ingest.sources[1]={drawn}")
    run_all(path, 3, f"ingest.sources[1]={drawn}")
    filtered = [load(one.parent / "runs" / "t" / "filter" / "record.json") for one in (whole, path)]
    assert filtered[0]["reference"] == filtered[1]["reference"]
    assert filtered[0]["reasons"] == filtered[1]["reasons"]
    assert filtered[0]["reasons"]["contamination.text"] == 1
    for folder in ("shard", "shard/preference"):
        sums = [shard_sums(one.parent / "runs" / "t" / folder) for one in (whole, path)]
        assert sums[0] == sums[1] != {}


def test_a_dry_run_lists_the_rounds_and_asks_nothing(tmp_path):
    path = pages(tmp_path, 2)
    shown = leaf("build", path, "--dry-run", "--share", "1/16")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[:3] == [
        "7 rounds of 16 shares; a round ends with what its last share does:",
        "  1  ingest   finishing ingest",
        "  2  filter   counting the paragraphs of hosts",
    ]
    rounds = json.loads(
        leaf("build", path, "--dry-run", "--share", "1/16", "--stage", "ingest", "--json").stdout
    )
    assert rounds == {
        "shares": 16,
        "rounds": [{"round": 1, "stage": "ingest", "ends_with": "finishing ingest"}],
    }
    assert leaf("build", path, "--dry-run", "--share", "17/16").returncode == 1
    assert not (tmp_path / "runs").exists()


def test_a_build_that_another_one_took_over_stops_before_its_next_part(tmp_path: Path) -> None:
    """As on a disk whose locks do not reach the other machine."""
    path = pages(tmp_path, 6)
    folder = path.parent / "runs" / "t"

    class Overtaken(InlineEngine):
        def map(self, task, parts, needs):
            for result in super().map(task, parts, needs):
                Fence(folder)
                yield result

    with pytest.raises(LeafInstructError, match="another `leaf` began to work here"):
        build(path, engine=Overtaken())
    assert not (folder / "ingest" / "record.json").exists()
    build(path)
    assert shard_sums(folder / "shard")
