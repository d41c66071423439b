"""Training reads shards of every schema."""

from __future__ import annotations

import pytest
from backbones.tiny_backbones import tiny_chameleon
from records.golden import FOLDERS, SHARDS, earlier_and_later

from leafinstruct.records import shards
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train import card
from leafinstruct.train.data import tokens

LICENSES = {"1": [("CC0-1.0", 2)], **{version: [("CC-BY-4.0", 1), ("CC0-1.0", 1)] for version in "23"}}
IMAGES = {"1": (2, 5), **dict.fromkeys("23", (2, 3))}


@pytest.mark.parametrize("version", FOLDERS)
def test_golden_shards_are_trained_on(version, tmp_path):
    counts = tokens.make(
        tiny_chameleon(), "x", SHARDS[version], 8192, Artifact(tmp_path / "tokens"), lambda *_: None
    )
    assert counts["rows"] == 2
    assert counts["images"] == sum(IMAGES[version])
    assert counts["target_images"] == sum(IMAGES[version]) - 1  # the question of the edit shows one
    assert card.licenses(SHARDS[version]) == LICENSES[version]


@pytest.mark.parametrize("version", FOLDERS)
def test_a_split_of_golden_shards_is_found_and_gives_whole_rows(version, tmp_path):
    (path,) = shards.files(str(FOLDERS[version]), tmp_path, "test")
    (row,) = shards.rows(path, (*shards.COLUMNS, "title", "image_info"))
    assert row.title == (None if version == "1" else "How to draw a house")
    assert [info.owner_found for info in row.image_info] == (
        ["unknown"] * 5 if version == "1" else ["inferred", "inferred", "unknown"]
    )
    assert all(data is not None and data.startswith(b"\x89PNG") for data in row.images)


def test_a_shard_without_a_later_column_is_trained_on(tmp_path):
    counts = tokens.make(
        tiny_chameleon(),
        "x",
        [earlier_and_later(tmp_path)],
        8192,
        Artifact(tmp_path / "tokens"),
        lambda *_: None,
    )
    assert (counts["rows"], counts["images"]) == (1, 2)
