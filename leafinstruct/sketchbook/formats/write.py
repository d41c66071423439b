"""The entry point: write source files for the ordinary readers, and labels that no stage reads.

    root/mmc4/docs_0000.jsonl, root/mmc4/images/*.png
    root/html/<slug>/index.html and its images
    root/warc/pages_0002.warc.gz
    root/obelics/part-0003.parquet, root/obelics/images/*.png
    root/video/<slug>.mp4, root/video/<slug>.vtt, root/annotations.json (like YouCook2's)
    root/labels/<chunk>.jsonl -> root/labels.jsonl

A chunk is a pure function of (settings, chunk, removed documents): chunks can be written in any order, twice,
or by many processes, with the same bytes. A file appears under its name only when it is complete (temporary
name in the same folder, then a rename). Its modification time is derived from its bytes, so files that are
written again with the same bytes count as unchanged. Cost: about 1.3 ms per image of 128 px.

A removed document is replaced by an empty placeholder, so that other documents keep their lines, rows and
offsets, and with them their ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from leafinstruct.sketchbook.documents.page import Page, page
from leafinstruct.sketchbook.documents.plan import DEFECTS, Chunk, Settings, chunks
from leafinstruct.sketchbook.formats import html as as_html
from leafinstruct.sketchbook.formats import mmc4 as as_mmc4
from leafinstruct.sketchbook.formats import obelics as as_obelics
from leafinstruct.sketchbook.formats import warc as as_warc
from leafinstruct.sketchbook.world.scene import SceneData

__all__ = ["DEFECTS", "Chunk", "Settings", "chunks", "collect_labels", "write_chunk"]

Placed = tuple[Page, str, str]
"""A page, its file (relative to the root) and its locator within that file, as the readers name them."""
Entry = tuple[str, str]
Removed = Callable[[Page, str, str], Entry | None]
"""Returns for a page, its file and locator the kind and value of the entry that removes it, or None."""

FIRST = 1_767_225_600
"""2026-01-01 UTC in seconds, the earliest modification time."""
EMPTIED = "emptied.jsonl"


class StepLabel(TypedDict):
    """A step of a labeled document."""

    text: str
    caption: str
    scene: SceneData


class Label(TypedDict):
    """The truth about a document. duplicate_of: file and locator of the original; its number in a chunk's own
    labels."""

    file: str
    locator: str
    removed: NotRequired[Entry]
    topic: NotRequired[str]
    defect: NotRequired[str | None]
    defect_image: NotRequired[int | None]
    title: NotRequired[str]
    steps: NotRequired[list[StepLabel]]
    duplicate_of: NotRequired[int | list[str] | None]


def nothing(page: Page, file: str, locator: str) -> Entry | None:  # noqa: ARG001 - a list without entries
    """No page is removed."""
    return None


def write_chunk(settings: Settings, chunk: Chunk, root: Path, removed: Removed = nothing) -> None:
    """Write the chunk's documents, and last its labels, under `root`. Writing again gives the same bytes.

    removed: which documents are left out. Raises OSError.
    """
    pages = (page(settings, index, chunk.format) for index in range(chunk.start, chunk.stop))
    match chunk.format:
        case "mmc4":
            placed = _write_mmc4(root, f"docs_{chunk.index:04d}.jsonl", pages, removed)
        case "html":
            placed = _write_html(root, pages, removed)
        case "warc":
            placed = _write_warc(root, f"pages_{chunk.index:04d}.warc.gz", pages, removed)
        case "obelics":
            placed = _write_obelics(root, f"part-{chunk.index:04d}.parquet", pages, removed)
        case "video":
            placed = _write_videos(root, chunk.name, pages, removed)
    _put(
        root / "labels" / f"{chunk.name}.jsonl", _lines([_label(*three, removed(*three)) for three in placed])
    )


def collect_labels(settings: Settings, root: Path) -> Path:
    """Join the chunks' labels to `root/labels.jsonl`, in document order, resolve the original of each
    duplicate, and join the videos' annotations.

    Raises FileNotFoundError when a chunk has not been written.
    """
    labels: list[Label] = []
    for chunk in chunks(settings):
        text = (root / "labels" / f"{chunk.name}.jsonl").read_text(encoding="utf-8")
        labels.extend(json.loads(line) for line in text.splitlines())
    for label in labels:
        if isinstance(number := label.get("duplicate_of"), int):
            label["duplicate_of"] = [labels[number]["file"], labels[number]["locator"]]
    annotations = [
        json.loads((root / "video" / f".{chunk.name}.json").read_text(encoding="utf-8"))
        for chunk in chunks(settings)
        if chunk.format == "video"
    ]
    if annotations:
        database = {name: entry for videos in annotations for name, entry in videos.items()}
        _put(root / "annotations.json", json.dumps({"database": database}, indent=1).encode())
    path = root / "labels.jsonl"
    _put(path, _lines([label for label in labels if "removed" not in label]))
    if emptied := [label for label in labels if "removed" in label]:
        _put(root / EMPTIED, _lines(emptied))
    return path


def _write_mmc4(root: Path, name: str, pages: Iterator[Page], removed: Removed) -> Iterator[Placed]:
    lines: list[bytes] = []
    for document in pages:
        placed = document, f"mmc4/{name}", f"line={len(lines) + 1}"
        stays = removed(*placed) is None
        for image in document.images if stays else ():
            _put(root / "mmc4" / "images" / document.file_name(image), image.data)
        lines.append(as_mmc4.line(document) if stays else b"{}\n")
        yield placed
    _put(root / "mmc4" / name, b"".join(lines))


def _write_html(root: Path, pages: Iterator[Page], removed: Removed) -> Iterator[Placed]:
    for document in pages:
        placed = document, f"html/{document.slug}/index.html", ""
        stays, folder = removed(*placed) is None, root / "html" / document.slug
        for image in document.images if stays else ():
            _put(folder / image.name, image.data)
        _put(folder / "index.html", as_html.html(document, lambda image: image.name) if stays else b"")
        yield placed


def _write_warc(root: Path, name: str, pages: Iterator[Page], removed: Removed) -> Iterator[Placed]:
    archive = bytearray(as_warc.head(name))
    for document in pages:
        placed = document, f"warc/{name}", f"offset={len(archive)}"
        members = as_warc.members(document)
        archive += members if removed(*placed) is None else as_warc.filler(len(members))
        yield placed
    _put(root / "warc" / name, bytes(archive))


def _write_obelics(root: Path, name: str, pages: Iterator[Page], removed: Removed) -> Iterator[Placed]:
    rows: list[dict[str, object]] = []
    for document in pages:
        placed = document, f"obelics/{name}", f"row={len(rows)}"
        stays = removed(*placed) is None
        for image in document.images if stays else ():
            _put(root / "obelics" / "images" / document.file_name(image), image.data)
        rows.append(as_obelics.row(document) if stays else {})
        yield placed
    _put(root / "obelics" / name, as_obelics.parquet(rows))


def _write_videos(root: Path, chunk: str, pages: Iterator[Page], removed: Removed) -> Iterator[Placed]:
    # imported here, because it loads a video encoder, which an existing corpus does not need
    from leafinstruct.sketchbook.formats import video as as_video

    entries: dict[str, object] = {}
    for document in pages:
        placed = document, f"video/{document.slug}.mp4", ""
        stays = removed(*placed) is None
        _put(root / "video" / f"{document.slug}.mp4", as_video.video(document) if stays else b"")
        if stays:
            _put(root / "video" / f"{document.slug}.vtt", as_video.subtitles(document).encode())
        entries[document.slug] = as_video.entry(document) if stays else {"annotations": []}
        yield placed
    _put(root / "video" / f".{chunk}.json", json.dumps(entries).encode())


def _label(document: Page, file: str, locator: str, removed: Entry | None) -> Label:
    """Return the label of a document; `duplicate_of` is still a document number here. A removed document only
    has its file and locator."""
    if removed is not None:
        return {"file": file, "locator": locator, "removed": removed}
    steps: list[StepLabel] = [
        {"text": step.text, "caption": step.caption, "scene": step.scene.to_data()}
        for step in document.howto.steps
    ]
    return {
        "file": file,
        "locator": locator,
        "topic": document.howto.topic,
        "defect": document.defect,
        "defect_image": document.defect_image,
        "title": document.howto.title,
        "steps": steps,
        "duplicate_of": document.original,
    }


def _lines(records: list[Label]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _put(path: Path, data: bytes) -> None:
    """Write a file by a temporary name and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    temporary.write_bytes(data)
    seconds = FIRST + int.from_bytes(hashlib.sha256(data).digest()[:3])
    os.utime(temporary, (seconds, seconds))
    temporary.replace(path)
