"""Put images and texts that a page shows only with scripts into their places.

    <noscript>          the image after (or before) an empty <img> replaces it; a page whose only text is in
                        <noscript> is that text
    background          an empty element with a background image is that image:
                        `<div style="background-image: url(a.jpg)">`, data-bg
    <button> in <h2>    the title of a part that folds; other buttons are no text

Content that scripts would fetch or that is stored as JSON is ignored, because its order is unknown.
"""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from leafinstruct.ingest.page.main.names import Attributes
from leafinstruct.ingest.page.nodes import IMAGES, size
from leafinstruct.ingest.page.sources import is_placeholder

_NAMED = frozenset(
    {"data-src", "srcset", "data-srcset", "data-original", "data-lazy-src", "data-lazy", "data-lazy-srcset"}
)
_BACKGROUNDS = ("data-bg", "data-background-image", "data-bgset", "data-background")
_WITH_BACKGROUND = ", ".join(['[style*="url("]', *(f"[{name}]" for name in _BACKGROUNDS)])
_SENTENCE = 300
"""Maximum characters of notices such as `You need to enable JavaScript to run this app`."""
_FOLDED = (
    "h1 > button, h2 > button, h3 > button, h4 > button, h5 > button, h6 > button, dt > button, summary "
    "> button"
)


def restore(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Change the tree so that content hidden for want of scripts is in its place."""
    for hidden in body.css("noscript"):
        _unhide(hidden)
    _show_shell(body)
    for node in body.css(_WITH_BACKGROUND):
        _show_background(tree, node)
    for button in body.css(_FOLDED):
        if button.parent is not None and size(button) == size(button.parent):
            button.unwrap()


def _unhide(hidden: LexborNode) -> None:
    """Put the <img> of a <noscript> in the place of the empty one that it replaces."""
    real = hidden.css_first("img[src]")
    if real is None:
        return
    for empty in (_neighbor(hidden, back=True), _neighbor(hidden, back=False)):
        if empty is not None and empty.tag == "img" and _is_placeholder(empty.attributes):
            hidden.insert_before(real)
            empty.decompose()
            return


def _neighbor(node: LexborNode, back: bool) -> LexborNode | None:
    """The element before or after, if only white space is between."""
    found = node.prev if back else node.next
    while found is not None and (
        found.tag == "-comment" or (found.tag == "-text" and not found.text().strip())
    ):
        found = found.prev if back else found.next
    return found


def _is_placeholder(image: Attributes) -> bool:
    return not _NAMED & image.keys() and is_placeholder(image.get("src") or "")


def _show_shell(body: LexborNode) -> None:
    """Show the content of <noscript> in the empty page of an application, if it is longer than a sentence."""
    offered = [node for node in body.css("noscript") if len(node.text()) > _SENTENCE]
    if not offered:
        return
    bare = body.clone()
    bare.strip_tags(["noscript", "script", "style", "template"], recursive=True)
    if len(bare.text(strip=True)) <= _SENTENCE and bare.css_first(IMAGES) is None:
        for node in offered:
            node.unwrap()


def _show_background(tree: LexborHTMLParser, node: LexborNode) -> None:
    attributes = node.attributes
    url = next((value for name in _BACKGROUNDS if (value := attributes.get(name))), "") or _background(
        attributes.get("style") or ""
    )
    if not url or url.startswith("data:") or node.tag in ("body", "img", "script", "style"):
        return
    if node.text(strip=True) or node.css_first(f"{IMAGES}, video, iframe, svg") is not None:
        return
    image = tree.create_node("img")
    image.attrs["src"] = url
    image.attrs["alt"] = attributes.get("aria-label") or attributes.get("title") or ""
    node.insert_child(image)


def _background(style: str) -> str:
    """The URL in `background: url(...)`. Found without a pattern, which would take minutes on a hostile
    style."""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        _, found, rest = value.partition("url(")
        if found and name.strip().lower() in ("background", "background-image"):
            return rest.partition(")")[0].strip(" \t\n\"'")
    return ""
