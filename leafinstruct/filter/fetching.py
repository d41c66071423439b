"""Images on the web: fetched for the documents that the text rules left alive, before anything looks at
images.

    fetch  (event loop)   addresses of a part's living documents -> fetches-<part>: what became of each, and where its bytes lie in the store

The store (images/web) is shared by all runs of a working directory: what was fetched is never fetched again,
a final answer (404, robots.txt, opt-out, a private address) is not asked for twice, a passing failure is
tried again whenever filter runs. `fetches-` holds no bytes; look copies them into the part's image file like
those of any other reference. What depends on the moment stays in `fetches-`: later keys see address, outcome
and sha256 alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from leafinstruct.errors import SourceError
from leafinstruct.filter.catalog import PASSES
from leafinstruct.filter.passes import CODE, CachedScores, FilterSettings, decision_of, images_key
from leafinstruct.images.web.store import Store, is_intact
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact, digest, writing
from leafinstruct.runtime.engine.base import Engine, Needs, Part

if TYPE_CHECKING:
    from leafinstruct.images.web.client import Web


def run(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Fetch what no part's `fetches-` tells of. Raises SourceError when more failed for a passing reason than
    the recipe tolerates."""
    config = settings.config.images.fetch
    assert config is not None, "only a recipe with filter.images.fetch comes here"
    wanted = [Part(part.name, _key(settings, inputs, part)) for part in parts]
    missing = [part for part in wanted if not _is_up_to_date(settings, inputs, out, part)]
    if missing:
        # aiohttp takes a tenth of a second that most builds do not need
        from leafinstruct.images.web.client import Web

        try:
            web = Web(config, Store(settings.fetched), refused=settings.removed)
        except OSError as error:
            raise SourceError(
                f"{error.filename}: fetched images cannot be read: {error.strerror}; check the disk "
                "and its permissions"
            ) from error
        needs = Needs(
            "io", 4, "fetching images", release=web.close, unit="images", pulse=lambda: web.answered
        )
        for _ in engine.map(partial(fetch, settings, inputs, out, web), missing, needs):
            pass
    _refuse_failures(settings, out, parts)


async def fetch(
    settings: FilterSettings, inputs: Artifact, out: Artifact, web: Web, part: Part
) -> dict[str, Any]:
    """Task: what becomes of every address of the part's living documents; under its key only if no failure
    may pass. payload: the key."""
    documents = table.documents(inputs.checked("documents", part.name))
    urls = _urls(document for document in documents if decision_of(document, settings, CachedScores()).kept)
    answers = await asyncio.gather(*(web.fetch(url) for url in urls))
    rows = [asdict(answer) for answer in answers]
    failed = sum(answer.state == "failed" for answer in answers)
    with writing(out.file("fetches", part.name)) as temporary:
        table.write(temporary, rows, table.FETCHES, "" if failed else part.payload)
    return {"counts": {"images": len(rows), "failed": failed}, **web.repaired()}


def _is_up_to_date(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> bool:
    """Whether a part's fetches are told under this key, and the store still holds what look will read: a
    person may have emptied it, and bytes may have changed. Images that the part's `images-` holds are not
    read again."""
    path, images = out.file("fetches", part.name), out.file("images", part.name)
    if table.key_of(path) != part.payload:
        return False
    standing = table.key_of(images) == images_key(settings, inputs, part)
    held = (
        {row["stamp"] for row in table.read(images, ["state", "stamp"]) if row["state"] == "ok"}
        if standing
        else set()
    )
    rows = list(table.read(path, ["segment", "offset", "size", "sha256"]))
    segments = {row["segment"] for row in rows} - {None}
    return all((settings.fetched / segment).exists() for segment in segments) and all(
        row["sha256"] in held or is_intact(settings.fetched, row) for row in rows
    )


def outcomes(out: Artifact, part: Part) -> str:
    """What later passes depend on: address, outcome and sha256 of all that was fetched for a part."""
    return digest(list(table.read(out.file("fetches", part.name), ["url", "state", "reason", "sha256"])))


def _urls(remaining: Iterable[Document]) -> list[str]:
    """Addresses of images, each once, in the order of the documents."""
    return list(
        dict.fromkeys(
            image.ref.url
            for document in remaining
            for image in document.images
            if image.ref.file is None and image.ref.url
        )
    )


def _key(settings: FilterSettings, inputs: Artifact, part: Part) -> str:
    """Who is alive, and what is refused; how politely and how fast it is fetched changes no outcome."""
    early = [rule.model_dump() for rule in settings.rules if rule.declared.turn == PASSES.index("text")]
    config = settings.config.model_dump(include={"min_images", "min_words", "languages"})
    return digest(
        [CODE, early, config, settings.shaping["images"]["fetch"], inputs.file_digest("documents", part.name)]
    )


def _refuse_failures(settings: FilterSettings, out: Artifact, parts: Sequence[Part]) -> None:
    total, failed, reasons = 0, 0, Counter[str]()
    for part in parts:
        for row in table.read(out.file("fetches", part.name), ["url", "state", "reason"]):
            total += 1
            if row["state"] == "failed":
                failed += 1
                reasons[row["reason"]] += 1
    if failed > settings.config.images.tolerate_failures * total:
        raise SourceError(
            f"{failed:,} of {total:,} images on the web could not be fetched just now "
            f"({_most(reasons)}), more than "
            "filter.images.tolerate_failures allows; what was fetched is kept and not fetched again: "
            "run the same command again later"
        )


def _most(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {reason}" for reason, count in Counter(reasons).most_common(3))
