"""Prepare an image for a language model: small enough, in a format that every server reads.

A small JPEG, PNG or WebP is sent unchanged, so that its bytes, and with them the answer's cache key, do not
depend on an encoder's version. Everything else is decoded (rotation applied, first frame), scaled and sent as
JPEG of quality 90.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

from leafinstruct.images.decode import Undecodable, decode, probe

Sent = tuple[bytes, str]
"""Encoded bytes and their media type."""

_AS_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def as_sent(data: bytes, max_side: int) -> Sent | Undecodable:
    """Return an image of at most `max_side` pixels on its longer side, or why it cannot be decoded."""
    header = probe(data)
    if isinstance(header, Undecodable):
        return header
    plain = header.format in _AS_IS and header.frames == 1 and not header.rotated
    if plain and max(header.width, header.height) <= max_side:
        return data, _AS_IS[header.format]
    return _as_jpeg(data, max_side)


def _as_jpeg(data: bytes, max_side: int) -> Sent | Undecodable:
    image = decode(data, max_side)
    if isinstance(image, Undecodable):
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), "image/jpeg"


def smaller(sent: Mapping[str, Sent], max_side: int, reencode: bool) -> dict[str, Sent]:
    """Reduce prepared images to fewer pixels. reencode: encode all as JPEG, also those that are small
    enough."""
    found = {
        name: _as_jpeg(data, max_side) if reencode else as_sent(data, max_side)
        for name, (data, _) in sent.items()
    }
    return {name: image for name, image in found.items() if not isinstance(image, Undecodable)}


def all_as_sent(data: Mapping[str, bytes], max_side: int) -> dict[str, Sent]:
    """Prepare those of the named images that can be decoded."""
    found = {name: as_sent(content, max_side) for name, content in data.items()}
    return {name: image for name, image in found.items() if not isinstance(image, Undecodable)}
