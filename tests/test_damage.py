"""Damaged bytes in a run: what `leaf build` makes again, and that no byte of a shard changes without a word."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from making import InlineEngine, build, mmc4, recipe
from test_build import pages

from leafinstruct.artifact import Artifact
from leafinstruct.errors import DamagedError, SourceError
from leafinstruct.pipeline import Outcome


def published(run: Path) -> dict[str, str]:
    """sha256 of all that `leaf push` would publish."""
    names = ("*.parquet", "SHA256SUMS", "README.md", "croissant.json", "build.json", "examples/*")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for name in names for path in sorted((run / "shard").glob(name))}


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


def told(outcomes: list[Outcome]) -> list[str]:
    return [line for outcome in outcomes for line in outcome.repaired]


def one(run: Path, pattern: str) -> Path:
    """The second of the files of a kind."""
    return sorted(run.glob(pattern))[1]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", ["*.parquet", "SHA256SUMS", "README.md", "croissant.json", "build.json", "examples/*"])
def test_a_damaged_published_file_is_made_again(own, kind, damage):
    before = published(run_of(own))
    path = sorted((run_of(own) / "shard").glob(kind))[0]
    damage(path)
    engine = InlineEngine()
    outcomes = build(own, engine=engine)
    assert published(run_of(own)) == before
    if kind == "*.parquet" and damage is not Path.unlink:
        assert len(engine.reports["writing shards"]) == 1
    lines = [*told(outcomes), *(line for outcome in outcomes for line in outcome.changes)]
    assert len(lines) == 1
    assert path.name.removesuffix(".parquet") in lines[0]
    assert all(outcome.stood and not outcome.repaired for outcome in build(own))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    "kind",
    [
        "ingest/documents-*",
        *(f"filter/{kind}-*" for kind in ("documents", "scores", "pictures", "embeddings", "keys", "duplicates", "judged", "asked")),
        *(f"rewrite/{kind}-*" for kind in ("examples", "dropped", "asked")),
        *(f"shard/{kind}-*" for kind in ("rows", "keys")),
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
    for path in [*run.glob("shard/*.parquet"), *run.glob("*/record.json"), *run.glob("filter/report-*"), *run.glob("rewrite/report-*")]:
        path.unlink(missing_ok=True)
    build(own)
    assert published(run) == before
    assert all(outcome.stood and not outcome.repaired for outcome in build(own))


@pytest.mark.parametrize("damage", [flip, cut, zero, empty], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("stage", ["ingest", "filter", "rewrite", "shard"])
@pytest.mark.parametrize("kind", ["report-*.json", "record.json", "fingerprint.json"])
def test_a_damaged_report_counts_as_none_and_is_written_again(own, stage, kind, damage):
    before = published(run_of(own))
    path = sorted((run_of(own) / stage).glob(kind))[0]
    damage(path)
    assert [line for line in told(build(own)) if path.name in line]
    assert published(run_of(own)) == before
    assert all(outcome.stood and not outcome.repaired for outcome in build(own))


def test_files_of_two_parts_that_were_swapped_are_noticed(own):
    run = run_of(own)
    before = published(run)
    for kind in ("ingest/documents-*", "filter/pictures-*", "filter/documents-*", "filter/scores-*", "rewrite/examples-*"):
        first, second = sorted(run.glob(kind))[:2]
        first.rename(run / "held")
        second.rename(first)
        (run / "held").rename(second)
    for path in [*run.glob("shard/*"), *run.glob("rewrite/r*.json")]:
        path.unlink() if path.is_file() else shutil.rmtree(path)
    assert told(build(own))
    assert published(run) == before


def test_no_flipped_bit_reaches_a_shard(own):
    """Twenty bits anywhere in the run, each before the stages behind it are built once more: the same bytes, or a word about it."""
    run, rng = run_of(own), random.Random(0)
    before = published(run)
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.stat().st_size]
    for _ in range(20):
        path = rng.choice([item for item in files if item.exists()])
        flip(path, rng.random())
        for report in run.glob(f"{rng.choice(['filter', 'rewrite', 'shard'])}/re*.json"):
            report.unlink()
        build(own)
        assert published(run) == before, path
        assert all(outcome.stood for outcome in build(own)), path


def test_a_reader_of_a_damaged_file_says_so_in_one_line(own):
    run = run_of(own)
    flip(one(run, "ingest/documents-*"))
    part = Artifact(run / "ingest").parts()[1]
    with pytest.raises(DamagedError, match=r"its sha256 is not the recorded one; `leaf verify` lists") as found:
        Artifact(run / "ingest").checked("documents", part)
    assert len(str(found.value).splitlines()) == 1


class Killed(BaseException):
    """Stands in for a kill."""


def test_a_kill_while_a_damaged_part_is_made_again_loses_nothing(own, monkeypatch):
    run = run_of(own)
    before = published(run)
    flip(one(run, "filter/pictures-*"))
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

    for path in run_of(own).glob("filter/*"):
        path.unlink()
    flip(one(run_of(own), "ingest/documents-*"))
    monkeypatch.setattr(Artifact, "commit", spoil)
    with pytest.raises(SourceError, match=r"documents-own-.*although it was made again twice; check the disk"):
        build(own)
