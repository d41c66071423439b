"""Turn a parsed page into a document: positions, references, and the pieces that were lost.

The reader knows where an image's bytes are (a file beside the page, a record of the archive, the web), so it
provides `locate`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice

from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.fields.reference import RejectedError
from leafinstruct.ingest.fields.url import join, web
from leafinstruct.ingest.page.grouping import Side
from leafinstruct.ingest.page.page import Page
from leafinstruct.ingest.page.sources import MOST, PageImage
from leafinstruct.records.document import (
    Document,
    ImageRef,
    Provenance,
    Ref,
    Rejected,
    Segment,
    Text,
    document_id,
)
from leafinstruct.records.license import named
from leafinstruct.records.text import places
from leafinstruct.records.url import one_domain

_PROBLEMS = {
    "tracking_pixel": "an image of one pixel",
    "data_uri": "a data: URL too short for an image, or of a drawing",
    "no_source": "an <img> without any URL",
    "too_many_sources": f"an image with more than {MOST} URLs",
}


MAX_EMBEDDED = 200
"""Maximum images of one page as `data:` URLs; each is searched for in the page's bytes."""
MAX_BEGINNINGS = 20_000
_DATA = re.compile(rb"data:", re.IGNORECASE)


class NoReferenceError(RejectedError):
    """None of an image's URLs can be a reference."""


Locate = Callable[[tuple[str, ...]], tuple[Ref, str | None]]
"""URLs as written, the best first -> reference and web URL. Raises NoReferenceError."""


def assemble(
    page: Page, source: str, provenance: Provenance, url: str | None, license_: str | None, locate: Locate
) -> Iterator[Document | Rejected]:
    """Yield the page's document, then a `Rejected` for each image without a reference. Yields only one for
    the whole page if nothing is left, or if it exceeds the limits of a document (caps: too_many_pieces,
    too_long).

    url: where the page was found, None for a local file. license_: of pages that state none. A relative link
    of the page (canonical, license) is relative to its <base>, else to its own URL, as in browsers.
    """
    if problem := _excess(page):
        yield Rejected(provenance.file, provenance.locator, *problem)
        return
    segments: list[Segment] = []
    lost: list[Rejected] = []
    sides: dict[int, Side] = {}
    base = _base(url, page)
    canonical = _canonical(url, base, page)
    license_ = (
        named(_joined(base or canonical, page.license) if page.license_is_link else page.license) or license_
    )
    for piece in page.pieces:
        if not isinstance(piece, PageImage):
            segments.append(Text(len(segments), piece.text, piece.kind))
            continue
        try:
            ref, image_url = _located(piece, locate)
            if piece.side is not None:
                sides[len(segments)] = piece.side
            segments.append(ImageRef(len(segments), ref, piece.alt, image_url, license_))
        except NoReferenceError as error:
            lost.append(
                Rejected(provenance.file, provenance.locator, error.reason, error.detail, whole=False)
            )
    if segments:
        identity = document_id(source, provenance.file, provenance.locator)
        yield Document(
            identity,
            source,
            _owned(segments, sides),
            provenance,
            canonical or url,
            license_,
            page.title,
            page_url=url,
        )
    else:
        yield Rejected(provenance.file, provenance.locator, "no_content", "nothing but images without a URL")
    yield from lost
    for reason, detail in page.lost:
        yield Rejected(provenance.file, provenance.locator, reason, detail, whole=False)


def _owned(segments: Sequence[Segment], sides: Mapping[int, Side]) -> tuple[Segment, ...]:
    """Set the owners with which the page's markup groups images. sides: position of an image -> side of its
    own text."""
    owned = list(segments)
    for at, side in sides.items():
        image, text = owned[at], places.grouped(segments, at, -1 if side == "before" else 1)
        if isinstance(image, ImageRef) and text is not None:
            owned[at] = replace(image, owner=text.position, owner_found="inferred")
    return tuple(owned)


class Embedded:
    """Finds `data:` URLs in a page's bytes.

    A URL is compared only where the page has `data:`, at most at MAX_BEGINNINGS places: searching the whole
    page for each URL that is written with escapes takes 80 ms for 25 MB.
    """

    def __init__(self, body: bytes) -> None:
        self._body, self._from, self._left = body, 0, MAX_EMBEDDED

    @cached_property
    def _beginnings(self) -> list[int]:
        return [found.start() for found in islice(_DATA.finditer(self._body), MAX_BEGINNINGS)]

    def place(self, url: str) -> tuple[int, int]:
        """Offset and length of a URL in the bytes. Raises NoReferenceError for one that is written
        differently, or one too many."""
        self._left -= 1
        if self._left < 0:
            raise NoReferenceError("data_uri", f"the page has more than {MAX_EMBEDDED} images as data: URLs")
        wanted = url.encode("ascii", errors="replace")
        first = bisect_left(self._beginnings, self._from)
        places = chain(self._beginnings[first:], self._beginnings[:first])  # images come in order
        found = next((place for place in places if self._body.startswith(wanted, place)), None)
        if found is None:
            raise NoReferenceError("data_uri", "a data: URL that the page writes with escapes or line breaks")
        self._from = found
        return found, len(wanted)


def _excess(page: Page) -> tuple[str, str] | None:
    texts = [piece.text for piece in page.pieces if not isinstance(piece, PageImage)]
    return excess(len(page.pieces), len(page.pieces) - len(texts), sum(map(len, texts)))


def _located(piece: PageImage, locate: Locate) -> tuple[Ref, str | None]:
    if piece.problem:
        raise NoReferenceError(piece.problem, _PROBLEMS[piece.problem])
    return locate(piece.sources)


def _base(url: str | None, page: Page) -> str | None:
    """The URL that the page's links are relative to; None for a local file whose <base> is not on the web."""
    return web(_joined(url, page.base)) or url


def _canonical(url: str | None, base: str | None, page: Page) -> str | None:
    """The URL that the page states for itself: its canonical link, else og:url, each only on the registered
    domain at which the page was found.

    A page can write any URL there. One of another domain could move the page out of reach of a removal, or
    under another site's name. A local file has no other URL, so its own are taken unchanged.
    """
    for written in (page.canonical, page.og_url):
        joined = web(_joined(base, written))
        if joined is not None and (url is None or one_domain(url, joined)):
            return joined
    return None


def _joined(base: str | None, reference: str | None) -> str | None:
    try:
        return join(base, reference) if reference else None
    except ValueError:
        return None
