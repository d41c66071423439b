"""Preference rows: what the rejected answers are, where lent pieces come from, what a removal takes along."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import shutil
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from command import leaf
from hypothesis import given
from hypothesis import strategies as st
from making import build, shard_sums, unjudged
from making import rows as rows_of
from PIL import Image as Pil
from PIL import ImageDraw

import leafinstruct
from leafinstruct import pipeline
from leafinstruct.errors import PublishError, RecipeError, SchemaError
from leafinstruct.publish import checks, hydrate, push, reference, remove
from leafinstruct.publish.config import PushConfig
from leafinstruct.publish.purge import run as purge
from leafinstruct.recipe import load as recipes
from leafinstruct.records import public, removals
from leafinstruct.records.preference import stored as preference
from leafinstruct.records.preference.row import PreferenceRow
from leafinstruct.records.published_row import ImageInfo, PublishedTurn
from leafinstruct.report import tables
from leafinstruct.report.explain import lineage, story
from leafinstruct.report.inspect import gather as inspecting
from leafinstruct.runtime.artifact import Artifact, chain
from leafinstruct.runtime.engine.local import LocalEngine
from leafinstruct.shard.preference import run as running
from leafinstruct.shard.preference.negatives import kinds_of, order_of, retold, shuffled, steps_of, swapped

PLANTED = ("other_text", "shuffled_steps", "swapped_image")
HOSTILE = "Say <image> twice, <|image start|> and </s>\u202e {{ 7 * 7 }} \U0001f600."
WORDS = [
    "saw",
    "board",
    "plank",
    "nail",
    "hammer",
    "glue",
    "varnish",
    "paint",
    "brush",
    "screw",
    "hinge",
    "frame",
    "panel",
    "clamp",
    "chisel",
    "plane",
    "file",
    "sand",
    "bread",
    "flour",
    "yeast",
    "water",
    "salt",
    "oven",
    "knead",
    "dough",
    "bowl",
    "towel",
    "crust",
    "loaf",
    "knife",
    "butter",
    "slice",
    "plate",
    "oil",
    "pan",
    "seed",
    "soil",
    "pot",
    "garden",
    "spade",
    "root",
    "leaf",
    "stem",
    "bloom",
    "rain",
    "shade",
    "sun",
    "hose",
    "mulch",
    "fence",
    "path",
    "stone",
    "brick",
]


def drawing(number: int) -> bytes:
    """A PNG of rectangles that no other number resembles."""
    rng = random.Random(number)
    image = Pil.new("RGB", (96, 96), tuple(rng.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(14):
        left, top = rng.randrange(80), rng.randrange(80)
        box = [left, top, left + rng.randrange(8, 40), top + rng.randrange(8, 40)]
        pen.rectangle(box, fill=tuple(rng.randrange(256) for _ in range(3)))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def sentence(number: int, step: int) -> str:
    """A sentence of a guide; those of two pages share hardly any run of three words."""
    rng = random.Random(1000 * number + step)
    named = " ".join(rng.sample(WORDS, 8))
    return f"Step {step + 1}: Take the {named} and put the {' '.join(rng.sample(WORDS, 5))} beside it."


def pages(number: int, steps: int = 3) -> dict[str, list[tuple[str, bytes | None]]]:
    found: dict[str, list[tuple[str, bytes | None]]] = {
        f"https://site{page}.example/{page}": [
            (sentence(page, step), drawing(10 * page + step)) for step in range(steps)
        ]
        for page in range(number)
    }
    found["https://site0.example/0"][0] = (f"{sentence(0, 0)} {HOSTILE}", drawing(0))
    return found


def made(folder: Path, number: int = 24, **shard: object) -> Path:
    """A recipe of guides with all planted kinds, in two splits."""
    given = {"splits": {"train": 0.5, "validation": 0.5}, "preference": list(PLANTED), **shard}
    return unjudged(folder, pages(number), part_size=7, rewrite={"tasks": ["guide"]}, shard=given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset that tests only read. Returns its recipe."""
    path = made(tmp_path_factory.mktemp("preference"))
    build(path)
    return path


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(whole.parent, tmp_path / "own")
    return tmp_path / "own" / whole.name


def shards_of(path: Path) -> Path:
    return path.parent / "runs/t/shard"


def pairs(path: Path) -> dict[str, list[PreferenceRow]]:
    """Split -> preference rows."""
    files = sorted((shards_of(path) / "preference").glob("*.parquet"))
    return {file.stem.split("-")[0]: list(preference.read(file)) for file in files}


def every(path: Path) -> list[PreferenceRow]:
    return [row for rows in pairs(path).values() for row in rows]


def of_kind(path: Path, kind: str) -> list[PreferenceRow]:
    found = [row for row in every(path) if row.kind == kind]
    assert len(found) >= 3
    return found


def answers(path: Path) -> dict[str, list[str]]:
    """Example -> the parts of its answer in the rows of the dataset: texts, and sha256 of images."""
    found = {}
    for row in rows_of(shards_of(path)):
        names = iter([hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]])
        turns = [
            [part["text"] if part["type"] == "text" else next(names) for part in turn["content"]]
            for turn in row["messages"]
        ]
        found[row["id"]] = turns[-1]
    return found


def plain(turns: tuple[PublishedTurn, ...]) -> list[str]:
    """Texts, and sha256 of the bytes of images."""
    (turn,) = turns
    return [
        part if isinstance(part, str) else hashlib.sha256(part.data or b"").hexdigest() for part in turn.parts
    ]


def sums(path: Path) -> dict[str, str]:
    folder = shards_of(path) / "preference"
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.parquet"))
    }


# What the rejected answers are ---------------------------------------------------------------------


def test_steps_begin_as_the_answer_does():
    assert steps_of(["a", 1, "b", 2, "c"]) == [["a", 1], ["b", 2], ["c"]]
    assert steps_of([1, "a", 2, 3, "b", "c"]) == [[1, "a"], [2, 3, "b", "c"]]
    assert steps_of(["a", "b", 1, 2, "c", 3]) == [["a", "b", 1, 2], ["c", 3]]
    assert steps_of(["a", "b"]) == [["a", "b"]]
    assert steps_of([]) == []


def test_the_order_of_a_seed_and_an_example_never_changes():
    assert order_of(7, "0123456789abcdef", [1, 2, 3, 4, 5]) == [0, 3, 4, 2, 1]
    assert order_of(8, "0123456789abcdef", [1, 2, 3, 4, 5]) == [0, 4, 3, 1, 2]
    assert kinds_of(7, "0123456789abcdef", PLANTED) == ["other_text", "shuffled_steps", "swapped_image"]
    assert kinds_of(7, "0123456789abcdef", ["round"]) == []


@given(st.integers(0, 99), st.text(max_size=4), st.lists(st.integers(0, 2), max_size=6))
def test_a_shuffled_answer_differs_or_there_is_none(seed, example, steps):
    order = order_of(seed, example, steps)
    if order is None:
        assert len(set(steps)) < 2
    else:
        assert sorted(order) == list(range(len(steps)))
        assert [steps[at] for at in order] != steps


@given(st.lists(st.text(max_size=2) | st.integers(0, 3), max_size=9))
def test_steps_hold_every_part_in_order(parts):
    assert [part for step in steps_of(parts) for part in step] == parts
    assert shuffled(parts, range(len(steps_of(parts)))) == parts


def test_images_and_texts_of_others_take_the_places_of_an_answers_own():
    assert swapped(["a", 1, "b", 2], 1, 9) == ["a", 1, "b", 9]
    assert retold(["a", 1, "b", 2, "c"], ["x", "y", "z", "w"]) == ["x", 1, "y", 2, "z"]
    assert retold(["a", 1, "b", 2], ["x"]) == ["x", 1, 2]


# The rows of a dataset -----------------------------------------------------------------------------


def test_prompt_and_chosen_are_a_row_of_the_dataset(whole):
    rows = {row["id"]: row for row in rows_of(shards_of(whole))}
    own = answers(whole)
    found = every(whole)
    assert Counter(row.kind for row in found).keys() == set(PLANTED)
    assert len({row.example_id for row in found}) == len(found) == len(rows)
    for row in found:
        assert plain(row.chosen) == own[row.example_id]
        assert plain(row.rejected) != plain(row.chosen)
        (turn,) = row.prompt
        message = rows[row.example_id]["messages"][0]
        assert (turn.role, list(turn.parts)) == ("user", [part["text"] for part in message["content"]])
        origin = {
            name: rows[row.example_id][name] for name in ("document_id", "source", "task", "url", "license")
        }
        assert {name: getattr(row, name) for name in origin} == origin


def test_shuffled_steps_are_the_answer_in_the_stated_order(whole):
    for row in of_kind(whole, "shuffled_steps"):
        assert row.changed.order is not None
        assert row.changed.order == order_of(0, row.example_id, [1, 2, 3])
        chosen = plain(row.chosen)
        steps = [chosen[at : at + 2] for at in range(0, len(chosen), 2)]
        assert plain(row.rejected) == [part for at in row.changed.order for part in steps[at]]
        assert row.lender is None


def test_a_swapped_image_is_one_of_its_lender_and_nothing_else_changes(whole):
    own = answers(whole)
    for row in of_kind(whole, "swapped_image"):
        assert row.lender is not None
        assert row.changed.image is not None
        chosen, rejected = plain(row.chosen), plain(row.rejected)
        (at,) = [at for at, (one, other) in enumerate(zip(chosen, rejected, strict=True)) if one != other]
        images = [place for place, part in enumerate(row.chosen[0].parts) if not isinstance(part, str)]
        assert at == images[row.changed.image]
        assert rejected[at] in own[row.lender.example_id]
        assert rejected[at] not in chosen
        part = row.rejected[0].parts[at]
        assert not isinstance(part, str)
        assert (part.info.document_id, part.info.source) == (row.lender.document_id, "own")
        assert part.info.license == "CC0-1.0"


def test_other_texts_are_those_of_the_lenders_answer_around_own_images(whole):
    own = answers(whole)
    for row in of_kind(whole, "other_text"):
        assert row.lender is not None
        texts = [part for part in row.rejected[0].parts if isinstance(part, str)]
        lent = own[row.lender.example_id]
        assert texts == [part for part in lent if " " in part]
        assert not set(texts) & set(plain(row.chosen))
        images = [[part for part in plain(side) if " " not in part] for side in (row.chosen, row.rejected)]
        assert images[0] == images[1]


def test_lenders_are_of_the_same_split_and_of_another_document(whole):
    split = {}
    for path in shards_of(whole).glob("*.parquet"):
        rows = pq.read_table(path, columns=["document_id"])["document_id"].to_pylist()
        split |= dict.fromkeys(rows, path.stem.split(".")[1].split("-")[0])
    assert set(split.values()) == {"train", "validation"} == pairs(whole).keys()
    lent = 0
    for name, rows in pairs(whole).items():
        for row in rows:
            assert split[row.document_id] == name
            documents = {info.document_id for info in images_of(row)} | {
                row.lender and row.lender.document_id
            }
            assert {split[document] for document in documents - {None}} == {name}
            assert row.lender is None or row.lender.document_id != row.document_id
            lent += row.lender is not None
    assert lent >= 6


def images_of(row: PreferenceRow) -> list[ImageInfo]:
    turns = (*row.prompt, *row.chosen, *row.rejected)
    return [part.info for turn in turns for part in turn.parts if not isinstance(part, str)]


def test_each_image_is_stored_once(whole):
    for path in (shards_of(whole) / "preference").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            assert (
                len(row["images"]) == len(row["image_info"]) == (4 if row["kind"] == "swapped_image" else 3)
            )
            for image, info in zip(row["images"], row["image_info"], strict=True):
                assert hashlib.sha256(image["bytes"]).hexdigest() == info["sha256"]


def test_texts_of_a_page_stay_as_they_are(whole):
    seen = HOSTILE.replace("\u202e", "")  # filter removes what nobody sees
    hostile = [part for row in every(whole) for part in plain(row.chosen) if seen in part]
    assert len(hostile) == 1


def test_neither_a_near_copy_nor_a_text_of_the_same_site_is_lent(tmp_path):
    """Every second page has the images of the one before it, recompressed, and one sentence is on all pages:
    there is no lender of texts, and none of such images."""
    given = pages(8)
    for number in range(0, 8, 2):
        first, second = (f"https://site{page}.example/{page}" for page in (number, number + 1))
        given[second] = [
            (text, recompressed(image))
            for (text, _), (_, image) in zip(given[second], given[first], strict=True)
        ]
    for steps in given.values():
        steps.append(("Please write to the editors of this magazine if something is missing.", None))
    path = unjudged(
        tmp_path,
        given,
        rewrite={"tasks": ["guide"]},
        shard={"splits": {"train": 1}, "group_by": [], "preference": ["other_text", "swapped_image"]},
    )
    build(path)
    assert every(path) == []
    assert recipes.load(path).recipe.shard.preference == ("other_text", "swapped_image")
    card = (shards_of(path) / "README.md").read_text(encoding="utf-8")
    assert "Preference rows" not in card
    for steps in given.values():
        steps.pop()
    path = unjudged(
        tmp_path,
        given,
        rewrite={"tasks": ["guide"]},
        shard={"splits": {"train": 1}, "group_by": [], "preference": ["swapped_image"]},
    )
    build(path)
    found = every(path)
    assert len(found) == 8
    for row in found:
        assert row.lender is not None
        lender, page = (int((url or "").rpartition("/")[2]) for url in (row.lender.url, row.url))
        assert lender // 2 != page // 2


def recompressed(image: bytes | None) -> bytes:
    data = io.BytesIO()
    Pil.open(io.BytesIO(image or b"")).save(data, "JPEG", quality=60)
    return data.getvalue()


def test_steps_of_a_report_have_no_order_to_shuffle(tmp_path):
    given = {
        f"https://site{page}.example/{page}": [
            (
                f"The {' '.join(random.Random(9 * page + at).sample(WORDS, 9))} was seen there.",
                drawing(10 * page + at),
            )
            for at in range(3)
        ]
        for page in range(6)
    }
    path = unjudged(
        tmp_path,
        given,
        rewrite={"tasks": ["report"]},
        shard={"splits": {"train": 1}, "preference": ["shuffled_steps"]},
    )
    build(path)
    assert len(rows_of(shards_of(path))) == 6
    assert every(path) == []


# Same bytes, other settings ------------------------------------------------------------------------


def test_bytes_depend_on_no_worker_and_no_part(whole, tmp_path):
    again = made(tmp_path / "again")
    text = again.read_text(encoding="utf-8").replace("part_size: 7", "part_size: 5")
    again.write_text(text, encoding="utf-8")
    with LocalEngine(workers=2) as engine:
        list(pipeline.build(recipes.load(again), engine, lambda *_: None))
    assert sums(again) == sums(whole)
    assert len(sums(again)) == 2


def test_without_preference_rows_the_shards_are_the_same(own):
    before, names = shard_sums(shards_of(own)), {"pairs", "losers"}
    assert {path.name.split("-")[0] for path in shards_of(own).rglob("*.arrow")} == {"keys", "rows", *names}
    build(own, "shard.preference=[]")
    assert shard_sums(shards_of(own)) == before
    assert not (shards_of(own) / "preference").exists()
    assert {path.name.split("-")[0] for path in shards_of(own).rglob("*.arrow")} == {"keys", "rows"}
    assert (
        "preference" not in (shards_of(own) / "README.md").read_text(encoding="utf-8").partition("```yaml")[0]
    )


def test_a_damaged_or_deleted_file_is_made_again(own):
    before = sums(own)
    folder = shards_of(own) / "preference"
    first, second = sorted(folder.glob("*.parquet"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    second.unlink()
    damaged = leaf("verify", str(own))
    assert damaged.returncode == 1
    assert first.name in damaged.stdout + damaged.stderr
    assert second.name in damaged.stdout + damaged.stderr
    build(own)
    assert sums(own) == before
    assert leaf("verify", str(own)).returncode == 0
    assert all(outcome.up_to_date for outcome in build(own))


def test_a_shard_that_gets_no_row_has_no_images(tmp_path):
    path = made(tmp_path, 4, max_bytes=600)
    build(path)
    folder = tmp_path / "runs/t/shard/preference"
    empty = [file for file in folder.glob("*.parquet") if not pq.read_metadata(file).num_rows]
    assert empty
    report = Artifact(folder).report(empty[0].stem)
    assert report is not None
    assert report.counts["images"] == report.counts["rows"] == 0


@pytest.mark.parametrize("step", ["gather", "write"])
def test_a_killed_build_continues_to_the_same_bytes(own, monkeypatch, step):
    before = sums(own)
    shutil.rmtree(shards_of(own))
    real, done = getattr(running, step), []

    def killed(*given: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(real(*given))
        return done[0]

    monkeypatch.setattr(running, step, killed)
    with pytest.raises(KeyboardInterrupt):
        build(own)
    assert len(done) == 1
    monkeypatch.setattr(running, step, real)
    build(own)
    assert sums(own) == before
    assert leaf("verify", str(own)).returncode == 0


def test_a_new_page_changes_few_rows(own):
    before = {row.id: row for row in every(own)}
    assert len(before) == 24
    made(own.parent, number=25)
    build(own)
    after = {row.id: row for row in every(own)}
    assert len(after) == 25
    assert sum(before[name] != after[name] for name in before) <= 3


# Readers, and what the dataset says of itself ------------------------------------------------------


def test_datasets_loads_the_configuration_and_the_others_as_before(whole, tmp_path):
    folder = str(shards_of(whole))
    loaded = datasets.load_dataset(folder, "preference", cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in loaded.items()} == {
        split: len(rows) for split, rows in pairs(whole).items()
    }
    row = loaded["train"][0]
    used = {
        part["image"]
        for side in ("prompt", "chosen", "rejected")
        for turn in row[side]
        for part in turn["content"]
    }
    assert used - {None} == set(range(len(row["images"])))
    assert np.asarray(row["images"][0]).shape == (96, 96, 3)
    default = datasets.load_dataset(folder, cache_dir=str(tmp_path))
    assert sum(map(len, default.values())) == 24
    assert "messages" in default["train"].column_names


def test_the_card_counts_rows_of_each_kind_and_calls_them_synthetic(whole):
    card = (shards_of(whole) / "README.md").read_text(encoding="utf-8")
    kinds = Counter(row.kind for row in every(whole))
    for kind, number in kinds.items():
        line = next(line for line in card.splitlines() if line.startswith(f"| `{kind}` |"))
        assert "planted" in line
        assert line.endswith(f"| {number} |")
    assert "Planted answers are synthetic" in card
    record = Artifact(shards_of(whole)).record
    assert record is not None
    assert record["preference"]["kinds"] == kinds
    assert record["preference"]["without"] == 0
    names = {name for name in record["beside"] if name.startswith("preference/")}
    assert names == {f"preference/{name}" for name in (*sums(whole), "SHA256SUMS")}


def test_a_shard_of_preference_rows_is_no_shard_of_rows(whole):
    pair = next((shards_of(whole) / "preference").glob("*.parquet"))
    row = next(shards_of(whole).glob("*.parquet"))
    with pytest.raises(SchemaError, match="has preference rows, not rows"):
        public.open_shard(pair)
    with pytest.raises(SchemaError, match="has rows, not preference rows"):
        list(preference.read(row))


def test_the_table_and_the_story_show_the_rows(whole, tmp_path):
    stages = chain(whole.parent / "runs/t")
    batches = list(tables.batches(stages, "preference", "leaf build"))
    assert sum(batch.num_rows for batch in batches) == 24
    assert set(batches[0]["split"].to_pylist()) <= {"train", "validation"}
    out = tmp_path / "pairs.csv"
    assert leaf("status", str(whole), "--table", "preference", "--out", str(out)).returncode == 0
    with out.open(newline="", encoding="utf-8") as file:
        read = {line["id"]: line for line in csv.DictReader(file)}
    assert {name: line["kind"] for name, line in read.items()} == {row.id: row.kind for row in every(whole)}
    frame = leafinstruct.open(whole.parent / "runs/t").preference(["id", "kind", "images"], limit=2)
    assert [image.size for image in frame.images[0]] == [(96, 96)] * len(frame.images[0])
    row = of_kind(whole, "other_text")[0]
    assert row.lender is not None
    record = lineage.look(stages, row.document_id, tmp_path)["record"]
    (shown,) = record["examples"][0]["preference"]
    assert (shown["id"], shown["kind"], shown["lender"]["url"]) == (row.id, row.kind, row.lender.url)
    lines = " ".join("\n".join(story.story(record)).split())
    assert f"preference row {row.id}, other_text: preference/" in lines
    assert f"from document {row.lender.document_id}: license CC0-1.0" in lines
    lent = lineage.look(stages, row.lender.document_id, tmp_path)["record"]["lent"]
    assert row.id in {one["id"] for one in lent}


def test_the_page_shows_the_rejected_answer_beside_the_example(whole):
    found = inspecting.gather(chain(whole.parent / "runs/t"), 100, lambda *_: None)
    images = [sha256 for names in found.wanted.values() for sha256 in names]
    shown = {
        record["id"]: pair for record in found.records for one in record["examples"] for pair in one["pairs"]
    }
    assert {name: pair["kind"] for name, pair in shown.items()} == {
        row.document_id: row.kind for row in every(whole)
    }
    segments = {record["id"]: record["segments"] for record in found.records}
    for row in every(whole):
        (turn,) = shown[row.document_id]["turns"]
        parts = []
        for part in turn["parts"]:
            of = segments[row.document_id][part["at"]] if "at" in part else part
            parts.append(images[of["image"]] if "image" in of else of["text"])
        assert parts == plain(row.rejected)


# Removals, checks, references ----------------------------------------------------------------------


def test_a_removed_document_takes_the_rows_that_borrow_from_it(own):
    row = of_kind(own, "swapped_image")[0]
    assert row.lender is not None
    gone, url = row.lender.document_id, row.lender.url
    entry = removals.entry("url", str(url))
    stages = chain(own.parent / "runs/t")
    report = remove.remove(own, own.parent / "runs/t", stages, [entry])
    borrowed = [one for one in every(own) if gone in (one.document_id, one.lender and one.lender.document_id)]
    assert report["preference_rows"] == len(borrowed) >= 2
    loaded = recipes.load(own)
    files = sorted((shards_of(own) / "preference").glob("*.parquet"))
    found = checks.survey([], checks.Terms(PushConfig(), loaded.removed), pairs=files)
    assert found.faults["suppressed"].records == len(borrowed)
    build(own)
    after = every(own)
    assert len(after) == 23
    for one in after:
        assert gone not in (one.document_id, one.lender and one.lender.document_id)
        assert gone not in {info.document_id for info in images_of(one)}
    found = checks.survey(
        [], checks.Terms(PushConfig(), loaded.removed), pairs=sorted(files[0].parent.glob("*.parquet"))
    )
    assert "suppressed" not in found.faults


def test_a_purge_erases_what_others_borrowed(own):
    row = of_kind(own, "other_text")[0]
    assert row.lender is not None
    page = int(str(row.lender.url).rpartition("/")[2])
    lent = sentence(page, 1).encode()
    run = own.parent / "runs/t"
    held = {path.name for path in run.rglob("*") if path.is_file() and lent in text_in(path)}
    assert any(name.startswith("validation-") or name.startswith("train-") for name in held)
    purge.purge(own, run, [removals.entry("url", str(row.lender.url))], dry_run=False)
    assert not (run / "shard/preference").exists()
    build(own)
    assert len(every(own)) == 23
    assert [path for path in run.rglob("*") if path.is_file() and lent in text_in(path)] == []


def text_in(path: Path) -> bytes:
    """The bytes of a file; of Parquet and Arrow, those of its rows without images."""
    if path.suffix == ".parquet":
        return str(pq.read_table(path).to_pylist()).encode()
    return path.read_bytes()


def test_a_removed_image_takes_the_rows_that_show_it(own):
    row = of_kind(own, "swapped_image")[0]
    sha256 = next(info.sha256 for info in images_of(row) if info.document_id != row.document_id)
    removals.add(removals.beside(own), [removals.entry("sha256", str(sha256))], own.parent / "lock")
    build(own)
    assert sha256 not in {info.sha256 for one in every(own) for info in images_of(one)}


def test_licenses_of_lenders_are_checked_before_a_push(whole):
    """A license that only lenders have is a fault of the rows that borrow."""
    config = PushConfig(licenses=("CC0-1.0",), image_licenses=("CC-BY-4.0",))
    files = sorted((shards_of(whole) / "preference").glob("*.parquet"))
    found = checks.survey([], checks.Terms(config), pairs=files)
    assert found.faults["image-license"].records == 24
    config = PushConfig(licenses=("CC-BY-4.0",), image_licenses=("CC0-1.0",))
    assert checks.survey([], checks.Terms(config), pairs=files).faults["license"].records == 24
    with pytest.raises(PublishError, match="missing or damaged"):
        checks.survey([], checks.Terms(config), pairs=[files[0].with_name("none.parquet")])


@pytest.mark.parametrize("images", ["bytes", "reference"])
def test_a_push_has_the_files_in_both_forms(whole, tmp_path, images):
    settings = push.PushSettings.of(recipes.load(whole), "org/name")
    shards = Artifact(shards_of(whole))
    files = push._files(settings, shards, Artifact(tmp_path), images, lambda *_: None)
    names = [file.name for file in files]
    assert len(names) == len(set(names))
    wanted = {f"preference/{name}" for name in (*sums(whole), "SHA256SUMS")}
    assert {name for name in names if name.startswith("preference/")} == wanted
    for file in files:
        data = file.path.read_bytes() if file.path else file.data
        assert hashlib.sha256(data).hexdigest() == file.sha256


def test_references_are_hydrated_to_the_same_bytes(whole, tmp_path):
    files = reference.write(
        Artifact(shards_of(whole)), Artifact(tmp_path / "push"), "org/name", lambda *_: None
    )
    names = {path.relative_to(tmp_path / "push").as_posix() for path in files}
    assert {"preference/SHA256SUMS", *(f"preference/{name}" for name in sums(whole))} <= names
    rows = [row for path in (tmp_path / "push/preference").glob("*.parquet") for row in preference.read(path)]
    assert len(rows) == 24
    assert all(part.data is None for row in rows for part in row.chosen[0].parts if not isinstance(part, str))
    settings = hydrate.settings([str(whole.parent / "data")], None, [], 0.0)
    shards = hydrate.shards(str(tmp_path / "push"), None)
    with LocalEngine(workers=1) as engine:
        assert hydrate.hydrate_preference(settings, shards, Artifact(tmp_path / "out"), engine)
    out = Artifact(tmp_path / "out/preference")
    hydrated = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.path.glob("*.parquet")
    }
    assert hydrated == sums(whole)
    without = [path for path in shards if shutil.copy(path, tmp_path / path.name)]
    with LocalEngine(workers=1) as engine:  # a revision without preference rows
        alone = [tmp_path / path.name for path in without]
        assert hydrate.hydrate_preference(settings, alone, Artifact(tmp_path / "out"), engine) is None
    assert not out.path.exists()


# Settings ------------------------------------------------------------------------------------------


def test_rounds_need_a_model_that_writes_several(tmp_path):
    path = made(tmp_path, number=2, preference=["round"])
    with pytest.raises(RecipeError, match="`round` needs examples of several rounds, and no language model"):
        recipes.load(path)


def test_no_task_takes_the_name(tmp_path):
    path = made(tmp_path, number=2)
    with pytest.raises(RecipeError, match="choose another name"):
        recipes.load(path, ["rewrite.tasks=[{name: preference, given: nothing, ask: ['{title}']}]"])


def test_an_unknown_kind_is_named(tmp_path):
    path = made(tmp_path, number=2)
    with pytest.raises(RecipeError, match=r"shard\.preference"):
        recipes.load(path, ["shard.preference=[shuffled]"])
