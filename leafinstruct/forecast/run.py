"""Estimate of a build: documents, images, requests, tokens and cost.

    sample      documents of each source, those that remain for the judge, and what is predicted for each
    progress    answers of this run so far: exact figures of finished stages
    calibrate   a few documents are asked about first, on request
    estimate    totals over all documents, and how far they can be from the bill

Without any answer the figures are predictions: they are labeled as rough, and have no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from leafinstruct.filter import forecast as filtering
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.forecast import calibrate as calibrating
from leafinstruct.forecast.bill import WITHIN, Bill, Sample, Spending, Step, spending
from leafinstruct.forecast.estimate import kept
from leafinstruct.forecast.progress import Done, done
from leafinstruct.ingest import forecast as sampling
from leafinstruct.ingest import stage as ingesting
from leafinstruct.ingest.forecast import Sampled
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.llm.tokens import Predicted
from leafinstruct.pipeline import artifacts
from leafinstruct.recipe.load import Loaded
from leafinstruct.records.document import Document
from leafinstruct.rewrite.asking import RewriteSettings
from leafinstruct.rewrite.refine.forecast import SENT_BACK, in_rounds, predicted
from leafinstruct.runtime.artifact import Artifact, chain
from leafinstruct.runtime.engine.base import Engine
from leafinstruct.runtime.record import Record

SAMPLE, LARGE_SAMPLE = 48, 300
"""Maximum number of sampled documents per source, without and with calibration. The first is read in about
a second; the second keeps the error of the mean below 10% where documents differ as pages do."""


class _Counts(TypedDict):
    documents: int
    images: int
    estimated: list[str]
    sample: int


class _Accuracy(TypedDict):
    error: float | None
    needed: int | None


class Forecast(Spending, _Counts, _Accuracy):
    """What a build would take, answers so far included.

    steps: by step (`judge NAME`, `rewrite`, `examine`). paid: answers so far, which a build does not pay for
    again. answers: number of documents whose answers the figures come from. error: half of the 95% interval
    of the bill (dollars, without a price the larger one of both tokens), as a share; None if it is not known.
    needed: documents of each source to ask about for an error of WITHIN; None if it is reached, or answers
    alone do not help.
    at_most: without answers, if every example goes back to the rewriter in every round of `rewrite.refine`;
    the other figures then assume the share `sent_back`. estimated: fields that are not exact counts. sample:
    number of documents that they are estimated from.
    """

    steps: dict[str, Spending]
    paid: Spending
    answers: int
    at_most: Spending | None
    sent_back: float


def forecast(loaded: Loaded, engine: Engine, calibrate: int = 0) -> Forecast:
    """Estimate what a build would take: documents, images, requests, tokens, dollars.

    calibrate: documents of each source to ask about first, at the model's price; 0 sends no request. Counts
    and costs of finished stages are exact. The others are estimated from a sample; `estimated` lists them.
    With `llm.provider: offline` there are no requests. Only answers in the cache are left on disk.
    """
    filters, rewrites = FilterSettings.of(loaded), RewriteSettings.of(loaded)
    stages = artifacts(loaded)
    is_read = ingesting.is_current(IngestSettings.of(loaded), stages["ingest"], engine)
    record = stages["ingest"].record if is_read else None
    so_far = done(filters, rewrites, stages, engine) if is_read else Done()
    online = not rewrites.offline or (filters.config.judge.enabled and not filters.rule_based)
    calibrate = calibrate if online and not so_far.rewritten else 0
    sample, steps, found = _read(loaded, filters, rewrites, record, so_far, engine, calibrate)
    share, deviation = 1.0, 0.0
    if found is not None and not so_far.judged and _judges_decide(filters):
        share, deviation = kept(len(found.kept), len(found.judged), sample.judged)
    bill = Bill(sample, steps, share, deviation)
    exact = all(step.exact is not None for step in steps)
    answered = {name for step in steps for name in step.paid}
    most = None
    if not answered:
        at_most = Bill(sample, _steps(filters, rewrites, sample, so_far, 1.0))
        most = spending(at_most.sizes)
    return {
        **_counts(record, sample, exact),
        **spending(bill.sizes),
        "steps": {step.name: spending([(step, size)]) for step, size in bill.sizes},
        "paid": spending([(step, _sum(step.paid)) for step in steps]),
        "answers": len(answered),
        **_accuracy(bill, len(answered)),
        "at_most": most,
        "sent_back": SENT_BACK if most is not None and rewrites.refine and rewrites.refine.rounds else 0.0,
    }


def _read(
    loaded: Loaded,
    filters: FilterSettings,
    rewrites: RewriteSettings,
    record: Record | None,
    so_far: Done,
    engine: Engine,
    calibrate: int,
) -> tuple[Sample, list[Step], calibrating.Asked | None]:
    """Read a sample of the documents, and ask about some of them if `calibrate` is not 0."""
    costly = filters.weights is not None or filters.config.images.fetch is not None
    size = LARGE_SAMPLE if calibrate and not costly else SAMPLE
    with TemporaryDirectory(prefix="leaf-") as name:
        folder = Path(name)
        scratch = Artifact(folder / "sources/ingest")
        sources = sampling.sample(IngestSettings.of(loaded), scratch, engine, size)
        by_id = {document.id: document for source in sources for document in source.documents}
        documents = list(by_id.values())
        roots = {name: root for source in sources for name, root in source.roots.items()}
        if calibrate:
            unjudged = filtering.unjudged(filters)
            passing = filtering.kept(unjudged, documents, roots, chain(folder / "all"), engine)
        else:
            passing = filtering.passing(filters, documents)
        sample = _sampled(sources, passing, record, so_far)
        steps = _steps(filters, rewrites, sample, so_far, SENT_BACK)
        found = None
        if calibrate:
            chosen = _chosen(sample, documents, steps, calibrate)
            found = calibrating.ask(chosen, roots, filters, rewrites, folder / "asked", engine)
            steps = [_with_answers(step, found) for step in steps]
    return sample, _together(steps), found


def _counts(record: Record | None, sample: Sample, exact: bool) -> _Counts:
    """Documents and images of a build. record: of a finished ingest; exact: whether all requests are
    known."""
    documents = [document for source in sample.sources for document in source.documents]
    planned = sum(source.planned for source in sample.sources)
    per_document = sum(len(document.images) for document in documents) / max(1, len(documents))
    return {
        "documents": record["counts"]["documents"] if record else planned,
        "images": record["counts"]["images"] if record else round(planned * per_document),
        "estimated": [*([] if record else ["documents", "images"]), *([] if exact else ["requests"])],
        "sample": len(documents),
    }


def _accuracy(bill: Bill, answers: int) -> _Accuracy:
    """answers: number of documents with answers."""
    error = bill.error if answers else None
    enough = not answers or (error is not None and error <= WITHIN)
    return {
        "error": error,
        "needed": None if enough else bill.needed(answers / max(1, len(bill.sample.sources))),
    }


def _sum(sizes: Mapping[str, Predicted]) -> Predicted:
    return sum(sizes.values(), Predicted())


def _sampled(
    sources: Sequence[Sampled], passing: Sequence[Document], record: Record | None, so_far: Done
) -> Sample:
    planned = sum(source.planned for source in sources)
    scale = record["counts"]["documents"] / planned if record and planned else 1.0
    remaining = {document.id: document for document in passing}
    kept_scale = scale
    if so_far.kept is not None:
        remaining = {name: document for name, document in remaining.items() if name in so_far.kept}
        estimate = sum(
            source.planned
            * sum(document.id in remaining for document in source.documents)
            / max(1, len(source.documents))
            for source in sources
        )
        kept_scale = len(so_far.kept) / estimate if estimate else scale
    return Sample(sources, scale, kept_scale, remaining)


def _steps(
    filters: FilterSettings, rewrites: RewriteSettings, sample: Sample, so_far: Done, sent_back: float
) -> list[Step]:
    """The steps that ask a language model, with what is predicted for each document of the sample. sent_back:
    share of the examples of a round that are written again."""
    found = []
    judge = filters.config.judge
    if judge.enabled and not filters.rule_based:
        sizes = {name: filtering.predicted(filters, document) for name, document in sample.remaining.items()}
        for one in filters.judges:
            name = f"judge {one.name}"
            paid = so_far.paid.get(name, {})
            exact = _sum(paid) if so_far.judged else None
            found.append(Step(name, one.llm, sizes, paid, exact, kept=False))
    rounds = 0 if rewrites.refine is None else rewrites.refine.rounds
    of_examples = {
        name: in_rounds(predicted(rewrites, document), rounds, sent_back)
        for name, document in sample.remaining.items()
    }
    for purpose in ("rewrite", "examine"):
        sizes = {name: several[purpose] for name, several in of_examples.items() if purpose in several}
        paid = so_far.paid.get(purpose, {})
        exact = _sum(paid) if so_far.rewritten else None
        if sizes or paid:
            found.append(Step(purpose, rewrites.llm_for(purpose), sizes, paid, exact, kept=True))
    return found


def _chosen(
    sample: Sample, documents: Sequence[Document], steps: Sequence[Step], count: int
) -> list[Document]:
    """The documents to ask about, as they were read."""
    nothing = Predicted()
    sizes = {
        name: sum((step.predicted.get(name, nothing) for step in steps), nothing) for name in sample.remaining
    }
    by_source: dict[str, list[Document]] = {}
    for document in documents:
        if document.id in sizes:
            by_source.setdefault(document.source, []).append(document)
    return [one for several in by_source.values() for one in calibrating.choose(several, sizes, count)]


def _with_answers(step: Step, found: calibrating.Asked) -> Step:
    """A document about which nothing was asked cost nothing."""
    names = found.kept if step.kept else found.judged
    paid = {name: found.paid.get(step.name, {}).get(name, Predicted()) for name in names}
    return replace(step, paid={**paid, **step.paid})


def _together(steps: Sequence[Step]) -> list[Step]:
    """Steps with answers about the same documents: what was not asked about one of them cost nothing."""
    asked = {
        kept: {name for step in steps if step.kept is kept for name in step.paid} for kept in (False, True)
    }
    return [
        replace(step, paid={name: step.paid.get(name, Predicted()) for name in asked[step.kept]})
        for step in steps
    ]


def _judges_decide(filters: FilterSettings) -> bool:
    """Whether a rule drops documents, or images of them, by verdicts of a language model."""
    return not filters.rule_based and any(rule.declared.family == "judge" for rule in filters.rules)
