"""The title that a page states: its h1, else the title in its head, without the name of its site.

    head = read_head(found, named, metas, url)   before the tree is pruned: og:title, twitter:title, <title>,
                                                 headlines, and the names of the site
    head.title(nodes)                            after it: nodes as `boilerplate.content` returns them

Among several h1s of the document, the title is the first that the head agrees with; else the only one, or the
first one if the head states no title. An h1 that is marginal (a byline, a date), generic (Menu) or the site's
name is skipped. An h1 that the head does not agree with is the heading of a section if it is after paragraphs
or has the name of one (Ingredients, Step 1). For an h1 that only contains an image, its alternative text is
used.

The site's names: og:site_name, application-name, the publisher or WebSite of JSON-LD, the registered domain
and its first label, the text of logos, site titles and links to the home page, an h1 of a header with
navigation, and `© 2024 My Kitchen`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.marginal import is_byline, is_date, is_generic, is_marginal
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.title import can_be_title, is_section, without_site
from leafinstruct.ingest.page.main.names import is_title
from leafinstruct.ingest.page.nodes import CANDIDATES, Attributes, ByTag, Element, is_inside
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.ingest.page.walk import Block, walk
from leafinstruct.records.text.words import folded
from leafinstruct.records.url import domain_of, host_of

LEAD = 300
"""Maximum characters of text before an h1 that nothing else confirms as the title."""
MAX_JSON = 1 << 18
"""Maximum characters of a JSON-LD script that is read; those of articles have a hundredth of it."""
LONG = 800
"""Maximum characters of a heading or title that is checked, since pages may be hostile."""
MANY = 16
"""Maximum titles, h1s and logos of a page that are checked."""
MAX_NAME = 80
"""Maximum characters of a site's name."""
_JSON_LD = "application/ld+json"
_TITLES = ("og:title", "twitter:title")
_LATE_TITLES = ("dc.title", "dcterms.title", "citation_title")
_SITES = frozenset(
    {
        "og:site_name",
        "application-name",
        "apple-mobile-web-app-title",
        "twitter:site",
        "dc.publisher",
        "citation_journal_title",
    }
)
_LOGO_CLASS = re.compile(r"site-?name|site-title|logo|brand|masthead")
_LOGO_ID = re.compile(r"site-(?:name|title)|logo")
_LOGO = re.compile(r"logo|brand|site-?(?:title|name)|masthead", re.IGNORECASE)
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright)\W{0,4}(?:\d{4}\W{0,4}){0,2}(?:by\s)?(?P<name>[^.|·•\n]{2,80}?)"
    r"(?:\W{1,4}\d{4}){0,2}(?:\.|\||·|•|,|\s+all rights|$)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d?);", re.IGNORECASE)
_ARTICLES = re.compile(
    r"article|posting|recipe|howto|webpage|report|creativework|course|tutorial", re.IGNORECASE
)
_OWNERS = re.compile(r"website|organization|newsmediaorganization|corporation|blog$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Head:
    """What the head states. stated: titles, the best first, as the page writes them. sites: names of the
    site. slug: last step of the page's URL."""

    stated: tuple[str, ...]
    sites: frozenset[str]
    slug: str

    def title(self, nodes: Sequence[LexborNode], pieces: Sequence[Block | PageImage]) -> str | None:
        """The page's title, or None if it states none. nodes: of the document. pieces: parsed from them."""
        own = [text for node in _h1s(nodes) if 0 < len(text := _text_of(node)) <= LONG]
        first = next(
            (
                piece.text
                for piece in pieces
                if isinstance(piece, Block) and piece.kind == "heading" and piece.text not in own
            ),
            "",
        )[:LONG]
        sites = {*self.sites, *self._bare_site(own, first)}
        folded_sites = {folded(site) for site in sites}
        h1s = [text for text in own if folded(text) not in folded_sites]
        known = [text for text in (*h1s, first) if can_be_title(text) or is_byline(text)]
        head = self._of_head(sites, known)
        h1s = [
            text
            for text in h1s
            if can_be_title(text) or (is_byline(text) and folded(text) in map(folded, head))
        ]
        for text in h1s:
            if any(_agree(text, other) for other in head):
                return text
        h1s = [text for text in h1s if not is_section(text)]
        if h1s and not head:
            return h1s[0]
        if len(h1s) == 1 and _leads(h1s[0], pieces):
            return h1s[0]
        if head:
            return head[0]
        only = [text for text in own if can_be_title(text) and not is_section(text)]
        return only[0] if only else None

    def _of_head(self, sites: set[str], known: Sequence[str]) -> list[str]:
        """The titles of the head that can be the page's, without the site's name."""
        found: list[str] = []
        for text in self.stated:
            bare = without_site(text, sites, [*known, *found], self.slug)
            twice = (
                is_byline(bare) and sum(folded(bare) in folded(other) for other in (*self.stated, *known)) > 1
            )
            if can_be_title(bare) or (twice and not is_date(bare)):
                found.append(bare)
        return found

    def _bare_site(self, h1s: Sequence[str], first: str) -> Iterator[str]:
        """Yield an h1 that is the last part of <title>, if the rest of <title> equals the URL, another
        statement or the next heading.

        The order in <title> alone is not enough: an h1 that nothing else confirms is more often the title
        than the name of the site.
        """
        others = {folded(text).replace(" ", "") for text in (first, self.slug, *self.stated)} - {""}
        for text in h1s:
            for title in self.stated:
                if not folded(title).endswith(folded(text)):
                    continue
                rest = folded(without_site(title, [text])).replace(" ", "")
                if rest in others and rest != folded(title).replace(" ", ""):
                    yield text


def read_head(
    found: ByTag, elements: Sequence[Element], meta: Sequence[Attributes], url: str | None = None
) -> Head:
    """Read what a page states about its title and its site. found: its elements. elements: those that
    names.NAMED selects. meta: the attributes of its <meta> elements with content. url: of the page, None if
    unknown."""
    metas = _metas(meta)
    stated = [metas[name] for name in _TITLES if name in metas]
    stated += [
        text for node in found["title"][:4] if not _in_drawing(node) and (text := _clean(node.text()))
    ][:1]
    headlines, owners = _json_ld(found["script"])
    stated += headlines
    named = _named(elements)
    stated += [_clean(node.attributes.get("content") or node.text()) for node in named.headlines[:1]]
    stated += [metas[name] for name in _LATE_TITLES if name in metas]
    sites = {text.lstrip("@") for name, text in metas.items() if name in _SITES} | {
        *owners,
        *_hosts(url),
        *_shown(named, found, url),
    }
    wanted = frozenset(name for name in sites if 1 < len(name) <= MAX_NAME and not is_generic(name))
    return Head(
        tuple(text for text in dict.fromkeys(stated) if 0 < len(text) <= LONG)[:MANY], wanted, _slug(url)
    )


def before_title(pieces: Sequence[Block | PageImage], title: str | None) -> tuple[Block | PageImage, ...]:
    """Remove the marginal lines before the heading of the title: breadcrumb, date, byline, share line; and
    headings directly after it that repeat it.

    Only if a heading has exactly the title's text; only texts that are prose, a list or a heading, of at most
    MAX_MARGINAL characters per line, and entirely marginal. Images and real paragraphs before the heading are
    kept, in their order.
    """
    at = next((index for index, piece in enumerate(pieces) if _is_heading(piece, title)), 0)
    kept = [
        piece
        for piece in pieces[:at]
        if isinstance(piece, PageImage)
        or piece.kind not in ("prose", "list", "heading")
        or not _all_marginal(piece.text)
    ]
    again = at + 1
    while again < len(pieces) and _is_heading(pieces[at], title) and _is_heading(pieces[again], title):
        again += 1
    return (*kept, *pieces[at : at + 1], *pieces[again:])


def _all_marginal(text: str) -> bool:
    """Whether every line of a text is marginal, or the text as a whole is."""
    return is_marginal(text) or all(is_marginal(line.lstrip("-0123456789. ")) for line in text.split("\n"))


def _is_heading(piece: Block | PageImage, title: str | None) -> bool:
    return isinstance(piece, Block) and piece.kind == "heading" and piece.text == title


def _leads(text: str, pieces: Sequence[Block | PageImage]) -> bool:
    """Whether there is little text before an h1. An h1 with only an image is found by the image."""
    before = 0
    for piece in pieces:
        if (piece.alt if isinstance(piece, PageImage) else piece.text) == text:
            return before <= LEAD
        before += 0 if isinstance(piece, PageImage) else len(piece.text)
    return True


def _agree(h1: str, title: str) -> bool:
    """Whether two titles are the same: equal except for case and punctuation, or one contains the other and
    is at most twice as long."""
    short, long = sorted((folded(h1), folded(title)), key=len)
    return short == long or (2 * len(short) >= len(long) and short in long)


def _h1s(nodes: Sequence[LexborNode]) -> list[LexborNode]:
    found: dict[int, LexborNode] = {}
    for node in nodes:
        for h1 in [node] if node.tag == "h1" else node.css("h1")[:CANDIDATES]:
            found.setdefault(h1.mem_id, h1)
    return list(found.values())


def _text_of(h1: LexborNode) -> str:
    """An h1's text in the document, else the alternative text of its image."""
    pieces = walk([h1])
    text = " ".join(piece.text for piece in pieces if isinstance(piece, Block))
    return text or next((piece.alt for piece in pieces if isinstance(piece, PageImage)), "")


def _metas(elements: Sequence[Attributes]) -> dict[str, str]:
    """Name or property of each <meta>, in lower case -> its first content that is not empty."""
    found: dict[str, str] = {}
    for attributes in elements:
        name = (attributes.get("property") or attributes.get("name") or "").lower()
        if name and (content := _clean(attributes.get("content") or "")):
            found.setdefault(name, content)
    return found


def _clean(text: str) -> str:
    """The text on one line, without entities that were escaped twice."""
    return one_line(html.unescape(text) if "&" in text and _ENTITY.search(text) else text)


def _in_drawing(node: LexborNode) -> bool:
    above = node.parent
    while above is not None and above.tag not in ("svg", "head"):
        above = above.parent
    return above is not None and above.tag == "svg"


def _hosts(url: str | None) -> Iterator[str]:
    host = host_of(url)
    if host:
        domain = domain_of(host)
        yield from (host, f"www.{host}", domain, domain.partition(".")[0])


def _slug(url: str | None) -> str:
    try:
        steps = [step for step in urlsplit(url or "").path.split("/") if step]
    except ValueError:
        return ""
    return re.sub(r"\.\w{1,5}$|[-_]\d+$", "", unquote(steps[-1])) if steps else ""


class _Named(NamedTuple):
    """Elements by what their names state: headlines, names of the site, footers."""

    headlines: list[LexborNode]
    logos: list[LexborNode]
    footers: list[LexborNode]


def _named(elements: Sequence[Element]) -> _Named:
    named = _Named([], [], [])
    for node, tag, attributes in elements:
        class_, id_ = attributes.get("class") or "", attributes.get("id") or ""
        if "headline" in (attributes.get("itemprop") or "").split():
            named.headlines.append(node)
        if (
            _LOGO_CLASS.search(class_)
            or _LOGO_ID.search(id_)
            or "home" in (attributes.get("rel") or "").lower().split()
        ):
            named.logos.append(node)
        if tag == "footer" or "copyright" in class_ or "footer" in class_ or "footer" in id_:
            named.footers.append(node)
    return named


def _shown(named: _Named, found: ByTag, url: str | None) -> Iterator[str]:
    """The names that the page shows for its site."""
    headings = [node for node in found["h1"][:CANDIDATES] if is_inside(node, "header")]
    for node in [*named.logos[:CANDIDATES], *headings]:
        if node.tag in ("html", "body", "main", "article") or is_title(node.attributes) or _in_document(node):
            continue
        if node.tag == "h1" and not _is_logo(node):
            continue
        yield from _name_of(node)
    host = host_of(url)
    for link in found["a"][: 4 * CANDIDATES]:
        href = one_line(link.attributes.get("href") or "")
        if href in ("/", "./", "/index.html") or (
            host
            and "//" in href.replace("\\", "/")
            and host_of(href) == host
            and urlsplit(href).path in ("", "/")
            and not urlsplit(href).query
        ):
            yield from _name_of(link)
    for node in named.footers[:8]:
        text = one_line(node.text(separator=" "))[:LONG]
        if any(sign in text.lower() for sign in ("©", "(c)", "copyr")) and (owner := _COPYRIGHT.search(text)):
            yield owner["name"].strip()


def _in_document(node: LexborNode) -> bool:
    """Whether an element is inside <main> or <article>, where `brand` and `logo` may be the document's
    subject."""
    above: LexborNode | None = node
    while above is not None:
        if above.tag in ("main", "article") or above.attributes.get("role") == "main":
            return node.tag != "a" or (node.attributes.get("href") or "") != "/"
        above = above.parent
    return False


def _is_logo(h1: LexborNode) -> bool:
    """Whether an h1 is named logo, links to the home page, or is in a header with navigation."""
    if _LOGO.search(" ".join((h1.attributes.get("class") or "", h1.attributes.get("id") or ""))):
        return True
    if (link := h1.css_first("a[href]")) is not None and (link.attributes.get("href") or "") in ("/", "./"):
        return True
    above = h1.parent
    while above is not None and above.tag != "header":
        above = above.parent
    return above is not None and above.css_first("nav, ul, form") is not None


def _name_of(node: LexborNode) -> Iterator[str]:
    text = one_line(node.text(separator=" "))
    if text:
        yield text
    image = node.css_first("img")
    if image is not None:
        yield one_line(image.attributes.get("alt") or "")


def _json_ld(scripts: Sequence[LexborNode]) -> tuple[list[str], list[str]]:
    """Headlines of articles and names of sites and publishers in JSON-LD."""
    headlines: list[str] = []
    owners: list[str] = []
    data = (node for node in scripts if (node.attributes.get("type") or "").lower() == _JSON_LD)
    for script in islice(data, 8):
        text = script.text()
        try:
            waiting: list[Any] = [json.loads(text)] if len(text) <= MAX_JSON else []
        except (ValueError, RecursionError):
            continue
        for _ in range(CANDIDATES):
            if not waiting:
                break
            item = waiting.pop(0)
            if isinstance(item, list):
                waiting[:0] = item[:CANDIDATES]
            elif isinstance(item, dict):
                kind = item.get("@type")
                kinds = " ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
                headlines += _strings(
                    item.get("headline"), item.get("name") if _ARTICLES.search(kinds) else None
                )
                owners += _strings(item.get("name") if _OWNERS.search(kinds) else None)
                waiting += [item[key] for key in ("@graph", "mainEntity") if key in item]
                for key in ("publisher", "isPartOf", "sourceOrganization"):
                    owner = item.get(key)
                    owners += _strings(owner.get("name") if isinstance(owner, dict) else owner)
    return headlines, owners


def _strings(*values: object) -> list[str]:
    return [text for value in values if isinstance(value, str) and (text := _clean(value))]
