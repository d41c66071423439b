"""Find on which side of an image its own text is, if the page's markup groups the two: a list item, a table
row, a card.

    <li>Peel the apples.<img></li>                    before
    <tr><td><img></td><td>Peel the apples.</td></tr>  behind
    <div><img><p>Peel the apples.</p></div>           behind
    <div><img><h3>Apples</h3><p>Peel them.</p></div>  behind

The element is the innermost one around the image that contains text other than headings and captions. It must
contain one image, or be a list item or a table row. With text on both sides, or other images in the element,
the side is undecided. All loops are bounded: a hostile page has ten thousand of everything.
"""

from __future__ import annotations

from itertools import islice
from typing import Literal

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.nodes import IMAGE_TAGS, IMAGES

Side = Literal["before", "behind"]

LEVELS, CHILDREN = 6, 16
"""Elements around an image, and children of each, that are checked; a card has fewer."""
_WHOLE = word_set("body main html tbody table ul ol dl")
"""Elements that contain a page or many items: text beside the image in them is not its own."""
_ITEMS = word_set("li tr dd")
_SILENT = word_set("h1 h2 h3 h4 h5 h6 figcaption caption script style noscript source track")


def side_of(image: LexborNode) -> Side | None:
    """The side of an image on which its own text is; None if the markup does not decide it."""
    node = image
    for _ in range(LEVELS):
        parent = node.parent
        if parent is None or (parent.tag or "") in _WHOLE:
            return None
        if node.prev is None and node.next is None:
            node = parent
            continue
        children = list(islice(parent.iter(include_text=True), CHILDREN + 1))
        if len(children) > CHILDREN:
            return None
        if len(children) == 1:
            node = parent
            continue
        at = next((index for index, child in enumerate(children) if child.mem_id == node.mem_id), None)
        if at is None:
            return None
        others = children[:at] + children[at + 1 :]
        if parent.tag not in _ITEMS and any(_has_image(child) for child in others):
            return None
        before, behind = any(map(_has_text, children[:at])), any(map(_has_text, children[at + 1 :]))
        if before or behind:
            return None if before and behind else "before" if before else "behind"
        node = parent
    return None


def _has_text(node: LexborNode) -> bool:
    """Whether an element or a text has words that can belong to an image."""
    if (node.tag or "") in _SILENT:
        return False
    text = node.text_content if node.tag == "-text" else node.text()
    return bool(text and text.strip())


def _has_image(node: LexborNode) -> bool:
    """Whether an element is or contains an image."""
    tag = node.tag or "-"
    if tag[0] == "-" or node.first_child is None:
        return tag in IMAGE_TAGS
    return node.css_first(IMAGES) is not None
