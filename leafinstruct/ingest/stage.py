"""ingest: read source files and write `documents-<part>.parquet`.

It parses only; it copies and fetches no image. Only video frames, which must be decoded to be chosen, are
kept in `frames-<part>.parquet`, so that filter need not decode them again.

Steps: plan spans over every source, read each span and write its documents, write the record. A part is one
span of one source, named after both, so a new file adds parts and a changed file rebuilds only its own.
Records that cannot be read are listed in the part's report with reason, file and locator (losses). A stream
that ends early stops the stage after everything else is done, unless the recipe sets `truncated: keep`: half
a crawl file is usually a broken download.

Sources that are drawn or streamed first become files under the run, for the same readers (origin).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.ingest import kind, made, origin, rot
from leafinstruct.ingest.config import FileSource, WarcSource
from leafinstruct.ingest.losses import Losses
from leafinstruct.ingest.origin import IngestSettings, file_sources, prepare, roots
from leafinstruct.ingest.readers.base import libraries, reader
from leafinstruct.ingest.removed_records import IngestReport, RemovedRecords, complies
from leafinstruct.ingest.span import Span, Unit
from leafinstruct.ingest.video import speech
from leafinstruct.records import table
from leafinstruct.records.document import Document, Frame, Rejected
from leafinstruct.records.frames import frame_writer
from leafinstruct.records.removals import Suppressed
from leafinstruct.records.text import language, owners
from leafinstruct.records.text.language_names import UNDETERMINED
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Engine, Needs, Part
from leafinstruct.runtime.engine.share import INGESTED, alone, barrier, own, undivided
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.record import Fingerprint, StageFacts
from leafinstruct.runtime.stage import Stage
from leafinstruct.runtime.store import opened
from leafinstruct.runtime.store.base import Head
from leafinstruct.runtime.store.path import ObjectPath

_UNSEEN = frozenset({"tracking_pixel", "emoji_without_alt", "not_shown"})
"""Reasons of pieces that the page does not show, or that tell nothing."""
READING = "reading"
"""Name of the step that reads the parts."""
CODE = 17
"""Increase when the same input gives other documents than before."""


def fingerprint(
    settings: IngestSettings, inputs: Artifact | None, out: Artifact, engine: Engine
) -> Fingerprint:
    """Return everything that determines the documents: the config, and size and sha256 of every source file.
    Writes the embedded corpus when it is missing."""
    assert inputs is None, "ingest is the first stage"
    with alone(engine):  # the first share draws, streams and indexes; the others find it done
        prepare(settings, out, undivided(engine))
        folders = {source.name: reader(source.kind).root_of(source) for source in file_sources(settings, out)}
        rot.recall(out, folders, undivided(engine))
        units = plan(settings, out, undivided(engine))
        rot.keep_known(out, _paths(units))
    return {
        **stated(settings),
        "roots": roots(settings, out),
        "libraries": {
            name: at for source in file_sources(settings, out) for name, at in _libraries(source).items()
        },
        "files": {name: content.identity(path, _cache(out)) for name, path in _paths(units).items()},
        "parts": digest([(part.name, part.payload.key) for part in units]),
        **({"removed": removed} if (removed := settings.removed.identity) else {}),
    }


def stated(settings: IngestSettings) -> Fingerprint:
    """What the fingerprint has of the recipe."""
    return {
        "code": CODE,
        "part_size": settings.part_size,
        "limit": settings.limit,
        "sources": [
            source.model_dump(mode="json", exclude=set(source.PATH_KEYS))
            for source in settings.config.sources
        ],
        "truncated": settings.config.truncated,
    }


def is_current(settings: IngestSettings, out: Artifact, engine: Engine) -> bool:
    """Whether the stage is done for this recipe and the files as they are now. Sources of another recipe are
    not drawn or streamed for it."""
    if out.record is None:
        return False
    made = out.record["fingerprint"]
    same = all(made.get(name) == value for name, value in stated(settings).items())
    return same and made == fingerprint(settings, None, out, engine)


def run(settings: IngestSettings, inputs: Artifact | None, out: Artifact, engine: Engine) -> StageFacts:
    """Read the parts that are missing or out of date. Returns facts for the record; raises SourceError for
    streams that end early, or when no document was read."""
    assert inputs is None, "ingest is the first stage"
    units = plan(settings, out)
    out.keep_only(part.name for part in units)

    def is_made(part: Part) -> bool:
        is_up_to_date = out.is_up_to_date(part.name, part.payload.key)
        return is_up_to_date and complies(settings.removed, out, part.name)

    missing = [part for part in own(engine, units) if not is_made(part)]
    for _ in engine.map(partial(read_part, out, settings.removed), missing, Needs(what=READING)):
        pass
    barrier(engine, INGESTED, (units, is_made))
    _refuse_truncated(settings, out)
    totals = out.totals()
    if not totals.counts["documents"]:
        hints = [
            hint for source in file_sources(settings, out) if (hint := kind.looks_like(source, _cache(out)))
        ]
        raise SourceError(
            f"no document could be read: {_reasons(totals.reasons)}; "
            + "; ".join([*hints, "`leaf status --json` lists the records"])
        )
    sources = {file: sha for report in out.reports() for file, sha in report.sources.items()}
    rot.keep_known(out, _paths(units))
    return {"roots": roots(settings, out), "sources": dict(sorted(sources.items()))}


def plan(settings: IngestSettings, out: Artifact, engine: Engine | None = None) -> list[Part]:
    """Return every span of every source as parts. engine: hashes the files that this process does not know,
    in parallel; without one they are hashed one after the other. Raises SourceError when a source is missing,
    unreadable or empty."""
    cut: list[tuple[FileSource, Span, int | None, tuple[str, ...], tuple[str, ...]]] = []
    sources = list(file_sources(settings, out))
    for source, share in zip(sources, shares(settings.limit, len(sources)), strict=True):
        left, seen = share, set[str]()
        strays = kind.strays(source)
        for span in kind.spans(source, settings.part_size, _cache(out)):
            if left == 0:
                break
            cap = None if left is None else min(left, len(span))
            left = None if left is None or cap is None else left - cap
            fresh = tuple(file for file in span.files if file not in seen)
            seen.update(span.files)
            cut.append((source, span, cap, fresh, strays))
            strays = ()
    if engine is not None:  # before the keys, which contain the identities
        rot.hash_all(
            out, (rot.path_of(source, file) for source, *_, fresh, _ in cut for file in fresh), engine
        )
    return [_part(*each, _cache(out)) for each in cut]


def _part(
    source: FileSource,
    span: Span,
    cap: int | None,
    fresh: tuple[str, ...],
    strays: tuple[str, ...],
    cache: Path,
) -> Part:
    """A span as a part. cap: maximum documents. fresh: its files that are in no span before. strays: links
    that lead out of the source's folder, for its first part."""
    key = _key(source, span, cap, strays, cache)
    return Part(
        f"{source.name}-{span.name}", Unit(source, span, key, cap, fresh, strays, _states(source, span))
    )


def shares(limit: int | None, sources: int) -> list[int | None]:
    """Spread --limit N over the sources: N // sources each, one more for the first N % sources."""
    if limit is None:
        return [None] * sources
    return [limit // sources + (index < limit % sources) for index in range(sources)]


def read_part(out: Artifact, removed: Suppressed, part: Part) -> IngestReport:
    """Task: read one span, write its documents, report what could not be read. removed: the list of records
    to leave out."""
    started = time.perf_counter()
    out.open(part.name)
    unit: Unit = part.payload
    opened.remember(unit.states)
    counts: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    losses = Losses()
    root = reader(unit.source.kind).root_of(unit.source)
    for link in unit.strays:
        losses.add(kind.stray(link))
    removals = RemovedRecords(removed, made.emptied(root))

    def rows() -> Iterator[table.Row]:
        for document in documents(unit, out, counts, losses, keep, removals):
            languages[document.language or UNDETERMINED] += 1
            yield table.document_row(document)

    path = out.file("documents", part.name)
    with writing(path) as temporary, _frames(out, part) as keep:
        table.write(temporary, rows(), table.DOCUMENTS)
    if removals.frames:  # frames are written before their document is known; filter decodes the others again
        out.file("frames", part.name).unlink(missing_ok=True)
    for file in removals.read:
        speech.delete(root / file, _cache(out))
    report = IngestReport(
        counts=counts,
        reasons=losses.reasons,
        image_reasons=losses.pieces,
        languages={"kept": languages},
        rejected=losses.listed,
        unlisted=losses.unlisted,
        removed=removals.report,
        sources={f"{unit.source.name}/{file}": rot.sha256(root / file) for file in unit.hashes},
        seconds=time.perf_counter() - started,
    )
    return out.commit(part.name, unit.key, report, [path])


@contextmanager
def _frames(out: Artifact, part: Part) -> Iterator[Callable[[Frame], None]]:
    """Keep the frames that the block passes on. The file is a cache and not one of the part's recorded files:
    no row depends on whether it exists."""
    path = out.file("frames", part.name)
    path.unlink(missing_ok=True)
    with ExitStack() as stack:
        writers: list[Callable[[Frame], None]] = []  # created with the first frame: most sources have none

        def keep(frame: Frame) -> None:
            if not writers:
                writers.append(stack.enter_context(frame_writer(stack.enter_context(writing(path)))))
            writers[0](frame)

        yield keep


def read_unit(unit: Unit, out: Artifact, removed: Suppressed) -> Iterator[Document]:
    """The documents of a span, without those removed by request: a sample may be sent to a model."""
    items = reader(unit.source.kind).read(unit.source, unit.span, _cache(out))
    kept = RemovedRecords(removed).apply(items)
    return (_inferred(item) for item in kept if isinstance(item, Document))


def _inferred(document: Document) -> Document:
    """Add what the reader cannot know: the owners of the images, and the language."""
    return language.with_language(owners.infer(document))


def documents(
    unit: Unit,
    out: Artifact,
    counts: Counter[str],
    losses: Losses,
    keep: Callable[[Frame], None],
    removals: RemovedRecords,
) -> Iterator[Document]:
    """Yield the documents of one span, with owners and language. out: whose cache is used. counts:
    `documents` and `images` are increased. keep: gets the frames of videos."""
    read: Document | None = None  # yielded only when its lost pieces, which follow it, are counted
    for item in removals.apply(reader(unit.source.kind).read(unit.source, unit.span, _cache(out))):
        if isinstance(item, Rejected):
            losses.add(item)
            read = read and _without(read, item)
            continue
        if unit.cap is not None and counts["documents"] >= unit.cap:
            break
        if isinstance(item, Frame):
            keep(item)
            continue
        if read is not None:
            yield read
        counts["documents"] += 1
        counts["images"] += len(item.images)
        read = _inferred(item)
    if read is not None:
        yield read


def _without(document: Document, rejected: Rejected) -> Document:
    """The document with a lost piece counted, if the piece belongs to it and readers of the page saw it
    (_UNSEEN)."""
    own = (rejected.file, rejected.locator) == (document.provenance.file, document.provenance.locator)
    return (
        replace(document, lost=document.lost + 1)
        if own and not rejected.whole and rejected.reason not in _UNSEEN
        else document
    )


def _paths(units: list[Part]) -> dict[str, Path]:
    """The paths of all source files, by the name of the source and their own."""
    return {
        f"{part.payload.source.name}/{file}": rot.path_of(part.payload.source, file)
        for part in units
        for file in part.payload.hashes
    }


def _key(source: FileSource, span: Span, cap: int | None, strays: tuple[str, ...], cache: Path) -> str:
    """A part's key: the reader, its settings and libraries, the span, and the identity of its files."""
    how = [source.model_dump(mode="json", exclude=set(source.PATH_KEYS)), _libraries(source)]
    beyond = None
    if isinstance(source, WarcSource):
        from leafinstruct.ingest.readers import warc  # not at the top: it loads the parser of archives

        beyond = warc.depends(source, cache)
    return digest(
        [
            CODE,
            how,
            beyond,
            span.start,
            span.stop,
            [(file, content.identity(rot.path_of(source, file), cache)) for file in span.files],
            cap,
            *([strays] if strays else []),
        ]
    )


def _states(source: FileSource, span: Span) -> tuple[tuple[str, Head], ...]:
    """The states of a span's files in a store, in which a worker reads them; nothing for files on a disk."""
    root = reader(source.kind).root_of(source)
    files = [root / file for file in span.files] if isinstance(root, ObjectPath) else []
    return tuple((str(path), path.head) for path in files if isinstance(path, ObjectPath))


def _libraries(source: FileSource) -> dict[str, str]:
    return libraries(source.kind) | {name: version(name) for name in (*language.LIBRARIES, "regex")}


def _cache(out: Artifact) -> Path:
    return out.path / rot.INDEX


def _refuse_truncated(settings: IngestSettings, out: Artifact) -> None:
    if settings.config.truncated == "keep":
        return
    for report in out.reports():
        for item in report.rejected:
            if item["reason"] in ("truncated", "damaged"):
                raise SourceError(
                    f"{item['file']}, {item['locator']}: {item['detail']}; documents kept before it: "
                    f"{report.counts.get('documents', 0):,}. "
                    "Fetch the file again, or set ingest.truncated: keep"
                )


def _reasons(reasons: Counter[str]) -> str:
    return (
        ", ".join(f"{count:,} x {reason}" for reason, count in reasons.most_common())
        or "the sources are empty"
    )


STAGE = Stage(
    settings=IngestSettings.of,
    fingerprint=fingerprint,
    run=run,
    altered=lambda settings, out: rot.altered(out, partial(plan, settings, out)),
    reread=lambda settings, out, files: rot.reread(out, partial(plan, settings, out), files),
    tolerated=lambda settings, changes: (*origin.emptied(settings, changes), "ingest.roots."),
    mend=origin.mend,
    reads_sources=True,
)
