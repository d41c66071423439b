"""Steps over all documents at sizes that no test can build, and the largest folder of a stage."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from leafinstruct.filter.index.searching import HASHES_A_BUCKET
from leafinstruct.forecast.scale.laws import LAWS, Law
from leafinstruct.forecast.scale.plan import largest_folder
from leafinstruct.runtime.artifact import Artifact


def law(step: str) -> Law:
    (found,) = (one for one in LAWS if one.step == step)
    return found


def test_images_of_several_buckets_are_divided_and_take_quadratic_time() -> None:
    near, few = law("near images"), float(HASHES_A_BUCKET)
    assert not near.is_divided({"images": few})
    assert near.is_divided({"images": few + 1})
    assert near.bytes({"images": 100 * few}) == near.bytes({"images": few}) == near.base + 160 * few
    one = near.seconds({"images": few})
    assert near.seconds({"images": 3 * few}) == pytest.approx(3 * 2 * one), "2 of 3 tables on average"
    assert near.seconds({"images": 99 * few}) == pytest.approx(99 * 50 * one)


def test_hosts_are_divided_and_take_linear_time() -> None:
    hosts = law("paragraphs of hosts")
    assert [hosts.is_divided({"documents": n}) for n in (65_536, 65_537)] == [False, True]
    assert hosts.seconds({"documents": 1e8}) == pytest.approx(100 * hosts.seconds({"documents": 1e6}))
    assert hosts.bytes({"documents": 1e8}) < 0.5e9


def test_duplicates_are_in_one_process_of_any_size() -> None:
    duplicates = law("duplicates")
    assert not duplicates.is_divided({"compared": 1e9, "images": 2e9})
    assert duplicates.bytes({"compared": 1e8, "images": 2e8}) == pytest.approx(duplicates.base + 27e9)


@pytest.mark.parametrize("parts", [1, 300, 30_000])
def test_the_largest_folder_is_that_of_the_hashes(tmp_path: Path, parts: int) -> None:
    out = Artifact(tmp_path)
    folders = Counter(out.file("scores", f"own-{number:06d}").parent for number in range(parts))
    found = largest_folder([float(parts), 1.0], {"others": 1.0})
    assert found == pytest.approx(max(folders.values()), rel=0.1, abs=2)


def test_published_shards_are_in_one_folder() -> None:
    assert largest_folder([30_000.0], {"shards": 5_000.0, "others": 4.0, "examples": 12.0}) == 5_004
