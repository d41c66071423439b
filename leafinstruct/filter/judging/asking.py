"""Ask the judges: the question about a document, smaller ones for a server that accepts no larger one, and
the task of a part."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import NamedTuple

from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.decision import Decision
from leafinstruct.filter.judging import request as judge
from leafinstruct.filter.judging import rules, verdict
from leafinstruct.filter.judging.panel import Judge
from leafinstruct.filter.passes import cached_scores, decision_of
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.images.send import Sent, all_as_sent, smaller
from leafinstruct.llm.client import Client, needs_of
from leafinstruct.llm.faults.outage import too_many_failed
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Answer, Request
from leafinstruct.records import asked, table
from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.table import Row
from leafinstruct.records.text.words import count_words
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Part
from leafinstruct.runtime.engine.share import FILTERED, remaining
from leafinstruct.runtime.files import writing


class Answered(NamedTuple):
    """One answer. sample: from 0."""

    judge: str
    sample: int
    answer: Answer


def clients_of(settings: FilterSettings) -> list[Client]:
    """A client for each judge; all share one budget."""
    clients: list[Client] = []
    for one in settings.judges:
        clients.append(Client(one.llm, settings.answers, clients[0] if clients else None, settings.division))
    return clients


def run(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Ask the judges in the parts without a current key. parts: of this share; their payload is the key.

    Raises ProviderError if more questions have no answer than the recipe tolerates.
    """

    def is_judged(part: Part, accepted: bool = False) -> bool:
        key = table.key_of(out.file("judged", part.name))
        key = table.without_failures(key) if accepted else key
        return key == part.payload and out.file("asked", part.name).exists()

    missing = remaining(engine, FILTERED, parts, is_judged, partial(is_judged, accepted=True))
    clients = clients_of(settings)
    reports = list(
        engine.map(partial(ask, settings, inputs, out, clients), missing, needs_of(clients, "judging"))
    )
    asked = sum(table.count(out.file("asked", part.name)) for part in parts)
    failed = sum(report.counts["failed"] for report in reports)
    if failed > settings.llm.tolerate_failures * asked:
        name, why = next(report.value for report in reports if report.value is not None)
        declined = sum(report.counts["declined"] for report in reports)
        judges = {judge.name: judge.llm for judge in settings.judges}
        several = len(judges) * settings.config.judge.samples > 1
        raise too_many_failed(
            judges[name],
            {"failed": failed, "declined": declined},
            asked,
            why,
            "judge",
            "judged",
            "questions" if several else "documents",
        )


def question(
    document: Document, images: Mapping[str, Sent], config: JudgeConfig, prompt: Prompt, offline: bool = False
) -> Request:
    """Build the question about a document. images, offline: see judging.request.request."""
    count = sum((image.sha256 or "") in images for image in document.images[: config.max_images])
    words = min(config.max_words, count_words([text.text for text in document.texts]))
    whole = Shown(count, config.image_px, words)

    def fewer(shown: Shown) -> Request:
        if shown == whole:
            return judge.request(document, images, config, prompt, offline)
        less = config.model_copy(update={"max_words": shown.words, "max_images": shown.images})
        named = {image.sha256 or "" for image in document.images[: shown.images]} & images.keys()
        sent = smaller({name: images[name] for name in named}, shown.px, shown.jpeg)
        return judge.request(document, sent, less, prompt, offline)

    return fitted(fewer, whole)


async def ask(
    settings: FilterSettings, inputs: Artifact, out: Artifact, clients: Sequence[Client], part: Part
) -> Found[tuple[str, str] | None]:
    """Task: ask the judges about every document that remains after duplicates. clients: of the judges, in
    their order. Returns the judge of the first of the failed questions, and why it failed.

    Writes asked-, then judged-, whose key is the payload only if every question was answered.
    """
    cached = cached_scores(settings, out, part, judged=False)
    decisions = [
        decision_of(document, settings, cached)
        for document in table.documents(inputs.checked("documents", part.name))
    ]
    kept = [decision for decision in decisions if decision.kept]
    refused = {} if settings.rule_based else _pleading(kept)
    wanted = [one.document for one in kept if one.document.id not in refused]
    given = await _answers(settings, out, clients, part, wanted)
    answers = [(name, one) for name, some in given.items() for one in some]
    failed = [one for _, one in answers if one.answer.retryable]
    with writing(out.file("asked", part.name)) as temporary:
        table.write(temporary, (asked.row_of(name, asdict(one.answer)) for name, one in answers), asked.ASKED)
    rule_based, model = settings.rule_based, settings.judge_model
    rows = [
        row
        for decision in kept
        for row in _rows(rule_based, model, decision.document, given.get(decision.document.id, ()), refused)
    ]
    with writing(out.file("judged", part.name)) as temporary:
        table.write(temporary, rows, table.JUDGED, table.with_failures(part.payload, len(failed)))
    counts = {
        "documents": len(kept),
        "asked": len(answers),
        "failed": len(failed),
        "declined": sum(one.answer.state == "declined" for one in failed),
    }
    repaired = sum(sum(client.repaired().values()) for client in clients)
    why = next(((one.judge, one.answer.detail) for one in failed), None)
    return Found(counts=counts, repaired={"stored answers": repaired} if repaired else {}, value=why)


def _pleading(decisions: Sequence[Decision]) -> dict[str, str]:
    """Documents that address a judge -> why no judge is asked about them."""
    found: dict[str, str] = {}
    for one in decisions:
        if detail := judge.plea(one.document, one.edits):
            found[one.document.id] = detail
    return found


async def _answers(
    settings: FilterSettings,
    out: Artifact,
    clients: Sequence[Client],
    part: Part,
    documents: Sequence[Document],
) -> dict[str, list[Answered]]:
    """Document -> its answers, by judge and sample."""
    config = settings.config.judge
    # written rules see the positions of images, not the images
    shown = {
        image.sha256 or ""
        for page in documents
        for image in page.images[: config.max_images]
        if not settings.rule_based
    }
    images = all_as_sent(table.images(out.file("images", part.name), shown - {""}), config.image_px)

    async def one(judge: Judge, client: Client, sample: int, request: Request) -> Answered:
        return Answered(judge.name, sample, await client.ask(_sampled(request, sample)))

    pending, panel = [], list(zip(settings.judges, clients, strict=True))
    for document in documents:
        request = question(document, images, config, settings.prompt, settings.rule_based)
        pending.append(
            asyncio.gather(
                *(
                    one(judge, client, sample, request)
                    for judge, client in panel
                    for sample in range(1 if settings.rule_based else config.samples)
                )
            )
        )
    found = await asyncio.gather(*pending)
    return {document.id: some for document, some in zip(documents, found, strict=True)}


def _sampled(request: Request, sample: int) -> Request:
    """The question as one of several samples, with its smaller forms."""
    smaller = request.smaller
    if sample == 0:
        return request
    return replace(
        request,
        sample=sample,
        smaller=None
        if smaller is None
        else lambda excess: None if (less := smaller(excess)) is None else _sampled(less, sample),
    )


def _rows(
    rule_based: bool, model: str, document: Document, answered: Sequence[Answered], refused: Mapping[str, str]
) -> list[Row]:
    """The rows of judged- of one document. model: name of the judges together."""
    if detail := refused.get(document.id):
        cells = list(verdict.without(document, "suspicious", model, detail).values())
        return [table.judged_row(document.id, cell) for cell in cells]
    if rule_based:
        return [table.judged_row(document.id, cell) for cell in rules.cells(answered[0].answer)]
    judges: dict[str, list[Mapping[verdict.Aspect, Cell]]] = {}
    single: list[Row] = []
    for name, sample, answer in answered:
        found = verdict.cells_of(document, answer)
        judges.setdefault(name, []).append(found)
        single += [table.judged_row(document.id, cell, name, sample + 1) for cell in found.values()]
    rows = [table.judged_row(document.id, cell) for cell in verdict.combined(judges, model)]
    return rows + (single if len(answered) > 1 else [])
