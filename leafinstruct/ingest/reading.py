"""Read the documents of sources without a build, exactly as ingest reads them: `leafinstruct.read`.

Files that a build would keep under the run (indexes of archives, a drawn or streamed source) are in a
temporary folder, which is deleted with the object.
"""

from __future__ import annotations

import shutil
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from leafinstruct.ingest import kind, stage
from leafinstruct.ingest.config import IngestConfig
from leafinstruct.ingest.losses import Losses
from leafinstruct.ingest.origin import IngestSettings, file_sources, prepare
from leafinstruct.ingest.readers.base import reader
from leafinstruct.ingest.removed_records import RemovedRecords
from leafinstruct.records.document import Document
from leafinstruct.records.removals import NOTHING
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.local import LocalEngine

_SPAN = 500
"""Records that are planned at a time."""


class Reading:
    """The documents of some sources. Every iteration reads the files again; memory is bounded by one record.

    config: the sources. roots: source name -> folder that the file names of its documents are relative to.
    losses: of the last iteration, as far as it came: `reasons` (reason -> number of records that could not be
    read), `pieces` (reason -> number of lost images or entries of documents), `listed` (up to 100 of each
    reason: file, locator, reason, detail, whole).
    """

    def __init__(self, config: IngestConfig) -> None:
        """Draw or stream the sources that are no files. Raises SourceError if a source is missing."""
        scratch = mkdtemp(prefix="leaf-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._out = Artifact(Path(scratch) / "ingest")
        self._settings = IngestSettings(config, _SPAN)
        with LocalEngine() as engine:
            prepare(self._settings, self._out, engine)
        self.config = config
        self.roots: dict[str, Path] = {
            source.name: reader(source.kind).root_of(source).resolve()
            for source in file_sources(self._settings, self._out)
        }
        self.losses = Losses()

    def __iter__(self) -> Iterator[Document]:
        """Raises SourceError if a source is missing, unreadable or empty."""
        self.losses = losses = Losses()
        for part in stage.plan(self._settings, self._out):
            for link in part.payload.strays:
                losses.add(kind.stray(link))
            yield from stage.documents(
                part.payload, self._out, Counter(), losses, lambda _: None, RemovedRecords(NOTHING)
            )
