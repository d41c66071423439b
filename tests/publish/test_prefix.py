"""`leaf push --to`: what a bucket holds at every moment, what an interruption costs, what stays of others."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from making import InlineEngine, build, put_beside, unjudged
from publish.conftest import pages
from s3 import refusing, serving

from leafinstruct import pipeline
from leafinstruct.errors import PublishError, SourceError
from leafinstruct.publish import hydrate
from leafinstruct.publish.plan import LIST
from leafinstruct.publish.push import PushSettings
from leafinstruct.recipe import load as recipes

pytestmark = pytest.mark.e2e
TO = "s3://crawl/data/v1"


@pytest.fixture
def s3(monkeypatch):
    with serving(monkeypatch, retries=1) as server:
        yield server


@pytest.fixture(scope="module")
def _light(tmp_path_factory):
    """Six pages in a few shards, without a model."""
    folder = tmp_path_factory.mktemp("light")
    path = unjudged(
        folder,
        pages(6),
        rewrite={"tasks": ["guide"]},
        shard={"splits": {"train": 1}, "max_bytes": 1500},
        push={"allow": ["toy", "unscreened-nsfw"]},
    )
    build(path)
    return path


@pytest.fixture
def built(_light, tmp_path):
    """Its recipe, in a folder of the test's own."""
    shutil.copytree(_light.parent, tmp_path / "built")
    return tmp_path / "built/recipe.yaml"


def push(recipe, to=TO, dry_run=False, **options):
    loaded = recipes.load(recipe)
    settings = PushSettings.of(loaded, "", to=to, **options)
    return pipeline.publish(loaded, settings, InlineEngine(), lambda *_: None, dry_run)


def written(s3) -> list[str]:
    """Names of the objects that were put, in order."""
    return [
        path.removeprefix("/crawl/data/v1/")
        for method, path, _ in s3.requests
        if method == "PUT" and path.startswith("/crawl/data/v1/")
    ]


def expected(shards) -> set[str]:
    beside = ("README.md", "SHA256SUMS", "croissant.json", "build.json")
    names = {path.name for path in shards.glob("*.parquet")} | {
        name for name in beside if (shards / name).is_file()
    }
    return names | {f"examples/{path.name}" for path in (shards / "examples").iterdir()}


def is_whole(s3) -> bool:
    """Whether the bucket holds every file that its SHA256SUMS names, with these bytes."""
    lines = s3.data("data/v1/SHA256SUMS").decode().splitlines()
    named = dict(reversed(line.split("  ", 1)) for line in lines)
    return bool(named) and all(
        hashlib.sha256(s3.data(f"data/v1/{name}")).hexdigest() == sha256 for name, sha256 in named.items()
    )


def test_a_dataset_is_written_with_its_checksums_last_and_sent_once(s3, built, shards):
    s3.put("data/v1.txt", b"of somebody else")
    plan = push(built, dry_run=True).plan
    assert {file.name for file in plan.new} == expected(shards)
    assert written(s3) == []
    pushed = push(built)
    assert (pushed.url, pushed.private, pushed.made) == (TO, None, True)
    order = written(s3)
    assert order[0] == order[-1] == LIST
    assert order[-2] == "SHA256SUMS"
    assert order[-3] == "README.md"
    assert set(order) == expected(shards) | {LIST}
    assert set(s3.keys()) == {f"data/v1/{name}" for name in order} | {"data/v1.txt"}
    assert is_whole(s3)
    s3.requests.clear()
    assert push(built).plan.empty
    assert written(s3) == []


@pytest.mark.parametrize("at", [0, 1, 4, -2, -1])
def test_an_interrupted_push_is_never_whole_and_sends_only_the_rest(at, s3, built, shards):
    puts = len(expected(shards)) + 2  # the list, twice
    allowed = [at % puts]

    def fault(environ, start):
        if environ["REQUEST_METHOD"] != "PUT":
            return None
        allowed[0] -= 1
        return None if allowed[0] >= 0 else refusing("403 Forbidden", "AccessDenied")(environ, start)

    s3.fault = fault
    with pytest.raises(SourceError, match="403 AccessDenied; check the credentials"):
        push(built)
    s3.fault = None
    before = set(s3.keys())
    assert ("data/v1/SHA256SUMS" in before) == (at == -1)
    s3.requests.clear()
    push(built)
    sent = [name for name in written(s3) if name != LIST]
    assert {f"data/v1/{name}" for name in sent}.isdisjoint(before - {"data/v1/SHA256SUMS"})
    assert is_whole(s3)


def test_a_killed_push_is_finished_by_the_next(s3, built, shards):
    puts = [3]
    command = [sys.executable, "-m", "leafinstruct", "push", str(built), "--to", TO]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))

    def fault(environ, start):
        if environ["REQUEST_METHOD"] == "PUT":
            puts[0] -= 1
            if puts[0] == 0:
                killed.send_signal(signal.SIGKILL)

    s3.fault = fault
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    s3.fault = None
    assert "data/v1/SHA256SUMS" not in set(s3.keys())
    push(built)
    assert is_whole(s3)


def test_a_new_version_opens_and_closes_the_prefix_and_leaves_no_old_file(s3, built, shards):
    put_beside(shards, "examples/old.png", b"old")
    push(built)
    s3.put("data/v1/notes.txt", b"of somebody else")
    (shards / "examples/old.png").unlink()
    record = shards / "README.md"
    put_beside(shards, "README.md", record.read_bytes() + b"\nMore.\n")
    forget(shards, "examples/old.png")
    seen = []

    def watch(environ, start):
        if environ["REQUEST_METHOD"] in ("PUT", "POST"):  # POST: a list of objects to delete
            seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/crawl/data/v1/")))

    s3.fault = watch
    pushed = push(built)
    assert [file.name for file in pushed.plan.deleted] == ["examples/old.png"]
    assert seen == [
        ("PUT", LIST),
        ("POST", "/crawl"),
        ("PUT", "README.md"),
        ("PUT", "SHA256SUMS"),
        ("POST", "/crawl"),
        ("PUT", LIST),
    ]
    assert s3.data("data/v1/notes.txt") == b"of somebody else"
    assert set(json.loads(s3.data(f"data/v1/{LIST}"))["files"]) == expected(shards)


def forget(shards, name: str) -> None:
    """Take a file out of the stage's record, as a build does that no longer writes it."""
    from leafinstruct.runtime.files import load, save

    found = load(shards / "record.json")
    del found["beside"][name]
    save(shards / "record.json", found)


def test_objects_of_others_are_not_replaced(s3, built, shards):
    s3.put("data/v1/README.md", b"of somebody else")
    with pytest.raises(PublishError, match=r"data/v1: not written by leaf: README\.md; give --overwrite"):
        push(built)
    assert s3.keys() == ["data/v1/README.md"]
    push(built, overwrite=True)
    assert s3.data("data/v1/README.md") == (shards / "README.md").read_bytes()


def test_a_folder_is_written_in_the_same_way(built, shards, tmp_path):
    push(built, to=str(tmp_path / "out"))
    out = tmp_path / "out"
    files = [path for path in out.rglob("*") if path.is_file()]
    there = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    assert set(there) == expected(shards) | {LIST}
    assert all(data == (shards / name).read_bytes() for name, data in there.items() if name != LIST)
    assert push(built, to=str(tmp_path / "out")).plan.empty


def test_a_card_of_references_names_the_command_for_this_place(built, tmp_path):
    loaded = recipes.load(built, ("push.images=reference",))
    settings = PushSettings.of(loaded, "me/demo", to=str(tmp_path / "out"))
    assert pipeline.publish(loaded, settings, InlineEngine(), lambda *_: None, False).images == "reference"
    noted = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "`leaf hydrate FOLDER --out DIR` (FOLDER: the folder of this card) fetches" in noted
    assert str(tmp_path) not in noted
    assert hydrate.shards(str(tmp_path / "out"), None)


def test_the_hub_is_not_written_by_puts(built):
    with pytest.raises(SourceError, match="is written in one commit; use `leaf push RECIPE --repo"):
        push(built, to="hf://datasets/me/demo")
