"""ingest: source files -> `documents-<part>.parquet`. It parses; it copies and fetches no picture.

plan (spans of every source) -> map (read a span, write its documents) -> record. A part is a span of one source, named after source and
span, so a new file adds parts and a changed one rebuilds its own. Records that cannot be read are reasons in the part's report, with file
and locator. A stream that ends early stops the stage after all else is done, unless the recipe says `truncated: keep`: half a crawl file
is more often a broken download than what somebody wants.

The embedded corpus is no exception: it is written as genuine MMC4, HTML and WARC files under the run and read by the same readers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from leafinstruct.artifact import Artifact, Fingerprint, digest, file_sha256, save, writing
from leafinstruct.engine.base import Engine, Needs, Part
from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest import html, mmc4, warc
from leafinstruct.ingest.config import HtmlSource, IngestConfig, Mmc4Source, SketchbookSource, WarcSource
from leafinstruct.ingest.span import Span
from leafinstruct.pictures.read import fetch
from leafinstruct.records import table
from leafinstruct.records.document import Document, Image, Rejected
from leafinstruct.sketchbook import write as sketchbook

CODE = 1
"""Raised when the same input gives other documents than before."""

LIBRARIES = ("selectolax", "fastwarc", "resiliparse")
"""Libraries whose version can change what is read."""

SKETCHBOOK = 1
"""Raised when the embedded corpus is drawn otherwise for the same settings."""

FileSource = Mmc4Source | HtmlSource | WarcSource
READERS: dict[str, ModuleType] = {"mmc4": mmc4, "html": html, "warc": warc}


@dataclass(frozen=True)
class IngestSettings:
    """config: the recipe's section; part_size: documents; limit: documents at most, spread over the sources, None for all."""

    config: IngestConfig
    part_size: int
    limit: int | None = None


@dataclass(frozen=True)
class Unit:
    """A part's payload: what to read, how many documents of it at most (None: all), and which of its files this part hashes for the record."""

    source: FileSource
    span: Span
    key: str
    cap: int | None = None
    hashes: tuple[str, ...] = ()


def fingerprint(settings: IngestSettings, inputs: Artifact | None, out: Artifact, engine: Engine) -> Fingerprint:
    """Everything that shapes the documents: config, and size and time of every source file. Writes the embedded corpus when it is missing."""
    assert inputs is None, "ingest is the first stage"
    write_sketchbook(settings, out, engine)
    units = plan(settings, out)
    return {
        "code": CODE,
        "part_size": settings.part_size,
        "limit": settings.limit,
        "sources": [source.model_dump(exclude={"path", "pictures"}) for source in settings.config.sources],
        "truncated": settings.config.truncated,
        "roots": roots(settings, out),
        "libraries": {name: version(name) for name in LIBRARIES},
        "files": {
            f"{part.payload.source.name}/{file}": _state(settings, part.payload.source, file)
            for part in units
            for file in part.payload.hashes
        },
        "parts": digest([(part.name, part.payload.key) for part in units]),
    }


def run(settings: IngestSettings, inputs: Artifact | None, out: Artifact, engine: Engine) -> dict[str, Any]:
    """Read what does not stand yet. Returns facts for the record; raises SourceError for streams that end early, or when nothing was read."""
    assert inputs is None, "ingest is the first stage"
    units = plan(settings, out)
    out.keep_only(part.name for part in units)
    missing = [part for part in units if not out.stands(part.name, part.payload.key)]
    for _ in engine.map(partial(read_part, out), missing, Needs(what="reading")):
        pass
    _refuse_truncated(settings, out)
    totals = out.totals()
    if not totals.counts["documents"]:
        raise SourceError(f"no document could be read: {_reasons(totals.reasons)}; `leaf status --json` lists the records")
    sources = {file: sha for report in out.reports() for file, sha in report["sources"].items()}
    return {"roots": roots(settings, out), "sources": dict(sorted(sources.items()))}


def plan(settings: IngestSettings, out: Artifact) -> list[Part]:
    """Every span of every source, as parts. Raises SourceError when a source is missing, unreadable or empty."""
    parts = []
    sources = list(_file_sources(settings, out))
    for source, share in zip(sources, _shares(settings.limit, len(sources)), strict=True):
        left, seen = share, set[str]()
        for span in READERS[source.kind].plan(source, settings.part_size, _cache(out)):
            if left == 0:
                break
            cap = None if left is None else min(left, span.stop - span.start)
            left = None if left is None or cap is None else left - cap
            fresh = tuple(file for file in span.files if file not in seen)
            seen.update(span.files)
            parts.append(Part(f"{source.name}-{span.name}", Unit(source, span, _key(settings, source, span, cap), cap, fresh)))
    return parts


def _shares(limit: int | None, sources: int) -> list[int | None]:
    """--limit N spread over the sources: N // sources each, one more for the first N % sources."""
    if limit is None:
        return [None] * sources
    return [limit // sources + (index < limit % sources) for index in range(sources)]


def read_part(out: Artifact, part: Part) -> dict[str, Any]:
    """Task: read one span, write its documents, report what could not be read."""
    started = time.perf_counter()
    out.open(part.name)
    unit: Unit = part.payload
    counts: Counter[str] = Counter()
    rejected: list[dict[str, Any]] = []
    path = out.file("documents", part.name)
    with writing(path) as temporary:
        rows = (table.document_row(document) for document in _documents(unit, _cache(out), counts, rejected))
        table.write(temporary, rows, table.DOCUMENTS)
    reasons = Counter(item["reason"] for item in rejected if item["whole"])
    pieces = Counter(item["reason"] for item in rejected if not item["whole"])
    root = READERS[unit.source.kind].root_of(unit.source)
    report = {
        "counts": counts,
        "reasons": reasons,
        "picture_reasons": pieces,
        "rejected": rejected,
        "sources": {f"{unit.source.name}/{file}": file_sha256(root / file) for file in unit.hashes},
        "seconds": time.perf_counter() - started,
    }
    return out.commit(part.name, unit.key, report, [path])


Sample = list[tuple[Document, dict[str, bytes]]]
"""Documents as read, their pictures' sha256 set where the bytes could be read, and those bytes by sha256."""


def sample(settings: IngestSettings, scratch: Artifact, engine: Engine, documents: int) -> tuple[int, Sample]:
    """What `--dry-run` estimates from: records planned over all sources, and about `documents` of each source.

    scratch: a directory that is thrown away; an embedded corpus is drawn there in small.
    """
    planned, found = 0, []
    for source in settings.config.sources:
        small = (
            source.model_copy(update={"documents": min(source.documents, 3 * documents)})
            if isinstance(source, SketchbookSource)
            else source
        )
        only = replace(settings, config=settings.config.model_copy(update={"sources": [small]}))
        write_sketchbook(only, scratch, engine)
        parts = plan(only, scratch)
        planned += source.documents if isinstance(source, SketchbookSource) else sum(_records(part.payload) for part in parts)
        for part in parts[:: -(-len(parts) // 4)]:
            found += [_with_bytes(item, part.payload.source) for item in islice(_read(part.payload, scratch), -(-documents // 4))]
    return planned if settings.limit is None else min(planned, settings.limit), found


def _read(unit: Unit, out: Artifact) -> Iterator[Document]:
    return (item for item in READERS[unit.source.kind].read(unit.source, unit.span, _cache(out)) if isinstance(item, Document))


def _with_bytes(document: Document, source: FileSource) -> tuple[Document, dict[str, bytes]]:
    root = READERS[source.kind].root_of(source)
    read = {image.position: fetch(image.ref, root) for image in document.images}
    data = {position: content for position, content in read.items() if isinstance(content, bytes)}
    names = {position: hashlib.sha256(content).hexdigest() for position, content in data.items()}
    segments = tuple(replace(item, sha256=names.get(item.position)) if isinstance(item, Image) else item for item in document.segments)
    return replace(document, segments=segments), {names[position]: content for position, content in data.items()}


def _records(unit: Unit) -> int:
    """Records of a span; its part may hold fewer documents, never more."""
    return unit.span.stop - unit.span.start


def roots(settings: IngestSettings, out: Artifact) -> dict[str, str]:
    """Source name -> the folder that its documents' files are relative to, itself relative to the artifact, so that a project can move."""
    here = out.path.resolve()
    return {source.name: os.path.relpath(READERS[source.kind].root_of(source).resolve(), here) for source in _file_sources(settings, out)}


def write_sketchbook(settings: IngestSettings, out: Artifact, engine: Engine) -> None:
    """Write the embedded corpus under the run, chunk by chunk; what stands is kept, another setting starts over."""
    for source in settings.config.sources:
        if not isinstance(source, SketchbookSource):
            continue
        drawing = _drawing(source)
        root = sketchbook_root(source, out)
        mark = root / "complete.json"
        wanted = {"settings": digest(asdict(drawing)), "code": SKETCHBOOK}
        if mark.exists() and digest(wanted) in mark.read_text(encoding="utf-8"):
            continue
        shutil.rmtree(root, ignore_errors=True)
        chunks = [Part(f"{index:05d}", chunk) for index, chunk in enumerate(sketchbook.chunks(drawing))]
        for _ in engine.map(partial(_draw, drawing, root), chunks, Needs(what="drawing the Sketchbook")):
            pass
        sketchbook.collect_labels(drawing, root)
        save(mark, {"key": digest(wanted), **wanted})


def sketchbook_root(source: SketchbookSource, out: Artifact) -> Path:
    return out.path.parent / "sketchbook" / source.name


def _draw(drawing: sketchbook.Settings, root: Path, part: Part) -> dict[str, Any]:
    sketchbook.write_chunk(drawing, part.payload, root)
    return {"counts": {}}


def _drawing(source: SketchbookSource) -> sketchbook.Settings:
    try:
        return sketchbook.Settings(
            seed=source.seed, documents=source.documents, picture_px=source.picture_px, defects=tuple(sorted(source.defects.items()))
        )
    except ValueError as error:
        raise RecipeError(f"source {source.name}: {error}") from error


def _file_sources(settings: IngestSettings, out: Artifact) -> Iterator[FileSource]:
    """The sources as files: the embedded corpus is three of them, under one name and root."""
    for source in settings.config.sources:
        if not isinstance(source, SketchbookSource):
            yield source
            continue
        root = sketchbook_root(source, out)
        if (root / "mmc4").is_dir():
            yield Mmc4Source(name=source.name, path=str(root / "*" / "docs_*.jsonl"), license="CC0-1.0")  # its pages say so themselves
        if (root / "html").is_dir():
            yield HtmlSource(name=source.name, path=str(root))
        if (root / "warc").is_dir():
            yield WarcSource(name=source.name, path=str(root))


def _documents(unit: Unit, cache: Path, counts: Counter[str], rejected: list[dict[str, Any]]) -> Iterator[Document]:
    for item in READERS[unit.source.kind].read(unit.source, unit.span, cache):
        if isinstance(item, Rejected):
            rejected.append(asdict(item))
            continue
        if unit.cap is not None and counts["documents"] >= unit.cap:
            return
        counts["documents"] += 1
        counts["pictures"] += len(item.images)
        yield item


def _key(settings: IngestSettings, source: FileSource, span: Span, cap: int | None) -> str:
    """A part's key: reader, its settings and libraries, span, and the state of its files."""
    reader = [source.model_dump(exclude={"path", "pictures"}), {name: version(name) for name in LIBRARIES}]
    return digest([CODE, reader, span.start, span.stop, [(file, _state(settings, source, file)) for file in span.files], cap])


def _state(settings: IngestSettings, source: FileSource, file: str) -> str:
    """Size and time of a source file; of the embedded corpus the size alone, since drawing it again gives the same bytes at another time."""
    stat = (READERS[source.kind].root_of(source) / file).stat()
    drawn = any(isinstance(item, SketchbookSource) and item.name == source.name for item in settings.config.sources)
    return str(stat.st_size) if drawn else f"{stat.st_size} {stat.st_mtime_ns}"


def _cache(out: Artifact) -> Path:
    return out.path / "index"


def _refuse_truncated(settings: IngestSettings, out: Artifact) -> None:
    if settings.config.truncated == "keep":
        return
    for report in out.reports():
        for item in report["rejected"]:
            if item["reason"] in ("truncated", "damaged"):
                raise SourceError(
                    f"{item['file']}, {item['locator']}: {item['detail']}; documents kept before it: {report['counts'].get('documents', 0):,}. "
                    "Fetch the file again, or set ingest.truncated: keep"
                )


def _reasons(reasons: Counter[str]) -> str:
    return ", ".join(f"{count:,} x {reason}" for reason, count in reasons.most_common()) or "the sources are empty"
