"""From what a sample took to what a build of another size takes. Pure.

    parts    CPU time, bytes, counts: a ratio to the documents that were read, for each source, times its
             documents. The interval is of 95%, from how the parts of a source differ
    laws     CPU time and memory of the steps that see all documents (laws.py)
    shards   CPU time of a step over shards: a line through those of the sample; of a step over buckets of
             shards, a ratio to the rows
    files    so many a part as in the sample, with bytes that do not grow with it (metadata of Parquet) once
             each; shards as the plan of the stage counts them

Documents of the new size are shared among the sources as in the recipe. What a duplicate is depends on all
documents: a larger corpus has more of them than the sample shows, so fewer are kept than stated.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leafinstruct.forecast.estimate import Total, from_parts, margin
from leafinstruct.forecast.scale.laws import FETCH_CPU, LAWS, Law
from leafinstruct.forecast.scale.laws import Key as LawKey
from leafinstruct.forecast.scale.measured import (
    ANSWERS,
    INDEX,
    MADE,
    OTHERS,
    SHARD_REPORTS,
    SHARDS,
    Key,
    Measured,
)
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.runtime.artifact import STAGES
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.split import shard_count

_HOUR = 3600
_AFTER_JUDGE = ("rewrite", "shard")


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step. where: `workers` (any number), `device`, or `one process`. cpu_hours; error: half of the 95%
    interval as a share, None where the sample shows none. device_hours: elapsed, None without a device.
    memory: peak bytes of a process, None if unknown. law: whether a law gives the figures, not the sample.
    shared: whether shares of a build divide it, though each share does its own in one process."""

    stage: str
    step: str
    where: str
    cpu_hours: float
    error: float | None
    device_hours: float | None
    memory: float | None
    law: bool
    shared: bool = False


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage. documents: those that it gets; kept: those, or the examples, that it leaves. error: of kept.
    intermediate, final: bytes. files: all; folder: those of its largest folder."""

    stage: str
    documents: float
    kept: float
    error: float | None
    intermediate: float
    final: float
    files: int
    folder: int


class Scaled:
    """The figures of a sample, scaled. documents: of the new size."""

    def __init__(self, measured: Measured, documents: int, config: ShardConfig) -> None:
        self.measured, self.documents, self._config = measured, documents, config
        records = sum(source.records for source in measured.planned)
        self.of_source = {source.source: documents * source.records / records for source in measured.planned}
        self._made = sum(source.made or source.records for source in measured.planned)

    @property
    def _read(self) -> float:
        return max(1.0, sum(part.documents for part in self.measured.parts))

    @property
    def parts(self) -> float:
        """Number of parts of the new size."""
        return sum(
            max(1.0, source.parts * self.of_source[source.source] / source.records)
            for source in self.measured.planned
        )

    def total(self, key: Key) -> Total:
        """What the parts take, over all documents."""
        found = from_parts(
            [
                (
                    documents,
                    [
                        (part.documents, part.amounts.get(key, 0.0))
                        for part in self.measured.parts
                        if part.source == source
                    ],
                )
                for source, documents in self.of_source.items()
            ]
        )
        share = self.measured.judged
        if share is None or key[1] not in _AFTER_JUDGE:
            return found
        return Total(found.value * share, answers=found.answers * share, freedom=found.freedom)

    def count(self, stage: str, name: str) -> float:
        """A count over all documents."""
        return self.total(("count", stage, name)).value

    def _whole(self, key: Key) -> float:
        """What belongs to no part: of shards by rows, of files made before reading by records."""
        amount = self.measured.whole.get(key, 0.0)
        if key[1] == "shard":
            return amount * self.rows / max(1, len(self.measured.rows))
        return amount * self.documents / max(1, self._made)

    @property
    def rows(self) -> float:
        """Number of examples."""
        return self.count("rewrite", "examples")

    @property
    def keys(self) -> dict[LawKey, float]:
        """Number of keys of the steps that see all documents."""
        return {
            "documents": float(self.documents),
            "compared": self.count("filter", "compared"),
            "images": self.count("filter", "compared images"),
            "rows": self.rows,
            "parts": self.parts,
            "shards": float(self.shards()),
        }

    def steps(self) -> list[StepPlan]:
        """All steps, in order: of each stage those of parts, then those over all documents."""
        keys = self.keys
        found = []
        for stage in STAGES:
            if stage == "ingest" and not self.measured.of_run:
                found.append(self._planning())
            found += self._of_parts(stage)
            if stage == "filter" and self.measured.hosts:
                hours = self.count("filter", "to fetch") * FETCH_CPU / _HOUR
                found.append(in_loop(stage, "fetching images", hours))
            if self._was_measured(stage):
                found += [_of_law(law, keys) for law in LAWS if law.stage == stage]
        return found

    def _was_measured(self, stage: str) -> bool:
        stopped = self.measured.stopped
        return stopped is None or STAGES.index(stage) <= STAGES.index(stopped[0])

    def _planning(self) -> StepPlan:
        cpu = sum(
            source.cpu * self.of_source[source.source] / max(1, source.made or source.records)
            for source in self.measured.planned
        )
        return StepPlan("ingest", "planning", "one process", cpu / _HOUR, None, None, None, False)

    def _of_parts(self, stage: str) -> Iterator[StepPlan]:
        for (of, step), kind in self.measured.kinds.items():
            if of != stage:
                continue
            key = ("cpu", stage, step)
            whole = key in self.measured.whole
            total = self.total(key)
            if step in self.measured.shards:
                total = Total(_by_shards(self.measured.shards[step], self.shards(), self.rows))
            elif whole:
                total = Total(self._whole(key))
            device = None
            if kind == "gpu":
                device = self.total(("seconds", stage, step)).value / _HOUR
            where = {"cpu": "workers", "gpu": "device"}.get(kind, "one process")
            yield StepPlan(
                stage, step, where, total.value / _HOUR, None if whole else _error(total),
                device, self._memory(stage, step), False, kind == "io",
            )  # fmt: skip

    def _memory(self, stage: str, step: str) -> float:
        """Peak memory of a part of the build's size, from two sizes of the sample."""
        measured = self.measured
        small, large = measured.small_memory.get((stage, step), 0), measured.memory[stage, step]
        if ("cpu", stage, step) in measured.whole:
            # of shards: the sample has less than a row group
            return float(large + (self._config.row_group_bytes if stage == "shard" else 0))
        read = self._read / max(1, len(measured.parts))
        whole = self.documents / self.parts
        if not small or read <= measured.small or whole <= read:
            return float(large)
        slope = max(0.0, (large - small) / (read - measured.small))
        return large + slope * (whole - read)

    def stages(self) -> list[StagePlan]:
        """All stages that the sample reached."""
        found = []
        entering = float(self.documents)
        for stage, counted in zip(STAGES, ("documents", "kept", "examples", ""), strict=True):
            if not self._was_measured(stage):
                break
            total = self.total(("count", stage, counted)) if counted else Total(self.rows)
            if stage == "ingest":
                total = Total(entering)
            error = _error(total) if stage in ("filter", "rewrite") else None
            sizes, files = self._files(stage)
            final = sum(size for name, size in sizes.items() if stage == "shard" and name in _PUBLISHED)
            found.append(
                StagePlan(
                    stage, entering, total.value, error, sum(sizes.values()) - final, final,
                    math.ceil(sum(files.values())), self._largest_folder(stage, files),
                )
            )  # fmt: skip
            entering = total.value
        return found

    def _files(self, stage: str) -> tuple[dict[str, float], dict[str, float]]:
        """Bytes and files of a stage by kind."""
        measured = self.measured
        sizes: dict[str, float] = defaultdict(float)
        files: dict[str, float] = defaultdict(float)
        read = len(measured.parts)
        for key in dict.fromkeys(key for part in measured.parts for key in part.amounts):
            if key[1] == stage and key[0] == "bytes":
                of_kind = sum(part.amounts.get(("files", stage, key[2]), 0.0) for part in measured.parts)
                files[key[2]] += self.parts * of_kind / max(1, read)
                sizes[key[2]] += self.total(key).value + files[key[2]] * measured.fixed.get(key, 0.0)
        for key in measured.whole:
            if key[1] == stage and key[0] == "bytes":
                name = key[2]
                if name in (SHARDS, SHARD_REPORTS):
                    files[name] = float(self.shards())
                    each = measured.whole[key] / measured.whole["files", stage, name]
                    sizes[name] = files[name] * each
                    if name == SHARDS:
                        sizes[name] = self._published(measured.shards[SHARDS])
                elif name == FOLDER:  # preference rows: each shard has a report
                    sizes[name] = self._whole(key)
                    more = shard_count(round(sizes[name]), self._config.max_bytes) - 1
                    files[name] = measured.whole["files", stage, name] + 2.0 * more
                elif name in (MADE, INDEX):
                    files[name] = self._whole(("files", stage, name))
                    sizes[name] = self._whole(key)
                elif name == ANSWERS:  # its files are of writers, not of parts, and are not counted
                    sizes[name] = measured.whole[key] * self.documents / self._read
                else:  # records, card, examples of the card: as many for any size
                    files[name], sizes[name] = measured.whole["files", stage, name], measured.whole[key]
        return sizes, files

    def _largest_folder(self, stage: str, files: Mapping[str, float]) -> int:
        apart = {key[2] for key in self.measured.whole if key[1] == stage} - {SHARD_REPORTS}
        hashed = [count for kind, count in files.items() if kind not in apart]
        return largest_folder(hashed, {kind: files[kind] for kind in apart & files.keys()})

    def _published(self, besides: Sequence[tuple[int, float]]) -> float:
        """Bytes of all shards. besides: of each shard its rows, and its bytes besides texts and images."""
        rows = self.measured.rows
        plain = sum(size for _, size in rows) / len(rows)
        of_shard, of_row = _line(besides)
        if of_shard < 0 or plain + of_row <= 0:  # too few rows, or the same ones again and again
            return (plain + sum(size for _, size in besides) / len(rows)) * self.rows
        return of_shard * self.shards() + (plain + of_row) * self.rows

    def shards(self) -> int:
        """Number of shards: as the stage counts them, of every task and split that has rows."""
        sizes: Counter[str] = Counter()
        rows: Counter[str] = Counter()
        for task, size in self.measured.rows:
            sizes[task] += size
            rows[task] += 1
        factor, found = self.rows / max(1, len(self.measured.rows)), 0.0
        for task, size in sizes.items():
            for share in self._config.splits.values():
                several = shard_count(round(size * factor * share), self._config.max_bytes)
                found += several * -math.expm1(-rows[task] * factor * share)  # 0 if it has no row
        return round(found)


_PUBLISHED = (SHARDS, "examples", FOLDER, OTHERS)
_FOLDERS = 256
"""Folders of the files of parts and reports of one kind (runtime/artifact.py)."""


def largest_folder(hashed: Iterable[float], flat: Mapping[str, float]) -> int:
    """Files of the largest folder of a stage. hashed: files of each kind that are in 256 folders by the hash
    of their names; flat: of each kind that are in one folder, of which shards and others are in the same.

    The fullest of 256 folders has the mean m and about sqrt(2 m ln 256) more, since the number of files in
    one is nearly Poisson's."""
    folders = dict(flat)
    found = [folders.pop(SHARDS, 0.0) + folders.pop(OTHERS, 0.0), *folders.values()]
    for count in hashed:
        mean = count / _FOLDERS
        found.append(min(count, mean + math.sqrt(2 * mean * math.log(_FOLDERS))))
    return math.ceil(max(found))


def in_loop(stage: str, step: str, hours: float) -> StepPlan:
    """A step of waiting, in the event loop of each share."""
    return StepPlan(stage, step, "one process", hours, None, None, None, law=True, shared=True)


def _by_shards(sample: Sequence[tuple[int, float]], shards: int, rows: float) -> float:
    """CPU seconds of a step over shards: a line through those of the sample, since a shard of few rows shows
    mostly what it takes to open one. sample: (rows, seconds) of each."""
    of_shard, of_row = _line(sample)
    if of_row <= 0 or of_shard < 0:
        return sum(seconds for _, seconds in sample) / max(1, sum(count for count, _ in sample)) * rows
    return of_shard * shards + of_row * rows


def _line(sample: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """What a shard and what a row of it takes. sample: (rows, amount) of each shard."""
    counts, amounts = (np.array(column, float) for column in zip(*sample, strict=True))
    spread = counts - counts.mean()
    of_row = float(spread @ amounts / (spread @ spread)) if spread.any() else 0.0
    return float(amounts.mean() - of_row * counts.mean()), of_row


def _of_law(law: Law, keys: Mapping[LawKey, float]) -> StepPlan:
    known = dict(keys)
    hours = law.seconds(known) / _HOUR
    where = "workers" if law.is_divided(known) else "one process"
    return StepPlan(law.stage, law.step, where, hours, None, None, law.bytes(known), True)


def _error(total: Total) -> float | None:
    """Half of the 95% interval as a share; None if the sample does not show it."""
    if math.isinf(total.answers) or (total.answers and not total.freedom):
        return None
    return margin([total]) / total.value if total.value else 0.0


def hours_of(step: StepPlan, workers: int) -> float:
    """Elapsed hours of a step that has so many workers."""
    if step.device_hours is not None:
        return step.device_hours
    return step.cpu_hours / workers if step.where == "workers" else step.cpu_hours


def busiest(hosts: Mapping[str, int], images: float) -> tuple[str, float]:
    """The host with the most images to fetch and their number over all documents, if it keeps its share."""
    host = max(hosts, key=lambda name: (hosts[name], name))
    return host, images * hosts[host] / sum(hosts.values())


def slowest(steps: Sequence[StepPlan], workers: int) -> StepPlan:
    """The step that takes longest."""
    return max(steps, key=lambda step: hours_of(step, workers))
