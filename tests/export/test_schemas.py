"""Exports read shards of every schema, and give the same fields for all."""

from __future__ import annotations

import json

import pytest
from records.golden import FOLDERS, earlier_and_later

from leafinstruct.export.catalog import MODULES, format_of
from leafinstruct.export.run import export

FIRST = {
    "1": (
        "27ddc84cb06ec0c3",
        "CC0-1.0",
        "https://brush-club.sketchbook.example/edit/change-a-picture-in-the-snow-make-the-yellow-ball-small-00002.html",
    ),
    **dict.fromkeys("23", ("2ed1700000000001", "CC-BY-4.0", "https://club.example/ball")),
}
IMAGES = {"1": 7, "2": 5, "3": 5}
LANGUAGES = {"1": "", "2": "", "3": "en"}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("version", FOLDERS)
def test_golden_shards_are_exported(version, name, tmp_path):
    record = export(str(FOLDERS[version]), format_of(name), tmp_path / "out", tmp_path).record
    assert record["counts"]["rows"] == 2
    assert record["counts"]["images"] == IMAGES[version]
    assert record["reasons"] == {}
    assert list(record["splits"]) == ["train", "test"]


@pytest.mark.parametrize("version", FOLDERS)
def test_an_exported_record_has_the_values_of_its_row(version, tmp_path):
    export(str(FOLDERS[version]), format_of("conversations"), tmp_path / "out", tmp_path, split="train")
    (record,) = json.loads((tmp_path / "out/train.json").read_text())
    assert (record["id"], record["license"], record["url"]) == FIRST[version]
    assert record["language"] == LANGUAGES[version]
    assert [info["license"] for info in record["image_info"]] == [FIRST[version][1]] * 2


def test_a_shard_without_a_later_column_is_exported(tmp_path):
    record = export(
        str(earlier_and_later(tmp_path)), format_of("conversations"), tmp_path / "out", tmp_path
    ).record
    assert (record["counts"]["rows"], record["counts"]["images"]) == (1, 2)
