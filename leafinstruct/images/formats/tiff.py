"""Read one image of a TIFF that contains several: `frame=3` of a range of a file.

The bytes are those of a PNG, since an image of a TIFF has no range of its own. The images of a document are
requested in their order, so the open file is kept, and each is found from the one before it.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import TiffImagePlugin

from leafinstruct.images.decode import MAX_SCANS, START_OF_SCAN
from leafinstruct.images.formats.mend import MAX_PIXELS
from leafinstruct.images.unreadable import MAX_BYTES, Unreadable

MAX_FRAMES = 10_000
"""Images of one TIFF that are looked for; a document has at most 2,000."""
_FRAME = re.compile(r"frame=(\d{1,6})")
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes that a PNG can hold; others become RGB."""


class _Opened(NamedTuple):
    image: TiffImagePlugin.TiffImageFile
    data: bytes


class _Key(NamedTuple):
    path: Path
    size: int
    changed: int
    offset: int
    length: int


def frame(path: Path, offset: int, length: int, member: str) -> bytes | Unreadable:
    """Return an image of a TIFF as PNG. member: `frame=N`, from 0. Reasons: missing_frame, too_large,
    truncated, broken_tiff. Raises OSError if the disk fails."""
    found = _FRAME.fullmatch(member)
    place = f"{path.name} offset={offset},{length} {member[:20]}"
    if found is None or int(found[1]) >= MAX_FRAMES:
        return Unreadable("missing_frame", f"{place}: no such image")
    stat = path.stat()
    opened = _opened(_Key(path, stat.st_size, stat.st_mtime_ns, offset, length))
    if isinstance(opened, Unreadable):
        return opened
    try:
        opened.image.seek(int(found[1]))
        width, height = opened.image.size
        if width * height > MAX_PIXELS:
            return Unreadable("too_large", f"{place}: {width} x {height} pixels")
        if _scans(opened) > MAX_SCANS:
            return Unreadable("too_large", f"{place}: more than {MAX_SCANS} passes over its pixels")
        image = opened.image.copy()
        buffer = io.BytesIO()
        (image if image.mode in _MODES else image.convert("RGB")).save(buffer, "PNG")
    except EOFError:
        return Unreadable("missing_frame", f"{place}: the TIFF has fewer images")
    except Exception as error:  # decoders meet hostile bytes and raise whatever they like
        return Unreadable("broken_tiff", f"{place}: {str(error)[:100]}")
    return buffer.getvalue() if buffer.tell() <= MAX_BYTES else Unreadable("too_large", place)


def _scans(opened: _Opened) -> int:
    """Return the passes of a decoder over the pixels of the current image, a tile in the mean (see decode);
    more than MAX_SCANS where its tiles share their bytes."""
    tags = opened.image.tag_v2
    if "jpeg" not in opened.image.info.get("compression", ""):
        return 0
    offsets, sizes = (tags.get(one) or tags.get(other) or () for one, other in ((273, 324), (279, 325)))
    if len(offsets) != len(sizes) or sum(sizes) > len(opened.data):
        return MAX_SCANS + 1
    return sum(
        opened.data.count(START_OF_SCAN, offset, offset + size)
        for offset, size in zip(offsets, sizes, strict=True)
    ) // max(1, len(offsets))


@lru_cache(maxsize=1)
def _opened(key: _Key) -> _Opened | Unreadable:
    with key.path.open("rb") as stream:
        stream.seek(key.offset)
        data = stream.read(key.length)
    if len(data) < key.length:
        return Unreadable("truncated", f"{key.path.name}: the file ends within the TIFF at {key.offset}")
    try:
        return _Opened(TiffImagePlugin.TiffImageFile(io.BytesIO(data)), data)
    except Exception as error:  # decoders meet hostile bytes and raise whatever they like
        return Unreadable("broken_tiff", f"{key.path.name} offset={key.offset}: {str(error)[:100]}")
