"""Classify one record of a WARC file for the reader: a page, an image, a redirect, a revisit, a loss, or
nothing.

    response   status 200: a page or an image by the media type in its HTTP headers; or a redirect
    resource   a page or an image by the Content-Type of the WARC header, without HTTP headers (wget, FTP)
    revisit    a capture whose payload is stored in another record, named by digest, or by URL and date
    not_http   a response of a web URL without HTTP headers: its type is unknown, so it is a loss

Ignored, by their type: scripts, style sheets, fonts, JSON, plain text, errors, requests, metadata, DNS
answers, conversions. A file contains millions of them and they are no bad records. The content of a record
without a media type decides (`looks_like_html`, after the table of the WHATWG's MIME Sniffing Standard,
section 7.1); if it is no HTML, it counts as an image when a page refers to it.
"""

from __future__ import annotations

import io
import re
from hashlib import blake2b
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator, HeaderMap, WarcRecord, WarcRecordType

from leafinstruct.images.archive import media, media_type, target, url_text
from leafinstruct.images.http_head import with_clean_head
from leafinstruct.images.optout import withheld
from leafinstruct.ingest.archive.cdxj import time_of
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.fields.url import join, web

PAGES = frozenset({"text/html", "application/xhtml+xml"})
NOT_HTTP = "not_http"
NAME = 16
"""Characters of a page's name: 64 bits, so that two of a million pages share one with odds of one in thirty
million."""
_UNKNOWN = frozenset({"unknown/unknown", "application/unknown", "*/*"})
"""Media types without meaning (MIME Sniffing Standard, section 7)."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--|<(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>])",
    re.IGNORECASE,
)


class Record(NamedTuple):
    """A record's start and its class: at most one of page, image, revisit, `location` (a redirect) and `loss`
    (a reason). A tuple, because a file has millions of records and a frozen dataclass takes three times as
    long to create.

    unnamed: it has no media type, so its body decides between page and image. names: the names by which
    revisits refer to a page, or those that a revisit of a page refers to. digest: of the payload of an image,
    or of a revisit of one. withheld: an image whose HTTP headers opt out of training; those of a page are
    checked when the page is read. odd_head: FastWARC cannot split the HTTP head into lines, so the other
    fields are wrong (`from_bytes` reads such a record). capture: time, status, media type and URL of an image
    or a redirect, for an index of the crawl.
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
    odd_head: bool = False
    capture: str = ""


def described(record: WarcRecord) -> Record:
    """Classify a record. Parses its HTTP headers and does not read its body."""
    offset, kind = record.stream_pos, record.record_type
    if kind == WarcRecordType.response:
        return _response(offset, record)
    if kind == WarcRecordType.revisit:
        return _revisit(offset, record)
    if kind == WarcRecordType.resource:
        return _payload(offset, record, media_type(record.headers.get("Content-Type")))
    return Record(offset)


def from_bytes(offset: int, data: bytes) -> Record:
    """Classify a record with an odd HTTP head from its first bytes. A head that cannot be read is a loss."""
    try:
        record = next(ArchiveIterator(io.BytesIO(with_clean_head(data, len(data)))), None)
        found = None if record is None else described(record)
    except (OSError, ValueError):
        found = None
    return Record(offset, loss=NOT_HTTP) if found is None or found.odd_head else found._replace(offset=offset)


def looks_like_html(data: bytes) -> bool:
    """Whether a body without a media type begins like HTML."""
    return _HTML.match(data) is not None


def _response(offset: int, record: WarcRecord) -> Record:
    if not record.is_http:
        # other protocols, such as dns:, are ignored
        return Record(offset, loss=NOT_HTTP if web(target(record)) else "")
    record.parse_http(quirks_mode=True)
    if _is_odd(record.http_headers):
        return Record(offset, odd_head=True)
    status = record.http_headers.status_code
    if status is None:
        return Record(offset, loss=NOT_HTTP)
    if status == 200:
        return _payload(offset, record, media(record))
    return _redirect(offset, record) if status in _REDIRECTS else Record(offset)


def _is_odd(head: HeaderMap) -> bool:
    """Whether FastWARC took several lines of an HTTP head for one, or an empty line for the first."""
    first = head.status_line
    return not first or "\n" in first or "\r" in first or "\n" in "".join(head.values())


def _payload(offset: int, record: WarcRecord, kind: str) -> Record:
    """Classify a record with its own payload: a page, or a possible image."""
    page, unnamed = kind in PAGES, "/" not in kind or kind in _UNKNOWN
    if not page and kind.startswith("text/"):
        return Record(offset)
    digest = _digest(record)
    written = target(record)
    try:
        url = key(written)
    except ValueError:  # a malformed URL can be neither found nor followed
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
    opted_out = bool(record.http_headers is not None and withheld(record.http_headers.items()))
    return Record(
        offset,
        url,
        image=not unnamed,
        unnamed=unnamed,
        names=names,
        digest=digest,
        withheld=opted_out,
        capture=_capture(record, kind, written),
    )


def _redirect(offset: int, record: WarcRecord) -> Record:
    try:
        url = target(record)
        # as bytes: FastWARC decodes HTTP headers as Latin-1
        location = url_text(record.http_headers.get_bytes(b"Location") or b"")
        return Record(
            offset, key(url), location=join(url, location), capture=_capture(record, media(record), url)
        )
    except ValueError:
        return Record(offset)


def _revisit(offset: int, record: WarcRecord) -> Record:
    """Classify a revisit: of a page, a redirect, or an image. One without HTTP headers counts as an
    image's."""
    status, kind = None, ""
    if record.is_http:
        record.parse_http(quirks_mode=True)
        if _is_odd(record.http_headers):
            return Record(offset, odd_head=True)
        status, kind = record.http_headers.status_code, media(record)
    if status in _REDIRECTS:
        return _redirect(offset, record)
    other, digest = (record.headers.get("WARC-Refers-To-Target-URI") or "").strip("<> "), _digest(record)
    try:
        written = target(record)
        url = key(written)
        if kind in PAGES and status in (200, 304):  # 304: the profile server-not-modified
            names = _names(
                digest, key(other) if other else url, record.headers.get("WARC-Refers-To-Date") or ""
            )
            return Record(offset, url, revisit=True, page=True, names=names)
        return Record(
            offset,
            url,
            revisit=True,
            location=other if other and key(other) != url else "",
            digest=digest,
            capture=_capture(record, kind if digest else "warc/revisit", written),
        )
    except ValueError:
        return (
            Record(offset, revisit=True, page=True, names=_names(digest, "", ""))
            if kind in PAGES
            else Record(offset)
        )


def _capture(record: WarcRecord, kind: str, url: str) -> str:
    status = record.http_headers.status_code if record.http_headers is not None else None
    time = time_of(record.headers.get("WARC-Date") or "")
    return f"{time} {status or '-'} {''.join(kind.split()) or 'unk'} {url}"


def _digest(record: WarcRecord) -> str:
    return (record.headers.get("WARC-Payload-Digest") or "").strip().lower()


def _names(digest: str, url: str, date: str) -> tuple[str, ...]:
    """The names of a page: one of its payload, one of its URL and time (to the second), as far as they
    are known."""
    texts = [digest] if digest else []
    texts += [f"{date[:19]} {url}"] if url and date else []
    return tuple(
        blake2b(text.encode(errors="surrogateescape"), digest_size=NAME // 2).hexdigest() for text in texts
    )
