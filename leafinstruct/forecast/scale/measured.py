"""What a sample took, sorted by parts: CPU time, memory, bytes, files and counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leafinstruct.ingest.forecast import Planned
from leafinstruct.ingest.stage import READING
from leafinstruct.records import table
from leafinstruct.records.public import open_shard
from leafinstruct.runtime.artifact import STAGES, Artifact
from leafinstruct.runtime.engine.metered import Used
from leafinstruct.shard import keys as keys_of

MADE = "drawn or streamed"
"""Kind of the files of sources that a build draws or streams first."""
INDEX = "index"
"""The folder of ingest with the indexes of archives and tables."""
REPORT = "report"
"""Kind of the reports of parts, and of shards."""
ANSWERS = "answers"
"""The answer cache, which templates fill too."""
SHARDS, SHARD_REPORTS = "shards", "reports of shards"
OTHERS = "others"
"""Files directly in the directory of a stage, except shards."""
_BATCH = 2048  # rows
_FOOTER = 8  # bytes at the end of a Parquet file: size of its metadata, and `PAR1`

Key = tuple[str, str, str]
"""What is measured (`cpu`, `seconds`, `bytes`, `files`, `count`), stage, and step, kind of file or count."""
Amounts = dict[Key, float]


@dataclass(frozen=True)
class PartTook:
    """What one part took in all stages. documents: those that ingest read."""

    source: str
    documents: float
    amounts: Amounts


@dataclass(frozen=True)
class Measured:
    """What a sample took.

    whole: amounts of shards and of what is made before reading, which belong to no part. fixed: bytes of each
    kind of file that do not grow with the part. rows: (task, bytes of texts and images) of each example.
    shards: step with a task for each shard -> (rows, CPU seconds) of each, and SHARDS -> (rows, bytes besides
    those of `rows`). hosts:
    images to be fetched by host. memory: step -> peak of a task; small_memory, small: the same for parts of
    so many documents. kinds: step -> kind of its task. stopped: the stage after which nothing is left, and
    why. judged: share of the documents that a model's judge keeps, None if unknown. of_run: whether the parts
    are those of a run.
    """

    planned: Sequence[Planned]
    parts: Sequence[PartTook]
    whole: Amounts = field(default_factory=dict)
    fixed: Mapping[Key, float] = field(default_factory=dict)
    rows: Sequence[tuple[str, int]] = ()
    shards: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[tuple[str, str], int] = field(default_factory=dict)
    small_memory: Mapping[tuple[str, str], int] = field(default_factory=dict)
    small: float = 1.0
    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    judged: float | None = None
    of_run: bool = False


def source_of(part: str) -> str:
    """The source that a part is named after."""
    return part.rpartition("-")[0]


def count(out: Artifact, part: str, name: str) -> int:
    report = out.report(part)
    return 0 if report is None else report.counts.get(name, 0)


def collected(
    planned: Sequence[Planned],
    stages: Mapping[str, Artifact],
    steps: Mapping[str, Sequence[Used]],
    sources: Mapping[str, Artifact],
) -> Measured:
    """Sort what was measured by parts. sources: the stages of the run that read the sources, whose index and
    drawn files are counted."""
    parts = stages["ingest"].parts()
    amounts: dict[str, Amounts] = {part: defaultdict(float) for part in parts}
    whole: Amounts = defaultdict(float)
    fixed: dict[Key, list[float]] = defaultdict(list)
    memory: dict[tuple[str, str], int] = defaultdict(int)
    kinds: dict[tuple[str, str], str] = {}
    of_shards: dict[str, dict[str, float]] = defaultdict(dict)
    for stage, several in steps.items():
        for used in several:
            if used.kind == "here":
                continue
            took = amounts.get(used.part, whole)
            took["cpu", stage, used.step] += used.cpu
            took["seconds", stage, used.step] += used.seconds
            if stage == "shard" and used.part not in amounts:
                of_shards[used.step][used.part] = used.cpu
            memory[stage, used.step] = max(memory[stage, used.step], used.memory)
            kinds[stage, used.step] = used.kind
    rows = {id: (task, size) for id, task, size in _rows(stages["shard"])}
    shards = _shards(stages["shard"], of_shards, rows)
    for stage, out in stages.items():
        for path in sorted(out.path.rglob("*")) if out.path.exists() else ():
            if path.is_file() and path.relative_to(out.path).parts[0] != INDEX:
                _add_file(stage, out, path, amounts, whole, fixed)
    _add_beside(sources["ingest"].path, stages["ingest"].path.parent.parent / ANSWERS, whole)
    if sources is not stages:  # the run read them
        kinds["ingest", READING] = "cpu"
        for part in parts:
            report = stages["ingest"].report(part)
            amounts[part]["cpu", "ingest", READING] = 0.0 if report is None else report.seconds
    _add_counts(stages, amounts)
    of_parts = [
        PartTook(source_of(part), count(stages["ingest"], part, "documents"), amounts[part]) for part in parts
    ]
    return Measured(
        planned,
        of_parts,
        whole,
        {key: sum(several) / len(several) for key, several in fixed.items()},
        list(rows.values()),
        shards,
        memory=memory,
        kinds=kinds,
    )


def _shards(
    out: Artifact, of_shards: Mapping[str, Mapping[str, float]], rows: Mapping[str, tuple[str, int]]
) -> dict[str, list[tuple[int, float]]]:
    """See Measured.shards. of_shards: step -> CPU seconds of the tasks that are named after shards. rows: id
    -> (task, bytes)."""
    made = {report.part: report.counts["rows"] for report in out.reports()}
    # tasks over a bucket of shards are named after its first one, and belong to all
    found = {
        step: [(made[name], cpu) for name, cpu in of_step.items()]
        for step, of_step in of_shards.items()
        if of_step.keys() == made.keys()
    }
    found[SHARDS] = []
    for name, number in made.items():
        path = out.path / f"{name}.parquet"
        ids = (batch.column("id").to_pylist() for batch in open_shard(path).batches(["id"], _BATCH))
        plain = sum(rows[id][1] for several in ids for id in several)
        found[SHARDS].append((number, path.stat().st_size - plain))
    return found


def _add_beside(ingest: Path, answers: Path, whole: Amounts) -> None:
    """Count what belongs to no part: drawn and streamed files and indexes of ingest, and the answer cache."""
    for stage, name, folder in (
        ("ingest", MADE, ingest.parent / "sketchbook"),
        ("ingest", MADE, ingest.parent / "hub"),
        ("ingest", INDEX, ingest / INDEX),
        ("rewrite", ANSWERS, answers),
    ):
        for path in folder.rglob("*"):
            if path.is_file():
                whole["bytes", stage, name] += path.stat().st_size
                whole["files", stage, name] += 1


def _add_file(
    stage: str,
    out: Artifact,
    path: Path,
    amounts: Mapping[str, Amounts],
    whole: Amounts,
    fixed: dict[Key, list[float]],
) -> None:
    """Count one file: what grows with its part, and what does not."""
    size, folders = path.stat().st_size, path.relative_to(out.path).parts[:-1]
    kind = folders[0] if folders else OTHERS
    part = path.stem.removeprefix(f"{kind}-")
    if part not in amounts or path != out.file(kind, part, path.suffix):
        name = SHARDS if stage == "shard" and not folders and path.suffix == ".parquet" else kind
        if stage == "shard" and kind == REPORT:
            name = SHARD_REPORTS
        whole["bytes", stage, name] += size
        whole["files", stage, name] += 1
        return
    constant = size if kind == REPORT else _metadata(path)
    amounts[part]["bytes", stage, kind] += size - constant
    amounts[part]["files", stage, kind] += 1
    fixed["bytes", stage, kind].append(constant)


def _metadata(path: Path) -> int:
    """Bytes of the metadata of a Parquet file, which has one row group; 0 for others."""
    if path.suffix != ".parquet":
        return 0
    with path.open("rb") as file:
        file.seek(-_FOOTER, 2)
        return int.from_bytes(file.read(4), "little") + _FOOTER


def _add_counts(stages: Mapping[str, Artifact], amounts: Mapping[str, Amounts]) -> None:
    """Documents, images and keys of every part, by stage."""
    filtered = stages["filter"]
    for part, found in amounts.items():
        for stage in STAGES:
            report = stages[stage].report(part)
            for name, count in (report.counts if report is not None else {}).items():
                found["count", stage, name] += count
        keys = filtered.file("keys", part)
        if keys.exists():
            rows = [len(images or ()) for (images,) in table.columns(keys, "images")]
            found["count", "filter", "compared"] += len(rows)
            found["count", "filter", "compared images"] += sum(rows)


def _rows(out: Artifact) -> Iterator[tuple[str, str, int]]:
    """Id, task, and bytes of texts and images of each row, as the plan of the shards reads them."""
    parts = [path.stem.partition("-")[2] for path in out.files("keys")]
    for rows in keys_of.read(out, parts).values():
        yield from zip(*(rows[name].to_pylist() for name in ("id", "task", "bytes")), strict=True)
