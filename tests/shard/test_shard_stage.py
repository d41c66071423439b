"""shard: whole or absent after a kill, few open files, and a card that follows the stages before it."""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import InlineEngine, build, png, recipe, rows, shard_sums, unjudged

from leafinstruct import pipeline
from leafinstruct.errors import DamagedError
from leafinstruct.recipe import load as recipes
from leafinstruct.records import public
from leafinstruct.records.files import seal
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part
from leafinstruct.shard import buckets, keys, stage

SENTENCES = (
    "First, draw a red wall on the grass.",
    "Then add a brown roof on top of it.",
    "Finally, paint a blue door in it.",
)
SHARD = "guide.train-00000-of-00001"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A built dataset of eight documents in one shard. Returns its recipe."""
    pages = {
        f"https://host.example/{number}": [
            (f"{text} Number {number}.", png((20 * number, 70 * at, 90), dot=at))
            for at, text in enumerate(SENTENCES)
        ]
        for number in range(8)
    }
    path = unjudged(
        tmp_path, pages, part_size=4, rewrite={"tasks": ["guide"]}, shard={"splits": {"train": 1}}
    )
    build(path)
    return path


def settings(path: Path) -> stage.ShardSettings:
    return stage.ShardSettings.of(recipes.load(path))


def gathered_part(out: Artifact) -> str:
    return (
        min(path.name for path in out.path.rglob("rows-*.arrow")).removeprefix("rows-").removesuffix(".arrow")
    )


def copied(out: Artifact, part: str, count: int) -> None:
    """Copy the gathered rows of a part to parts p0, p1, ..."""
    source = out.file("rows", part, ".arrow")
    chunks = [
        (place, length) for place, length, _ in struct.iter_unpack("<QQ32s", seal.opened(source).entries)
    ]
    for number in range(count):
        copy = out.file("rows", f"p{number}", ".arrow")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
        seal.put(copy, chunks)  # a seal names its file


def test_the_card_follows_counts_that_leave_the_examples_alone(small):
    """A line that cannot be read for another reason changes no example and no shard, but what the card says
    of the source."""
    folder = small.parent / "runs/t/shard"
    source = small.parent / "data/docs.jsonl"
    whole = source.read_text(encoding="utf-8")
    source.write_text(whole + '{"url": broken\n', encoding="utf-8")
    build(small)
    before = shard_sums(folder)
    assert "| `broken_json` | 1 |" in (folder / "README.md").read_text(encoding="utf-8")
    source.write_text(whole + "[1]\n", encoding="utf-8")
    engine = InlineEngine()
    outcomes = {outcome.stage: outcome.up_to_date for outcome in build(small, engine=engine)}
    assert outcomes == {"ingest": False, "filter": True, "rewrite": True, "shard": False}
    assert "writing shards" not in engine.reports or engine.reports["writing shards"] == []
    assert shard_sums(folder) == before
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| `not_an_object` | 1 |" in card
    assert "broken_json" not in card
    assert all(outcome.up_to_date for outcome in build(small))


def test_a_shard_of_many_parts_opens_few_files(small):
    """120 parts under a limit of 40 open files: the rows are the same, and in the order of the plan."""
    out = Artifact(small.parent / "runs/t/shard")
    part = gathered_part(out)
    copied(out, part, 120)
    places = {
        "part": [f"p{7 * number % 120}" for number in range(480)],
        "index": [number % 4 for number in range(480)],
    }
    script = (
        "import json, resource, sys; from pathlib import Path\n"
        "from leafinstruct.recipe import load as recipe\n"
        "from leafinstruct.runtime.artifact import Artifact\n"
        "from leafinstruct.runtime.engine.base import Part\n"
        "from leafinstruct.shard import stage\n"
        "settings = stage.ShardSettings.of(recipe.load(Path(sys.argv[1])))\n"
        "import datasets\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "import pyarrow\n"
        "places = pyarrow.table(json.loads(sys.argv[3]))\n"
        "shard = Part('many.train-00000-of-00001', ('key', places))\n"
        "stage.write(settings, Artifact(Path(sys.argv[2])), Part(shard.name, [shard]))\n"
    )
    command = [sys.executable, "-c", script, str(small), str(out.path), json.dumps(places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (out.path / f"{SHARD}.parquet").unlink()
    ids = keys.read(out, [part])[part]["id"].to_pylist()
    assert [row["id"] for row in rows(out.path)] == [ids[index] for index in places["index"]]
    report = out.report("many.train-00000-of-00001")
    assert report is not None
    assert (report.counts["rows"], report.counts["images"]) == (480, 1440)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_bucket_of_shards_opens_each_part_once(small, monkeypatch, workers):
    """10 shards with a row of each of 30 parts. Every shard for itself would open 300 files."""
    out = Artifact(small.parent / "runs/t/shard")
    part = gathered_part(out)
    copied(out, part, 30)
    ids = keys.read(out, [part])[part]["id"].to_pylist()
    places = pa.table({"part": [f"p{number}" for number in range(30)], "index": [n % 4 for n in range(30)]})
    shards = [Part(f"many.train-{at:05d}-of-00010", ("key", places)) for at in range(10)]
    opened: list[Path] = []
    check, mapping = seal.opened, pa.memory_map
    monkeypatch.setattr(seal, "opened", lambda path: opened.append(path) or check(path))
    monkeypatch.setattr(pa, "memory_map", lambda path: opened.append(path) or mapping(path))
    found = buckets.buckets(shards, parts=30, workers=workers)
    assert [shard.name for bucket in found for shard in bucket.payload] == [shard.name for shard in shards]
    for bucket in found:
        stage.write(settings(small), out, bucket)
    assert len(opened) == 2 * 30 * len(found)  # verified, then mapped
    assert len(found) == 2 * workers
    (out.path / f"{SHARD}.parquet").unlink()
    assert [row["id"] for row in rows(out.path)] == 10 * [ids[n % 4] for n in range(30)]


def test_a_bucket_has_enough_rows_of_each_part_and_shards_of_all_sizes():
    """20,000 parts of 500 rows in 2,000 shards: 31 buckets for 8 workers, so 620,000 opened files and not
    40 million."""

    def of(*sizes: int) -> list[Part]:
        return [Part(f"s{at}", ("key", range(size))) for at, size in enumerate(sizes)]

    assert buckets.buckets([], parts=5, workers=2) == []
    found = buckets.buckets(of(*[5000] * 2000), parts=20_000, workers=8)
    assert len(found) == 31
    assert {len(bucket.payload) for bucket in found} == {64, 65}
    # one shard has nearly all rows
    assert [len(one.payload) for one in buckets.buckets(of(5, 10_000, 5, 5), parts=9, workers=2)] == [1, 1, 2]
    assert [len(one.payload) for one in buckets.buckets(of(1, 1, 1), parts=9, workers=64)] == [1, 1, 1]
    assert [len(one.payload) for one in buckets.buckets(of(0, 0), parts=9, workers=2)] == [2]


def test_a_plan_maps_no_file_and_two_kinds_of_gathered_rows_fit_into_the_mappings_of_a_process(tmp_path):
    out = Artifact(tmp_path)
    document = {"document": "a", "group": "b"}
    parts = [f"p{number}" for number in range(30)]
    for part in parts:
        keys.write(keys.file_of(out, part), "key", [document], keys.NEAR)
    read = keys.read(out, parts)
    assert {table.to_pylist()[0]["group"] for table in read.values()} == {"b"}
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert 2 * buckets._MAPPED < 65_530 - 10_000


def test_a_damaged_row_is_found_when_its_shard_is_written(small):
    out = Artifact(small.parent / "runs/t/shard")
    part = gathered_part(out)
    path = out.file("rows", part, ".arrow")
    start, size, _ = list(struct.iter_unpack("<QQ32s", seal.opened(path).entries))[2]
    with path.open("r+b") as file:
        file.seek(start + size // 2)
        byte = file.read(1)
        file.seek(start + size // 2)
        file.write(bytes([byte[0] ^ 1]))
    rows_of = buckets.GatheredRows(out, "rows", public.schema())
    assert rows_of[part, 1].num_rows == 1
    with pytest.raises(DamagedError, match=f"rows-{part}.*its bytes differ"):
        rows_of[part, 2]
    with pytest.raises(DamagedError, match="fewer chunks"):
        rows_of[part, 99]
    with pytest.raises(DamagedError, match="another version"):
        buckets.GatheredRows(out, "rows", public.preference_schema())[part, 0]


class Killed(Artifact):
    """An artifact whose writer dies between its files and its report."""

    def commit(self, *_: object) -> dict[str, object]:
        raise ZeroDivisionError


def test_a_kill_between_a_shard_and_its_report_leaves_no_report(small):
    """An old report over a new shard would say that the new one is the old one."""
    out = Artifact(small.parent / "runs/t/shard")
    assert out.report(SHARD) is not None
    part = gathered_part(out)
    with pytest.raises(ZeroDivisionError):
        stage.write(
            settings(small),
            Killed(out.path),
            Part(SHARD, [Part(SHARD, ("other", pa.table({"part": [part], "index": [0]})))]),
        )
    assert len(rows(out.path)) == 1
    assert out.report(SHARD) is None


def test_a_kill_between_rows_and_keys_leaves_no_keys(small):
    """Old keys over new rows would place rows by what they were. The writer dies here of a key that is no
    text."""
    run = small.parent / "runs/t"
    chain = pipeline.artifacts(recipes.load(small))
    name = chain["rewrite"].parts()[0]
    vouching, gathered = (chain["shard"].file(kind, name, ".arrow") for kind in ("keys", "rows"))
    before = gathered.stat().st_ino
    with pytest.raises(TypeError, match="object"):
        stage.gather(settings(small), chain["rewrite"], chain["shard"], Part(name, object()))
    assert gathered.stat().st_ino != before
    assert not vouching.exists()
    wanted = shard_sums(run / "shard")
    (run / "shard/record.json").unlink()
    build(small)
    assert vouching.exists()
    assert shard_sums(run / "shard") == wanted


def test_half_a_keys_file_is_as_good_as_none(small):
    folder = small.parent / "runs/t/shard"
    wanted = shard_sums(folder)
    half = next(folder.rglob("keys-*.arrow"))
    whole = half.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    (folder / "record.json").unlink()
    build(small)
    assert half.read_bytes() == whole
    assert shard_sums(folder) == wanted


def test_checksums_are_what_sha256sum_takes_and_vouch_for_every_shard(small):
    folder = small.parent / "runs/t/shard"
    build(small, "shard.max_bytes=1000")
    sums = shard_sums(folder)
    assert len(sums) > 2
    assert (folder / "SHA256SUMS").read_text() == "".join(
        f"{sha256}  {name}\n" for name, sha256 in sums.items()
    )
    if program := shutil.which("sha256sum"):
        done = subprocess.run(
            [program, "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.count(": OK")) == (0, len(sums)), done.stderr


def test_a_kill_leaves_no_checksums_of_other_shards(small):
    """The writer dies with some shards new and some old: checksums would call the folder whole or broken, and
    it is neither."""
    folder = small.parent / "runs/t/shard"

    class Dying(InlineEngine):
        def map(self, task, parts, needs):
            done = super().map(task, parts[:1] if needs.what == "writing shards" else parts, needs)
            if needs.what == "writing shards":
                raise ZeroDivisionError
            return done

    with pytest.raises(ZeroDivisionError):
        build(small, "shard.max_bytes=1000", engine=Dying())
    assert not (folder / "SHA256SUMS").exists()
    assert not (folder / "record.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert finished
    build(small, "shard.max_bytes=1000")
    # what was finished is kept
    again = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert len(again) > len(finished)
    assert {name: again[name] for name in finished} == finished
    whole = shard_sums(folder), (folder / "SHA256SUMS").read_text()
    build(small, "shard.max_bytes=1000", rebuild=True)
    assert (shard_sums(folder), (folder / "SHA256SUMS").read_text()) == whole


def test_a_deleted_shard_is_written_again(small):
    folder = small.parent / "runs/t/shard"
    before = shard_sums(folder)
    (folder / f"{SHARD}.parquet").unlink()
    outcomes = {outcome.stage: outcome for outcome in build(small)}
    assert outcomes["shard"].changes == (f"shards that are gone: {SHARD}",)
    assert outcomes["rewrite"].up_to_date
    assert shard_sums(folder) == before


def test_only_files_of_the_whole_stage_and_shards_are_on_top(small):
    """A real run: each file of a part is in its kind's folder, where its report says it is."""
    of_stage = {"record.json", "fingerprint.json"}
    described = {"README.md", "SHA256SUMS", "build.json", "croissant.json", f"{SHARD}.parquet"}
    also = {"ingest": {"sources.json"}, "shard": described}
    for stage_name, out in pipeline.artifacts(recipes.load(small)).items():
        top = {path.name for path in out.path.iterdir() if path.is_file()}
        assert top == of_stage | also.get(stage_name, set())
        listed = {
            out.path / file for report in out.reports() for file in (*report.files, *report.intermediate)
        }
        indexes = set(out.path.glob("index/??/*.json"))  # of source files, not of parts
        below = {path for path in out.path.glob("*/*/*") if path.is_file()} - indexes
        assert below == set(out.files())
        assert below >= {path for path in listed if path.parent != out.path}
        assert {path.name.partition("-")[0] for path in below} >= {"report"}


def test_files_of_another_plan_or_an_older_version_are_removed(small):
    folder = small.parent / "runs/t/shard"
    out = Artifact(folder)
    for path in (
        out.file("keys", "old", ".json"),
        out.file("rows", "gone", ".arrow"),
        out.file("keys", "gone", ".arrow"),
        folder / "guide.train-00007-of-00008.parquet",
        folder / ".x.parquet.1.tmp",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"stale")
    (folder / "record.json").unlink()
    build(small)
    kinds = sorted({path.name.split("-")[0] for path in folder.iterdir()})
    described = ["README.md", "SHA256SUMS", "build.json", "croissant.json", "examples"]
    assert kinds == [*described, "fingerprint.json", "guide.train", "keys", "record.json", "report", "rows"]
    assert len(list(folder.rglob("keys-*"))) == len(list(folder.rglob("rows-*"))) == 2
    assert [path.name for path in folder.glob("*.parquet")] == [f"{SHARD}.parquet"]


def test_rows_without_images_fill_shards_too(tmp_path):
    """64 conversations of some 1,050 bytes are 67 kB: at 5,000 bytes a shard, 13.4, and so 16."""
    message = [("human", "Tell me a story of about one thousand letters"), ("gpt", "x" * 1000)]
    talks = [
        {
            "id": str(number),
            "conversations": [{"from": who, "value": f"{text} {number:02}"} for who, text in message],
        }
        for number in range(64)
    ]
    (tmp_path / "talks.json").write_text(json.dumps(talks), encoding="utf-8")
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "conversations", "name": "talk", "path": "talks.json"}]},
        filter={
            "min_words": 3,
            "min_images": 0,
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
            "rules": [],
        },
        shard={"splits": {"train": 1}, "group_by": [], "max_bytes": 5000},
    )
    build(path)
    sizes = [pq.read_metadata(file).num_rows for file in (tmp_path / "runs/t/shard").glob("*.parquet")]
    assert (len(sizes), sum(sizes)) == (16, 64)


def test_row_groups_are_a_setting_and_pages_are_indexed(small):
    folder = small.parent / "runs/t/shard"
    assert pq.read_metadata(folder / f"{SHARD}.parquet").num_row_groups == 1
    build(small, "shard.row_group_bytes=1")
    metadata = pq.read_metadata(folder / f"{SHARD}.parquet")
    assert (metadata.num_rows, metadata.num_row_groups) == (8, 8)
    columns = [metadata.row_group(0).column(at) for at in range(metadata.num_columns)]
    assert all(column.has_offset_index for column in columns)


def test_another_choice_of_group_keys_gathers_nothing_and_is_reported(small):
    engine = InlineEngine()
    build(small, "shard.group_by=[text]", "shard.splits={train: 0.5, test: 0.5}", engine=engine)
    assert engine.reports.get("gathering", []) == []
    record = Artifact(small.parent / "runs/t/shard").record
    assert record is not None
    assert (record["group_by"], record["split_by"], record["groups"], record["warnings"]) == (
        ["text"],
        "document",
        8,
        [],
    )
    build(small, "shard.splits={train: 0.5, test: 0.5}")
    record = Artifact(small.parent / "runs/t/shard").record
    assert record is not None
    (warning,) = record["warnings"][:1]
    assert warning.startswith("the rows come from 1 web domain, fewer than 10")
    assert f"{warning[:1].upper()}{warning[1:]}." in (small.parent / "runs/t/shard/README.md").read_text(
        encoding="utf-8"
    )


def test_a_nearly_equal_page_of_another_site_is_in_the_same_split(tmp_path):
    """24 pages of 24 domains in pairs: the second of a pair says one word otherwise and shows other images.
    Source to shard."""
    source = random.Random(3)
    pages = {}
    for pair in range(12):
        words = [f"word{source.randrange(900)}" for _ in range(120)]
        for side, site in enumerate(("maker", "copycat")):
            reported = [*words[:60], "indeed" if side else "surely", *words[60:]]
            steps = [" ".join(reported[at : at + 41]) for at in (0, 41, 82)]
            shown = [png((20 * pair, 90 * side, 70 * at), dot=at + 3 * side) for at in range(3)]
            pages[f"https://{site}{pair}.com/page"] = list(zip(steps, shown, strict=True))
    # these words are of no language, so the first steps are the question
    path = unjudged(
        tmp_path, pages, rewrite={"tasks": ["continuation"]}, shard={"splits": {"train": 0.5, "test": 0.5}}
    )

    def parted() -> int:
        side = {
            row["url"]: file.name.split(".")[1][:4]
            for file in (tmp_path / "runs/t/shard").glob("*.parquet")
            for row in rows(file)
        }
        assert len(side) == 24
        return sum(
            side[f"https://maker{pair}.com/page"] != side[f"https://copycat{pair}.com/page"]
            for pair in range(12)
        )

    build(path)
    assert parted() == 0
    build(path, "shard.group_by=[domain, text, images]")
    assert parted() > 0
