"""Examples for the card, with their images: of each task the first row whose licenses allow it.

Rows of a shard are ordered by a hash, so the first rows are a random sample, and the same in every build. The
license of the record and of each image must be stated and allow changed copies. Images are decoded, scaled
and encoded again as PNG, so that no byte of the original file (EXIF, data after its end) reaches `examples/`.
Memory: one row group.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image

from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.records.license import showable
from leafinstruct.records.public import PublishedShard, open_shard
from leafinstruct.records.published_row import PublishedRow, PublishedTurn, rows_in
from leafinstruct.records.text.joining import joined
from leafinstruct.runtime.files import writing

FOLDER = "examples"
SIDE = 256
"""Longer side of a shown image, in pixels: twelve images are less than 3 MB."""
IMAGES, PARTS = 4, 6
"""Maximum number of images of an example and of parts of a turn. Adjacent texts are one part."""

SCANNED = 4096
"""Number of rows whose licenses are read at a time."""

_RIGHTS = ["id", "license", "image_info.list.element.license"]


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of an example. image: its path in the folder."""

    image: str


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn of an example. left: number of parts that are not shown."""

    role: str
    parts: tuple[str | ShownImage, ...]
    left: int


@dataclass(frozen=True, slots=True)
class ShownExample:
    """What the card shows of a row."""

    id: str
    task: str
    url: str | None
    license: str | None
    source: str
    turns: tuple[ShownTurn, ...]


def show(folder: Path, shards: Mapping[str, Sequence[Path]]) -> list[ShownExample]:
    """Write the images of the examples, and return what the card shows of each example.

    shards: task -> its files, in the order in which they are searched.
    """
    found = [_prepared(folder, row) for paths in shards.values() if (row := _first(paths)) is not None]
    wanted = {
        part.image
        for example in found
        for turn in example.turns
        for part in turn.parts
        if isinstance(part, ShownImage)
    }
    for path in (folder / FOLDER).glob("*"):
        if f"{FOLDER}/{path.name}" not in wanted:
            path.unlink()
    return found


def _first(paths: Sequence[Path]) -> PublishedRow | None:
    for path in paths:
        shard = open_shard(path)
        for group in range(shard.row_groups):
            rows = shard.read(_RIGHTS, SCANNED, [group])
            at = next((at for at, row in enumerate(rows) if _may_be_shown(row)), None)
            if at is not None:
                return _row(shard, group, at).whole()
    return None


def _may_be_shown(row: PublishedRow) -> bool:
    return bool(row.image_info) and all(
        map(showable, (row.license, *(info.license for info in row.image_info)))
    )


def _row(shard: PublishedShard, group: int, at: int) -> PublishedRow:
    columns = ["id", "task", "source", "url", "license", "messages", "images"]
    for batch in shard.batches(columns, groups=[group]):
        if at < batch.num_rows:
            return next(rows_in(batch.slice(at, 1)))
        at -= batch.num_rows
    raise AssertionError("the row is in this group")


def _prepared(folder: Path, row: PublishedRow) -> ShownExample:
    images = _images(folder, row)
    turns = tuple(_turn(turn, images) for turn in row.turns)
    return ShownExample(row.id, row.task, row.url, row.license, row.source, turns)


def _turn(turn: PublishedTurn, images: Iterator[ShownImage | None]) -> ShownTurn:
    """Consumes one of `images` for each image part, also for those that are not shown."""
    runs: list[str | ShownImage | None] = []
    for is_text, run in groupby(turn.parts, lambda part: isinstance(part, str)):
        parts = list(run)
        runs += (
            [joined([part for part in parts if isinstance(part, str)])]
            if is_text
            else [next(images) for _ in parts]
        )
    shown = tuple(part for part in runs[:PARTS] if part is not None)
    return ShownTurn(turn.role, shown, len(runs) - len(shown))


def _images(folder: Path, row: PublishedRow) -> Iterator[ShownImage | None]:
    """Write the images of a row. Yields for each image, in order, its path, or None if it is not shown."""
    for number, data in enumerate(row.images, 1):
        name = f"{FOLDER}/{row.id}-{number}.png"
        small = _png(data or b"") if number <= IMAGES else None
        if small is None:
            yield None
            continue
        with writing(folder / name) as temporary:
            temporary.write_bytes(small)
        yield ShownImage(name)


def _png(data: bytes) -> bytes | None:
    image = decode(data, SIDE)
    if isinstance(image, Undecodable):
        return None
    buffer = io.BytesIO()
    # pixels only: save() would also write `info`
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
