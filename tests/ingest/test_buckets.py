"""Sources in a bucket: the documents and images of the disk, by ranges, in the state that was planned."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_repos import Repo, ReposHub
from making import InlineEngine, build, mmc4, png, recipe
from publish.conftest import pages
from s3 import refusing, serving

import leafinstruct
from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.images.read import fetch, stamp
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.ingest import forecast, stage
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.recipe import load as recipes
from leafinstruct.records.document import Ref
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.store import opened
from leafinstruct.runtime.store.path import ObjectPath

STEPS = ("Sand the wood until it is smooth.", "Wipe the dust off with a cloth.", "Paint it, and let it dry.")
MAPPED = [{"text": "text"}, {"image": "image"}]


@pytest.fixture
def s3(monkeypatch):
    with serving(monkeypatch, retries=1) as server:
        yield server


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Genuine files of every kind that reads buckets."""
    folder = tmp_path_factory.mktemp("corpus")
    drawn = leafinstruct.read(
        {"kind": "sketchbook", "name": "drawn", "seed": 3, "documents": 4, "image_px": 32}
    )
    shutil.copytree(drawn.roots["drawn"], folder / "drawn")
    pages = {
        f"https://a.example/{number}": [(step, png(dot=number * 3 + at)) for at, step in enumerate(STEPS)]
        for number in range(4)
    }
    mmc4(folder / "mmc4", pages)
    shutil.copytree(folder / "mmc4", folder / "packed")
    plain = next(path for path in (folder / "packed").iterdir() if path.is_file())
    (folder / "packed/a.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    rows = [
        {"text": f"{STEPS[number % 3]} Number {number}.", "image": {"bytes": png(dot=number), "path": None}}
        for number in range(40)
    ]
    (folder / "tables").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "tables/a.parquet", row_group_size=15)
    (folder / "csv").mkdir()
    (folder / "csv/a.csv").write_text(
        "text,image\n" + "".join(f"{STEPS[n % 3]} {n}.,i{n % 4}.png\n" for n in range(12)), encoding="utf-8"
    )
    for number in range(4):
        (folder / f"csv/i{number}.png").write_bytes(png(dot=number))
    (folder / "tar").mkdir()
    with tarfile.open(folder / "tar/a.tar", "w") as archive:
        for number in range(5):
            for name, data in (
                (f"{number:03}.txt", STEPS[number % 3].encode()),
                (f"{number:03}.png", png(dot=number)),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    (folder / "talks").mkdir()
    (folder / "talks/one.png").write_bytes(png())
    talk = {
        "id": "1",
        "image": ["one.png"],
        "conversations": [
            {"from": "human", "value": f"<image>\n{STEPS[0]}"},
            {"from": "gpt", "value": STEPS[1]},
        ],
    }
    (folder / "talks/a.json").write_text(json.dumps([talk]), encoding="utf-8")
    return folder


KINDS = {
    "warc": {"kind": "warc", "path": "drawn/warc"},
    "crawl": {"kind": "warc", "path": "drawn/*/*.warc*", "crawl": True},
    "html": {"kind": "html", "path": "drawn/html"},
    "obelics": {"kind": "obelics", "path": "drawn/obelics/*.parquet"},
    "mmc4": {"kind": "mmc4", "path": "mmc4"},
    "mmc4 packed": {"kind": "mmc4", "path": "packed/a.jsonl.gz"},
    "parquet": {"kind": "hub", "path": "tables/*.parquet", "segments": MAPPED},
    "csv": {"kind": "hub", "path": "csv", "segments": MAPPED},
    "tar": {"kind": "hub", "path": "tar", "segments": [{"text": "txt"}, {"image": "png"}]},
    "conversations": {"kind": "conversations", "path": "talks/a.json"},
}


@pytest.mark.parametrize("name", KINDS)
def test_a_bucket_gives_the_documents_and_images_of_the_disk(name, corpus, s3):
    used = KINDS[name]["path"].partition("/")[0]
    s3.upload(corpus / used, f"in/{used}/")
    found = []
    for place in (f"{corpus}/", "s3://crawl/in/"):
        reading = leafinstruct.read({**KINDS[name], "name": "own", "path": place + KINDS[name]["path"]})
        documents = list(reading)
        images = [
            fetch(image.ref, reading.roots["own"]) for document in documents for image in document.images
        ]
        found.append((documents, images, reading.losses.reasons, reading.losses.pieces))
    assert found[0] == found[1]
    assert found[0][0]
    assert found[0][1]
    assert not any(isinstance(image, Unreadable) for image in found[0][1])


def settings_of(path: str, **more):
    source = {"kind": "mmc4", "name": "own", "path": path, **more}
    return IngestSettings.of(recipes.load({"name": "t", "ingest": {"sources": [source]}}))


@pytest.mark.e2e
def test_a_build_from_a_bucket_is_that_from_the_disk_and_is_up_to_date_then(s3, tmp_path):
    mmc4(tmp_path / "data", pages(5))
    s3.upload(tmp_path / "data", "data/")
    found = []
    for place in ("../data", "s3://crawl/data"):
        folder = tmp_path / ("disk" if place.startswith(".") else "bucket")
        folder.mkdir()
        source = {"kind": "mmc4", "name": "own", "path": place, "license": "CC0-1.0"}
        passing = {"min_words": 10, "min_images": 2, "alignment": {"allow_toy": True}, "rules": []}
        path = recipe(
            folder,
            ingest={"sources": [source]},
            filter=passing,
            rewrite={"tasks": ["guide"]},
            shard={"splits": {"train": 1}},
            part_size=2,
        )
        build(path)
        found.append(
            {shard.name: shard.read_bytes() for shard in (folder / "runs/t/shard").glob("*.parquet")}
        )
    assert found[0]
    assert found[0] == found[1]
    s3.requests.clear()
    engine = InlineEngine()
    build(path, engine=engine)
    assert engine.reports == {}  # nothing is read again
    assert {method for method, _, _ in s3.requests} <= {"GET", "HEAD"}
    assert not [path for method, path, _ in s3.requests if method == "GET" and path.endswith(".jsonl")]
    record = json.loads((tmp_path / "bucket/runs/t/ingest/record.json").read_text())
    assert record["roots"] == {"own": "s3://crawl/data"}
    assert all(value.startswith("tag:") for value in record["sources"].values())


def test_a_file_that_changes_after_planning_stops_the_build(s3, tmp_path):
    mmc4(tmp_path / "data", {"https://a.example/1": [(step, png(dot=at)) for at, step in enumerate(STEPS)]})
    s3.upload(tmp_path / "data", "data/")
    settings, out = settings_of("s3://crawl/data"), Artifact(tmp_path / "ingest")
    (part,) = stage.plan(settings, out)
    (file,) = part.payload.span.files
    s3.put(f"data/{file}", s3.data(f"data/{file}").replace(b"Sand", b"Oil!"))
    opened.close()  # as in a worker, which knows only the part
    with pytest.raises(SourceError, match=r"s3://crawl/data/docs.*: changed while it was read; run the same"):
        stage.read_part(out, settings.removed, part)
    assert not out.is_up_to_date(part.name, part.payload.key)
    (again,) = stage.plan(settings, out)
    assert again.payload.key != part.payload.key
    assert stage.read_part(out, settings.removed, again).counts["documents"] == 1


def test_an_image_that_cannot_be_read_now_can_be_read_later(s3):
    s3.put("data/a.png", png())
    root = ObjectPath("s3://crawl/data")
    s3.fault = refusing("503 Slow Down", "SlowDown")
    failed = fetch(Ref(file="a.png"), root)
    assert isinstance(failed, Unreadable)
    assert (failed.reason, failed.retryable) == ("unreadable", True)
    assert "s3://crawl/data/a.png: 503" in failed.detail
    assert stamp(root / "a.png") == ""
    s3.fault = None
    assert fetch(Ref(file="a.png"), root) == png()
    assert stamp(root / "a.png") != ""
    missing = fetch(Ref(file="b.png"), root)
    assert isinstance(missing, Unreadable)
    assert (missing.reason, missing.retryable) == ("missing", False)
    for name in ("../secret.png", "/secret.png", "x/../../../other/secret.png", "a\x7f.png", "é" * 600):
        outside = fetch(Ref(file=name), root)
        assert isinstance(outside, Unreadable)
        assert (outside.reason, outside.retryable) == ("unsafe_path", False)


def test_a_folder_is_searched_by_the_rules_of_the_disk(s3):
    line = json.dumps({"text_list": list(STEPS), "image_info": []}).encode() + b"\n"
    for key in (
        "a.jsonl",
        "sub/b.jsonl",
        ".hidden/c.jsonl",
        "sub/.d.jsonl",
        "run/ingest/fingerprint.json",
        "run/e.jsonl",
        "notes.txt",
    ):
        s3.put(f"in/{key}", line)
    reading = leafinstruct.read({"kind": "mmc4", "path": "s3://crawl/in"})
    assert [document.provenance.file for document in reading] == ["a.jsonl", "sub/b.jsonl"]
    s3.put("in/f.jsonl.zst", b"")
    with pytest.raises(
        SourceError, match=r"s3://crawl/in/f\.jsonl\.zst: this source reads .*; run `zstd -d` on it"
    ):
        list(leafinstruct.read({"kind": "mmc4", "path": "s3://crawl/in"}))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3://crawl/none", "s3://crawl/none: no such object or folder; check the name"),
        ("s3://crawl/none/*.jsonl", r"s3://crawl/none/\*\.jsonl: matches no file"),
        ("s3://missing/x", "s3://missing/x: 404 NoSuchBucket; check the name of the bucket"),
        (
            "hf://datasets/only",
            "hf://datasets/only: not a place on the Hub; write hf://datasets/ORG/NAME/FOLDER",
        ),
    ],
)
def test_a_wrong_place_is_one_line(path, message, s3):
    with pytest.raises(SourceError, match=message):
        list(leafinstruct.read({"kind": "mmc4", "path": path}))


def test_kinds_that_need_a_disk_and_a_workdir_in_a_bucket_are_refused(s3):
    with pytest.raises(
        SourceError, match="source own: kind video reads files on a disk only; copy them to a disk"
    ):
        list(leafinstruct.read({"kind": "video", "name": "own", "path": "s3://crawl/videos"}))
    source = {"kind": "mmc4", "name": "own", "path": "s3://crawl/x"}
    with pytest.raises(RecipeError, match="workdir: results are on a disk"):
        recipes.load({"name": "t", "workdir": "s3://crawl/work", "ingest": {"sources": [source]}})


def test_images_elsewhere_in_the_store_are_found_and_those_on_a_disk_are_refused(s3, tmp_path):
    mmc4(tmp_path / "data", {"https://a.example/1": [(step, png(dot=at)) for at, step in enumerate(STEPS)]})
    s3.upload(tmp_path / "data/images", "images/")
    s3.upload(tmp_path / "data", "data/")
    reading = leafinstruct.read({"kind": "mmc4", "path": "s3://crawl/data", "images": "s3://crawl/images"})
    (document,) = reading
    assert [fetch(image.ref, reading.roots["mmc4"]) for image in document.images] == [
        png(dot=at) for at in range(3)
    ]
    assert document.images[0].ref.file.startswith("images/")
    with pytest.raises(
        SourceError, match="the images are not in the store of s3://crawl/data; copy them there"
    ):
        list(leafinstruct.read({"kind": "mmc4", "path": "s3://crawl/data", "images": str(tmp_path)}))


def test_a_corrupt_table_is_a_loss_and_an_outage_is_none(s3):
    rows = pa.Table.from_pylist(
        [{"text": STEPS[n % 3], "image": {"bytes": png(dot=n), "path": None}} for n in range(40)]
    )
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    s3.put("t/a.parquet", sink.getvalue())
    reading = leafinstruct.read({"kind": "hub", "path": "s3://crawl/t/a.parquet", "segments": MAPPED})
    assert len(list(reading)) == 40
    opened.close()
    reading = iter(leafinstruct.read({"kind": "hub", "path": "s3://crawl/t/a.parquet", "segments": MAPPED}))
    s3.fault = refusing("503 Slow Down", "SlowDown", method="GET")
    with pytest.raises(SourceError, match="503 SlowDown; the bucket still limits requests"):
        list(reading)
    s3.fault = None
    s3.put("t/a.parquet", sink.getvalue()[:-20])
    reading = leafinstruct.read({"kind": "hub", "path": "s3://crawl/t/a.parquet", "segments": MAPPED})
    assert list(reading) == []
    assert reading.losses.reasons == {"truncated": 1}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub on this machine, also for what huggingface_hub read from the environment on import."""
    from huggingface_hub import constants

    with ReposHub() as server:
        for name, value in server.logged_in(tmp_path / "home", "hf_secretsecretsecret").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        opened.close()
        yield server
        opened.close()


def test_a_repository_of_the_hub_is_read_at_one_commit(hub, corpus):
    files = {f"data/{path.name}": path.read_bytes() for path in (corpus / "tables").iterdir()}
    lines = next(path for path in (corpus / "mmc4").iterdir() if path.is_file()).read_bytes()
    hub.repos["me/demo"] = repo = Repo(private=True)
    repo.commit("main", {**files, "data/a.jsonl": lines, "other/b.parquet": b"not read"})
    source = {"kind": "hub", "name": "own", "segments": MAPPED}
    disk = list(leafinstruct.read({**source, "path": str(corpus / "tables")}))
    reading = leafinstruct.read({**source, "path": "hf://datasets/me/demo/data/*.parquet"})
    assert list(reading) == disk
    repo.commit("main", {"data/a.parquet": b"of somebody else"})
    assert list(reading) == disk
    images = [fetch(image.ref, reading.roots["own"]) for document in disk for image in document.images]
    assert images == [png(dot=number) for number in range(40)]
    with pytest.raises(
        SourceError, match=r"hf://datasets/me/none: cannot be downloaded from the Hub: .*; there is no"
    ):
        list(leafinstruct.read({**source, "path": "hf://datasets/me/none/x.parquet"}))
    with pytest.raises(SourceError, match="hf://datasets/me/demo/none: no such object or folder"):
        list(leafinstruct.read({**source, "path": "hf://datasets/me/demo/none"}))


def test_a_forecast_reads_the_folder_of_a_bucket(s3, tmp_path):
    mmc4(tmp_path / "data", {"https://a.example/1": [(STEPS[0], png())]})
    s3.upload(tmp_path / "data", "data/")
    source = {"kind": "mmc4", "name": "own", "path": "s3://crawl/data"}
    settings = IngestSettings.of(recipes.load(recipe(tmp_path, ingest={"sources": [source]})))
    (found,) = forecast.sample(settings, Artifact(tmp_path / "scratch"), InlineEngine(), 1)
    assert found.roots == {"own": ObjectPath("s3://crawl/data")}
    (image,) = found.documents[0].images
    assert fetch(image.ref, found.roots["own"]) == png()
