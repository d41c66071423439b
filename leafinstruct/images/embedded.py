"""Decode images that are written as text: `data:` URLs (RFC 2397), and base64 without a header."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import unquote_to_bytes

BASE64 = re.compile(rb"iVBORw0KGgo|(?:/|\\/)9j|R0lGOD|UklGR|SUkqA|TU0AK|AAAA[A-Za-z0-9+/]{4}Z0eXB")
"""The beginning of an image in base64. No image file begins so."""
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)


def from_text(text: bytes) -> bytes | None:
    """Decode a `data:` URL or base64, also as a JSON string writes it (`\\/`); None if it is neither, or
    malformed."""
    if text[:5].lower() == b"data:":
        return data_url(text)
    return data_url(b"data:;base64," + text) if BASE64.match(text) else None


def data_url(url: bytes) -> bytes | None:
    """Decode a `data:` URL (RFC 2397), base64 or percent-encoded; None if it is malformed."""
    head, comma, rest = url[5:].partition(b",")
    if not comma:
        return None
    body = unquote_to_bytes(rest)
    if not head.lower().rstrip().endswith(b";base64"):
        return body
    packed = _ESCAPE.sub(_unescaped, body).translate(None, b" \t\r\n\f")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return None


def _unescaped(escape: re.Match[bytes]) -> bytes:
    """The sign of an escape of JSON; base64 itself has no backslash."""
    try:
        return str(json.loads(b'"' + escape[0] + b'"')).encode("utf-8", "replace")
    except ValueError:
        return escape[0]
