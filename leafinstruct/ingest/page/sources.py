"""Find the URLs of an <img>, the best first.

With lazy loading, responsive sizes and <picture>, `src` is often a placeholder and the image is elsewhere.
The order is: srcset candidates from large to small (a training image can be made smaller, not larger), then
the lazy attributes, then `src`. Any other data- attribute with the URL of an image comes before a `src` that
is a placeholder (`blank.gif`), and after a real one. The reader takes the first one that it can find, so an
archive with only the small one still gives an image.

A data: URL is used only if there is no other, and only if it is too long for a placeholder (a transparent
pixel, a blurred preview) and not a drawing. Formats that cannot be decoded here are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

from selectolax.lexbor import LexborNode

from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.page.grouping import Side, side_of

_LAZY = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-hi-res-src", "data-image")
_SRCSETS = ("srcset", "data-srcset", "data-lazy-srcset")
_CANDIDATE = re.compile(r"[\s,]*+(\S++)(?:(?<=,)|([^,]*+))")
"""A URL and its descriptors; one that ends with a comma has none (HTML Standard, parsing a srcset attribute).
Never reads a place twice."""
_SIZE = re.compile(r"(?<!\S)([0-9.]{1,20})([wx])(?!\S)")
_FILE = re.compile(r"^\S+\.(?:jpe?g|png|gif|webp|avif)(?:\?\S*)?$", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    (
        r"(?:^|[/_.-])(?:blank|spacer|placeholder|transparent|trans|pixel|1x1|lazy|loading|"
        r"loader)[\w.-]*\.(?:gif|png|svg)$"
    ),
    re.IGNORECASE,
)
_LONGEST, _NAME = 2_000, 100
"""Maximum characters of a URL in an unknown attribute; characters at the end of a URL that show whether it is
a placeholder."""
_READABLE = frozenset(
    f"image/{name}" for name in ("jpeg", "jpg", "png", "webp", "gif", "avif", "bmp", "tiff")
)

MOST = 256
"""Maximum candidates in all srcsets of an image; an image with more is rejected. Real ones have up to 30."""
PLACEHOLDER = 1_000
"""Characters below which a data: URL is a placeholder of an image that is loaded later; previews have some
hundred."""

Attributes = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class PageImage:
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
    if _is_pixel(attributes):
        return PageImage((), alt, "tracking_pixel")
    given = [url.strip() for url in _urls(node, attributes) if url.strip()]
    if len(given) > MOST:
        return PageImage((), alt, "too_many_sources")
    real = tuple(dict.fromkeys(url for url in given if not is_data(url)))
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
    """Whether a src is only a placeholder until a script sets the real one."""
    return not url or is_data(url) or _PLACEHOLDER.search(url[-_NAME:]) is not None


def _is_whole_image(url: str) -> bool:
    """Whether a data: URL may be a real image."""
    kind = url[5:40].lower().partition(",")[0].partition(";")[0].strip()
    return kind in _READABLE and len(url) >= PLACEHOLDER


def _urls(node: LexborNode, attributes: Attributes) -> Iterator[str]:
    sets = (value for name in _SRCSETS if (value := attributes.get(name)))
    candidates = (candidate for value in chain(_source_sets(node), sets) for candidate in _candidates(value))
    sized = sorted(islice(candidates, MOST + 1), key=lambda candidate: -candidate[0])
    yield from (url for _, url in sized)
    yield from (value for name in _LAZY if (value := attributes.get(name)))
    src = attributes.get("src") or ""
    others = [
        value
        for name, value in attributes.items()
        if name.startswith("data-") and value and len(value) <= _LONGEST and _FILE.match(value)
    ]
    yield from [*others, src] if is_placeholder(src) else [src, *others]


def _source_sets(node: LexborNode) -> Iterator[str]:
    """srcset of the <source>s around the image, those in a readable format."""
    parent = node.parent
    if parent is None or parent.tag != "picture":
        return
    for source in islice(parent.iter(), MOST):
        attributes = source.attributes
        if source.tag == "source" and (attributes.get("type") or "image/jpeg").lower() in _READABLE:
            yield from (value for name in _SRCSETS if (value := attributes.get(name)))


def _candidates(srcset: str) -> Iterator[tuple[float, str]]:
    """(size, URL): size is the width in pixels, or density times 1000, so that `2x` sorts like 2000 px."""
    place = 0
    # match, because search would scan a run of commas before a URL from each of them
    while found := _CANDIDATE.match(srcset, place):
        place = found.end()
        size = _SIZE.search((found[2] or "")[:_NAME])
        try:
            number = float(size[1]) if size else 1.0
        except ValueError:
            continue
        if url := found[1].rstrip(","):
            yield (number if size and size[2] == "w" else number * 1000), url


def _is_pixel(attributes: Attributes) -> bool:
    return all(
        (attributes.get(side) or "").strip().removesuffix("px") in {"0", "1"} for side in ("width", "height")
    )
