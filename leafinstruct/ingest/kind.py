"""Plan a source; an error about its files says which kind of source they look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.ingest import files
from leafinstruct.ingest.config import FileSource
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.span import Span
from leafinstruct.records.document import Rejected
from leafinstruct.runtime.store.opened import is_url

_ON_DISK = ("video", "youcook2", "vist")
"""Kinds that need their files on a disk: decoders of videos seek in them thousands of times."""


def spans(source: FileSource, part_size: int, cache: Path) -> Iterator[Span]:
    """Yield the spans of a source. Raises what its reader raises."""
    if source.kind in _ON_DISK and is_url(getattr(source, "path", "")):
        raise SourceError(
            f"source {source.name}: kind {source.kind} reads files on a disk only; copy them to a disk"
        )
    try:
        yield from reader(source.kind).plan(source, part_size, cache)
    except SourceError as error:
        if hint := looks_like(source, cache):
            raise SourceError(f"{error}; {hint}") from error
        raise


def looks_like(source: FileSource, cache: Path) -> str:
    """Return a hint when the files of a source look like those of another kind; empty otherwise."""
    from leafinstruct.ingest.draft.recognize import kinds_at  # it loads all readers

    kinds = kinds_at(getattr(source, "path", None) or "", cache)
    if not kinds or source.kind in kinds:
        return ""
    return f"source {source.name} looks like {' and '.join(kinds)}; set kind: {kinds[0]}"


def strays(source: FileSource) -> tuple[str, ...]:
    """Return the links to folders in a source's folder that lead out of it."""
    path = getattr(source, "path", None)
    return tuple(files.stray_links(path)) if path else ()


def stray(link: str) -> Rejected:
    """Return the loss of such a link."""
    return Rejected(link, "", "unsafe_path", files.LEADS_OUT)
