"""Estimate of a build: documents, images, requests, tokens and cost (`leaf build --dry-run`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypedDict

from leafinstruct.llm.config import LlmConfig
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
    """What a build would take. at_most: if every example goes back to the rewriter in every round of
    `rewrite.refine`; the other figures assume the share `sent_back`. estimated: fields that are not exact
    counts. sample: number of documents that they are estimated from."""

    at_most: Spending
    sent_back: float
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
    from leafinstruct.rewrite.refine.forecast import SENT_BACK

    chain = artifacts(loaded)
    ingested, kept = chain["ingest"].record, chain["filter"].record
    with TemporaryDirectory(prefix="leaf-") as folder:
        planned, sample = ingesting.sample(
            IngestSettings.of(loaded), Artifact(Path(folder) / "ingest"), engine, SAMPLE
        )
    filters = FilterSettings.of(loaded)
    share, judge_tokens = filtering.estimate(filters, sample)
    rewrites = RewriteSettings.of(loaded)
    rewritten = rewriting.estimate(rewrites, sample)
    per_document = sum(len(document.images) for document, _ in sample) / max(1, len(sample))
    documents = ingested["counts"]["documents"] if ingested else planned
    images = ingested["counts"]["images"] if ingested else round(planned * per_document)
    judged = round(documents * share) if loaded.recipe.filter.judge.enabled else 0
    remaining = kept["counts"]["kept"] if kept else round(documents * share)

    def spending(which: Literal["expected", "at_most"]) -> Spending:
        llm = loaded.recipe.llm
        asked = rewritten.requests(remaining, llm.max_tokens // 4, which)
        samples = judged * filters.config.judge.samples
        return _cost(
            [
                *((judge.llm, samples, judge_tokens) for judge in filters.judges),
                *((rewrites.llm_for(purpose), count, tokens) for purpose, (count, tokens) in asked.items()),
            ]
        )

    return {
        "documents": documents,
        "images": images,
        **spending("expected"),
        "at_most": spending("at_most"),
        "sent_back": SENT_BACK if rewritten.rounds else 0.0,
        "estimated": [
            name
            for name, exact in (("documents", ingested), ("images", ingested), ("requests", None))
            if not exact
        ],
        "sample": len(sample),
    }


def _cost(asked: Sequence[tuple[LlmConfig, float, float]]) -> Spending:
    """Requests, tokens and dollars, assuming answers of a quarter of `max_tokens`; with batches, all requests
    at their share of the price. asked: of each model, its number of requests and their mean input tokens."""
    online = [(llm, count, tokens) for llm, count, tokens in asked if llm.provider != "offline"]
    read = [round(count * tokens) for _, count, tokens in online]
    written = [round(count * llm.max_tokens / 4) for llm, count, _ in online]
    dollars = sum(
        (1.0 if llm.batch is None else llm.batch.price)
        * (before * price.input_per_million + after * price.output_per_million)
        / 1e6
        for (llm, _, _), before, after in zip(online, read, written, strict=True)
        if (price := llm.price) is not None
    )
    return {
        "requests": ceil(sum(count for _, count, _ in online)),
        "input_tokens": sum(read),
        "output_tokens": sum(written),
        "dollars": None if any(llm.price is None for llm, _, _ in online) else round(dollars, 4),
    }
