"""Find the document that a page declares: <main> or <article>; inside it (or anywhere) the title and the
bodies of the article by their names.

Names alone are not trusted: bodies must contain half of the text of the smallest element around title and
bodies, and a quarter of the page's. That element is the document. What follows the last body in it (shares,
authors, related posts, comments) is removed, unless it has a quarter as much text as the bodies. What
precedes the title is removed except for images: themes put the image of a post above its title or between
title and body.
"""

from __future__ import annotations

from collections.abc import Sequence

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.page.main.names import is_body, is_title
from leafinstruct.ingest.page.nodes import (
    CANDIDATES,
    HEADINGS,
    IMAGES,
    MAIN,
    Element,
    common,
    outermost,
    size,
    weight,
)

_HEAVY = 0.8
"""Share of the text of all <article>s that makes one of them the document."""
_BODIES = (
    "[class*=content], [class*=body], [class*=text], [class*=prose], [class*=mw-parser], "
    "[class*=markdown], [itemprop*=articleBody]"
)
"""Selects every element that may be named a body."""
_ASIDE = 200
"""Maximum characters beside an image before the title."""


def declared_root(body: LexborNode, named: Sequence[Element]) -> LexborNode:
    """<main>, else the only or by far longest <article>, else the body. A declared root must contain a
    quarter of the remaining text. named: the elements of the page that names.NAMED selects, some of which
    were removed. They show what need not be searched."""
    has_main = any(tag == "main" or attributes.get("role") == "main" for _, tag, attributes in named)
    has_article = any(tag == "article" for _, tag, _ in named)
    has_body = any(is_body(attributes) for _, _, attributes in named)
    declared = (body.css(MAIN)[:1] if has_main else []) or (
        outermost(body.css("article")) if has_article else []
    )
    sizes = [size(node) for node in declared]
    if not sizes or max(sizes) < max(_HEAVY * sum(sizes), size(body) / 4):
        root = body
    else:
        root = declared[sizes.index(max(sizes))]
    return _trimmed(body, root) if has_body else root


def title_outside(body: LexborNode, root: LexborNode) -> LexborNode | None:
    """The page's only <h1> if it is outside the root and no heading in the root is named title: many
    templates put it above <article>."""
    if root.css_first("h1") is not None or len(titles := body.css("h1")) != 1:
        return None
    return None if any(is_title(node.attributes) for node in root.css(HEADINGS)[:CANDIDATES]) else titles[0]


def _trimmed(body: LexborNode, root: LexborNode) -> LexborNode:
    """The element around the named title and bodies, cut to them; root if no element has such names."""
    bodies = outermost([node for node in root.css(_BODIES) if is_body(node.attributes)])
    if not bodies:
        return root
    first = _title_before(root, bodies[0]) or bodies[0]
    top = common([first, *bodies], root)
    bulk = sum(map(weight, bodies))
    if bulk < max(weight(top) / 2, weight(body) / 4):
        return root
    _cut_behind(bodies[-1], top, bulk / 4)
    _cut_before(first, top)
    return top


def _title_before(root: LexborNode, body: LexborNode) -> LexborNode | None:
    """The heading that is named title, if there is only one, else the only <h1>; None if it is not before the
    body."""
    headings = root.css(HEADINGS)[:CANDIDATES]
    named = [node for node in headings if is_title(node.attributes)] or [
        node for node in headings if node.tag == "h1"
    ]
    if len(named) != 1:
        return None
    order = [node.mem_id for node in root.css(f"{HEADINGS}, {_BODIES}")]
    return named[0] if order.index(named[0].mem_id) < order.index(body.mem_id) else None


def _cut_behind(node: LexborNode, top: LexborNode, much: float) -> None:
    while node.mem_id != top.mem_id and node.parent is not None:
        other = node.next
        while other is not None:
            following = other.next
            if weight(other) < much:
                other.decompose()
            other = following
        node = node.parent


def _cut_before(node: LexborNode, top: LexborNode) -> None:
    while node.mem_id != top.mem_id and node.parent is not None:
        other = node.prev
        while other is not None:
            following = other.prev
            if other.tag != "img" and not _is_image(other):
                other.decompose()
            other = following
        node = node.parent


def _is_image(node: LexborNode) -> bool:
    return not node.tag or (
        node.tag[0] != "-" and node.css_first(IMAGES) is not None and size(node) <= _ASIDE
    )
