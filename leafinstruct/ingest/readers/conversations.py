"""InterleavedBench and LeafInstruct style JSON: one record -> one conversation.

    {"id": ..., "image": [path, ...] or path, "task_name": ...,
     "conversations": [{"from": "human", "value": "... <image> ..."}, ...]}

A .json file contains one list of records and is unrolled first (unroll); .jsonl has one record per line.
`images`, and `messages` or `conversation`, are read as `image` and `conversations` (LLaVA, ShareGPT4V,
Mantis, chat messages); `url` and `license` apply to the record. Placeholders are filled from the images in
order over all turns (turns); a record whose counts differ is lost as a whole. A conversation is already an
example: rewrite passes it on unchanged. The fields that `leaf export` adds are read back: `image_info`, facts
about each image, and texts whose placeholders are `escaped`.
Locators: `line=N` of JSONL, `item=N` of a list, from 1.

Whole record lost: those of lines and parse; bad_images, bad_reference, unsafe_path, data_uri, bad_turns,
unknown_speaker, no_answer, too_few_images, too_many_images, too_many_pieces, too_long; truncated or damaged
where a file ends early.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite, nan
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from leafinstruct.ingest import files
from leafinstruct.ingest.caps import excess
from leafinstruct.ingest.config import ConversationsSource
from leafinstruct.ingest.fields.embedded import in_list, literals
from leafinstruct.ingest.fields.reference import Inside, LostError, image_ref, shown
from leafinstruct.ingest.fields.text import one_line
from leafinstruct.ingest.fields.url import web
from leafinstruct.ingest.span import Span
from leafinstruct.ingest.tables import lines
from leafinstruct.ingest.tables.columns.turns import segments_of
from leafinstruct.ingest.tables.lines import Line
from leafinstruct.ingest.tables.parse import parsed_line
from leafinstruct.ingest.tables.unroll import members, record_of, unrolled
from leafinstruct.records.document import Document, ImageRef, Provenance, Rejected, Text, document_id
from leafinstruct.records.escaping import ESCAPED, unescape
from leafinstruct.records.license import named

LIBRARIES: tuple[str, ...] = ()
SUFFIXES = (".json", ".jsonl", ".jsonl.gz", ".jsonl.zip")


def root_of(source: ConversationsSource) -> Path:
    """The folder that the source's file names are relative to."""
    return files.root_with(source.path, source.images)


def plan(source: ConversationsSource, part_size: int, cache: Path) -> list[Span]:
    """Return ranges of at most part_size records, each within one file. Raises SourceError when path or
    images are missing or all files are empty."""
    files.check_images(source.images, "leave `images` out when paths are relative to the JSON")
    empty = "the files contain no records; a .json file must be one list of them"
    return lines.spans(source.path, root_of(source), SUFFIXES, part_size, cache, _lines_of, empty)


def read(source: ConversationsSource, span: Span, cache: Path) -> Iterator[Document | Rejected]:
    """Yield the conversations of a span; records that could not be read; where a file ends early."""
    root = root_of(source)
    return files.each(root, span.files, partial(_file, source, root, span, cache))


def _file(
    source: ConversationsSource, root: Path, span: Span, cache: Path, file: str, path: Path
) -> Iterator[Document | Rejected]:
    folder = PurePosixPath(file).parent
    if source.images is not None:
        folder = files.below(source.images, root)
    unit, parsed = ("item", record_of) if _is_list(path) else ("line", parsed_line)
    items = (
        replace(item, locator=item.locator.replace("line=", f"{unit}="))
        for item in lines.read(_lines_of(path, cache), span.start, span.stop, cache)
    )
    inside = _unrolled if _is_list(path) else partial(literals, file, path.name)
    yield from lines.each(
        file, items, lambda line: [_document(source, file, line.locator, parsed(line), folder, inside(line))]
    )


def _unrolled(line: Line) -> Inside:  # noqa: ARG001 - one signature for all files
    return in_list


def _is_list(path: Path) -> bool:
    return path.name.lower().endswith(".json")


def _lines_of(path: Path, cache: Path) -> Path:
    """The file with one record per line: the file itself, or its unrolled copy."""
    return unrolled(path, cache, _records, "conversations") if _is_list(path) else path


def _records(stream: BinaryIO) -> Iterator[bytes]:
    return (record for name, record in members(stream) if not name)


def _document(
    source: ConversationsSource,
    file: str,
    locator: str,
    record: dict[str, object],
    folder: PurePosixPath,
    inside: Inside,
) -> Document:
    """Read one record. Raises LostError."""
    given = _first(record, "image", "images")
    names = [] if given is None or given == "" else [given] if isinstance(given, str) else given
    if not isinstance(names, list):
        raise LostError("bad_images", f"image is {shown(given)}, neither a name nor a list of names")
    turns = _first(record, "conversations", "messages", "conversation")
    if problem := excess(len(turns) if isinstance(turns, list) else 0, len(names), 0):
        raise LostError(*problem)
    license_ = _license(record) or source.license

    def image(name: object) -> ImageRef:
        ref = image_ref(name, folder, inside)
        return ImageRef(0, ref, url=ref.url, license=license_)

    images = [
        _informed(image(name), info) for name, info in zip(names, _infos(record, len(names)), strict=True)
    ]
    segments = segments_of(turns, images, image)
    if record.get("escaped") == ESCAPED:
        segments = tuple(
            replace(item, text=unescape(item.text)) if isinstance(item, Text) else item for item in segments
        )
    texts = [item.text for item in segments if isinstance(item, Text)]
    if problem := excess(len(segments), len(segments) - len(texts), sum(map(len, texts))):
        raise LostError(*problem)
    identity = document_id(source.name, file, locator)
    url = web(record.get("url"))
    page_url = web(record.get("page_url")) or url
    return Document(
        identity, source.name, segments, Provenance(file, locator), url, license_, page_url=page_url
    )


def _license(record: Mapping[str, Any]) -> str | None:
    stated = record.get("license")
    return named(one_line(stated)) if isinstance(stated, str) and stated.strip() else None


def _infos(record: Mapping[str, Any], count: int) -> Sequence[Mapping[str, Any]]:
    """The facts about each image; empty ones when the record does not have them for every image."""
    infos = record.get("image_info")
    whole = isinstance(infos, list) and len(infos) == count and all(isinstance(info, dict) for info in infos)
    return infos if isinstance(infos, list) and whole else [{}] * count


def _informed(image: ImageRef, info: Mapping[str, Any]) -> ImageRef:
    """The image with its own URL, license and time in a video, where they are stated."""
    try:
        time = float(info.get("frame_time") or "nan")
    except (TypeError, ValueError):
        time = nan
    return replace(
        image,
        url=web(info.get("url")) or image.url,
        license=_license(info) or image.license,
        time=time if isfinite(time) and time >= 0 else None,
    )


def _first(record: dict[str, object], *keys: str) -> Any:
    """The value of the first key that has one."""
    return next((record[key] for key in keys if record.get(key) is not None), None)
