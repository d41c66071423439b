"""Parse a page's bytes into blocks of text and images, in the order of the DOM: the core of the HTML and WARC
readers.

    bytes -> text (charset) -> tree (lexbor) -> the document's nodes (boilerplate) -> blocks and images (walk)

Chosen: selectolax's lexbor, an HTML5 parser: 15,400 of 37 real pages (7 kB) per second; lxml 14,400 and not
HTML5; resiliparse's own lexbor 17,300 with a poorer interface. This whole function reads 4.1 times as many
pages per second as trafilatura 2.3 in the same run (885 against 216 of those pages, a loaded machine),
whose words are as precise but fewer (recall 0.979 against 0.9995; benchmarks/extraction.py). A third of its
time is native code (parser, queries, texts). What several rules look for is gathered once (nodes.by_tag,
nodes.elements), because each query of the tree takes 7 to 30 microseconds.

HTML5 tree building is quadratic in nesting: 100 kB of `<div>` cost seconds, 5 MB a quarter of an hour. Such
pages are rejected before they are parsed (nesting). It is also quadratic in the attributes of a tag
(attributes).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from leafinstruct.images.optout import withheld
from leafinstruct.ingest.fields.reference import RejectedError
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.page.attributes import too_wide
from leafinstruct.ingest.page.charset import decode
from leafinstruct.ingest.page.main.boilerplate import content
from leafinstruct.ingest.page.main.names import NAMED
from leafinstruct.ingest.page.nesting import too_expensive
from leafinstruct.ingest.page.nodes import IMAGES, Attributes, ByTag, Element, by_tag, elements, within
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
    root = tree.root
    assert root is not None, "the parser makes an <html> for any text"
    found, named = by_tag(root), elements(root, NAMED)
    metas = [attributes for meta in found["meta"] if "content" in (attributes := meta.attributes)]
    if opt_out and (statement := withheld(_named(metas), "robots")):
        raise PageError("opt_out", f"the page opts out of training: {statement}")
    return _parsed(tree, found, named, metas, url)


def _parsed(
    tree: LexborHTMLParser,
    found: ByTag,
    named: Sequence[Element],
    metas: Sequence[Attributes],
    found_at: str | None,
) -> Page:
    base, canonical, og_url = _href(found["base"]), _canonical(tree, found["link"]), _og_url(metas)
    license_, is_link = _license(found, metas)
    if tree.body is None or not _has_content(tree.body):
        raise PageError("no_body", "the page has a head and no content")
    own = found_at or canonical or og_url
    head = read_head(found, named, metas, own)
    nodes, lost = content(tree, found, named, _host(own))
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


def _has_content(body: LexborNode) -> bool:
    """Whether a body has any text or image. Mostly one of its first nodes is a text."""
    for node in body.traverse(include_text=True):
        if node.tag == "-text" and (text := node.text_content) and not text.isspace():
            return True
    return body.css_first(IMAGES) is not None


def _named(metas: Sequence[Attributes]) -> list[tuple[str, str]]:
    """Name and content of the <meta> elements that have a name."""
    return [(meta.get("name") or "", meta.get("content") or "") for meta in metas if "name" in meta]


def _canonical(tree: LexborHTMLParser, links: Sequence[LexborNode]) -> str | None:
    """The page's canonical link, read as search engines do: in <head> only, and None if there are several
    different ones (RFC 6596; Google's guidelines)."""
    links = [link for link in links if "canonical" in _relations(link.attributes)]
    in_head = within(links, tree.head) if links and tree.head is not None else []
    found = {one_line(link.attributes.get("href") or "") for link in in_head} - {""}
    return found.pop() if len(found) == 1 else None


def _relations(link: Attributes) -> list[str]:
    return (link.get("rel") or "").lower().split()


def _og_url(metas: Sequence[Attributes]) -> str | None:
    return next(
        (one_line(meta.get("content") or "") or None for meta in metas if meta.get("property") == "og:url"),
        None,
    )


def _license(found: ByTag, metas: Sequence[Attributes]) -> tuple[str | None, bool]:
    """The license that a page states, and whether it is a link."""
    for tag in ("link", "a"):
        licenses = [link for link in found[tag] if "license" in _relations(link.attributes)]
        if url := _href(licenses):
            return url, True
    return next(
        (one_line(content) or None for name, content in _named(metas) if name.lower() in _LICENSE_NAMES), None
    ), False


def _href(links: Sequence[LexborNode]) -> str | None:
    """Where the first element with an href leads."""
    written = (attributes["href"] for link in links if "href" in (attributes := link.attributes))
    return one_line(next(written, "") or "") or None
