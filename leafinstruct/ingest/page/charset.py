"""Decode the bytes of a page.

Pages often declare a wrong charset. Order of trust, by measurement: a byte order mark; then UTF-8, whatever
is declared, because text in another charset is never valid UTF-8 by chance beyond ASCII; then the declared
charset (HTTP before <meta>), if all bytes fit it; then detection. A page in UTF-8 with a few damaged bytes
(cut within a character, one pasted line) stays UTF-8 with U+FFFD there.

Chosen: resiliparse (uchardet in native code, and the WHATWG table of names: latin-1 means cp1252) over
charset-normalizer, which is pure Python.
"""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*+=\s*+["']?\s*+([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_DAMAGED = 0.02
"""Maximum share of damaged characters among the non-ASCII ones of a page in UTF-8."""


def decode(data: bytes, http: str | None = None) -> str:
    """Return the page's text. http: the charset of its Content-Type header, if any. Never raises; undecodable
    bytes become U+FFFD."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, errors="replace")
    declared = _declared(data, http)
    # the only family of charsets that uses ASCII bytes for other characters
    if declared is None or not declared.startswith("iso2022"):
        text = data.decode("utf-8", errors="replace")
        if _is_utf8(text):
            return text
    if declared is not None and declared != "utf-8":
        try:
            return data.decode(declared)
        except UnicodeDecodeError:
            pass
    return data.decode(detect_encoding(data) or "cp1252", errors="replace")


def _declared(data: bytes, http: str | None) -> str | None:
    """The first charset named by HTTP or <meta> that Python knows, with names read as in browsers."""
    meta = _META.search(data, 0, 4096)
    for label in (http, meta.group(1).decode() if meta else None):
        name = map_encoding_to_html5(label, fallback_utf8=False) if label else None
        if name:
            try:
                return codecs.lookup(name).name.replace("_", "")
            except LookupError:
                continue
    return None


def _is_utf8(text: str) -> bool:
    damaged = text.count("\ufffd")
    return damaged == 0 or damaged <= _DAMAGED * sum(not char.isascii() for char in text)
