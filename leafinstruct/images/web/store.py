"""The fetch store: images and outcomes of all runs, in append-only segments of bytes and logs.

    <folder>/<writer>.bin      bytes of images, one after another
    <folder>/<writer>.jsonl    one line per fetch, written after its bytes: URL, outcome, and the position of
                               the bytes; with a digest (runtime/sealed.py)

Each writer (one per build) has its own files, so builds can work side by side, also on a network file system.
Opening reads all logs; the last line of a URL counts. Lines and bytes are checked on every read: a damaged
line is dropped, and an image with changed bytes counts as not fetched and is fetched again. A killed process
leaves at most bytes without a line, or half a line, which is ignored. Logs are JSON, never pickle. Cost:
opening reads about 200,000 lines a second and needs some 500 bytes a URL. Chosen over one file per image (a
million small files are the worst case of file systems and backups) and over SQLite (its locks on network file
systems).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal
from uuid import uuid4

from leafinstruct.runtime import sealed
from leafinstruct.runtime.files import Damage


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of one URL.

    state: `ok` for a final answer, with an image or, if sha256 is None, without one (404, robots.txt,
        opt-out, a private IP address); `failed` for a temporary failure (no answer, 429, 5xx).
    reason: a short stable name, empty with an image.
    segment, offset, size: where the bytes are in the store.
    at: time, UTC.
    seconds: duration, all tries together.
    terms: hash of the settings, if the reason is a refusal of this client.
    """

    url: str
    state: Literal["ok", "failed"]
    reason: str = ""
    detail: str = ""
    final_url: str | None = None
    status: int | None = None
    media: str | None = None
    sha256: str | None = None
    size: int | None = None
    segment: str | None = None
    offset: int | None = None
    at: str = ""
    seconds: float = 0.0
    attempts: int = 1
    terms: str = ""


_FIELDS = tuple(field.name for field in fields(Fetched))


class Store:
    """The outcomes of this and all earlier runs. folder: created with the first entry. Raises OSError if
    it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = uuid4().hex[:12]
        self._known: dict[str, Fetched] = {}
        self._bytes: BinaryIO | None = None
        self._log: BinaryIO | None = None
        self.repaired = 0
        """Damaged entries that were dropped, and images with damaged bytes, which are fetched again."""
        for log in _logs(folder):
            self.repaired += sealed.mend(log)
            for entry in _entries(log):
                self._keep(entry)

    def get(self, url: str) -> Fetched | None:
        """Return the last outcome of a URL, temporary failures included."""
        return self._known.get(url)

    def intact(self, url: str) -> Fetched | None:
        """Return the last outcome of a URL; None if its bytes changed, which is counted."""
        entry = self._known.get(url)
        if entry is None or is_intact(self.folder, entry):
            return entry
        self.repaired += 1
        return None

    def put(self, entry: Fetched, data: bytes | None) -> Fetched:
        """Store an outcome, and the image's bytes if any. Returns it with its position. Raises OSError."""
        blob, log = self._files()
        if data is not None:
            offset = blob.tell()
            blob.write(data)
            blob.flush()
            name, sha256 = f"{self._name}.bin", hashlib.sha256(data).hexdigest()
            entry = replace(entry, segment=name, offset=offset, size=len(data), sha256=sha256)
        # asdict copies, and costs more than a request
        log.write(sealed.seal({field: getattr(entry, field) for field in _FIELDS}))
        log.flush()
        self._keep(entry)
        return entry

    def close(self) -> None:
        """Close the writer's files."""
        for stream in (self._bytes, self._log):
            if stream is not None:
                stream.close()
        self._bytes = self._log = None

    def _keep(self, entry: Fetched) -> None:
        """A final answer is never replaced by a failure or by an earlier answer, whatever the order of the
        logs."""
        before = self._known.get(entry.url)
        if before is None or before.state == "failed" or (entry.state == "ok" and entry.at >= before.at):
            self._known[entry.url] = entry

    def _files(self) -> tuple[BinaryIO, BinaryIO]:
        if self._bytes is None or self._log is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._bytes = (self.folder / f"{self._name}.bin").open("ab")
            self._log = (self.folder / f"{self._name}.jsonl").open("ab")
        return self._bytes, self._log


def stored(folder: Path, segment: str, offset: int, size: int, sha256: str) -> bytes:
    """Return bytes of the store. Raises OSError if they are missing or changed."""
    with (folder / Path(segment).name).open("rb") as stream:
        stream.seek(offset)
        data = stream.read(size)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise OSError(None, f"{segment} does not hold what was fetched")
    return data


def is_intact(folder: Path, entry: Fetched) -> bool:
    """Whether the store contains an outcome's bytes unchanged; True for outcomes without bytes."""
    if entry.sha256 is None:
        return True
    try:
        stored(folder, entry.segment or "", entry.offset or 0, entry.size or 0, entry.sha256)
    except (OSError, ValueError):
        return False
    return True


def verify(folder: Path) -> Iterator[Damage]:
    """Find and drop damaged lines of the logs, and lines whose bytes changed. Reads every byte that a log
    names."""

    def fault(entry: dict[str, Any]) -> str | None:
        found = _fetched(entry)
        if found is None or is_intact(folder, found) or _is_superseded(folder, found):
            return None
        return (
            f"leads to {found.size or 0:,} bytes in {found.segment} that are not what was fetched from "
            f"{found.url[:200]}"
        )

    for log in sorted(folder.glob("*.jsonl")):
        yield from sealed.drop(log, "its image is fetched again by the `leaf build` that needs it", fault)


def _is_superseded(folder: Path, damaged: Fetched) -> bool:
    """Whether the image was fetched again since (times are in seconds), so that this line is no longer
    read."""
    later = (
        other
        for log in _logs(folder)
        for other in _entries(log)
        if other.url == damaged.url and other.at >= damaged.at
    )
    return any(other.state == "ok" and is_intact(folder, other) for other in later)


def erase(folder: Path, is_meant: Callable[[Fetched], bool], dry_run: bool = False) -> int:
    """Overwrite outcomes and their bytes; return how many. The positions of all others stay. No build may run
    meanwhile. Raises OSError.

    Bytes that no line names, left by a killed process or a damaged line, are overwritten too.
    """
    count = 0
    for log in _logs(folder):
        count += sealed.erase(
            log, lambda entry: (found := _fetched(entry)) is None or is_meant(found), dry_run
        )
    for blob in sorted(folder.glob("*.bin")) if not dry_run else ():
        log = blob.with_suffix(".jsonl")
        ranges = [
            (entry.offset or 0, entry.size or 0)
            for entry in (_entries(log) if log.is_file() else ())
            if entry.segment is not None
        ]
        _zero_others(blob, sorted(ranges))
    return count


def _zero_others(blob: Path, ranges: Sequence[tuple[int, int]]) -> None:
    """Overwrite everything between these ranges with zeros."""
    size, at = blob.stat().st_size, 0
    with blob.open("r+b") as file:
        for offset, length in [*ranges, (size, 0)]:
            file.seek(at)
            while at < offset:
                step = min(offset - at, 1 << 20)
                file.write(bytes(step))
                at += step
            at = max(at, offset + length)
        file.flush()
        os.fsync(file.fileno())


def _logs(folder: Path) -> list[Path]:
    """Return the readable logs, ordered by their last change."""
    return sorted(
        (log for log in folder.glob("*.jsonl") if log.is_file()),
        key=lambda log: (log.stat().st_mtime_ns, log.name),
    )


def _entries(log: Path, whole: bool = False) -> Iterator[Fetched]:
    """Yield the intact lines of a log whose bytes exist; whole: lines without bytes too. Lines of other
    programs are ignored."""
    blob = log.with_suffix(".bin")
    written = blob.stat().st_size if blob.is_file() else 0
    for _, line in sealed.lines(log):
        entry = _fetched(sealed.unsealed_or_opened(line or b"") or {})
        if entry is None:
            continue
        if whole or entry.segment is None or (entry.offset or 0) + (entry.size or 0) <= written:
            yield entry


def _fetched(entry: Mapping[str, Any]) -> Fetched | None:
    """Return a line's entry as an outcome, None if another program wrote it."""
    try:
        return Fetched(**{name: value for name, value in entry.items() if name in _FIELDS})
    except TypeError:
        return None
