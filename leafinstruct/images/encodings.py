"""Undo the content encodings of an HTTP body: gzip, deflate, br and zstd, also several in a row.

Servers and crawlers state encodings that they did not apply: a crawler stores a decoded body with the header
of the encoded one, a server copies the `gzip, deflate` of the request, or writes `none` or `utf-8`. So the
bytes decide: an encoding is undone if the body begins like it. An encoding that was not applied, or is
unknown, is skipped if what remains is plainly an image or a text; else the body is refused, and the error
names what the header states.

`deflate` is read with the header of zlib, as RFC 9110 demands, and without, as some servers send it. Nothing
is unpacked beyond a limit, and a body that unpacks to nothing, over and over, is refused early.

Sources: RFC 9110 section 8.4 (order: the last one named was applied last), RFC 1950 to 1952, RFC 7932 (br),
RFC 8878 (zstd).

Chosen: pyarrow for br and zstd, because the tables need it in any case; it reads a stream piece by piece.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import zlib
from collections.abc import Callable

from leafinstruct.images.formats.signature import is_image

MAX_ENCODINGS = 4
"""Maximum encodings in a row; servers apply one, proxies a second one."""
MAX_MEMBERS = 100
"""Maximum gzip members of a body; servers send one. The bytes after a member are copied for each."""
UNSUPPORTED = frozenset({"compress", "x-compress", "exi", "pack200-gzip", "aes128gcm", "dcb", "dcz"})
"""Registered encodings (IANA, HTTP Content Coding Registry) that are not read. Other unknown names state
nothing, and the body decides."""
_ZLIB = frozenset({"gzip", "x-gzip", "deflate"})
KNOWN = _ZLIB | {"br", "zstd", "x-zstd"}
"""Encodings that are undone."""
_GZIP, _ZSTD = b"\x1f\x8b", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_STEP = 1 << 20
"""Bytes that pyarrow unpacks at a time; it gives none of a step in which the body ends early."""
_PART, _PART_STEP = 64 << 10, 256
"""Bytes that the first part of a body is unpacked to, and the steps for it."""
_HEAD = 1024
"""Bytes that show whether a body is a text."""
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Binary data bytes (MIME Sniffing Standard, section 3)."""
_MARKUP = re.compile(rb"<[a-zA-Z!?/]")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class EncodingError(Exception):
    """A body that cannot be decoded. reason: unknown_encoding, broken_encoding, cut_encoding, too_large."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class _NotAppliedError(Exception):
    """The body does not begin like the encoding."""


def encodings_of(value: str | None) -> list[str]:
    """Return the encodings that a Content-Encoding header names, in lower case, without `identity`."""
    if not value:
        return []
    names = (name.partition(";")[0].strip().strip("\"'").lower() for name in value.split(","))
    return [name for name in names if name not in ("", "identity")]


def is_plain(body: bytes) -> bool:
    """Whether a body is plainly not encoded: an image, or a text (it begins with a byte order mark or markup,
    or has no binary bytes and is UTF-8 or contains markup)."""
    head = body[:_HEAD]
    if is_image(body) or body.startswith(_MARKS) or _MARKUP.match(head.lstrip()):
        return True
    if _BINARY.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return _MARKUP.search(head) is not None
    return True


def decoded(
    body: bytes, encodings: list[str], limit: int, is_stored: Callable[[bytes], bool] = is_plain
) -> bytes:
    """Return a body without its encodings.

    limit: maximum bytes of what each one unpacks to.
    is_stored: whether bytes are taken as they are though an encoding was not applied.

    Raises EncodingError.
    """
    data, is_whole = _all_undone(body, encodings, limit, is_stored)
    if len(data) > limit:
        raise EncodingError("too_large", f"the body is longer than {limit:,} bytes")
    if not is_whole:
        raise EncodingError(
            "cut_encoding", f"{_stated(encodings)}: the body ends before its compression does"
        )
    return data


def beginning(part: bytes, encodings: list[str], size: int) -> bytes:
    """Return the first bytes of a body without its encodings, from its first part. Raises EncodingError, also
    if the part unpacks to nothing yet."""
    data, is_whole = _all_undone(part, encodings, max(size, _PART), is_plain, is_part=True)
    if not data and not is_whole:
        raise EncodingError("cut_encoding", f"{_stated(encodings)}: {len(part):,} bytes unpack to nothing")
    return data[:size]


def _stated(encodings: list[str]) -> str:
    return f"Content-Encoding: {', '.join(encodings)[:80]}"


def _all_undone(
    body: bytes, encodings: list[str], limit: int, is_stored: Callable[[bytes], bool], is_part: bool = False
) -> tuple[bytes, bool]:
    """Undo the encodings of a body or of its first part, at most `limit` + 1 bytes; and whether all of them
    reached their end. Raises EncodingError."""
    if len(encodings) > MAX_ENCODINGS:
        raise EncodingError("unknown_encoding", f"{_stated(encodings)}: more than {MAX_ENCODINGS} encodings")
    is_whole, unknown, problem = True, "", ""
    for name in reversed(encodings):
        try:
            body, is_ended = _undone(body, name, limit)
            is_whole = is_whole and is_ended
        except _NotAppliedError as error:
            unknown, problem = (unknown, f"{error}") if name in KNOWN else (name, problem)
        except EncodingError as error:
            raise EncodingError(error.reason, f"{_stated(encodings)}: {error.detail}") from error
        if len(body) > limit and not is_part:
            return body, False
    if unknown and not is_stored(body):
        raise EncodingError("unknown_encoding", f"{_stated(encodings)}: {unknown[:40]} is not supported")
    if problem and not is_stored(body):
        raise EncodingError("broken_encoding", f"{_stated(encodings)}: {problem}")
    return body, is_whole


def _undone(body: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    """Undo one encoding, at most `limit` + 1 bytes; and whether it reached its end.

    Raises EncodingError if the body begins like it and is damaged, _NotAppliedError if it does not, or
    if the name is unknown.
    """
    if name not in KNOWN:
        raise _NotAppliedError
    if not body:
        return body, True
    if body.startswith(_GZIP):
        return _gunzipped(body, limit)
    if _ZSTD.match(body):
        return _streamed(body, "zstd", limit)
    if name == "br":
        return _where_not_plain(body, _streamed(body, "brotli", limit, _NotAppliedError))
    if name in _ZLIB and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        with contextlib.suppress(_NotAppliedError):
            return _inflated(body, limit, zlib.MAX_WBITS)
    if name == "deflate":
        return _where_not_plain(body, _inflated(body, limit, -zlib.MAX_WBITS))
    raise _NotAppliedError(f"the body is not {name}")


def _where_not_plain(body: bytes, found: tuple[bytes, bool]) -> tuple[bytes, bool]:
    """Return what a body was decoded to whose encoding has no mark, unless that is cut and the body plain."""
    if not found[1] and is_plain(body):
        raise _NotAppliedError("the body is not encoded")
    return found


def _gunzipped(packed: bytes, limit: int) -> tuple[bytes, bool]:
    """Unpack one or more gzip members; what follows them is ignored."""
    body, members, is_ended = b"", 0, True
    while packed and is_ended and len(body) <= limit:
        members += 1
        if members > MAX_MEMBERS:
            raise EncodingError("too_large", f"the body has more than {MAX_MEMBERS} gzip members")
        stream = zlib.decompressobj(wbits=31)
        try:
            body += stream.decompress(packed, limit + 1 - len(body))
        except zlib.error as error:
            raise EncodingError("broken_encoding", f"the body is damaged gzip: {error}") from error
        is_ended = stream.eof
        packed = stream.unused_data if stream.unused_data.startswith(_GZIP) else b""
    return body, is_ended


def _inflated(packed: bytes, limit: int, wbits: int) -> tuple[bytes, bool]:
    """Unpack deflate, with the header of zlib or without."""
    stream = zlib.decompressobj(wbits=wbits)
    try:
        return stream.decompress(packed, limit + 1), stream.eof
    except zlib.error as error:
        raise _NotAppliedError(f"the body is no sound deflate: {error}") from error


def _streamed(
    packed: bytes, codec: str, limit: int, damage: type[Exception] | None = None
) -> tuple[bytes, bool]:
    """Unpack with pyarrow, which reads concatenated streams and so needs a limit for those that are empty.
    damage: the error to raise for damaged data, where the body may not be encoded at all."""
    import pyarrow as pa

    source, step = _Bounded(packed), _STEP if limit > _PART else _PART_STEP
    body = bytearray()
    try:
        with pa.CompressedInputStream(pa.PythonFile(source, mode="r"), codec) as stream:
            while len(body) <= limit and (piece := stream.read(min(step, limit + 1 - len(body)))):
                body += piece
                source.read_since = 0
    except (OSError, pa.ArrowException) as error:
        if "truncated" in f"{error}".lower():
            return bytes(body), False
        detail = f"the body is damaged {codec}: {error}"[:200]
        raise damage(detail) if damage else EncodingError("broken_encoding", detail) from error
    return bytes(body), True


class _Bounded(io.BytesIO):
    """Packed bytes, of which no more are read than twice what they unpack to. read_since: bytes read since
    the last step was unpacked."""

    read_since = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read like a file. Raises OSError where the bytes unpack to too little."""
        data = super().read(size)
        self.read_since += len(data)
        if self.read_since > 2 * _STEP + (64 << 10):
            raise OSError("it unpacks to less than its size")
        return data
