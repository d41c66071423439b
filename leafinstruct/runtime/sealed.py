"""Append-only files of JSON lines, each with a digest of itself.

    {"key": ..., "digest": "<sha256 of all bytes of the line before this field>"}

The digest is checked on every read, so a changed byte, in a value or in the key, makes the line missing and
never gives another value. The caches that runs share are made of such lines: answers and exchanges
(llm/lines.py), outcomes of fetches (images/web/store.py).

A damaged line is overwritten with spaces in place. Offsets of other lines stay valid, so any process may
append to the file or read from it meanwhile, and a kill leaves a line that is still damaged. A last line
without its end is what a kill leaves of a writer, or what another process is writing now; it is passed over.

Files of the time before digests are read once: each line that is a JSON object is written again with a
digest, by one rename, and from then on it is checked like all others. Cost: 0.5 GB a second on one core, most
of it sha256.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from leafinstruct.runtime.artifact import writing
from leafinstruct.runtime.damage import Damage

LONGEST = 64 << 20
"""Bytes of a line; a longer one is damaged, and is not read into memory."""
_TAIL = re.compile(rb',"digest":"([0-9a-f]{64})"\}\n')
_TAIL_BYTES = 78
_CHUNK = 1 << 20

Place = tuple[int, int]
"""Offset and length of a line in bytes, its end included."""


def seal(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line with its digest."""
    body = json.dumps(entry, separators=(",", ":")).encode("ascii")[:-1]
    return body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def is_intact(line: bytes) -> bool:
    """Whether a line is the one that was written."""
    tail = _TAIL.fullmatch(line, max(0, len(line) - _TAIL_BYTES))
    return tail is not None and hashlib.sha256(line[:-_TAIL_BYTES]).hexdigest().encode() == tail[1]


def opened(line: bytes) -> dict[str, Any] | None:
    """The entry of a line without its digest; None for a line that is not the one that was written."""
    if not is_intact(line):
        return None
    entry: dict[str, Any] = json.loads(line)
    del entry["digest"]
    return entry


def lines(path: Path, blank_too: bool = False, start: int = 0) -> Iterator[tuple[Place, bytes | None]]:
    """Whole lines of a file that are not blank, or those too; None for a line longer than LONGEST. start:
    offset of the first. Raises OSError."""
    offset = start
    with path.open("rb") as file:
        file.seek(start)
        while line := file.readline(LONGEST):
            length, whole = len(line), line.endswith(b"\n")
            while not whole and (rest := file.readline(_CHUNK)):
                length, whole = length + len(rest), rest.endswith(b"\n")
            # no writer is at work on zeros: a power cut left them
            if (whole or b"\0" in line) and (blank_too or line.strip(b" \n")):
                yield (offset, length), line if length == len(line) else None
            offset += length


def blank(path: Path, places: Iterable[Place]) -> None:
    """Overwrite whole lines with spaces, in place; the time of change stays, as readers may order files by
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


def erase(path: Path, is_meant: Callable[[dict[str, Any]], bool], dry_run: bool = False) -> int:
    """Overwrite the lines whose entries are meant; returns how many. No process may append to the file
    meanwhile. Raises OSError.

    Damaged lines, and half a line at the end, are overwritten too: what they held is not known.
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
    """Blank the damaged lines of a file; returns how many. A file of the time before digests gets them.
    Raises OSError, SourceError."""
    damaged, sealed = [], False
    for place, line in lines(path):
        if line is not None and is_intact(line):
            sealed = True
        else:
            damaged.append(place)
    if damaged and not sealed and any(_unsealed(line) is not None for _, line in lines(path)):
        return _sealed_anew(path)
    if damaged:
        blank(path, damaged)
    return len(damaged)


def _sealed_anew(path: Path) -> int:
    """Give the lines of an old file their digests; returns how many could not be read and are dropped."""
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
    path: Path, repair: str, fault: Callable[[dict[str, Any]], str | None] = lambda _: None
) -> Iterator[Damage]:
    """Blank the damaged lines of a file, which no reader takes anyway, and yield them. repair: what becomes
    of what such a line held; fault: what is wrong with what an intact line leads to."""
    if not path.is_file():
        yield Damage(path, "is not a regular file", "delete it")
        return
    try:
        # then a line without a digest is a damaged one
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
            path, f"cannot be read or mended: {error.strerror or error}", "check its permissions and the disk"
        )
        return
    for (offset, _), wrong in found:
        yield Damage(path, f"the line at byte {offset:,} {wrong}", f"dropped; {repair}")


def _fault(line: bytes | None, sealed: bool, fault: Callable[[dict[str, Any]], str | None]) -> str | None:
    if line is None:
        return f"is longer than {LONGEST:,} bytes"
    entry = opened(line) if sealed else unsealed_or_opened(line)
    return "does not have the digest that was recorded" if entry is None else fault(entry)


def _unsealed(line: bytes | None) -> dict[str, Any] | None:
    """The entry of a line that was written before lines had digests, else None."""
    try:
        entry = json.loads(line or b"")
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "digest" not in entry else None


def unsealed_or_opened(line: bytes) -> dict[str, Any] | None:
    """The entry of a line of either time, for readers that change no file."""
    entry = opened(line)
    return _unsealed(line) if entry is None else entry
