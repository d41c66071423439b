"""Estimate of a build: documents, images, requests, tokens and cost (`leaf build --dry-run`)."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from leafinstruct.pipeline import artifacts
from leafinstruct.recipe.load import Loaded
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine

SAMPLE = 48
"""Maximum number of sampled documents per source: enough for a mean within 15-20%, read in well under a
second."""


class Spending(TypedDict):
    """Requests to a language model, their tokens, and dollars (None without a price)."""

    requests: int
    input_tokens: int
    output_tokens: int
    dollars: float | None


class Forecast(Spending):
    """What a build would take. estimated: fields that are not exact counts. sample: number of documents that
    they are estimated from."""

    documents: int
    images: int
    estimated: list[str]
    sample: int


def forecast(loaded: Loaded, engine: Engine) -> Forecast:
    """Estimate what a build would take: documents, images, requests, tokens, dollars.

    Counts of finished stages are exact. The others are estimated from a sample; `estimated` lists them.
    Requests are upper bounds, because images are not read. With `llm.provider: offline` there are none.
    Nothing is left on disk.
    """
    from leafinstruct.filter import stage as filtering
    from leafinstruct.filter.settings import FilterSettings
    from leafinstruct.ingest import stage as ingesting
    from leafinstruct.ingest.origin import IngestSettings
    from leafinstruct.rewrite import stage as rewriting
    from leafinstruct.rewrite.asking import RewriteSettings

    chain = artifacts(loaded)
    ingested, kept = chain["ingest"].record, chain["filter"].record
    with TemporaryDirectory(prefix="leaf-") as folder:
        planned, sample = ingesting.sample(
            IngestSettings.of(loaded), Artifact(Path(folder) / "ingest"), engine, SAMPLE
        )
    share, judge_tokens = filtering.estimate(FilterSettings.of(loaded), sample)
    questions, rewrite_tokens = rewriting.estimate(RewriteSettings.of(loaded), sample)
    per_document = sum(len(document.images) for document, _ in sample) / max(1, len(sample))
    documents = ingested["counts"]["documents"] if ingested else planned
    images = ingested["counts"]["images"] if ingested else round(planned * per_document)
    judged = round(documents * share) if loaded.recipe.filter.judge.enabled else 0
    rewritten = ceil(questions * (kept["counts"]["kept"] if kept else round(documents * share)))
    return {
        "documents": documents,
        "images": images,
        **_cost(loaded, {"judge": (judged, judge_tokens), "rewrite": (rewritten, rewrite_tokens)}),
        "estimated": [
            name
            for name, exact in (("documents", ingested), ("images", ingested), ("requests", None))
            if not exact
        ],
        "sample": len(sample),
    }


def _cost(loaded: Loaded, requests: dict[str, tuple[int, float]]) -> Spending:
    """Requests, tokens and dollars, assuming answers of a quarter of `max_tokens`. With batches, all
    requests at their share of the price."""
    llm = loaded.recipe.llm
    if llm.provider == "offline":
        return {"requests": 0, "input_tokens": 0, "output_tokens": 0, "dollars": 0.0}
    count = sum(number for number, _ in requests.values())
    read = round(sum(number * tokens for number, tokens in requests.values()))
    written = count * llm.max_tokens // 4
    dollars = None
    if llm.price is not None:
        share = 1.0 if llm.batch is None else llm.batch.price
        spent = read * llm.price.input_per_million + written * llm.price.output_per_million
        dollars = round(share * spent / 1e6, 4)
    return {"requests": count, "input_tokens": read, "output_tokens": written, "dollars": dollars}
