"""Mend files that browsers show and Pillow refuses: the image is complete, what is beside it is not.

PNG: chunks without pixels are left out if they are damaged or as large as a bomb (a prompt of 2 MB in a text
chunk, a wrong check sum, a color profile that cannot be unpacked), as libpng does. JPEG: a missing end marker
is added, if all pixels are there.

Only files that could not be decoded come here, so intact ones cost nothing. Pillow's own limits are not
changed: they belong to the whole process, and protect it. Nothing is decompressed beyond MAX_PROFILE.

Whether a JPEG without an end marker is complete: libjpeg fills missing pixels with gray and does not report
it. So the file is decoded three times, each time with other bytes before the end marker that is added. After
the last pixel they have no meaning; before it they would be read as pixels, and the results would differ.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Iterator

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MAX_PROFILE = 1 << 20
"""Bytes of an unpacked color profile of a PNG; Pillow's own limit. Those of RGB spaces have up to 500 kB."""
MAX_PIXELS = 64_000_000
"""Pixels of one frame, 256 MB decoded; more than any camera image on a web page."""
MAX_CHUNKS = 50_000
"""Chunks of a PNG. Writers begin a new one after 8 kB of pixels; Pillow takes half a second for so many."""
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"fdAT", b"IEND")
_BESIDE = (b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL")
"""Other chunks that change how an image looks: transparency, profile, orientation, frames."""
_KEY_SIZES = {0: 2, 2: 6}
"""Color type -> bytes of a `tRNS` chunk. Of a palette: one byte for each of up to 256 entries."""
_END_OF_IMAGE = b"\xff\xd9"
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd8\x01])", re.DOTALL)
"""JPEG markers that begin a segment or end the image; 0xFF fill bytes before them are skipped."""
_FILLERS = tuple(
    filling * 64 + b"".join(b"\xff" + bytes([restart]) + filling * 64 for restart in range(0xD0, 0xD8))
    for filling in (b"\x00", b"\x55", b"\xaa")
)
"""Entropy-coded bytes, also behind each of the restart markers that a decoder may wait for."""
MAX_SEGMENTS = 100_000
"""Segments of a JPEG that are looked at; a file has some hundreds."""
_COMPONENTS = 4
_PADDING = bytes(16)
_STRIP = 256
"""Rows of an image that are compared at a time."""


def mended(data: bytes) -> bytes | None:
    """Return a file with the same pixels that decoders read, None if there is nothing to mend. Never raises
    for bad data. Memory: one decoded image, and the file once more."""
    if data.startswith(PNG):
        return _without_damage(data)
    if data.startswith(JPEG):
        return _completed(data)
    return None


def too_many_chunks(data: bytes) -> bool:
    """Whether a PNG has more than MAX_CHUNKS chunks. Files that are too short for them are not looked at."""
    if len(data) < 12 * MAX_CHUNKS or not data.startswith(PNG):
        return False
    return sum(1 for _ in _chunks(data)) > MAX_CHUNKS


def digests(data: bytes) -> set[str]:
    """Return the sha256 of an image's bytes, and of the mended file that a build may store instead."""
    whole = mended(data)
    return {hashlib.sha256(each).hexdigest() for each in (data, whole) if each is not None}


def _without_damage(data: bytes) -> bytes | None:
    """Return a PNG without chunks that are damaged or have no effect on the pixels."""
    view = memoryview(data)
    kept = [view[:8]]
    for kind, at, end in _chunks(data):
        if kind in _PIXELS or (kind in _BESIDE and _is_valid(data, kind, at, end)):
            kept.append(view[at:end])
    found = b"".join(kept)
    return found if len(found) < len(data) else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start, end) of the chunks of a PNG up to its end; the last one may be cut."""
    at = len(PNG)
    for _ in range(MAX_CHUNKS + 1):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, at + 12 + length
        at += 12 + length
        if kind == b"IEND":
            return


def _is_valid(data: bytes, kind: bytes, at: int, end: int) -> bool:
    """Whether a chunk beside the pixels is whole, and not larger than it may be."""
    content = memoryview(data)[at + 8 : end - 4]
    if end > len(data) or zlib.crc32(data[at + 4 : at + 8] + content) != int.from_bytes(data[end - 4 : end]):
        return False
    if kind == b"tRNS":
        return (
            len(content) == _KEY_SIZES.get(int.from_bytes(data[25:26]), len(content)) and len(content) <= 256
        )
    return kind != b"iCCP" or _unpacks(bytes(content))


def _unpacks(content: bytes) -> bool:
    """Whether the content of an `iCCP` chunk (name, 0, compression method 0, profile) can be unpacked."""
    _, _, packed = content.partition(b"\0")
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return False
    return packed[:1] == b"\0" and unpacking.eof


def is_filled_up(data: bytes) -> bool:
    """Whether a JPEG has no end and is filled up with zeros, as interrupted downloads are. libjpeg reads the
    zeros as pixels."""
    return data.startswith(JPEG) and data.endswith(_PADDING) and _left(data.rstrip(b"\0")) is not None


def _completed(data: bytes) -> bytes | None:
    """Return a JPEG with an end marker, None if pixels are missing."""
    whole = data.rstrip(b"\0") if data.endswith(_PADDING) else data
    left = _left(whole)
    if not left or any(map(any, left.values())):
        return None
    end = whole.rstrip(b"\xff")
    return end + _END_OF_IMAGE if _is_complete(end) else None


def _is_complete(data: bytes) -> bool:
    """Whether nothing that follows the data of a JPEG changes its pixels."""
    try:
        return len({_fingerprint(data + filler + _END_OF_IMAGE) for filler in _FILLERS}) == 1
    except Exception:  # decoders meet hostile bytes and raise whatever they like
        return False


def _left(data: bytes) -> dict[int, list[int]] | None:
    """Return component -> bits of each coefficient that no scan of a JPEG states, all 0 for a complete one: a
    progressive file may be cut between two scans (ITU T.81, B.2.3 and G.1.1.1). None for a file that has an
    end, or that is too odd to tell."""
    missing: dict[int, list[int]] = {}
    found = _MARKER.search(data, 2)
    for _ in range(MAX_SEGMENTS):
        if found is None:
            return missing
        marker, start = found[1][0], found.end() + 2
        length = int.from_bytes(data[found.end() : start], "big")
        segment = data[start : start + length - 2]
        if marker == 0xD9:
            return None
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(segment) >= 6:
            if segment[5] > _COMPONENTS:
                return None
            missing = {component: [255] * 64 for component in segment[6::3][: segment[5]]}
        if marker == 0xDA and len(segment) >= 4:
            first, last, bits = segment[-3], min(segment[-2], 63), segment[-1] & 15
            for component in segment[1 : 1 + 2 * min(segment[0], _COMPONENTS) : 2]:
                if component in missing and first <= last:
                    missing[component][first : last + 1] = [bits] * (last + 1 - first)
        found = _MARKER.search(data, found.end() + max(2, length))
    return None


def _fingerprint(data: bytes) -> int:
    """Return a check sum over the pixels of a JPEG. Raises ValueError above MAX_PIXELS, and what Pillow
    raises."""
    from PIL.JpegImagePlugin import JpegImageFile  # only such files need it

    # the plugin itself, since Image.open obeys the pixel limit of the process, and warns
    with JpegImageFile(io.BytesIO(data)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels")
        image.load()
        total = 0
        for top in range(0, image.height, _STRIP):
            strip = image.crop((0, top, image.width, min(top + _STRIP, image.height)))
            total = zlib.crc32(strip.tobytes(), total)
        return total
