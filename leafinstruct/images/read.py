"""Return the bytes of an image reference, or the reason why there are none.

Failures are data: an unreadable image is one cell of a report, not the end of a run. `retryable` separates a
temporary outage (the disk does not answer) from a fact about the input (no such file).

References come from pages, so they are hostile. A name that leads out of the source's root (by `..`, as an
absolute path or through a symbolic link) is refused, and so is anything but a regular file (a pipe would
block forever). Only the range of an archive is read. A range of a WARC file is a record, whose body is the
image. A range of any other file is the stored image, or a `data:` URL or base64 of it; of a file that is
compressed as a whole, it is a range of the unpacked lines. Readers of containers, frames and videos are
imported on first use, since most runs need neither.
"""

from __future__ import annotations

import errno
import gzip
import re
import zlib
from functools import lru_cache
from pathlib import Path

from leafinstruct.errors import SourceError
from leafinstruct.images.archive import RecordError, response
from leafinstruct.images.embedded import BASE64, data_url, from_text
from leafinstruct.images.unreadable import MAX_BYTES, Unreadable
from leafinstruct.records.document import Ref
from leafinstruct.runtime import content
from leafinstruct.runtime.store.base import UnsafeKeyError
from leafinstruct.runtime.store.path import openable

__all__ = ["MAX_BYTES", "Unreadable", "data_url", "fetch", "stamp"]

ARCHIVES = (".warc", ".warc.gz")
MAX_RANGE = 4 * MAX_BYTES // 3 + 4096
"""Maximum bytes of a range: an image as base64 with its header."""
_MEMBER = re.compile(r"bytes=(\d{1,12}),(\d{1,12})")


def fetch(ref: Ref, root: Path) -> bytes | Unreadable:
    """Return the bytes of a reference, or why there are none. root: the folder of the source's files.

    Reasons: url_not_fetched, missing, unsafe_path, not_a_file, too_large, truncated, not_in_archive,
    unknown_encoding, broken_data_url, unreadable, and those of frames and containers. Raises nothing for bad
    data.
    """
    if ref.file is None:
        return Unreadable(
            "url_not_fetched",
            f"{ref.url}: on the web; add filter.images.fetch to the recipe to have such images fetched",
        )
    try:
        path = (root / ref.file).resolve()
        if not path.is_relative_to(root.resolve()):
            return Unreadable(
                "unsafe_path",
                f"{ref.file} leads out of the source's folder; copy it there, or name its folder as `images`",
            )
        if not path.exists():
            return Unreadable("missing", f"{ref.file}: no such file")
        if not path.is_file():
            return Unreadable("not_a_file", f"{ref.file} is not a regular file")
        return _bytes(path, ref)
    except UnsafeKeyError as error:
        return Unreadable("unsafe_path", str(error))
    except SourceError as error:  # of a store, after its retries
        return Unreadable("unreadable", str(error), retryable=True)
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
    ) as error:  # Path raises these for circular links and zero bytes in a name
        return Unreadable("unsafe_path", f"{ref.file[:100]!r}: {error}")


def stamp(path: Path, ref: Ref | None = None) -> str:
    """Return the identity of a file (runtime/content); empty if there is none or it cannot be read. Of a file
    that `ref` names as an image and that is too large for one, only the size: no bytes of it are read."""
    try:
        if not path.is_file():  # reading a pipe would block
            return ""
        size = path.stat().st_size
        is_image = ref is not None and ref.offset is None and ref.time is None and ref.member is None
        return str(size) if is_image and size > MAX_BYTES else content.identity(path)
    except (OSError, SourceError, ValueError):  # `fetch` says why
        return ""


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
    """Return the content of a range of a file; only the range is read."""
    assert ref.offset is not None, "only references with an offset come here"
    length = ref.length or 0
    if length > MAX_RANGE:
        return _too_large(ref)
    if path.name.lower().endswith(ARCHIVES) and ref.member is not None:
        stat = path.stat()
        body = _body(path, stat.st_size, stat.st_mtime_ns, ref.offset, length)
        return body if isinstance(body, Unreadable) else _inside(body, ref)
    if ref.member is not None and ref.member.startswith("frame="):
        from leafinstruct.images.formats.tiff import frame

        return frame(path, ref.offset, length, ref.member)
    if ref.member is not None and path.name.lower().endswith(".gz"):
        stat = path.stat()
        line = _line(path, stat.st_size, stat.st_mtime_ns, ref.offset, length)
        return line if isinstance(line, Unreadable) else _inside(line, ref)
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
    """Return the body of a record that contains images, cached: a page may contain 200, requested one
    after the other."""
    data = _read(path, offset, length)
    return (
        data
        if isinstance(data, Unreadable)
        else _answer(data, f"{path.name} offset={offset},{length}", MAX_RANGE)
    )


@lru_cache(maxsize=1)
def _stream(path: Path, size: int, changed: int) -> gzip.GzipFile:  # noqa: ARG001 - size and time are part of the key
    """The open stream of a compressed file. It is read forward: images are requested in the order of their
    lines."""
    return gzip.open(openable(path))


@lru_cache(maxsize=1)
def _line(path: Path, size: int, changed: int, offset: int, length: int) -> bytes | Unreadable:
    """Return a line of a compressed file, cached: a record may contain many images."""
    stream = _stream(path, size, changed)
    try:
        stream.seek(offset)
        data = stream.read(length)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return Unreadable("truncated", f"{path.name} offset={offset},{length}: {error}")
    if len(data) == length:
        return data
    return Unreadable("truncated", f"{path.name} offset={offset},{length}: the file ends early")


def _answer(record: bytes, place: str, limit: int) -> bytes | Unreadable:
    try:
        return response(record, limit).body
    except RecordError as error:
        known = {
            "too_large": "too_large",
            "truncated_record": "truncated",
            "unknown_encoding": "unknown_encoding",
        }
        return Unreadable(known.get(error.reason, "not_in_archive"), f"{place}: {error.detail}")


def _inside(body: bytes, ref: Ref) -> bytes | Unreadable:
    """Return the piece of a record's body that a member names: `bytes=120,4711`."""
    place = _MEMBER.fullmatch(ref.member or "")
    if place is None or int(place[1]) + int(place[2]) > len(body):
        return Unreadable("not_in_archive", f"{ref}: the record's body has no such piece")
    return _plain(body[int(place[1]) : int(place[1]) + int(place[2])], ref)


def _plain(data: bytes, ref: Ref) -> bytes | Unreadable:
    """Return the image as stored, or decoded from its `data:` URL or from base64."""
    if data[:5].lower() == b"data:" or BASE64.match(data):
        unpacked = from_text(data)
        if unpacked is None:
            return Unreadable("broken_data_url", f"{ref}: its data: URL or base64 cannot be decoded")
        data = unpacked
    return _too_large(ref) if len(data) > MAX_BYTES else data


def _too_large(ref: Ref) -> Unreadable:
    return Unreadable("too_large", f"{ref}: more than {MAX_BYTES:,} bytes")
