"""The room's door: settings -> source files that the ordinary readers read, and labels that no stage reads.

    root/mmc4/docs_0000.jsonl, root/mmc4/images/*.png
    root/html/<slug>/index.html and its pictures
    root/warc/pages_0002.warc.gz
    root/obelics/part-0003.parquet, root/obelics/images/*.png
    root/video/<slug>.mp4, root/video/<slug>.vtt, root/annotations.json (like YouCook2's)
    root/labels/<chunk>.jsonl -> root/labels.jsonl

A chunk is a pure function of (settings, chunk): chunks are written in any order, twice, or by many processes, to the same bytes. A file
appears under its name only when it is whole (temporary name in the same folder, then a rename). Cost: about 1.3 ms a picture of 128 px.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leafinstruct.sketchbook import as_html, as_mmc4, as_obelics, as_warc
from leafinstruct.sketchbook.page import Page, page
from leafinstruct.sketchbook.plan import DEFECTS, Chunk, Settings, chunks

__all__ = ["DEFECTS", "Chunk", "Settings", "chunks", "collect_labels", "write_chunk"]

Placed = tuple[Page, str, str]
"""A page, the file that holds it (relative to the root) and the locator inside that file, as the readers name them."""


def write_chunk(settings: Settings, chunk: Chunk, root: Path) -> None:
    """Writes the chunk's documents, and last its labels, under `root`. Writing again writes the same bytes.

    Raises OSError when the disk refuses.
    """
    pages = (page(settings, index, chunk.format) for index in range(chunk.start, chunk.stop))
    match chunk.format:
        case "mmc4":
            placed = _write_mmc4(root, f"docs_{chunk.index:04d}.jsonl", pages)
        case "html":
            placed = _write_html(root, pages)
        case "warc":
            placed = _write_warc(root, f"pages_{chunk.index:04d}.warc.gz", pages)
        case "obelics":
            placed = _write_obelics(root, f"part-{chunk.index:04d}.parquet", pages)
        case "video":
            placed = _write_videos(root, chunk.name, pages)
    _put(root / "labels" / f"{chunk.name}.jsonl", _lines([_label(*three) for three in placed]))


def collect_labels(settings: Settings, root: Path) -> Path:
    """Joins the chunks' labels to `root/labels.jsonl`, in document order, resolves what each duplicate repeats, and joins the videos' annotations.

    Raises FileNotFoundError when a chunk has not been written.
    """
    labels: list[dict[str, Any]] = []
    for chunk in chunks(settings):
        text = (root / "labels" / f"{chunk.name}.jsonl").read_text(encoding="utf-8")
        labels.extend(json.loads(line) for line in text.splitlines())
    for label in labels:
        if label["duplicate_of"] is not None:
            original = labels[label["duplicate_of"]]
            label["duplicate_of"] = [original["file"], original["locator"]]
    films = [
        json.loads((root / "video" / f".{chunk.name}.json").read_text(encoding="utf-8"))
        for chunk in chunks(settings)
        if chunk.format == "video"
    ]
    if films:
        database = {name: entry for film in films for name, entry in film.items()}
        _put(root / "annotations.json", json.dumps({"database": database}, indent=1).encode())
    path = root / "labels.jsonl"
    _put(path, _lines(labels))
    return path


def _write_mmc4(root: Path, name: str, pages: Iterator[Page]) -> Iterator[Placed]:
    lines: list[bytes] = []
    for document in pages:
        for picture in document.pictures:
            _put(root / "mmc4" / "images" / document.file_name(picture), picture.data)
        lines.append(as_mmc4.line(document))
        yield document, f"mmc4/{name}", f"line={len(lines)}"
    _put(root / "mmc4" / name, b"".join(lines))


def _write_html(root: Path, pages: Iterator[Page]) -> Iterator[Placed]:
    for document in pages:
        folder = root / "html" / document.slug
        for picture in document.pictures:
            _put(folder / picture.name, picture.data)
        _put(folder / "index.html", as_html.html(document, lambda picture: picture.name))
        yield document, f"html/{document.slug}/index.html", ""


def _write_warc(root: Path, name: str, pages: Iterator[Page]) -> Iterator[Placed]:
    archive = bytearray(as_warc.head(name))
    for document in pages:
        offset = len(archive)
        archive += as_warc.members(document)
        yield document, f"warc/{name}", f"offset={offset}"
    _put(root / "warc" / name, bytes(archive))


def _write_obelics(root: Path, name: str, pages: Iterator[Page]) -> Iterator[Placed]:
    rows = []
    for document in pages:
        for picture in document.pictures:
            _put(root / "obelics" / "images" / document.file_name(picture), picture.data)
        rows.append(as_obelics.row(document))
        yield document, f"obelics/{name}", f"row={len(rows) - 1}"
    _put(root / "obelics" / name, as_obelics.parquet(rows))


def _write_videos(root: Path, chunk: str, pages: Iterator[Page]) -> Iterator[Placed]:
    from leafinstruct.sketchbook import as_video  # loads a video encoder, which a corpus that stands does not need

    entries = {}
    for document in pages:
        _put(root / "video" / f"{document.slug}.mp4", as_video.video(document))
        _put(root / "video" / f"{document.slug}.vtt", as_video.subtitles(document).encode())
        entries[document.slug] = as_video.entry(document)
        yield document, f"video/{document.slug}.mp4", ""
    _put(root / "video" / f".{chunk}.json", json.dumps(entries).encode())


def _label(document: Page, file: str, locator: str) -> dict[str, Any]:
    """What is true of the document; `duplicate_of` is still the number of a document here."""
    steps = [{"text": step.text, "caption": step.caption, "scene": step.scene.to_data()} for step in document.howto.steps]
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


def _lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _put(path: Path, data: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
