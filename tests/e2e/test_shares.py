"""A build that is divided into shares: the same bytes as an undivided one, in any order of the shares, after
kills, with one budget and one process for each host."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import InlineEngine, build, mmc4, png, recipe, shard_sums
from serving import Answering, Serving

from leafinstruct import pipeline
from leafinstruct.errors import BudgetError, DriftError, LeafInstructError, RecipeError
from leafinstruct.filter.fetching import share_of
from leafinstruct.recipe import load as recipes
from leafinstruct.runtime.engine import share as shares
from leafinstruct.runtime.engine.base import Needs, Part, R, Task
from leafinstruct.runtime.engine.share import Share, Step, Waiting
from leafinstruct.runtime.files import load
from leafinstruct.runtime.locks import one_build, one_share

pytestmark = pytest.mark.e2e

STEPS = (
    "First, draw a red wall on the green grass of the large garden.",
    "Then add a brown roof on top of the wall with a wide brush.",
    "Finally, paint a small blue door in the middle of the wall.",
)


def pages(folder: Path, count: int = 20, **sections: Any) -> Path:
    """A recipe of pages in parts of two: the last page repeats the first one."""
    made = {
        f"https://site{number % 3}.example/{number}": [
            (f"{step} Page {number % (count - 1)}.", png((9 * number % 250, 60 * at, 90), dot=at))
            for at, step in enumerate(STEPS)
        ]
        for number in range(count)
    }
    mmc4(folder / "data", made)
    source = {"kind": "mmc4", "name": "own", "path": "data", "license": "CC0-1.0"}
    passing = {
        "min_words": 10,
        "min_images": 2,
        "rules": [{"score": "duplicate.text", "max": 0}],
        "host_paragraphs": {"pages": 5, "share": 0.9},
        "alignment": {"allow_toy": True},
        "judge": {"enabled": False},
    }
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": [source]},
        filter=passing | sections.pop("filter", {}),
        **({"rewrite": {"tasks": ["guide"]}, "shard": {"max_bytes": 20_000}} | sections),
    )


class Killed(Exception):
    """Takes the place of a kill."""


class Mortal(InlineEngine):
    """An engine that dies after some tasks."""

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self._left = tasks

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        for part in parts:
            if self._left == 0:
                raise Killed
            self._left -= 1
            yield from super().map(task, [part], needs)


def run_share(path: Path, share: str, *changes: str, engine: InlineEngine | None = None) -> Step | None:
    """One process of a share. Returns the step that it waits for, None if the build is done."""
    try:
        build(path, *changes, engine=engine, share=Share.parse(share))
    except Waiting as waiting:
        assert str(waiting.share) == share
        return waiting.step
    return None


def run_all(path: Path, of: int, *changes: str, seed: int = 0) -> list[Step]:
    """Rounds of all shares, each in another order. Returns the steps at which the rounds ended."""
    order = random.Random(seed)
    met: list[Step] = []
    while True:
        numbers = list(range(1, of + 1))
        order.shuffle(numbers)
        waits = [run_share(path, f"{number}/{of}", *changes) for number in numbers]
        if waits[-1] is None:
            return met
        met.append(waits[-1])
        assert len(met) < 20


def copied(path: Path, folder: Path) -> Path:
    """The recipe and its sources in another folder."""
    shutil.copytree(path.parent, folder)
    return folder / path.name


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A recipe without results, and the shards of its undivided build."""
    path = pages(tmp_path_factory.mktemp("whole"))
    clean = copied(path, tmp_path_factory.mktemp("clean") / "recipe")
    build(path)
    return clean, shard_sums(path.parent / "runs" / "t" / "shard")


def test_shares_in_any_order_give_the_bytes_of_an_undivided_build(tmp_path, undivided):
    path, expected = undivided
    path = copied(path, tmp_path / "divided")
    run_all(path, 4)
    assert shard_sums(path.parent / "runs" / "t" / "shard") == expected
    assert not (path.parent / "runs" / "t" / "shares").exists()
    (again,) = {outcome.up_to_date for outcome in build(path)}
    assert again
