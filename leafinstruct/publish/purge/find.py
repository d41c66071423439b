"""Find removed content in all runs of a working directory: documents, their parts, texts, images and answers.

    removed    documents that an entry of kind url, domain or id matches, whether kept, dropped or only read;
               the id of an example selects its document, which contains the example's text
    images     of an entry sha256: these bytes, everywhere. Of a removed document: images that no remaining
               document shows
    answers    about a removed document, unless the same question was also asked about a remaining one

A document that shows an image of a sha256 entry remains, because its text was not removed. Its part is
rebuilt without the image, and filter drops the document. A file that cannot be read may hold anything, so its
part counts as removed. If it is a table of documents, their answers and images are unknown too: every answer,
fetched image and code that no readable table refers to is erased.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from leafinstruct.errors import SchemaError, SourceError
from leafinstruct.publish.purge.quotes import Quotes
from leafinstruct.records import public, table
from leafinstruct.records.document import Document, Text
from leafinstruct.records.example import Example
from leafinstruct.records.files import checked
from leafinstruct.records.published_row import PublishedRow, rows_in
from leafinstruct.records.removals import ROW_COLUMNS, Shown, Suppressed
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import file_fault

Entry = tuple[str, str]
"""Kind and value of an entry."""
Place = tuple[str, str]
"""File and locator of a record."""
STAGES = ("ingest", "filter", "rewrite", "shard")
_COLUMNS = ("messages", *ROW_COLUMNS)
"""Columns of the published row that are read."""
_DOCUMENTS = (("ingest", "documents"), ("filter", "documents"), ("filter", "dropped"), ("rewrite", "dropped"))


@dataclass(frozen=True, slots=True)
class Record:
    """A document or example in a file of a run. place: source, file and locator of its source record."""

    part: str
    shown: Shown
    texts: tuple[str, ...]
    place: tuple[str, str, str]
    file: Path


@dataclass
class Found:
    """Removed content, as described above.

    images, urls, keys: of removed documents, without kept_images, kept_urls and kept_keys of remaining ones
    (keys of answers). parts, shards: run -> names of those with removed content. places: run -> records of
    sources -> their entries.
    """

    documents: dict[str, Entry] = field(default_factory=dict)
    """Removed document -> kind and value of its entry."""
    unreadable: bool = False
    """Whether a table of documents, or of their images or questions, cannot be read."""
    examples: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    mended: dict[str, str] = field(default_factory=dict)
    """sha256 of a fetched image -> sha256 of what was stored of it, if mended (images/formats/mend)."""
    shown: set[str] = field(default_factory=set)
    """sha256 of all images of removed documents."""
    kept_images: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    kept_urls: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    kept_keys: set[str] = field(default_factory=set)
    quotes: Quotes = field(default_factory=Quotes)
    parts: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))
    shards: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))
    places: dict[Path, dict[tuple[str, str, str], Entry]] = field(default_factory=lambda: defaultdict(dict))
    matched: dict[Entry, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Kind and value of an entry -> documents."""


def runs(workdir: Path) -> list[Path]:
    """Folders of runs in a working directory."""
    wanted = (*STAGES, "push", "train", "hub", "sketchbook")
    return sorted(
        path
        for path in workdir.glob("[!.]*")
        if path.is_dir() and any((path / name).is_dir() for name in wanted)
    )


def find(folders: list[Path], listed: Suppressed) -> Found:
    """Find removed content. Reads every table of every run."""
    found = Found()
    pages = Suppressed(tuple(entry for entry in listed.entries if entry.kind != "sha256"))
    for run in folders:
        for record in _records(run, found):
            if (entry := pages.match(record.shown)) is not None:
                document = record.shown.document_id
                found.documents[document] = (entry.kind, document if entry.kind == "id" else entry.value)
                found.matched[(entry.kind, entry.value)].add(record.shown.document_id)
    for run in folders:
        for record in _records(run, found):
            _sort(run, record, found, listed.images)
        for _, part, path in _files(run, "asked", ("filter", "rewrite")):
            try:
                for document, key in table.columns(path, "document_id", "key"):
                    (found.keys if document in found.documents else found.kept_keys).add(key)
            except (SourceError, KeyError, TypeError):
                found.parts[run].add(part)
                found.unreadable = True
        found.parts[run] |= _orphans(run) | _mentioning(run, listed)
    found.quotes.close()
    for run in folders:
        for record in _records(run, found):
            if record.shown.document_id not in found.documents:
                found.quotes.without(record.texts)
    found.keys -= found.kept_keys
    found.shown = found.images - listed.images
    found.images = (found.images - found.kept_images) | listed.images
    found.urls -= found.kept_urls
    return found


def _sort(run: Path, record: Record, found: Found, images: frozenset[str]) -> None:
    """Add one record to the removed or to the remaining content."""
    shown, is_removed = record.shown, record.shown.document_id in found.documents
    for sha256 in images.intersection(shown.sha256):
        found.matched[("sha256", sha256)].add(shown.document_id)
    if is_removed or images.intersection(shown.sha256):
        (found.shards if record.part == record.file.stem else found.parts)[run].add(record.part)
    if not is_removed:
        found.kept_images.update(shown.sha256)
        found.kept_urls.update(shown.urls)
        return
    found.images.update(shown.sha256)
    found.urls.update(shown.urls)
    found.quotes.add(record.texts)
    found.places[run][record.place] = found.documents[shown.document_id]
    if shown.id != shown.document_id:
        found.examples.add(shown.id)


def _records(run: Path, found: Found) -> Iterator[Record]:
    """Every document and example in the tables of a run. Adds the part of an unreadable table to `found`."""
    names = _Names(run, found)
    for stage, kind in _DOCUMENTS:
        for _, part, path in _files(run, kind, (stage,)):
            try:
                for document in table.documents(path):
                    yield _of_document(document, part, path, names.of(part))
            except (SourceError, KeyError, TypeError):
                found.parts[run].add(part)
                found.unreadable = True
    for _, part, path in _files(run, "examples", ("rewrite",)):
        try:
            for example in table.examples(path):
                yield _of_example(example, part, path)
        except (SourceError, KeyError, TypeError):
            found.parts[run].add(part)
    shards = Artifact(run / "shard")
    for path in sorted(shards.path.glob("*.parquet")):
        report = shards.report(path.stem)
        if report is None or file_fault(path, report.files.get(path.name, "")) is not None:
            found.shards[run].add(path.stem)
            continue
        try:
            for published in public.open_shard(path).read(_COLUMNS):
                yield _of_row(published.whole(), path)
        except (SourceError, SchemaError):
            found.shards[run].add(path.stem)
    yield from _gathered(run, found)


def _gathered(run: Path, found: Found) -> Iterator[Record]:
    """Rows that were gathered for shards, also by a build that was killed before it wrote the shards."""
    for _, part, path in _files(run, "rows", ("shard",), ".arrow"):
        if checked.fault(path) is not None:
            found.parts[run].add(part)
            continue
        try:
            with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
                for number in range(file.num_record_batches):
                    for row in rows_in(file.get_batch(number).select(list(_COLUMNS))):
                        yield replace(_of_row(row.whole(), path), part=part)
        except (pa.ArrowException, OSError, KeyError, SchemaError):
            found.parts[run].add(part)


class _Names:
    """sha256 of a part's images by reference, since the documents of ingest hold no sha256."""

    def __init__(self, run: Path, found: Found) -> None:
        self._filter, self._run, self._found = Artifact(run / "filter"), run, found
        self._known: tuple[str, dict[str, str]] = ("", {})

    def of(self, part: str) -> dict[str, str]:
        if self._known[0] != part:
            path, names = self._filter.file("images", part), {}
            try:
                rows = table.columns(path, "ref", "sha256", "stamp") if path.is_file() else iter(())
                for ref, sha256, stamp in rows:
                    if sha256:
                        names[ref] = sha256
                        if len(stamp) == len(sha256) and stamp != sha256:  # of a fetched image: its sha256
                            self._found.mended[stamp] = sha256
            except (SourceError, KeyError, TypeError):
                self._found.parts[self._run].add(part)
                self._found.unreadable = True
            self._known = part, names
        return self._known[1]


def _of_document(document: Document, part: str, path: Path, names: dict[str, str]) -> Record:
    sha256 = {image.position: names[str(image.ref)] for image in document.images if str(image.ref) in names}
    texts = [
        segment.text if isinstance(segment, Text) else segment.alt or "" for segment in document.segments
    ]
    place = document.source, document.provenance.file, document.provenance.locator
    return Record(part, Shown.of_document(document, sha256), (document.title or "", *texts), place, path)


def _of_example(example: Example, part: str, path: Path) -> Record:
    texts = [
        item if isinstance(item, str) else item.alt or "" for turn in example.turns for item in turn.parts
    ]
    place = example.source, example.provenance.file, example.provenance.locator
    return Record(part, Shown.of_example(example), tuple(texts), place, path)


def _of_row(row: PublishedRow, path: Path) -> Record:
    texts = [part for turn in row.turns for part in turn.parts if isinstance(part, str)]
    return Record(path.stem, Shown.of_row(row), tuple(texts), ("", "", ""), path)


def _files(
    run: Path, kind: str, stages: tuple[str, ...], suffix: str = ".parquet"
) -> Iterator[tuple[str, str, Path]]:
    for stage in stages:
        for path in Artifact(run / stage).files(kind):
            if path.suffix == suffix and path.is_file():
                yield stage, path.stem.removeprefix(f"{kind}-"), path


def _mentioning(run: Path, listed: Suppressed) -> set[str]:
    """Parts whose report mentions a removed URL in an unreadable record, or is unreadable itself."""
    ingest = Artifact(run / "ingest")
    reports = {part: ingest.report(part) for part in ingest.parts()}
    return {
        part
        for part, report in reports.items()
        if report is None
        or any(
            listed.mentioned(f"{item['locator']} {item['detail']}")
            for item in report.rejected
            if item["detail"]
        )
    }


def _orphans(run: Path) -> set[str]:
    """Parts without documents of ingest: the contents of their other files are unknown, and no build uses
    them."""
    known = {part for _, part, _ in _files(run, "documents", ("ingest",))}
    kinds = (
        *("images", "embeddings", "fetches", "asked", "judged", "documents", "dropped"),
        *("examples", "rejected"),
    )
    files = [
        *(file for kind in kinds for file in _files(run, kind, ("filter", "rewrite"))),
        *_files(run, "frames", ("ingest",)),
        *(
            file
            for kind in ("rows", "keys", "pairs", "losers")
            for file in _files(run, kind, ("shard",), ".arrow")
        ),
    ]
    return {part for _, part, _ in files} - known
