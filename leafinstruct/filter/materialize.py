"""Read the images of remaining documents: reference -> bytes and measurements, in the part's image file.

Only images of documents that pass the text rules are read, each reference once while its file is unchanged
(size and sha256; for a URL: what was fetched). Complete rows are kept when a loosened rule keeps more
documents; for a new or changed score they are measured again from their bytes, and no image is read or
fetched. Bytes are stored unchanged; a file that browsers show and decoders refuse is stored mended
(images/formats/mend), since readers of the published rows use decoders. They are streamed, so a part is never
in memory as a whole. Images are decoded only for measuring, at 256 px at most. Unreadable bytes are a reason,
not an exception. Cost: 1-3 ms per image of 1 megapixel.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

from PIL import Image as Pil

from leafinstruct.filter.index.image import HASH_PX, hash_of
from leafinstruct.filter.scores import image as image_scores
from leafinstruct.filter.scores import sequence
from leafinstruct.filter.scores.cell import cell
from leafinstruct.images.decode import Undecodable, decode, decode_gray, decode_mended, probe
from leafinstruct.images.formats.mend import digests
from leafinstruct.images.read import fetch
from leafinstruct.images.read import stamp as file_stamp
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.web.store import Fetched as Outcome
from leafinstruct.images.web.store import stored
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef, Ref, State
from leafinstruct.records.example import Cell
from leafinstruct.records.files import checked
from leafinstruct.records.frames import KeptFrames
from leafinstruct.records.rows import ImageRow
from leafinstruct.runtime import content
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.base import Engine, Found, Needs, Part, hashing
from leafinstruct.runtime.files import load, save
from leafinstruct.runtime.store.path import ObjectPath, root_at

ASKED_HERE = 200
"""Objects of a bucket whose states are asked for in this process, one after the other: 10 s at 50 ms each."""
REMOVED = "removed_by_request"
"""Reason of an image that `leaf remove --purge` deleted. A document that shows it is dropped, because its
text would still refer to it."""


class Fetched:
    """The images of a part that are not read through their reference: those that filter/fetching fetched, and
    the frames that ingest extracted.

    path: the part's `fetches-`, may be missing. store: folder of fetched images. frames: the part's frames.
    sources: see `source_files`.
    """

    def __init__(self, path: Path, store: Path, frames: KeptFrames, sources: Mapping[str, str]) -> None:
        self._rows = {row.url: row for row in outcomes(path)} if path.exists() else {}
        self._store = store
        self._frames, self._sources = frames, sources

    def read(self, ref: Ref, root: Path) -> bytes | Unreadable:
        """Return the bytes of a reference, or why there are none."""
        row = self._row(ref)
        if row is None:
            frame = None if ref.time is None else self._frames.get(str(ref), stamp(ref, root, self._sources))
            return fetch(ref, root) if frame is None else frame
        if row.sha256 is None:
            return Unreadable(row.reason, row.detail, retryable=row.state == "failed")
        try:
            return stored(self._store, row.segment or "", row.offset or 0, row.size or 0, row.sha256)
        except OSError as error:
            return Unreadable("unreadable", f"{ref.url}: {error.strerror or error}", retryable=True)

    def stamp(self, ref: Ref, root: Path) -> str:
        """Return what changes when an image may have changed: the identity of its file, or what was
        fetched."""
        row = self._row(ref)
        return stamp(ref, root, self._sources) if row is None else row.sha256 or row.reason

    def _row(self, ref: Ref) -> Outcome | None:
        return None if ref.file is not None or ref.url is None else self._rows.get(ref.url)


def outcomes(path: Path) -> Iterator[Outcome]:
    """Outcomes of a part's `fetches-`. Raises DamagedError."""
    return table.records(path, Outcome, ["terms"])


def materialize(
    wanted: Iterable[tuple[Ref, Path]],
    existing: Path,
    max_pixels: int,
    counts: Counter[str],
    fetched: Fetched,
    removed: frozenset[str] = frozenset(),
    measured: bool = True,
) -> Iterator[ImageRow]:
    """Yield rows of table.IMAGES, one per reference: first the existing rows that are up to date, also those
    of other documents, then the missing ones.

    wanted: (reference, root of its source). existing: the part's image file, may be missing. counts:
    `images_read` and `images_failed` are increased. removed: sha256 of images that were deleted by request;
    their bytes are not stored. measured: whether the existing rows have the scores of now; otherwise they are
    measured again, which is counted in `images_measured`, and images that did not decode are read again.
    """
    needed = {str(ref): (ref, root) for ref, root in wanted}
    reused: set[str] = set()
    for row in table.whole_records(existing, ImageRow):
        here = needed.get(row.ref)
        stale = row.sha256 in removed or row.reason.startswith(REMOVED)
        if (
            row.state == "ok"
            and not stale
            and (measured or row.sha256 is not None)  # an image may be decodable now
            and (here is None or row.stamp == fetched.stamp(*here))
            and _is_intact(row)
        ):
            reused.add(row.ref)
            yield row if measured else _measured(row, max_pixels, counts)
    for name, (ref, root) in needed.items():
        if name not in reused:
            counts["images_read"] += 1
            data = fetched.read(ref, root)
            if isinstance(data, bytes) and removed and not removed.isdisjoint(digests(data)):
                data = Unreadable(REMOVED, "these bytes were taken out for good")
            row = _row(ImageRow(name, ref.file, fetched.stamp(ref, root), "ok"), data, max_pixels)
            counts["images_failed"] += row.state == "failed"
            yield row


def hashed(
    wanted: Iterable[tuple[Ref, Path]], max_pixels: int, fetched: Fetched
) -> Iterator[tuple[str, ImageRow]]:
    """Yield references, each once, with rows for images that are only compared: digest and hash, without
    scores, size and bytes. About three times as fast as `materialize`."""
    for name, (ref, root) in {str(ref): (ref, root) for ref, root in wanted}.items():
        data = fetched.read(ref, root)
        row = ImageRow(name, ref.file, fetched.stamp(ref, root), "ok")
        yield name, _unread(row, data) if isinstance(data, Unreadable) else _hashed(row, data, max_pixels)


def repaired(counts: Counter[str]) -> dict[str, int]:
    """Damage that `look` found and repaired, for the line at the end of the stage. Removed from the
    counts."""
    names = {"files of kept frames": "frames_damaged", "files of images": "images_damaged"}
    return {what: count for what, name in names.items() if (count := counts.pop(name, 0))}


def is_damaged(path: Path) -> bool:
    """Whether a part's image file exists and is damaged. Its intact row groups are kept, the rest is read
    again."""
    return path.exists() and checked.fault(path) is not None


def _is_intact(row: ImageRow) -> bool:
    return row.sha256 is None or hashlib.sha256(row.bytes or b"").hexdigest() == row.sha256


def stamp(ref: Ref, root: Path, sources: Mapping[str, str]) -> str:
    """Identity of a reference's file, empty if there is none. It changes when an image may have changed.
    sources: see `source_files`."""
    return sources.get(f"{root}/{ref.file}") or file_stamp(root / (ref.file or ""), ref)


def source_files(inputs: Artifact) -> Mapping[str, str]:
    """Path -> identity of the source files that ingest compared in this build: archives, tables and videos,
    which are not hashed once more in each worker. Empty where ingest hashed none (a forecast,
    `leafinstruct.score`): then each file is hashed when it is read. inputs: of ingest."""
    return _source_files(inputs, content.state(inputs.path / "record.json"))


@lru_cache(maxsize=2)
def _source_files(inputs: Artifact, _state: str) -> dict[str, str]:
    roots, files = roots_of(inputs), {}
    assert inputs.record is not None, "ingest is done"
    for name, identity in cast("Mapping[str, str]", inputs.record["fingerprint"].get("files", {})).items():
        source, _, file = name.partition("/")
        files[f"{roots[source]}/{file}"] = identity
    return files


def roots_of(inputs: Artifact) -> dict[str, Path]:
    """Source -> the folder of its files. inputs: of ingest."""
    assert inputs.record is not None, "ingest is done"
    # roots are relative and start with `..`, which leads elsewhere if a symbolic link is not resolved
    folder = inputs.path.resolve()
    return {name: root_at(folder, root) for name, root in inputs.record["roots"].items()}


def outdated(inputs: Artifact, out: Artifact, engine: Engine, names: Iterable[str]) -> set[str]:
    """Those of some parts with an image file that was changed, added or removed since it was read. Files in
    the state in which they were hashed are not read. Cost: 10 microseconds per image then; in a bucket a
    request per image, from all processes."""
    roots, sources, parts, size, objects = roots_of(inputs), source_files(inputs), [], 0, 0
    for name in names:
        root, path = roots[name.rpartition("-")[0]], out.file("images", name)
        rows = table.columns(path, "ref", "file", "stamp") if table.key_of(path) is not None else iter(())
        kept = load(_states(out, name)) or {}
        here = {(file, then, ref == file) for ref, file, then in rows if file is not None}
        for file, _, _ in here:
            if file in kept:
                content.remember(root / file, *kept[file])
            elif f"{root}/{file}" not in sources:
                objects += isinstance(root, ObjectPath)
                size += 0 if isinstance(root, ObjectPath) else _size(root / file)
        parts.append(Part(name, (root, here)))
    needs = Needs(what="comparing images", unit="parts")
    task, many = partial(compare, inputs, out), objects > ASKED_HERE
    found = engine.map(task, parts, needs) if many else hashing(engine, task, parts, needs, size)
    return {report.value for report in found if report.value}


def compare(inputs: Artifact, out: Artifact, part: Part) -> Found[str]:
    """Task: the part's name if one of its image files is another one now, else empty. payload: the folder of
    the files, and of each its name, identity when it was read, and whether it is an image itself."""
    root, here = part.payload
    sources, moved = source_files(inputs), False
    for file, then, is_image in sorted(here):
        ref = Ref(file=file) if is_image else Ref(file=file, offset=0)
        moved |= then != stamp(ref, root, sources)
    remember(out, part.name, root, {file for file, _, _ in here})
    return Found(value=part.name if moved else "")


def remember(out: Artifact, part: str, root: Path, files: Iterable[str]) -> None:
    """Keep the states of a part's image files that were hashed here, so that the next build need not."""
    path = _states(out, part)
    kept = {file: list(known) for file in sorted(files) if (known := content.known(root / file)) is not None}
    if kept != (load(path) or {}):
        save(path, kept, indent=None)


def _size(path: Path) -> int:
    """Bytes of a file; 0 if there is none, or the file system rejects its name."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError):
        return 0


def _states(out: Artifact, part: str) -> Path:
    return out.file("states", part, ".json")


def rows_without_bytes(path: Path) -> dict[str, ImageRow]:
    """reference -> row of a part's image file, without the bytes."""
    return {row.ref: row for row in table.records(path, ImageRow, ["bytes"])}


def decoded(
    path: Path, names: set[str], order: dict[str, None], px: int, max_pixels: int
) -> Iterator[Pil.Image]:
    """Decode the named images of a part's file one at a time, in the order of the file.

    names: sha256. order: receives the names in the order of the images. px: longer side of the result.
    """
    return (opened(px, max_pixels, data) for data in stored_bytes(path, names, order))


def stored_bytes(path: Path, names: set[str], order: dict[str, None]) -> Iterator[bytes]:
    """The bytes of the named images of a part's file, see `decoded`."""
    for sha256, data in table.columns(path, "sha256", "bytes"):
        if sha256 in names and sha256 not in order:
            order[sha256] = None
            yield data


def opened(px: int, max_pixels: int, data: bytes) -> Pil.Image:
    """Decode an image of a part's file, see `decoded`."""
    image = decode(data, px, max_pixels)
    assert not isinstance(image, Undecodable), "it was decoded when it was materialized"
    return image


def cells(image: ImageRef, row: ImageRow) -> list[Cell]:
    """The `image.*` cells of a document's image, from its row."""
    if row.state == "failed":
        return [Cell("image.decoded", None, "failed", image.position, None, row.reason)]
    if row.sha256 is None or row.width is None:
        return [Cell("image.decoded", 0.0, "ok", image.position, None, row.reason)]
    measured = [cell(item["name"], item["value"], image.position) for item in row.scores]
    return [cell("image.decoded", 1.0, image.position), *measured]


def with_facts(document: Document, rows: Mapping[str, ImageRow]) -> Document:
    """Return the document with state, sha256, size and format of its images. rows: reference -> row."""
    return replace(
        document,
        segments=tuple(
            _informed(segment, rows[str(segment.ref)]) if isinstance(segment, ImageRef) else segment
            for segment in document.segments
        ),
    )


def _informed(image: ImageRef, row: ImageRow) -> ImageRef:
    return replace(
        image, state=row.state, sha256=row.sha256, width=row.width, height=row.height, format=row.format
    )


def is_read(path: Path, key: str) -> bool:
    """Whether a table was read from the documents and images of this key, whatever was measured of them. key:
    "<digest of what was read> <digest of the scores>"."""
    return (table.key_of(path) or "").partition(" ")[0] == key.partition(" ")[0]


def _measured(row: ImageRow, max_pixels: int, counts: Counter[str]) -> ImageRow:
    """The row with the scores of now, measured from its bytes."""
    if row.bytes is None or row.width is None or row.height is None:
        return row
    counts["images_measured"] += 1
    image = decode(row.bytes, image_scores.MEASURE_PX, max_pixels)
    assert not isinstance(image, Undecodable), "it was decoded when it was read"
    scores = image_scores.scores(row.width, row.height, image, row.bytes)
    return replace(row, scores=scores, hash=hash_of(image), thumbnail=sequence.thumbnail(image))


def _row(empty: ImageRow, data: bytes | Unreadable, max_pixels: int) -> ImageRow:
    if isinstance(data, Unreadable):
        return _unread(empty, data)
    header = probe(data, max_pixels)
    if isinstance(header, Undecodable):
        return replace(empty, reason=f"{header.reason}: {header.detail}")
    image, data = decode_mended(data, image_scores.MEASURE_PX, max_pixels)
    if isinstance(image, Undecodable):
        return replace(empty, reason=f"{image.reason}: {image.detail}")
    return replace(
        empty,
        width=header.width,
        height=header.height,
        format=header.format,
        sha256=hashlib.sha256(data).hexdigest(),
        scores=image_scores.scores(header.width, header.height, image, data),
        hash=hash_of(image),
        thumbnail=sequence.thumbnail(image),
        bytes=data,
    )


def _hashed(empty: ImageRow, data: bytes, max_pixels: int) -> ImageRow:
    image, data = decode_gray(data, HASH_PX, max_pixels)
    if isinstance(image, Undecodable):
        return replace(empty, reason=f"{image.reason}: {image.detail}")
    return replace(empty, sha256=hashlib.sha256(data).hexdigest(), hash=hash_of(image))


def _unread(empty: ImageRow, data: Unreadable) -> ImageRow:
    state: State = "failed" if data.retryable else "ok"
    return replace(empty, state=state, reason=f"{data.reason}: {data.detail}")
