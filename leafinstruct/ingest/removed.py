"""What was taken out for good with `leaf remove --purge` is not read again: no text of it reaches a working
file.

A part complies with the list when it lacks what the list takes out and nothing else. Its report says under
which list it was read and which entries took something out, so a longer list makes anew exactly the parts
that hold what it names, and a shorter one those that lost something.
Cost: where the list changed, the documents of each part are read once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from leafinstruct.records import table
from leafinstruct.records.document import Document, Frame, Rejected
from leafinstruct.records.frames import shows
from leafinstruct.records.removals import Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact

REASON = "removed_by_request"
"""Of a record that is refused; its text is in no report."""


@dataclass
class Taken:
    """What a list took out of one part. emptied: of files that a build made, the places that hold nothing
    since their record was taken out; frames: whether frames of a removed video were decoded; read: files of
    removed records."""

    removed: Suppressed
    emptied: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    entries: set[tuple[str, str]] = field(default_factory=set)
    frames: bool = False
    read: set[str] = field(default_factory=set)

    def staying(self, items: Iterable[Document | Rejected | Frame]) -> Iterator[Document | Rejected | Frame]:
        """What a reader gave, with a reason in the place of each removed record, and without details that
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
        """Whether an item is a removed frame, or a piece that the refused record lost."""
        if isinstance(item, Frame):
            return hashlib.sha256(item.data).hexdigest() in self.removed.images
        return isinstance(item, Rejected) and not item.whole and (item.file, item.locator) == refused

    @property
    def report(self) -> dict[str, Any]:
        """For the part's report; empty without a list."""
        if not self.removed.entries:
            return {}
        return {"removed": {"list": self.removed.identity, "entries": sorted(self.entries)}}


def complies(removed: Suppressed, out: Artifact, part: str) -> bool:
    """Whether a part is what reading it under this list would give."""
    report = out.report(part) or {}
    before = report.get("removed") or {"list": None, "entries": []}
    if before["list"] == removed.identity:
        return True
    if not {(kind, value) for kind, value in before["entries"]} <= {
        (entry.kind, entry.value) for entry in removed.entries
    }:
        return False
    if any(
        item["detail"] and removed.mentioned(f"{item['locator']} {item['detail']}")
        for item in report.get("rejected", ())
    ):
        return False
    frames = out.file("frames", part)
    if removed.images and frames.is_file() and shows(frames, removed.images):
        return False
    return all(
        removed.match(Shown.of_document(document)) is None
        for document in table.documents(out.file("documents", part))
    )
