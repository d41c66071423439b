"""Find the charsets that a page's bytes declare: <meta> elements, then the XML declaration.

Browsers read the whole page for a <meta>, since scripts before it may be long, and take neither one in a
comment nor one in a script (HTML Standard, "prescan a byte stream to determine its encoding" and "change the
encoding"). The same here, in the page's beginning; only bytes of ASCII matter, so all bytes are read as
Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from leafinstruct.ingest.page.nesting import tags

BEGINNING = 1 << 20
"""Bytes that are searched: at most 0.4 s for a hostile page, and every real <head>."""
_XML = re.compile(r"""\s*+<\?xml\s[^<>]{0,200}?\bencoding\s*+=\s*+["']([^"'<>]{1,40})["']""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?+""")
_CHARSET = re.compile(r"""charset\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s;"']++))""", re.IGNORECASE)


def declared(data: bytes) -> Iterator[str]:
    """Yield the labels of the page, the one that counts most first. A label may be unknown."""
    text = data[:BEGINNING].decode("latin-1")
    if "charset" in text.lower():
        for name, written in tags(text):
            if name == "meta" and (label := _of_meta(written)):
                yield label
    if (found := _XML.match(text)) is not None:
        yield found[1]


def _of_meta(written: str) -> str | None:
    """The label of a <meta> with these attributes: its charset, else that of a declared Content-Type."""
    attributes: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(written):
        attributes.setdefault(found[1].lower(), found[2] or found[3] or found[4] or "")
    if charset := attributes.get("charset", "").strip():
        return charset
    if attributes.get("http-equiv", "").strip().lower() != "content-type":
        return None
    declaration = _CHARSET.search(attributes.get("content", ""))
    return None if declaration is None else (declaration[1] or declaration[2] or declaration[3] or "").strip()
