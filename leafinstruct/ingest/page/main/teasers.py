"""Remove teasers: rows of boxes that each contain an image and a text with a link to the same other page.

Their class names are often generated, they are inside <article>, and their excerpts are prose, so neither
names nor the density of links identify them; their links do. These are kept: a single box (a linked image
with its product beside it is part of a guide), boxes with much text, images that link to their own larger
file or to another site, and rows that are half of the page (a page that is a list of pages).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.page.nodes import HEADINGS, IMAGES, is_small, size, weight

_BESIDE = 300
"""Maximum characters outside links in a teaser; an entry of a list with more is text."""
_LEVELS = 5
"""Elements around a linked image among which the box of the teaser is searched for."""
_BOX = 64
"""Maximum nodes in the box of a teaser."""
_ROOTS = frozenset({"body", "main", "html"})
_HOST = re.compile(r"(?:https?:)?//([^/:?#]*)", re.IGNORECASE)
_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp|svg)$", re.IGNORECASE)


def remove_teasers(body: LexborNode, linked: Sequence[LexborNode], host: str) -> None:
    """Remove the rows, and the headings that are left over them. linked: the links with images. host: of the
    page, empty if unknown."""
    rows: dict[int, dict[int, LexborNode]] = defaultdict(dict)
    for link in linked:
        item = _teaser(link, host)
        if item is not None and item.parent is not None:
            rows[item.parent.mem_id][item.mem_id] = item
    half = size(body) / 2 if rows else 0
    for row in rows.values():
        items = list(row.values())
        if len(items) > 1 and sum(map(size, items)) <= half:
            parent = items[0].parent
            for item in items:
                item.decompose()
            _remove_emptied(parent)


def _teaser(link: LexborNode, host: str) -> LexborNode | None:
    """The box around a linked image, with a text that links to the same page and little beside it; None if it
    is no teaser."""
    attributes = link.attributes
    href = attributes.get("href") or ""
    if (
        "href" not in attributes
        or href.startswith("#")
        or _FILE.search(href.partition("?")[0])
        or _leads_away(href, host)
    ):
        return None
    box: LexborNode | None = link
    for _ in range(_LEVELS):
        if box is None or box.tag in _ROOTS or not is_small(box, _BOX):
            return None
        if any(other.attributes.get("href") == href and size(other) for other in (box, *box.css("a[href]"))):
            return _widened(box) if _has_little_text(box, images=2) else None
        box = box.parent
    return None


def _leads_away(href: str, host: str) -> bool:
    """Whether a link leads to another site, as those of a guide to products do; False if the page's own is
    unknown."""
    found = _HOST.match(href)
    return found is not None and host != "" and found[1].lower() != host


def _widened(box: LexborNode) -> LexborNode:
    """The outermost element that contains nothing but the teaser; rows are made of such elements side by
    side."""
    images = len(box.css(IMAGES))
    for _ in range(_LEVELS):
        parent = box.parent
        if (
            parent is None
            or parent.tag in _ROOTS
            or not is_small(parent, _BOX)
            or not _has_little_text(parent, images)
        ):
            break
        box = parent
    return box


def _has_little_text(box: LexborNode, images: int) -> bool:
    return weight(box) <= _BESIDE and len(box.css(IMAGES)) <= images


def _remove_emptied(node: LexborNode | None) -> None:
    """Remove the rest of a row: the boxes around it that contain only its heading."""
    while node is not None and node.tag not in _ROOTS and node.css_first(IMAGES) is None:
        if size(node) > sum(size(heading) for heading in node.css(HEADINGS)):
            return
        above = node.parent
        node.decompose()
        node = above
