"""HTML: a folder of pages, their images beside them or on the web. One file, one document; the locator is
empty.

Parts are the leaves of a tree over the hash of each page's path, split until a leaf has at most part_size
pages. A page that is added or removed changes exactly one part (or splits or merges two), wherever its name
sorts. Rejected: runs of the sorted list, cut where a hash decides, because the cap on their length moves the
cuts. Parts contain two thirds of part_size on average.

A folder is also searched for pages whose name lacks a page's suffix, as in mirrors of dynamic sites (`about`,
`index.php?id=3`), if their content begins like HTML. The folder that a browser saves beside a page (`a_files`
beside `a.html`) belongs to that page; HTML files in it (frames, advertisements) are not read as pages.

A relative URL is a file below the source's root, else the web URL that <base> makes of it. `/x.png` is looked
up at the root of the source first. Percent-encoding is decoded unless a file of the written name exists.
Image files are only looked up, never opened: a missing one is a reference like any other, and materializing
it gives the reason. A data: URL is a range of the page.

Whole page lost: unreadable, unsafe_path, empty, too_large, not_text, too_wide, too_deep, no_body, no_content,
too_many_pieces, too_long.
Image lost, the document is kept: no_source, too_many_sources, data_uri, tracking_pixel, unsafe_path,
unknown_scheme, bad_url, emoji_without_alt, not_shown (inside elements that the page does not show).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from leafinstruct.ingest import files
from leafinstruct.ingest.archive.archive_record import looks_like_html
from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.fields.url import join, web, without_fragment
from leafinstruct.ingest.page.assemble import Embedded, NoReferenceError, assemble
from leafinstruct.ingest.page.page import MAX_PAGE, Page, PageError, parse
from leafinstruct.ingest.page.sources import is_data
from leafinstruct.ingest.span import Span, grouped
from leafinstruct.records.document import Document, Provenance, Ref, Rejected

SUFFIXES = (".html", ".htm", ".xhtml")
LIBRARIES: tuple[str, ...] = ("selectolax", "resiliparse", "publicsuffixlist")
_DYNAMIC = re.compile(r"^[^.]+$|\.(?:php\d?|phtml|shtml?|aspx?|jspx?|cgi|cfm)$|[?@][^/]*$", re.IGNORECASE)
"""Names of files that may be pages: without a dot, of a server program, or with a query as mirrors write
it."""
_BEGINNING = 1024
"""Bytes within which a page must begin like HTML."""
_SAVED = (
    "_files",
    ".files",
    "-Dateien",
    "-Filer",
    "-filer",
    "_fichiers",
    "_archivos",
    "_arquivos",
    "_ficheiros",
    "_bestanden",
    "_pliki",
    "_soubory",
)
"""Endings of the folder that browsers and Windows save beside a page."""


def root_of(source: HtmlSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_of(source.path)


def plan(source: HtmlSource, part_size: int, cache: Path) -> list[Span]:  # noqa: ARG001 - a listing is the whole plan, nothing to keep
    """Return sets of at most part_size pages. Raises SourceError when the path is missing, unreadable or
    matches nothing."""
    root = root_of(source)
    names = files.listing(source.path, root, SUFFIXES, begins_as_page)
    parts = saved_parts(names)
    return [
        Span(group, 0, len(group))
        for group in grouped([name for name in names if name not in parts], part_size)
    ]


def begins_as_page(path: Path) -> bool:
    """Whether a file without a page's suffix may be a page by its name, and begins like HTML."""
    if not _DYNAMIC.search(path.name):
        return False
    try:
        with path.open("rb") as stream:
            return looks_like_html(stream.read(_BEGINNING))
    except OSError:
        return False


def saved_parts(names: Sequence[str]) -> set[str]:
    """Return the names in a folder that a browser saved beside another page."""
    beside = {stem + ending for name in names if (stem := _stem(name)) for ending in _SAVED}
    return {name for name in names if any(str(folder) in beside for folder in PurePosixPath(name).parents)}


def _stem(name: str) -> str:
    """A page's name without its suffix; empty when it has none."""
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def read(source: HtmlSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:  # noqa: ARG001 - one signature for all readers
    """Yield the documents of a span in the order of their names, each followed by the images it lost; pages
    that could not be read."""
    root = root_of(source)
    for file in span.files[span.start : span.stop]:
        try:
            body = _bytes(root, file)
            page = parse(body, opt_out=source.opt_out)
        except PageError as error:
            yield Rejected(file, "", error.reason, error.detail)
            continue
        locate = partial(_locate, root, file, page, Embedded(body))
        yield from assemble(page, source.name, Provenance(file), None, source.license, locate)


def _bytes(root: Path, file: str) -> bytes:
    """Read the page's bytes. Raises PageError."""
    path = files.inside(root, file)
    if path is None:
        raise PageError("unsafe_path", files.LEADS_OUT)
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_PAGE + 1)
    except OSError as error:
        raise PageError("unreadable", str(error.strerror or error)) from error


def _locate(
    root: Path, file: str, page: Page, embedded: Embedded, sources: tuple[str, ...]
) -> tuple[Ref, str | None]:
    """Refer to the first source that is an existing file, since a saved page often keeps URLs of the web for
    sizes that were not saved; else to the first that is on the web or could be a file. Raises
    NoReferenceError for none."""
    if sources and is_data(sources[0]):
        offset, length = embedded.place(sources[0])
        return Ref(file=file, offset=offset, length=length), None
    possible: list[Ref] = []
    problem = NoReferenceError("no_source", "an <img> without any URL")
    for url in sources:
        try:
            ref = _reference(root, file, page, url)
        except NoReferenceError as error:
            problem = error
            continue
        if len(sources) == 1 or (ref.file is not None and files.exists(root, ref.file)):
            return ref, ref.url
        possible.append(ref)
    if not possible:
        raise problem
    return possible[0], possible[0].url


def _reference(root: Path, file: str, page: Page, url: str) -> Ref:
    """Refer to what one URL names. Raises NoReferenceError."""
    try:
        joined = join(page.base if web(page.base) else None, url)
        parts = urlsplit(joined)
        if parts.scheme in ("http", "https"):
            return Ref(url=without_fragment(joined))
    except ValueError as error:
        raise NoReferenceError("bad_url", f"{url[:100]}: {error}") from error
    if parts.scheme == "file" or len(parts.scheme) == 1:
        raise NoReferenceError("unsafe_path", f"{url[:100]} names a file outside the source")
    if parts.scheme:
        raise NoReferenceError("unknown_scheme", f"{url[:100]} is neither a file nor on the web")
    if not parts.path:
        raise NoReferenceError("no_source", f"{url[:100]} names no file")
    return _local(root, _folder(file, page.base), page, parts)


def _folder(file: str, base: str | None) -> str:
    """The folder, relative to root, that the page's relative URLs start from."""
    if base is None or web(base):
        return posixpath.dirname(file)
    written = unquote(base)
    place = (
        written.lstrip("/") if written.startswith("/") else posixpath.join(posixpath.dirname(file), written)
    )
    return posixpath.dirname(place)


def _local(root: Path, folder: str, page: Page, parts: SplitResult) -> Ref:
    """Refer to the file that a relative URL names. Raises NoReferenceError when it leaves the root."""
    meant = _below_root(folder, unquote(parts.path))
    if meant is None:
        raise NoReferenceError("unsafe_path", f"{parts.path[:100]} leads out of the source's folder")
    as_written = {parts.path, f"{unquote(parts.path)}?{parts.query}"} - {
        unquote(parts.path),
        f"{unquote(parts.path)}?",
    }
    names = [meant, *(name for written in sorted(as_written) if (name := _below_root(folder, written)))]
    site = web(page.canonical) or web(page.og_url)
    at_root = parts.path.startswith("/") and site is not None
    if len(names) == 1 and not at_root:
        return Ref(file=meant)
    existing = next((name for name in names if files.exists(root, name)), None)
    return (
        Ref(url=join(site, parts.geturl())) if existing is None and at_root else Ref(file=existing or meant)
    )


def _below_root(folder: str, written: str) -> str | None:
    """The name relative to the root; None when it leads out of it, is the folder itself, or no file
    can have it."""
    name = posixpath.normpath(
        written.lstrip("/") if written.startswith("/") else posixpath.join(folder, written)
    )
    hostile = (
        name in (".", "..")
        or name.startswith(("../", "/"))
        or any(char < " " or char == "\x7f" for char in name)
    )
    return None if hostile or len(name) > 1024 else name
