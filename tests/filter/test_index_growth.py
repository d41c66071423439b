"""The global step over many documents: bounded memory per key, and groups that depend on no bucket."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from making import InlineEngine

from leafinstruct.filter.index import groups, hamming, searching
from leafinstruct.filter.index.reduce import reduce
from leafinstruct.filter.index.text import BANDS
from leafinstruct.records import table
from leafinstruct.records.rows import DuplicateRow, KeyRow
from leafinstruct.runtime.artifact import Artifact

IMAGES = 2
COPIED, NEAR = 4, 3
"""One document of so many has the bands and runs of another, and one image of so many is near to another."""


def keys(documents: int) -> Iterator[KeyRow]:
    source = np.random.default_rng(3)
    bands = source.integers(1, 1 << 62, (documents, BANDS), np.uint64)
    runs = np.sort(source.integers(1 << 30, size=(documents, 6), dtype=np.uint32))
    hashes = source.integers(1 << 63, 1 << 64, (documents, IMAGES, 4), np.uint64)
    copied = np.arange(0, documents, COPIED)
    bands[copied, 5], runs[copied] = bands[copied // 2, 5], runs[copied // 2]
    near = np.arange(0, documents, NEAR)
    hashes[near] = hashes[near // 2] ^ np.uint64(0b101)
    for at in range(documents):
        digests = [f"{at * IMAGES + image:024x}" for image in range(IMAGES)]
        if at % 50:
            yield KeyRow(f"{at:016x}", f"{at:024x}", 8, digests, bands[at], runs[at], hashes[at].ravel())
        else:  # without words and images
            yield KeyRow(f"{at:016x}", f"{at:024x}", 0, [], bands[at, :0], runs[at, :0], bands[at, :0])


def written(folder: Path, documents: int, part: int) -> dict[str, Path]:
    rows, files = list(keys(documents)), dict[str, Path]()
    for start in range(0, documents, part):
        files[f"{start:06d}"] = folder / f"keys-{documents}-{part}-{start:06d}.parquet"
        table.write(files[f"{start:06d}"], rows[start : start + part], table.KEYS)
    return files


def reduced(files: dict[str, Path], folder: Path) -> list[DuplicateRow]:
    return [row for _, rows in reduce(files, folder, InlineEngine()) for row in rows]


@pytest.fixture
def small_steps(monkeypatch):
    """What is looked up, paired or verified together, as small beside these documents as it is beside a
    million."""
    monkeypatch.setattr(groups, "_BUCKET", 200)
    monkeypatch.setattr(groups, "_RUNS_AT_ONCE", 400)
    monkeypatch.setattr(hamming, "_AT_ONCE", 1500)
    monkeypatch.setattr(hamming, "_LONGEST", 12)


def test_groups_and_shares_do_not_depend_on_buckets_or_parts(tmp_path, monkeypatch):
    whole = reduced(written(tmp_path, 1500, 1500), tmp_path)
    grouped = [row for row in whole if row.group is not None]
    near = [row for row in whole if row.near_images]
    assert len(grouped) > 0.9 * 1500 / COPIED
    assert len(near) > 0.45 * 1500 / NEAR
    for size in (20, 200):
        monkeypatch.setattr(groups, "_BUCKET", size)
        monkeypatch.setattr(hamming, "_AT_ONCE", 40 * size)
        assert reduced(written(tmp_path, 1500, 400), tmp_path) == whole


def test_images_in_buckets_have_the_shares_of_one_table(tmp_path, monkeypatch):
    files = written(tmp_path, 600, 200)
    whole = reduced(files, tmp_path)
    stored = Artifact(tmp_path).file("images", "p")
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"images of a part")
    monkeypatch.setattr(searching, "HASHES_A_BUCKET", 1176 // 3)  # images of documents with words
    engine = InlineEngine()
    assert [row for _, rows in reduce(files, tmp_path, engine) for row in rows] == whole
    near = round(sum(IMAGES * row.near_images for row in whole))
    assert near > 100
    assert engine.total("comparing images", "images") == 1176 + near  # and which of the near ones are copies
    assert stored.read_bytes() == b"images of a part"
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.usefixtures("small_steps")
def test_memory_grows_by_less_than_95_bytes_per_document_and_image(tmp_path):
    peaks = {}
    for documents in (2000, 6000):
        files = written(tmp_path, documents, 500)
        tracemalloc.start()
        for _, rows in reduce(files, tmp_path, InlineEngine()):
            del rows
        peaks[documents] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (peaks[6000] - peaks[2000]) / (4000 * (1 + IMAGES)) < 95
