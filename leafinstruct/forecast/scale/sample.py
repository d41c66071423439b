"""Build a sample and measure it: CPU time, memory, bytes and files of every part, in every step.

    a few parts     of each source, read anew into a temporary folder (ingest/forecast.py), or
    finished parts  of the run of this recipe, if its ingest is up to date: whole parts, with the images that
                    were fetched for them and the share of documents that its judge keeps. The time of reading
                    is then what the run took, by the clock

Both go through the stages as a build does, in one worker. No language model is asked and nothing is fetched:
a judge that is a model keeps everything unless the run shows what it keeps, and templates write the examples.
A few documents of each source go first and are not counted, since they pay for imports and models.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leafinstruct.errors import LeafInstructError
from leafinstruct.filter import forecast as filtering
from leafinstruct.filter.fetching import FETCHING, urls_of
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.stage import STAGE as FILTER
from leafinstruct.forecast.progress import done
from leafinstruct.ingest import forecast as sampling
from leafinstruct.ingest import stage as ingesting
from leafinstruct.ingest.forecast import MOST_PARTS, Planned
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.ingest.stage import READING
from leafinstruct.llm.config import LlmConfig
from leafinstruct.pipeline import artifacts
from leafinstruct.recipe.load import Loaded
from leafinstruct.records import table
from leafinstruct.records.public import open_shard
from leafinstruct.records.url import host_of
from leafinstruct.rewrite.asking import RewriteSettings
from leafinstruct.rewrite.stage import STAGE as REWRITE
from leafinstruct.runtime.artifact import STAGES, Artifact, chain
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.engine.metered import Metered, Used
from leafinstruct.runtime.stage import Stage
from leafinstruct.shard import keys as keys_of
from leafinstruct.shard.stage import STAGE as SHARD
from leafinstruct.shard.stage import ShardSettings

SAMPLE = 320
"""Documents of each source that are read anew: 40 of each of 8 parts."""
MADE = "drawn or streamed"
"""Kind of the files of sources that a build draws or streams first."""
INDEX = "index"
"""The folder of ingest with the indexes of archives and tables."""
ANSWERS = "answers"
"""The answer cache, which templates fill too."""
SHARDS, SHARD_REPORTS = "shards", "reports of shards"
_FIRST = 2
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
    shards: step -> (rows, CPU seconds) of each shard, and SHARDS -> (rows, bytes besides those). hosts:
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
    small: float = _FIRST
    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    judged: float | None = None
    of_run: bool = False


def measure(loaded: Loaded, engine: Engine, documents: int = SAMPLE) -> Measured:
    """Build a sample in a temporary folder, see above. documents: of each source; whole parts of a run are
    taken up to as many. engine: with one worker; parts that run side by side disturb each other.

    Raises LeafInstructError as a build does, unless no document or example is left.
    """
    with TemporaryDirectory(prefix="leaf-") as name:
        folder = Path(name)
        run = artifacts(loaded)
        of_run = ingesting.is_current(IngestSettings.of(loaded), run["ingest"], engine)
        first = _build(loaded, engine, folder / "first", _FIRST, None)
        found = _build(loaded, engine, folder / "sample", documents, run if of_run else None)
    small = sum(part.documents for part in first.parts) / max(1, len(first.parts))
    return replace(found, small_memory=first.memory, small=small)


def _build(
    loaded: Loaded, engine: Engine, folder: Path, documents: int, run: Mapping[str, Artifact] | None
) -> Measured:
    stages = chain(folder / "run")
    meter = Metered(engine, frozenset({FETCHING}) if run else frozenset())
    settings = IngestSettings.of(loaded)
    if run is None:
        planned = sampling.read_parts(settings, stages["ingest"], meter, documents)
    else:
        planned = _copied(run, stages, documents)
    steps = {"ingest": _since(meter, 0)}
    stopped = None
    for stage, of_stage in _stages(loaded, folder / ANSWERS, fetched=run is not None):
        before = len(meter.used)
        out = stages[stage]
        inputs = out.upstream
        out.begin(fingerprint := of_stage.fingerprint(inputs, out, meter))
        try:
            out.finish(fingerprint, of_stage.run(inputs, out, meter))
        except LeafInstructError as error:
            if not _nothing_left(stage, stages):
                raise
            stopped = (stage, str(error))
        steps[stage] = _since(meter, before)
        if stopped:
            break
    found = _collected(planned, stages, steps, stages if run is None else run)
    hosts = _hosts(FilterSettings.of(loaded), stages["ingest"], found.parts)
    judged = None if run is None else _judged(loaded, run, stages, engine)
    return replace(found, hosts=hosts, stopped=stopped, judged=judged, of_run=run is not None)


@dataclass(frozen=True)
class _Ready:
    """A stage with its settings."""

    stage: Stage[Any]
    settings: Any

    def fingerprint(self, inputs: Artifact | None, out: Artifact, engine: Engine) -> dict[str, object]:
        return self.stage.fingerprint(self.settings, inputs, out, engine)

    def run(self, inputs: Artifact | None, out: Artifact, engine: Engine) -> Any:
        return self.stage.run(self.settings, inputs, out, engine)


def _stages(loaded: Loaded, answers: Path, fetched: bool) -> Iterator[tuple[str, _Ready]]:
    """The stages after ingest, which ask no model and fetch nothing. answers: folder of the answer cache;
    fetched: whether images are there."""
    filters = replace(filtering.unjudged(FilterSettings.of(loaded)), answers=answers)
    if not fetched and filters.config.images.fetch is not None:
        images = filters.config.images.model_copy(update={"fetch": None})
        filters = replace(filters, config=filters.config.model_copy(update={"images": images}))
    yield "filter", _Ready(FILTER, filters)
    offline = loaded.recipe.model_copy(update={"llm": LlmConfig(provider="offline")})
    rewrites = RewriteSettings.of(loaded.model_copy(update={"recipe": offline}))
    yield "rewrite", _Ready(REWRITE, replace(rewrites, answers=answers))
    yield "shard", _Ready(SHARD, ShardSettings.of(loaded))


def _hosts(settings: FilterSettings, ingest: Artifact, parts: Sequence[PartTook]) -> Mapping[str, int]:
    """Images on the web of documents that pass the rules on texts, by host. Counts them for each part."""
    hosts: Counter[str] = Counter()
    if settings.config.images.fetch is None:
        return hosts
    for part, took in zip(ingest.parts(), parts, strict=True):
        passing = filtering.passing(settings, table.documents(ingest.file("documents", part)))
        urls = urls_of(passing)
        took.amounts["count", "filter", "to fetch"] = len(urls)
        hosts.update(host_of(url) or "" for url in urls)
    return hosts


def _since(meter: Metered, start: int) -> list[Used]:
    meter.between("before the end")
    return meter.used[start:]


def _nothing_left(stage: str, stages: Mapping[str, Artifact]) -> bool:
    """Whether a stage stopped because its rules, or its tasks, leave nothing."""
    if stage == "shard":
        return False
    out = stages[stage]
    inputs = out.upstream
    counts = out.totals().counts
    return (
        inputs is not None
        and len(out.parts()) == len(inputs.parts())
        and not counts["kept" if stage == "filter" else "examples"]
        and not counts["failed"]
    )


def _copied(run: Mapping[str, Artifact], stages: Mapping[str, Artifact], documents: int) -> list[Planned]:
    """Copy some whole parts of a run, and what was fetched for them."""
    ingest, out = run["ingest"], stages["ingest"]
    record = ingest.record
    assert record is not None, "ingest is up to date"
    out.path.mkdir(parents=True)
    stages["filter"].path.mkdir()
    by_source: dict[str, list[str]] = defaultdict(list)
    for part in ingest.parts():
        by_source[_source_of(part)].append(part)
    planned = []
    for source, parts in by_source.items():
        counts = {part: _count(ingest, part, "documents") for part in parts}
        most = max(2, round(documents * len(parts) / max(1, sum(counts.values()))))
        chosen = sampling.spaced(parts, min(MOST_PARTS, most))
        for part in chosen:
            report = ingest.report(part)
            files = report.files if report is not None else ()
            paths = [ingest.path / name for name in files]
            copies = [(path, out.path) for path in (*paths, ingest.file("report", part, ".json"))]
            copies += [(ingest.file("frames", part), out.path)]
            copies += [(run["filter"].file("fetches", part), stages["filter"].path)]
            for path, to in copies:
                if path.exists():
                    shutil.copyfile(path, to / path.name)
        planned.append(Planned(source, sum(counts.values()), len(parts), len(chosen) == len(parts), 0.0, 0))
    roots = {name: str((ingest.path / root).resolve()) for name, root in record["roots"].items()}
    out.finish(record["fingerprint"], {"roots": roots, "sources": {}})
    return planned


def _judged(
    loaded: Loaded, run: Mapping[str, Artifact], stages: Mapping[str, Artifact], engine: Engine
) -> float | None:
    """Share of the documents that the run's judge keeps; None if its filter is not done or not judged."""
    filters, rewrites = FilterSettings.of(loaded), RewriteSettings.of(loaded)
    if filters.rule_based or not filters.config.judge.enabled:
        return None
    if not done(filters, rewrites, dict(run), engine).judged:
        return None
    parts = stages["filter"].parts()
    before = sum(_count(stages["filter"], part, "kept") for part in parts)
    return sum(_count(run["filter"], part, "kept") for part in parts) / before if before else None


def _source_of(part: str) -> str:
    """The source that a part is named after."""
    return part.rpartition("-")[0]


def _count(out: Artifact, part: str, name: str) -> int:
    report = out.report(part)
    return 0 if report is None else report.counts.get(name, 0)


def _collected(
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
    shards: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for stage, several in steps.items():
        for used in several:
            if used.kind == "here":
                continue
            took = amounts.get(used.part, whole)
            took["cpu", stage, used.step] += used.cpu
            took["seconds", stage, used.step] += used.seconds
            if stage == "shard" and used.part not in amounts:
                shards[used.step].append((_count(stages["shard"], used.part, "rows"), used.cpu))
            memory[stage, used.step] = max(memory[stage, used.step], used.memory)
            kinds[stage, used.step] = used.kind
    rows = {id: (task, size) for id, task, size in _rows(stages["shard"])}
    for shard in stages["shard"].reports():
        path = stages["shard"].path / f"{shard.part}.parquet"
        ids = (batch.column("id").to_pylist() for batch in open_shard(path).batches(["id"], _BATCH))
        plain = sum(rows[id][1] for several in ids for id in several)
        shards[SHARDS].append((shard.counts["rows"], path.stat().st_size - plain))
    for stage, out in stages.items():
        for path in sorted(out.path.rglob("*")) if out.path.exists() else ():
            if path.is_file() and path.parent.name != INDEX:
                _add_file(stage, out, path, amounts, whole, fixed)
    read, home = sources["ingest"].path, stages["ingest"].path.parent.parent
    for stage, name, folder in (
        ("ingest", MADE, read.parent / "sketchbook"),
        ("ingest", MADE, read.parent / "hub"),
        ("ingest", INDEX, read / INDEX),
        ("rewrite", ANSWERS, home / ANSWERS),
    ):
        for path in folder.rglob("*"):
            if path.is_file():
                whole["bytes", stage, name] += path.stat().st_size
                whole["files", stage, name] += 1
    if sources is not stages:  # the run read them
        kinds["ingest", READING] = "cpu"
        for part in parts:
            report = stages["ingest"].report(part)
            amounts[part]["cpu", "ingest", READING] = 0.0 if report is None else report.seconds
    _add_counts(stages, amounts)
    of_parts = [
        PartTook(_source_of(part), _count(stages["ingest"], part, "documents"), amounts[part])
        for part in parts
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


def _add_file(
    stage: str,
    out: Artifact,
    path: Path,
    amounts: Mapping[str, Amounts],
    whole: Amounts,
    fixed: dict[Key, list[float]],
) -> None:
    """Count one file: what grows with its part, and what does not."""
    size = path.stat().st_size
    kind, part = _kind_and_part(path.stem, amounts)
    if part is None:
        inner = path.relative_to(out.path).parts
        name = inner[0] if len(inner) > 1 else "others"
        if stage == "shard" and len(inner) == 1 and (path.suffix == ".parquet" or kind == "report"):
            name = SHARDS if path.suffix == ".parquet" else SHARD_REPORTS
        whole["bytes", stage, name] += size
        whole["files", stage, name] += 1
        return
    constant = size if kind == "report" else _metadata(path)
    amounts[part]["bytes", stage, kind] += size - constant
    amounts[part]["files", stage, kind] += 1
    fixed["bytes", stage, kind].append(constant)


def _kind_and_part(stem: str, parts: Mapping[str, Amounts]) -> tuple[str, str | None]:
    """Kind and part of `<kind>-<part>`; both may have hyphens."""
    at = stem.find("-")
    while at >= 0:
        if stem[at + 1 :] in parts:
            return stem[:at], stem[at + 1 :]
        at = stem.find("-", at + 1)
    return stem.partition("-")[0], None


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
        keys, paragraphs = filtered.file("keys", part), filtered.file("paragraphs", part)
        if keys.exists():
            rows = [len(images or ()) for (images,) in table.columns(keys, "images")]
            found["count", "filter", "compared"] += len(rows)
            found["count", "filter", "compared images"] += sum(rows)
        if paragraphs.exists():
            found["count", "filter", "paragraphs"] += sum(
                len(several or ()) for (several,) in table.columns(paragraphs, "keys")
            )


def _rows(out: Artifact) -> Iterator[tuple[str, str, int]]:
    """Id, task, and bytes of texts and images of each row, as the plan of the shards reads them."""
    parts = [path.stem.partition("-")[2] for path in sorted(out.path.glob("keys-*.arrow"))]
    for rows in keys_of.read(out, parts).values():
        yield from zip(*(rows[name].to_pylist() for name in ("id", "task", "bytes")), strict=True)
