"""Find the URLs of an <img>, the best first.

With lazy loading, responsive sizes and <picture>, `src` is often a placeholder and the image is elsewhere.
The order is: the <source>s of the <picture> that an ordinary screen shows (media), in their order; the
srcset; the attributes of lazy loading; `src`. The candidates of a srcset go from large to small, because a
training image can be made smaller, not larger. Any other attribute with the URL of an image comes before a
`src` that is a placeholder (`blank.gif`), and after a real one. A placeholder is used only if there is
nothing else. The reader takes the first one that it can find, so an archive with only the small one still
gives an image.

Values that do not look like a URL are left out (srcset). A data: URL is used only if there is no other, and
only if it is too long for a placeholder (a transparent pixel, a blurred preview) and not a drawing. Formats
that cannot be decoded here are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.text import one_line, word_set
from leafinstruct.ingest.page.grouping import Side, side_of
from leafinstruct.ingest.page.media import matches
from leafinstruct.ingest.page.nodes import Attributes
from leafinstruct.ingest.page.srcset import candidates, is_absolute, is_file, is_no_url, is_path, is_set

_LAZY = word_set(
    """data-src data-original data-original-src data-lazy data-lazy-src data-lazysrc data-lazyload
    data-lazy-load data-hi-res-src data-highres data-image data-image-src data-img data-img-src data-actualsrc
    data-actual-src data-real-src data-realsrc data-echo data-defer-src data-deferred data-orig-file
    data-large-file data-full-src data-ezsrc data-cfsrc data-ll-src data-opt-src data-breeze data-srcimg
    data-url lazy-src lazysrc lazyload original _src real_src real-src actualsrc loadsrc ng-src v-src zoomfile
    file"""
)
"""Attributes in which scripts for lazy loading keep the URL."""
_OWN = word_set(
    """src srcset alt title class id style width height sizes usemap name longdesc loading decoding
    fetchpriority role onerror onload onclick"""
)
_PLAIN = _OWN - {"srcset"}
_TEXT = re.compile(
    r"title|name|alt$|caption|label|descr|credit|copyright|license|attribution|href|link|share|target|page|"
    r"aria-|^on[a-z]"
)
"""Names of attributes with text, or with the URL of a page."""
_ABOUT_IMAGE = re.compile(
    r"src|im(?:g|age)|lazy|orig|actual|full|large|hi-?res|retina|zoom|photo|pic|load|file"
)
_WORD = (
    r"(?:blank|spacer|placeholder|transparent|trans|pixel|1x1|1px|lazy(?:load)?|loading|(?:pre)?loader|empty|"
    r"clear|dummy|shim|gr[ae]y|no-?ima?ge?)"
)
_PLACEHOLDER = re.compile(
    rf"(?:^|[/_.-]){_WORD}(?:[-_.]?(?:{_WORD}|ima?ge?|gif|bg|dot|x?\d{{1,4}}))*"
    r"\.(?:gif|png|svg|webp|jpe?g)$",
    re.IGNORECASE,
)
_NAME = 100
"""Maximum characters at the end of a URL that show whether it is a placeholder."""
_OF_SOURCE = frozenset({"type", "media", "sizes", "width", "height"})
_READABLE = frozenset(
    f"image/{name}"
    for name in (
        "jpeg",
        "jpg",
        "pjpeg",
        "png",
        "x-png",
        "apng",
        "webp",
        "gif",
        "avif",
        "bmp",
        "x-ms-bmp",
        "tiff",
    )
)

MOST = 256
"""Maximum candidates in all srcsets of an image; an image with more is rejected. Real ones have up to 30."""
PLACEHOLDER = 1_000
"""Characters below which a data: URL is a placeholder of an image that is loaded later; previews have some
hundred."""


class PageImage(NamedTuple):
    """An image as in the page. sources: URLs as written, the best first; empty if `problem` states why there
    is none. side: on which its own text is, if the markup groups them."""

    sources: tuple[str, ...]
    alt: str
    problem: str = ""
    side: Side | None = None


def image(node: LexborNode) -> PageImage:
    """Read an <img>, with the <source>s of its <picture>."""
    attributes = node.attributes
    alt = one_line(attributes.get("alt") or "")
    if is_pixel(attributes):
        return PageImage((), alt, "tracking_pixel")
    if attributes.keys() <= _PLAIN and ((box := node.parent) is None or box.tag != "picture"):  # most images
        src = (attributes.get("src") or "").strip()
        if not is_no_url(src) and not is_data(src):
            return PageImage((src,), alt, "", side_of(node))
    given = [bare for url in _urls(node, attributes) if (bare := url.strip())]
    if len(given) == 1 and not is_data(given[0]):
        return PageImage(tuple(given), alt, "", side_of(node))
    if len(given) > MOST:
        return PageImage((), alt, "too_many_sources")
    real = tuple(dict.fromkeys(url for url in given if not is_data(url)))
    real = tuple(url for url in real if not is_placeholder(url)) or real
    embedded = (
        ()
        if real
        else tuple(sorted((url for url in given if _is_whole_image(url)), key=len, reverse=True)[:1])
    )
    return PageImage(
        real or embedded, alt, "" if real or embedded else "data_uri" if given else "no_source", side_of(node)
    )


def is_data(url: str) -> bool:
    """Whether a URL contains the image itself (RFC 2397)."""
    return url[:5].lower() == "data:"


def is_placeholder(url: str) -> bool:
    """Whether a URL is only shown until a script sets the real one."""
    if is_data(url):
        return True
    path = url.partition("?")[0].partition("#")[0]
    return _PLACEHOLDER.search(path[-_NAME:]) is not None or is_no_url(url)


def is_readable(media: str | None) -> bool:
    """Whether a media type (`image/webp; q=1`) is that of images that are decoded here; true for none."""
    kind = (media or "").partition(";")[0].strip().lower()
    return not kind or kind in _READABLE


def is_pixel(attributes: Attributes) -> bool:
    """Whether an image has the size of one pixel."""
    return _is_one(attributes.get("width")) and _is_one(attributes.get("height"))


def _is_one(side: str | None) -> bool:
    return side is not None and side.strip().removesuffix("px") in {"0", "1"}


def urls_of(attributes: Attributes) -> Iterator[str]:
    """Yield the URLs in the attributes of an <img>, the best first."""
    if attributes.keys() <= _PLAIN:
        src = attributes.get("src") or ""
        yield "" if is_no_url(src) else src
        return
    written = [(name, value) for name, value in attributes.items() if value]
    lazy = [(name, value) for name, value in written if name in _LAZY]
    yield from _largest([value for name, value in written if name.endswith(("srcset", "bgset"))])
    yield from _largest([value for _, value in lazy if is_set(value)])
    yield from (_filled(value, attributes) for _, value in lazy if not is_set(value) and is_path(value))
    src = attributes.get("src") or ""
    others = [(name, value) for name, value in written if _may_hold(name)]
    files = [value for _, value in others if is_file(value)]
    if is_placeholder(src):
        yield from files
        yield from (value for name, value in others if _ABOUT_IMAGE.search(name) and is_absolute(value))
        yield "" if is_no_url(src) else src
    else:
        yield src
        yield from files


def _largest(sets: Sequence[str]) -> list[str]:
    """The candidates of several srcsets from large to small; not all of them if they are too many."""
    found = list(islice((candidate for value in sets for candidate in candidates(value)), MOST + 1))
    return [url for _, url in sorted(found, key=lambda candidate: -candidate[0])]


def _may_hold(name: str) -> bool:
    return not (name in _OWN or name in _LAZY or name.endswith("srcset") or _TEXT.search(name))


def _filled(url: str, attributes: Attributes) -> str:
    """A URL with the largest width in the place of `{width}`, as scripts fill it in."""
    if "{width}" not in url:
        return url
    widths = [int(width) for width in re.findall(r"\d{1,5}", (attributes.get("data-widths") or "")[:_NAME])]
    return url.replace("{width}", str(max(widths))) if widths else ""


def _is_whole_image(url: str) -> bool:
    """Whether a data: URL may be a real image."""
    kind = url[5:40].lower().partition(",")[0].partition(";")[0].strip()
    return kind in _READABLE and len(url) >= PLACEHOLDER


def _urls(node: LexborNode, attributes: Attributes) -> list[str]:
    """URLs of an image and of its <picture>; those for other screens only if it has no others."""
    own = list(urls_of(attributes))
    parent = node.parent
    if parent is None or parent.tag != "picture":
        return own
    sources = [source.attributes for source in islice(parent.iter(), MOST) if source.tag == "source"]
    readable = [source for source in sources if is_readable(source.get("type"))]
    shown = [source for source in readable if matches(source.get("media") or "")]
    urls = [*_of_sources(shown), *own]
    return urls if any(url and not is_placeholder(url) for url in urls) else [*_of_sources(readable), *own]


def _of_sources(sources: Sequence[Attributes]) -> Iterator[str]:
    for source in sources:
        yield from urls_of({name: value for name, value in source.items() if name not in _OF_SOURCE})
