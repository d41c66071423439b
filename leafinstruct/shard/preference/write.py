"""Write a shard of preference rows from the gathered rows that each is made of."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from leafinstruct.records import public
from leafinstruct.records.example import PreferenceKind
from leafinstruct.records.preference.row import (
    ROUND,
    Changed,
    Part,
    PreferenceRow,
    examined,
    owned,
    preference_of,
)
from leafinstruct.records.preference.stored import columns_of
from leafinstruct.records.published_row import PublishedRow, rows_in
from leafinstruct.records.text.words import identity_of
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Part as Task
from leafinstruct.runtime.engine.base import TaskResult
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.stage_report import StageReport
from leafinstruct.shard.buckets import GatheredRows
from leafinstruct.shard.files import row_groups
from leafinstruct.shard.preference.negatives import retold, shuffled, swapped

_AT_ONCE = 1024
"""Places that are Python objects at a time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A row of plan.PLACES."""

    kind: PreferenceKind
    part: str
    index: int
    other_part: str | None
    other_index: int | None
    order: list[int] | None
    image: int | None
    lent: int | None

    @property
    def other(self) -> tuple[str, int] | None:
        """Place of the lender or of the worse round."""
        if self.other_part is None or self.other_index is None:
            return None
        return self.other_part, self.other_index


def write(row_group_bytes: int, out: Artifact, folder: Artifact, task: Task) -> TaskResult:
    """Task: write the shards of a bucket, one after the other. out: the artifact of the stage, with the
    gathered rows; folder: that of the preference rows. payload: of buckets.buckets."""
    rows, losers = (GatheredRows(out, kind, public.schema()) for kind in ("rows", "losers"))
    totals: Counter[str] = Counter()
    for shard in task.payload:
        if not folder.is_up_to_date(shard.name, shard.payload[0]):  # an engine may run a task again
            totals.update(_write(row_group_bytes, rows, losers, folder, shard).counts)
    return TaskResult(counts=totals)


def _write(
    row_group_bytes: int, rows: GatheredRows, losers: GatheredRows, folder: Artifact, shard: Task
) -> StageReport:
    """Write one shard, with one row group in memory. Its payload: (key, table of plan.PLACES)."""
    started = time.perf_counter()
    key, places = shard.payload
    folder.open(shard.name)
    path = folder.path / f"{shard.name}.parquet"
    schema = public.preference_schema()
    counts = Counter({"images": 0})  # a shard may be empty
    with writing(path) as temporary, pq.ParquetWriter(temporary, schema, **public.WRITER) as file:
        for group in row_groups(_batches(rows, losers, places, schema), row_group_bytes):
            table = pa.Table.from_batches(group, schema)
            counts["images"] += sum(len(of_row) for of_row in table.column("images"))
            counts.update(f"kind.{kind}" for kind in table.column("kind").to_pylist())
            file.write_table(table, row_group_size=max(1, table.num_rows))
    counts.update({"rows": len(places), "bytes": path.stat().st_size})
    report = StageReport(counts=counts, seconds=time.perf_counter() - started)
    return folder.commit(shard.name, key, report, [path])


def _batches(
    rows: GatheredRows, losers: GatheredRows, places: pa.Table, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield one batch per preference row, in order."""
    for chunk in places.to_batches(max_chunksize=_AT_ONCE):
        for place in (Place(**one) for one in chunk.to_pylist()):
            from_rows = losers if place.kind == "round" else rows
            other = None if place.other is None else _row(from_rows[place.other])
            made = made_of(place, _row(rows[place.part, place.index]), other)
            yield pa.RecordBatch.from_pylist([columns_of(made)], schema=schema)


def _row(batch: pa.RecordBatch) -> PublishedRow:
    (row,) = rows_in(batch)
    return owned(row.whole())


def made_of(place: Place, chosen: PublishedRow, other: PublishedRow | None) -> PreferenceRow:
    """The preference row. other: the lender or the worse round. Images of both are owned."""
    answer = chosen.turns[-1].parts
    if place.kind == "shuffled_steps":
        assert place.order is not None, "the plan has an order"
        return preference_of(chosen, shuffled(answer, place.order), place.kind, Changed(order=place.order))
    assert other is not None, "the plan has another row"
    if place.kind == "round":
        scores = examined(other)
        numbers = [score.value for score in scores if score.name == ROUND]
        changed = Changed(round=int(numbers[0] or 0))
        return preference_of(chosen, other.turns[-1].parts, "round", changed, rejected_scores=scores)
    rejected: list[Part]
    if place.kind == "swapped_image":
        assert place.image is not None, "the plan has an image"
        assert place.lent is not None, "the plan has an image"
        images = [part for turn in other.turns for part in turn.parts if not isinstance(part, str)]
        rejected = swapped(answer, place.image, images[place.lent])
        return preference_of(chosen, rejected, place.kind, Changed(image=place.image), other)
    texts = [part for part in other.turns[-1].parts if isinstance(part, str)]
    rejected = retold(answer, [text for text in texts if identity_of([text])])
    return preference_of(chosen, rejected, place.kind, Changed(), other)
