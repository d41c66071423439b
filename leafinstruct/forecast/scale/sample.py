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
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leafinstruct.errors import LeafInstructError
from leafinstruct.filter import forecast as filtering
from leafinstruct.filter.fetching import FETCHING, urls_of
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.stage import STAGE as FILTER
from leafinstruct.forecast.progress import done
from leafinstruct.forecast.scale.measured import ANSWERS, Measured, PartTook, collected, count, source_of
from leafinstruct.ingest import forecast as sampling
from leafinstruct.ingest import stage as ingesting
from leafinstruct.ingest.forecast import MOST_PARTS, Planned
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.llm.config import LlmConfig
from leafinstruct.pipeline import artifacts
from leafinstruct.recipe.load import Loaded
from leafinstruct.records import table
from leafinstruct.records.url import host_of
from leafinstruct.rewrite.asking import RewriteSettings
from leafinstruct.rewrite.stage import STAGE as REWRITE
from leafinstruct.runtime.artifact import Artifact, chain
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.engine.metered import Metered, Used
from leafinstruct.runtime.stage import Stage
from leafinstruct.shard.stage import STAGE as SHARD
from leafinstruct.shard.stage import ShardSettings

SAMPLE = 320
"""Documents of each source that are read anew: 40 of each of 8 parts."""
_FIRST = 2


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
    found = collected(planned, stages, steps, stages if run is None else run)
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
    by_source: dict[str, list[str]] = defaultdict(list)
    for part in ingest.parts():
        by_source[source_of(part)].append(part)
    planned = []
    for source, parts in by_source.items():
        counts = {part: count(ingest, part, "documents") for part in parts}
        most = max(2, round(documents * len(parts) / max(1, sum(counts.values()))))
        chosen = sampling.spaced(parts, min(MOST_PARTS, most))
        for part in chosen:
            report = ingest.report(part)
            paths = [ingest.path / name for name in (report.files if report is not None else ())]
            paths += [ingest.file("report", part, ".json"), ingest.file("frames", part)]
            copies = [(path, out.path / ingest.name(path)) for path in paths]
            copies.append((run["filter"].file("fetches", part), stages["filter"].file("fetches", part)))
            for path, to in copies:
                if path.exists():
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, to)
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
    before = sum(count(stages["filter"], part, "kept") for part in parts)
    return sum(count(run["filter"], part, "kept") for part in parts) / before if before else None
