"""Where the images of a whole crawl are: one sorted file for all archives of a source, searched by bisection.

The file is CDXJ (`cdxj`), so that other tools of web archives read it: a line for each image, and for each
redirect or revisit of another URL, which has one more member, `redirect`. A second file beside it contains
what CDXJ has no line for:

    <page>NAME TAB > TAB                             a page that a revisit in another archive names
    <withheld>OFFSET ARCHIVE TAB > TAB               an image whose HTTP headers opt out of training

Crawlers spread the images of a page over many archives. The indexes that planning creates for each archive,
or a CDXJ index that came with the crawl, are sorted in runs of RUN lines and merged, so that memory does not
grow with the crawl. Workers map the files and read a few pages of them per lookup. Of several captures of a
URL the first is used, in the order of archives and offsets: which one a page showed is unknown, and a fixed
rule keeps documents stable.

The first field of a CDXJ line is the same for URLs that differ in case or `www.`; lines with the same one are
sorted by our own key of their `url`, which decides what is found. Archives are named by path or name; those
of a given index that are not in the source are skipped. Redirects and revisits have no target in CDXJ of
others; they come from the archives' own indexes, which planning creates in any case. A revisit that names an
image only by its digest is resolved within its own archive only.
"""

from __future__ import annotations

import heapq
import mmap
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from leafinstruct.errors import SourceError
from leafinstruct.ingest import files
from leafinstruct.ingest.archive import archive_index
from leafinstruct.ingest.archive.archive_index import ArchiveIndex, names_of
from leafinstruct.ingest.archive.cdxj import SUFFIXES, Capture, capture_of, captures, is_index, surt, written
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.config import WarcSource
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.files import writing

VERSION = 4
RUN = 100_000
"""Lines that are sorted in memory at a time: about 40 MB."""
OPEN = 64
"""Runs that are merged at a time: open files are limited."""
Place = tuple[str, int, int]
"""Archive relative to the source's root, offset, length."""
Indexes = Callable[[], Iterator[tuple[int, str, ArchiveIndex]]]
"""The archives' indexes with number and name, one in memory at a time."""
_LAST = "\U0010ffff"
"""Sorts after all places: a redirect is used only where no image has its URL."""
_PAGE, _WITHHELD = "<page>", "<withheld>"
_UNKNOWN_MEDIA = frozenset({"unk", "-", "application/octet-stream", "binary/octet-stream"})
_IMAGE_NAMES = ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "tiff")


def built(source: WarcSource, root: Path, archives: tuple[str, ...], cache: Path) -> Path:
    """Return the index of a source's crawl, cached. Raises SourceError when an archive or the given index
    cannot be read."""
    made = cache / f"crawl-{depends(source, root, archives, cache)}.cdxj"
    if not made.exists():
        indexes = partial(_indexes_of, root, archives, cache)
        images = _given(source, archives) if source.cdxj is not None else _images(indexes)
        _sorted(chain(_pages(indexes), _withheld(indexes)), _beside(made))
        _sorted(chain(images, _redirects(indexes)), made)
    return made


def _beside(index: Path) -> Path:
    """The file of what CDXJ has no line for."""
    return index.with_suffix(".tsv")


def depends(source: WarcSource, root: Path, archives: tuple[str, ...], cache: Path) -> str:
    """Return a digest of the crawl: names and contents of its archives and of the given index."""
    paths = [(name, root / name) for name in archives]
    if source.cdxj is not None:
        folder = files.root_of(source.cdxj)
        paths += [(name, folder / name) for name in _indexes(source)]
    contents = [(name, content.identity(path, cache)) for name, path in paths]
    return digest([VERSION, archive_index.identity(), contents])


def find(index: Path, url: str) -> Place | None:
    """Return the place of the image at an absolute URL, through redirects. Raises ValueError for a malformed
    URL."""
    for _ in range(archive_index.HOPS + 1):
        found = _capture(_mapped(index), key(url))
        if found is None:
            return None
        if not found.redirect:
            return found.filename, found.offset, found.length
        url = found.redirect
    return None


def holds_page(index: Path, names: tuple[str, ...]) -> bool:
    """Whether an archive of the crawl contains a page with one of the names that a revisit gives."""
    return any(_is_there(index, _PAGE + name) for name in names)


def withholds(index: Path, archive: str, offset: int) -> bool:
    """Whether the image at a place opts out of training."""
    return _is_there(index, f"{_WITHHELD}{offset} {archive}")


def _is_there(index: Path, text: str) -> bool:
    data, wanted = _mapped(_beside(index)), text.encode(errors="surrogateescape") + b"\t"
    at = _first_from(data, wanted)
    return data[at : at + len(wanted)] == wanted


@lru_cache(maxsize=2)
def _mapped(index: Path) -> mmap.mmap | bytes:
    with index.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if index.stat().st_size else b""


def _first_from(data: mmap.mmap | bytes, wanted: bytes, low: int = 0, high: int | None = None) -> int:
    """Where the first line that is not less than some bytes begins, in a sorted file."""
    high = len(data) if high is None else high
    while low < high:  # invariant: the line begins at or after low, and not after high
        start, end = _line_around(data, low, high)
        if data[start:end] < wanted:
            low = end
        else:
            high = start
    return low


def _line_around(data: mmap.mmap | bytes, low: int, high: int) -> tuple[int, int]:
    """Begin and end of the line in the middle between two line starts."""
    middle = (low + high) // 2
    start = data.rfind(b"\n", low, middle) + 1 or low
    return start, data.find(b"\n", start) + 1


def _capture(data: mmap.mmap | bytes, wanted: str) -> Capture | None:
    """Return the capture of a key: of the lines with its SURT, which are sorted by key."""
    prefix = surt(wanted).encode()
    low = _first_from(data, prefix + b" ")
    if data[low : low + len(prefix) + 1] != prefix + b" ":
        return None
    high = _first_from(data, prefix + b"!", low)
    while low < high:
        start, end = _line_around(data, low, high)
        found = capture_of(data[start:end])
        assert found is not None, "we wrote this line"
        at = key(found.url)
        if at == wanted:
            return found
        if at < wanted:
            low = end
        else:
            high = start
    return None


def _indexes_of(
    root: Path, archives: tuple[str, ...], cache: Path
) -> Iterator[tuple[int, str, ArchiveIndex]]:
    for number, name in enumerate(archives):
        yield number, name, archive_index.index(root / name, cache)


def _images(indexes: Indexes) -> Iterator[str]:
    for number, name, index in indexes():
        for url, capture in zip(index.images, index.captures(name), strict=False):
            yield _entry(url, f"{number:08d}{capture.offset:015d}", capture)


def _redirects(indexes: Indexes) -> Iterator[str]:
    for _, name, index in indexes():
        moved = islice(index.captures(name), len(index.images), None)
        for (url, location), capture in zip(index.redirects.items(), moved, strict=True):
            yield _entry(url, _LAST, capture._replace(redirect=location))


def _pages(indexes: Indexes) -> Iterator[str]:
    """Yield the lines of pages that a revisit in another archive names: few, while all pages would be most of
    the index."""
    wanted = {name for _, _, index in indexes() for _, names in index.revisits for name in names}
    if wanted:
        for _, _, index in indexes():
            for name in wanted.intersection(names_of(index.names)):
                yield _other(_PAGE + name)


def _withheld(indexes: Indexes) -> Iterator[str]:
    """Yield the lines of images that opt out of training, from the archives' own indexes: a CDXJ index has no
    headers."""
    for _, name, index in indexes():
        for offset in index.withheld:
            yield _other(f"{_WITHHELD}{offset} {name}")


def _given(source: WarcSource, archives: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of the images in a given index. Raises SourceError when a file of it is no index, or
    when it locates no image in the source."""
    assert source.cdxj is not None
    known = {name: name for name in archives}
    by_name: dict[str, list[str]] = {}
    for name in archives:
        by_name.setdefault(PurePosixPath(name).name, []).append(name)
    known |= {base: names[0] for base, names in by_name.items() if len(names) == 1}
    folder, lines, readable, named, used = files.root_of(source.cdxj), 0, 0, 0, 0
    for file in _indexes(source):
        before = (lines, readable)
        for capture in captures(folder / file):
            lines += 1
            readable += capture is not None
            archive = capture and (
                known.get(capture.filename) or known.get(PurePosixPath(capture.filename).name)
            )
            named += bool(archive)
            if capture is not None and archive and (line := _image(capture, archive)):
                used += 1
                yield line
        if lines > before[0] and readable == before[1]:
            raise SourceError(
                f"{folder / file}: none of its {lines - before[0]:,} lines is one of a CDXJ index with url, "
                "offset, length and filename; remove the file, or write it again, such as by `cdxj-indexer`"
            )
    if not used:
        what = (
            "holds no line"
            if not lines
            else f"none of its {readable:,} lines names an archive of the source; is it the index of another "
            "crawl?"
            if not named
            else f"none of the {named:,} lines that name archives of the source is an image with status 200; "
            "without `cdxj`, the archives themselves are indexed"
        )
        raise SourceError(f"{source.cdxj}: {what}")


def _image(capture: Capture, archive: str) -> str:
    """The line of a capture that is an image by its media type, or that has none; else empty."""
    kind = capture.mime
    is_image = kind.startswith("image/") or kind in _UNKNOWN_MEDIA or kind.endswith(_IMAGE_NAMES)
    if not is_image or capture.status not in ("200", "-") or capture.redirect:
        return ""
    try:
        url = key(capture.url)
    except ValueError:
        return ""
    return _entry(url, f"{archive}\0{capture.offset:015d}", capture._replace(filename=archive))


def _indexes(source: WarcSource) -> list[str]:
    assert source.cdxj is not None
    return files.listing(source.cdxj, files.root_of(source.cdxj), SUFFIXES, lambda path: is_index(path.name))


def _entry(url: str, order: str, capture: Capture) -> str:
    """Return a line of CDXJ with its sort order. url: its key."""
    return _ordered(f"{surt(url)} {url}", order, written(url, capture))


def _other(text: str) -> str:
    """Return a line of the second file with its sort order."""
    return _ordered(text, _LAST, f"{text}\t>\t")


def _ordered(text: str, order: str, line: str) -> str:
    """Return a line behind the text that it is sorted by and of which each is kept once, and its order among
    equal texts; empty for what no line can hold."""
    return "" if any(sign in text + line for sign in "\n\r\x01") else f"{text}\x01{order}\x01{line}"


def _sorted(lines: Iterable[str], made: Path) -> None:
    """Sort in runs, merge, keep the first line of each text, and create the file by one rename."""
    with (
        TemporaryDirectory(dir=made.parent, prefix=".crawl-")
        if made.parent.is_dir()
        else TemporaryDirectory(prefix="crawl-") as folder
    ):
        runs: list[Path] = []
        iterator = iter(line for line in lines if line)
        while chunk := list(islice(iterator, RUN)):
            runs.append(Path(folder) / f"{len(runs)}.run")
            _write(runs[-1], sorted(line.encode(errors="surrogateescape") + b"\n" for line in chunk))
        while len(runs) > OPEN:
            merged = Path(folder) / f"{len(list(Path(folder).iterdir()))}.run"
            _write(merged, _merged(runs[:OPEN]))
            runs = [*runs[OPEN:], merged]
        with writing(made) as temporary:
            _write(temporary, _first_of_each(_merged(runs)))


def _merged(runs: list[Path]) -> Iterator[bytes]:
    streams = [run.open("rb") for run in runs]
    try:
        yield from heapq.merge(*streams)
    finally:
        for stream in streams:
            stream.close()


def _first_of_each(lines: Iterable[bytes]) -> Iterator[bytes]:
    before = None
    for line in lines:
        text, _, rest = line.partition(b"\x01")
        if text != before:
            before = text
            yield rest.partition(b"\x01")[2]


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as out:
        out.writelines(lines)
