"""Ask the judge: the question about a document, smaller ones for a server that accepts no larger one, and the
task of a part."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

from leafinstruct.filter.config import JudgeConfig
from leafinstruct.filter.passes import cached_scores, decision_of
from leafinstruct.filter.scores import judge
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.images.send import Sent, all_as_sent, smaller
from leafinstruct.llm.client import Client
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Request
from leafinstruct.records import asked, table
from leafinstruct.records.document import Document
from leafinstruct.records.text.words import count_words
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Found, Part
from leafinstruct.runtime.files import writing


def question(document: Document, images: Mapping[str, Sent], config: JudgeConfig, prompt: Prompt) -> Request:
    """Build the question about a document. images: see judge.request."""
    count = sum((image.sha256 or "") in images for image in document.images[: config.max_images])
    words = min(config.max_words, count_words([text.text for text in document.texts]))
    whole = Shown(count, config.image_px, words)

    def fewer(shown: Shown) -> Request:
        if shown == whole:
            return judge.request(document, images, config, prompt)
        less = config.model_copy(update={"max_words": shown.words, "max_images": shown.images})
        named = {image.sha256 or "" for image in document.images[: shown.images]} & images.keys()
        sent = smaller({name: images[name] for name in named}, shown.px, shown.jpeg)
        return judge.request(document, sent, less, prompt)

    return fitted(fewer, whole)


async def ask(
    settings: FilterSettings, inputs: Artifact, out: Artifact, client: Client, part: Part
) -> Found[str | None]:
    """Task: ask the judge about every document that remains after duplicates. Returns why the first of the
    failed questions failed.

    Writes asked-, then judged-, which gets its key only if every question was answered.
    """
    cached = cached_scores(settings, out, part, judged=False)
    decisions = [
        decision_of(document, settings, cached)
        for document in table.documents(inputs.checked("documents", part.name))
    ]
    remaining = [decision.document for decision in decisions if decision.kept]
    # written rules see the positions of images, not the images
    offline = settings.llm.provider == "offline"
    shown = (
        set()
        if offline
        else {
            image.sha256 or ""
            for page in remaining
            for image in page.images[: settings.config.judge.max_images]
        }
    )
    images = all_as_sent(
        table.images(out.file("images", part.name), shown - {""}), settings.config.judge.image_px
    )
    requests = [question(document, images, settings.config.judge, settings.prompt) for document in remaining]
    answers = await asyncio.gather(*(client.ask(request) for request in requests))
    cells = [
        (document.id, item)
        for document, answer in zip(remaining, answers, strict=True)
        for item in judge.cells(answer, offline)
    ]
    failed = sum(answer.retryable for answer in answers)
    with writing(out.file("asked", part.name)) as temporary:
        table.write(
            temporary,
            map(asked.row_of, (document.id for document in remaining), map(asdict, answers)),
            asked.ASKED,
        )
    with writing(out.file("judged", part.name)) as temporary:
        rows = (table.score_row(document, item) for document, item in cells)
        table.write(temporary, rows, table.SCORES, "" if failed else part.payload)
    counts = {
        "documents": len(remaining),
        "asked": len(answers),
        "failed": failed,
        "declined": sum(answer.state == "declined" for answer in answers),
    }
    why = next((answer.detail for answer in answers if answer.retryable), None)
    return Found(counts=counts, repaired=client.repaired(), value=why)
