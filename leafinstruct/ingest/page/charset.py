"""Decode the bytes of a page, or of any other text.

Order of trust: a byte order mark; the zeros of UTF-16; then UTF-8, whatever is declared, because text in
another charset is not valid UTF-8 by chance beyond a few characters; then what is declared, HTTP before
<meta> before the XML declaration, with U+FFFD for each place that is no character; then detection. Pages
often declare a wrong charset, so a declaration counts only if most characters fit it. Labels and tables are
those of browsers (encodings).

UTF-8 with some damaged bytes (cut within a character, one pasted line) stays UTF-8: at least as many good
characters as bad ones if UTF-8 is declared, twice as many if nothing is, 50 times as many if something else
is. Text in another charset has at most a third (Thai), because its letters rarely look like UTF-8. A detector
that proposes UTF-8 is not believed, because UTF-8 was tried before.

Chosen: resiliparse (uchardet in native code) over charset-normalizer, which is pure Python.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain

from resiliparse.parse.encoding import detect_encoding

from leafinstruct.ingest.page.declared_charset import BEGINNING, declared
from leafinstruct.ingest.page.encodings import MULTIBYTE, SEVEN_BIT, Decoded, codec_of, decode_as

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DEFAULT = "cp1252"
"""Of pages that declare nothing and have nothing to detect, as in browsers for most languages."""
_SEEN = 1024
"""Bytes in which the zeros of UTF-16 are searched, and before the first byte that is not ASCII for
detection."""
_FEW, _ZEROS, _ONE_SIDE = 4, 16, 3
"""UTF-16 of a page or of subtitles has a zero byte in at least each 16th character, since tags and digits are
ASCII, and at least three times as many as in the other byte (一 has one there). Compressed data has fewer
than four in its beginning, or as many on both sides."""
_SHORT = 3
"""Bytes of UTF-8 beyond one per character, up to which valid UTF-8 can be a short text in a declared East
Asian charset. Three are one to three characters, and the chance of each is about 1 in 6."""
_SURE = 50
"""Good characters for each bad one, from which a page that declares another charset is UTF-8."""
_JAPANESE = b"\x1b$"
_ESCAPES = (_JAPANESE, b"\x1b(", b"~{")
"""What begins other characters in the charsets of seven bits. Programs have the last one, too, so it counts
only where such a charset is declared."""
_OTHER = re.compile(rb"(?:charset|coding)\s*+=\s*+[\"']?\s*+(?!utf)\w")
"""A charset other than UTF-8 that may be declared; most pages have none, and need not be searched."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def decode(data: bytes, http: str | None = None) -> str:
    """Return the text of the bytes. http: the charset of their Content-Type header, if any. Never raises;
    undecodable bytes become U+FFFD. Linear in the bytes."""
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return decode_as(data[len(mark) :], codec).text
    if codec := _utf16(data):
        return decode_as(data, codec).text
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _not_utf8(data, http)
    return _short(data, http, len(data) - len(text)) or text


def _utf16(data: bytes) -> str:
    """The byte order of UTF-16 without a mark; empty for other bytes."""
    head = data[:_SEEN]
    if b"\0" not in head:
        return ""
    first, second = head[::2].count(0), head[1::2].count(0)
    most = max(first, second)
    if most * 2 * _ZEROS < len(head) or most < _FEW or min(first, second) * _ONE_SIDE > most:
        return ""
    return "utf-16-be" if first > second else "utf-16-le"


def _short(data: bytes, http: str | None, more: int) -> str:
    """The text of valid UTF-8 that is declared as something else, and may be it: all of it is ASCII, or it
    has few characters beyond (more: bytes beyond one per character). Else empty."""
    # single bytes are found ten times as fast
    escaped = (b"\x1b" in data or b"~" in data) and any(escape in data for escape in _ESCAPES)
    if not escaped and (not 0 < more <= _SHORT or not (http or _OTHER.search(data[:BEGINNING].lower()))):
        return ""
    names = _codecs(data, http)
    if escaped:
        found = tuple(names) or ((_detected(data),) if _JAPANESE in data else ())
        codec = next((name for name in found if name in SEVEN_BIT), None)
    else:  # most pages declare UTF-8 at once
        codec = next(names, None)
        codec = codec if codec in MULTIBYTE and "utf-8" not in names else None
    if codec is None:
        return ""
    decoded = decode_as(data, codec)
    return "" if decoded.bad else decoded.text


def _not_utf8(data: bytes, http: str | None) -> str:
    utf8, names = decode_as(data, "utf-8"), tuple(_codecs(data, http))
    others = [name for name in names if name != "utf-8"]
    if _is_mostly(utf8, 2 if not names else 1 if names[0] == "utf-8" else _SURE):
        return utf8.text
    for codec in others:
        text = decode_as(data, codec)
        if _is_mostly(text, 1):
            return text.text
    detected = decode_as(data, _detected(data))
    return (
        detected.text if _is_mostly(detected, 1) else decode_as(data, others[0] if others else _DEFAULT).text
    )


def _is_mostly(decoded: Decoded, times: int) -> bool:
    """Whether the good characters beyond ASCII are at least so many times the bad places."""
    beyond = len(decoded.text) - len(decoded.text.encode("ascii", errors="ignore"))
    return beyond - decoded.bad >= times * decoded.bad


def _codecs(data: bytes, http: str | None) -> Iterator[str]:
    """The codecs that are declared, without repetition, the one that counts most first.

    UTF-16 is left out of HTTP's, and is UTF-8 in the page's (HTML Standard): text in it has zeros, which
    were not found.
    """
    ours = (
        "utf-8" if codec.startswith("utf-16") else codec for codec in map(codec_of, declared(data)) if codec
    )
    from_http = codec_of(http)
    first = [from_http] if from_http and not from_http.startswith("utf-16") else []
    yield from dict.fromkeys(chain(first, ours))


def _detected(data: bytes) -> str:
    """The codec of a detector, which reads from the first byte that is not ASCII."""
    first = _BEYOND_ASCII.search(data)
    found = detect_encoding(data[max(0, first.start() - _SEEN) if first else 0 :], html5_compatible=False)
    codec = codec_of(found) or found
    if not codec or codec.startswith("utf"):
        return _DEFAULT
    if codec == "koi8-r":
        return "koi8-u"  # the same with Ukrainian letters for box drawings
    try:
        codecs.lookup(codec)
    except LookupError:
        return _DEFAULT
    return codec
