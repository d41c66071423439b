"""Damaged bytes in a run: what `leaf build` makes again, and that no byte of a shard changes without a
word."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command import leaf_process as leaf
from e2e.test_build import pages
from making import InlineEngine, build, mmc4, recipe, rows

from leafinstruct.errors import DamagedError, DriftError, SourceError
from leafinstruct.filter.passes import INTERMEDIATE
from leafinstruct.images.web.store import Fetched, Store
from leafinstruct.pipeline import Outcome
from leafinstruct.records import table
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.share import Share
from leafinstruct.runtime.files import load, save
from leafinstruct.train.data.codes import Codes
from leafinstruct.verify import verify


def published(run: Path) -> dict[str, str]:
    """sha256 of all that `leaf push` would publish."""
    names = ("*.parquet", "SHA256SUMS", "README.md", "croissant.json", "build.json", "examples/*")
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name in names
        for path in sorted((run / "shard").glob(name))
    }


def flip(path: Path, at: float = 0.5) -> None:
    """Change one bit. at: where, as a share of the file."""
    data = bytearray(path.read_bytes())
    data[min(len(data) - 1, int(at * len(data)))] ^= 1 << 3
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def zero(path: Path) -> None:
    """What a file system may leave after a power cut: the right size and no bytes."""
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: tuple[Callable[[Path], None], ...] = (flip, cut, zero, empty, Path.unlink)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three parts; its recipe."""
    folder = tmp_path_factory.mktemp("damage")
    mmc4(folder / "data", pages(12))
    path = recipe(
        folder,
        part_size=4,
        ingest={"sources": [{"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}]},
        filter={
            "min_words": 10,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "judge": {"enabled": True},
            "rules": [{"score": "text.links", "max": 5}, {"score": "duplicate.text", "max": 0}],
        },
        shard={"splits": {"train": 0.5, "test": 0.5}},
    )
    build(path)
    return path


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, times of change included; its recipe."""
    shutil.copytree(built.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / built.name


def run_of(own: Path) -> Path:
    return own.parent / "runs/t"


def reported(outcomes: list[Outcome]) -> list[str]:
    return [line for outcome in outcomes for line in outcome.repaired]


def one(run: Path, pattern: str) -> Path:
    """The second of the files of a kind."""
    return sorted(run.glob(pattern))[1]


@pytest.mark.matrix(3)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    "kind", ["*.parquet", "SHA256SUMS", "README.md", "croissant.json", "build.json", "examples/*"]
)
def test_a_damaged_published_file_is_made_again(own, kind, damage):
    before = published(run_of(own))
    path = sorted((run_of(own) / "shard").glob(kind))[0]
    damage(path)
    engine = InlineEngine()
    outcomes = build(own, engine=engine)
    assert published(run_of(own)) == before
    if kind == "*.parquet" and damage is not Path.unlink:
        assert len(engine.reports["writing shards"]) == 1
    lines = [*reported(outcomes), *(line for outcome in outcomes for line in outcome.changes)]
    assert len(lines) == 1
    assert path.name.removesuffix(".parquet") in lines[0]
    assert all(outcome.up_to_date and not outcome.repaired for outcome in build(own))


@pytest.mark.matrix(3)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    "kind",
    [
        "ingest/documents/*/documents-*",
        *(
            f"filter/{kind}/*/{kind}-*"
            for kind in (
                "documents",
                "scores",
                "findings",
                "paragraphs",
                "repeats",
                "images",
                "embeddings",
                "keys",
                "duplicates",
                "judged",
                "asked",
            )
        ),
        *(f"rewrite/{kind}/*/{kind}-*" for kind in ("examples", "dropped", "asked")),
        *(f"shard/{kind}/*/{kind}-*" for kind in ("rows", "keys")),
    ],
)
def test_a_damaged_part_is_made_again_when_it_is_read(own, kind, damage):
    """All that comes after it is removed, so that every file is read once more."""
    run = run_of(own)
    before = published(run)
    damage(one(run, kind))
    for stage in ("filter", "rewrite", "shard"):
        if not kind.startswith("ingest"):
            break
        shutil.rmtree(run / stage)
    for path in [
        *run.glob("shard/*.parquet"),
        *run.glob("*/record.json"),
        *run.glob("filter/report/*/report-*"),
        *run.glob("rewrite/report/*/report-*"),
    ]:
        path.unlink(missing_ok=True)
    build(own)
    assert published(run) == before
    assert all(outcome.up_to_date and not outcome.repaired for outcome in build(own))


@pytest.mark.matrix(5)
@pytest.mark.parametrize("damage", [flip, cut, zero, empty], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("stage", ["ingest", "filter", "rewrite", "shard"])
@pytest.mark.parametrize("kind", ["report-*.json", "record.json", "fingerprint.json"])
def test_a_damaged_report_counts_as_none_and_is_written_again(own, stage, kind, damage):
    before = published(run_of(own))
    path = sorted((run_of(own) / stage).rglob(kind))[0]
    damage(path)
    assert [line for line in reported(build(own)) if path.name in line]
    assert published(run_of(own)) == before
    assert all(outcome.up_to_date and not outcome.repaired for outcome in build(own))


def test_files_of_two_parts_that_were_swapped_are_noticed(own):
    run = run_of(own)
    before = published(run)
    for kind in (
        "ingest/documents/*/documents-*",
        "filter/images/*/images-*",
        "filter/documents/*/documents-*",
        "filter/scores/*/scores-*",
        "rewrite/examples/*/examples-*",
    ):
        first, second = sorted(run.glob(kind))[:2]
        first.rename(run / "held")
        second.rename(first)
        (run / "held").rename(second)
    for path in [*run.glob("shard/*"), *run.glob("rewrite/**/r*.json")]:
        path.unlink() if path.is_file() else shutil.rmtree(path)
    assert reported(build(own))
    assert published(run) == before


def test_no_flipped_bit_reaches_a_shard(own):
    """Twenty bits anywhere in the run, each before the stages behind it are built once more: the same bytes,
    or a word about it."""
    run, rng = run_of(own), random.Random(0)
    before = published(run)
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.stat().st_size]
    for _ in range(20):
        path = rng.choice([item for item in files if item.exists()])
        flip(path, rng.random())
        for report in run.glob(f"{rng.choice(['filter', 'rewrite', 'shard'])}/**/re*.json"):
            report.unlink()
        build(own)
        assert published(run) == before, path
        assert all(outcome.up_to_date for outcome in build(own)), path


def test_a_reader_of_a_damaged_file_reports_it_in_one_line(own):
    run = run_of(own)
    path = one(run, "ingest/documents/*/documents-*")
    flip(path)
    part = path.stem.partition("-")[2]
    with pytest.raises(
        DamagedError, match=r"its sha256 is not the recorded one; `leaf verify` lists"
    ) as found:
        Artifact(run / "ingest").checked("documents", part)
    assert len(str(found.value).splitlines()) == 1


class Killed(BaseException):
    """Stands in for a kill."""


def test_a_kill_while_a_damaged_part_is_made_again_loses_nothing(own, monkeypatch):
    run = run_of(own)
    before = published(run)
    flip(one(run, "filter/images/*/images-*"))
    for path in run.glob("shard/*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    commit = Artifact.commit
    for stage in ("filter", "shard"):

        def die(self, part, key, report, files, stage=stage):
            if self.stage == stage:
                raise Killed
            return commit(self, part, key, report, files)

        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(Artifact, "commit", die)
            build(own)
    build(own)
    assert published(run) == before


def test_a_disk_that_does_not_keep_what_is_written_is_named(own, monkeypatch):
    """Every documents- file of ingest is spoilt as soon as its report is written."""
    commit = Artifact.commit

    def spoil(self, part, key, report, files):
        whole = commit(self, part, key, report, files)
        if self.stage == "ingest":
            flip(self.file("documents", part))
        return whole

    shutil.rmtree(run_of(own) / "filter")
    flip(one(run_of(own), "ingest/documents/*/documents-*"))
    monkeypatch.setattr(Artifact, "commit", spoil)
    with pytest.raises(
        SourceError, match=r"documents-own-.*although it was made again twice; check the disk"
    ):
        build(own)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over the embedded corpus, pages alone."""
    folder = tmp_path_factory.mktemp("drawn")
    source = {
        "kind": "sketchbook",
        "name": "book",
        "seed": 3,
        "documents": 8,
        "videos": 0,
        "formats": ["html", "mmc4", "warc"],
    }
    path = recipe(folder, part_size=4, ingest={"sources": [source]}, filter={"min_images": 1, "min_words": 1})
    build(path)
    return path


@pytest.mark.matrix(4)
@pytest.mark.parametrize("damage", [flip, cut, Path.unlink], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", ["html/*/*.png", "mmc4/*.jsonl", "warc/*", "sums.json", "complete.json"])
def test_a_damaged_file_of_the_embedded_corpus_is_drawn_again_before_it_is_read(
    drawn, tmp_path, kind, damage
):
    shutil.copytree(drawn.parent, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "runs/t"
    before = published(run)
    damage(sorted((run / "sketchbook/book").glob(kind))[0])
    for path in [
        *run.glob("ingest/**/re*.json"),
        *run.glob("filter/images/*/images-*"),
        *run.glob("filter/**/re*.json"),
        *run.glob("shard/*.parquet"),
    ]:
        path.unlink()
    build(tmp_path / "recipe.yaml")
    assert published(run) == before
    assert verify(run, "leaf build", InlineEngine()).damages == []


def test_a_damaged_index_of_an_archive_is_built_again(drawn, tmp_path):
    shutil.copytree(drawn.parent, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "runs/t"
    before = published(run)
    for path in run.glob("ingest/index/*/*.json"):
        path.write_text(path.read_text().replace("1", "2", 1))
    for path in run.glob("ingest/**/re*.json"):
        path.unlink()
    build(tmp_path / "recipe.yaml")
    assert published(run) == before


def same_times(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file as a program does that restores its times; size stays, too."""
    stat = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def rot(run: Path) -> Path:
    """Change a source as a disk does that rots: also its inode looks as when it was hashed."""
    docs, known = run.parent.parent / "data/docs.jsonl", run / "ingest/sources.json"
    docs.write_bytes(docs.read_bytes().replace(b"Number 1.", b"Number 7."))
    noted = load(known)
    assert noted is not None
    noted["own/docs.jsonl"]["state"] = content.state(docs)
    save(known, noted, indent=None)
    return docs


def test_a_source_that_rotted_is_noticed_when_a_part_of_it_is_read_again(own):
    build(own)
    rot(run_of(own))
    flip(one(run_of(own), "ingest/documents/*/documents-*"))
    shutil.rmtree(run_of(own) / "filter")
    outcomes = build(own)
    assert "own/docs.jsonl changed, although nobody wrote it" in [
        line for outcome in outcomes for line in outcome.changes
    ]
    texts = [
        text.text
        for path in run_of(own).glob("ingest/documents/*/documents-*")
        for document in table.documents(path)
        for text in document.texts
    ]
    assert any("Number 7." in text for text in texts)
    assert not any("Number 1." in text for text in texts)
    assert all(outcome.up_to_date for outcome in build(own))


def test_a_source_that_rots_during_a_divided_build_ends_it_with_a_hint(own):
    """Other shares have made later stages from what it was."""
    build(own)
    rot(run_of(own))
    flip(one(run_of(own), "ingest/documents/*/documents-*"))
    shutil.rmtree(run_of(own) / "filter")
    with pytest.raises(
        DriftError, match=r"filter with other settings.*its input; .*to begin anew, stop them"
    ):
        build(own, share=Share(1, 1))
    build(own)
    assert all(outcome.up_to_date for outcome in build(own))


def test_a_named_version_stops_at_a_source_that_rotted(own):
    build(own, "version=v1")
    run = own.parent / "runs/t@v1"
    rot(run)
    flip(one(run, "ingest/documents/*/documents-*"))
    shutil.rmtree(run / "filter")
    with pytest.raises(DriftError, match=r"own/docs\.jsonl changed, although nobody wrote it"):
        build(own, "version=v1")


def test_an_image_file_that_changed_under_its_old_times_never_goes_out_under_the_old_sha256(own):
    """Its part is filtered again with what the file holds now, and a line says so."""
    run = run_of(own)
    changed = own.parent / "data/images/docs-5-1.png"
    old = hashlib.sha256(changed.read_bytes()).hexdigest()
    assert old in {info["sha256"] for row in rows(run / "shard") for info in row["image_info"]}
    other = (own.parent / "data/images/docs-5-2.png").read_bytes()
    same_times(changed, lambda data: other[: len(data)] + bytes(max(0, len(data) - len(other))))
    assert "image files of 1 parts" in [line for outcome in build(own) for line in outcome.changes]
    for row in rows(run / "shard"):
        for image, info in zip(row["images"], row["image_info"], strict=True):
            assert hashlib.sha256(image["bytes"]).hexdigest() == info["sha256"] != old
    assert all(outcome.up_to_date for outcome in build(own))


def test_verify_names_every_kind_of_damaged_file_and_what_it_advises_helps(own):
    run = run_of(own)
    before = published(run)
    assert leaf("verify", own).returncode == 0
    made = {path.name for path in (run / "filter").iterdir()}
    assert {*INTERMEDIATE} - made == {"fetches", "extensions", "predictions"}
    kinds = [
        *(
            "ingest/documents/*/documents-*",
            "ingest/report/*/report-*",
            "ingest/record.json",
            "ingest/fingerprint.json",
            "ingest/sources.json",
        ),
        *(
            f"filter/{kind}/*/{kind}-*"
            for kind in ("documents", "dropped", "scores", *INTERMEDIATE)
            if kind in made
        ),
        *(f"rewrite/{kind}/*/{kind}-*" for kind in ("examples", "dropped", "asked", "report")),
        *(
            f"shard/{kind}"
            for kind in (
                "keys/*/keys-*",
                "rows/*/rows-*",
                "*.parquet",
                "SHA256SUMS",
                "README.md",
                "build.json",
                "croissant.json",
                "examples/*",
            )
        ),
    ]
    paths = [sorted(run.glob(kind))[0] for kind in kinds]
    for path in paths:
        flip(path)
    done = leaf("verify", own, "--json")
    assert done.returncode == 1
    damages = json.loads(done.stdout)["damages"]
    assert {Path(item["file"]) for item in damages} == set(paths)
    message = leaf("verify", run, cwd=own.parent)
    assert message.returncode == 1
    assert len(message.stdout.splitlines()) == len(paths)
    assert f"{len(paths)} damaged" in message.stderr
    for item in damages:
        if item["repair"].startswith("delete it"):
            Path(item["file"]).unlink()
    assert leaf("build", own).returncode == 0
    assert leaf("verify", own).returncode == 0
    assert published(run) == before


def test_verify_names_a_missing_fingerprint(own):
    run = run_of(own)
    (run / "rewrite/fingerprint.json").unlink()
    done = leaf("verify", own)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert "rewrite/fingerprint.json: it is missing" in done.stdout
    assert leaf("build", own).returncode == 0
    assert leaf("verify", own).returncode == 0


def test_verify_sees_files_that_were_swapped(own):
    run = run_of(own)
    first, second = sorted(run.glob("filter/images/*/images-*"))[:2]
    first.rename(run / "held")
    second.rename(first)
    (run / "held").rename(second)
    assert {item.file for item in verify(run, "leaf build", InlineEngine()).damages} == {first, second}


def test_an_export_of_damaged_shards_is_refused_and_a_damaged_export_is_written_again(own):
    shards = run_of(own) / "shard"
    done = leaf("export", shards, "--to", "conversations", "--out", "out", cwd=own.parent)
    assert done.returncode == 0, done.stderr
    out = own.parent / "out"
    before = {
        path: path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in (".lock", "record.json")
    }
    for path in (sorted(out.glob("images/*/*"))[0], sorted(out.glob("train.*"))[0]):
        flip(path)
        assert leaf("verify", out).stdout.startswith(str(path.relative_to(Path.cwd())))
        assert (
            "is up to date"
            not in leaf("export", shards, "--to", "conversations", "--out", "out", cwd=own.parent).stderr
        )
        assert {path: path.read_bytes() for path in before} == before
    damaged = sorted(shards.glob("*.parquet"))[0]
    flip(damaged)
    done = leaf("export", shards, "--to", "conversations", "--out", "other", cwd=own.parent)
    assert done.returncode == 1
    assert (
        f"{damaged.name}: its sha256 is not the one in SHA256SUMS beside it; run `leaf build`" in done.stderr
    )


@pytest.mark.parametrize(
    "kind",
    [
        "ingest/index/*/*.json",
        "filter/judged/*/judged-*",
        "filter/report/*/report-*",
        "rewrite/asked/*/asked-*",
        "shard/rows/*/rows-*",
        "shard/report/*/report-*",
    ],
)
def test_files_of_a_kind_that_were_exchanged_are_listed_and_made_again(own, kind):
    run = run_of(own)
    before = published(run)
    found = sorted(run.glob(kind))
    if kind.startswith("ingest/index"):  # one source has one index: the other is of a file that is gone
        load = json.loads(found[0].read_bytes())
        assert load["file"] == found[0].name
        found = [found[0], found[0].with_name("0" * 24 + ".json")]
        shutil.copyfile(found[0], found[1])
        assert [item.file for item in verify(run, "leaf build", InlineEngine()).damages] == found[1:]
        return
    first, second = found[:2]
    first.rename(run / "held")
    second.rename(first)
    (run / "held").rename(second)
    damages = verify(run, "leaf build", InlineEngine()).damages
    assert {item.file for item in damages} == {first, second}
    for item in damages:
        if item.repair.startswith("delete it"):
            item.file.unlink()
    assert leaf("build", own).returncode == 0
    assert published(run) == before
    assert verify(run, "leaf build", InlineEngine()).damages == []


def test_a_lost_report_of_a_shard_is_listed_and_stops_a_push(own):
    run = run_of(own)
    before = published(run)
    lost = sorted(run.glob("shard/report/*/report-*.json"))[0]
    lost.unlink()
    name = f"{lost.stem.removeprefix('report-')}.parquet"
    assert [item.file.name for item in verify(run, "leaf build", InlineEngine()).damages] == [name]
    done = leaf(
        "push", own, "--repo", "somebody/something", "--dry-run", "--allow", "drift", "--allow", "toy"
    )
    assert done.returncode == 1
    assert f"damaged or missing: {lost.name}" in done.stderr
    assert leaf("build", own).returncode == 0
    assert published(run) == before


@pytest.mark.parametrize("cache", [".answers", ".fetched", ".codes"])
def test_verify_reads_every_cache_that_runs_share(own, cache):
    run = run_of(own)
    folder = run.parent / cache
    if cache == ".answers":
        path = sorted(folder.glob("answers-*.jsonl"))[0]
    elif cache == ".fetched":
        store = Store(folder)
        store.put(Fetched("http://a.example/1.png", "ok", at="2026-01-01T00:00:00+00:00"), b"x" * 99)
        store.close()
        (path,) = folder.glob("*.jsonl")
    else:
        Codes(folder / "one").put((bytes(32), None), b"items of an image")
        (path,) = folder.glob("*/*.codes")
    assert verify(run, "leaf build", InlineEngine()).damages == []
    flip(path, 0.95)
    damages = verify(run, "leaf build", InlineEngine()).damages
    assert [item.file for item in damages] == [path]
    assert verify(run, "leaf build", InlineEngine()).damages == []


@pytest.mark.parametrize(
    "kind", ["shard/*.parquet", "shard/report/*/report-*.json", "shard/README.md", "ingest/sources.json"]
)
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.symlink_to(path), lambda path: path.mkdir()],
    ids=["pipe", "loop", "folder"],
)
def test_what_is_no_file_in_the_place_of_a_file_is_named_and_not_waited_for(own, kind, make):
    run = run_of(own)
    path = min(run.glob(kind))
    before = published(run)
    path.unlink()
    make(path)
    assert path in [damage.file for damage in verify(run, "leaf build", InlineEngine()).damages]
    if path.is_dir():
        with pytest.raises(SourceError, match="a folder is in place of this file; move it away"):
            build(own)
        path.rmdir()
    build(own)
    assert published(run) == before
    assert verify(run, "leaf build", InlineEngine()).damages == []
