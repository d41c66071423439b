"""A reference -> the picture's bytes, or the reason why there are none.

Failures are data: a picture that cannot be had is one cell of a report, not the end of a run. `retryable` tells an outage of this moment
(the disk does not answer) from a fact about the input (no such file).

References come from pages, so they are hostile: a name that leads out of the source's root, by `..`, as an absolute path or through a
symbolic link, is refused, and so is whatever is not a regular file (a pipe would block for ever). For a range of an archive only that range
is read.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from leafinstruct.pictures.archive import RecordError, response
from leafinstruct.records.document import Ref

MAX_BYTES = 64 << 20
"""Of one picture. The largest photographs of the web are below 50 MB; what is larger is not a picture or not wanted."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No bytes. reason: missing, unsafe_path, not_a_file, too_large, truncated, not_in_archive, url_not_fetched, no_video_frame,
    unreadable; detail: for a person; retryable: whether another try may go better."""

    reason: str
    detail: str
    retryable: bool = False


def fetch(ref: Ref, root: Path) -> bytes | Unreadable:
    """The bytes that a reference means. root: the folder that the source's files are relative to. Raises nothing for bad data."""
    if ref.file is None:
        return Unreadable("url_not_fetched", f"{ref.url}: pictures on the web are not fetched by this version")
    if ref.time is not None:
        return Unreadable("no_video_frame", f"{ref}: frames of videos are not read by this version")
    try:
        path = (root / ref.file).resolve()
        if not path.is_relative_to(root.resolve()):
            return Unreadable("unsafe_path", f"{ref.file} leads out of the source's folder")
        if not path.exists():
            return Unreadable("missing", f"{ref.file}: no such file")
        if not path.is_file():
            return Unreadable("not_a_file", f"{ref.file} is not a regular file")
        return _whole(path, ref) if ref.offset is None else _range(path, ref)
    except OSError as error:
        lasting = error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
        return Unreadable("missing" if lasting else "unreadable", f"{ref.file[:100]}: {error.strerror or error}", retryable=not lasting)
    except (RuntimeError, ValueError) as error:  # how Path tells of links in a circle and of zero bytes in a name
        return Unreadable("unsafe_path", f"{ref.file[:100]!r}: {error}")


def _whole(path: Path, ref: Ref) -> bytes | Unreadable:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return _too_large(ref) if len(data) > MAX_BYTES else data


def _range(path: Path, ref: Ref) -> bytes | Unreadable:
    """The body of the record at the range; only the range is read."""
    assert ref.offset is not None, "only references with an offset come here"
    length = ref.length or 0
    if length > MAX_BYTES:
        return _too_large(ref)
    with path.open("rb") as file:
        file.seek(ref.offset)
        data = file.read(length)
    if len(data) < length:
        return Unreadable("truncated", f"{ref}: the file ends {length - len(data):,} bytes before the record does")
    try:
        return response(data, MAX_BYTES).body
    except RecordError as error:
        return Unreadable("too_large" if error.reason == "too_large" else "not_in_archive", f"{ref}: {error.detail}")


def _too_large(ref: Ref) -> Unreadable:
    return Unreadable("too_large", f"{ref}: more than {MAX_BYTES:,} bytes")
