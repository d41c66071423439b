"""Fetch images from the web for the documents that pass the text rules, before any image is read.

    fetch  (event loop)   image URLs of a part's remaining documents
                          -> fetches-<part>: outcome of each, and where its bytes are in the store

All runs of a working directory share the store (images/web): an image is fetched once; a final answer (404,
robots.txt, opt-out, a private address) is not requested again; a temporary failure is retried by every run of
filter. `fetches-` holds no bytes; look copies them into the part's image file like those of any other
reference. Later keys include only URL, outcome and sha256, nothing that depends on the time.

A divided build is cut by domain here, since one process keeps the pace and the robots.txt of a host:

    list   (processes)    URLs of the remaining documents of the share's parts -> urls-<part>
    fetch  (event loop)   the URLs of all parts on the share's domains -> one table of outcomes for each
                          share, part after part
    write  (here)         fetches- of the share's parts, from the tables of all shares, without the network;
                          only row groups with these parts are read

By domain, not by host, because most redirects stay in one. One that leaves it is followed by the share that
met it, which keeps a pace of its own with that host.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leafinstruct.errors import SourceError
from leafinstruct.filter import materialize
from leafinstruct.filter.passes import CODE, CachedScores, decision_of, images_key
from leafinstruct.filter.score import PASSES
from leafinstruct.filter.settings import FilterSettings
from leafinstruct.filter.texts import scan
from leafinstruct.images.web.store import Fetched, Store, is_intact
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.url import domain_of, host_of
from leafinstruct.runtime.artifact import Artifact, digest
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, TaskResult
from leafinstruct.runtime.engine.share import FETCHED, URLS, Share, Shared, Waiting, barrier, own
from leafinstruct.runtime.files import writing

if TYPE_CHECKING:
    from leafinstruct.images.web.client import Web

AT_ONCE = 100
"""Parts of a divided build whose outcomes are in memory at the same time: 1 KB an image."""
FETCHING = "fetching images"
"""Name of the step."""


def run(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine
) -> None:
    """Fetch the images of every part without a complete `fetches-`.

    Raises SourceError if more images failed for a temporary reason than the recipe tolerates.
    """
    if isinstance(engine, Shared):
        _run_share(settings, inputs, out, parts, engine)
        return
    wanted = [Part(part.name, _key(settings, inputs, out, part)) for part in parts]
    missing = [part for part in wanted if not _is_up_to_date(settings, inputs, out, part)]
    if missing:
        web = _web(settings)
        for _ in engine.map(partial(fetch, settings, inputs, out, web), missing, _needs(web)):
            pass
    names = ("state", "reason")
    _refuse_failures(
        settings, (row for part in parts for row in table.columns(out.file("fetches", part.name), *names))
    )


def _web(settings: FilterSettings) -> Web:
    """A new fetcher. Raises SourceError if the store cannot be read."""
    # imported here, since aiohttp takes 0.1 s and most builds fetch nothing
    from leafinstruct.images.web.client import Web

    config = settings.config.images.fetch
    assert config is not None, "only a recipe with filter.images.fetch comes here"
    try:
        return Web(config, Store(settings.fetched), refused=settings.removed)
    except OSError as error:
        raise SourceError(
            f"{error.filename}: fetched images cannot be read: {error.strerror}; check the disk "
            "and its permissions"
        ) from error


def _needs(web: Web) -> Needs:
    return Needs("io", 4, FETCHING, release=web.close, unit="images", pulse=lambda: web.answered)


async def fetch(
    settings: FilterSettings, inputs: Artifact, out: Artifact, web: Web, part: Part
) -> TaskResult:
    """Task: fetch the URLs of the images that remain in the part's remaining documents. Writes fetches-,
    which gets its key only if no image failed for a temporary reason. part.payload: the key."""
    urls = _urls_of(settings, inputs, out, part)
    answers = await asyncio.gather(*(web.fetch(url) for url in urls))
    return replace(_write(out, part, answers), repaired=web.repaired())


def _write(out: Artifact, part: Part, answers: Sequence[Fetched]) -> TaskResult:
    """Write fetches- of a part. part.payload: the key."""
    failed = sum(answer.state == "failed" for answer in answers)
    with writing(out.file("fetches", part.name)) as temporary:
        table.write(temporary, answers, table.FETCHES, table.with_failures(part.payload, failed))
    return TaskResult(counts={"images": len(answers), "failed": failed})


def _run_share(
    settings: FilterSettings, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Shared
) -> None:
    """Fetch for one share of a divided build. Raises Waiting, and SourceError as `run`."""

    keys: dict[str, str] = {}

    def keyed(part: Part) -> Part:
        if part.name not in keys:
            keys[part.name] = _key(settings, inputs, out, part)
        return Part(part.name, keys[part.name])

    def is_listed(part: Part) -> bool:
        return table.key_of(out.file("urls", part.name)) == part.payload or _is_written(out, part)

    wanted = [keyed(part) for part in own(engine, parts)]
    for part in wanted:
        _forget_lost(settings, inputs, out, part, engine)
    listed = [part for part in wanted if not is_listed(part)]
    for _ in engine.map(partial(list_urls, settings, inputs, out), listed, Needs(what="listing images")):
        pass
    barrier(engine, URLS, (parts, lambda part: is_listed(keyed(part))))
    lists = {part.name: list_key for part in parts if (list_key := table.key_of(out.file("urls", part.name)))}
    key = digest(lists)
    # when all is written another share may be removing the lists
    if not all(_is_written(out, keyed(part)) for part in parts) and not _is_fetched(
        settings, _outcomes_of(engine, engine.share.number), key
    ):
        _fetch_share(settings, out, [part for part in parts if part.name in lists], key, engine)
    barrier(engine, FETCHED)
    missing = [part for part in wanted if not _is_written(out, part)]
    tables = {number: _outcomes_of(engine, number) for number in range(1, engine.share.of + 1)}
    behind = [number for number, path in tables.items() if missing and table.key_of(path) != key]
    if behind:  # they have not seen what was lost and listed again
        raise Waiting(engine.share, FETCHED, behind)
    for start in range(0, len(missing), AT_ONCE):
        _write_all(out, missing[start : start + AT_ONCE], list(tables.values()))


def _fetch_share(
    settings: FilterSettings, out: Artifact, listed: Sequence[Part], key: str, engine: Shared
) -> None:
    """Write the outcomes of a share's domains. listed: the parts that have a list of URLs. key: of all
    lists."""
    web = _web(settings)
    found = engine.map(partial(fetch_domains, out, web, engine.share), listed, _needs(web))
    with writing(_outcomes_of(engine, engine.share.number)) as temporary:
        table.write(temporary, (row for result in found for row in result.value), table.OUTCOMES, key)
        _refuse_failures(settings, table.columns(temporary, "state", "reason"))


def _write_all(out: Artifact, parts: Sequence[Part], tables: Sequence[Path]) -> None:
    """Write fetches- of some parts. parts: their payload is the key. tables: the outcomes of all shares."""
    names = [part.name for part in parts]
    found = {
        (part, answer.url): answer
        for path in tables
        for part, answer in table.records_where(path, "part", names, Fetched, ["terms"])
    }
    for part in parts:
        _write(out, part, [found[part.name, url] for url in _listed(out, part)])


def list_urls(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task: write urls-, the URLs of the images that remain in a part's remaining documents. part.payload:
    the key."""
    urls = _urls_of(settings, inputs, out, part)
    with writing(out.file("urls", part.name)) as temporary:
        table.write(temporary, ({"url": url} for url in urls), table.URLS, part.payload)
    return TaskResult(counts={"images": len(urls)})


async def fetch_domains(out: Artifact, web: Web, share: Share, part: Part) -> Found[list[table.Row]]:
    """Task: fetch the URLs of a part that are on the domains of a share. Returns rows of table.OUTCOMES."""
    urls = [url for url in _listed(out, part) if share_of(url, share.of) == share.number]
    answers = await asyncio.gather(*(web.fetch(url) for url in urls))
    names = table.FETCHES.names
    rows = [{"part": part.name, **{name: getattr(answer, name) for name in names}} for answer in answers]
    return Found(counts={"images": len(answers)}, repaired=web.repaired(), value=rows)


def _listed(out: Artifact, part: Part) -> list[str]:
    """The URLs of a part that `list_urls` wrote."""
    return [str(url) for (url,) in table.columns(out.file("urls", part.name), "url")]


def share_of(url: str, shares: int) -> int:
    """The share that fetches from the domain of a URL, from 1."""
    domain = domain_of(host_of(url) or "")
    return int(hashlib.sha256(domain.encode("utf-8", "surrogatepass")).hexdigest()[:16], 16) % shares + 1


def forget_urls(out: Artifact, parts: Sequence[Part]) -> None:
    """Remove what only the division of fetching needed."""
    for part in parts:
        out.file("urls", part.name).unlink(missing_ok=True)


def _outcomes_of(engine: Shared, number: int) -> Path:
    """What a share fetched."""
    return engine.mark(FETCHED, number).with_suffix(".parquet")


def _is_fetched(settings: FilterSettings, path: Path, key: str) -> bool:
    """Whether a share's outcomes are written for these lists, and the store has the files of their bytes."""
    if table.key_of(path) != key:
        return False
    segments = {segment for (segment,) in table.columns(path, "segment") if segment is not None}
    return all((settings.fetched / segment).exists() for segment in segments)


def _is_written(out: Artifact, part: Part) -> bool:
    """Whether a part has its outcomes, failures included. part.payload: the key."""
    key = table.without_failures(table.key_of(out.file("fetches", part.name)))
    return bool(key == part.payload)


def _forget_lost(
    settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part, engine: Shared
) -> None:
    """Remove fetches- of a part if the store no longer has its bytes, and the outcomes of the shares that
    fetched these, so that they are fetched again. part.payload: the key."""
    lost = _lost(settings, inputs, out, part) if _is_written(out, part) else []
    if lost:
        out.file("fetches", part.name).unlink()
    for number in {share_of(row.url, engine.share.of) for row in lost}:
        _outcomes_of(engine, number).unlink(missing_ok=True)


def _urls_of(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> list[str]:
    """URLs of the images that remain in a part's remaining documents."""
    documents, cached = table.documents(inputs.checked("documents", part.name)), scan.found_in(out, part)
    decisions = (decision_of(document, settings, CachedScores(cached)) for document in documents)
    return urls_of(decision.document for decision in decisions if decision.kept)


def _is_up_to_date(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> bool:
    """Whether `fetches-` of a part has this key, and the store still has the bytes that look will read."""
    whole = table.key_of(out.file("fetches", part.name)) == part.payload
    return whole and not _lost(settings, inputs, out, part)


def _lost(settings: FilterSettings, inputs: Artifact, out: Artifact, part: Part) -> list[Fetched]:
    """Outcomes of a part whose bytes the store no longer has: it may have been emptied or its bytes changed.
    The bytes of images in the part's `images-` are not read again."""
    path, images = out.file("fetches", part.name), out.file("images", part.name)
    kept: set[str] = set()
    if materialize.is_read(images, images_key(settings, inputs, part)):
        kept = {stamp for state, stamp in table.columns(images, "state", "stamp") if state == "ok"}
    rows = list(materialize.outcomes(path))
    segments = {row.segment for row in rows if row.segment is not None}
    gone = {segment for segment in segments if not (settings.fetched / segment).exists()}
    return [
        row
        for row in rows
        if row.segment in gone or (row.sha256 not in kept and not is_intact(settings.fetched, row))
    ]


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


def _refuse_failures(settings: FilterSettings, outcomes: Iterable[tuple[str, str]]) -> None:
    """outcomes: state and reason of each image."""
    total, failed, reasons = 0, 0, Counter[str]()
    for state, reason in outcomes:
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
