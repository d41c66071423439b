"""What the card states is counted alike over shards of every schema."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from records.golden import FOLDERS, SHARDS, earlier_and_later

from leafinstruct.card.showcase import show
from leafinstruct.card.tally import Tally, count_shard, plain_bytes
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part


def counted(version: str) -> Tally:
    tally = Tally()
    for path in SHARDS[version]:
        tally.merge(count_shard(Artifact(path.parent), Part(path.stem)).value)
    return tally


def test_golden_shards_are_counted():
    first, second = counted("1"), counted("2")
    assert (first.rows, second.rows) == (2, 2)
    assert first.sources == Counter(sketchbook=2)
    assert second.sources == Counter(club=1, house=1)
    assert first.rights == {"CC0-1.0": (2, 7)}
    assert second.rights == {"CC-BY-4.0": (1, 2), "CC0-1.0": (1, 3)}
    assert second.scores["alignment.clip"].states == Counter(ok=1, failed=1)
    assert second.sides["edit", "user", "image"] == first.sides["edit", "user", "image"] == 1
    assert (first.languages, second.languages, counted("3").languages) == (
        Counter({None: 2}),
        Counter({None: 2}),
        Counter({"en": 1, None: 1}),
    )
    assert all(plain_bytes(path) > 1000 for paths in SHARDS.values() for path in paths)


@pytest.mark.parametrize("version", FOLDERS)
def test_golden_shards_are_shown(version, tmp_path):
    for path in SHARDS[version]:
        shutil.copy(path, tmp_path)
    found = show(tmp_path, {path.name.partition(".")[0]: [tmp_path / path.name] for path in SHARDS[version]})
    assert [example.task for example in found] == ["edit", "guide"]
    assert [example.license for example in found] == (
        ["CC0-1.0"] * 2 if version == "1" else ["CC-BY-4.0", "CC0-1.0"]
    )
    # PARTS: six parts of a turn are shown, three of them images
    assert len(list((tmp_path / "examples").iterdir())) == (2 + 3)


def test_a_shard_without_a_later_column_is_counted(tmp_path):
    tally = count_shard(Artifact(tmp_path), Part(earlier_and_later(tmp_path).stem)).value
    assert (tally.rows, tally.rights) == (1, {"CC-BY-4.0": (1, 2)})
