"""MMC4: one JSON record per line -> one document.

    {"url": ..., "text_list": [sentence, ...],
     "image_info": [{"image_name", "raw_url", "matched_text_index"}, ...]}

The format does not store the position of images; `matched_text_index` is the sentence that each image was
assigned to. An image is placed directly BEFORE its sentence, several in list order: the convention that
MMC4's own users train with. A sentence that contains line breaks (quoted code) keeps them.
`similarity_matrix` and `matched_sim` are not read: our own alignment scores replace them, whatever model
computed theirs.

An image is the file `<images>/<image_name>`. When the default folder does not exist, or the entry has no
name, its `raw_url` is the reference: published shards come without images.

Whole record lost: empty_line (once per run of blank lines), line_too_long, too_many_values, not_utf8,
broken_json, not_an_object, no_text_list, empty; too_many_pieces and too_long above the caps of all readers
(caps); truncated or damaged where a file ends early.
Piece lost, the document is kept: null_text, not_text, bad_image_info, no_image_name, unsafe_path,
no_text_index, index_out_of_range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NotRequired, TypedDict, cast

from leafinstruct.ingest import files
from leafinstruct.ingest.caps import MAX_TEXT, excess
from leafinstruct.ingest.config import Mmc4Source
from leafinstruct.ingest.fields.reference import LostError, safe_name, shown
from leafinstruct.ingest.fields.text import prose
from leafinstruct.ingest.fields.title import of_prose
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.span import Span
from leafinstruct.ingest.tables import lines
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.records.document import (
    Document,
    ImageRef,
    OwnerFound,
    Provenance,
    Ref,
    Rejected,
    Segment,
    Text,
    document_id,
)

_NUMBER = re.compile(r"\s*\d+(?:\.0*)?\s*", re.ASCII)
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zip")
LIBRARIES: tuple[str, ...] = ()


def root_of(source: Mmc4Source) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_with(source.path, source.images)


def plan(source: Mmc4Source, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size lines, each within one file. Raises SourceError when path or images
    are missing or all files are empty."""
    files.check_images(
        source.images, "leave `images` out when they are in the folder `images` beside the JSONL"
    )
    return lines.spans(source.path, root_of(source), SUFFIXES, part_size, cache)


def read(source: Mmc4Source, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a span, each followed by the pieces it lost; records that could not be read;
    where a stream ends early."""
    root = root_of(source)
    return files.each(root, span.files, partial(_file, source, root, span, cache))


def _file(
    source: Mmc4Source, root: Path, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    images = _images(source, root, file)
    items = lines.read(path, span.start, span.stop, cache)
    yield from lines.each(
        file, items, lambda line: _document(source, file, line.locator, _parse(line), images)
    )


def _images(source: Mmc4Source, root: Path, file: str) -> str | None:
    """The image folder relative to root; None when the default one does not exist and images are only
    on the web."""
    if source.images is not None:
        return files.below(source.images, root).as_posix()
    beside = PurePosixPath(file).parent / "images"
    return beside.as_posix() if (root / beside).is_dir() else None


class _Record(TypedDict):
    """A record with a list of sentences; nothing else of it is checked."""

    text_list: list[object]
    image_info: NotRequired[object]
    url: NotRequired[object]


def _parse(line: Line) -> _Record:
    record = parsed_line(line)
    sentences = record.get("text_list")
    if not isinstance(sentences, list):
        raise LostError("no_text_list", "text_list is missing or not a list")
    if problem := _excess(sentences, record.get("image_info"), len(line.data or b"")):
        raise LostError(*problem)
    return cast("_Record", record)


def _excess(sentences: list[object], entries: object, size: int) -> tuple[str, str] | None:
    """Check the caps on the record's lists as they are, before anything is built from them.

    size: bytes of the line. It has no more characters than that, so those of a short line are not counted.
    """
    images = len(entries) if isinstance(entries, list) else 0
    characters = sum(len(item) for item in sentences if isinstance(item, str)) if size > MAX_TEXT else 0
    return excess(len(sentences) + images, images, characters)


def _document(
    source: Mmc4Source, file: str, locator: str, record: _Record, images: str | None
) -> Iterator[Document | Rejected]:
    """Yield the record's document, then the pieces it lost. Raises LostError when nothing is left of it."""
    lost: list[LostError] = []
    placed = _placed(record, images, lost)
    segments: list[Segment] = []
    position = 0
    for index, text in enumerate(_sentences(record["text_list"], lost)):
        if index in placed:
            here, rights = placed[index], source.license
            owner = position + len(here) if text else None
            found: OwnerFound = "stated" if text else "unknown"
            for ref, url in here:
                segments.append(
                    ImageRef(position, ref, url=url, license=rights, owner=owner, owner_found=found)
                )
                position += 1
        if text:
            segments.append(Text(position, text))
            position += 1
    if not segments:
        raise LostError("empty", "no text and no image")
    identity, provenance = document_id(source.name, file, locator), Provenance(file, locator)
    url, title = web(record.get("url")), of_prose(segments)
    yield Document(
        identity, source.name, tuple(segments), provenance, url, source.license, title, page_url=url
    )
    yield from (Rejected(file, locator, piece.reason, piece.detail, whole=False) for piece in lost)


def _sentences(sentences: list[object], lost: list[LostError]) -> list[str]:
    """Clean the sentences; empty, with the reason in `lost`, where one is no text."""
    if set(map(type, sentences)) == {str}:
        return prose(cast("list[str]", sentences))
    for index, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            kind = "null_text" if sentence is None else "not_text"
            lost.append(LostError(kind, f"text_list[{index}] is {shown(sentence)}"))
    return prose([sentence if isinstance(sentence, str) else "" for sentence in sentences])


def _placed(
    record: _Record, images: str | None, lost: list[LostError]
) -> dict[int, list[tuple[Ref, str | None]]]:
    """Return sentence index -> reference and URL of its images, in list order."""
    entries = record.get("image_info") or []
    placed: dict[int, list[tuple[Ref, str | None]]] = {}
    if not isinstance(entries, list):
        lost.append(LostError("bad_image_info", f"image_info is {shown(entries)}"))
        return placed
    for number, entry in enumerate(entries):
        try:
            index, ref, url = _entry(entry, len(record["text_list"]), images)
        except LostError as piece:
            lost.append(LostError(piece.reason, f"image_info[{number}]: {piece.detail}"))
            continue
        placed.setdefault(index, []).append((ref, url))
    return placed


def _whole(value: object) -> int | None:
    """Return a whole number, also as tools write it (1.0, "1", "1.0"); None for anything else."""
    if isinstance(value, str) and len(value) <= 20 and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _entry(entry: object, sentences: int, images: str | None) -> tuple[int, Ref, str | None]:
    """Return sentence index, reference and URL of one image. Raises LostError."""
    if not isinstance(entry, dict):
        raise LostError("bad_image_info", f"{shown(entry)} is not an object")
    index = _whole(entry.get("matched_text_index"))
    if index is None:
        raise LostError("no_text_index", f"matched_text_index is {shown(entry.get('matched_text_index'))}")
    if not 0 <= index < sentences:
        raise LostError(
            "index_out_of_range", f"matched_text_index is {index}, the record has {sentences} sentences"
        )
    name, url = entry.get("image_name"), web(entry.get("raw_url"))
    if isinstance(name, str) and name.strip() and images is not None:
        return index, Ref(file=f"{images}/{safe_name(name)}" if images != "." else safe_name(name)), url
    if url is None:
        raise LostError("no_image_name", "neither a usable image_name nor a raw_url")
    return index, Ref(url=url), url
