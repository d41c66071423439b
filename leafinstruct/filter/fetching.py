"""Fetch images from the web for the documents that pass the text rules, before any image is read.

    fetch  (event loop)   image URLs of a part's remaining documents
                          -> fetches-<part>: outcome of each, and where its bytes are in the store

All runs of a working directory share the store (images/web): an image is fetched once; a final answer (404,
robots.txt, opt-out, a private address) is not requested again; a temporary failure is retried by every run of
filter. `fetches-` holds no bytes; look copies them into the part's image file like those of any other
reference. Later keys include only URL, outcome and sha256, nothing that depends on the time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from leafinstruct.errors import SourceError
from leafinstruct.filter import materialize
from leafinstruct.filter.passes import CODE, CachedScores, decision_of, images_key
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.texts import scan
from leafinstruct.images.web.store import Store, is_intact
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.files import writing

if TYPE_CHECKING:
    from leafinstruct.images.web.client import Web

FETCHING = "fetching images"
"""Name of the step."""


def run(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Fetch the images of every part without a complete `fetches-`.

    Raises SourceError if more images failed for a temporary reason than the recipe tolerates.
    """
    config = settings.config.images.fetch
    assert config is not None, "only a recipe with filter.images.fetch comes here"
    wanted = [Part(part.name, _key(settings, inputs, out, part)) for part in parts]
    missing = [part for part in wanted if not _is_up_to_date(settings, inputs, out, part)]
    if missing:
        # imported here, since aiohttp takes 0.1 s and most builds fetch nothing
        from leafinstruct.images.web.client import Web

        try:
            web = Web(config, Store(settings.fetched), refused=settings.removed)
        except OSError as error:
            raise SourceError(
                f"{error.filename}: fetched images cannot be read: {error.strerror}; check the disk "
                "and its permissions"
            ) from error
        needs = Needs("io", 4, FETCHING, release=web.close, unit="images", pulse=lambda: web.answered)
        for _ in engine.map(partial(fetch, settings, inputs, out, web), missing, needs):
            pass
    _refuse_failures(settings, out, parts)


async def fetch(
    settings: FilterSettings, inputs: Artifact, out: Artifact, web: Web, part: Part
) -> TaskResult:
    """Task: fetch the URLs of the images that remain in the part's remaining documents. Writes fetches-,
    which gets its key only if no image failed for a temporary reason. part.payload: the key."""
    documents, cached = table.documents(inputs.checked("documents", part.name)), scan.found_in(out, part)
    decisions = (decision_of(document, settings, CachedScores(cached)) for document in documents)
    urls = urls_of(decision.document for decision in decisions if decision.kept)
    answers = await asyncio.gather(*(web.fetch(url) for url in urls))
    failed = sum(answer.state == "failed" for answer in answers)
    with writing(out.file("fetches", part.name)) as temporary:
        table.write(temporary, answers, table.FETCHES, "" if failed else part.payload)
    return TaskResult(counts={"images": len(answers), "failed": failed}, repaired=web.repaired())


def _is_up_to_date(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> bool:
    """Whether `fetches-` of a part has this key, and the store still has the bytes that look will read. The
    store may have been emptied or its bytes changed. Images in the part's `images-` are not read again."""
    path, images = out.file("fetches", part.name), out.file("images", part.name)
    if table.key_of(path) != part.payload:
        return False
    kept: set[str] = set()
    if materialize.is_read(images, images_key(settings, inputs, part)):
        kept = {stamp for state, stamp in table.columns(images, "state", "stamp") if state == "ok"}
    rows = list(materialize.outcomes(path))
    segments = {row.segment for row in rows if row.segment is not None}
    return all((settings.fetched / segment).exists() for segment in segments) and all(
        row.sha256 in kept or is_intact(settings.fetched, row) for row in rows
    )


def outcomes(out: Artifact, part: Part) -> str:
    """Digest of what later passes depend on: URL, outcome and sha256 of all images fetched for a part."""
    names = ("url", "state", "reason", "sha256")
    rows = table.columns(out.file("fetches", part.name), *names)
    return digest([dict(zip(names, row, strict=True)) for row in rows])


def urls_of(remaining: Iterable[Document]) -> list[str]:
    """URLs of images, each once, in the order of the documents."""
    return list(
        dict.fromkeys(
            image.ref.url
            for document in remaining
            for image in document.images
            if image.ref.file is None and image.ref.url
        )
    )


def _key(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> str:
    """Digest of what decides which documents remain and which images are refused. How politely and how fast
    images are fetched changes no outcome."""
    early = [rule.identity for rule in settings.rules if rule.declared.turn == PASSES.index("text")]
    config = settings.config.model_dump(include={"min_images", "min_words", "languages", "licenses"})
    return digest(
        [
            CODE,
            early,
            config,
            scan.edits_key(settings.config, out, part),
            settings.shaping["images"]["fetch"],
            inputs.file_digest("documents", part.name),
        ]
    )


def _refuse_failures(settings: FilterSettings, out: Artifact, parts: Sequence[Part]) -> None:
    total, failed, reasons = 0, 0, Counter[str]()
    for part in parts:
        for state, reason in table.columns(out.file("fetches", part.name), "state", "reason"):
            total += 1
            if state == "failed":
                failed += 1
                reasons[reason] += 1
    if failed > settings.config.images.tolerate_failures * total:
        raise SourceError(
            f"{failed:,} of {total:,} images on the web could not be fetched just now "
            f"({_most(reasons)}), more than "
            "filter.images.tolerate_failures allows; what was fetched is kept and not fetched again: "
            "run the same command again later"
        )


def _most(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {reason}" for reason, count in Counter(reasons).most_common(3))


def unfetched(settings: FilterSettings, out: Artifact, parts: Sequence[Part]) -> int:
    """Count images that are missing only because the recipe does not fetch them."""
    if settings.config.images.fetch is not None:
        return 0
    reasons = (
        reason for part in parts for (reason,) in table.columns(out.file("images", part.name), "reason")
    )
    return sum(reason.startswith("url_not_fetched") for reason in reasons)
