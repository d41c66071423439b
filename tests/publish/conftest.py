"""A small built dataset, copied for each test, and a Hub that this process takes for the real one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_repos import ReposHub
from making import InlineEngine, build, png, unjudged

from leafinstruct import pipeline
from leafinstruct.publish.push import Pushed, PushSettings
from leafinstruct.recipe import load as recipes

TOKEN = "hf_secretsecretsecret"
SENTENCES = (
    "First, draw a red wall on the grass.",
    "Then add a brown roof on top of it.",
    "Finally, paint a blue door in it.",
)
HOSTS = tuple(f"site{number}.example" for number in range(12))


def pages(count: int = 12) -> dict[str, list[tuple[str, bytes | None]]]:
    """A page a host, three images each; image 0 of page 1 is that of page 0."""
    shown = {
        (number, at): png((20 * number, 70 * at, 90), dot=at + number)
        for number in range(count)
        for at in range(3)
    }
    shown[1, 0] = shown[0, 0]
    return {
        f"https://{HOSTS[number]}/page": [
            (f"{text} Number {number}.", shown[number, at]) for at, text in enumerate(SENTENCES)
        ]
        for number in range(count)
    }


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pages in 16 shards at most, so that one record is one shard of several."""
    folder = tmp_path_factory.mktemp("built")
    shard = {"splits": {"train": 1}, "max_bytes": 1500}
    path = unjudged(
        folder,
        pages(),
        part_size=4,
        rewrite={"tasks": ["guide"]},
        shard=shard,
        push={"allow": ["toy", "unscreened-nsfw"]},
        clip="leaf:tiny-clip-1",
    )
    build(path)
    return path


@pytest.fixture
def built(_built: Path, tmp_path: Path) -> Path:
    """Its recipe, in a folder of the test's own."""
    shutil.copytree(_built.parent, tmp_path / "built")
    return tmp_path / "built/recipe.yaml"


@pytest.fixture
def shards(built: Path) -> Path:
    return built.parent / "runs/t/shard"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReposHub]:
    """A Hub on this machine. What huggingface_hub read from the environment when it was imported is set where
    it keeps it."""
    from huggingface_hub import constants

    with ReposHub() as server:
        for name, value in server.logged_in(tmp_path / "home", TOKEN).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


@pytest.fixture
def push(built: Path, hub: ReposHub) -> Callable[..., Pushed]:
    """`leaf push`, in this process."""

    def run(*changes: str, dry_run: bool = False, **asked: Any) -> Pushed:
        loaded = recipes.load(built, changes)
        settings = PushSettings.of(loaded, **{"repo": "me/demo", **asked})
        return pipeline.publish(loaded, settings, InlineEngine(), lambda *_: None, dry_run)

    return run
