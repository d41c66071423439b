"""Parse a page's bytes into blocks of text and images, in the order of the DOM: the core of the HTML and WARC
readers.

    bytes -> text (charset) -> tree (lexbor) -> the document's nodes (boilerplate) -> blocks and images (walk)

Chosen: selectolax's lexbor, an HTML5 parser: 15,400 of 37 real pages (7 kB) per second; lxml 14,400 and not
HTML5; resiliparse's own lexbor 17,300 with a poorer interface. This whole function reads 3.0 times as many
pages per second as trafilatura 2.3 in the same run (685 against 231 of those pages on a loaded machine),
whose words are as precise but fewer (recall 0.979 against 0.9995; benchmarks/extraction.py).

HTML5 tree building is quadratic in nesting: 100 kB of `<div>` cost seconds, 5 MB a quarter of an hour. Such
pages are rejected before they are parsed (nesting). It is also quadratic in the attributes of a tag
(attributes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from leafinstruct.images.optout import withheld
from leafinstruct.ingest.fields.reference import RejectedError
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.page.attributes import too_wide
from leafinstruct.ingest.page.charset import decode
from leafinstruct.ingest.page.main.boilerplate import content
from leafinstruct.ingest.page.nesting import too_expensive
from leafinstruct.ingest.page.nodes import IMAGES
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.ingest.page.stated import before_title, read_head
from leafinstruct.ingest.page.walk import Block, walk

MAX_PAGE = 32 << 20
"""Maximum bytes of a page; a longer one is no readable document."""
MAX_TAGS = 500_000
"""Maximum number of `<`. Searching a page takes about 10 microseconds each, and a document has at most 10,000
pieces."""
_HEAD, _BINARY = 1024, 0.02
"""Characters that distinguish text from binary data, and maximum share of control characters in text;
compressed data has a tenth."""
_CONTROL = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_EXPENSIVE = {
    "too_deep": "the page nests its elements so deeply that parsing it would take minutes",
    "too_wide": "the page has tags of so many attributes that parsing it would take minutes",
}
_LICENSES = ("link[rel~=license][href]", "a[rel~=license][href]")
_LICENSE_NAMES = frozenset({"license", "dc.rights", "dcterms.license", "dcterms.rights", "dc.license"})


class PageError(RejectedError):
    """A page gives no document."""


@dataclass(frozen=True, slots=True)
class Page:
    """A parsed page.

    pieces: in reading order, without marginal lines before the heading of the title (stated.before_title).
    base, canonical, og_url, license: as the page writes them (possibly relative), or None. license_is_link:
    whether the license is a URL, not a name. title: as the page states it (stated), or None. lost: reason and
    detail of what is inside elements that are not read.
    """

    pieces: tuple[Block | PageImage, ...]
    base: str | None
    canonical: str | None
    og_url: str | None
    license: str | None
    license_is_link: bool
    title: str | None = None
    lost: tuple[tuple[str, str], ...] = ()


def parse(data: bytes, charset: str | None = None, opt_out: bool = True, url: str | None = None) -> Page:
    """Parse a page. charset: of its HTTP header, if any. opt_out: whether a page that opts out of training is
    rejected. url: where the page was found, None for a local file.

    Raises PageError: empty, too_large, not_text, too_wide, too_deep, opt_out, no_body, no_content.
    """
    if not data.strip():
        raise PageError("empty", "the page has no bytes")
    if len(data) > MAX_PAGE:
        raise PageError("too_large", f"{len(data):,} bytes; pages above {MAX_PAGE:,} are not read")
    text = decode(data, charset)
    head = text[:_HEAD]
    if "\0" in head or len(_CONTROL.findall(head)) > _BINARY * len(head):
        raise PageError("not_text", "the file contains binary data")
    if (tags := text.count("<")) > MAX_TAGS:
        raise PageError("too_large", f"{tags:,} tags; pages with more than {MAX_TAGS:,} are not read")
    if wide := too_wide(text):
        raise PageError("too_wide", f"{wide}: parsing them would take minutes")
    if reason := too_expensive(text):
        raise PageError(reason, _EXPENSIVE[reason])
    tree = LexborHTMLParser(text)
    if opt_out and (statement := withheld(_meta(tree), "robots")):
        raise PageError("opt_out", f"the page opts out of training: {statement}")
    return _parsed(tree, url)


def _parsed(tree: LexborHTMLParser, found_at: str | None) -> Page:
    base, canonical, og_url = _href(tree, "base[href]"), _canonical(tree), _og_url(tree)
    license_, is_link = _license(tree)
    if tree.body is None or not (tree.body.text(strip=True) or tree.body.css_first(IMAGES)):
        raise PageError("no_body", "the page has a head and no content")
    own = found_at or canonical or og_url
    head = read_head(tree, own)
    nodes, lost = content(tree, _host(own))
    pieces = walk(nodes)
    if not pieces:
        raise PageError("no_content", "no text and no image is left without navigation and scripts")
    title = head.title(nodes, pieces)
    kept = before_title(pieces, title)
    return Page(kept, base, canonical, og_url, license_, is_link, title, tuple(lost))


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").netloc.lower()
    except ValueError:
        return ""


def _meta(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """Name and content of a page's <meta> elements."""
    return [
        (meta.attributes.get("name") or "", meta.attributes.get("content") or "")
        for meta in tree.css("meta[name][content]")
    ]


def _canonical(tree: LexborHTMLParser) -> str | None:
    """The page's canonical link, read as search engines do: in <head> only, and None if there are several
    different ones (RFC 6596; Google's guidelines)."""
    links = (link.attributes for link in tree.css("head link[rel][href]"))
    found = {
        one_line(link.get("href") or "")
        for link in links
        if "canonical" in (link.get("rel") or "").lower().split()
    } - {""}
    return found.pop() if len(found) == 1 else None


def _og_url(tree: LexborHTMLParser) -> str | None:
    node = tree.css_first("meta[property='og:url'][content]")
    return None if node is None else one_line(node.attributes.get("content") or "") or None


def _license(tree: LexborHTMLParser) -> tuple[str | None, bool]:
    """The license that a page states, and whether it is a link."""
    for selector in _LICENSES:
        if found := _href(tree, selector):
            return found, True
    return next(
        (one_line(content) or None for name, content in _meta(tree) if name.lower() in _LICENSE_NAMES), None
    ), False


def _href(tree: LexborHTMLParser, selector: str) -> str | None:
    node = tree.css_first(selector)
    return None if node is None else one_line(node.attributes.get("href") or "") or None
