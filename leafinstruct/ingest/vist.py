"""VIST, story in sequence: five photographs, a sentence for each -> one document a story.

    {"images": [{"id", "url_o", "license", ...}],
     "annotations": [[{"story_id", "photo_flickr_id", "worker_arranged_photo_order", "original_text"}], ...]}

A sentence is `original_text`, as its writer typed it; `text` is tokenised and its names are replaced. Each photograph stands directly before its
sentence, in the order that the writer arranged them. A photograph is `<photo_flickr_id>.<jpg|jpeg|png|gif>` in the folder of pictures, else its
address on the web (url_o, the largest, else url_l, url_c, url_m). Flickr's licences are numbers (flickr.photos.licenses.getInfo).

The file is joined once, when it is planned, and its stories are written as lines (unroll): photographs and sentences are held for that long, about
200 MB for the published training file. Stories keep the order of their first line. Locator: `story=ID`.

Whole record lost: bad_story, no_photographs, unsafe_path, and those of lines; truncated or damaged for what a file breaks off at.
Piece lost: no_photograph, null_text, same_place (two pieces of a story claim one place: the first counts).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from leafinstruct.errors import SourceError
from leafinstruct.ingest import files, lines
from leafinstruct.ingest.address import web
from leafinstruct.ingest.config import VistSource
from leafinstruct.ingest.lines import Damage
from leafinstruct.ingest.parse import parsed_line
from leafinstruct.ingest.reference import LostError, shown
from leafinstruct.ingest.span import Span, ranges
from leafinstruct.ingest.text import one_line
from leafinstruct.ingest.unroll import DAMAGE, items, unrolled
from leafinstruct.records.document import Document, Image, Provenance, Ref, Rejected, Segment, Text, document_id

LIBRARIES: tuple[str, ...] = ("ijson",)
SUFFIXES = (".json",)
_PICTURES = (".jpg", ".jpeg", ".png", ".gif")
_ADDRESSES = ("url_o", "url_l", "url_c", "url_m")
MAX_PLACES = 100
"""Pieces of one story; published stories have five."""

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
"""Flickr's numbers, as SPDX names where there is one."""


def root_of(source: VistSource) -> Path:
    """The folder of the records; when `pictures` names a folder elsewhere, the nearest folder that holds both."""
    return files.root_with(source.path, source.pictures)


def plan(source: VistSource, part_size: int, cache: Path) -> list[Span]:
    """Ranges of at most part_size stories within one file. Raises SourceError when path or pictures are missing or there is no story."""
    if source.pictures is not None and not Path(source.pictures).is_dir():
        raise SourceError(f"{source.pictures}: no such folder of pictures; without `pictures` the photographs' addresses are used")
    root = root_of(source)
    spans = []
    for file in files.listing(source.path, root, SUFFIXES):
        spans += ranges(file, lines.count(_lines_of(root / file, cache), cache), part_size)
    if not spans:
        raise SourceError(f"{source.path}: no story; VIST's story-in-sequence files have `annotations` with a story_id")
    return spans


def read(source: VistSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """The stories of a span, each followed by the pieces it lost; where the file breaks off."""
    root = root_of(source)
    (file,) = span.files
    path = files.inside(root, file)
    if path is None:
        yield Rejected(file, "", "unsafe_path", "a symbolic link leads out of the source's folder")
        return
    for item in lines.read(_lines_of(path, cache), span.start, span.stop, cache):
        if isinstance(item, Damage):
            yield Rejected(file, item.locator, item.reason, item.detail)
            continue
        lost: list[LostError] = []
        locator = item.locator
        try:
            record = parsed_line(item)
            if DAMAGE in record:
                raise LostError(*record[DAMAGE])
            locator = f"story={one_line(str(record['story']))[:100]}"
            yield _document(source, root, file, locator, record["pieces"], lost)
        except LostError as whole:
            yield Rejected(file, locator, whole.reason, whole.detail)
        yield from (Rejected(file, locator, piece.reason, piece.detail, whole=False) for piece in lost)


def _document(source: VistSource, root: Path, file: str, locator: str, pieces: list[dict[str, Any]], lost: list[LostError]) -> Document:
    """Raises LostError when no piece of the story is left."""
    segments: list[Segment] = []
    taken: set[int] = set()
    for piece in sorted(pieces, key=lambda item: _order(item.get("order"))):
        place = _order(piece.get("order"))
        if place in taken:
            lost.append(LostError("same_place", f"two pieces claim place {place}"))
            continue
        taken.add(place)
        if (picture := _picture(source, root, piece, len(segments))) is not None:
            segments.append(picture)
        else:
            lost.append(LostError("no_photograph", f"photograph {shown(piece.get('photo'))} has neither a file nor an address"))
        if isinstance(piece.get("text"), str) and (text := one_line(piece["text"])):
            segments.append(Text(len(segments), text))
        else:
            lost.append(LostError("null_text", f"the sentence at place {place} is {shown(piece.get('text'))}"))
    if not any(isinstance(segment, Image) for segment in segments):
        raise LostError("no_photographs", f"none of {len(pieces)} photographs has a file or an address")
    return Document(document_id(source.name, file, locator), source.name, tuple(segments), Provenance(file, locator), None, source.license)


def _picture(source: VistSource, root: Path, piece: dict[str, Any], position: int) -> Image | None:
    address = web(piece.get("url"))
    license_ = LICENSES.get(str(piece.get("license"))) or source.license
    if source.pictures is None:
        return None if address is None else Image(position, Ref(url=address), url=address, license=license_)
    folder = Path(source.pictures).absolute()
    name = _photographs(str(folder)).get(str(piece.get("photo")))
    if name is None:
        return None
    return Image(position, Ref(file=(folder.relative_to(root) / name).as_posix()), url=address, license=license_)


@lru_cache(maxsize=4)
def _photographs(folder: str) -> dict[str, str]:
    """Photograph -> its file's name; listed once a process, as a folder of 200,000 is."""
    found = (path.name for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in _PICTURES)
    return {Path(name).stem: name for name in found}


def _order(value: object) -> int:
    """The place in the story; what is no number stands last."""
    try:
        return int(str(value))
    except ValueError:
        return MAX_PLACES


def _lines_of(path: Path, cache: Path) -> Path:
    return unrolled(path, cache, _stories, "vist")


def _stories(file: Path) -> Iterator[dict[str, Any]]:
    """The stories of a file, their photographs joined in. Raises ijson.JSONError after those that were whole before the damage."""
    photographs: dict[str, tuple[str | None, str | None]] = {}
    stories: dict[str, list[dict[str, Any]]] = {}
    failure: Exception | None = None
    try:
        for photograph in items(file, "images.item"):
            if isinstance(photograph, dict):
                address = next((photograph[name] for name in _ADDRESSES if isinstance(photograph.get(name), str)), None)
                photographs[str(photograph.get("id"))] = (address, str(photograph.get("license")))
    except Exception as error:  # the parser reads to the end, so a cut shows here first; what is before it is read all the same
        failure = error
    try:
        for entry in items(file, "annotations.item"):
            for piece in entry if isinstance(entry, list) else [entry]:
                if isinstance(piece, dict) and len(stories.setdefault(str(piece.get("story_id")), [])) < MAX_PLACES:
                    stories[str(piece.get("story_id"))].append(_piece(piece, photographs))
    except Exception as error:  # told by the caller, once what was whole is out
        failure = error
    for story, pieces in stories.items():
        yield {"story": story, "pieces": pieces}
    if failure is not None:
        raise failure


def _piece(piece: dict[str, Any], photographs: dict[str, tuple[str | None, str | None]]) -> dict[str, Any]:
    photo = str(piece.get("photo_flickr_id"))
    url, license_ = photographs.get(photo, (None, None))
    return {
        "order": piece.get("worker_arranged_photo_order"),
        "photo": photo,
        "text": piece.get("original_text"),
        "url": url,
        "license": license_,
    }
