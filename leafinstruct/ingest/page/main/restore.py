"""Change a page's tree so that it has what a reader of an ordinary screen sees, once and in its place, before
boilerplate is removed: shadow trees, images and texts for browsers without scripts (lazy), images of elements
that are not read (fallbacks), formulas and emoji as text (formula), one of two twins (screens).
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from leafinstruct.ingest.page.main.fallbacks import FALLBACK_TAGS, UNREAD_TAGS, show_fallbacks, unread
from leafinstruct.ingest.page.main.formula import show_drawn, text_of_symbol, write_formulas
from leafinstruct.ingest.page.main.lazy import (
    FOLDERS,
    WITH_BACKGROUND,
    show_background,
    show_noscript,
    unfold,
)
from leafinstruct.ingest.page.main.names import Attributes
from leafinstruct.ingest.page.main.screens import is_for_dark
from leafinstruct.ingest.page.main.shadow import open_shadows
from leafinstruct.ingest.page.nodes import IMAGE_TAGS, IMAGES, is_small, size

_TAGS = frozenset({"noscript", "math", *FALLBACK_TAGS, *UNREAD_TAGS})
"""Elements that are restored, or reported."""
_BACKGROUND_SIGNS = (b"url(", b"image-set(", b"data-b")
_READ = frozenset({"noscript", "math", "script", "button", "map", "image"})
_PHONES = re.compile(r"(?<![a-z])(?:mobile|sp|phone|smartphone)(?![a-z])", re.IGNORECASE)
_DESKTOPS = re.compile(r"(?<![a-z])(?:desktop|pc)(?![a-z])", re.IGNORECASE)

_BOX = 16
"""Maximum nodes in the box of an image that has a twin."""


def restore(tree: LexborHTMLParser, body: LexborNode) -> list[tuple[str, str]]:
    """Change the tree of a page. Returns reason and detail of what is lost with elements that are not
    read."""
    written = (tree.raw_html or b"").lower()
    found = sorted({tag for node in body.traverse() if (tag := node.tag) in _TAGS})
    found += ['script[type^="math/tex"]'] if b"math/tex" in written else []
    lost = _restore_elements(tree, body, ", ".join(found)) if found else []
    if b"katex-html" in written:
        show_drawn(body)
    if any(sign in written for sign in _BACKGROUND_SIGNS):
        for node in body.css(WITH_BACKGROUND):
            show_background(tree, node)
    return lost + _write_symbols(body)


def _restore_elements(tree: LexborHTMLParser, body: LexborNode, selector: str) -> list[tuple[str, str]]:
    """Show what is in elements that are not read. selector: of those that the page may have."""
    special = [node for node in body.css(selector) if _has_content(node)]
    if not special:
        return []
    if any(node.tag == "template" for node in special):
        open_shadows(body)
        special = body.css(selector)
    hidden = [node for node in special if node.tag == "noscript"]
    if hidden:
        show_noscript(body, hidden)
        special = body.css(selector)
    if any(node.tag == "button" for node in special):
        unfold(body)
        special = body.css(selector)
    write_formulas([node for node in special if node.tag in ("math", "script")])
    show_fallbacks(tree, [node for node in special if node.tag in FALLBACK_TAGS])
    return unread(body, [node for node in special if node.tag not in _READ])


def _has_content(node: LexborNode) -> bool:
    """Whether a control has an image or is the text of a heading; true for other elements."""
    if node.tag not in ("button", "select"):
        return True
    parent = node.parent
    return (parent is not None and parent.tag in FOLDERS) or node.css_first(IMAGES) is not None


def _write_symbols(body: LexborNode) -> list[tuple[str, str]]:
    """Write emoji and formulas as text; remove images for dark screens and for phones that have a twin."""
    unnamed = 0
    for image in body.css(IMAGES):
        attributes = image.attributes
        text = text_of_symbol(attributes)
        picture = image.parent
        whole = picture if picture is not None and picture.tag == "picture" else image
        if text is not None:
            unnamed += not text
            whole.replace_with(text) if text else whole.remove()
        elif is_for_dark(attributes.get("src") or "") or _is_twin_of_phones(whole, attributes):
            whole.remove()
    return [("emoji_without_alt", f"{unnamed} emoji as images without a text")] if unnamed else []


def _is_twin_of_phones(image: LexborNode, attributes: Attributes) -> bool:
    """Whether the class of an image, or of its box, names phones, and an image beside it names desktops."""
    box = image.parent
    for node in (image, box):
        written = None if node is None else (attributes if node is image else node.attributes).get("class")
        if node is None or not written or _PHONES.search(written) is None:
            continue
        if node is not image and (not is_small(node, _BOX) or size(node)):
            return False
        for other in (_beside(node, back=True), _beside(node, back=False)):
            if other is not None and _DESKTOPS.search(other.attributes.get("class") or "") is not None:
                return (other.tag or "") in IMAGE_TAGS or other.css_first(IMAGES) is not None
    return False


def _beside(node: LexborNode, back: bool) -> LexborNode | None:
    found = node.prev if back else node.next
    while found is not None and found.tag == "-text" and not (found.text_content or "").strip():
        found = found.prev if back else found.next
    return found if found is not None and (found.tag or "-")[0] != "-" else None
