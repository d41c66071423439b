"""Where the images of a whole crawl are: one sorted file for all archives of a source, searched by bisection.

    <URL key> TAB <archive> TAB <offset> TAB <length>        an image
    <URL key> TAB > TAB <URL>                                a redirect, or a revisit of another URL
    <page>NAME TAB > TAB                                     a page that a revisit in another archive names
    <withheld>OFFSET ARCHIVE TAB > TAB                       an image whose HTTP headers opt out of training

Crawlers spread the images of a page over many archives. The indexes that planning creates for each archive,
or a CDXJ index that came with the crawl, are sorted in runs of RUN lines and merged, so that memory does not
grow with the crawl. Workers map the file and read a few pages of it per lookup. Of several captures of a URL
the first is used, in the order of archives and offsets: which one a page showed is unknown, and a fixed rule
keeps documents stable.

CDXJ lines are `<key> <time> {json}`; their `url` is keyed again by our own rules, so that no second canonical
form of URLs (SURT) decides what is found. Archives are named there by path or name; those that are not in the
source are skipped and counted. Redirects and revisits have no target in CDXJ; they come from the archives'
own indexes, which planning creates in any case. A revisit that names an image only by its digest is resolved
within its own archive only.
"""

from __future__ import annotations

import gzip
import heapq
import json
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
from leafinstruct.ingest.archive.url_key import key
from leafinstruct.ingest.config import WarcSource
from leafinstruct.runtime.artifact import digest
from leafinstruct.runtime.files import writing

VERSION = 4
RUN = 200_000
"""Lines that are sorted in memory at a time: about 40 MB."""
OPEN = 64
"""Runs that are merged at a time: open files are limited."""
SUFFIXES = (".cdxj", ".cdxj.gz")
MAX_LINE = 1 << 16
FREE, EXPANSION = 64 << 20, 200
"""Bytes that an index may always unpack to, and otherwise how many times its size; CDXJ packs 5 to 20
times."""
Place = tuple[str, int, int]
"""Archive relative to the source's root, offset, length."""
Indexes = Callable[[], Iterator[tuple[int, str, ArchiveIndex]]]
"""The archives' indexes with number and name, one in memory at a time."""
_LAST = "\U0010ffff"
"""Sorts after all places: a redirect is used only where no image has its URL."""
_PAGE, _WITHHELD = "<page>", "<withheld>"
"""Prefixes that no URL key has: keys would quote them."""


def built(source: WarcSource, root: Path, archives: tuple[str, ...], cache: Path) -> Path:
    """Return the index of a source's crawl, cached. Raises SourceError when an archive or the given index
    cannot be read."""
    made = cache / f"crawl-{depends(source, root, archives)}.tsv"
    if not made.exists():
        indexes = partial(_indexes_of, root, archives, cache)
        images = _given(source, archives) if source.cdxj is not None else _images(indexes)
        _sorted(chain(images, _redirects(indexes), _pages(indexes), _withheld(indexes)), made)
    return made


def depends(source: WarcSource, root: Path, archives: tuple[str, ...]) -> str:
    """Return a digest of the crawl: names, sizes and times of its archives and of the given index."""
    given = (
        [] if source.cdxj is None else [str(files.root_of(source.cdxj) / name) for name in _indexes(source)]
    )
    stats = [(name, (root / name).stat()) for name in (*archives, *given)]
    return digest(
        [VERSION, archive_index.identity(), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]]
    )


def find(index: Path, url: str) -> Place | None:
    """Return the place of the image at an absolute URL, through redirects. Raises ValueError for a malformed
    URL."""
    for _ in range(archive_index.HOPS + 1):
        line = _line(_mapped(index), key(url).encode(errors="surrogateescape"))
        if line is None:
            return None
        _, first, *rest = line.decode(errors="surrogateescape").rstrip("\n").split("\t")
        if first != ">":
            return first, int(rest[0]), int(rest[1])
        url = rest[0]
    return None


def holds_page(index: Path, names: tuple[str, ...]) -> bool:
    """Whether an archive of the crawl contains a page with one of the names that a revisit gives."""
    return any(_line(_mapped(index), (_PAGE + name).encode()) is not None for name in names)


def withholds(index: Path, archive: str, offset: int) -> bool:
    """Whether the image at a place opts out of training."""
    return (
        _line(_mapped(index), f"{_WITHHELD}{offset} {archive}".encode(errors="surrogateescape")) is not None
    )


@lru_cache(maxsize=2)
def _mapped(index: Path) -> mmap.mmap | bytes:
    with index.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if index.stat().st_size else b""


def _line(data: mmap.mmap | bytes, wanted: bytes) -> bytes | None:
    """The first line of a key in the sorted file; None when there is none."""
    prefix = wanted + b"\t"
    low, high = 0, len(data)
    while low < high:  # invariant: the line of the key begins at or after low, and before high
        middle = (low + high) // 2
        start = data.rfind(b"\n", low, middle) + 1 or low
        end = data.find(b"\n", start) + 1
        if data[start:end] < prefix:
            low = end
        else:
            high = start
    line = data[low : data.find(b"\n", low) + 1]
    return line if line.startswith(prefix) else None


def _indexes_of(
    root: Path, archives: tuple[str, ...], cache: Path
) -> Iterator[tuple[int, str, ArchiveIndex]]:
    for number, name in enumerate(archives):
        yield number, name, archive_index.index(root / name, cache)


def _images(indexes: Indexes) -> Iterator[str]:
    for number, name, index in indexes():
        for url, (offset, length) in index.images.items():
            yield _entry(url, f"{number:08d}{offset:015d}", f"{name}\t{offset}\t{length}")


def _redirects(indexes: Indexes) -> Iterator[str]:
    for _, _, index in indexes():
        for url, location in index.redirects.items():
            yield _entry(url, _LAST, f">\t{location}")


def _pages(indexes: Indexes) -> Iterator[str]:
    """Yield the lines of pages that a revisit in another archive names: few, while all pages would be most of
    the index."""
    wanted = {name for _, _, index in indexes() for _, names in index.revisits for name in names}
    if wanted:
        for _, _, index in indexes():
            for name in wanted.intersection(names_of(index.names)):
                yield _entry(_PAGE + name, _LAST, ">\t")


def _withheld(indexes: Indexes) -> Iterator[str]:
    """Yield the lines of images that opt out of training, from the archives' own indexes: a CDXJ index has no
    headers."""
    for _, name, index in indexes():
        for offset in index.withheld:
            yield _entry(f"{_WITHHELD}{offset} {name}", _LAST, ">\t")


def _given(source: WarcSource, archives: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of the images in a CDXJ index. Raises SourceError when none of its archives is in the
    source."""
    assert source.cdxj is not None
    known = {name: name for name in archives}
    by_name: dict[str, list[str]] = {}
    for name in archives:
        by_name.setdefault(PurePosixPath(name).name, []).append(name)
    known |= {base: names[0] for base, names in by_name.items() if len(names) == 1}
    folder, seen, used = files.root_of(source.cdxj), 0, 0
    for file in _indexes(source):
        for record in _records(folder / file):
            seen += 1
            archive = known.get(str(record.get("filename"))) or known.get(
                PurePosixPath(str(record.get("filename"))).name
            )
            used += archive is not None
            if archive is not None and (line := _image(record, archive)) is not None:
                yield line
    if seen and not used:
        raise SourceError(
            f"{source.cdxj}: none of its {seen:,} lines names an archive of the source; is it the index "
            "of another crawl?"
        )


def _image(record: dict[str, object], name: str) -> str | None:
    """The line of a record that is an image by its media type, or that has none."""
    kind = str(record.get("mime", "unk")).lower()
    if str(record.get("status", "200")) != "200" or not (
        kind.startswith("image/") or kind in ("unk", "", "application/octet-stream")
    ):
        return None
    try:
        offset, length, url = int(str(record["offset"])), int(str(record["length"])), key(str(record["url"]))
    except (KeyError, ValueError):
        return None
    return (
        _entry(url, f"{name}\0{offset:015d}", f"{name}\t{offset}\t{length}")
        if offset >= 0 and length > 0
        else None
    )


def _indexes(source: WarcSource) -> list[str]:
    assert source.cdxj is not None
    return files.listing(source.cdxj, files.root_of(source.cdxj), SUFFIXES)


def _records(file: Path) -> Iterator[dict[str, object]]:
    """Yield the JSON of every line; other lines (headers, damage) are skipped. Raises SourceError when the
    file cannot be read, or unpacks to more than an index does."""
    try:
        left = max(FREE, EXPANSION * file.stat().st_size)
        with gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb") as stream:
            while line := stream.readline(MAX_LINE):
                left -= len(line)
                if left < 0:
                    raise SourceError(
                        f"{file}: unpacks to more than {EXPANSION} times its size; is it a CDXJ index?"
                    )
                start = line.find(b"{")
                try:
                    record = json.loads(line[start:]) if start > 0 else None
                except (ValueError, RecursionError):
                    continue
                if isinstance(record, dict):
                    yield record
    except (OSError, EOFError) as error:
        raise SourceError(f"{file}: cannot be read as a CDXJ index: {error}") from error


def _entry(url: str, order: str, rest: str) -> str:
    """Return a line with its sort order among equal keys, which is cut off when it is written; empty for what
    no line can hold."""
    line = f"{url}\t{order}\x01{rest}"
    return "" if any(sign in url + rest.replace("\t", "") for sign in "\t\n\r\x01") else line


def _sorted(lines: Iterable[str], made: Path) -> None:
    """Sort in runs, merge, keep the first line of each URL, and create the file by one rename."""
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
        url, _, rest = line.partition(b"\t")
        if url != before:
            before = url
            yield url + b"\t" + rest.partition(b"\x01")[2]


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as out:
        out.writelines(lines)
