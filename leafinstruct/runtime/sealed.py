"""Append-only files of JSON lines, each with a digest of itself.

    {"key": ..., "digest": "<sha256 of all bytes of the line before this field>"}

The digest is checked on every read, so a line with a changed byte counts as missing and never returns another
value. The shared caches consist of such lines: answers and exchanges (llm/lines.py), results of fetches
(images/web/store.py).

A damaged line is overwritten with spaces, in place. Offsets of other lines stay valid, so other processes may
append and read meanwhile, and after a kill the line is still damaged. A last line without a line end was left
by a killed writer, or is being written now; it is skipped.

Files from before digests are upgraded once: each line that is a JSON object gets a digest, and the file is
replaced by one rename. Cost: 0.5 GB per second on one core, most of it sha256.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from leafinstruct.runtime.files import Damage, writing

LONGEST = 64 << 20
"""Maximum bytes of a line. A longer one is damaged and is not read into memory."""
_TAIL = re.compile(rb',"digest":"([0-9a-f]{64})"\}\n')
_TAIL_BYTES = 78
_CHUNK = 1 << 20

Place = tuple[int, int]
"""Offset and length of a line in bytes, with its line end."""


def seal(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line with its digest."""
    body = json.dumps(entry, separators=(",", ":")).encode("ascii")[:-1]
    return body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def is_intact(line: bytes) -> bool:
    """Whether a line matches its digest."""
    tail = _TAIL.fullmatch(line, max(0, len(line) - _TAIL_BYTES))
    return tail is not None and hashlib.sha256(line[:-_TAIL_BYTES]).hexdigest().encode() == tail[1]


def opened(line: bytes) -> dict[str, object] | None:
    """The entry of a line, without its digest; None if the line does not match it."""
    if not is_intact(line):
        return None
    entry: dict[str, object] = json.loads(line)
    del entry["digest"]
    return entry


def lines(path: Path, blank_too: bool = False, start: int = 0) -> Iterator[tuple[Place, bytes | None]]:
    """Yield the complete lines of a file, without blank ones unless `blank_too`; None for a line longer than
    LONGEST. start: offset of the first line. Raises OSError."""
    offset = start
    with path.open("rb") as file:
        file.seek(start)
        while line := file.readline(LONGEST):
            length, whole = len(line), line.endswith(b"\n")
            while not whole and (rest := file.readline(_CHUNK)):
                length, whole = length + len(rest), rest.endswith(b"\n")
            # zeros were left by a power cut, not by a writer
            if (whole or b"\0" in line) and (blank_too or line.strip(b" \n")):
                yield (offset, length), line if length == len(line) else None
            offset += length


def blank(path: Path, places: Iterable[Place]) -> None:
    """Overwrite lines with spaces, in place. The modification time stays, because readers may sort files by
    it. Raises OSError."""
    times = path.stat()
    with path.open("r+b") as file:
        for offset, length in places:
            file.seek(offset)
            left = length - 1
            while left:
                left -= file.write(b" " * min(left, _CHUNK))
            file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def erase(path: Path, is_meant: Callable[[dict[str, object]], bool], dry_run: bool = False) -> int:
    """Overwrite the lines whose entries are meant. Returns their number. No process may append to the file
    meanwhile. Raises OSError.

    Damaged lines and an incomplete last line are overwritten too, because their content is unknown.
    """
    meant, places, end = 0, [], 0
    for place, line in lines(path, blank_too=True):
        end = sum(place)
        entry = unsealed_or_opened(line or b"")
        if line is not None and not line.strip(b" \n"):
            continue
        if entry is None or is_meant(entry):
            places.append(place)
            meant += entry is not None
    if not dry_run:
        if places:
            blank(path, places)
        if path.stat().st_size > end:
            os.truncate(path, end)
    return meant


def mend(path: Path) -> int:
    """Overwrite the damaged lines of a file. Returns their number. A file from before digests is upgraded.
    Raises OSError, SourceError."""
    damaged, sealed = [], False
    for place, line in lines(path):
        if line is not None and is_intact(line):
            sealed = True
        else:
            damaged.append(place)
    if damaged and not sealed and any(_unsealed(line) is not None for _, line in lines(path)):
        return _upgraded(path)
    if damaged:
        blank(path, damaged)
    return len(damaged)


def _upgraded(path: Path) -> int:
    """Add digests to the lines of an old file. Returns how many lines could not be read and were dropped."""
    times, dropped = path.stat(), 0
    with writing(path) as temporary:
        with temporary.open("wb") as file:
            for _, line in lines(path):
                entry = _unsealed(line)
                file.write(b"" if entry is None else seal(entry))
                dropped += entry is None
        os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
    return dropped


def drop(
    path: Path, repair: str, fault: Callable[[dict[str, object]], str | None] = lambda _: None
) -> Iterator[Damage]:
    """Overwrite the damaged lines of a file, which no reader uses, and yield them. repair: how the lost entry
    comes back; fault: returns what is wrong with an intact line's entry, or None."""
    if not path.is_file():
        yield Damage(path, "is not a regular file", "delete it")
        return
    try:
        # if any line has a digest, a line without one is damaged
        sealed = any(line is not None and is_intact(line) for _, line in lines(path))
        found = [
            (place, wrong)
            for place, line in lines(path)
            if (wrong := _fault(line, sealed, fault)) is not None
        ]
        if found:
            blank(path, [place for place, _ in found])
    except OSError as error:
        yield Damage(
            path,
            f"cannot be read or repaired: {error.strerror or error}",
            "check its permissions and the disk",
        )
        return
    for (offset, _), wrong in found:
        yield Damage(path, f"the line at byte {offset:,} {wrong}", f"dropped; {repair}")


def _fault(line: bytes | None, sealed: bool, fault: Callable[[dict[str, object]], str | None]) -> str | None:
    if line is None:
        return f"is longer than {LONGEST:,} bytes"
    entry = opened(line) if sealed else unsealed_or_opened(line)
    return "does not have the digest that was recorded" if entry is None else fault(entry)


def _unsealed(line: bytes | None) -> dict[str, object] | None:
    """The entry of a line from before digests, else None."""
    try:
        entry = json.loads(line or b"")
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "digest" not in entry else None


def unsealed_or_opened(line: bytes) -> dict[str, object] | None:
    """The entry of a line with or without a digest, for readers that do not change the file."""
    entry = opened(line)
    return _unsealed(line) if entry is None else entry
