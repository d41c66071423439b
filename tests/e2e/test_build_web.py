"""Images on the web through a whole build, from a real local server: who is asked, how often, and what is
reported about it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import leaf_process as leaf
from contributing import install_toy
from making import InlineEngine, build, png, recipe, rows, shard_sums
from serving import Answering, Serving

from leafinstruct import pipeline
from leafinstruct.errors import LeafInstructError, SourceError
from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.score import Score
from leafinstruct.filter.scores import image, text
from leafinstruct.images.web.store import verify
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.report.explain import find, lineage, story

SENTENCES = [
    "Take a sharp red pencil and a clean sheet of thick paper",
    "Draw a small round house with two square windows in it",
]


class Gallery(Serving):
    """Serves images by name; `out_of_order` paths answer 503, `moved` ones redirect; every request is
    counted."""

    def __init__(self) -> None:
        super().__init__(_Answer)
        self.asked: Counter[str] = Counter()
        self.out_of_order: set[str] = set()
        self.moved: dict[str, str] = {}

    @property
    def images(self) -> Counter[str]:
        """Requests by path, without those for robots.txt and tdmrep.json."""
        return Counter({path: count for path, count in self.asked.items() if path.endswith(".png")})


class _Answer(Answering):
    server: Gallery

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        if self.path in self.server.moved:
            self.send(302, b"", ("Location", self.server.moved[self.path]))
            return
        status = (
            503
            if self.path in self.server.out_of_order
            else 200
            if self.path.endswith(".png") and "missing" not in self.path
            else 404
        )
        body = png(dot=sum(self.path.encode()) % 60) if status == 200 else b""
        self.send(status, body, ("Content-Type", "image/png" if body else "text/plain"))


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with Gallery() as server:
        yield server


def pages(folder: Path, gallery: Gallery, names: dict[str, str]) -> None:
    """MMC4 without image files. names: document -> its text; every document shows two images on the gallery's
    server."""
    lines = []
    for name, extra in names.items():
        infos = [
            {"raw_url": f"http://{gallery.name}/{name}-{index}.png", "matched_text_index": index}
            for index in (0, 1)
        ]
        texts = [f"{SENTENCES[0]}, says {name}. {extra}".strip(), SENTENCES[1]]
        lines.append(
            json.dumps({"url": f"http://example.org/{name}", "text_list": texts, "image_info": infos})
        )
    (folder / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def web_recipe(folder: Path, gallery: Gallery, *rules: dict[str, Any], **fetch: Any) -> Path:
    settings = {"contact": "crew@example.org", "allow_hosts": [gallery.name], "retries": 0, **fetch}
    return recipe(
        folder,
        ingest={"sources": [{"kind": "mmc4", "name": "web", "path": "docs.jsonl"}]},
        filter={
            "min_words": 5,
            "rules": [{"score": "text.capitals", "max": 0.3}, *rules],
            "images": {"fetch": settings, "tolerate_failures": 0},
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
        },
    )


def test_images_of_a_source_that_another_package_reads_are_fetched_alike(tmp_path, gallery, monkeypatch):
    monkeypatch.syspath_prepend(str(install_toy(tmp_path / "site")))
    (tmp_path / "data").mkdir()
    urls = [f"http://{gallery.name}/a-{index}.png" for index in (0, 1)]
    lines = [SENTENCES[0], f"! {urls[0]}", SENTENCES[1], f"! {urls[1]}"]
    (tmp_path / "data" / "a.gallery").write_text("\n".join(lines), encoding="utf-8")
    source = {"kind": "gallery", "name": "web", "path": "data"}
    build(web_recipe(tmp_path, gallery), f"ingest.sources=[{json.dumps(source)}]")
    assert gallery.images == {"/a-0.png": 1, "/a-1.png": 1}
    (row,) = rows(tmp_path / "runs" / "t" / "shard")
    assert [(info["ref"], info["url"]) for info in row["image_info"]] == [(url, url) for url in urls]


def reported(path: Path, name: str, *changes: str) -> dict[str, Any]:
    """lineage of the document that was called so."""
    stages = pipeline.artifacts(recipes.load(path, changes))
    (identity,) = (
        row["id"]
        for part in stages["ingest"].parts()
        for row in table.read(stages["ingest"].file("documents", part))
        if row["url"].endswith(f"/{name}")
    )
    found = lineage.look(stages, identity, path.parent / "runs/.answers")["record"]
    assert found is not None
    return dict(found)


def test_only_images_of_documents_that_the_text_rules_kept_are_requested(tmp_path, gallery):
    pages(
        tmp_path,
        gallery,
        {"calm": "", "loud": "BUY THIS NOW AND TELL ALL YOUR FRIENDS ABOUT IT TODAY OR NEVER"},
    )
    build(web_recipe(tmp_path, gallery))
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 1}
    (row,) = rows(tmp_path / "runs" / "t" / "shard")
    assert [info["ref"] for info in row["image_info"]] == [
        f"http://{gallery.name}/calm-{index}.png" for index in (0, 1)
    ]


def test_what_was_fetched_is_never_fetched_again_also_by_another_run(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": "", "missing": ""})
    path = web_recipe(tmp_path, gallery)
    build(path)
    assert gallery.images.total() == 4
    first = shard_sums(tmp_path / "runs" / "t" / "shard")
    build(path, rebuild=True)
    build(path, "name=other", "filter.min_words=4")
    assert gallery.images.total() == 4
    assert shard_sums(tmp_path / "runs" / "t" / "shard") == first


def test_a_loosened_text_rule_requests_only_what_it_brings_back(tmp_path, gallery):
    pages(
        tmp_path,
        gallery,
        {"calm": "", "loud": "BUY THIS NOW AND TELL ALL YOUR FRIENDS ABOUT IT TODAY OR NEVER"},
    )
    path = web_recipe(tmp_path, gallery)
    build(path)
    build(path, "filter.rules[0].max=1.0")
    assert gallery.images == {f"/{name}-{index}.png": 1 for name in ("calm", "loud") for index in (0, 1)}


def test_images_that_their_name_drops_are_requested_only_when_the_rule_is_loosened(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": "", "logo": ""})
    path = web_recipe(tmp_path, gallery, {"score": "markup.decoration", "max": 0.5})
    build(path)
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 1}
    build(path, "filter.rules[1].max=1.0")
    assert gallery.images == {f"/{name}-{index}.png": 1 for name in ("calm", "logo") for index in (0, 1)}
    assert len(rows(tmp_path / "runs" / "t" / "shard")) == 2


def test_an_outage_is_not_a_verdict_and_the_next_run_asks_only_for_what_failed(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": "", "quiet": ""})
    gallery.out_of_order = {"/quiet-1.png"}
    path = web_recipe(tmp_path, gallery)
    with pytest.raises(
        SourceError,
        match=r"1 of 4 images on the web could not be fetched just now .* run the same command again",
    ):
        build(path)
    assert not (tmp_path / "runs" / "t" / "filter" / "record.json").exists()
    gallery.out_of_order.clear()
    gallery.asked.clear()
    build(path)
    assert gallery.images == {"/quiet-1.png": 1}
    assert len(rows(tmp_path / "runs" / "t" / "shard")) == 2


def test_within_the_tolerance_a_failed_image_costs_its_document_and_retry_failed_asks_again(
    tmp_path, gallery
):
    pages(tmp_path, gallery, {"calm": "", "quiet": ""})
    gallery.out_of_order = {"/quiet-1.png"}
    path = web_recipe(tmp_path, gallery)
    tolerant = "filter.images.tolerate_failures=0.5"
    *_, last = build(path, tolerant, until="filter")
    assert last.record["counts"]["failed"] == 1
    gallery.out_of_order.clear()
    build(path, tolerant)
    assert gallery.images["/quiet-1.png"] == 1
    assert len(rows(tmp_path / "runs" / "t" / "shard")) == 1
    build(path, tolerant, retry_failed=True)
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 1, "/quiet-0.png": 1, "/quiet-1.png": 2}
    assert len(rows(tmp_path / "runs" / "t" / "shard")) == 2


def test_explain_shows_the_fetch_and_the_rows_do_not(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": "", "missing": ""})
    gallery.moved = {"/calm-0.png": "/elsewhere.png"}
    path = web_recipe(tmp_path, gallery)
    build(path)
    log = reported(path, "calm")["segments"][0]["fetch"]
    assert (log["final_url"], log["status"], log["attempts"], log["state"]) == (
        f"http://{gallery.name}/elsewhere.png",
        200,
        1,
        "ok",
    )
    lines = " ".join(" ".join(story.story(reported(path, "calm"))).split())
    assert f"from http://{gallery.name}/elsewhere.png: 200, " in lines
    assert log["at"] in lines
    published = json.dumps([{**row, "images": None} for row in rows(tmp_path / "runs" / "t" / "shard")])
    assert log["at"] not in published
    (led,) = find.find(pipeline.artifacts(recipes.load(path)), f"http://{gallery.name}/elsewhere.png")
    assert (led.by, led.positions) == ("where an image's URL led", (0,))
    assert led.document == reported(path, "calm")["document"]
    missing = reported(path, "missing")
    assert missing["segments"][0]["fetch"]["status"] == 404
    assert missing["filter"]["verdict"] == "dropped"


def test_how_fast_it_is_fetched_is_no_part_of_what_was_made(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": ""})
    path = web_recipe(tmp_path, gallery)
    build(path)
    assert all(
        outcome.up_to_date
        for outcome in build(path, "filter.images.fetch.in_flight=3", "filter.images.fetch.timeout=7")
    )


def test_a_private_address_is_refused_unless_its_host_is_allowed_by_name(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": ""})
    path = web_recipe(tmp_path, gallery, allow_hosts=[])
    with pytest.raises(LeafInstructError, match="no document is left"):
        build(path)
    assert not gallery.asked
    assert reported(path, "calm")["segments"][0]["found"]["reason"].startswith("private_address")


def test_without_the_section_nothing_is_requested_and_the_reason_names_the_hint(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": ""})
    path = web_recipe(tmp_path, gallery)
    answer = leaf("build", path, "--set", "filter.images.fetch=null", cwd=tmp_path)
    assert answer.returncode == 1
    assert "filter.images.fetch" in answer.stderr
    assert not gallery.asked
    without = (
        "--set",
        "filter.images.fetch=null",
        "--set",
        "filter.min_images=0",
        "--set",
        "filter.rules=[]",
    )
    done = leaf("build", path, "--stage", "filter", *without, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count("were not fetched"), done.stderr.count("not fetched")) == (1, 0)


def test_an_emptied_store_is_filled_again(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": ""})
    path = web_recipe(tmp_path, gallery)
    build(path)
    shutil.rmtree(tmp_path / "runs" / ".fetched")
    shutil.rmtree(tmp_path / "runs" / "t" / "filter")
    build(path)
    assert gallery.images == {"/calm-0.png": 2, "/calm-1.png": 2}


@pytest.mark.parametrize("place", ["bytes", "line"])
def test_a_bit_in_the_store_costs_one_request_and_nothing_else(tmp_path, gallery, place):
    """It lost the image for ever, whatever was run."""
    pages(tmp_path, gallery, {"calm": "", "slow": ""})
    path = web_recipe(tmp_path, gallery)
    build(path)
    before = shard_sums(tmp_path / "runs/t/shard")
    store = tmp_path / "runs/.fetched"
    rows_of = {
        json.loads(line)["url"]: json.loads(line)
        for log in store.glob("*.jsonl")
        for line in log.read_bytes().splitlines()
    }
    entry = rows_of[f"http://{gallery.name}/calm-1.png"]
    target = (
        store / entry["segment"] if place == "bytes" else (store / entry["segment"]).with_suffix(".jsonl")
    )
    data = bytearray(target.read_bytes())
    data[entry["offset"] + 20 if place == "bytes" else data.find(b"calm-1.png")] ^= 1
    target.write_bytes(data)
    copy = shutil.copytree(store, tmp_path / "copy")  # what verify finds in a cache it drops
    assert len(list(verify(copy))) == 1
    engine = InlineEngine()
    build(path, engine=engine, rebuild=True)
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 2, "/slow-0.png": 1, "/slow-1.png": 1}
    assert [report.repaired for report in engine.reports["fetching images"]] == [{"fetched images": 1}]
    assert shard_sums(tmp_path / "runs/t/shard") == before
    assert list(verify(store)) == []


def test_bytes_that_change_between_fetching_and_looking_are_fetched_by_the_next_build(tmp_path, gallery):
    pages(tmp_path, gallery, {"calm": ""})
    path = web_recipe(tmp_path, gallery)
    build(path)
    (blob,) = (tmp_path / "runs/.fetched").glob("*.bin")
    data = bytearray(blob.read_bytes())
    data[blob.stat().st_size - 30] ^= 4
    blob.write_bytes(data)
    for file in (tmp_path / "runs/t/filter").rglob("*"):
        if file.is_file() and not file.name.startswith("fetches-"):
            file.unlink()
    build(path)
    assert sorted(gallery.images.values()) == [1, 2]
    (row,) = rows(tmp_path / "runs/t/shard")
    assert len(row["images"]) == 2


def test_a_new_score_asks_no_server_and_a_changed_text_score_only_for_what_it_brings_back(
    tmp_path, gallery, monkeypatch
):
    pages(tmp_path, gallery, {"calm": "", "loud": "LOOK AT THIS ENORMOUS WONDERFUL SHOUTED SENTENCE NOW."})
    path = web_recipe(tmp_path, gallery)
    build(path)
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 1}
    (stored,) = (tmp_path / "runs/.fetched").glob("*.bin")
    data = stored.read_bytes()
    stored.write_bytes(b"")
    monkeypatch.setitem(SCORES, "image.area", Score("image.area", "image", "pixels"))
    monkeypatch.setitem(image.MEASURED, "image.area", lambda width, height, _: float(width * height))
    engine = InlineEngine()
    build(path, "filter.rules[1]={score: image.area, min: 6144}", engine=engine)
    assert gallery.images == {"/calm-0.png": 1, "/calm-1.png": 1}
    assert engine.total("looking", "images_measured") == 2
    assert engine.total("looking", "images_read") == 0
    stored.write_bytes(data)
    monkeypatch.setitem(SCORES, "text.capitals", replace(SCORES["text.capitals"], version=2))
    monkeypatch.setattr(text, "capital_share", lambda _: 0.0)
    build(path)
    assert gallery.images == dict.fromkeys(("/calm-0.png", "/calm-1.png", "/loud-0.png", "/loud-1.png"), 1)
    assert reported(path, "loud")["filter"]["verdict"] == "kept"
