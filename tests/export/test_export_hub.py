"""leaf export hub:ORG/NAME, from a Hub on this machine: what it takes, and what it says where there is
nothing to take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import leaf_process as leaf
from export.dataset import dataset
from hub_repos import Repo, ReposHub

from leafinstruct.export.catalog import format_of
from leafinstruct.export.run import export
from leafinstruct.records import public

TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def hub() -> Iterator[ReposHub]:
    with ReposHub() as server:
        yield server


@pytest.fixture
def shards(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(dataset(tmp_path).glob("*.parquet"))}


def holds(repo: Repo, files: dict[str, bytes]) -> None:
    repo.commit("main", {"README.md": b"# Made\n", **files})


def asked(hub: ReposHub, folder: Path, *more: str, token: str = TOKEN):
    variables = hub.logged_in(folder / "home", token) if token else hub.variables(folder / "home")
    return leaf(
        "export", "hub:me/made", "--to", "conversations", "--out", "out", *more, cwd=folder, **variables
    )


def test_shards_are_taken_from_whichever_folder_they_lie_in(tmp_path, hub, shards):
    holds(
        hub.make("me/made", private=True),
        {f"{'data' if 'train' in name else 'held/out'}/{name}": data for name, data in shards.items()},
    )
    done = asked(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "11 rows, 24 images in out/ (how to load it: README.md)\n"
    # no bar of the Hub's client
    assert [line for line in done.stderr.splitlines() if not line.startswith("leaf: ")] == []
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert (record["dataset"], record["splits"]) == (
        "me/made",
        {"train": ["train.json"], "validation": ["validation.json"]},
    )
    local = export(
        str(tmp_path / "runs/made/shard"), format_of("conversations"), tmp_path / "local", tmp_path
    ).record
    here = {item["id"]: item for item in json.loads((tmp_path / "local/train.json").read_text())}
    assert {item["id"]: item for item in json.loads((tmp_path / "out/train.json").read_text())} == here
    assert record["counts"] == local["counts"]
    assert str(tmp_path) not in (tmp_path / "out/README.md").read_text() + json.dumps(record)
    hub.repos["me/made"].private = False
    again = asked(hub, tmp_path, "--split", "train", "--rebuild", token="")
    assert again.stdout == "9 rows, 20 images in out/ (how to load it: README.md)\n"


def test_a_failed_download_is_one_line_with_a_hint(tmp_path, hub, shards):
    none = asked(hub, tmp_path)
    repo = hub.make("me/made", private=True)
    holds(repo, {})
    empty = asked(hub, tmp_path)
    holds(repo, {f"{folder}/{name}": data for name, data in shards.items() for folder in "ab"})
    twice = asked(hub, tmp_path)
    (tmp_path / "home").rename(tmp_path / "old")  # the Hub's client falls back to what it had before
    private = asked(hub, tmp_path, token="")
    messages = [done.stderr.splitlines()[-1] for done in (none, empty, twice, private)]
    assert [(done.returncode, done.stdout) for done in (none, empty, twice, private)] == [(1, "")] * 4
    # its client warns of the empty one by itself
    lines = [len(done.stderr.splitlines()) for done in (none, twice, private)]
    assert lines == [1, 1, 1]
    assert messages[0].startswith(
        "leaf: export hub:me/made: cannot be downloaded from the Hub: 404 Client Error. Repository Not Found "
        "for url: "
    )
    assert messages[0].endswith(
        "/main.; there is no such repository or revision, or this token may not see it"
    )
    assert messages[1] == (
        "leaf: export hub:me/made: the repository has no shard *.*-*.parquet; give a dataset that leaf pushed"
    )
    assert (
        "2 of its folders have a shard continuation.train-00000-of-00001.parquet; download one of them"
        in messages[2]
    )
    assert messages[3].endswith(
        "; there is no such repository, or it is private: log in with `hf auth login`, or set HF_TOKEN"
    )
    assert not (tmp_path / "out").exists()


def test_a_dataset_of_references_names_what_fetches_them(tmp_path, hub, shards):
    path = tmp_path / "runs/made/shard/guide.validation-00000-of-00001.parquet"
    table = pq.read_table(path)
    bare = [{**row, "images": [None] * len(row["images"])} for row in table.to_pylist()]
    schema = table.schema.with_metadata({**table.schema.metadata, public.IMAGES: b"reference"})
    pq.write_table(type(table).from_pylist(bare, schema=schema), path)
    holds(hub.make("me/made", private=True), {path.name: path.read_bytes()})
    done = asked(hub, tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.endswith(
        "its images are references; `leaf hydrate` fetches them and writes shards with images\n"
    )
