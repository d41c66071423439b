"""What one record of a WARC file is to the reader: a page, an image, a redirect, a revisit, a loss, or
nothing.

    response   status 200: a page or an image by the media type of its HTTP head; a redirect to its Location
    resource   a page or an image by the Content-Type of the WARC header, which has no HTTP head behind it (wget, browsers, FTP)
    revisit    the capture of an address whose payload is kept by another record: by its digest, or by address and date
    not_http   a response of a web address whose head is none: what it was cannot be told, so it is a loss

Nothing to us, by their type: scripts, style sheets, fonts, JSON, plain text, errors, requests, metadata, DNS
answers, conversions. A file holds millions of them and they are no bad records. A record without a media type
is looked at (`looks_like_html`, after the table of the WHATWG's MIME Sniffing Standard, section 7.1), and is
else taken for an image if a page asks for it.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from fastwarc.warc import WarcRecord, WarcRecordType

from leafinstruct.images.archive import media, media_type, target
from leafinstruct.images.optout import withheld
from leafinstruct.ingest.fields.url import join, key, web

PAGES = frozenset({"text/html", "application/xhtml+xml"})
NOT_HTTP = "not_http"
NAME = 16
"""Characters of a page's name: 64 bits, so that a million pages share one with odds of one in thirty
million."""
_UNKNOWN = frozenset({"unknown/unknown", "application/unknown", "*/*"})
"""Media types that say nothing (MIME Sniffing Standard, section 7)."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--|<(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>])",
    re.IGNORECASE,
)


class Record(NamedTuple):
    """A record's start and what it is: at most one of page, image, revisit, and `location` (a redirect), or
    `loss`, a reason. A tuple, because a file has millions and a frozen dataclass takes three times as long to
    make.

    unnamed: it has no media type, so its body decides between page and image. names: by which revisits call a
    page, and which of them a revisit of a page calls. digest: of the payload of an image, or of a revisit of
    one. withheld: an image, and its HTTP head keeps it from training; a page's is looked at when the page is
    read.
    """

    offset: int
    url: str = ""
    page: bool = False
    image: bool = False
    unnamed: bool = False
    revisit: bool = False
    location: str = ""
    loss: str = ""
    names: tuple[str, ...] = ()
    digest: str = ""
    withheld: bool = False


def described(record: WarcRecord) -> Record:
    """What a record is. Parses its HTTP head and reads nothing of its body."""
    offset, kind = record.stream_pos, record.record_type
    if kind == WarcRecordType.response:
        return _response(offset, record)
    if kind == WarcRecordType.revisit:
        return _revisit(offset, record)
    if kind == WarcRecordType.resource:
        return _kept(offset, record, media_type(record.headers.get("Content-Type")))
    return Record(offset)


def looks_like_html(data: bytes) -> bool:
    """Whether a body without a media type begins as HTML does."""
    return _HTML.match(data) is not None


def _response(offset: int, record: WarcRecord) -> Record:
    if not record.is_http:
        # else the answer of another protocol: dns:
        return Record(offset, loss=NOT_HTTP if web(target(record)) else "")
    record.parse_http(quirks_mode=True)
    status = record.http_headers.status_code
    if status is None:
        return Record(offset, loss=NOT_HTTP)
    if status == 200:
        return _kept(offset, record, media(record))
    return _redirect(offset, record) if status in _REDIRECTS else Record(offset)


def _kept(offset: int, record: WarcRecord, kind: str) -> Record:
    """A record with a payload of its own: a page, or what may be an image."""
    page, unnamed = kind in PAGES, "/" not in kind or kind in _UNKNOWN
    if not page and kind.startswith("text/"):
        return Record(offset)
    digest = _digest(record)
    try:
        url = key(target(record))
    except ValueError:  # a malformed address can be neither found nor followed
        return Record(offset, page=page, unnamed=unnamed, names=_names(digest, "", ""))
    if page:
        return Record(
            offset,
            url,
            page=True,
            names=_names(digest, url, record.headers.get("WARC-Date") or ""),
            digest=digest,
        )
    names = _names(digest, url, record.headers.get("WARC-Date") or "") if unnamed else ()
    kept = bool(record.http_headers is not None and withheld(record.http_headers.items()))
    return Record(offset, url, image=not unnamed, unnamed=unnamed, names=names, digest=digest, withheld=kept)


def _redirect(offset: int, record: WarcRecord) -> Record:
    try:
        url = target(record)
        return Record(offset, key(url), location=join(url, record.http_headers.get("Location") or ""))
    except ValueError:
        return Record(offset)


def _revisit(offset: int, record: WarcRecord) -> Record:
    """A capture that says "as that one": of a page, a redirect, or of an image. One without an HTTP head is
    taken for an image's."""
    status, kind = None, ""
    if record.is_http:
        record.parse_http(quirks_mode=True)
        status, kind = record.http_headers.status_code, media(record)
    if status in _REDIRECTS:
        return _redirect(offset, record)
    other, digest = (record.headers.get("WARC-Refers-To-Target-URI") or "").strip("<> "), _digest(record)
    try:
        url = key(target(record))
        if kind in PAGES and status in (200, 304):  # 304: the profile server-not-modified
            names = _names(
                digest, key(other) if other else url, record.headers.get("WARC-Refers-To-Date") or ""
            )
            return Record(offset, url, revisit=True, page=True, names=names)
        return Record(
            offset, url, revisit=True, location=other if other and key(other) != url else "", digest=digest
        )
    except ValueError:
        return (
            Record(offset, revisit=True, page=True, names=_names(digest, "", ""))
            if kind in PAGES
            else Record(offset)
        )


def _digest(record: WarcRecord) -> str:
    return (record.headers.get("WARC-Payload-Digest") or "").strip().lower()


def _names(digest: str, url: str, date: str) -> tuple[str, ...]:
    """Names of a page: of its payload, and of its address at a time (to the second), as far as they are
    known."""
    texts = [digest] if digest else []
    texts += [f"{date[:19]} {url}"] if url and date else []
    return tuple(
        blake2b(text.encode(errors="surrogateescape"), digest_size=NAME // 2).hexdigest() for text in texts
    )
