"""WARC: pages and images of web archive files.

A page is a response with status 200 and an HTML type, or a resource of that type; its locator is `offset=N`,
bytes on disk. archive_record describes the other records, and those that are ignored.

An image is another record of the same file, found by its URL in any spelling (`url_key`), also through the
file's own redirects and revisits. The reference is its range on disk: nothing is copied. With `crawl: true`
the other files of the source are searched next (crawl). An image that is in none is a reference to the web; a
data: URL is a range of its page's decoded body.

A URL that was captured twice gives two documents: the archive does not state whether they are the same, and
the filter's `duplicate.*` scores find exact copies. A revisit of a page is no second capture: it states that
the first one is unchanged. Its page is read where it was captured; when that page is neither in this file
nor, with `crawl: true`, in another, the revisit is a loss.

Parts are ranges of pages within one file, from the index that planning writes to `cache`. A file that ends
early gives all whole records before the cut, then `truncated`. A file with unreadable records gives all
others, then `damaged_record` for each of those, for at most a thousand (`too_damaged` marks where reading
stops then). A record that unpacks to far more than its size is not unpacked (too_large), and records that
share a gzip member cannot be read (not_by_record).

Pages that opt out of training, by their <meta> or HTTP headers, and images that do, by their headers, are
refused (opt_out) unless `opt_out: false`; so are images on the web.

Whole page lost: broken_record, truncated_record (its body is cut), unknown_encoding, too_large, empty,
not_text, too_wide, too_deep, opt_out, no_body, no_content, too_many_pieces, too_long;
revisit_of_absent_page; not_http; truncated, damaged_record, not_by_record, too_large or too_damaged for what
cannot be read of the file.
Image lost, the document is kept: no_source, too_many_sources, data_uri, tracking_pixel, unknown_scheme,
bad_url, opt_out, emoji_without_alt, not_shown (inside elements that the page does not show).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from leafinstruct.errors import SourceError
from leafinstruct.images.archive import RecordError, Response, response
from leafinstruct.ingest import files
from leafinstruct.ingest.archive import archive_index, crawl
from leafinstruct.ingest.archive.archive_index import ArchiveIndex
from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.fields.url import join, web, without_fragment
from leafinstruct.ingest.page.assemble import Embedded, NoReferenceError, assemble
from leafinstruct.ingest.page.page import MAX_PAGE, PageError, parse
from leafinstruct.ingest.page.sources import is_data
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.records.document import Document, Provenance, Ref, Rejected

SUFFIXES = (".warc", ".warc.gz")
ZSTD = ".warc.zst"
LIBRARIES: tuple[str, ...] = ("selectolax", "resiliparse", "fastwarc", "publicsuffixlist", "yarl")
MAX_RECORD = 2 * MAX_PAGE + (1 << 20)
"""Maximum bytes on disk of a page's record: its headers, and a body that chunked encoding makes longer.
Longer records are not read."""
Lookup = Callable[[str], Ref | None]
"""Absolute URL -> the archived image. Raises ValueError for a malformed URL, NoReferenceError for an image
that opts out."""


def root_of(source: WarcSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(source.path)


def plan(source: WarcSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size pages, each within one file.

    Raises SourceError when the path is missing, unreadable or matches nothing, when a file is compressed in
    one piece, and when there is no page.
    """
    root = root_of(source)
    spans = []
    for file in _archives(source, root):
        spans += ranges(file, archive_index.index(root / file, cache).items, part_size)
    if not spans:
        raise SourceError(
            f"{source.path}: the archives contain no page (a response with status 200, or a resource, of "
            "type text/html)"
        )
    if source.crawl:
        crawl.built(source, root, _archives(source, root), cache)  # once here, not in every worker
    return spans


def depends(source: WarcSource, cache: Path) -> str | None:
    """Return what a page's document depends on besides its own file: the whole crawl, if images are searched
    there."""
    root = root_of(source)
    return crawl.depends(source, root, _archives(source, root), cache) if source.crawl else None


def _archives(source: WarcSource, root: Path) -> tuple[str, ...]:
    """The source's files. Raises SourceError for a .warc.zst, which would otherwise be skipped
    silently."""
    names = files.listing(source.path, root, (*SUFFIXES, ZSTD))
    if packed := next((name for name in names if name.lower().endswith(ZSTD)), None):
        raise SourceError(
            f"{root / packed}: compressed with zstd, which is not read; run `zstd -d` on it, use the "
            ".warc and move this one away"
        )
    return tuple(names)


def read(source: WarcSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a span, each followed by the images it lost; pages that could not be read; where
    the file ends early."""
    root = root_of(source)
    return files.each(root, span.files, partial(_file, source, root, span, cache))


def _file(
    source: WarcSource, root: Path, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    index = archive_index.index(path, cache)
    whole = crawl.built(source, root, _archives(source, root), cache) if source.crawl else None
    lookup = partial(_find, file, index, whole, source.opt_out)
    with _opened(path) as stream:
        for offset, length in index.pages[span.start : span.stop]:
            if length > MAX_RECORD:
                yield Rejected(
                    file,
                    f"offset={offset}",
                    "too_large",
                    f"{length:,} bytes; records of pages above {MAX_RECORD:,} are not read",
                )
                continue
            yield from _document(source, file, lookup, offset, _bytes(stream, path, offset, length))
    yield from _lost(file, index, whole, span)


def _lost(file: str, index: ArchiveIndex, whole: Path | None, span: Span) -> Iterator[Rejected]:
    """Yield the file's losses in a span; they are numbered after its pages."""
    pages, damages = len(index.pages), len(index.damages)
    for offset, reason, detail in index.damages[max(0, span.start - pages) : max(0, span.stop - pages)]:
        yield Rejected(file, f"offset={offset}", reason, detail)
    for offset, names in index.revisits[
        max(0, span.start - pages - damages) : max(0, span.stop - pages - damages)
    ]:
        if not names:
            detail = "it gives neither the digest nor the URL and date of the page that it repeats"
            yield Rejected(file, f"offset={offset}", "revisit_of_absent_page", detail)
        elif whole is None or not crawl.holds_page(whole, names):
            where = "this file; crawl: true searches the others too" if whole is None else "the crawl"
            yield Rejected(
                file,
                f"offset={offset}",
                "revisit_of_absent_page",
                f"the page that it repeats is not in {where}",
            )


def _find(file: str, index: ArchiveIndex, whole: Path | None, opt_out: bool, url: str) -> Ref | None:
    """Refer to the image of a URL: in the page's own file, else in the crawl.

    Raises ValueError for a malformed URL, NoReferenceError for an image that opts out.
    """
    if (own := index.find(url)) is not None:
        place, withheld = (file, *own), own[0] in index.withheld
    elif whole is not None and (found := crawl.find(whole, url)) is not None:
        place, withheld = found, crawl.withholds(whole, found[0], found[1])
    else:
        return None
    if opt_out and withheld:
        raise NoReferenceError("opt_out", f"{url[:100]}: its headers opt out of training")
    return Ref(file=place[0], offset=place[1], length=place[2])


def _opened(path: Path) -> BinaryIO:
    """Open a file, once for all its pages. Raises SourceError when it disappeared since it was indexed."""
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _bytes(stream: BinaryIO, path: Path, offset: int, length: int) -> bytes:
    """Read a record as stored on disk. Raises SourceError when it cannot be read."""
    try:
        stream.seek(offset)
        return stream.read(length)
    except OSError as error:
        raise SourceError(f"{path}, offset {offset:,}: cannot be read: {error.strerror or error}") from error


def _document(
    source: WarcSource, file: str, lookup: Lookup, offset: int, data: bytes
) -> Iterator[Document | Rejected]:
    provenance = Provenance(file, f"offset={offset}")
    try:
        answer = response(data, MAX_PAGE)
        if source.opt_out and answer.withheld:
            raise PageError("opt_out", f"its headers opt out of training: {answer.withheld}")
        page = parse(answer.body, answer.charset, source.opt_out, web(answer.url))
    except (RecordError, PageError) as error:
        yield Rejected(file, provenance.locator, error.reason, error.detail)
        return
    record, embedded = Ref(file=file, offset=offset, length=len(data)), Embedded(answer.body)
    locate = partial(_locate, record, lookup, _base(answer, page.base), embedded)
    yield from assemble(page, source.name, provenance, web(answer.url), source.license, locate)


def _base(answer: Response, base: str | None) -> str:
    """Return what the page's URLs are relative to: its <base>, which is relative to the page's own URL."""
    try:
        return join(answer.url, base) if base else answer.url
    except ValueError:
        return answer.url


def _locate(
    record: Ref, lookup: Lookup, base: str, embedded: Embedded, sources: tuple[str, ...]
) -> tuple[Ref, str | None]:
    """Refer to the first source that the archive contains, else the best one on the web. Raises
    NoReferenceError when none is on the web, or the archived one opts out.

    record: the page's own.
    """
    if sources and is_data(sources[0]):
        offset, length = embedded.place(sources[0])
        return replace(record, member=f"bytes={offset},{length}"), None
    elsewhere: list[str] = []
    problem = NoReferenceError("no_source", "an <img> without any URL")
    for url in sources:
        try:
            absolute = without_fragment(join(base, url))
            place = lookup(absolute)
        except ValueError as error:
            problem = NoReferenceError("bad_url", f"{url[:100]}: {error}")
            continue
        if web(absolute) is None:
            problem = NoReferenceError("unknown_scheme", f"{url[:100]} is not on the web")
        elif place is not None:
            return place, absolute
        else:
            elsewhere.append(absolute)
    if not elsewhere:
        raise problem
    return Ref(url=elsewhere[0]), elsewhere[0]
