"""Counts over the shards, and distributions of all scores, in worker processes, a batch at a time.

The shards are counted instead of rewrite's tables because they are what is published. Images are not read.
Nested lists are counted from their flat child arrays and offsets, without a Python object per row; only texts
become Python strings (see `variety`). Cost: 60,000 records of 4 images, 54 scores and 220 words each take 9
CPU-seconds, 8 of them for the words, and 100 MB, which does not depend on the number of records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leafinstruct.card import variety
from leafinstruct.card.distribution import Bounds, Distribution
from leafinstruct.records.files.checked import opened
from leafinstruct.records.license import one_line
from leafinstruct.records.public import open_shard
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Found, Part

BATCH = 2048
"""Number of rows in memory at a time (64 times as many cells of scores-* tables)."""

_COLUMNS = sorted({"source", "task", "license", "language", "image_info.license", "scores", *variety.COLUMNS})

Ruled = Mapping[str, Sequence[Bounds]]
"""Score -> the bounds that rules set for it."""


@dataclass
class Tally:
    """Counts over shards.

    licenses, image_licenses: None is a license that is not stated. sides: (task, role, `text` or `image`) ->
    number of message parts. languages: of rows, None is undetermined. variety: by task.
    """

    rows: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    source_images: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str | None] = field(default_factory=Counter)
    image_licenses: Counter[str | None] = field(default_factory=Counter)
    sides: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    languages: Counter[str | None] = field(default_factory=Counter)
    scores: dict[str, Distribution] = field(default_factory=dict)
    variety: dict[str, variety.Variety] = field(default_factory=dict)

    def merge(self, other: Tally) -> None:
        """Add the counts of another shard."""
        self.rows += other.rows
        for name in ("sources", "source_images", "licenses", "image_licenses", "sides", "languages"):
            getattr(self, name).update(getattr(other, name))
        for score, found in other.scores.items():
            self.scores.setdefault(score, Distribution()).merge(found)
        for task, counted in other.variety.items():
            self.variety.setdefault(task, variety.Variety()).merge(counted)

    @property
    def rights(self) -> dict[str | None, tuple[int, int]]:
        """License -> records, images."""
        return {
            name: (self.licenses[name], self.image_licenses[name])
            for name in {*self.licenses, *self.image_licenses}
        }


def count_shard(out: Artifact, part: Part) -> Found[Tally]:
    """Task of an engine: the Tally of one shard."""
    tally, counting = Tally(), variety.Counting()
    for batch in open_shard(out.path / f"{part.name}.parquet").batches(_COLUMNS, BATCH):
        tally.rows += batch.num_rows
        tally.sources.update(_counted(batch.column("source")))
        tally.languages.update(_counted(batch.column("language")))
        _count_licenses(tally, batch)
        _count_sides(tally, batch)
        counting.add(batch)
        scores = pc.list_flatten(batch.column("scores"))
        names, values, states, images = (
            pc.struct_field(scores, field) for field in ("name", "value", "state", "image")
        )
        _count_scores(tally.scores, names, values, states, images, {})
    tally.variety = counting.tasks
    return Found(counts={"documents": tally.rows}, value=tally)


def count_scored(filtered: Artifact, ruled: Ruled, part: Part) -> Found[dict[str, Distribution]]:
    """Task of an engine: Distributions of all scores of one part of filter, including dropped documents."""
    found: dict[str, Distribution] = {}
    cells = 0
    for batch in _cells(filtered.checked("scores", part.name)):
        cells += batch.num_rows
        names, values, states, positions = (
            batch.column(name) for name in ("name", "value", "state", "position")
        )
        _count_scores(found, names, values, states, positions, ruled)
    return Found(counts={"cells": cells}, value=found)


def plain_bytes(path: Path) -> int:
    """Size of a shard's columns before compression in bytes, from its footer."""
    return open_shard(path).plain_bytes


def _cells(path: Path) -> Iterator[pa.RecordBatch]:
    """Cells of a scores table of filter, in batches."""
    names = ["name", "value", "state", "position"]
    with opened(path, lambda leaf: leaf in names) as file:
        yield from file.iter_batches(batch_size=64 * BATCH, columns=names)


def _counted(column: pa.Array) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _count_licenses(tally: Tally, batch: pa.RecordBatch) -> None:
    info = batch.column("image_info")
    tally.licenses.update(_stated(batch.column("license")))
    tally.image_licenses.update(_stated(pc.struct_field(pc.list_flatten(info), "license")))
    owners = batch.column("source").take(pc.list_parent_indices(info))
    tally.source_images.update(_counted(owners))


def _stated(column: pa.Array) -> Counter[str | None]:
    """Count licenses. A text without visible characters states none."""
    found: Counter[str | None] = Counter()
    for stated, count in _counted(column).items():
        found[stated if stated is not None and one_line(stated) else None] += count
    return found


def _count_sides(tally: Tally, batch: pa.RecordBatch) -> None:
    messages = batch.column("messages")
    turns = pc.list_flatten(messages)
    content = pc.struct_field(turns, "content")
    turn_of_part = pc.list_parent_indices(content)
    roles = pc.struct_field(turns, "role").take(turn_of_part)
    tasks = batch.column("task").take(pc.list_parent_indices(messages)).take(turn_of_part)
    kinds = pc.struct_field(pc.list_flatten(content), "type")
    table = pa.table({"task": tasks, "role": roles, "kind": kinds, "one": kinds})
    counted = table.group_by(["task", "role", "kind"]).aggregate([("one", "count")])
    for *side, count in zip(*(counted[name].to_pylist() for name in counted.column_names), strict=True):
        tally.sides[tuple(side)] += count


def _count_scores(
    found: dict[str, Distribution],
    names: pa.Array,
    values: pa.Array,
    states: pa.Array,
    images: pa.Array,
    ruled: Ruled,
) -> None:
    """Add cells to the distributions of their scores. The arrays are parallel, one entry per cell."""
    coded = pc.dictionary_encode(names)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    ok = pc.equal(states, "ok").to_numpy(zero_copy_only=False)
    of_image = pc.is_valid(images).to_numpy(zero_copy_only=False)
    numbers = pc.cast(pc.fill_null(values, float("nan")), pa.float64()).to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(coded.dictionary)))
    for code, name in enumerate(coded.dictionary.to_pylist()):
        own = order[ends[code - 1] if code else 0 : ends[code]]
        score = found.setdefault(name, Distribution())
        score.of_images |= bool(of_image[own].any())
        score.states.update(_counted(states.take(pa.array(own))))
        score.add(numbers[own][ok[own]], ruled.get(name, ()))
