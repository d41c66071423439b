"""What names a machine or a server stays on it: nothing that is published, exported or pushed holds the
model's server, a folder or a host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from making import rows
from small_run import World, hub, prepared, run, warm

MODEL = "/srv/secret-models/qwen-vl"


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, text) of every file below a folder; rows of Parquet and their schema's metadata as text."""
    import pyarrow.parquet as pq

    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            yield (
                path.name,
                (
                    f"{pq.read_schema(path).metadata} "
                    f"{[{**row, 'images': None} for row in pq.read_table(path).to_pylist()]}"
                ),
            )
        elif path.is_file():
            yield path.name, path.read_bytes().decode("latin-1")


def test_no_server_and_no_folder_reaches_what_is_published(tmp_path, world):
    warm()
    folder = tmp_path / "secret-home"
    prepared(folder, world, drawn=4, videos=0, own=2)
    port = world.server_address[1]
    changes = [
        word
        for change in (
            f"llm.base_url=http://localhost:{port}/v1",
            f"llm.model={MODEL}",
            f"filter.rules[2].model={MODEL}",
            f"filter.images.fetch.allow_hosts=['{world.name}', secret-mirror.internal]",
        )
        for word in ("--set", change)
    ]
    done = run(folder, "build", *changes)
    assert done.code == 0, done.err
    shards = folder / "runs/t/shard"
    names = {name["identity"] for row in rows(shards) for name in row["provenance"]["models"]}
    assert "qwen-vl" in names
    with hub(tmp_path / "home") as server:
        assert run(folder, "push", "--repo", "me/x", *changes).code == 0
        (repo,) = server.repos.values()
        for name, data in repo.files.items():
            (folder / "pushed" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "pushed" / name).write_bytes(data)
    assert run(folder, "export", "run:t", "--to", "conversations", "--out", "exported").code == 0
    published = ["README.md", "croissant.json", "build.json", "SHA256SUMS"]
    found = [
        *((name, text) for name, text in texts(shards) if name in published or name.endswith(".parquet"))
    ]
    found += [
        *texts(folder / "pushed"),
        *((name, text) for name, text in texts(folder / "exported") if name != "fingerprint.json"),
    ]
    assert len(found) > 12
    for name, text in found:
        for secret in ("localhost", "secret-models", "secret-home", "secret-mirror", str(Path.home()) + "/"):
            assert secret not in text, name


def test_another_server_is_another_answerer_for_the_run(tmp_path, world):
    """Names of models are not enough to know whose answers they are, so the private key of a part holds the
    server."""
    warm()
    prepared(tmp_path, world, drawn=4, videos=0, own=1)
    assert run(tmp_path, "build").code == 0
    asked = model_requests(world)
    assert run(tmp_path, "build").code == 0
    assert model_requests(world) == asked > 0
    assert (
        run(tmp_path, "build", "--set", f"llm.base_url=http://localhost:{world.server_address[1]}/v1").code
        == 0
    )
    assert model_requests(world) == 2 * asked


def model_requests(world: World) -> int:
    return sum(count for question, count in world.asked.items() if question.startswith("model "))
