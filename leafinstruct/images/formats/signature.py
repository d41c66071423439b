"""Recognize an image by its first bytes, where a server states no type, or a wrong one.

Source: the table of the WHATWG's MIME Sniffing Standard (section 6.1), reduced to the formats that `decode`
opens, and AVIF by its brands (ISO/IEC 14496-12, ftyp).
"""

from __future__ import annotations

import re

LENGTH = 64
"""Bytes that decide."""
_IMAGE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|BM.{4}\0{4}|II\x2a\0|MM\0\x2a"
    rb"|\0\0\0.ftyp(?:.{4}){0,8}?avi[fs]",
    re.DOTALL,
)


def is_image(data: bytes) -> bool:
    """Whether the data begins like an image of a format that is decoded."""
    return _IMAGE.match(data[:LENGTH]) is not None
