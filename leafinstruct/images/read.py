"""A reference -> the image's bytes, or the reason why there are none.

Failures are data: an image that cannot be had is one cell of a report, not the end of a run. `retryable`
tells an outage of this moment (the disk does not answer) from a fact about the input (no such file).

References come from pages, so they are hostile: a name that leads out of the source's root, by `..`, as an
absolute path or through a symbolic link, is refused, and so is whatever is not a regular file (a pipe would
block for ever). For a range of an archive only that range is read. A range of a WARC file is a record, whose
body is the image; a range of any other file is the image as it lies there, or a `data:` address of it.
Readers of containers and videos are imported when the first such reference comes, since most runs need
neither.
"""

from __future__ import annotations

import base64
import errno
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from leafinstruct.images.archive import RecordError, response
from leafinstruct.images.unreadable import MAX_BYTES, Unreadable
from leafinstruct.records.document import Ref

__all__ = ["MAX_BYTES", "Unreadable", "data_url", "fetch", "stamp"]

ARCHIVES = (".warc", ".warc.gz")
MAX_RANGE = 4 * MAX_BYTES // 3 + 4096
"""Bytes of a range: an image as base64 with its head."""
_MEMBER = re.compile(r"bytes=(\d{1,12}),(\d{1,12})")


def fetch(ref: Ref, root: Path) -> bytes | Unreadable:
    """The bytes that a reference means, or why there are none. root: the folder that the source's files are
    relative to.

    Reasons: url_not_fetched, missing, unsafe_path, not_a_file, too_large, truncated, not_in_archive,
    broken_data_url, unreadable, and those of frames and containers. Raises nothing for bad data.
    """
    if ref.file is None:
        return Unreadable(
            "url_not_fetched",
            f"{ref.url}: on the web; add filter.images.fetch to the recipe to have such images fetched",
        )
    try:
        path = (root / ref.file).resolve()
        if not path.is_relative_to(root.resolve()):
            return Unreadable("unsafe_path", f"{ref.file} leads out of the source's folder")
        if not path.exists():
            return Unreadable("missing", f"{ref.file}: no such file")
        if not path.is_file():
            return Unreadable("not_a_file", f"{ref.file} is not a regular file")
        return _bytes(path, ref)
    except OSError as error:
        lasting = error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
        return Unreadable(
            "missing" if lasting else "unreadable",
            f"{ref.file[:100]}: {error.strerror or error}",
            retryable=not lasting,
        )
    except (
        RuntimeError,
        ValueError,
    ) as error:  # how Path tells of links in a circle and of zero bytes in a name
        return Unreadable("unsafe_path", f"{ref.file[:100]!r}: {error}")


def stamp(path: Path) -> str:
    """Size and modification time of a file, empty where there is none: what tells that it may have
    changed."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _bytes(path: Path, ref: Ref) -> bytes | Unreadable:
    if ref.time is not None:
        from leafinstruct.images.video.frames import frame

        return frame(path, ref.time)
    if ref.offset is not None:
        return _range(path, ref)
    if ref.member is not None:
        from leafinstruct.images.containers import cell

        return cell(path, ref.member)
    return _whole(path, ref)


def _whole(path: Path, ref: Ref) -> bytes | Unreadable:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return _too_large(ref) if len(data) > MAX_BYTES else data


def _range(path: Path, ref: Ref) -> bytes | Unreadable:
    """What a range of a file holds; only the range is read."""
    assert ref.offset is not None, "only references with an offset come here"
    length = ref.length or 0
    if length > MAX_RANGE:
        return _too_large(ref)
    if path.name.lower().endswith(ARCHIVES) and ref.member is not None:
        stat = path.stat()
        body = _body(path, stat.st_size, stat.st_mtime_ns, ref.offset, length)
        return body if isinstance(body, Unreadable) else _inside(body, ref)
    data = _read(path, ref.offset, length)
    if isinstance(data, Unreadable):
        return data
    return _answer(data, str(ref), MAX_BYTES) if path.name.lower().endswith(ARCHIVES) else _plain(data, ref)


def _read(path: Path, offset: int, length: int) -> bytes | Unreadable:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    place = f"{path.name} offset={offset},{length}"
    return (
        data
        if len(data) == length
        else Unreadable(
            "truncated", f"{place}: the file ends {length - len(data):,} bytes before the range does"
        )
    )


@lru_cache(maxsize=1)
def _body(path: Path, size: int, changed: int, offset: int, length: int) -> bytes | Unreadable:  # noqa: ARG001 - size and time are part of the key
    """The body of a record that holds images: a page may hold 200, and they are asked for one after the
    other."""
    data = _read(path, offset, length)
    return (
        data
        if isinstance(data, Unreadable)
        else _answer(data, f"{path.name} offset={offset},{length}", MAX_RANGE)
    )


def _answer(record: bytes, place: str, limit: int) -> bytes | Unreadable:
    """The body of a record."""
    try:
        return response(record, limit).body
    except RecordError as error:
        known = {"too_large": "too_large", "truncated_record": "truncated"}
        return Unreadable(known.get(error.reason, "not_in_archive"), f"{place}: {error.detail}")


def _inside(body: bytes, ref: Ref) -> bytes | Unreadable:
    """The piece of a record's body that a member names: `bytes=120,4711`."""
    place = _MEMBER.fullmatch(ref.member or "")
    if place is None or int(place[1]) + int(place[2]) > len(body):
        return Unreadable("not_in_archive", f"{ref}: the record's body has no such piece")
    return _plain(body[int(place[1]) : int(place[1]) + int(place[2])], ref)


def _plain(data: bytes, ref: Ref) -> bytes | Unreadable:
    """The image as it lies there, or out of its `data:` address."""
    if data[:5].lower() == b"data:":
        unpacked = data_url(data)
        if unpacked is None:
            return Unreadable("broken_data_url", f"{ref}: its data: address cannot be decoded")
        data = unpacked
    return _too_large(ref) if len(data) > MAX_BYTES else data


def data_url(address: bytes) -> bytes | None:
    """The bytes in a `data:` address (RFC 2397), base64 or percent-encoded; None when it is malformed."""
    head, comma, rest = address[5:].partition(b",")
    if not comma:
        return None
    body = unquote_to_bytes(rest)
    if not head.lower().rstrip().endswith(b";base64"):
        return body
    packed = body.translate(None, b" \t\r\n\f")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return None


def _too_large(ref: Ref) -> Unreadable:
    return Unreadable("too_large", f"{ref}: more than {MAX_BYTES:,} bytes")
