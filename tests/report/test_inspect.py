"""The page of a dataset, without a browser: what is in it, what is not, and what it says of runs that are not
whole."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import making
import pytest
from command import leaf
from PIL import Image as Pil
from report.looking import HOSTILE, SECRET, Page, chain, digest, hostile, image_bytes, make

from leafinstruct import pipeline
from leafinstruct.errors import LeafInstructError
from leafinstruct.recipe import load as recipes
from leafinstruct.report import offline_page
from leafinstruct.report.inspect import page as inspection
from leafinstruct.report.inspect import parts
from leafinstruct.report.inspect.thumbnails import stored, thumbnail, thumbnails
from leafinstruct.runtime.engine.base import Needs, Part, R, Task
from leafinstruct.runtime.engine.local import LocalEngine

ASSETS = Path(inspection.__file__).parent / "assets"


def quiet(*_: object) -> None:
    """Nobody watches."""


class Backwards:
    """Real processes whose answers come last part first; mapped: how many parts each map had."""

    workers = 2
    remote = False

    def __init__(self) -> None:
        self.mapped: list[int] = []

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        self.mapped.append(len(parts))
        with LocalEngine(self.workers) as engine:
            found = {report.value[0]: report for report in engine.map(task, parts, needs)}
        return iter([found[part.name] for part in reversed(parts)])


def page_of(stages, out: Path, limit: int = 1000) -> Page:
    inspection.inspect(stages, out, limit, quiet)
    return Page(out.read_text(encoding="utf-8"))


def data_of(page: Page, name: str):
    return json.loads(dict(page.scripts)[name])


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory) -> Page:
    folder = tmp_path_factory.mktemp("hostile")
    return page_of(hostile(folder / "run"), folder / "page.html")


def test_hostile_texts_are_data_and_nothing_else(hostile_page):
    """Every text comes back as it was, and none made an element, ended one, or was taken for a name of the
    shell."""
    records = data_of(hostile_page, "data")
    assert len(records) == 30
    assert records[0]["segments"][0]["text"] == HOSTILE[0]
    assert records[2]["segments"][0]["text"] == HOSTILE[2]
    assert records[3]["segments"][0]["text"] == HOSTILE[3]
    assert not [name for name, text in hostile_page.scripts if name and set(text) & set("<\u2028\u2029")]
    assert [name for name, _ in hostile_page.scripts] == ["meta", "data", "images-0", "", ""]
    assert not [tag for tag, _ in hostile_page.tags if tag in ("img", "svg", "iframe", "link", "base")]
    assert not [
        name
        for _, attributes in hostile_page.tags
        for name in attributes
        if name.startswith("on") or name == "style"
    ]


def test_the_policy_names_the_scripts_by_hash_and_allows_nothing_else(hostile_page):
    policy = dict(part.strip().partition(" ")[::2] for part in hostile_page.policy.split(";"))
    running = [text for name, text in hostile_page.scripts if not name]
    assert policy["script-src"] == " ".join(f"'sha256-{digest(text)}'" for text in running)
    assert (policy["default-src"], policy["img-src"]) == ("'none'", "data:")
    assert "unsafe" not in hostile_page.policy
    assert "http" not in hostile_page.policy


def test_our_own_script_reads_no_markup():
    for path in offline_page.ASSETS.parent.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(", text
        )
        assert not found, f"{path.name}: {found}"
        assert len(path.read_text().splitlines()) <= 320


def test_images_are_encoded_again(hostile_page, tmp_path):
    """No byte of a comment, a profile or a tail of the original; pixels as they were, nearly."""
    group = data_of(hostile_page, "images-0")
    assert len(group) == 30
    for encoded in group:
        data = base64.b64decode(encoded)
        assert SECRET not in data
        with Pil.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == ("WEBP", (96, 96))
            assert not image.info.get("icc_profile")
    with Pil.open(io.BytesIO(base64.b64decode(group[1]))) as image:
        assert (
            max(
                abs(a - b)
                for a, b in zip(image.convert("RGB").getpixel((90, 90)), (40, 90, 199), strict=True)
            )
            < 12
        )


def test_a_broken_image_is_none():
    assert thumbnail(b"no image" + SECRET, 64) is None
    assert thumbnail(image_bytes(1)[:200], 64) is None


def test_the_budget_makes_images_smaller_and_then_fewer(tmp_path):
    stages = hostile(tmp_path)
    wanted = {"made-0": [f"p{number}" for number in range(30)]}
    roomy = thumbnails(partial(stored, stages["filter"]), wanted, 10_000_000, quiet)
    whole = sum(len(item or b"") for item in roomy.data)
    assert (roomy.side, roomy.left_out) == (384, 0)
    tight = thumbnails(partial(stored, stages["filter"]), wanted, whole // 2, quiet)
    assert tight.side < 96
    assert sum(len(item or b"") for item in tight.data) <= whole // 2
    starved = thumbnails(partial(stored, stages["filter"]), wanted, whole // 20, quiet)
    assert starved.side == 64
    assert starved.left_out == sum(item is None for item in starved.data) > 0
    assert sum(len(item or b"") for item in starved.data) <= whole // 20


def test_what_is_left_out_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "IMAGE_BYTES", 2_000)
    notes = data_of(page_of(hostile(tmp_path / "run"), tmp_path / "page.html"), "meta")["notes"]
    assert any(re.match(r"\d+ of 30 images are left out", note) for note in notes)


def test_long_texts_are_cut_and_the_cut_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("leafinstruct.report.inspect.gather.TEXT_BYTES", 0)
    stages = make(tmp_path / "run", [making.document("é" * 1_000, "x" * 2_000)])
    page = page_of(stages, tmp_path / "page.html")
    first, second = data_of(page, "data")[0]["segments"]
    assert (first["text"], first["cut"]) == ("é" * 750, 250)
    assert (second["text"], second["cut"]) == ("", 2_000)
    assert "The text of 1 records is cut to 1,500 bytes each." in data_of(page, "meta")["notes"]


def test_the_same_run_gives_the_same_bytes(tmp_path):
    stages = hostile(tmp_path / "run")
    for name in ("a.html", "b.html"):
        inspection.inspect(stages, tmp_path / name, 1000, quiet)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_processes_give_the_bytes_of_one(tmp_path, monkeypatch):
    """Parts in any order, images numbered over all of them; both maps of the page are shared out."""
    stages = hostile(tmp_path / "run", parts=5)
    inspection.inspect(stages, tmp_path / "alone.html", 1000, quiet)
    monkeypatch.setattr(parts, "ENOUGH", 30)
    engine = Backwards()
    inspection.inspect(stages, tmp_path / "shared.html", 1000, quiet, engine)
    assert engine.mapped == [5, 5]
    assert (tmp_path / "alone.html").read_bytes() == (tmp_path / "shared.html").read_bytes()
    page = Page((tmp_path / "alone.html").read_text(encoding="utf-8"))
    assert [record["segments"][1]["image"] for record in data_of(page, "data")] == list(range(30))
    for number in (0, 7, 29):
        with Pil.open(io.BytesIO(base64.b64decode(data_of(page, "images-0")[number]))) as image:
            expected = (number * 40 % 256, 90, 200 - number)
            assert (
                max(
                    abs(a - b) for a, b in zip(image.convert("RGB").getpixel((90, 90)), expected, strict=True)
                )
                < 12
            )


def test_a_small_run_begins_no_process(tmp_path):
    engine = Backwards()
    inspection.inspect(hostile(tmp_path / "run", parts=2), tmp_path / "page.html", 1000, quiet, engine)
    assert engine.mapped == []


def test_an_image_of_several_parts_is_carried_once(tmp_path):
    documents = [making.document("one two three", "!p1", file=f"{number}.html") for number in range(6)]
    stages = make(tmp_path / "run", documents, data={"p1": image_bytes(1)}, parts=3)
    page = page_of(stages, tmp_path / "page.html")
    assert [record["segments"][1]["image"] for record in data_of(page, "data")] == [0] * 6
    assert len(data_of(page, "images-0")) == 1


def test_a_sample_is_reported_and_grows_by_adding(tmp_path):
    stages = hostile(tmp_path / "run")
    small = page_of(stages, tmp_path / "small.html", 7)
    larger = page_of(stages, tmp_path / "larger.html", 11)
    ids = [{record["id"] for record in data_of(page, "data")} for page in (small, larger)]
    assert [len(group) for group in ids] == [7, 11]
    assert ids[0] < ids[1]
    assert any(
        note.startswith("This page shows 7 of 30 documents") for note in data_of(small, "meta")["notes"]
    )
    assert data_of(small, "meta")["funnel"][0]["documents"] == 30


def test_the_funnel_adds_up_by_rule_and_by_source(tmp_path):
    meta = data_of(page_of(hostile(tmp_path / "run"), tmp_path / "page.html"), "meta")
    read, kept, examples = meta["funnel"]
    assert (read["documents"], kept["documents"], examples["documents"]) == (30, 15, 15)
    assert kept["losses"] == [
        {"reason": "text.words", "of": "documents", "count": 15, "sources": {"made": 15}}
    ]
    assert meta["outcomes"] == {"kept": {"made": 15}, "text.words": {"made": 15}}


def test_a_run_with_only_documents_shows_them_undecided(tmp_path):
    stages = make(tmp_path / "run", [making.document("one two three", "!a")], until="ingest")
    page = page_of(stages, tmp_path / "page.html")
    (record,) = data_of(page, "data")
    assert (record["verdict"], record["scores"][0], record["segments"][1]["image"]) == (
        "undecided",
        None,
        None,
    )
    meta = data_of(page, "meta")
    assert meta["notes"] == ["filter is missing.", "rewrite is missing.", "shard is missing."]
    assert meta["outcomes"] == {"kept": {}, "undecided": {"made": 1}}


def test_a_part_that_is_being_made_is_not_half_read(tmp_path):
    """Its report is gone while its files are there: what they hold may be of another build. An image is named
    by its content and is shown."""
    stages = make(
        tmp_path / "run",
        [making.document("one two three", "!p1")],
        until="filter",
        data={"p1": image_bytes(1)},
    )
    stages["filter"].open("made-0")
    stages["filter"].begin(stages["filter"].record["fingerprint"])
    page = page_of(stages, tmp_path / "page.html")
    assert [record["verdict"] for record in data_of(page, "data")] == ["undecided"]
    assert [item is not None for item in data_of(page, "images-0")] == [True]
    assert data_of(page, "meta")["notes"][0] == "filter is unfinished: interrupted, or running now."


def test_nothing_to_look_at_is_one_line(tmp_path):
    with pytest.raises(LeafInstructError, match="contains no documents yet"):
        inspection.inspect(chain(tmp_path / "run"), tmp_path / "page.html", 10, quiet)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("kind", ["documents", "images"])
def test_a_damaged_table_is_one_line(tmp_path, kind):
    stages = make(tmp_path / "run", [making.document("one two three")])
    path = stages["filter"].file(kind, "made-0")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LeafInstructError, match="cut or damaged"):
        inspection.inspect(stages, tmp_path / "page.html", 10, quiet)


def test_words_of_captions_are_counted_with_their_image(tmp_path):
    """What min_words is judged by after an image is dropped, Chinese included: decision.py takes captions
    that directly follow."""
    document = making.document(
        "one two", "!a", "> three four five", "> 六七八", "six", "> no caption of an image", "!b", "seven"
    )
    (record,) = data_of(page_of(make(tmp_path / "run", [document]), tmp_path / "page.html"), "data")
    assert record["words"] == 6 * 12 + 3 * 4  # in sixths of a word; an ideograph is four of them
    assert record["caption_words"] == [6 * 3 + 3 * 4, 0]


def test_the_verb_writes_the_page_and_prints_its_path(tmp_path):
    make(tmp_path / "runs" / "t", [making.document("one two three"), making.document("four", file="b.html")])
    path = making.recipe(
        tmp_path,
        ingest={"sources": [{"kind": "html", "name": "made", "path": "."}]},
        filter={"alignment": {"allow_toy": True}},
    )
    done = leaf("inspect", path.name, "--records", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = next(tmp_path.rglob("inspect.html"))
    assert Path(done.stdout.strip()).absolute() == written
    assert "leaf: 1 of 2 records, 0 images, " in done.stderr


def test_all_examples_of_a_long_document_are_on_the_page(tmp_path):
    """And those of its pieces that made none do not make it a dropped one."""
    texts = (
        "A red wall on the green grass of the meadow.",
        "A brown roof on it.",
        "A blue door in the wall.",
    )
    steps = [(text, making.png((9, 90, 40 * at), dot=at)) for at, text in enumerate(texts, start=1)]
    making.mmc4(tmp_path / "data", {"https://a.example/": steps})
    path = making.recipe(
        tmp_path,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data"}]},
        filter={"min_words": 1, "rules": []},
        rewrite={"max_images": 1, "tasks": ["report"]},
    )
    making.build(path, until="rewrite")
    stages = pipeline.artifacts(recipes.load(path))
    (record,) = data_of(page_of(stages, tmp_path / "page.html"), "data")
    shown = [
        [part["at"] for turn in example["turns"] for part in turn["parts"] if "at" in part]
        for example in record["examples"]
    ]
    images = [segment["at"] for segment in record["segments"] if segment["kind"] == "image"]
    assert [[at for at in found if at in images] for found in shown] == [[at] for at in images]
    assert len({example["id"] for example in record["examples"]}) == 3
    assert {name for example in record["examples"] for name, *_ in example["checks"]} >= {"rewrite.kept"}
