"""Show the images of elements that are not read: buttons, videos, objects, canvases.

    <video poster>      the poster, else the image for browsers without videos
    <object>, <embed>   its file if that is an image, else the image for browsers that cannot show the file
    <canvas>            the image for browsers that cannot draw
    <button>            its image, for buttons that zoom; icons and thumbnails are controls
    <svg>               its image, if it has one; drawings with several are not read
    <map>               its content, without the areas

Images of other elements that are not read (<dialog>, <template>, <audio>) are lost, and so are texts that are
longer than a notice. Both are reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.main.lazy import shown_urls
from leafinstruct.ingest.page.main.names import is_boilerplate, is_hidden
from leafinstruct.ingest.page.nodes import IMAGES, Attributes
from leafinstruct.ingest.page.sources import is_data, is_pixel, is_placeholder, is_readable, urls_of
from leafinstruct.ingest.page.srcset import is_file, is_no_url, is_path

FALLBACK_TAGS = word_set("video amp-video object embed canvas button image map")
UNREAD_TAGS = word_set("dialog select audio template")
_TEXTS = word_set("dialog audio video amp-video object canvas")
"""Elements whose text is only for browsers that cannot show them, or for a moment."""
_SENTENCE = 300
"""Maximum characters of notices such as `Your browser does not support videos`."""
_POSTERS = ("poster", "data-poster", "data-poster-url", "data-thumb", "data-thumbnail")
_SMALL = 64
"""Maximum pixels of the side of an icon."""
_CONTROL = re.compile(
    r"(?<![a-z])(?:icons?|ico|logo|arrow|chevron|caret|close|menu|hamburger|play|pause|search|cart|bag|share|heart|"
    r"like|star|thumbs?|thumbnails?|swatch(?:es)?|dots?|pagination|avatar|flag|spinner|prev|next|toggle|"
    r"dropdown|print|edit|user|login|social|nav)(?![a-z])"
)
"""Classes of buttons and their images that are no content."""
_CONTROL_FILE = re.compile(
    r"(?<![a-z])(?:icons?|ico|logo|arrow|chevron|caret|close|hamburger|spinner|sprite|thumbs?|thumbnails?|avatar)"
    r"(?![a-z])"
)
_LEVELS = 8
"""Elements around an <image> among which its <svg> is searched."""
_NAME = 200
"""Maximum characters of a class or URL that are searched for these names."""


def show_fallbacks(tree: LexborHTMLParser, nodes: Sequence[LexborNode]) -> None:
    """Put the images of elements with FALLBACK_TAGS before them. nodes: in the order of the document."""
    drawings = Counter[int]()
    for node in nodes:
        if node.tag == "image":
            svg = _drawing(node)
            drawings[svg.mem_id if svg is not None else 0] += 1
    for node in reversed(nodes):  # one inside another is first
        if node.tag != "image":
            _show_fallback(tree, node)
        elif (svg := _drawing(node)) is not None and drawings[svg.mem_id] == 1:
            _show_drawing(tree, svg, node)


def _show_fallback(tree: LexborHTMLParser, node: LexborNode) -> None:
    tag, attributes = node.tag, node.attributes
    if tag in ("video", "amp-video"):
        urls = (value for name in _POSTERS if (value := attributes.get(name)) and is_path(value))
        _show(tree, node, next((url for url in urls if not is_placeholder(url)), ""))
    elif tag in ("object", "embed"):
        url = attributes.get("data" if tag == "object" else "src") or ""
        kind = attributes.get("type")
        _show(tree, node, url if _is_image(url, kind) else "")
    elif tag == "canvas":
        _show(tree, node, "")
    elif tag == "button":
        for image in _content(node):
            if not _is_control(node.attributes, image.attributes):
                node.insert_before(image, move=True)
    else:
        node.unwrap()


def _is_image(url: str, kind: str | None) -> bool:
    return not is_no_url(url) and ((bool(kind) and is_readable(kind)) or (not kind and is_file(url)))


def _show(tree: LexborHTMLParser, node: LexborNode, url: str) -> None:
    """Put an image of a URL before a node, else those that it has inside."""
    attributes = node.attributes
    if url:
        image = tree.create_node("img")
        image.attrs["src"] = url
        image.attrs["alt"] = attributes.get("aria-label") or attributes.get("title") or ""
        node.insert_before(image, move=True)
        return
    for image in _content(node):
        node.insert_before(image, move=True)


def _drawing(image: LexborNode) -> LexborNode | None:
    """The outermost <svg> around an <image>, if it is near."""
    found, around = None, image.parent
    for _ in range(_LEVELS):
        if around is None:
            break
        found = around if around.tag == "svg" else found
        around = around.parent
    return found


def _show_drawing(tree: LexborHTMLParser, svg: LexborNode, image: LexborNode) -> None:
    """Show the only <image> of a drawing, unless it is an icon."""
    url = image.attributes.get("href") or image.attributes.get("xlink:href") or ""
    if is_path(url) and not is_data(url) and not is_hidden(svg.attributes) and not _is_small(svg.attributes):
        _show(tree, svg, url)


def _content(node: LexborNode) -> list[LexborNode]:
    """The images inside a node that are no pixels, each with its <picture>."""
    found = []
    for image in node.css(IMAGES):
        if is_pixel(image.attributes) or is_hidden(image.attributes):
            continue
        around = image.parent
        found.append(around if around is not None and around.tag == "picture" else image)
    return found


def _is_control(button: Attributes, image: Attributes) -> bool:
    """Whether an image in a button is an icon, a thumbnail or a sign of the page's own."""
    file = (image.get("src") or "").partition("?")[0].rpartition("/")[2][-_NAME:].lower()
    classes = f"{(button.get('class') or '')[:_NAME]} {(image.get('class') or '')[:_NAME]}".lower()
    return (
        _is_small(image)
        or file.endswith(".svg")
        or _CONTROL.search(classes) is not None
        or _CONTROL_FILE.search(file) is not None
    )


def _is_small(attributes: Attributes) -> bool:
    sides = [(attributes.get(side) or "").removesuffix("px") for side in ("width", "height")]
    return any(side.isdecimal() and len(side) < 4 and int(side) <= _SMALL for side in sides)


def unread(body: LexborNode, nodes: Sequence[LexborNode]) -> list[tuple[str, str]]:
    """Reason and detail of the images, and of the long texts, in elements that are not read, if the page does
    not show the images elsewhere; one for all. nodes: with UNREAD_TAGS and FALLBACK_TAGS."""
    content = [node for node in nodes if not is_boilerplate("div", node.attributes, inside=False)]
    found = [
        (node.tag or "", image) for node in content if node.tag in UNREAD_TAGS for image in _images(node)
    ]
    known = set(shown_urls(body, {image.mem_id for _, image in found})) if found else set()
    lost = [
        tag
        for tag, image in found
        if not is_pixel(image.attributes) and not known.intersection(own := _real(image)) and own
    ]
    texts = [node for node in content if node.tag in _TEXTS]
    long = [node.tag or "" for node in texts if len(node.text(strip=True)) > _SENTENCE]
    if not lost and not long:
        return []
    tags = ", ".join(f"<{tag}>" for tag in dict.fromkeys([*lost, *long]))
    return [
        ("not_shown", f"{len(lost)} images and {len(long)} texts inside {tags}, which the page does not show")
    ]


def _real(image: LexborNode) -> list[str]:
    return [url for url in urls_of(image.attributes) if not is_placeholder(url)]


def _images(node: LexborNode) -> Iterable[LexborNode]:
    if node.tag != "template":
        return node.css(IMAGES)
    return [image for fragment in node.template_fragments()[:1] for image in fragment.css(IMAGES)]
