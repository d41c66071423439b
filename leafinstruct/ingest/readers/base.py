"""The protocol of a reader, and the reader of each kind: a module beside this one, or one of another package.

A reader plans the spans of a source, which become parts, and reads one span at a time: documents, and a
reason for each record that cannot be read. It runs in worker processes, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from leafinstruct.errors import RecipeError
from leafinstruct.ingest.config import KINDS, READER, extensions
from leafinstruct.ingest.span import Span
from leafinstruct.records.document import Document, Frame, Rejected
from leafinstruct.runtime.artifact import version


class Reader(Protocol):
    """A module that reads one kind of source. `source` is the checked section of the recipe, an instance of
    the kind's class."""

    LIBRARIES: tuple[str, ...]
    """Distributions whose versions can change what is read: they are part of the key of every part. A package
    need not name its own."""
    SUFFIXES: tuple[str, ...]
    """Endings of the files for which a folder is searched, in lower case."""

    def root_of(self, source: Any) -> Path:
        """The folder that names of files and images are relative to."""

    def plan(self, source: Any, part_size: int, cache: Path) -> Iterable[Span]:
        """Return spans of at most part_size records. They do not depend on each other: a new file adds spans
        and leaves the others as they were. Raises SourceError when there is nothing to read.

        cache: a folder for indexes of files, which may be empty.
        """

    def read(self, source: Any, span: Span, cache: Path) -> Iterator[Document | Frame | Rejected]:
        """Yield the documents of a span in order, each followed by the pieces that it lost, and a Rejected
        for each record that cannot be read. Never raises for a bad record, never leaves the root, never opens
        an image (frames of videos excepted)."""


def reader(kind: str) -> Reader:
    """Return the reader of a kind. Its module is imported on first use, so that pages load no video decoder.

    Raises RecipeError for an unknown kind, and if the package of an extension cannot be imported.
    """
    if kind in KINDS:
        return cast(Reader, import_module(f"leafinstruct.ingest.readers.{kind}"))
    known = extensions()
    if kind not in known:
        raise RecipeError(f"no reader of {kind!r}; one of {', '.join([*KINDS, *known])} is needed")
    return cast(Reader, known[kind].load(READER))


def libraries(kind: str) -> dict[str, str]:
    """Return the versions of the distributions that can change what is read. That of an extension is one of
    them, so that an upgraded package reads its sources again."""
    versions = {name: version(name) for name in reader(kind).LIBRARIES}
    own = None if kind in KINDS else extensions()[kind]
    return versions if own is None else versions | {own.distribution: own.version}
