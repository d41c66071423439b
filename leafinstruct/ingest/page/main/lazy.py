"""Put images and texts that a page shows only with scripts into their places.

    <noscript>          its image replaces the empty <img> or the preview beside it, also if either is in a
                        box; alone, it is shown; a page whose only text is in <noscript> is that text
    background          an empty element with background images is these images:
                        `<div style="background-image: url(a.jpg)">`, data-bg
    <button> in <h2>    the title of a part that folds; other buttons are no text (fallbacks)

Content that scripts would fetch or that is stored as JSON is ignored, because its order is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.main.names import is_hidden
from leafinstruct.ingest.page.nodes import IMAGE_TAGS, IMAGES, Attributes, size
from leafinstruct.ingest.page.sources import is_pixel, is_placeholder, urls_of
from leafinstruct.ingest.page.srcset import candidates, is_no_url, is_path, is_set

BACKGROUNDS = (
    "data-bg",
    "data-background-image",
    "data-bgset",
    "data-background",
    "data-bg-src",
    "data-bg-url",
)
WITH_BACKGROUND = ", ".join(
    ['[style*="url("]', '[style*="image-set("]', *(f"[{name}]" for name in BACKGROUNDS)]
)
_SENTENCE = 300
"""Maximum characters of notices such as `You need to enable JavaScript to run this app`."""
FOLDERS = ("h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary")
_FOLDED = ", ".join(f"{tag} > button" for tag in FOLDERS)
_BOXES = 3
"""Boxes around a <noscript> or an image that are looked through."""
_PREVIEW_WORDS = word_set(
    "preview lqip blur blurred blurry placeholder lazy lazyload lazyloaded progressive lowres tiny low"
)
_PREVIEW_URL = re.compile(
    r"lqip|preview|placeholder|blur|lowres|low-?quality|[-_.]tiny|[/-](?:max|w|width|resize)[/:_=-]\d{1,2}(?!\d)|"
    r"[?&](?:w|width|h|q|quality|resize)=\d{1,2}(?!\d)|-\d{1,2}x\d{1,2}\.",
    re.IGNORECASE,
)
_SMALL = 64
"""Maximum pixels of a preview's sides."""
_TRACKER = re.compile(
    r"matomo|piwik|statcounter|counter|pixel|track|analytics|/tr[/?]|collect|beacon|doubleclick|stats?[./?]|"
    r"scorecard|quantserve|metri[ck]a|mc\.yandex|px\.ads|bat\.bing|adsct|count\.|/hit",
    re.IGNORECASE,
)
_PHOTO = re.compile(r"\.(?:jpe?g|png|webp|avif)(?:[?#]|$)", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?![a-z])", re.IGNORECASE)
_FALLBACK_OF = frozenset(
    {"amp-img", "amp-anim", "amp-video", "amp-iframe", "video", "audio", "object", "iframe"}
)
_DECLARATION = re.compile(r"""(?:[^;"'(]|"[^"]*+"?|'[^']*+'?|\((?:[^()"']|"[^"]*+"?|'[^']*+'?)*+\)?)++""")
"""A declaration of a style. Never reads a place twice."""
_URL = re.compile(
    r"""url\(\s*+(?:"([^"]*+)"|'([^']*+)'|([^)"'\s]++))|(?:image-set\(|,)\s*+(?:"([^"]++)"|'([^']++)')""",
    re.IGNORECASE,
)
_LAYER = re.compile(
    r"(?:^|[/_.-])(?:overlay|pattern|gradient|texture|noise|mask|vignette|shadow|dots?|icon|arrow)[-_.\d]"
)
"""Names of backgrounds that are drawn over or under an image."""
_LAYERS = 4
"""Maximum backgrounds of an element that are read."""


def show_noscript(body: LexborNode, hidden: Sequence[LexborNode]) -> None:
    """Show the images of the <noscript>s of a page, or all of them in the empty page of an application."""
    if _show_shell(body, hidden):
        return
    waiting = [(node, images) for node in hidden if (images := _images(node))]
    if waiting:
        inside = {image.mem_id for node in hidden for image in node.css(IMAGES)}
        known = {url for url in shown_urls(body, inside) if not is_placeholder(url)}
        for node, images in waiting:
            _unhide(node, images, known)


def shown_urls(body: LexborNode, without: set[int] | frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield the URLs of a page's images, but of those in `without` (memory addresses)."""
    for image in body.css(f"{IMAGES}, source"):
        if image.mem_id not in without:
            yield from urls_of(image.attributes)


def _images(hidden: LexborNode) -> list[LexborNode]:
    """The images of a <noscript> that are content: no counters of visits, no pixels."""
    around = hidden.parent
    for _ in range(_BOXES):
        if around is None:
            break
        if around.tag in _FALLBACK_OF:
            return []
        around = around.parent
    return [image for image in hidden.css(IMAGES) if _is_content(image.attributes)]


def _is_content(attributes: Attributes) -> bool:
    if is_pixel(attributes) or is_hidden(attributes):
        return False
    urls = [url for url in urls_of(attributes) if not is_placeholder(url)]
    if any(_TRACKER.search(url) and not _PHOTO.search(url) for url in urls[:1]):
        return False
    named = any(_FILE_NAME.search(url) for url in urls) or bool((attributes.get("alt") or "").strip())
    return bool(urls) and (named or len(urls) > 1)


def _unhide(hidden: LexborNode, images: Sequence[LexborNode], known: set[str]) -> None:
    """Put the images of a <noscript> before it, unless the page shows them anyway. known: URLs of the page's
    images; those that are shown now are added."""
    preview = _beside(hidden) if len(images) == 1 else None
    urls = [url for url in urls_of(images[0].attributes) if not is_placeholder(url)]
    if preview is not None:
        if not _is_preview(preview.attributes, urls):
            return
        box = preview.parent
        whole = box is not None and box.tag == "picture" and box.css_first("noscript") is None
        (box if box is not None and whole else preview).decompose()
        known.difference_update(urls)
    for image in images:
        own = [url for url in urls_of(image.attributes) if not is_placeholder(url)]
        if known.isdisjoint(own):
            known.update(own)
            hidden.insert_before(_whole(image, hidden), move=True)


def _whole(image: LexborNode, hidden: LexborNode) -> LexborNode:
    """The <picture> or <figure> of an image, if it is in the <noscript>, too."""
    whole, around = image, image.parent
    for _ in range(_BOXES):
        if around is None or around.mem_id == hidden.mem_id:
            break
        if around.tag in ("picture", "figure") and len(around.css(IMAGES)) == 1:
            whole = around
        around = around.parent
    return whole


def _beside(hidden: LexborNode) -> LexborNode | None:
    """The only image of the element before or after, if only white space is between; around the <noscript>
    may be boxes."""
    node = hidden
    for _ in range(_BOXES):
        neighbors = [_neighbor(node, back=True), _neighbor(node, back=False)]
        for neighbor in neighbors:
            if neighbor is not None and (image := _only_image(neighbor)) is not None:
                return image
        around = node.parent
        if any(neighbors) or around is None or around.tag in ("body", "main", "article", "td", "li"):
            return None
        node = around
    return None


def _only_image(node: LexborNode) -> LexborNode | None:
    tag = node.tag or "-"
    if tag in IMAGE_TAGS:
        return node
    if tag[0] == "-" or tag == "noscript":
        return None
    images = node.css(IMAGES)
    return images[0] if len(images) == 1 and not size(node) and node.css_first("noscript") is None else None


def _neighbor(node: LexborNode, back: bool) -> LexborNode | None:
    """The element before or after, if only white space is between."""
    found = node.prev if back else node.next
    while found is not None and (
        found.tag == "-comment" or (found.tag == "-text" and not (found.text_content or "").strip())
    ):
        found = found.prev if back else found.next
    return found


def _is_preview(shown: Attributes, real: Sequence[str]) -> bool:
    """Whether an image is only shown until a script sets the real one, which has these URLs."""
    urls = [url for url in urls_of(shown) if not is_placeholder(url)]
    if not urls:
        return True
    if not real or urls[0] in real or len(urls) > 1 or urls[0] != (shown.get("src") or "").strip():
        return False
    words = set(re.split(r"[\s_-]+", (shown.get("class") or "").lower()))
    sides = [(shown.get(side) or "").removesuffix("px") for side in ("width", "height")]
    return (
        not _PREVIEW_WORDS.isdisjoint(words)
        or "blur(" in (shown.get("style") or "")
        or _PREVIEW_URL.search(urls[0]) is not None
        or any(side.isdecimal() and len(side) < 4 and int(side) <= _SMALL for side in sides)
        or _is_smaller(urls[0], real[0])
    )


def _is_smaller(url: str, other: str) -> bool:
    """Whether two URLs differ only in their numbers, and this one has the smaller ones."""
    numbers, others = re.findall(r"\d{1,9}", url), re.findall(r"\d{1,9}", other)
    same = re.sub(r"\d+", "", url.partition("?")[0]) == re.sub(r"\d+", "", other.partition("?")[0])
    return same and max(map(int, numbers), default=0) < max(map(int, others), default=0)


def _show_shell(body: LexborNode, hidden: Sequence[LexborNode]) -> bool:
    """Show the content of <noscript> in the empty page of an application, if it is longer than a sentence.
    Returns whether it did."""
    offered = [node for node in hidden if len(node.text()) > _SENTENCE]
    if not offered:
        return False
    bare = body.clone()
    bare.strip_tags(["noscript", "script", "style", "template"], recursive=True)
    if len(bare.text(strip=True)) > _SENTENCE or bare.css_first(IMAGES) is not None:
        return False
    for node in offered:
        node.unwrap()
    return True


def unfold(body: LexborNode) -> None:
    """Make the buttons that are whole headings text."""
    for button in body.css(_FOLDED):
        if button.parent is not None and size(button) == size(button.parent):
            button.unwrap()


def show_background(tree: LexborHTMLParser, node: LexborNode) -> None:
    """Put the background images of an empty element into it."""
    attributes = node.attributes
    if node.tag in ("body", "html", "img", "script", "style", "source"):
        return
    urls = [url for url in _backgrounds(attributes) if not is_placeholder(url)]
    urls = [url for url in urls if _LAYER.search(url.lower()) is None] or urls
    if not urls or node.text(strip=True) or node.css_first(f"{IMAGES}, video, iframe, svg") is not None:
        return
    for url in list(dict.fromkeys(urls))[:_LAYERS]:
        image = tree.create_node("img")
        image.attrs["src"] = url
        image.attrs["alt"] = attributes.get("aria-label") or attributes.get("title") or ""
        node.insert_child(image, move=True)


def _backgrounds(attributes: Attributes) -> list[str]:
    """The URLs of the backgrounds in the attributes for scripts, else in the style."""
    for name in BACKGROUNDS:
        value = attributes.get(name) or ""
        if "url(" in value or "image-set(" in value:
            return _in_css(value)
        if is_set(value):
            return [url for _, url in sorted(candidates(value), reverse=True)][:1]
        if is_path(value):
            return [value.strip()]
    found: list[str] = []
    for declaration in _DECLARATION.finditer(attributes.get("style") or ""):
        name, _, value = declaration[0].partition(":")
        if name.strip().lower() in ("background", "background-image"):
            found = _in_css(value)
    return found


def _in_css(value: str) -> list[str]:
    """The URLs of a background: one a layer, and the largest one of an image-set."""
    found: list[str] = []
    for layer in re.split(r"(?<=\)),", value)[: 4 * _LAYERS]:
        parts = islice(_URL.finditer(layer), 4 * _LAYERS)
        urls = [re.sub(r"\\(.)", r"\1", next(filter(None, part.groups()), "")) for part in parts]
        if "image-set(" in layer.lower():
            urls = urls[-1:]
        found += [url.strip() for url in urls if not is_no_url(url)]
    return found
