"""Change a page's tree so that it has what a reader of an ordinary screen sees, once and in its place, before
boilerplate is removed: shadow trees, images and texts for browsers without scripts (lazy), images of elements
that are not read (fallbacks), formulas and emoji as text (formula), one of two twins (screens).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
from leafinstruct.ingest.page.main.screens import is_for_dark
from leafinstruct.ingest.page.main.shadow import open_shadows
from leafinstruct.ingest.page.nodes import (
    IMAGE_TAGS,
    IMAGES,
    Attributes,
    ByTag,
    Element,
    by_tag,
    images_of,
    is_small,
    size,
)

_TAGS = frozenset({"noscript", "math", *FALLBACK_TAGS, *UNREAD_TAGS})
"""Elements that are restored, or reported."""
_BACKGROUND_SIGNS = ("url(", "image-set(")
_READ = frozenset({"noscript", "math", "script", "button", "map", "image"})
_PHONES = re.compile(r"(?<![a-z])(?:mobile|sp|phone|smartphone)(?![a-z])", re.IGNORECASE)
_DESKTOPS = re.compile(r"(?<![a-z])(?:desktop|pc)(?![a-z])", re.IGNORECASE)

_BOX = 16
"""Maximum nodes in the box of an image that has a twin."""


def restore(
    tree: LexborHTMLParser, body: LexborNode, found: ByTag, named: Sequence[Element]
) -> tuple[ByTag, list[tuple[str, str]]]:
    """Change the tree of a page. found: its elements; named: those that names.NAMED selects. Returns the
    elements of the changed tree, and reason and detail of what is lost with elements that are not read."""
    tags = sorted(_TAGS & found.keys())
    tags += ['script[type^="math/tex"]'] if any(map(_is_tex, found["script"])) else []
    special = [node for node in body.css(", ".join(tags)) if _has_content(node)] if tags else []
    lost = _restore_elements(tree, body, ", ".join(tags), special) if special else []
    shadows = bool(found["template"])  # their elements are not in `named`
    drawn = shadows or any(
        "katex-html" in (attributes.get("class") or "").lower() for _, _, attributes in named
    )
    if drawn:
        show_drawn(body)
    styled = any(sign in (item[2].get("style") or "") for item in named for sign in _BACKGROUND_SIGNS)
    may_show = shadows or styled or b"data-b" in (tree.raw_html or b"").lower()
    backgrounds = body.css(WITH_BACKGROUND) if may_show else []
    for node in backgrounds:
        show_background(tree, node)
    if special or drawn or backgrounds:
        found = by_tag(body)
    return found, lost + _write_symbols(body, found)


def _is_tex(script: LexborNode) -> bool:
    return (script.attributes.get("type") or "").lower().startswith("math/tex")


def _restore_elements(
    tree: LexborHTMLParser, body: LexborNode, selector: str, special: Sequence[LexborNode]
) -> list[tuple[str, str]]:
    """Show what is in elements that are not read. selector: of those that the page may have. special: what it
    selects, without empty controls."""
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


def _write_symbols(body: LexborNode, found: ByTag) -> list[tuple[str, str]]:
    """Write emoji and formulas as text; remove images for dark screens and for phones that have a twin."""
    unnamed = 0
    for image in images_of(body, found):
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
