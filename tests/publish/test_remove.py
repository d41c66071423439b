"""`leaf remove`: what an entry matches, that no entry is lost, and that builds honour the list and change
nothing else."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from command import leaf
from making import InlineEngine, build, published, rows, shard_sums

from leafinstruct.errors import LeafInstructError, RecipeError
from leafinstruct.pipeline import artifacts
from leafinstruct.publish.remove import remove
from leafinstruct.recipe import load as recipes
from leafinstruct.records.document import Provenance
from leafinstruct.records.example import Example
from leafinstruct.records.removals import Shown, Suppressed, add, beside, entry, load
from leafinstruct.report import status

PAGE = Shown(
    "e1", "d1", "https://www.Shop.Example/a%20b?x=1", ("ab" * 32,), ("http://pics.example:80/p.png",)
)
LOOKING = "matching removals"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "http://www.shop.example:80/a b?x=1#part"),
        ("url", "https://pics.example/p.png"),
        ("domain", "shop.example"),
        ("domain", "WWW.Shop.example."),
        ("domain", "pics.example"),
        ("sha256", "AB" * 32),
        ("id", "e1"),
        ("id", "d1"),
    ],
)
def test_an_entry_matches_what_it_means(kind, value):
    found = Suppressed((entry(kind, value),)).match(PAGE)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://www.shop.example/a%20b"),
        ("url", "https://www.shop.example:8443/a%20b?x=1"),
        ("domain", "op.example"),
        ("domain", "a.www.shop.example"),
        ("sha256", "ab" * 31 + "ac"),
        ("id", "e"),
    ],
)
def test_an_entry_matches_nothing_else(kind, value):
    assert Suppressed((entry(kind, value),)).match(PAGE) is None


FOUND = Shown("e", "d", "https://shop.example/canonical", (), (), "https://www.shop.example/found/")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://shop.example/canonical"),
        ("url", "https://www.shop.example/found"),
        ("url", "http://WWW.shop.example:80/found/#top"),
        ("domain", "www.shop.example"),
        ("domain", "shop.example"),
    ],
)
def test_a_page_is_removed_by_its_found_and_by_its_canonical_url(kind, value):
    list_ = Suppressed((entry(kind, value),))
    assert list_.match(FOUND) is not None
    row = {"id": "e", "document_id": "d", "url": FOUND.url, "page_url": FOUND.page_url, "image_info": []}
    assert list_.match(Shown.of_row(published(row))) is not None
    example = Example("e", "d", "s", "guide", (), Provenance("f"), url=FOUND.url, page_url=FOUND.page_url)
    assert list_.match(Shown.of_example(example)) is not None


def test_a_url_that_no_library_parses_is_matched_all_the_same():
    odd = Shown("e", "d", "http://shop.example:999999/x", (), ())
    assert Suppressed((entry("domain", "shop.example"),)).match(odd) is not None


def test_a_domain_with_letters_of_its_own_is_one_however_it_is_written():
    page = Shown("e", "d", "https://bilder.xn--bcher-kva.example/", (), ())
    assert Suppressed((entry("domain", "bücher.example"),)).match(page)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("domain", "https://a.example/x", "a domain is a host name"),
        ("domain", "a.example:80", "a domain is a host name"),
        ("domain", "", "a domain is a host name"),
        ("domain", "http://x y", "domain 'http://x y': a domain is a host name"),
        ("url", "a.example/x", "a URL begins with http"),
        ("sha256", "ab", "64 hex digits"),
        ("id", "two words", "an id is one word"),
    ],
)
def test_what_could_never_match_is_refused(kind, value, message):
    with pytest.raises(RecipeError, match=message):
        entry(kind, value)


@pytest.mark.parametrize(
    "line",
    [
        "{broken",
        "[]",
        '{"name": "x"}',
        '{"id": 3}',
        '{"id": "a", "url": "http://a.example"}',
        '{"domain": "a/b"}',
    ],
)
def test_a_line_that_is_no_entry_stops_whoever_reads_the_list(tmp_path, line):
    path = tmp_path / "r.suppressed.jsonl"
    path.write_text('{"id": "good"}\n' + line + "\n")
    with pytest.raises(RecipeError, match=r"r\.suppressed\.jsonl, line 2: "):
        load(path)


def test_simultaneous_removals_lose_no_entry(tmp_path):
    path = tmp_path / "r.suppressed.jsonl"
    with ThreadPoolExecutor(8) as pool:
        new = list(
            pool.map(
                lambda number: add(path, [entry("id", f"n{number % 20}", "why")], tmp_path / ".lock"),
                range(40),
            )
        )
    assert sum(new) == 20
    lines = path.read_text().splitlines()
    assert lines == sorted(lines)
    assert {json.loads(line)["id"] for line in lines} == {f"n{number}" for number in range(20)}


def test_what_ends_a_line_elsewhere_ends_no_entry(tmp_path):
    """An address as somebody pasted it, with signs that JSON leaves as they are and that some readers take
    for the end of a line."""
    path = tmp_path / "r.suppressed.jsonl"
    pasted = entry("url", "https://a.example/one\u2028two\u0085three")
    add(path, [pasted], tmp_path / ".lock")
    assert add(path, [entry("id", "b")], tmp_path / ".lock") == 1
    assert load(path).entries == (entry("id", "b"), pasted)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as an editor elsewhere saves it
    assert len(load(path).entries) == 2


def test_reasons_and_order_make_no_difference_to_a_build():
    one, two = entry("id", "a", "why"), entry("domain", "a.example")
    assert (
        Suppressed((one, two)).identity
        == Suppressed((two, entry("id", "a"))).identity
        != Suppressed((one,)).identity
    )
    assert Suppressed().identity is None


def test_a_build_leaves_out_removed_records_and_rebuilds_no_other_shard(built, shards):
    before, whole = shard_sums(shards), rows(shards)
    gone = whole[3]
    done = leaf("remove", built, "--url", gone["url"], "--reason", "asked\nby mail")
    assert done.returncode == 0, done.stderr
    assert beside(built).read_text() == json.dumps({"url": gone["url"], "reason": "asked by mail"}) + "\n"
    assert "leaf: 1 of 1 new in " in done.stderr
    assert "leaf: the list matches 1 record of the shards, 1 example of this run" in done.stderr
    assert "leaf: next: leaf build, which rebuilds 1 shard, then leaf push" in done.stderr
    assert "remain in the working files" in done.stderr
    engine = InlineEngine()
    outcomes = {outcome.stage: outcome for outcome in build(built, engine=engine)}
    assert [stage for stage, outcome in outcomes.items() if not outcome.up_to_date] == ["shard"]
    assert outcomes["shard"].changes[0].startswith("shard.suppressed null -> ")
    assert len(engine.reports["gathering"]) == 1
    # each part is read once for its key and count
    assert [report.counts["examples"] for report in engine.reports[LOOKING]] == [4, 4, 4]
    assert [row["id"] for row in rows(shards)] == [row["id"] for row in whole if row is not gone]
    after = shard_sums(shards)
    assert (
        sum(before.get(name) != digest for name, digest in after.items())
        + sum(name not in after for name in before)
        == 1
    )
    assert outcomes["shard"].record["suppressed"] == 1
    limit = (
        "1 examples were removed on request. Building the same dataset again needs the list of removals, "
        "which is not published."
    )
    assert f"- {limit}\n" in (shards / "README.md").read_text(encoding="utf-8")
    assert limit in json.loads((shards / "croissant.json").read_text(encoding="utf-8"))["rai:dataLimitations"]
    steps = status.steps(status.entries(artifacts(recipes.load(built))))
    assert ("removed by request", ("-1", "")) in [(step.what, step.counts) for step in steps]
    assert gone["id"].encode() not in b"".join(path.read_bytes() for path in shards.rglob("*.arrow"))
    beside(built).unlink()
    engine = InlineEngine()
    build(built, engine=engine)
    assert LOOKING not in engine.reports
    assert shard_sums(shards) == before


def test_a_removed_image_takes_every_record_that_shows_it(built, shards):
    whole = rows(shards)
    shown = [info["sha256"] for row in whole for info in row["image_info"]]
    twice = next(sha for sha in shown if shown.count(sha) == 2)
    add(beside(built), [entry("sha256", twice)], built.parent / ".lock")
    build(built)
    left = rows(shards)
    assert len(left) == len(whole) - 2
    assert twice not in {
        hashlib.sha256(image["bytes"]).hexdigest() for row in left for image in row["images"]
    }


def test_a_named_version_keeps_to_a_removal_and_to_nothing_else(built, shards):
    build(built, "version='1.0'")
    named = built.parent / "runs/t@1.0/shard"
    add(beside(built), [entry("domain", "site0.example")], built.parent / ".lock")
    build(built, "version='1.0'")
    assert {row["url"] for row in rows(named)} == {row["url"] for row in rows(shards)} - {
        "https://site0.example/page"
    }


def test_a_shard_that_cannot_be_read_is_one_line_with_the_hint(built, shards):
    path = min(shards.glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    done = leaf("remove", built, "--id", "x")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"{path.name}: missing or damaged: " in done.stderr


def test_a_list_that_removes_everything_is_reported(built):
    add(beside(built), [entry("domain", "example")], built.parent / ".lock")
    with pytest.raises(
        LeafInstructError, match="there is no example to shard: 12 are on the removal list; see `leaf status`"
    ):
        build(built)


def test_the_list_is_shown_with_what_each_entry_matches(built):
    entries = [entry("domain", "site1.example"), entry("domain", "nowhere.example"), entry("id", "x", "typo")]
    add(beside(built), entries, built.parent / ".lock")
    done = leaf("remove", built, "--list")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["0", "domain", "nowhere.example"],
        ["1", "domain", "site1.example"],
        ["0", "id", "x", "typo"],
    ]
    loaded = recipes.load(built)
    found = remove(loaded.path, loaded.directory, artifacts(loaded), [])
    assert (found["records"], found["examples"], len(found["shards"]), found["new"]) == (1, 1, 1, 0)
    assert leaf("remove", built, "--list", "--id", "x").returncode == 2
