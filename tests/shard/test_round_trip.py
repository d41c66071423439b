"""A built dataset read back by those who will read it: every value and every pixel, against what rewrite and
filter made."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from making import build, png, unjudged
from making import rows as rows_of
from PIL import Image as Pil

from leafinstruct import pipeline
from leafinstruct.recipe import load as recipes
from leafinstruct.records import public, table
from leafinstruct.records.published_row import row_of

Row = dict[str, Any]
SPLITS = ("train", "test")


def own(step: int) -> str:
    """Words that only one step of one page has, since near-duplicates would be in one split."""
    return " ".join(f"{stone}{step}" for stone in ("basalt", "flint", "marble", "slate", "chalk", "quartz"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 documents of 12 domains, every third without a license, in shards of a few rows. Returns the
    recipe."""
    folder = tmp_path_factory.mktemp("built")
    pages = {
        f"https://docs.site{number % 12}.com/ä-{number}": [
            ("How to draw a wall", None),
            *(
                (
                    f"Step {at}: draw a réd wall 红墙 <image> number {number}: {own(10 * number + at)}.",
                    png((10 * number, 70 * at, 90), dot=at + number),
                )
                for at in range(2 + number % 3)
            ),
        ]
        for number in range(24)
    }
    shard = {"splits": {"train": 0.6, "test": 0.4}, "max_bytes": 2000, "row_group_bytes": 1000}
    path = unjudged(folder, pages, part_size=5, shard=shard)
    build(path)
    return path


@pytest.fixture(scope="module")
def folder(built: Path) -> Path:
    return built.parent / "runs/t/shard"


@pytest.fixture(scope="module")
def truth(built: Path) -> dict[str, Row]:
    """id -> row, made from examples and images; no shard is read."""
    chain = pipeline.artifacts(recipes.load(built))
    found = {}
    for part in chain["rewrite"].parts():
        data = dict(table.columns(chain["filter"].file("images", part), "sha256", "bytes"))
        for item in table.examples(chain["rewrite"].file("examples", part)):
            found[item.id] = row_of(item, data, "t@dev")
    assert len(found) == 24
    assert {row["task"] for row in found.values()} == {"guide", "continuation", "next_step"}
    return found


def plain(value: object) -> object:
    """Lists and dictionaries whatever a library calls them; NaN is None, as libraries without a null in a
    column of numbers say it."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray, pl.Series)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic,)):
        return plain(value.item())
    return None if isinstance(value, float) and math.isnan(value) else value


def pixels(data: bytes) -> bytes:
    with Pil.open(io.BytesIO(data)) as image:
        image.load()
        return image.convert("RGB").tobytes()


def check(rows: Iterable[Row], truth: dict[str, Row]) -> None:
    """Rows as a reader without an image type gives them: bytes are compared and decoded."""
    found = {row["id"]: plain(row) for row in rows}
    assert found == {id: plain(truth[id]) for id in found}
    for row in found.values():
        for image in row["images"]:  # type: ignore[index]
            assert len(pixels(image["bytes"])) == 96 * 64 * 3


def shards(folder: Path, pattern: str = "*.parquet") -> list[str]:
    found = sorted(map(str, folder.glob(pattern)))
    assert found
    return found


def by_pyarrow(folder: Path) -> list[Row]:
    return ds.dataset(shards(folder), format="parquet").to_table().to_pylist()


def by_pandas(folder: Path) -> list[Row]:
    return pd.concat([pd.read_parquet(path) for path in shards(folder)]).to_dict("records")


def by_duckdb(folder: Path) -> list[Row]:
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(folder / "*.parquet")])
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def by_polars(folder: Path) -> list[Row]:
    return pl.scan_parquet(folder / "*.parquet").collect().to_dicts()


@pytest.mark.parametrize(
    "read", [by_pyarrow, by_pandas, by_duckdb, by_polars], ids=lambda read: read.__name__
)
def test_every_value_comes_back(
    folder: Path, truth: dict[str, Row], read: Callable[[Path], list[Row]]
) -> None:
    assert len(shards(folder)) > 6
    rows = read(folder)
    assert sorted(row["id"] for row in rows) == sorted(truth)
    check(rows, truth)


def test_a_query_of_one_column_needs_no_image(folder: Path, truth: dict[str, Row]) -> None:
    """What people ask first, in SQL over nested columns."""
    with duckdb.connect() as connection:
        sql = (
            "SELECT count(*), sum(len(images)), count(DISTINCT task) FROM read_parquet(?) WHERE "
            "len(messages) = 2"
        )
        assert connection.execute(sql, [str(folder / "*.parquet")]).fetchone() == (
            24,
            sum(len(row["images"]) for row in truth.values()),
            3,
        )


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize("name", [None, "guide", "continuation", "next_step"])
def test_datasets_reads_the_folder_by_its_card(
    folder: Path, truth: dict[str, Row], tmp_path: Path, name: str | None, streaming: bool
) -> None:
    """The configurations of the card: all tasks by default, or one; splits by name; images decoded."""
    loaded = datasets.load_dataset(str(folder), name, streaming=streaming, cache_dir=str(tmp_path))
    wanted = {row["id"] for row in truth.values() if name in (None, row["task"])}
    assert set(loaded) <= set(SPLITS)
    ids: list[str] = []
    for split, rows in loaded.items():
        assert rows.features == public.features()
        here = {
            id
            for path in shards(folder, f"{name or '*'}.{split}-*.parquet")
            for id in pd.read_parquet(path, columns=["id"])["id"]
        }
        found = {row["id"]: row for row in rows}
        assert set(found) == here
        ids += found
        for id, row in found.items():
            images = [decoded.convert("RGB").tobytes() for decoded in row.pop("images")]
            assert images == [pixels(image["bytes"]) for image in truth[id]["images"]]
            assert plain(row) == plain({key: value for key, value in truth[id].items() if key != "images"})
    assert sorted(ids) == sorted(wanted)


def test_splits_of_the_folder_part_no_domain(folder: Path) -> None:
    side = {
        split: {
            row["url"].split("/")[2]
            for path in shards(folder, f"*.{split}-*.parquet")
            for row in rows_of(Path(path))
        }
        for split in SPLITS
    }
    assert side["train"]
    assert side["test"]
    assert not side["train"] & side["test"]
