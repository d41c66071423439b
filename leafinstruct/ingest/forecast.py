"""What `leaf build --dry-run` knows of the sources: a few documents of each, and how many there are.

Parts are planned as in a build. Of a part it reads a few documents for each one that it takes; of sources
whose documents take seconds each, such as videos, no more than it takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from leafinstruct.ingest.config import HubSource, SketchbookSource, Source
from leafinstruct.ingest.origin import IngestSettings, hub_stream, made_root, prepare, roots
from leafinstruct.ingest.stage import READING, plan, read_part, read_unit, shares, stated
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Needs, Part
from leafinstruct.runtime.store.path import root_at

_T = TypeVar("_T")
COSTLY, COSTLY_SAMPLE = frozenset({"video", "youcook2"}), 4
"""Kinds whose documents take seconds each, and how many of those documents a sample takes."""

MOST_PARTS = 8
"""Maximum number of parts of one source that a sample is taken from."""
_SPREAD = 10
"""Documents of a part that are read for each one that is taken, since neighbors resemble each other."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What `--dry-run` knows of one source. planned: number of its records; documents: some of them; whole:
    whether these are all; roots: absolute folders of its files, by source name."""

    source: str
    planned: int
    documents: list[Document]
    whole: bool
    roots: dict[str, Path]


def sample(settings: IngestSettings, scratch: Artifact, engine: Engine, documents: int) -> list[Sampled]:
    """Return about `documents` documents of each source, evenly spaced over MOST_PARTS of its parts.

    scratch: a directory that is deleted afterwards; a small embedded corpus is drawn there.
    """
    found = []
    for few in _few(settings, scratch, engine, documents):
        costly = few.source.kind in COSTLY
        most = few.quota if costly else 1 + _SPREAD * few.quota
        read, whole = list[Document](), few.whole
        for part in few.chosen:
            cap = most if part.payload.cap is None else min(most, part.payload.cap)
            several = list(islice(read_unit(part.payload, scratch, settings.removed), cap))
            read += spaced(several, few.quota)
            whole = whole and len(part.payload.span if costly else several) <= few.quota
        folder = scratch.path.resolve()
        at = {name: root_at(folder, root).resolve() for name, root in roots(few.settings, scratch).items()}
        found.append(Sampled(few.source.name, len(read) if whole else few.records, read, whole, at))
    return found


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned of one source, and read of it by `read_parts`. records, parts: of the whole source;
    whole: whether all of them were read. cpu: seconds that planning took. made: records that were drawn or
    streamed first, 0 for files."""

    source: str
    records: int
    parts: float
    whole: bool
    cpu: float
    made: int


def read_parts(settings: IngestSettings, out: Artifact, engine: Engine, documents: int) -> list[Planned]:
    """Read about `documents` documents of each source into `out` as a build does: the first ones of
    MOST_PARTS of its parts, evenly spaced. Source files are not hashed.

    `out` is then finished for the next stages; its fingerprint names no file. Raises SourceError as planning
    does.
    """
    found, places = [], dict[str, str]()
    began = time.process_time()
    for few in _few(settings, out, engine, documents):
        cpu = time.process_time() - began
        units = [
            replace(part, payload=replace(part.payload, cap=_least(part.payload.cap, few.quota), hashes=()))
            for part in few.chosen
        ]
        for _ in engine.map(partial(read_part, out, settings.removed), units, Needs(what=READING)):
            pass
        places |= roots(few.settings, out)
        whole = few.whole and all(len(part.payload.span) <= few.quota for part in few.chosen)
        # a source of which a part was drawn has as many parts for each record as that part
        share = few.records / max(1, few.planned)
        made = few.planned if few.made else 0
        found.append(Planned(few.source.name, few.records, few.parts * share, whole, cpu, made))
        began = time.process_time()
    out.finish({**stated(settings), "files": {}}, {"roots": places, "sources": {}})
    return found


@dataclass(frozen=True, slots=True)
class _Few:
    """A few parts of one source. settings: of this source alone, and no larger than a sample needs. planned,
    parts: records and parts of these settings; records: of the whole source. chosen: the parts, quota:
    documents of each. whole: whether the chosen parts are all. made: whether the files were made first."""

    source: Source
    settings: IngestSettings
    planned: int
    parts: int
    records: int
    chosen: list[Part]
    quota: int
    whole: bool
    made: bool


def _few(settings: IngestSettings, scratch: Artifact, engine: Engine, documents: int) -> Iterator[_Few]:
    """Plan each source and choose a few of its parts, evenly spaced."""
    sources = settings.config.sources
    for source, share in zip(sources, shares(settings.limit, len(sources)), strict=True):
        wanted = min(documents, COSTLY_SAMPLE) if source.kind in COSTLY else documents
        small = _small(source, wanted)
        only = replace(settings, config=settings.config.model_copy(update={"sources": [small]}), limit=share)
        prepare(only, scratch, engine)
        parts = plan(only, scratch)
        chosen = spaced(parts, min(MOST_PARTS, wanted))
        planned = sum(len(part.payload.span) for part in parts)
        records = _planned(source) or planned
        yield _Few(
            source=source,
            settings=only,
            planned=planned,
            parts=len(parts),
            records=records if share is None else min(records, share),
            chosen=chosen,
            quota=-(-wanted // max(1, len(chosen))),
            whole=len(chosen) == len(parts) and small == source,
            made=made_root(source, scratch) is not None,
        )


def _least(cap: int | None, quota: int) -> int:
    return quota if cap is None else min(cap, quota)


def spaced(items: Sequence[_T], most: int) -> list[_T]:
    """At most so many of some items, evenly spaced."""
    count = min(most, len(items))
    return [items[(2 * at + 1) * len(items) // (2 * count)] for at in range(count)]


def _small(source: Source, documents: int) -> Source:
    """The source, limited to what a sample needs to draw or stream."""
    if isinstance(source, SketchbookSource):
        return source.model_copy(
            update={
                "documents": min(source.documents, 3 * documents),
                "videos": min(source.videos, COSTLY_SAMPLE),
            }
        )
    if isinstance(source, HubSource) and source.repo:
        return source.model_copy(update={"rows": min(source.rows or documents, documents)})
    return source


def _planned(source: Source) -> int | None:
    """Number of records of a source of which only a sample was drawn or streamed; None for files,
    which are counted."""
    if isinstance(source, SketchbookSource):
        return source.documents + source.videos
    return hub_stream().rows(source) if isinstance(source, HubSource) and source.repo else None
