"""VIST, story in sequence: five photographs, each with a sentence -> one document per story.

    {"images": [{"id", "url_o", "license", ...}],
     "annotations": [[{"story_id", "photo_flickr_id", "worker_arranged_photo_order", "original_text"}], ...]}

A sentence is `original_text`, as its writer typed it; `text` is tokenized and its names are replaced. Each
photograph is placed directly before its sentence, which is its owner, in the order that the writer arranged
them. A photograph is `<photo_flickr_id>.<jpg|jpeg|png|gif>` in the folder of images if that file exists, else
its URL on the web (url_o, the largest, else url_l, url_c, url_m). Flickr's licenses are numbers
(flickr.photos.licenses.getInfo).

The file is joined once, during planning, and its stories are written as lines (unroll). Photographs and
sentences may come in any order, so they are stored in a database that SQLite keeps in a temporary file and
removes: 40,000 stories, as many as are published for training, in a synthetic file of 115 MB, take 8 s and 6
MB here. Rejected: dictionaries, which take 130 MB, and more for a longer file. Stories keep the order of
their first line.
Locators: `story=ID`, `annotation=N` from 1.

Whole record lost: bad_story, no_photographs, too_many_pieces, unsafe_path, and those of lines and parse;
truncated or damaged where a file ends early, with the story at that point.
Piece lost: no_photograph, null_text, same_place (two pieces of a story claim one place: the first is used).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, NotRequired, TypedDict, cast

from leafinstruct.errors import SourceError
from leafinstruct.ingest import files
from leafinstruct.ingest.config import VistSource
from leafinstruct.ingest.fields.reference import LostError, shown
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.losses import with_losses
from leafinstruct.ingest.span import Span
from leafinstruct.ingest.tables import lines
from leafinstruct.ingest.tables.lines import MAX_LINE, Line
from leafinstruct.ingest.tables.unroll import members, record_of, unrolled
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

LIBRARIES: tuple[str, ...] = ()
SUFFIXES = (".json",)
_IMAGES = (".jpg", ".jpeg", ".png", ".gif")
_URLS = ("url_o", "url_l", "url_c", "url_m")
MAX_PLACES = 100
"""Maximum pieces of one story; published stories have five."""

LICENSES = {
    "0": "All rights reserved",
    "1": "CC-BY-NC-SA-2.0",
    "2": "CC-BY-NC-2.0",
    "3": "CC-BY-NC-ND-2.0",
    "4": "CC-BY-2.0",
    "5": "CC-BY-SA-2.0",
    "6": "CC-BY-ND-2.0",
    "7": "No known copyright restrictions",
    "8": "United States government work",
    "9": "CC0-1.0",
    "10": "PDM-1.0",
}
"""Flickr's numbers -> SPDX names where they exist."""


def root_of(source: VistSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_with(source.path, source.images)


def plan(source: VistSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size stories, each within one file. Raises SourceError when path or
    images are missing or there is no story."""
    files.check_images(source.images, "without `images` the URLs of the photographs are used")
    empty = "no story; VIST's story-in-sequence files have `annotations` with a story_id"
    return lines.spans(source.path, root_of(source), SUFFIXES, part_size, cache, _lines_of, empty)


def read(source: VistSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the stories of a span, each followed by the pieces it lost; where the file ends early."""
    root = root_of(source)
    return files.each(root, span.files, partial(_file, source, root, span, cache))


def _file(
    source: VistSource, root: Path, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:

    def story(line: Line) -> Iterator[Document | Rejected]:
        record = cast("_Story", record_of(line))
        return with_losses(file, record["locator"], partial(_document, source, root, file, record))

    yield from lines.each(file, lines.read(_lines_of(path, cache), span.start, span.stop, cache), story)


class _Piece(TypedDict):
    """A sentence of a story, with its photograph. url, license: of the photograph, None if not stated."""

    photo: str | None
    place: int
    text: str
    url: str | None
    license: str | None


class _Story(TypedDict):
    """A line of an unrolled file: a story, or why an annotation belongs to none."""

    locator: str
    pieces: NotRequired[list[_Piece]]
    lost: NotRequired[tuple[str, str]]


def _document(
    source: VistSource, root: Path, file: str, record: _Story, lost: list[LostError]
) -> Iterator[Document]:
    """Yield the document of an unrolled record; lost pieces are appended to `lost`. Raises LostError: the
    record's own, too_many_pieces, no_photographs."""
    if "lost" in record:
        raise LostError(*record["lost"])
    pieces = record["pieces"]
    if len(pieces) > MAX_PLACES:
        raise LostError("too_many_pieces", f"more than {MAX_PLACES} pieces have this story_id")
    segments: list[Segment] = []
    taken: set[int] = set()
    for piece in sorted(pieces, key=lambda item: item["place"]):
        place = piece["place"]
        if place in taken:
            lost.append(LostError("same_place", f"two pieces claim place {place}"))
            continue
        taken.add(place)
        text = one_line(piece["text"])
        if (image := _image(source, root, piece, len(segments))) is not None:
            segments.append(replace(image, owner=len(segments) + 1, owner_found="stated") if text else image)
        else:
            lost.append(
                LostError("no_photograph", f"photograph {shown(piece['photo'])} has neither a file nor a URL")
            )
        if text:
            segments.append(Text(len(segments), text))
        else:
            lost.append(LostError("null_text", f"place {place} has no sentence"))
    if not any(isinstance(segment, ImageRef) for segment in segments):
        raise LostError("no_photographs", f"none of {len(pieces)} photographs has a file or a URL")
    identity, provenance = (
        document_id(source.name, file, record["locator"]),
        Provenance(file, record["locator"]),
    )
    yield Document(identity, source.name, tuple(segments), provenance, None, source.license)


def _image(source: VistSource, root: Path, piece: _Piece, position: int) -> ImageRef | None:
    """The photograph's file, else its URL; None when it has neither."""
    url = piece["url"]
    license_ = LICENSES.get(piece["license"] or "") or source.license
    if source.images is not None:
        folder = Path(source.images).absolute()
        name = _photographs(str(folder)).get(piece["photo"] or "")
        if name is not None:
            return ImageRef(
                position, Ref(file=(files.below(folder, root) / name).as_posix()), url=url, license=license_
            )
    return None if url is None else ImageRef(position, Ref(url=url), url=url, license=license_)


@lru_cache(maxsize=4)
def _photographs(folder: str) -> dict[str, str]:
    """Return photograph -> name of its file; listed once per process, since a folder may have 200,000."""
    found = (path.name for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in _IMAGES)
    return {Path(name).stem: name for name in found}


def _order(value: object) -> int:
    """The place in the story; what is no number comes last."""
    try:
        return min(int(str(value)), MAX_PLACES)
    except ValueError:
        return MAX_PLACES


def _lines_of(path: Path, cache: Path) -> Path:
    return unrolled(path, cache, _stories, "vist")


_TABLES = """
    CREATE TABLE photographs (id TEXT PRIMARY KEY, url TEXT, license TEXT) WITHOUT ROWID;
    CREATE TABLE pieces (story TEXT, photo TEXT, place INTEGER, text TEXT);
"""
_JOINED = """
    SELECT pieces.story, photo, place, text, url, license
    FROM (SELECT story, min(rowid) AS first FROM pieces GROUP BY story) JOIN pieces USING (story) LEFT JOIN photographs ON id = photo
    ORDER BY first, pieces.rowid
"""  # noqa: E501


def _stories(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the stories of a file, joined with their photographs, as lines. Raises LostError where the file
    ends early, SourceError when the disk is full."""
    broken: LostError | None = None
    try:
        with closing(sqlite3.connect("")) as store:  # no name: a temporary file, removed when it is closed
            store.executescript(_TABLES)
            try:
                yield from _stored(stream, store)
            except LostError as lost:
                broken = lost
                store.execute(
                    "DELETE FROM pieces WHERE story = (SELECT story FROM pieces ORDER BY rowid DESC LIMIT 1)"
                )
            store.execute("CREATE INDEX by_story ON pieces (story)")
            for story, rows in groupby(store.execute(_JOINED), key=lambda row: str(row[0])):
                yield json.dumps({"locator": f"story={story}", "pieces": _pieces(rows)}).encode()
    except sqlite3.Error as error:
        raise SourceError(
            f"the stories of a VIST file cannot be joined: {error}; check the free space for temporary files"
        ) from error
    if broken is not None:
        raise broken


def _stored(stream: BinaryIO, store: sqlite3.Connection) -> Iterator[bytes]:
    """Write photographs and pieces to the store; yield the lines of annotations without a story."""
    number = 0
    for name, data in members(stream):
        if name == "images":
            _store_photograph(store, data)
        elif name == "annotations":
            number += 1
            try:
                _store_pieces(store, data)
            except LostError as lost:
                yield json.dumps(
                    {"locator": f"annotation={number}", "lost": [lost.reason, lost.detail]}
                ).encode()


def _store_photograph(store: sqlite3.Connection, data: bytes) -> None:
    """Store a photograph. Invalid entries are skipped; a story that needs one reports it."""
    with suppress(LostError):
        entry = _parsed(data)
        if isinstance(entry, dict) and (identity := _identity(entry.get("id"))):
            url = next((found for field in _URLS if (found := web(entry.get(field)))), None)
            store.execute(
                "REPLACE INTO photographs VALUES (?, ?, ?)", (identity, url, _identity(entry.get("license")))
            )


def _store_pieces(store: sqlite3.Connection, data: bytes) -> None:
    """Store the pieces of an annotation. Raises LostError: broken_json, bad_story for pieces without a
    story_id."""
    entry = _parsed(data)
    pieces = entry if isinstance(entry, list) else [entry]
    for piece in pieces:
        if isinstance(piece, dict) and (story := _identity(piece.get("story_id"))):
            text, place = piece.get("original_text"), _order(piece.get("worker_arranged_photo_order"))
            sentence = one_line(text) if isinstance(text, str) else ""
            store.execute(
                "INSERT INTO pieces VALUES (?, ?, ?, ?)",
                (story, _identity(piece.get("photo_flickr_id")), place, sentence),
            )
    strays = [piece for piece in pieces if not (isinstance(piece, dict) and _identity(piece.get("story_id")))]
    if strays:
        raise LostError(
            "bad_story",
            f"{len(strays)} of {len(pieces)} pieces have no story_id, the first is {shown(strays[0])}",
        )


def _pieces(rows: Iterable[tuple[Any, ...]]) -> list[_Piece]:
    """The pieces of one story, at most one more than allowed, or more text than a line can hold."""
    pieces: list[_Piece] = []
    size = 0
    for _, photo, place, text, url, license_ in islice(rows, MAX_PLACES + 1):
        pieces.append({"photo": photo, "place": place, "text": text, "url": url, "license": license_})
        size += len(pieces[-1]["text"])
        if size > MAX_LINE:
            break
    return pieces


def _parsed(data: bytes) -> Any:
    """Parse JSON. Raises LostError: broken_json."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise LostError("broken_json", str(error)[:200]) from error


def _identity(value: object) -> str | None:
    """Return a text or a number that can be an id; else None."""
    text = one_line(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= 100 else None
