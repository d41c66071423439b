"""Which side of an image its own text stands on, where the page's markup groups the two: a list item, a table
row, a card.

    <li>Peel the apples.<img></li>                    before
    <tr><td><img></td><td>Peel the apples.</td></tr>  behind
    <div><img><p>Peel the apples.</p></div>           behind
    <div><img><h3>Apples</h3><p>Peel them.</p></div>  behind

The element looked at is the innermost one round the image that holds text, headings and captions aside. It
must hold one image, or be a list item or a table row; text on both sides, or an element with other images,
says nothing. Bounds: a hostile page has ten thousand of everything.
"""

from __future__ import annotations

from itertools import islice
from typing import Literal

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.nodes import IMAGES

Side = Literal["before", "behind"]

LEVELS, CHILDREN = 6, 16
"""Elements round an image, and children of each, that are looked at; a card has fewer."""
_WHOLE = word_set("body main html tbody table ul ol dl")
"""Elements that hold a page, or many items: what stands in them beside the image is not its own."""
_ITEMS = word_set("li tr dd")
_SILENT = word_set("h1 h2 h3 h4 h5 h6 figcaption caption script style noscript source track")
_IMAGES = frozenset(IMAGES.split(", "))


def side_of(image: LexborNode) -> Side | None:
    """The side of an image on which its own text stands; None where the markup does not say."""
    node = image
    for _ in range(LEVELS):
        parent = node.parent
        if parent is None or (parent.tag or "") in _WHOLE:
            return None
        children = list(islice(parent.iter(include_text=True), CHILDREN + 1))
        if len(children) > CHILDREN:
            return None
        at = next((index for index, child in enumerate(children) if child.mem_id == node.mem_id), None)
        if at is None:
            return None
        others = children[:at] + children[at + 1 :]
        if parent.tag not in _ITEMS and any(_shows(child) for child in others):
            return None
        before, behind = any(map(_speaks, children[:at])), any(map(_speaks, children[at + 1 :]))
        if before or behind:
            return None if before and behind else "before" if before else "behind"
        node = parent
    return None


def _speaks(node: LexborNode) -> bool:
    """Whether an element or a text holds words that can be an image's own."""
    if (node.tag or "") in _SILENT:
        return False
    text = node.text_content if node.tag == "-text" else node.text()
    return bool(text and text.strip())


def _shows(node: LexborNode) -> bool:
    """Whether an element is or holds an image."""
    tag = node.tag or "-"
    return tag in _IMAGES or (tag[0] != "-" and node.css_first(IMAGES) is not None)
