"""Classify an element by its name, role or style: boilerplate, hidden, the body of an article, its title.

Themes everywhere use the same class names: `post-meta`, `related-posts`, `entry-content`. So names are split
into words (`jp-relatedPosts` is jp, related, posts), and a word counts where it names the element: first or
last. No rule names a site. Generated names (`css-1x7k9`) carry no meaning; then only the structure counts
(boilerplate).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.main.screens import is_for_others
from leafinstruct.ingest.page.media import matches
from leafinstruct.ingest.page.nodes import Attributes

_TAGS = word_set("nav aside footer")
_ROLES = word_set(
    "navigation banner contentinfo complementary search dialog alertdialog menu menubar toolbar"
)
_MARKS = word_set(
    """sr-only visually-hidden visuallyhidden screen-reader-text screenreader-text headerlink header-anchor
    hash-link anchorjs-link mw-editsection mw-cite-backlink linenos lineno gutter line-numbers-rows
    site-header skip-link print-only visible-print visible-print-block noprint no-print hidden-print
    avatar byline adsbygoogle custom-logo"""
)
"""Classes that are boilerplate on any element: text for screen readers or printers only, permalink signs,
edit links, line numbers, emoji."""
_WORDS = word_set(
    """nav navbar navigation menu submenu topbar topnav breadcrumb breadcrumbs sidebar rail footer masthead
    branding logo dropdown megamenu offcanvas portlet ticker announcement skip skiplinks sitemap
    pagination pager paginator toc cookie cookies consent gdpr onetrust cookieconsent cmp popup popmake
    modal toast paywall newsletter subscribe signup login captcha share sharing social sharedaddy addtoany
    sharethis related relatedposts teaser teasers recommended recommendations trending outbrain taboola
    trc ad ads advert adverts advertisement adsense sponsor sponsored promo promoted comments commentlist
    disqus tagcloud byline catlinks printfooter ambox hatnote reflist"""
)
"""Words that name boilerplate as first or last word: `site-footer`, `share-buttons`. Excluded because content
uses them: widget (Elementor wraps all text in it), toolbar (code blocks), banner and header (titles), tags,
search, discussion (a part of papers), overlay."""
_WEAK = word_set(
    "comment respond reply replies discussions reviews rating ratings votes feedback meta dateline "
    "timestamp signature cart wishlist popular"
)
"""The same for boxes, but not for lists and cells: a table of books has ratings."""
_ANYWHERE = word_set(
    """cookie cookies consent gdpr onetrust cmp newsletter disqus breadcrumb breadcrumbs sharedaddy
    adsbygoogle share sharing related comments sponsored advertisement"""
)
"""Words that name boilerplate anywhere in a name: `qc-cmp2-container`, `elementor-widget-share-buttons`."""
_PHRASES = frozenset(
    tuple(phrase.split("-"))
    for phrase in word_set(
        """read-more read-also read-next most-read most-popular most-viewed also-like also-bought also-viewed
    recently-viewed to-top jump-to reading-time read-time video-player tag-cloud tag-list tag-links
    tags-links post-tags entry-tags article-tags post-labels post-date post-info about-author author-box
    author-bio author-info author-card author-profile author-description author-promo post-author
    entry-author author-details follow-us sign-up log-in load-more edit-page edit-this last-updated
    last-modified user-info user-details more-stories more-posts more-articles more-from next-post
    previous-post feed-links site-sub around-web"""
    )
)
"""Neighboring words that name boilerplate anywhere in a name."""
_STATES = word_set("has no with without is not open closed on off enabled disabled active visible")
"""First or last words of names that describe the state of a page, not an element: `has-sidebar`,
`comments-open`."""
_CONTAINERS = word_set("div section ul ol dl table td header p li ins")
_BOXES = word_set("div section header p li")
"""Only these are judged by class or id: `<h2 id="share">` is a heading about sharing, `<span
class="menu">File</span>` part of a sentence."""
_TELLING = frozenset({"class", "id", "style", "hidden", "aria-hidden"})
"""Attributes by which an element is judged."""
JUDGED = _TELLING | {"role", "width", "media"}
"""Attributes without which only the tag of an element can make it boilerplate: those, its role, and the width
and media of images."""
JUDGED_BY_TAG = word_set("nav aside footer header form main article")
"""Elements that are judged whatever attributes they have."""
NAMED = ", ".join(
    ["h1", *sorted(JUDGED_BY_TAG), *(f"[{name}]" for name in sorted({*JUDGED, "itemprop"})), "[rel~=home]"]
)
"""Selects every element that a rule on tags, names, roles or styles may recognize, and all h1s."""
_CACHED = 256
"""Maximum characters of a class attribute whose judgment is kept; a hostile one has megabytes."""
_WITH_SIZES = frozenset({"img", "amp-"})
"""Beginnings of tags that are also judged by other attributes."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_UNSEEN = re.compile(
    r"display:none|visibility:hidden|(?:left|top|right|text-indent):-\d{4,}(?:px|em)|"
    r"clip:rect\([01](?:px)?[, ]"
)
_BANNERS = frozenset(
    {(468, 60), (728, 90), (88, 31), (234, 60), (120, 600), (160, 600), (970, 250), (970, 90), (320, 50)}
)
"""Sizes (px) of advertisements that no image of an article has (IAB), without 300 x 250, which articles have
too."""
_WHOSE = word_set("entry post article story blog news single page")
_BODY = word_set("content body text prose")
_BODIES = word_set("mw-parser-output markdown-body s-prose e-content theme-doc-markdown")
_TITLE = word_set("title headline")


def is_structure(tag: str, attributes: Attributes) -> bool:
    """Whether tag or role alone exclude this element from the document."""
    return tag in _TAGS or attributes.get("role") in _ROLES


def is_boilerplate(tag: str, attributes: Attributes, inside: bool) -> bool:
    """Whether style, class or id name boilerplate, or the element is a form. inside: <main> or <article>,
    where ids are made from headings and are ignored."""
    if _TELLING.isdisjoint(attributes) and tag[:4] not in _WITH_SIZES:
        return tag == "form"
    if tag == "form" or is_hidden(attributes) or (tag == "img" and _is_banner(attributes)):
        return True
    if tag[:4] == "amp-" and not matches(attributes.get("media") or ""):
        return True
    written = attributes.get("class") or ""
    judge = _class_names if len(written) <= _CACHED else _class_names.__wrapped__
    if written and judge(tag, written):
        return True
    return not inside and tag in _CONTAINERS and _names_boilerplate(attributes.get("id") or "", tag in _BOXES)


@lru_cache(maxsize=4096)
def _class_names(tag: str, written: str) -> bool:
    """Whether a class attribute names boilerplate. The pages of a site have the same ones."""
    classes = written.split()
    return not _MARKS.isdisjoint(classes) or (
        tag in _CONTAINERS and any(_names_boilerplate(name, tag in _BOXES) for name in classes)
    )


def is_hidden(attributes: Attributes) -> bool:
    """Whether an element is never shown. A closed panel of tabs is not hidden."""
    if attributes.get("role") == "tabpanel":
        return False
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    style = (attributes.get("style") or "").replace(" ", "").lower()
    if style and _UNSEEN.search(style) is not None:
        return True
    written = attributes.get("class") or ""
    judge = _class_hides if len(written) <= _CACHED else _class_hides.__wrapped__
    return bool(written) and judge(written.lower())


@lru_cache(maxsize=4096)
def _class_hides(written: str) -> bool:
    """Whether a class attribute, in lower case, hides an element on this screen."""
    classes = written.split()
    printed = ("d-none" in classes or "hidden" in classes) and "print" in written
    return printed or is_for_others(written)


def is_body(attributes: Attributes) -> bool:
    """Whether an element is declared as the body of an article: `entry-content`, `post__body`, itemprop
    articleBody."""
    if "articleBody" in (attributes.get("itemprop") or ""):
        return True
    classes = (attributes.get("class") or "").split()
    return not _BODIES.isdisjoint(classes) or any(_is_article_part(name, _BODY) for name in classes)


def is_title(attributes: Attributes) -> bool:
    """Whether a heading is declared as the title of an article."""
    if "headline" in (attributes.get("itemprop") or ""):
        return True
    return any(_is_article_part(name, _TITLE) for name in (attributes.get("class") or "").split())


def _is_article_part(name: str, last: frozenset[str]) -> bool:
    words = name.lower().replace("_", "-").split("-")
    return words[0] in _WHOSE and words[-1] in last and len(words) > 1


@lru_cache(maxsize=4096)
def _names_boilerplate(name: str, box: bool) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[0] in _STATES or words[-1] in _STATES:
        return False
    ends = {words[0], words[-1]}
    known = not (
        _WORDS.isdisjoint(ends) and _ANYWHERE.isdisjoint(words) and _PHRASES.isdisjoint(pairwise(words))
    )
    return known or (box and not _WEAK.isdisjoint(ends))


def _is_banner(attributes: Attributes) -> bool:
    if not attributes.get("width"):
        return False
    sides = [(attributes.get(side) or "").removesuffix("px") for side in ("width", "height")]
    return (
        all(side.isdecimal() and len(side) < 5 for side in sides)
        and (int(sides[0]), int(sides[1])) in _BANNERS
    )
