"""Images of living documents: reference -> bytes and measurements, in the part's image file.

Only images of documents that the text rules left alive are read, each reference once while its file stays as
it was (size and time; of an address: what was fetched): rows that stand are carried over when a loosened rule
brings more documents to life. Bytes are kept as they came and streamed, never held for a whole part; decoding
is for measuring only and happens on at most 256 px. Bad bytes are a reason, not an exception. Cost: 1-3 ms an
image of 1 megapixel.
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
from leafinstruct.records.frames import Kept
from leafinstruct.records.table import Row

MEASURE_PX = 256
"""Longer side at which entropy and sharpness are measured: sharpness depends on scale, so one scale for
all."""


REMOVED = "removed_by_request"
"""Reason of an image that `leaf remove --purge` took out; a document that shows it is dropped, as its text
would go on speaking of it."""


class Fetched:
    """What is at hand of a part's images: those on the web that filter/fetching left, and the frames that
    ingest took. All others are where their reference points.

    path: the part's `fetches-`, may be missing; store: the folder of what was fetched; frames: the part's.
    """

    def __init__(self, path: Path, store: Path, frames: Kept) -> None:
        self._rows = {row["url"]: row for row in table.read(path)} if path.exists() else {}
        self._store = store
        self._frames = frames

    def read(self, ref: Ref, root: Path) -> bytes | Unreadable:
        """The bytes that a reference means, or why there are none."""
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
        """What tells that an image may have changed: size and time of its file, or what was fetched."""
        row = None if ref.file is not None else self._rows.get(ref.url)
        return stamp(ref, root) if row is None else row["sha256"] or row["reason"]


def materialize(
    wanted: Iterable[tuple[Ref, Path]],
    standing: Path,
    max_pixels: int,
    counts: Counter[str],
    fetched: Fetched,
    removed: frozenset[str] = frozenset(),
) -> Iterator[Row]:
    """Rows of table.IMAGES, one a reference: first those that stand, also of documents that are not wanted
    now; then the missing ones.

    wanted: (reference, root of its source). standing: the part's image file, may be missing. counts:
    `images_read`, `images_failed`.
    removed: sha256 of images that were taken out for good; their bytes are not kept.
    """
    needed = {str(ref): (ref, root) for ref, root in wanted}
    reused: set[str] = set()
    for row in table.read_whole_groups(standing):
        here = needed.get(row["ref"])
        stale = row["sha256"] in removed or row["reason"].startswith(REMOVED)
        if (
            row["state"] == "ok"
            and not stale
            and (here is None or row["stamp"] == fetched.stamp(*here))
            and _holds_its_image(row)
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
    """What `look` met that was damaged or had changed unseen, for the line at the end of the stage; taken out
    of the counts."""
    told = {
        "files of kept frames": "frames_damaged",
        "files of images": "images_damaged",
        "images whose file changed although its size and time did not": "rotted",
    }
    return {what: count for what, name in told.items() if (count := counts.pop(name, 0))}


def is_damaged(path: Path) -> bool:
    """Whether a part has a file of images that is not what was written: what is whole of it is kept, and the
    rest is read again."""
    return path.exists() and checked.fault(path) is not None


def seen(path: Path) -> dict[tuple[str, str], str]:
    """(reference, stamp) -> sha256 of the images of a part's file, nothing where that is missing or
    damaged."""
    try:
        return {
            (row["ref"], row["stamp"]): row["sha256"]
            for row in table.read(path, ["ref", "stamp", "sha256"])
            if row["sha256"]
        }
    except DamagedError:
        return {}


def rotted(before: Mapping[tuple[str, str], str], now: Mapping[str, Row]) -> int:
    """Images that are other bytes than before under the same stamp. before: see `seen`; now: reference ->
    row."""
    return sum(
        now[ref]["sha256"] != sha256
        for (ref, stamp), sha256 in before.items()
        if ref in now and now[ref]["stamp"] == stamp
    )


def _holds_its_image(row: Row) -> bool:
    return row["sha256"] is None or hashlib.sha256(row["bytes"] or b"").hexdigest() == row["sha256"]


def stamp(ref: Ref, root: Path) -> str:
    """Size and modification time of a reference's file, empty where there is none: what tells that an image
    may have changed."""
    return file_stamp(root / (ref.file or ""))


def cells(image: Image, row: Mapping[str, Any]) -> list[Cell]:
    """The `image.*` cells of a document's image from its row."""
    if row["state"] == "failed":
        return [Cell("image.decoded", None, "failed", image.position, None, row["reason"])]
    if row["sha256"] is None or row["width"] is None:
        return [Cell("image.decoded", 0.0, "ok", image.position, None, row["reason"])]
    measured = [cell(item["name"], item["value"], image.position) for item in row["scores"]]
    return [cell("image.decoded", 1.0, image.position), *measured]


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a materialized image tells of itself, as fields of records.document.Image."""
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
    """width, height: of the original after rotation, pixels. image: RGB, at most MEASURE_PX on its longer
    side."""
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
