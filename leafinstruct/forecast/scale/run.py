"""Plan a build of so many documents: `leaf build --dry-run --scale N`.

The sample is built in one worker (sample.py), scaled (plan.py), and completed by what language models take
(forecast/run.py). What bounds the build is the longest of four times, each a lower bound: CPU hours over the
workers, the steps of one process, the pace of the busiest host, and the model's limits per minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leafinstruct.filter.settings import FilterSettings
from leafinstruct.forecast.run import Forecast, forecast
from leafinstruct.forecast.scale.laws import REQUEST_CPU
from leafinstruct.forecast.scale.measured import Measured
from leafinstruct.forecast.scale.plan import Scaled, StagePlan, StepPlan, busiest, hours_of, in_loop, slowest
from leafinstruct.forecast.scale.sample import SAMPLE, measure
from leafinstruct.llm.config import LlmConfig
from leafinstruct.recipe.load import Loaded
from leafinstruct.runtime.engine.base import Engine

MOST = 10**12
"""Largest number of documents that can be planned."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A time that no build can be shorter than. hours; what: the reason, as a clause."""

    name: str
    hours: float
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a plan was measured on. of_run: whether on parts of the run of this recipe."""

    documents: int
    parts: int
    sources: int
    of_run: bool


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """What a build of so many documents would take.

    parts: of ingest. workers: that hours are stated for. steps, stages: see plan.py; cpu_hours: the sum of
    the steps. device_hours: None without a device. requests, input_tokens, output_tokens, dollars (None
    without a price): of language models; error: half of their 95% interval as a share, None if no answer was
    seen. bounds: the longest first. advice: what would make it faster. assumed: what was not measured.
    """

    documents: int
    parts: int
    workers: int
    evidence: Evidence
    steps: Sequence[StepPlan]
    stages: Sequence[StagePlan]
    cpu_hours: float
    device_hours: float | None
    requests: int
    input_tokens: int
    output_tokens: int
    dollars: float | None
    error: float | None
    slowest: StepPlan
    bounds: Sequence[Bound]
    advice: Sequence[str]
    assumed: Sequence[str]
    stopped: str | None
    """Why the stages after one were not measured; None if all were."""


def plan(loaded: Loaded, engine: Engine, documents: int, workers: int, sample: int = SAMPLE) -> ScalePlan:
    """Measure a sample and scale it to `documents` documents. engine: with one worker. workers: of the build
    that is planned. sample: documents of each source.

    No model is asked and nothing is fetched. Raises LeafInstructError as a build does.
    """
    measured = measure(loaded, engine, sample)
    expected = forecast(loaded, engine)
    scaled = Scaled(measured, documents, loaded.recipe.shard)
    factor = documents / max(1, expected["documents"])
    steps = scaled.steps()
    if expected["requests"]:
        hours = expected["requests"] * factor * REQUEST_CPU / 3600
        steps.append(in_loop("rewrite", "asking models", hours))
    devices = [step.device_hours for step in steps if step.device_hours is not None]
    longest = slowest(steps, workers)
    filters = FilterSettings.of(loaded)
    bounds = _bounds(loaded, filters, scaled, steps, expected, factor, workers)
    dollars = expected["dollars"]
    return ScalePlan(
        documents=documents,
        parts=math.ceil(scaled.parts),
        workers=workers,
        evidence=Evidence(
            round(sum(part.documents for part in measured.parts)),
            len(measured.parts),
            len(measured.planned),
            measured.of_run,
        ),
        steps=steps,
        stages=scaled.stages(),
        cpu_hours=sum(step.cpu_hours for step in steps),
        device_hours=sum(devices) if devices else None,
        requests=round(expected["requests"] * factor),
        input_tokens=round(expected["input_tokens"] * factor),
        output_tokens=round(expected["output_tokens"] * factor),
        dollars=None if dollars is None else dollars * factor,
        error=expected["error"],
        slowest=longest,
        bounds=bounds,
        advice=advice(bounds[0], steps, filters),
        assumed=list(_assumed(filters, measured, expected)),
        stopped=None if measured.stopped is None else f"after {measured.stopped[0]}: {measured.stopped[1]}",
    )


def _bounds(
    loaded: Loaded,
    filters: FilterSettings,
    scaled: Scaled,
    steps: Sequence[StepPlan],
    expected: Forecast,
    factor: float,
    workers: int,
) -> list[Bound]:
    several = sum(hours_of(step, workers) for step in steps if step.where != "one process")
    single = sum(step.cpu_hours for step in steps if step.where == "one process")
    found = [
        Bound("CPU", several, f"the steps of parts, divided among {workers:,} workers"),
        Bound("one process", single, "the steps that run in the process of the build"),
    ]
    fetch = filters.config.images.fetch
    if fetch is not None and scaled.measured.hosts:
        host, images = busiest(scaled.measured.hosts, scaled.count("filter", "to fetch"))
        found.append(
            Bound(
                "network",
                images * fetch.delay / 3600,
                f"{images:,.0f} images of {host}, {fetch.delay:g} s apart (filter.images.fetch.delay)",
            )
        )
    found += _model_bounds(loaded.recipe.llm, expected, factor)
    return sorted(found, key=lambda bound: -bound.hours)


def _model_bounds(llm: LlmConfig, expected: Forecast, factor: float) -> list[Bound]:
    """The limits of the recipe's `llm` section, as if it answered all questions."""
    found = []
    tokens = (expected["input_tokens"] + expected["output_tokens"]) * factor
    if llm.tokens_per_minute and tokens:
        what = f"{tokens:,.0f} tokens, {llm.tokens_per_minute:,} a minute (llm.tokens_per_minute)"
        found.append(Bound("model", tokens / llm.tokens_per_minute / 60, what))
    requests = expected["requests"] * factor
    if llm.requests_per_minute and requests:
        what = f"{requests:,.0f} requests, {llm.requests_per_minute:,} a minute (llm.requests_per_minute)"
        found.append(Bound("model", requests / llm.requests_per_minute / 60, what))
    return found


_MACHINES = "--share K/N (docs/cluster.md)"


def advice(bound: Bound, steps: Sequence[StepPlan], filters: FilterSettings) -> list[str]:
    """What would make it faster."""
    found = []
    longest = max((step for step in steps if step.where == "one process"), key=lambda step: step.cpu_hours)
    if bound.name == "CPU":
        found.append(
            f"parts are independent: use more workers, or more machines with {_MACHINES} or --engine ray "
            "(docs/ray.md)"
        )
    elif bound.name == "network":
        found.append("start the fetch early; only a smaller delay, which the host has to allow, is faster")
    elif bound.name == "model":
        found.append("ask the provider for higher limits, use llm.batch, or serve the model yourself")
    elif longest.shared:
        found.append(
            f"{longest.step} runs in one process, whatever the workers and the nodes of Ray: divide the "
            f"build with {_MACHINES}"
        )
    else:
        found.append(
            f"{longest.step} runs in one process, whatever the workers and machines: divide the sources "
            "among several recipes"
        )
    if filters.models and not filters.devices(remote=False):
        found.append(
            "models ran on the CPU in this sample. For GPU hours, run the same command on a machine with a "
            "GPU; a larger filter.alignment.batch_size keeps it busy"
        )
    return found


def _assumed(filters: FilterSettings, measured: Measured, expected: Forecast) -> list[str]:
    """What was not measured."""
    found = ["a larger corpus has more duplicates than a sample shows, so fewer documents may be kept"]
    if measured.of_run:
        found.append("reading takes what it took in the run, by the clock; planning the sources is left out")
    else:
        found.append("of each part only the first documents were read, so costs per part count too much")
    if filters.config.judge.enabled and not filters.rule_based:
        share = measured.judged
        found.append(
            "the judge keeps every document, since it was not asked"
            if share is None
            else f"the judge keeps {share:.1%} of the documents, as in the run"
        )
    if expected["requests"]:
        found.append(
            "requests and tokens are predicted, without an answer (--calibrate asks about some documents)"
            if not expected["answers"]
            else f"requests and tokens follow answers about {expected['answers']:,} documents"
        )
        found.append("templates wrote the examples of the sample; the answers of a model may be longer")
    if filters.config.images.fetch is not None:
        found.append(
            "images are as many and as large as those that the run fetched"
            if measured.of_run
            else "nothing was fetched, so images on the web count as missing. Build some documents "
            "(`leaf build --limit 300`) and plan with the same --limit: their images are then measured"
        )
        found.append("the busiest host keeps its share of the images; robots.txt may ask for a longer delay")
    if filters.references:
        found.append("what filter.reference takes is not in the plan")
    return found
