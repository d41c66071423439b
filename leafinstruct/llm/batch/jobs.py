"""The journal of batches: which were submitted and are not read completely, so that a later run pays for none
again.

    <cache>/batches-<random>.jsonl    {"key", "server", "file", "batch", "items", "terms", "at", "state"}

A line is written before the batch is created, another once its id is known, and one when every question in it
has its answer. The last line of an uploaded file counts. No document and no key is in it: an item is a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leafinstruct.llm import lines
from leafinstruct.llm.protocol.negotiation import Terms
from leafinstruct.llm.protocol.wire import Form
from leafinstruct.runtime import sealed

STEM = "batches"
_KEPT = timedelta(days=30)  # providers delete results after it


@dataclass(frozen=True, slots=True)
class Job:
    """One batch. file: id of the uploaded requests; batch: its id, "" before it is known; items: of its
    requests; terms: what its requests sent, by purpose."""

    file: str
    batch: str
    items: tuple[str, ...]
    terms: Mapping[str, Terms]


class Jobs:
    """The batches of one server and model, of all runs that share a folder of answers."""

    def __init__(self, folder: Path, server: str) -> None:
        """server: identity of server and model."""
        self._folder, self._server = folder, server
        self._own = lines.Appender(folder, STEM)

    def unread(self) -> list[Job]:
        """Return the batches that are not read completely, the oldest first. Raises OSError."""
        last: dict[str, dict[str, object]] = {}
        for path in lines.files(self._folder, STEM):
            for _, line in sealed.lines(path):
                entry = sealed.opened(line or b"")
                if entry is None or entry.get("server") != self._server:
                    continue
                before = last.get(str(entry["file"]), {"at": "", "state": ""})
                if before["state"] != "read" and str(entry["at"]) >= str(before["at"]):
                    last[str(entry["file"])] = entry
        oldest = (datetime.now(UTC) - _KEPT).isoformat()
        kept = [entry for entry in last.values() if entry["state"] != "read" and str(entry["at"]) > oldest]
        return [_job(entry) for entry in sorted(kept, key=lambda entry: str(entry["at"]))]

    def put(self, job: Job, *, read: bool = False) -> None:
        """Record a batch. read: every question in it has its answer, or never will. Raises SourceError."""
        entry = {
            "server": self._server,
            "file": job.file,
            "batch": job.batch,
            "items": [] if read else job.items,
            "terms": {} if read else {purpose: asdict(terms) for purpose, terms in job.terms.items()},
            "at": datetime.now(UTC).isoformat(),
            "state": "read" if read else "submitted",
        }
        self._own.append(hashlib.sha256(job.file.encode()).hexdigest(), entry)

    def close(self) -> None:
        self._own.close()


def _job(entry: Mapping[str, object]) -> Job:
    items, terms = entry["items"], entry["terms"]
    assert isinstance(items, list)
    assert isinstance(terms, Mapping)
    known = {
        purpose: Terms(Form(fields["form"]), fields["limit"], fields["temperature"])
        for purpose, fields in terms.items()
    }
    return Job(str(entry["file"]), str(entry["batch"]), tuple(items), known)
