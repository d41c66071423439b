"""WARC: pages and images of archive files. A page is a response with status 200 and an HTML type, or a
resource of one; its locator is `offset=N`, bytes on disk. What else a record is, and what is nothing to us,
says archive_record.

An image is another record of the same file, found by its address (through the file's own redirects and
revisits; http or https, with or without fragment), and is referred to by its range on disk: nothing is
copied. With `crawl: true` the other files of the source are looked in next (crawl). An image that is in none
is a reference to the web; a data: address is a range of its page's decoded body.

An address that was captured twice gives two documents, each with its own place: whether they are the same is
not the archive's to say, and exact copies are what the filter's `duplicate.*` scores are for. A revisit of a
page is no second capture: it says that the first one still holds. Its page is read where it lies; when that
is neither in this file nor, with `crawl: true`, in another, the revisit is a loss.

Parts are ranges of pages within one file, from the index that planning leaves in `cache`. A file that breaks
off gives all whole records before the break, then `truncated`; one with records that cannot be read all
others, then `damaged_record` for each of those, of a thousand at most (`too_damaged` says where reading stops
then). A record that unpacks to far more than its size is not unpacked (too_large), and records that share a
gzip member cannot be read (not_by_record).

What withholds itself from training, a page by its <meta> or by its HTTP head, an image by its own, is refused
(opt_out) unless `opt_out: false`; as images on the web are.

Whole page lost: broken_record, truncated_record (its body is cut), too_large, empty, not_text, too_wide,
too_deep, opt_out, no_body, no_content, too_many_pieces, too_long; revisit_of_absent_page; not_http;
truncated, damaged_record, not_by_record, too_large or too_damaged for what cannot be read of the file.
Image lost, the document goes on: no_source, too_many_sources, data_uri, tracking_pixel, unknown_scheme,
bad_url, opt_out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

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
LIBRARIES: tuple[str, ...] = ("selectolax", "resiliparse", "fastwarc")
MAX_RECORD = 2 * MAX_PAGE + (1 << 20)
"""Bytes on disk of a page's record: its head, and a body that chunks make longer. Of a longer record nothing
is read."""
Lookup = Callable[[str], Ref | None]
"""Absolute address -> the archived image. Raises ValueError for a malformed address, NoReferenceError for an
image that withholds itself."""


def root_of(source: WarcSource) -> Path:
    """The folder itself, a file's folder, or a glob's part before the first wildcard."""
    return files.root_of(source.path)


def plan(source: WarcSource, part_size: int, cache: Path) -> list[Span]:
    """Ranges of at most part_size pages within one file.

    Raises SourceError when the path is missing, unreadable or matches nothing, when a file is compressed in
    one piece, when there is no page.
    """
    root = root_of(source)
    spans = []
    for file in _archives(source, root):
        spans += ranges(file, archive_index.index(root / file, cache).items, part_size)
    if not spans:
        raise SourceError(
            f"{source.path}: the archives hold no page (a response with status 200, or a resource, of "
            "type text/html)"
        )
    if source.crawl:
        crawl.built(source, root, _archives(source, root), cache)  # here, once, rather than by every worker
    return spans


def depends(source: WarcSource) -> str | None:
    """What a page's document depends on besides its own file: the whole crawl, where images are looked for
    there."""
    root = root_of(source)
    return crawl.depends(source, root, _archives(source, root)) if source.crawl else None


def _archives(source: WarcSource, root: Path) -> tuple[str, ...]:
    """The source's files. Raises SourceError for one of zstd too, which would else be passed over."""
    names = files.listing(source.path, root, (*SUFFIXES, ZSTD))
    if packed := next((name for name in names if name.lower().endswith(ZSTD)), None):
        raise SourceError(
            f"{root / packed}: compressed with zstd, which is not read; run `zstd -d` on it, use the "
            ".warc and move this one away"
        )
    return tuple(names)


def read(source: WarcSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """The documents of a span, each followed by the images it lost; pages that could not be read; where the
    file breaks off."""
    root = root_of(source)
    (file,) = span.files
    path = files.inside(root, file)
    if path is None:
        yield Rejected(file, "", "unsafe_path", "a symbolic link leads out of the source's folder")
        return
    index = archive_index.index(path, cache)
    whole = crawl.built(source, root, _archives(source, root), cache) if source.crawl else None
    lookup = partial(_find, file, index, whole, source.opt_out)
    for offset, length in index.pages[span.start : span.stop]:
        if length > MAX_RECORD:
            yield Rejected(
                file,
                f"offset={offset}",
                "too_large",
                f"{length:,} bytes; records of pages above {MAX_RECORD:,} are not read",
            )
            continue
        yield from _document(source, file, lookup, offset, _bytes(path, offset, length))
    yield from _lost(file, index, whole, span)


def _lost(file: str, index: ArchiveIndex, whole: Path | None, span: Span) -> Iterator[Rejected]:
    """What a span's share of the file's losses is: they are counted behind its pages."""
    pages, damages = len(index.pages), len(index.damages)
    for offset, reason, detail in index.damages[max(0, span.start - pages) : max(0, span.stop - pages)]:
        yield Rejected(file, f"offset={offset}", reason, detail)
    for offset, names in index.revisits[
        max(0, span.start - pages - damages) : max(0, span.stop - pages - damages)
    ]:
        if not names:
            said = "it gives neither the digest nor address and date of the page that it repeats"
            yield Rejected(file, f"offset={offset}", "revisit_of_absent_page", said)
        elif whole is None or not crawl.holds_page(whole, names):
            where = "this file; crawl: true looks in the others too" if whole is None else "the crawl"
            yield Rejected(
                file,
                f"offset={offset}",
                "revisit_of_absent_page",
                f"the page that it repeats is not in {where}",
            )


def _find(file: str, index: ArchiveIndex, whole: Path | None, opt_out: bool, url: str) -> Ref | None:
    """The image at an address: in the page's own file, else in the crawl.

    Raises ValueError for a malformed address, NoReferenceError for an image that withholds itself.
    """
    if (own := index.find(url)) is not None:
        place, withheld = (file, *own), own[0] in index.withheld
    elif whole is not None and (found := crawl.find(whole, url)) is not None:
        place, withheld = found, crawl.withholds(whole, found[0], found[1])
    else:
        return None
    if opt_out and withheld:
        raise NoReferenceError("opt_out", f"{url[:100]}: its headers withhold it from training")
    return Ref(file=place[0], offset=place[1], length=place[2])


def _bytes(path: Path, offset: int, length: int) -> bytes:
    """A record as it lies on disk. Raises SourceError when the file went away since it was indexed."""
    try:
        with path.open("rb") as stream:
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
            raise PageError("opt_out", f"its headers withhold it from training: {answer.withheld}")
        page = parse(answer.body, answer.charset, source.opt_out, web(answer.url))
    except (RecordError, PageError) as error:
        yield Rejected(file, provenance.locator, error.reason, error.detail)
        return
    record, embedded = Ref(file=file, offset=offset, length=len(data)), Embedded(answer.body)
    locate = partial(_locate, record, lookup, _base(answer, page.base), embedded)
    yield from assemble(page, source.name, provenance, web(answer.url), source.license, locate)


def _base(answer: Response, base: str | None) -> str:
    """What the page's addresses are relative to: its <base>, itself seen from the page's own address."""
    try:
        return join(answer.url, base) if base else answer.url
    except ValueError:
        return answer.url


def _locate(
    record: Ref, lookup: Lookup, base: str, embedded: Embedded, sources: tuple[str, ...]
) -> tuple[Ref, str | None]:
    """The first address that the archive holds, else the best one on the web. Raises NoReferenceError when
    none is on the web, or the one that the archive holds withholds itself.

    record: the page's own.
    """
    if sources and is_data(sources[0]):
        offset, length = embedded.place(sources[0])
        return replace(record, member=f"bytes={offset},{length}"), None
    elsewhere: list[str] = []
    problem = NoReferenceError("no_source", "an <img> without any address")
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
