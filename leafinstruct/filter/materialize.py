"""Read the images of remaining documents: reference -> bytes and measurements, in the part's image file.

Only images of documents that pass the text rules are read, each reference once while its file is unchanged
(size and time; for a URL: what was fetched). Complete rows are kept when a loosened rule keeps more
documents. Bytes are stored unchanged and streamed, so a part is never in memory as a whole. Images are
decoded only for measuring, at 256 px at most. Unreadable bytes are a reason, not an exception. Cost: 1-3 ms
per image of 1 megapixel.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from leafinstruct.errors import DamagedError
from leafinstruct.filter.scores.text import cell
from leafinstruct.images.decode import Undecodable, decode, probe
from leafinstruct.images.read import fetch
from leafinstruct.images.read import stamp as file_stamp
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.web.store import stored
from leafinstruct.records import table
from leafinstruct.records.document import Image, Ref
from leafinstruct.records.example import Cell
from leafinstruct.records.files import checked
from leafinstruct.records.frames import KeptFrames
from leafinstruct.records.table import Row

MEASURE_PX = 256
"""Longer side at which entropy and sharpness are measured. Sharpness depends on scale, so all images use the
same one."""


REMOVED = "removed_by_request"
"""Reason of an image that `leaf remove --purge` deleted. A document that shows it is dropped, because its
text would still refer to it."""


class Fetched:
    """The images of a part that are not read through their reference: those that filter/fetching fetched, and
    the frames that ingest extracted.

    path: the part's `fetches-`, may be missing. store: folder of fetched images. frames: the part's frames.
    """

    def __init__(self, path: Path, store: Path, frames: KeptFrames) -> None:
        self._rows = {row["url"]: row for row in table.read(path)} if path.exists() else {}
        self._store = store
        self._frames = frames

    def read(self, ref: Ref, root: Path) -> bytes | Unreadable:
        """Return the bytes of a reference, or why there are none."""
        row = None if ref.file is not None else self._rows.get(ref.url)
        if row is None:
            frame = None if ref.time is None else self._frames.get(str(ref), stamp(ref, root))
            return fetch(ref, root) if frame is None else frame
        if row["sha256"] is None:
            return Unreadable(row["reason"], row["detail"], retryable=row["state"] == "failed")
        try:
            return stored(self._store, row["segment"], row["offset"], row["size"], row["sha256"])
        except OSError as error:
            return Unreadable("unreadable", f"{ref.url}: {error.strerror or error}", retryable=True)

    def stamp(self, ref: Ref, root: Path) -> str:
        """Return what changes when an image may have changed: size and time of its file, or what was
        fetched."""
        row = None if ref.file is not None else self._rows.get(ref.url)
        return stamp(ref, root) if row is None else row["sha256"] or row["reason"]


def materialize(
    wanted: Iterable[tuple[Ref, Path]],
    existing: Path,
    max_pixels: int,
    counts: Counter[str],
    fetched: Fetched,
    removed: frozenset[str] = frozenset(),
) -> Iterator[Row]:
    """Yield rows of table.IMAGES, one per reference: first the existing rows that are up to date, also those
    of other documents, then the missing ones.

    wanted: (reference, root of its source). existing: the part's image file, may be missing. counts:
    `images_read` and `images_failed` are increased. removed: sha256 of images that were deleted by request;
    their bytes are not stored.
    """
    needed = {str(ref): (ref, root) for ref, root in wanted}
    reused: set[str] = set()
    for row in table.read_whole_groups(existing):
        here = needed.get(row["ref"])
        stale = row["sha256"] in removed or row["reason"].startswith(REMOVED)
        if (
            row["state"] == "ok"
            and not stale
            and (here is None or row["stamp"] == fetched.stamp(*here))
            and _is_intact(row)
        ):
            reused.add(row["ref"])
            yield row
    for name, (ref, root) in needed.items():
        if name not in reused:
            counts["images_read"] += 1
            data = fetched.read(ref, root)
            if isinstance(data, bytes) and removed and hashlib.sha256(data).hexdigest() in removed:
                data = Unreadable(REMOVED, "these bytes were taken out for good")
            row = {**_row(name, data, max_pixels), "file": ref.file, "stamp": fetched.stamp(ref, root)}
            counts["images_failed"] += row["state"] == "failed"
            yield row


def repaired(counts: Counter[str]) -> dict[str, int]:
    """Damage that `look` found and repaired, for the line at the end of the stage. Removed from the
    counts."""
    names = {
        "files of kept frames": "frames_damaged",
        "files of images": "images_damaged",
        "images whose file changed although its size and time did not": "rotted",
    }
    return {what: count for what, name in names.items() if (count := counts.pop(name, 0))}


def is_damaged(path: Path) -> bool:
    """Whether a part's image file exists and is damaged. Its intact row groups are kept, the rest is read
    again."""
    return path.exists() and checked.fault(path) is not None


def seen(path: Path) -> dict[tuple[str, str], str]:
    """(reference, stamp) -> sha256 of the images in a part's file; empty if it is missing or damaged."""
    try:
        return {
            (row["ref"], row["stamp"]): row["sha256"]
            for row in table.read(path, ["ref", "stamp", "sha256"])
            if row["sha256"]
        }
    except DamagedError:
        return {}


def rotted(before: Mapping[tuple[str, str], str], now: Mapping[str, Row]) -> int:
    """Count images whose bytes changed under the same stamp. before: see `seen`. now: reference -> row."""
    return sum(
        now[ref]["sha256"] != sha256
        for (ref, stamp), sha256 in before.items()
        if ref in now and now[ref]["stamp"] == stamp
    )


def _is_intact(row: Row) -> bool:
    return row["sha256"] is None or hashlib.sha256(row["bytes"] or b"").hexdigest() == row["sha256"]


def stamp(ref: Ref, root: Path) -> str:
    """Size and modification time of a reference's file, empty if there is none. It changes when an image may
    have changed."""
    return file_stamp(root / (ref.file or ""))


def rows_without_bytes(path: Path) -> dict[str, Row]:
    """reference -> row of a part's image file, without the bytes."""
    return {row["ref"]: row for row in table.read_without_bytes(path)}


def decoded(
    path: Path, names: set[str], order: dict[str, None], px: int, max_pixels: int
) -> Iterator[Pil.Image]:
    """Decode the named images of a part's file one at a time, in the order of the file.

    names: sha256. order: receives the names in the order of the images. px: longer side of the result.
    """
    for row in table.read(path, ["sha256", "bytes"]):
        if row["sha256"] in names and row["sha256"] not in order:
            image = decode(row["bytes"], px, max_pixels)
            assert not isinstance(image, Undecodable), "it was decoded when it was materialized"
            order[row["sha256"]] = None
            yield image


def cells(image: Image, row: Mapping[str, Any]) -> list[Cell]:
    """The `image.*` cells of a document's image, from its row."""
    if row["state"] == "failed":
        return [Cell("image.decoded", None, "failed", image.position, None, row["reason"])]
    if row["sha256"] is None or row["width"] is None:
        return [Cell("image.decoded", 0.0, "ok", image.position, None, row["reason"])]
    measured = [cell(item["name"], item["value"], image.position) for item in row["scores"]]
    return [cell("image.decoded", 1.0, image.position), *measured]


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a materialized image, as fields of records.document.Image."""
    return {name: row[name] for name in ("state", "sha256", "width", "height", "format")}


def _row(name: str, data: bytes | Unreadable, max_pixels: int) -> Row:
    empty: Row = {
        "ref": name,
        "state": "ok",
        "reason": "",
        "sha256": None,
        "width": None,
        "height": None,
        "format": None,
        "scores": [],
        "bytes": None,
    }
    if isinstance(data, Unreadable):
        return {
            **empty,
            "state": "failed" if data.retryable else "ok",
            "reason": f"{data.reason}: {data.detail}",
        }
    header = probe(data, max_pixels)
    if isinstance(header, Undecodable):
        return {**empty, "reason": f"{header.reason}: {header.detail}"}
    image = decode(data, MEASURE_PX, max_pixels)
    if isinstance(image, Undecodable):
        return {**empty, "reason": f"{image.reason}: {image.detail}"}
    size = {"width": header.width, "height": header.height, "format": header.format}
    return {
        **empty,
        **size,
        "sha256": hashlib.sha256(data).hexdigest(),
        "scores": _measure(header.width, header.height, image),
        "bytes": data,
    }


def _measure(width: int, height: int, image: Pil.Image) -> list[dict[str, Any]]:
    """Measure an image. width, height: of the original after rotation, pixels. image: RGB, at most MEASURE_PX
    on its longer side."""
    gray = np.asarray(image.convert("L"), dtype=np.float32)  # (h, w) in [0, 255]
    values = {
        "image.side": float(min(width, height)),
        "image.aspect": max(width, height) / max(1, min(width, height)),
        "image.entropy": entropy(gray),
        "image.sharpness": sharpness(gray),
    }
    return [{"name": name, "value": round(value, 4)} for name, value in values.items()]


def entropy(gray: NDArray[np.float32]) -> float:
    """Entropy of the 256-bin histogram of (h, w) gray levels in [0, 255], bits."""
    share = np.bincount(gray.astype(np.uint8).ravel(), minlength=256) / gray.size
    share = share[share > 0]
    return float(abs(-(share * np.log2(share)).sum()))


def sharpness(gray: NDArray[np.float32]) -> float:
    """Standard deviation of the 4-neighbor Laplacian of (h, w) gray levels; 0 for images under 3 pixels a
    side."""
    if min(gray.shape) < 3:
        return 0.0
    centre = gray[1:-1, 1:-1]
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * centre
    return float(math.sqrt(np.square(laplacian - laplacian.mean()).mean()))
