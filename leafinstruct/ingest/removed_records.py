"""Leave out removed records while sources are read: `leaf remove --purge` keeps their text out of all files.

A part is up to date if it lacks exactly what the list removes. Its report names the list under which it was
read, and the entries that removed something. So a longer list rebuilds only the parts that hold removed
records, and a shorter list only the parts that lost some.
Cost: after a change of the list, the documents of each part are read once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from leafinstruct.records import table
from leafinstruct.records.document import Document, Frame, Rejected
from leafinstruct.records.frames import contains_any
from leafinstruct.records.removals import Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.stage_report import StageReport

REASON = "removed_by_request"
"""Reason of a removed record; its text is in no report."""


class Removed(TypedDict):
    """The list under which a part was read (its identity), and the entries (kind, value) that removed
    something from it."""

    list: dict[str, object] | None
    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class IngestReport(StageReport):
    """Report of a part of ingest. removed: None if the list of removals was empty."""

    removed: Removed | None = None


@dataclass
class RemovedRecords:
    """Removes records from one part, and counts what it removed.

    removed: the purged entries. emptied: places (file, locator) of streamed rows that were emptied, with
    their entries. entries: those that removed something. frames: whether frames of a removed video were
    decoded. read: files of removed records.
    """

    removed: Suppressed
    emptied: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    entries: set[tuple[str, str]] = field(default_factory=set)
    frames: bool = False
    read: set[str] = field(default_factory=set)

    def apply(self, items: Iterable[Document | Rejected | Frame]) -> Iterator[Document | Rejected | Frame]:
        """The items of a reader, with a `Rejected` instead of each removed record, and without details that
        quote one."""
        if not self.removed.entries:
            yield from items
            return
        known = {(entry.kind, entry.value) for entry in self.removed.entries}
        refused: tuple[str, str] | None = None
        for item in items:
            if (
                isinstance(item, Document)
                and (entry := self.removed.match(Shown.of_document(item))) is not None
            ):
                self.entries.add((entry.kind, entry.value))
                self.frames |= any(image.ref.time is not None for image in item.images)
                refused = item.provenance.file, item.provenance.locator
                self.read.add(item.provenance.file)
                yield Rejected(*refused, REASON, "")
            elif self._belongs(item, refused):
                continue
            elif (
                isinstance(item, Rejected)
                and item.whole
                and self.emptied.get((item.file, item.locator)) in known
            ):
                self.entries.add(self.emptied[item.file, item.locator])
                yield Rejected(item.file, item.locator, REASON, "")
            elif isinstance(item, Rejected) and self.removed.mentioned(f"{item.locator} {item.detail}"):
                yield replace(item, detail="")
            else:
                yield item

    def _belongs(self, item: Document | Rejected | Frame, refused: tuple[str, str] | None) -> bool:
        """Whether an item is a removed frame, or a rejected piece of the removed record at `refused`."""
        if isinstance(item, Frame):
            return hashlib.sha256(item.data).hexdigest() in self.removed.images
        return isinstance(item, Rejected) and not item.whole and (item.file, item.locator) == refused

    @property
    def report(self) -> Removed | None:
        """Entry for the part's report; None if the list is empty."""
        if not self.removed.entries:
            return None
        return {"list": self.removed.identity, "entries": sorted(self.entries)}


def complies(removed: Suppressed, out: Artifact, part: str) -> bool:
    """Whether a part is up to date under this list."""
    report = out.report_as(IngestReport, part) or IngestReport()
    before = report.removed or {"list": None, "entries": []}
    if before["list"] == removed.identity:
        return True
    if not {(kind, value) for kind, value in before["entries"]} <= {
        (entry.kind, entry.value) for entry in removed.entries
    }:
        return False
    if any(
        item["detail"] and removed.mentioned(f"{item['locator']} {item['detail']}")
        for item in report.rejected
    ):
        return False
    frames = out.file("frames", part)
    if removed.images and frames.is_file() and contains_any(frames, removed.images):
        return False
    return all(
        removed.match(Shown.of_document(document)) is None
        for document in table.documents(out.file("documents", part))
    )
