"""The journal of batches: which were submitted and are not read completely, so that a later run pays for none
again; and which are read and still have files at the provider, so that a later run deletes them.

    <cache>/batches-<random>.jsonl    {"key", "server", "file", "results", "batch", "items", "terms", "at",
                                       "state"}

    submitted    before the batch is created, and again once its id is known
    answered     these items: their questions have their answers. A later run does not ask for them again
    read         every question in it has its answer, which is in the cache, or never will
    deleted      its files were deleted at the provider

The last line of an uploaded file counts. No document and no key is in it: an item is a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from leafinstruct.llm import lines
from leafinstruct.llm.protocol.negotiation import Terms
from leafinstruct.llm.protocol.wire import Form
from leafinstruct.runtime import sealed

STEM = "batches"
State = Literal["submitted", "read", "deleted"]
_ORDER = ("", "submitted", "read", "deleted")
_KEPT = timedelta(days=30)  # providers delete results after it


@dataclass(frozen=True, slots=True)
class Job:
    """One batch. file: id of the uploaded requests; batch: its id, "" before it is known; items: of its
    requests; terms: what its requests sent, by purpose; results: ids of the files with its results and
    errors, none before they are read."""

    file: str
    batch: str
    items: tuple[str, ...]
    terms: Mapping[str, Terms]
    results: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All its files at the provider."""
        return (self.file, *self.results)


class Jobs:
    """The batches of one server and model, of all runs that share a folder of answers."""

    def __init__(self, folder: Path, server: str) -> None:
        """server: identity of server and model."""
        self._folder, self._server = folder, server
        self._own = lines.Appender(folder, STEM)

    def known(self) -> tuple[list[Job], list[Job]]:
        """Return the batches that are not read completely, and those that are read and whose files are not
        deleted; the oldest first. Raises OSError."""
        last: dict[str, dict[str, object]] = {}
        answered: dict[str, set[str]] = {}
        results: dict[str, set[str]] = {}
        for path in lines.files(self._folder, STEM):
            for _, line in sealed.lines(path):
                entry = sealed.opened(line or b"")
                if entry is None or entry.get("server") != self._server:
                    continue
                if entry["state"] == "answered":
                    answered.setdefault(str(entry["file"]), set()).update(_items(entry))
                    results.setdefault(str(entry["file"]), set()).update(_results(entry))
                    continue
                before = last.get(str(entry["file"]), {"at": "", "state": ""})
                if _rank(entry) >= _rank(before):
                    last[str(entry["file"])] = entry
        oldest = (datetime.now(UTC) - _KEPT).isoformat()
        recent = sorted(
            (entry for entry in last.values() if str(entry["at"]) > oldest),
            key=lambda entry: str(entry["at"]),
        )
        jobs = [
            (_job(entry, answered, results), entry["state"])
            for entry in recent
            if entry["state"] != "deleted"
        ]
        unread = [job for job, state in jobs if state == "submitted" and job.items]
        return unread, [job for job, state in jobs if state == "read" or not job.items]

    def put(self, job: Job, state: State = "submitted") -> None:
        """Record a batch. Raises SourceError."""
        done = state != "submitted"
        entry = {
            "server": self._server,
            "file": job.file,
            "results": job.results,
            "batch": job.batch,
            "items": [] if done else job.items,
            "terms": {} if done else {purpose: asdict(terms) for purpose, terms in job.terms.items()},
            "at": datetime.now(UTC).isoformat(),
            "state": state,
        }
        self._own.append(hashlib.sha256(job.file.encode()).hexdigest(), entry)

    def answered(self, job: Job, items: Collection[str]) -> None:
        """Record that these items need not be read again. Raises SourceError."""
        entry = {
            "server": self._server,
            "file": job.file,
            "results": job.results,
            "items": sorted(items),
            "at": datetime.now(UTC).isoformat(),
            "state": "answered",
        }
        self._own.append(hashlib.sha256(job.file.encode()).hexdigest(), entry)

    def close(self) -> None:
        self._own.close()


def _rank(entry: Mapping[str, object]) -> tuple[int, str]:
    """The order of the lines of one file: by state, then by time."""
    return _ORDER.index(str(entry["state"])), str(entry["at"])


def _items(entry: Mapping[str, object]) -> list[str]:
    items = entry["items"]
    assert isinstance(items, list)
    return items


def _results(entry: Mapping[str, object]) -> list[str]:
    results = entry.get("results", [])
    assert isinstance(results, list)
    return results


def _job(
    entry: Mapping[str, object],
    answered: Mapping[str, Collection[str]],
    results: Mapping[str, Collection[str]],
) -> Job:
    """answered: items of each file that need not be read again. results: ids of the files that other
    processes read them from."""
    terms = entry["terms"]
    files = sorted({*_results(entry), *results.get(str(entry["file"]), ())})
    done = answered.get(str(entry["file"]), ())
    items = tuple(item for item in _items(entry) if item not in done)
    assert isinstance(terms, Mapping)
    known = {
        purpose: Terms(Form(fields["form"]), fields["limit"], fields["temperature"])
        for purpose, fields in terms.items()
    }
    return Job(str(entry["file"]), str(entry["batch"]), items, known, tuple(files))
