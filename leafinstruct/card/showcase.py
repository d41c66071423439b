"""Examples for the card, with their images: of each task the first row whose licenses allow it.

Rows of a shard are ordered by a hash, so the first rows are a random sample, and the same in every build. The
license of the record and of each image must be stated and allow changed copies. Images are decoded, scaled
and encoded again as PNG, so that no byte of the original file (EXIF, data after its end) reaches `examples/`.
Memory: one row group.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from leafinstruct.images.decode import Undecodable, decode
from leafinstruct.records.license import showable
from leafinstruct.records.public import PublishedShard, open_shard
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

Shown = dict[str, Any]


def show(folder: Path, shards: Mapping[str, Sequence[Path]]) -> list[Shown]:
    """Write the images of the examples, and return what the card shows of each example.

    shards: task -> its files, in the order in which they are searched.
    Returns `id`, `task`, `url`, `license`, `source` and `turns`: role, parts (a text, or {image: path in the
    folder}), left (number of parts that are not shown).
    """
    found = [_prepared(folder, row) for paths in shards.values() if (row := _first(paths)) is not None]
    wanted = {
        part["image"]
        for example in found
        for turn in example["turns"]
        for part in turn["parts"]
        if isinstance(part, dict)
    }
    for path in (folder / FOLDER).glob("*"):
        if f"{FOLDER}/{path.name}" not in wanted:
            path.unlink()
    return found


def _first(paths: Sequence[Path]) -> dict[str, Any] | None:
    for path in paths:
        shard = open_shard(path)
        for group in range(shard.row_groups):
            at = _place(shard, group)
            if at is not None:
                return _row(shard, group, at)
    return None


def _place(shard: PublishedShard, group: int) -> int | None:
    """Index of the first row in a row group that may be shown; None if there is none."""
    rows = (row for batch in shard.batches(_RIGHTS, SCANNED, [group]) for row in batch.to_pylist())
    return next((at for at, row in enumerate(rows) if _may_be_shown(row)), None)


def _may_be_shown(row: Mapping[str, Any]) -> bool:
    return bool(row["image_info"]) and all(
        map(showable, (row["license"], *(info["license"] for info in row["image_info"])))
    )


def _row(shard: PublishedShard, group: int, at: int) -> dict[str, Any]:
    columns = ["id", "task", "source", "url", "license", "messages", "images"]
    for batch in shard.batches(columns, groups=[group]):
        if at < batch.num_rows:
            (row,) = batch.slice(at, 1).to_pylist()
            return dict(row)
        at -= batch.num_rows
    raise AssertionError("the row is in this group")


def _prepared(folder: Path, row: Mapping[str, Any]) -> Shown:
    images = _images(folder, row)
    turns = [{"role": turn["role"], **_parts(turn["content"], images)} for turn in row["messages"]]
    return {**{name: row[name] for name in ("id", "task", "source", "url", "license")}, "turns": turns}


def _parts(content: Sequence[Mapping[str, Any]], images: Iterator[dict[str, str] | None]) -> dict[str, Any]:
    """`parts` to show, and the number that is `left`. Consumes one of `images` for each image part, also for
    those that are not shown."""
    runs: list[Any] = []
    for kind, run in groupby(content, key=lambda part: part["type"]):
        parts = list(run)
        runs += (
            [joined([part["text"] for part in parts])] if kind == "text" else [next(images) for _ in parts]
        )
    shown = [part for part in runs[:PARTS] if part is not None]
    return {"parts": shown, "left": len(runs) - len(shown)}


def _images(folder: Path, row: Mapping[str, Any]) -> Iterator[dict[str, str] | None]:
    """Write the images of a row. Yields for each image, in order, its path, or None if it is not shown."""
    for number, image in enumerate(row["images"]):
        name = f"{FOLDER}/{row['id']}-{number + 1}.png"
        data = _png(image["bytes"]) if number < IMAGES else None
        if data is None:
            yield None
            continue
        with writing(folder / name) as temporary:
            temporary.write_bytes(data)
        yield {"image": name}


def _png(data: bytes) -> bytes | None:
    image = decode(data, SIDE)
    if isinstance(image, Undecodable):
        return None
    buffer = io.BytesIO()
    # pixels only: save() would also write `info`
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
