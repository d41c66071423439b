"""What `leaf build --dry-run` knows of the sources: a few documents of each, and how many there are.

Parts are planned as in a build. Of a part it reads a few documents for each one that it takes; of sources
whose documents take seconds each, such as videos, no more than it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from leafinstruct.ingest.config import HubSource, SketchbookSource, Source
from leafinstruct.ingest.origin import IngestSettings, hub_stream, prepare, roots
from leafinstruct.ingest.stage import plan, read_unit, shares
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine

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
    sources = settings.config.sources
    for source, share in zip(sources, shares(settings.limit, len(sources)), strict=True):
        wanted = min(documents, COSTLY_SAMPLE) if source.kind in COSTLY else documents
        small = _small(source, wanted)
        only = replace(settings, config=settings.config.model_copy(update={"sources": [small]}), limit=share)
        prepare(only, scratch, engine)
        parts = plan(only, scratch)
        chosen = _spaced(parts, min(MOST_PARTS, wanted))
        quota = -(-wanted // max(1, len(chosen)))
        costly = source.kind in COSTLY
        most = quota if costly else 1 + _SPREAD * quota
        read, whole = list[Document](), len(chosen) == len(parts) and small == source
        for part in chosen:
            cap = most if part.payload.cap is None else min(most, part.payload.cap)
            several = list(islice(read_unit(part.payload, scratch, settings.removed), cap))
            read += _spaced(several, quota)
            whole = whole and len(part.payload.span if costly else several) <= quota
        planned = _planned(source) or sum(len(part.payload.span) for part in parts)
        planned = planned if share is None else min(planned, share)
        at = {name: (scratch.path / root).resolve() for name, root in roots(only, scratch).items()}
        found.append(Sampled(source.name, len(read) if whole else planned, read, whole, at))
    return found


def _spaced(items: Sequence[_T], most: int) -> list[_T]:
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
