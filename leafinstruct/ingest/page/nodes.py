"""Queries on a page's tree, with bounds: a hostile page has ten thousand of everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

from selectolax.lexbor import LexborNode

IMAGES = "img, amp-img, amp-anim"
"""Elements that show an image."""
IMAGE_TAGS = frozenset(IMAGES.split(", "))
MAIN = "main, [role=main]"
HEADINGS = "h1, h2, h3, h4"
CANDIDATES = 64
"""Maximum nodes of a kind that are checked; the article is one of the first or does not exist."""


Attributes = Mapping[str, str | None]
Element = tuple[LexborNode, str, Attributes]
"""An element, its tag and its attributes."""
ByTag = Mapping[str, Sequence[LexborNode]]
"""The elements of each tag, in the order of the document; none for a tag that a tree does not have."""


def by_tag(root: LexborNode) -> ByTag:
    """Group the elements of a tree by their tags, root included.

    Takes about as long as three queries of the tree, so what several rules look for is gathered once.
    """
    found: dict[str, list[LexborNode]] = defaultdict(list)
    for node in root.traverse():
        found[node.tag or ""].append(node)
    return found


def elements(root: LexborNode, query: str) -> list[Element]:
    """The elements that match a query, each once, in the order of the document."""
    # the query returns an element once for each of its parts that matches
    once = {node.mem_id: node for node in root.css(query)}
    return [(node, node.tag or "", node.attributes) for node in once.values()]


def size(node: LexborNode) -> int:
    """Characters of text without white space between elements."""
    return len(node.text(strip=True))


def weight(node: LexborNode) -> int:
    """Characters of text outside links, which distinguish an article from a menu of the same length."""
    return size(node) - sum([len(link.text(strip=True)) for link in node.css("a")])


def images_of(root: LexborNode, found: ByTag) -> Sequence[LexborNode]:
    """Return the images of a tree in the order of the document. found: its elements."""
    if found["amp-img"] or found["amp-anim"]:
        return root.css(IMAGES)
    return found["img"]


def is_inside(node: LexborNode, tag: str) -> bool:
    """Whether a node is inside an element with a tag."""
    above = node.parent
    while above is not None and above.tag != tag:
        above = above.parent
    return above is not None


def within(nodes: Sequence[LexborNode], root: LexborNode) -> list[LexborNode]:
    """The nodes that are inside a root, and not in a part of the tree that was removed. No way up is taken
    twice."""
    known = {root.mem_id: True}
    kept = []
    for node in nodes:
        way: list[int] = []
        above: LexborNode | None = node
        while above is not None and (place := above.mem_id) not in known:
            way.append(place)
            above = above.parent
        inside = above is not None and known[above.mem_id]
        known.update(dict.fromkeys(way, inside))
        if inside:
            kept.append(node)
    return kept


def is_small(node: LexborNode, nodes: int) -> bool:
    """Whether a node contains fewer nodes than this. Stops counting there."""
    return sum(1 for _ in islice(node.traverse(include_text=True), nodes)) < nodes


def around(nodes: Sequence[LexborNode]) -> set[int]:
    """The nodes and all elements around them, by their memory address."""
    found: set[int] = set()
    for node in nodes:
        inner: LexborNode | None = node
        while inner is not None and inner.mem_id not in found:
            found.add(inner.mem_id)
            inner = inner.parent
    return found


def links_around(nodes: Sequence[LexborNode]) -> list[LexborNode]:
    """The <a> elements around any of the nodes, which are given in the order of the document, in this order.
    A page has many links and few images, so the way from these takes less time."""
    found: dict[int, LexborNode] = {}
    seen: set[int] = set()
    for node in nodes:
        own, above = [], node.parent
        while above is not None and above.mem_id not in seen:
            seen.add(above.mem_id)
            if above.tag == "a":
                own.append(above)
            above = above.parent
        found.update((link.mem_id, link) for link in reversed(own))
    return list(found.values())


def outermost(nodes: Sequence[LexborNode]) -> list[LexborNode]:
    """The nodes, given in the order of the document, that are inside no other one. Only the first CANDIDATES
    are checked."""
    found: list[LexborNode] = []
    chosen: set[int] = set()
    for node in nodes[:CANDIDATES]:
        above = node.parent
        while above is not None and above.mem_id not in chosen:
            above = above.parent
        if above is None:
            found.append(node)
            chosen.add(node.mem_id)
    return found


def common(nodes: Sequence[LexborNode], root: LexborNode) -> LexborNode:
    """The innermost element of root that contains all the nodes."""
    shared = around(nodes[:1])
    for node in nodes[1:]:
        shared &= around([node])
    inner: LexborNode | None = nodes[0]
    while inner is not None and inner.mem_id not in shared:
        inner = inner.parent
    return inner or root
